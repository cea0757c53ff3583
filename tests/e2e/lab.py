# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: runs of the program, what they left, and the machine read without it."""

import contextlib
import csv
import dataclasses
import io
import json
import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("OOMLAB_BUILD", "build")
OOMLAB = BUILD / "oomlab"
SCENARIOS = pathlib.Path(__file__).resolve().parent / "scenarios"
SYSCTL = pathlib.Path("/proc/sys/vm/stat_interval")  # how often statistics are gathered: harmless
M = 1 << 20
MS = 1_000_000
HOST_WAIT_S = 60
GUEST_WAIT_S = 120
EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_BROKEN, EXIT_SKIP, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130


def wait_until(what, condition, seconds=20):
    """The first true value of condition(), asked until the deadline; `what` is for the failure's message."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


# The machine, read without the program under test.

def proc_stat(pid):
    """(comm, state, ppid, session, start time) of a process; None when it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    comm, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return comm, rest[0], int(rest[1]), int(rest[3]), int(rest[19])


def proc_bytes(pid, key):
    """A kB value of /proc/PID/status in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"/proc/{pid}/status lacks {key}")


def descendants(pid):
    """{pid: (comm, state, ppid, session, start time)} of all that pid started, and what those started."""
    everything = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = proc_stat(int(entry))
            if stat:
                everything[int(entry)] = stat
    found, grown = {pid}, True
    while grown:
        more = {child for child, stat in everything.items() if stat[2] in found} - found
        found, grown = found | more, bool(more)
    return {child: everything[child] for child in found - {pid} if child in everything}


def cgroup_mounts():
    """{version: [mount points]}; of version 1 those with a controller only."""
    found = {1: [], 2: []}
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        if kind in ("cgroup", "cgroup2"):
            found[1 if kind == "cgroup" else 2].append((pathlib.Path(where), options.split(",")))
    return found


def memory_cgroup():
    """(version, mount point) of the hierarchy that has the memory controller; None."""
    mounts = cgroup_mounts()
    for where, options in mounts[1]:
        if "memory" in options:
            return 1, where
    for where, _ in mounts[2]:
        with contextlib.suppress(OSError):
            if "memory" in (where / "cgroup.controllers").read_text().split():
                return 2, where
    return None


def groups_of(pid):
    """Directories of the groups that the harness pid made, under any hierarchy."""
    return [path for mounts in cgroup_mounts().values() for where, _ in mounts
            for path in where.glob(f"oomlab.{pid}.*")]


class KernelLog:
    """What the kernel says from now on, from /dev/kmsg itself."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        found = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return found
            except BrokenPipeError:  # overwritten before it was read
                continue
            found.append(record.split(";", 1)[1].split("\n")[0])

    def kills(self):
        """{pid: match} of the "Killed process" lines since the last call."""
        found = (re.search(r"Killed process (?P<pid>\d+) \((?P<comm>[^)]*)\) total-vm:(?P<vm>\d+)kB, "
                           r"anon-rss:(?P<anon>\d+)kB", line) for line in self.lines())
        return {int(match["pid"]): match for match in found if match}

    def close(self):
        os.close(self.fd)


# Runs of the program.

@dataclasses.dataclass
class Trial:
    """One trial's directory."""
    dir: pathlib.Path

    def json(self, name):
        return json.loads((self.dir / name).read_text())

    @property
    def result(self):
        return self.json("result.json")

    @property
    def events(self):
        # Not splitlines(): what a program printed may hold other characters that end a line.
        return [json.loads(line) for line in (self.dir / "events.jsonl").read_text().rstrip("\n").split("\n")]

    def event(self, name, **wanted):
        """The only event of that name with those members."""
        found = [one for one in self.events
                 if one["event"] == name and all(one.get(key) == value for key, value in wanted.items())]
        assert len(found) == 1, f"{len(found)} of {name} {wanted} in {self.events}"
        return found[0]

    def rows(self, name, **wanted):
        """Rows of a CSV file as dictionaries of numbers (None: not known) and names."""
        def value(text):
            return None if text == "" else int(text) if re.fullmatch(r"-?\d+", text) else text
        with open(self.dir / name, newline="") as file:
            rows = [{key: value(text) for key, text in row.items()} for row in csv.DictReader(file)]
        return [row for row in rows if all(row[key] == wanted[key] for key in wanted)]

    def process(self, name="hog"):
        found = [one for one in self.result["processes"] if one["name"] == name]
        assert len(found) == 1, self.result
        return found[0]


@dataclasses.dataclass
class Run:
    """An invocation that has ended."""
    status: int
    stdout: str
    stderr: str
    dir: pathlib.Path

    @property
    def json(self):
        return json.loads((self.dir / "run.json").read_text())

    def trial(self, where="all/1"):
        return Trial(self.dir / where)

    def __str__(self):
        return f"exit {self.status}\n{self.stdout}\n{self.stderr}"


