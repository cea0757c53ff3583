# SPDX-License-Identifier: MIT
"""Programs of the user's (exec:) in trials: what they are given, how they end, and what is wrong before they start."""

import os
import pathlib
import subprocess

import pytest

from lab import EXIT_BROKEN, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, HOST_WAIT_S, M

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def text_of(trial, name):
    """All that a process printed."""
    return "".join(one["text"] for one in trial.events if one["event"] == "output" and one["process"] == name)


def ends(*wanted):
    return "".join(f"  - {{that: {one}}}\n" for one in wanted)


# Each process shows one thing; the same on this machine and in a guest.
GIVEN = f"""
scenario: given
place: host
processes:
  env: {{exec: [env], env: {{LANG: C, EMPTY: "", N: 7}}}}
  words: {{exec: [printf, "%s.", a b, "$HOME", "*"]}}
  stdin: {{exec: [cat], stdin: "one\\ntwo"}}
  file: {{exec: [cat], stdin: {{file: sub/data.txt}}}}
  nothing: {{exec: [wc, -c]}}
  files: {{exec: [cat, "{{tmp}}/sub/data.txt", "{{tmp}}/sub/deep/more.txt"], files: [sub]}}
  script: {{exec: [./sub/say.sh, it]}}
  zeroth: {{exec: [./sub/link, /proc/self/cmdline]}}
  seven: {{exec: [sh, -c, exit 7]}}
  signalled: {{exec: [sh, -c, "kill -TERM $$"]}}
  long: {{exec: [seq, 10000]}}
  own_path: {{exec: [say.sh, own], env: {{PATH: "{{tmp}}/sub:/bin"}}}}
expect:
{ends("seven.exit_code, is: 7", "seven.outcome, is: exited", "signalled.outcome, is: signalled",
      "signalled.signal, is: 15", "env.outcome, is: exited", "kills, is: 0")}"""


@pytest.fixture
def given(lab):
    (lab.tmp / "sub/deep").mkdir(parents=True)
    (lab.tmp / "sub/data.txt").write_text("data\n")
    (lab.tmp / "sub/deep/more.txt").write_text("more\n")
    script = lab.tmp / "sub/say.sh"
    script.write_text("#!/bin/sh\necho \"$0 says $1\"\n")
    script.chmod(0o755)
    (lab.tmp / "sub/link").symlink_to("/bin/cat")
    return lab.scenario(GIVEN.replace("{tmp}", str(lab.tmp)))


def check_given(lab, trial):
    lines = text_of(trial, "env").splitlines()
    assert sorted(lines) == ["EMPTY=", "LANG=C", "N=7", f"PATH={PATH}"]
    assert text_of(trial, "words") == "a b.$HOME.*."
    assert text_of(trial, "stdin") == "one\ntwo"
    assert text_of(trial, "file") == "data\n"
    assert text_of(trial, "nothing") == "0\n"
    assert text_of(trial, "files") == "data\nmore\n"
    assert text_of(trial, "script") == f"{lab.tmp}/sub/say.sh says it\n"
    # A path that leads there from everywhere; bytes that are no text are shown as such.
    assert text_of(trial, "zeroth") == f"{lab.tmp}/sub/link\ufffd/proc/self/cmdline\ufffd"
    assert text_of(trial, "own_path") == f"{lab.tmp}/sub/say.sh says own\n"
    assert text_of(trial, "long") == "".join(f"{i}\n" for i in range(1, 10001))


def test_what_it_is_given(lab, host, given):
    run = lab.run(given)
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    check_given(lab, trial)
    seven = trial.process("seven")
    assert seven["exec"] == ["sh", "-c", "exit 7"] and "run" not in seven
    # It has no page on which it would say them: not known, which is not 0.
    for key in "allocated", "touched", "read", "check_errors", "vmas":
        assert seven["metrics"][key] is None
    assert seven["phase"] is None and seven["note"] is None
    assert all(row["touched"] is None for row in trial.rows("processes.csv", process="seven"))


KILLED = """
scenario: killed
place: host
cgroups: {app: {memory.max: 48M}}
processes:
  app: {exec: [python3, -c, "import time; print('begun', flush=True); b = [(bytearray(1 << 20), time.sleep(.004)) for i in range(64)]"], cgroup: app}
  hog: {run: [memset, --limit=4M]}
expect:
  - {that: app.outcome, is: oom-killed}
  - {that: victim, is: app}
  - {that: kills, is: 1}
  - {that: app.rss_peak, min: 32M, max: 60M}
  - {that: cgroup.app.current_peak, min: 40M, max: 48M}
  - {that: hog.touched, is: 4M}
"""


