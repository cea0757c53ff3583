# SPDX-License-Identifier: MIT
"""oomlab record: a program of the user's as if oomlab were not there, within limits that hold, and what is said of it."""

import contextlib
import hashlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from lab import (EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, HOST_WAIT_S, M, OOMLAB, gone, groups_of, proc_stat, read_all,
                 wait_until)

PYTHON = "/usr/bin/python3"
EATER = "b = bytearray(1 << 30)"
GUEST = ["--place", "guest", "--kernel", "debian:6.1"]
FORWARDED = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"]

# Notes each signal it gets as a line, ends after `end`, with status 9.
CATCHER = """
import os, signal, sys
for name in sys.argv[2:]:
    signal.signal(getattr(signal, "SIG" + name), lambda number, frame: os.write(1, b"%d\\n" % number))
os.write(1, b"ready\\n")
import time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    time.sleep(0.02)
sys.exit(9)
"""


def lines_of(run):
    """What oomlab itself has said: {first word: the rest}."""
    found = re.findall(r"^oomlab record: (\w+): (.*)$", run.stderr, re.M)
    return dict(found)


def bytes_of(text):
    """size_format() read back."""
    number, unit = re.fullmatch(r"([\d.]+)([BKMGT])", text).groups()
    return float(number) * 1024 ** "BKMGT".index(unit)


def next_line(live, seconds=HOST_WAIT_S):
    """The next line of its standard output, not a byte more."""
    text, deadline = b"", time.monotonic() + seconds
    while not text.endswith(b"\n"):
        assert select.select([live.process.stdout], [], [], deadline - time.monotonic())[0], text
        byte = os.read(live.process.stdout.fileno(), 1)
        assert byte, text
        text += byte
    return text.decode()


def ready(live):
    assert next_line(live) == "ready\n"


# Streams

def test_streams_byte_for_byte(lab, host):
    """All byte values and more than a pipe holds, from a file and by a pipe; standard error apart from it."""
    data = os.urandom(1 << 20) + bytes(range(256))
    (lab.tmp / "in").write_bytes(data)
    with open(lab.tmp / "in", "rb") as file:
        live = lab.recording("--quiet", "--", "cat", stdin=file, text=False)
        stdout, stderr = live.process.communicate(timeout=HOST_WAIT_S)
    assert live.process.returncode == 0 and stderr == b""
    assert hashlib.sha256(stdout).digest() == hashlib.sha256(data).digest()
    live = lab.recording("--quiet", "--", "sh", "-c", "cat >&2; echo out", stdin=subprocess.PIPE, text=False)
    stdout, stderr = live.process.communicate(data, timeout=HOST_WAIT_S)
    assert stdout == b"out\n" and stderr == data


def test_nothing_on_standard_output(lab, host):
    run = lab.record("--", "true")
    assert run.stdout == "" and run.status == 0
    assert run.stderr.count("\n") == 4 and all(line.startswith("oomlab record: ") for line in run.stderr.splitlines())
    assert lines_of(run)["victim"] == "none" and lines_of(run)["record"] == str(run.dir)


def test_reader_that_leaves(lab, host):
    """As `yes | head -1`: the program gets SIGPIPE, and nothing waits for it."""
    live = lab.recording("--quiet", "--", "yes", text=False)
    assert live.process.stdout.read(2) == b"y\n"
    live.process.stdout.close()
    assert live.process.wait(HOST_WAIT_S) == 128 + signal.SIGPIPE


def test_writer_that_ends_first(lab, host):
    """The program's end is oomlab's end, also while its input is open."""
    with subprocess.Popen(["sleep", "100"], stdout=subprocess.PIPE) as writer:
        run = lab.record("--quiet", "--", "sh", "-c", "exit 3", stdin=writer.stdout)
        writer.kill()
    assert run.status == 3


def test_closed_streams_stay_closed(lab, host):
    """Nothing of oomlab's own is where the program would read or write."""
    words = f"{OOMLAB} record --quiet --out {lab.tmp}/closed -- {PYTHON} -c " \
            "'import os, sys; sys.exit(sum(os.path.exists(f\"/proc/self/fd/{n}\") << n for n in range(3)))' <&- >&-"
    assert subprocess.run(["sh", "-c", words], env=lab.env, timeout=HOST_WAIT_S, check=False).returncode == 1 << 2


