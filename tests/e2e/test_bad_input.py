# SPDX-License-Identifier: MIT
"""Bad input through the program: exit 2, one clear line with its place, and nothing made. Every rule of every key
has its unit test; here is one of each kind, and what needs a file system or a command line."""

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import time

import pytest

from lab import EXIT_PASS, EXIT_USAGE, M, OOMLAB, SCENARIOS, Lab, groups_of

GOOD = """scenario: good
place: host
processes:
  hog: {run: [malloc, --limit=1M]}
"""

# Text added to GOOD (which has four lines), or a text of its own; line:column; what the complaint must say.
KINDS = {
    "unknown key": ("abuot: x", "5:1", ["unknown key 'abuot'", "did you mean about", "allowed: scenario, about,"]),
    "unknown key below": ("machine: {memroy: 1G}", "5:11", ["'memroy'", "memory", "cpus"]),
    "wrong type": ("stop: [1s]", "5:", ["stop", "a list", "a mapping"]),
    "text for a number": ("machine: {cpus: many}", "5:17", ["machine.cpus", "'many'", "whole number", "1 to 64"]),
    "unknown stressor": ("scenario: s\nprocesses: {hog: {run: [memst]}}", "2:25",
                         ["processes.hog.run", "unknown stressor 'memst'", "memset", "malloc"]),
    "unknown option of a stressor": ("scenario: s\nprocesses: {hog: {run: [memset, --blok=1M]}}", "2:33",
                                     ["processes.hog.run", "--blok", "--block, --limit"]),
    "unknown process in expect": ("expect: [{that: hgo.outcome, is: exited}]", "5:17",
                                  ["expect.0.that", "no process 'hgo'", "hog"]),
    "unknown metric": ("expect: [{that: hog.touchd, min: 1M}]", "5:17", ["expect.0.that", "touchd", "touched"]),
    "unknown cgroup in expect": ("cgroups: {app: {}}\nexpect: [{that: cgroup.ap.peak, max: 1M}]", "6:17",
                                 ["expect.0.that", "'ap'", "app"]),
    "unknown cgroup of a process": ("scenario: s\nprocesses: {hog: {run: [memset], cgroup: nope}}", "2:42",
                                    ["processes.hog.cgroup", "'nope'"]),
    "impossible outcome": ("expect: [{that: hog.outcome, is: oomkilled}]", "5:34",
                           ["expect.0.is", "'oomkilled'", "oom-killed", "enomem"]),
    "size without a unit": ("machine: {memory: 256}", "5:19", ["machine.memory", "'256' is no size", "K, M, G or T"]),
    "size with an impossible unit": ("machine: {memory: 256Q}", "5:19", ["machine.memory", "'256Q'", "K, M, G or T"]),
    "size out of range": ("machine: {memory: 1M}", "5:19", ["machine.memory", "'1M' is out of range", "16M to"]),
    "zero duration": ("stop: {timeout: 0s}", "5:17", ["stop.timeout", "'0s' is out of range", "1ms"]),
    "negative duration": ("stop: {timeout: -5s}", "5:17", ["stop.timeout", "'-5s'", "duration"]),
    "duration without a unit": ("record: {every: 10}", "5:17", ["record.every", "'10' is no duration", "ms"]),
    "override that names nothing": ("matrix: {processes.dog.run.0: [memset]}", "5:10",
                                    ["matrix", "processes.dog.run.0", "names nothing", "hog"]),
    "where that names nothing": ("expect: [{that: kills, is: 0, where: {machine.cpu: 4}}]", "5:39",
                                 ["expect.0.where", "machine.cpu", "names nothing"]),
    "cgroup name with ..": ("cgroups: {../up: {memory.max: 1M}}", "5:11", ["cgroups", "'../up'", "relative path"]),
    "absolute cgroup": ("cgroups: {/top: {memory.max: 1M}}", "5:11", ["cgroups", "'/top'", "relative path"]),
    "unknown limit": ("cgroups: {app: {memory.maxx: 1M}}", "5:", ["cgroups.app", "memory.maxx", "memory.max"]),
    "duplicate process": ("  hog: {run: [memset]}", "5:3", ["duplicate key"]),
    "no scenario": ("processes: {hog: {run: [memset]}}", "1:1", ["scenario"]),
    "brackets": ("machine: {memory: [256M}", "5:", []),
    "a list at the top": ("- scenario: s", "1:3", ["a list", "a mapping"]),
    "an empty file": ("", None, ["is empty", "scenario: NAME"]),
    "binary junk": (bytes(range(256)) * 400, "1:1", ["byte 0x00", "UTF-8"]),
    "an alias that grows": ("\n".join(["scenario: s", "a: &a [x, x, x, x, x, x, x, x, x]"] + [
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(12)]), None, []),
}


def complaint(run, path):
    """(line:column or None, text) of the first line, after the checks that hold for every refusal."""
    assert run.status == EXIT_USAGE, run
    assert run.stdout == "" and not run.dir.exists(), "something was made"
    first = run.stderr.splitlines()[0]
    found = re.fullmatch(rf"{re.escape(str(path))}:(?:(\d+:\d+):)? (.*)", first)
    assert found, run.stderr
    return found[1], found[2]