def test_killed_at_its_limit(lab, host, kernel_log):
    run = lab.run(lab.scenario(KILLED))
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    assert text_of(trial, "app") == "begun\n"
    kills = kernel_log.kills()
    assert [match["comm"] for match in kills.values()] == ["python3"]
    assert trial.result["victims"][0]["pid"] in kills
    assert trial.result["victims"][0]["agree"]


def test_stopped_at_the_deadline(lab, host):
    run = lab.run(lab.scenario("""
scenario: sleeper
processes: {app: {exec: [sleep, infinity]}}
stop: {timeout: 300ms}
expect: [{that: app.outcome, is: timeout}]
"""))
    assert run.status == EXIT_PASS, run


@pytest.mark.parametrize("body, said", [
    ("{exec: [no-such-program]}", f"4:16: processes.app.exec: there is no program 'no-such-program' in {PATH}; "),
    ("{exec: [./gone]}", "4:16: processes.app.exec: './gone': No such file or directory; "),
    ("{exec: [./data.txt]}", "4:16: processes.app.exec: './data.txt': Permission denied; "),
    ("{exec: [/usr]}", "4:16: processes.app.exec: '/usr': is no file; "),
    ("{exec: []}", "4:9: processes.app.exec: has 0 entries; "),
    ("{exec: sort}", "4:15: processes.app.exec: 'sort' is one text; allowed: a list of words, e.g. [sort, --reverse]"),
    ("{exec: [sort], run: [memset]}", "4:16: processes.app.exec: is given beside run; allowed: one of the two"),
    ("{cgroup: ''}", "4:9: processes.app: neither run nor exec is given; "),
    ("{run: [memset], env: {A: b}}", "4:30: processes.app.env: belongs to exec, or to run with malloc; "),
    ("{run: [memset], stdin: a}", "4:31: processes.app.stdin: belongs to exec; "),
    ("{exec: [sort], env: {A-B: c}}", "4:29: processes.app.env: 'A-B' is no name of a variable; "),
    ("{exec: [sort], stdin: {file: gone}}", "4:37: processes.app.stdin.file: 'gone': No such file or directory; "),
    ("{exec: [sort], stdin: {text: a}}", "4:31: processes.app.stdin: unknown key 'text'"),
    ("{exec: [sort], files: [data.txt, gone/x]}", "4:41: processes.app.files.1: 'gone/x': No such file or dir"),
])
def test_wrong_before_anything_starts(lab, body, said):
    (lab.tmp / "data.txt").write_text("data\n")
    run = lab.run(lab.scenario(f"scenario: wrong\nplace: host\nprocesses:\n  app: {body}\n"))
    assert run.status == EXIT_USAGE, run
    assert f"scenario.yaml:{said}" in run.stderr, run
    assert not run.dir.exists()


def test_gone_when_it_is_to_start(lab, host):
    """The loader has seen it, the second trial does not find it any more: broken, and it says why."""
    script = lab.tmp / "once"
    script.write_text("#!/bin/sh\nrm \"$0\"\n")
    script.chmod(0o755)
    run = lab.run(lab.scenario("scenario: once\nplace: host\nprocesses: {app: {exec: [./once]}}\n"),
                  "--repeat", 2, "--jobs", 1, seconds=HOST_WAIT_S)
    assert run.status == EXIT_BROKEN, run
    assert run.trial("all/1").result["verdict"] == "pass"
    assert run.trial("all/2").result["reason"] == \
        f"setup failed: process app: exec {script}: No such file or directory"


def test_large(lab, host):
    """What matters is seen from outside: its memory, as the kernel counts it."""
    run = lab.run(lab.scenario("""
scenario: large
place: host
processes: {app: {exec: [python3, -c, "b = bytearray(b'x' * (64 << 20)); import time; time.sleep(0.3)"]}}
"""))
    assert run.status == EXIT_PASS, run
    assert 64 * M <= run.trial().process("app")["metrics"]["rss_peak"] < 256 * M


IN_GUEST = "place: guest\nmachine: {kernel: debian:6.12, memory: 128M}\n"