class Live:
    """An invocation that runs."""

    def __init__(self, words, out, **kwargs):
        self.dir = out
        usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                 "start_new_session": True}
        self.process = subprocess.Popen([str(word) for word in words], **{**usual, **kwargs})
        self.pid = self.process.pid

    def wait(self, seconds=HOST_WAIT_S):
        try:
            stdout, stderr = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            stdout, stderr = self.process.communicate()
            raise AssertionError(f"no end after {seconds} s: {stdout} {stderr}") from None
        return Run(self.process.returncode, stdout, stderr, self.dir)

    def alive(self):
        assert self.process.poll() is None, f"ended too soon: {self.wait()}"
        return True

    def find(self, comm):
        """The pid of the one descendant of that name, as soon as there is one."""
        def found():
            self.alive()
            return [pid for pid, stat in descendants(self.pid).items() if stat[0] == comm]
        pids = wait_until(f"a process {comm}", found)
        assert len(pids) == 1
        return pids[0]

    def holding(self, comm, rss_bytes):
        """The pid of a stressor that has reached that much and sleeps."""
        pid = self.find(comm)
        wait_until(f"{comm} at {rss_bytes} bytes", lambda: self.alive() and proc_bytes(pid, "VmRSS") >= rss_bytes
                   and proc_stat(pid)[1] == "S")
        return pid

    def janitor(self):
        """It has a session of its own, so that it survives what ends the harness's."""
        found = [pid for pid, stat in descendants(self.pid).items() if stat[2] == self.pid and stat[3] == pid]
        assert len(found) == 1
        return found[0]

    def family(self):
        """(pid, start time) of all that it started, to see later that they are gone."""
        return {(pid, stat[4]) for pid, stat in descendants(self.pid).items()}


def gone(family):
    """None of them runs any more (a zombie waits for its parent only)."""
    for pid, start in family:
        stat = proc_stat(pid)
        if stat and stat[4] == start and stat[1] != "Z":
            return False
    return True


class Lab:
    """A private state directory and output directories for the runs of one test."""

    def __init__(self, tmp, user=None):
        self.tmp = tmp
        self.state = tmp / "state"
        self.env = {**os.environ, "XDG_STATE_HOME": str(self.state)}
        self.prefix = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        self.live = []
        self.count = 0

    def scenario(self, text, name="scenario.yaml"):
        """Writes a scenario file. Tabs in front are not YAML, so tests indent by spaces."""
        path = self.tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(self, *words, out=None, **kwargs):
        self.count += 1
        out = out or self.tmp / f"run{self.count}"
        kwargs.setdefault("env", self.env)
        live = Live([*self.prefix, OOMLAB, "run", *words, "--out", out], out, **kwargs)
        self.live.append(live)
        return live

    def run(self, *words, seconds=HOST_WAIT_S, **kwargs):
        return self.start(*words, **kwargs).wait(seconds)

    def recording(self, *words, out=None, **kwargs):
        """oomlab record with these words, of which the last are the program's."""
        self.count += 1
        out = out or self.tmp / f"run{self.count}"
        kwargs.setdefault("env", self.env)
        live = Live([*self.prefix, OOMLAB, "record", "--out", out, *words], out, **kwargs)
        self.live.append(live)
        return live

    def record(self, *words, seconds=HOST_WAIT_S, **kwargs):
        return self.recording(*words, **kwargs).wait(seconds)

    def doctor(self, *words):
        done = subprocess.run([*self.prefix, OOMLAB, "doctor", *words], capture_output=True, text=True,
                              timeout=HOST_WAIT_S, env=self.env)
        return Run(done.returncode, done.stdout, done.stderr, None)

    def journals(self):
        return sorted(self.state.glob("oomlab/undo/*"))

    def left(self):
        """Groups and journals of this test's runs."""
        return [path for live in self.live for path in groups_of(live.pid)] + self.journals()

    def close(self):
        for live in self.live:
            if live.process.poll() is None:
                family = live.family()
                live.process.kill()
                live.process.communicate()
                wait_until("the end of what the run started", lambda: gone(family))
        wait_until(f"nothing left behind: {self.left()}", lambda: not self.left())


def read_all(fd):
    """Everything from a pty's master until its other end is closed."""
    text = io.BytesIO()
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError:  # EIO: nobody holds the other end
            chunk = b""
        if not chunk:
            return text.getvalue().decode(errors="replace")
        text.write(chunk)


# The scenario of many tests: an OOM kill in a group of 64 MB.
MEMSET_64M = """
scenario: memset-64m
place: host
cgroups:
  app: {memory.max: 64M}
processes:
  hog: {run: [memset, --block=1M, --limit=192M], cgroup: app}
expect:
  - {that: hog.outcome, is: oom-killed}
  - {that: victim, is: hog}
"""


def small(name="small", run="[malloc, --limit=1M]", outcome="exited", more=""):
    return f"""
scenario: {name}
place: host
processes:
  hog: {{run: {run}}}
expect:
  - {{that: hog.outcome, is: {outcome}}}
{more}
"""


# Three cells, each skipped at once: no kernel starts, and no file has a pid or a time in it.
SKIPPED = """
scenario: skipped
machine: {memory: 128M, swap: {size: 64M, kind: disk}, deterministic: true}
processes:
  hog: {run: [memset]}
matrix:
  stop.timeout: [1s, 2s, 3s]
"""