@pytest.mark.parametrize("text, place, words", KINDS.values(), ids=KINDS)
def test_kinds(lab, text, place, words):
    path = lab.tmp / "scenario.yaml"
    if isinstance(text, str):
        whole = text == "" or text.startswith(("scenario:", "processes:", "- "))
        text = (text if whole else GOOD + text + "\n").encode()
    path.write_bytes(text)
    before = set(lab.tmp.rglob("*"))
    run = lab.run(path)
    where, said = complaint(run, path)
    if place:
        assert where and where.startswith(place), run.stderr
    for word in words:
        assert word in said
    assert not re.search(r"[^\x20-\x7e\n\t]", run.stderr), "control characters reach the terminal"
    assert set(lab.tmp.rglob("*")) == before and groups_of(lab.live[0].pid) == []


def test_the_line_and_a_caret_are_shown(lab):
    run = lab.run(lab.scenario(GOOD + "machine: {memory: 256}\n"))
    assert run.stderr.splitlines()[1:] == ["machine: {memory: 256}", " " * 18 + "^"]


def test_all_in_one_go(lab):
    """Of one file and of several; a good one beside them is not run."""
    first = lab.scenario(GOOD + "abuot: x\nmachine: {memory: 256, cpus: 0}\n", "a.yaml")
    second = lab.scenario(GOOD.replace("good", "other") + "stop: {timeout: 0s}\n", "b.yaml")
    good = lab.scenario(GOOD.replace("good", "third"), "c.yaml")
    run = lab.run(first, second, good)
    complaint(run, first)
    places = re.findall(r"^(\S+?):(\d+):\d+: ", run.stderr, re.MULTILINE)
    assert places == [(str(first), "5"), (str(first), "6"), (str(first), "6"), (str(second), "5")]


def test_same_name_twice(lab):
    one, two = lab.scenario(GOOD, "a.yaml"), lab.scenario(GOOD, "b.yaml")
    run = lab.run(one, two)
    complaint(run, two)
    assert 'second scenario "good"' in run.stderr


@pytest.mark.parametrize("sparse", [True, False], ids=["holes", "text"])
def test_100_mb(lab, sparse):
    """Refused for its size, quickly, and not by reading it into memory."""
    path = lab.tmp / "big.yaml"
    with open(path, "wb") as file:
        if sparse:
            file.truncate(100 * M)
        else:
            for _ in range(100):
                file.write(b"# 345678901234567890123456789012345678901234567890123456789012\n" * (M // 64))
    start = time.monotonic()
    run = lab.run(path)
    assert "larger than 1 MiB" in complaint(run, path)[1]
    assert time.monotonic() - start < 5


def test_names(lab):
    empty = lab.tmp / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("nothing")
    for word, said in ((lab.tmp / "no.yaml", "No such file"), (empty, "no scenario"), ("no-such-name", "no scenario"),
                       (lab.tmp, "no scenario"), ("/dev/zero", "regular file")):
        run = lab.run(word)
        assert run.status == EXIT_USAGE and run.stdout == "" and not run.dir.exists(), run
        assert str(word) in run.stderr and said in run.stderr and run.stderr.count("\n") == 1


def test_a_pipe_is_not_waited_for(lab):
    path = lab.tmp / "pipe.yaml"
    os.mkfifo(path)
    assert "regular file" in complaint(lab.run(path, seconds=10), path)[1]


OPTIONS = [
    ([], ["which scenario"]),
    (["GOOD", "--nope"], ["--nope"]),
    (["GOOD", "--place", "moon"], ["--place moon", "host or guest"]),
    (["GOOD", "--format", "xml"], ["--format xml", "table, tap or json"]),
    (["GOOD", "--accel", "warp"], ["--accel warp", "auto, kvm or tcg"]),
    (["GOOD", "--repeat", "0"], ["--repeat 0", "1 to"]),
    (["GOOD", "--repeat", "x"], ["--repeat x", "1 to"]),
    (["GOOD", "--repeat", "99999999999999999999"], ["--repeat", "1 to"]),
    (["GOOD", "--jobs", "-1"], ["--jobs -1", "1 to"]),
    (["GOOD", "--set", "nope.x=1"], ["--set nope.x=1", "names nothing", "machine"]),
    (["GOOD", "--set", "stop.timeout=0s"], ["--set stop.timeout=0s", "out of range"]),
    (["GOOD", "--set", "stop.timeout"], ["--set stop.timeout", "="]),
    (["GOOD", "--matrix", "stop.timeout=1s,2"], ["--matrix", "'2' is no duration"]),
    (["GOOD", "--kernel", "debian:1.0"], ["debian:1.0", "debian:6.1"]),
    (["GOOD", "--shard", "3/2"], ["--shard 3/2", "I from 1 to N"]),
    (["GOOD", "--shard", "0/2"], ["--shard 0/2", "I from 1 to N"]),
    (["GOOD", "--shard", "half"], ["--shard half", "I/N"]),
    (["GOOD", "--seed", "-1"], ["--seed -1", "0 to 4294967295"]),
    (["GOOD", "--seed", "4294967296"], ["--seed 4294967296", "0 to 4294967295"]),
    (["GOOD", "--seed", "7"], ["--set machine.seed=7", "deterministic: true"]),
    (["GOOD", "--cgroup-parent", "../up"], ["--cgroup-parent ../up", ".."]),
]


@pytest.mark.parametrize("words, said", OPTIONS, ids=[" ".join(words[1:]) or "nothing" for words, _ in OPTIONS])
def test_options(lab, words, said):
    good = lab.scenario(GOOD)
    run = lab.run(*[good if word == "GOOD" else word for word in words])
    assert run.status == EXIT_USAGE, run
    assert run.stdout == "" and not run.dir.exists()
    for word in said:
        assert word in run.stderr


@pytest.mark.parametrize("words, said", [([], "usage"), (["rnu"], "rnu"), (["--nope"], "--nope"),
                                         (["list", "nope"], "nope"), (["doctor", "now"], "now")])
def test_verbs(lab, words, said):
    done = subprocess.run([OOMLAB, *words], capture_output=True, text=True, timeout=20, env=lab.env)
    assert done.returncode == EXIT_USAGE and said in done.stderr and done.stdout == ""


def in_small_filesystem(lab, size_kb, *words):
    """Runs with --out on a tmpfs of that size, in a mount namespace of its own: (status, stderr, files left)."""
    where = lab.tmp / "small"
    where.mkdir()
    script = ('mount -t tmpfs -o "size=$1k" tmpfs "$2" || exit 99; shift; where=$1; shift; '
              '"$@" --out "$where/run" >/dev/null; status=$?; '
              'find "$where" -mindepth 1 -printf "%P %s\\n"; exit $status')
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(size_kb), where, OOMLAB, "run", *words],
                          capture_output=True, text=True, timeout=60, env=lab.env)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    return done.returncode, done.stderr, dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())