@pytest.mark.parametrize("kernel", ["debian:5.10", "debian:6.12"])
def test_the_same_in_a_guest(lab, qemu, given, kernel):
    """Program, libraries and files are there at their own paths, and nothing else of this machine is."""
    text = given.read_text().replace("place: host\n", IN_GUEST) + ends("elsewhere.exit_code, is: 1")
    text = text.replace("processes:\n", """cgroups: {app: {memory.max: 32M}}
processes:
  elsewhere: {exec: [cat, /etc/passwd, /usr/bin/sort]}
  places: {exec: [cat, /proc/mounts, /dev/null], cgroup: app}
  where: {exec: [pwd]}
""")
    run = lab.run(lab.scenario(text), "--kernel", kernel, seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    check_given(lab, trial)
    assert text_of(trial, "elsewhere").count("No such file or directory") == 2
    assert text_of(trial, "where") == "/\n"
    mounts = {line.split()[1]: line.split()[2:4] for line in text_of(trial, "places").splitlines()}
    assert mounts["/"][0] == "ext4" and mounts["/"][1].startswith("ro,") and "dax" in mounts["/"][1]
    assert {"/proc", "/sys", "/dev", "/sys/fs/cgroup"} < set(mounts)
    # Not a program alone: a stressor beside it runs as it always does.
    run = lab.run(lab.scenario(KILLED.replace("place: host\n", IN_GUEST)), "--kernel", kernel, seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run


def test_same_bytes(lab, qemu):
    """Two programs that ask for the time, the kernel and their own addresses, one of which is killed; with swap and
    data on persistent memory beside the one that the programs are on."""
    run = lab.run(lab.scenario("""
scenario: same
machine: {kernel: debian:6.12, memory: 128M, swap: {size: 16M, kind: pmem}, data: {size: 8M, kind: pmem}}
cgroups: {app: {memory.max: 24M, memory.swap.max: 16M}}
processes:
  who: {exec: [sh, -c, "date; uname -a; cat /proc/self/maps /proc/uptime; pwd; echo new > file; cat file"],
        files: [/bin/date, /bin/uname, /bin/cat]}
  app: {exec: [python3, -c, "import os, time; print(os.urandom(8), time.time(), id(os), flush=True); b = bytearray(1 << 26)"],
        cgroup: app}
expect:
  - {that: who.exit_code, is: 0}
  - {that: app.outcome, is: oom-killed}
  - {that: app.swap_peak, min: 8M}
"""), "--deterministic", "--repeat", 2, "--jobs", 1, seconds=3 * GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert text_of(run.trial(), "who").endswith("\n/data\nnew\n")
    assert text_of(run.trial("all/1"), "app") == text_of(run.trial("all/2"), "app") != ""


def test_costs_no_memory(lab, qemu):
    """What a program reads of its own files is not copied into the guest's RAM."""
    (lab.tmp / "large").write_bytes(os.urandom(32 * M))
    run = lab.run(lab.scenario(f"""
scenario: costs
{IN_GUEST}
processes:
  app: {{exec: [cat, /proc/meminfo, large, /proc/meminfo], files: [large]}}
""".replace("large, /proc", f"{lab.tmp}/large, /proc")), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    assert trial.event("programs")["dax"] is True
    rows = trial.rows("system.csv")
    assert rows[-1]["meminfo.Cached"] - rows[0]["meminfo.Cached"] < 2 * M
    assert trial.process("app")["exit_code"] == 0


def test_virtual_environment(lab, qemu):
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", lab.tmp / "ve"], check=True, timeout=60)
    packages = next((lab.tmp / "ve/lib").glob("python3*/site-packages"))
    (packages / "mine.py").write_text("x = 42\n")
    run = lab.run(lab.scenario(f"""
scenario: venv
{IN_GUEST}
processes: {{app: {{exec: [ve/bin/python, -c, "import mine, sys; print(mine.x, sys.prefix)"]}}}}
"""), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert text_of(run.trial(), "app") == f"42 {lab.tmp}/ve\n"


def test_64_bits_on_a_32_bit_kernel(lab, qemu):
    run = lab.run(lab.scenario(f"scenario: wide\n{IN_GUEST}processes: {{app: {{exec: [sort]}}}}\n"),
                  "--kernel", "debian:6.1-686")
    assert run.status == EXIT_SKIP, run
    assert run.trial().result["reason"] == \
        "processes.app: /usr/bin/sort is a 64-bit program, the kernel has 32 bits"


def test_library_missing(lab, qemu):
    """Known before the guest boots: broken, with the loader's own words."""
    program = lab.tmp / "program"
    program.write_bytes(pathlib.Path("/usr/bin/sort").read_bytes().replace(b"\0libc.so.6\0", b"\0libX.so.6\0"))
    program.chmod(0o755)
    run = lab.run(lab.scenario(f"scenario: lacks\n{IN_GUEST}processes: {{app: {{exec: [./program]}}}}\n"),
                  seconds=GUEST_WAIT_S)
    assert run.status == EXIT_BROKEN, run
    reason = run.trial().result["reason"]
    assert reason.startswith(f"processes.app: {program}: ") and "libX.so.6: cannot open shared object file" in reason