def test_other_descriptors_pass(lab, host):
    read, write = os.pipe()
    run = lab.record("--quiet", "--", PYTHON, "-c", f"import os; os.write({write}, b'through')", pass_fds=[write])
    os.close(write)
    assert run.status == 0 and os.read(read, 100) == b"through"
    os.close(read)


def test_environment_and_directory(lab, host):
    run = lab.record("--quiet", "--env", "MORE=1", "--", "sh", "-c", "tr '\\0' '\\n' < /proc/self/environ; pwd",
                     env={**lab.env, "OWN": "hunter2", "MORE": "0"}, cwd=lab.tmp)
    *variables, where = run.stdout.splitlines()
    assert [one for one in variables if one.startswith(("OWN=", "MORE="))] == ["OWN=hunter2", "MORE=1"]
    assert where == str(lab.tmp)
    assert "hunter2" not in (run.dir / "all/1/spec.json").read_text()  # what is in it may be secret


def test_words_that_are_no_text(lab, host):
    live = lab.recording("--quiet", "--", "printf", "%s", os.fsdecode(b"a\xff\xfeb"), text=False)
    assert live.process.communicate(timeout=HOST_WAIT_S)[0] == b"a\xff\xfeb"
    assert json.loads((live.dir / "all/1/spec.json").read_text())["processes"][0]["exec"][2] == "a��b"


# How it ends

@pytest.mark.parametrize("script,status", [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143),
                                           ("kill -SEGV $$", 139)])
def test_exit_status(lab, host, script, status):
    run = lab.record("--quiet", "--", "sh", "-c", script)
    assert (run.status, run.stderr) == (status, "")
    assert run.json["exit"] == status


def test_killed_by_somebody(lab, host):
    run = lab.record("--quiet", "--", "sh", "-c", "kill -KILL $$")
    assert run.status == 137
    assert run.stderr == "oomlab record: the program was ended by SIGKILL, which was not the OOM killer's\n"


def test_timeout(lab, host):
    begin = time.monotonic()
    run = lab.record("--quiet", "--timeout", "300ms", "--", "sleep", "100")
    assert run.status == 137 and "--timeout 300" in run.stderr and time.monotonic() - begin < 20


def same_story(run, peak_min):
    """A 64 MB group, a program that wants 1 GB: the victim, the limit, and how much it had."""
    assert run.status == 137 and run.stdout == "", run
    said = lines_of(run)
    match = re.fullmatch(r"python3\S* \(pid (\d+)\) was killed by the OOM killer: its group reached memory.max = 64M; "
                         r"it had (\S+) resident, (\S+) of it anonymous", said["victim"])
    assert match, said
    assert 55 * M <= bytes_of(match[2]) <= 80 * M and 55 * M <= bytes_of(match[3]) <= 64 * M
    match = re.match(r"peak RSS (\S+), last (\S+), peak swap 0B; all of its group: peak 64M$", said["memory"])
    assert match and peak_min <= bytes_of(match[1]) <= 80 * M
    result = run.trial().result
    assert result["metrics"]["victim"] == "program" and result["metrics"]["cgroup.app.oom_kills"] == 1
    return int(re.search(r"pid (\d+)", said["victim"])[1])


def test_oom_killed_on_the_host(lab, host, kernel_log):
    pid = same_story(lab.record("--memory", "64M", "--", PYTHON, "-c", EATER), 55 * M)
    assert pid in kernel_log.kills()


def test_oom_killed_in_a_guest(lab, qemu):
    run = lab.record("--memory", "64M", *GUEST, "--", "python3", "-c", EATER, seconds=GUEST_WAIT_S)
    same_story(run, 55 * M)
    assert re.fullmatch(r"waited for memory: some \S+, full \S+", lines_of(run)["pressure"])