def test_full_disk_from_the_start(lab, host):
    status, said, left = in_small_filesystem(lab, 64, lab.scenario(GOOD))
    assert status == EXIT_USAGE and "No space left on device" in said and said.count("\n") == 1
    assert "small/run" in said
    assert left == {}, "something is left behind"
    assert lab.journals() == []


def test_disk_that_fills_up(lab, host):
    """There is room for the black box, not for what is made from it: then the box stays, since it is the record."""
    text = GOOD.replace("1M]", "1M, --hold=700ms]")
    status, said, left = in_small_filesystem(lab, 32 * 1024 + 24, lab.scenario(text))
    assert status == EXIT_USAGE and "No space left on device" in said and said.count("\n") == 1
    assert int(left["run/all/1/blackbox"]) == 32 * M and "run/run.json" not in left
    assert lab.journals() == []


@pytest.fixture
def nobody(tmp_path_factory):
    """A lab of an ordinary user: root may read and write anything."""
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")
    base = pathlib.Path(subprocess.check_output(["mktemp", "-d", "/tmp/oomlab-e2e.XXXXXX"], text=True).strip())
    user = pwd.getpwnam("nobody")
    os.chown(base, user.pw_uid, user.pw_gid)
    try:
        one = Lab(base, user.pw_uid)
        one.env["HOME"] = str(base)
        reach = subprocess.run([*one.prefix, "test", "-x", OOMLAB], check=False)
        if reach.returncode != 0:
            pytest.skip(f"{OOMLAB} cannot be reached by {user.pw_name}")
        yield one
    finally:
        shutil.rmtree(base)


def test_unreadable_scenario(nobody):
    path = nobody.scenario(GOOD)
    path.chmod(0)
    os.chown(path, 0, 0)
    assert "Permission denied" in complaint(nobody.run(path), path)[1]


def test_output_directory_of_somebody_else(nobody):
    theirs = nobody.tmp / "theirs"
    theirs.mkdir(mode=0o755)
    for out in theirs / "run", theirs:
        run = nobody.run(nobody.scenario(GOOD), out=out)
        assert run.status == EXIT_USAGE, run
        assert str(out) in run.stderr and "Permission denied" in run.stderr and run.stderr.count("\n") == 1
    assert list(theirs.iterdir()) == []


def test_unreadable_output_directory(nobody):
    out = nobody.tmp / "out"
    out.mkdir()
    os.chown(out, pwd.getpwnam("nobody").pw_uid, -1)
    out.chmod(0)
    run = nobody.run(nobody.scenario(GOOD), out=out)
    assert run.status == EXIT_USAGE and "Permission denied" in run.stderr and str(out) in run.stderr, run


def test_good_ones_are_good(lab):
    """What the tests break is right before they do: nothing above passes for another reason."""
    run = lab.run(lab.scenario(GOOD), "--list-cells")
    assert (run.status, run.stdout, run.stderr) == (EXIT_PASS, "good/all/1\n", "")
    for path in sorted((SCENARIOS / "guest").glob("*.yaml")):
        assert lab.run(path, "--list-cells").status == EXIT_PASS