def test_quiet_says_why_137(lab, host):
    run = lab.record("--quiet", "--memory", "64M", "--", PYTHON, "-c", EATER)
    assert run.status == 137 and run.stderr.startswith("oomlab record: victim: python3") and run.stderr.count("\n") == 1


def test_child_killed(lab, host, kernel_log):
    """The program goes on, and its status is its own; who was killed is said all the same."""
    run = lab.record("--memory", "64M", "--", "sh", "-c", f"{PYTHON} -c '{EATER}' & wait $!; echo $?; exit 5")
    assert (run.status, run.stdout) == (5, "137\n"), run
    match = re.match(r"python3\S* \(pid (\d+)\), a child of the program, was killed by the OOM killer: its group reached "
                     "memory.max = 64M;", lines_of(run)["victim"])
    assert match and int(match[1]) in kernel_log.kills()
    assert "the program itself was not killed: exit status 5 is its own\n" in run.stderr
    peak, group = re.match(r"peak RSS (\S+), .*; all of its group: peak (\S+)$", lines_of(run)["memory"]).groups()
    assert bytes_of(peak) < 16 * M and bytes_of(group) == 64 * M


# Signals

@pytest.mark.parametrize("name", FORWARDED)
def test_signal_is_passed_on(lab, host, name):
    """The handler of the program runs, once, and oomlab waits for what it does then."""
    live = lab.recording("--quiet", "--", PYTHON, "-uc", CATCHER, "1", *FORWARDED)
    ready(live)
    os.kill(live.pid, getattr(signal, "SIG" + name))
    run = live.wait()
    assert (run.status, run.stdout) == (9, f"{int(getattr(signal, 'SIG' + name))}\n"), run


def test_signal_to_all_of_the_group(lab, host):
    """What everybody is sent the program is not sent twice."""
    live = lab.recording("--quiet", "--", PYTHON, "-uc", CATCHER, "1", *FORWARDED)
    ready(live)
    os.killpg(live.pid, signal.SIGTERM)
    assert live.wait().stdout == f"{int(signal.SIGTERM)}\n"


def test_signal_ends_it(lab, host):
    live = lab.recording("--quiet", "--", "sh", "-c", "echo ready; exec sleep 100")
    ready(live)
    live.process.terminate()
    run = live.wait()
    assert run.status == 128 + signal.SIGTERM and run.stderr == ""


def test_second_interrupt_ends_it_hard(lab, host):
    live = lab.recording("--quiet", "--", PYTHON, "-uc", CATCHER, "100", "INT")
    ready(live)
    os.kill(live.pid, signal.SIGINT)
    assert next_line(live) == f"{int(signal.SIGINT)}\n"
    time.sleep(0.3)
    live.alive()
    os.kill(live.pid, signal.SIGINT)
    run = live.wait()
    assert run.status == 137 and run.stderr == "oomlab record: ended by SIGKILL after a second SIGINT\n"


def test_ignored_signals_stay_ignored(lab, host):
    """As nohup has it."""
    command = ["nohup", OOMLAB, "record", "--quiet", "--out", lab.tmp / "nohup", "--", "grep", "SigIgn", "/proc/self/status"]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=HOST_WAIT_S, check=True)
    assert int(done.stdout.split()[1], 16) & 1 << signal.SIGHUP - 1


@contextlib.contextmanager
def terminal(*words, env):
    """A program as the leader of a terminal of its own: (its pid, the terminal's other end)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(words[0], [str(word) for word in words], env)
    try:
        yield pid, master
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(master)


def read_until(fd, word):
    """Of a terminal: all up to that word, within a deadline."""
    text, deadline = b"", time.monotonic() + 20
    while word not in text:
        assert select.select([fd], [], [], deadline - time.monotonic())[0], text
        text += os.read(fd, 1000)
    return text


def test_terminal(lab, host):
    """Its input is the program's, and a key that means a signal is one signal."""
    with terminal(OOMLAB, "record", "--quiet", "--out", lab.tmp / "terminal", "--", PYTHON, "-uc",
                  "import os; os.write(1, input().encode())\n" + CATCHER, "1", "INT", env=lab.env) as (pid, fd):
        os.write(fd, b"typed\n")
        assert read_until(fd, b"ready").count(b"typed") == 2  # the terminal's echo and the program's own
        os.write(fd, b"\x03")
        rest = read_all(fd)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        assert re.findall(r"^\d+\r?$", rest.replace("^C", ""), re.M) == ["2\r"]


def test_stopped_at_the_terminal(lab, host):
    """^Z stops all of it, so that the shell gets its prompt back; fg continues all of it."""
    script = f"set -m; {OOMLAB} record --quiet --out {lab.tmp}/stopped -- sh -c 'echo ready; sleep 1; exit 4'; " \
             "echo back $?; fg; echo end $?"
    with terminal("/bin/sh", "-c", script, env=lab.env) as (_, fd):
        read_until(fd, b"ready")
        os.write(fd, b"\x1a")
        read_until(fd, b"back 148")
        read_until(fd, b"end 4")


# Limits and what is left

def limit_of(live, version, v2, v1):
    group = wait_until("a group", lambda: [path for path in groups_of(live.pid) if (path / "app" / (v1, v2)[version - 1]).exists()])
    return (group[0] / "app" / (v1, v2)[version - 1]).read_text().strip()


def test_limits_are_set(lab, host):
    live = lab.recording("--quiet", "--memory", "64M", "--pids", "17", "--cpus", "1", "--", PYTHON, "-uc",
                         "import os; print('ready'); os.write(1, b'%d\\n' % len(os.sched_getaffinity(0))); input()",
                         stdin=subprocess.PIPE)
    ready(live)
    assert next_line(live) == "1\n"
    assert limit_of(live, host, "memory.max", "memory.limit_in_bytes") == str(64 * M)
    assert limit_of(live, host, "pids.max", "pids.max") == "17"
    assert live.process.communicate("\n", timeout=HOST_WAIT_S) == ("", "")
    assert live.process.returncode == 0


def test_pids_hold(lab, host):
    run = lab.record("--quiet", "--pids", "3", "--", PYTHON, "-c", """
import os, sys, time
made = 0
try:
    while os.fork():
        made += 1
except BlockingIOError:
    sys.exit(made)
time.sleep(100)
""")
    assert run.status == 2, run


def test_set_both_ways(lab, host):
    if host != 1:
        pytest.skip("memory.swappiness is cgroup v1's")
    for words in (["--set", "cgroup", "memory.swappiness=17"], ["--set", "cgroup.memory.swappiness=17"]):
        run = lab.record("--quiet", *words, "--", "true")
        assert run.status == 0
        assert run.trial().event("set", key="memory.swappiness")["got"] == "17"


def test_not_here(lab, host):
    """What this place cannot do is said with its reason, and the program does not run."""
    rows = [(["--cpus", "64"], "there are ")]
    if host == 1:
        rows.append((["--memory-high", "32M"], "memory.high has no twin in cgroup v1"))
    for words, why in rows:
        run = lab.record("--quiet", *words, "--", "sh", "-c", "echo ran")
        assert run.status == EXIT_SKIP and run.stdout == "" and why in run.stderr and run.stderr.count("\n") == 1, run


def test_background_children_end_with_it(lab, host):
    run = lab.record("--quiet", "--", "sh", "-c", "sleep 1000 > /dev/null 2>&1 & echo $!")
    stat = proc_stat(int(run.stdout))
    assert run.status == 0 and (not stat or stat[1] == "Z")


def test_killed_oomlab_leaves_nothing(lab, host):
    live = lab.recording("--quiet", "--memory", "64M", "--", "sh", "-c", "sleep 1000 & echo ready; wait")
    ready(live)
    family = live.family()
    assert len(family) >= 4 and groups_of(live.pid)
    live.process.kill()
    live.process.wait()
    wait_until("all of it gone", lambda: gone(family))
    wait_until("nothing left", lambda: not lab.left())


def test_run_directory(lab, host):
    """That of oomlab run, by its own name, and no empty folder where it was refused."""
    run = subprocess.run([OOMLAB, "record", "--", "true"], env=lab.env, cwd=lab.tmp, capture_output=True, text=True,
                         timeout=HOST_WAIT_S, check=True)
    made = next((lab.tmp / "results/runs").iterdir())
    assert re.fullmatch(r"\d{8}T\d{6}Z-true", made.name) and f"record: results/runs/{made.name}\n" in run.stderr
    assert {path.name for path in (made / "all/1").iterdir()} == {
        "spec.json", "result.json", "system.csv", "processes.csv", "cgroups.csv", "events.jsonl", "kmsg.log"}
    assert json.loads((made / "run.json").read_text())["arguments"] == ["record", "--", "true"]
    (lab.tmp / "full").mkdir()
    (lab.tmp / "full/x").write_text("")
    run = lab.record("--", "true", out=lab.tmp / "full")
    assert run.status == EXIT_USAGE and "is not empty" in run.stderr and run.stderr.count("\n") == 1
    (lab.tmp / "empty").mkdir()
    assert lab.record("--keep-blackbox", "--", "true", out=lab.tmp / "empty").status == 0
    assert (lab.tmp / "empty/all/1/blackbox").exists()


BAD = [
    (["--memory", "64Q", "--", "true"], "--memory 64Q: allowed: a number with B, K, M, G or T"),
    (["--memory"], "--memory: its value is missing"),
    (["--swap", "lots", "--", "true"], "--swap lots: allowed: "),
    (["--pids", "-1", "--", "true"], "--pids -1: allowed: a whole number, or max"),
    (["--cpus", "0", "--", "true"], "--cpus 0: allowed: a whole number, 1 to 64"),
    (["--set", "vm.swappiness=1", "--", "true"], "--set vm.swappiness=1: allowed: cgroup.KEY=VALUE"),
    (["--set", "cgroup.memory.mx=1", "--", "true"], "--set cgroup.memory.mx=1: no such limit; did you mean memory.max"),
    (["--set", "cgroup.memory.max", "--", "true"], "--set cgroup.memory.max: has no value"),
    (["--every", "1us", "--", "true"], "--every 1us: allowed: "),
    (["--timeout", "soon", "--", "true"], "--timeout soon: allowed: "),
    (["--env", "NOT SET", "--", "true"], "--env NOT SET: no name of a variable; allowed: "),
    (["--place", "moon", "--", "true"], "--place moon: allowed: host or guest"),
    (["--kernel", "debian:1.0", "--", "true"], "--kernel debian:1.0: unknown kernel"),
    (["--place", "host", "--kernel", "debian:6.1", "--", "true"], "--kernel debian:6.1: belongs to a guest"),
    (["--machine-memory", "1G", "--", "true"], "--machine-memory: belongs to a guest"),
    (["--file", "/etc/passwd", "--", "true"], "--file: belongs to a guest"),
    (["--place", "guest", "--file", "/nowhere", "--", "true"], "--file /nowhere: No such file"),
    (["--memry", "1G", "--", "true"], "--memry: no such option; allowed: --memory, "),
    ([], "which program? allowed: "),
    (["--"], "which program? allowed: "),
    (["--", "no-such-program"], "no-such-program: there is no such program in "),
    (["--", "./no-such"], "./no-such: No such file or directory"),
    (["--", "/etc/passwd"], "/etc/passwd: Permission denied"),
    (["--", "/etc"], "/etc: is no file"),
    (["--", ""], '"": the program has no name'),
]


@pytest.mark.parametrize("words,said", BAD, ids=[" ".join(words) or "nothing" for words, _ in BAD])
def test_bad_input(lab, words, said):
    """One line that names what is wrong and what is allowed; nothing is made."""
    run = lab.record(*words)
    assert run.status == EXIT_USAGE and run.stdout == "" and run.stderr.count("\n") == 1, run
    assert run.stderr.startswith("oomlab record: " + said), run.stderr
    assert not run.dir.exists()


def test_script_without_interpreter(lab, host):
    script = lab.scenario("#!/nowhere/sh\n", "script")
    script.chmod(0o755)
    run = lab.record("--", script)
    assert run.status == EXIT_USAGE and "its interpreter /nowhere/sh: No such file" in run.stderr
    plain = lab.scenario("exit 6\n", "plain")
    plain.chmod(0o755)
    assert lab.record("--quiet", "--", plain).status == 6  # a shell runs it, as from a shell


# In a guest

def test_guest_streams(lab, qemu):
    """Binary input by a pipe, outputs apart and byte for byte, the program's own status; of the environment what is named."""
    data = os.urandom(300_000) + bytes(range(256))
    script = "import os, sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(d); sys.stderr.write(os.environ['A']); " \
             "sys.exit(7 + ('OWN' in os.environ))"
    live = lab.recording("--quiet", *GUEST, "--env", "A=given", "--", "python3", "-c", script, stdin=subprocess.PIPE,
                         text=False, env={**lab.env, "OWN": "yes"})
    stdout, stderr = live.process.communicate(data, timeout=GUEST_WAIT_S)
    assert stdout == data and stderr == b"given"
    assert live.process.returncode == 7
    assert not (live.dir / "stdin").exists()


def test_guest_output_as_it_comes(lab, qemu):
    """Before the program ends; a signal reaches it, and its handler's status is passed on."""
    live = lab.recording("--quiet", *GUEST, "--", "python3", "-uc", CATCHER, "100", "TERM", "INT")
    ready(live)
    live.alive()
    os.kill(live.pid, signal.SIGTERM)
    assert next_line(live) == f"{int(signal.SIGTERM)}\n"
    os.kill(live.pid, signal.SIGINT)
    assert next_line(live) == f"{int(signal.SIGINT)}\n"
    os.kill(live.pid, signal.SIGINT)
    run = live.wait(GUEST_WAIT_S)
    assert run.status == 137 and run.stderr == "oomlab record: ended by SIGKILL after a second SIGINT\n"


def test_guest_reader_that_leaves(lab, qemu):
    live = lab.recording("--quiet", *GUEST, "--", "yes", text=False)
    assert live.process.stdout.read(2) == b"y\n"
    live.process.stdout.close()
    assert live.process.wait(GUEST_WAIT_S) == 128 + signal.SIGPIPE


def test_guest_limits(lab, qemu):
    script = "for f in memory.max memory.high memory.swap.max pids.max; do read x < /sys/fs/cgroup/oomlab/app/$f; echo $x; done;" \
             " grep -c ^processor /proc/cpuinfo; grep MemTotal /proc/meminfo; grep SwapTotal /proc/meminfo"
    run = lab.record("--quiet", *GUEST, "--memory", "64M", "--memory-high", "48M", "--swap", "32M", "--pids", "9", "--cpus", "2",
                     "--machine-memory", "512M", "--file", "/bin/grep", "--", "sh", "-c", script, seconds=GUEST_WAIT_S)
    assert run.status == 0, run
    *limits, cpus, ram, swap = run.stdout.splitlines()
    assert limits == [str(64 * M), str(48 * M), str(32 * M), "9"] and cpus == "2"
    assert 400 << 10 < int(ram.split()[1]) < 512 << 10 and 31 << 10 < int(swap.split()[1]) <= 32 << 10


def test_guest_input_too_large(lab, qemu):
    with open(lab.tmp / "large", "wb") as file:
        file.truncate(65 * M)
    with open(lab.tmp / "large", "rb") as file:
        run = lab.record("--quiet", *GUEST, "--", "cat", stdin=file)
    assert run.status == EXIT_SKIP and "larger than the 64 MiB" in run.stderr and run.stderr.count("\n") == 1
    assert not run.dir.exists()


def test_guest_output_that_is_lost_is_said(lab, qemu):
    run = lab.record("--quiet", *GUEST, "--", "seq", "3000000", seconds=GUEST_WAIT_S)
    whole = "".join(f"{n}\n" for n in range(1, 3_000_001))
    assert run.status == 0 and 8 * M < len(run.stdout) < len(whole) and whole.startswith(run.stdout)
    assert re.fullmatch(r"oomlab record: output: \S+ of it did not fit into the record and are lost\n", run.stderr)
