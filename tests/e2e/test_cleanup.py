# SPDX-License-Identifier: MIT
"""Whatever is killed, and when: no group, no process, no journal and no changed sysctl stays."""

import json
import os
import signal
import subprocess

import pytest

from lab import (EXIT_BROKEN, EXIT_INTERRUPTED, EXIT_PASS, GUEST_WAIT_S, M, OOMLAB, SYSCTL, descendants, gone,
                 groups_of, memory_cgroup, proc_stat, wait_until)

HOLD = """
scenario: hold
place: host
cgroups:
  app: {memory.max: 64M}
  app/inner: {memory.max: 48M}
processes:
  hog: {run: [memset, --limit=16M, --hold=forever], cgroup: app/inner}
  dog: {run: [malloc, --limit=16M, --hold=forever]}
stop: {timeout: 60s}
expect: [{that: kills, is: 0}]
"""

GUEST = """
scenario: guest-hold
machine: {memory: 160M, swap: {size: 32M}}
processes:
  hog: {run: [memset, --limit=8M, --hold=forever]}
stop: {timeout: 60s}
"""


def nothing_left(lab, live, family):
    """Told piece by piece, so that a failure names what stays."""
    wait_until("the end of every process", lambda: gone(family))
    wait_until(f"no group: {groups_of(live.pid)}", lambda: not groups_of(live.pid))
    wait_until(f"no journal: {lab.journals()}", lambda: not lab.journals())


def recorded(live, words, seconds=20):
    """The engine has written that to its black box: what it saw outlives it."""
    def there():
        live.alive()
        with open(live.dir / "all/1/blackbox", "rb") as box:
            return words in box.read(4 * M)
    wait_until(f"{words} in the record", there, seconds)


def engine(live):
    """The child of the harness that started the stressors."""
    parent = proc_stat(live.find("memset"))[2]
    assert proc_stat(parent)[2] == live.pid
    return parent


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGQUIT])
def test_killed_harness(lab, host, sysctl, number):
    before, other = sysctl
    live = lab.start(lab.scenario(HOLD + f"sysctl: {{vm.stat_interval: {other}}}"), "--allow-host-changes")
    live.holding("memset", 16 * M)
    family = live.family()
    assert len(family) == 4  # janitor, engine and two stressors
    assert groups_of(live.pid) and len(lab.journals()) == 1 and SYSCTL.read_text().strip() == other
    os.kill(live.pid, number)
    assert live.wait().status == -number
    nothing_left(lab, live, family)
    assert SYSCTL.read_text().strip() == before


def test_killed_harness_with_several_trials(lab, host):
    live = lab.start(lab.scenario(HOLD), "--repeat", 3, "--jobs", 3)
    wait_until("three trials", lambda: live.alive() and [stat[0] for stat in descendants(live.pid).values()]
               .count("memset") == 3)
    family = live.family()
    assert len(lab.journals()) == 3
    live.process.kill()
    nothing_left(lab, live, family)


def test_killed_harness_before_the_trial_runs(lab, host):
    """At whatever point between its first journal and its first stressor it happens to be."""
    for _ in range(5):
        live = lab.start(lab.scenario(HOLD))
        wait_until("its journal", lambda: live.process.poll() is not None or lab.journals())
        family = live.family()
        live.process.kill()
        live.wait()
        nothing_left(lab, live, family)


def test_killed_process_group(lab, host):
    """A terminal that goes away, or CI's time limit, takes all of them at once but the janitor."""
    live = lab.start(lab.scenario(HOLD))
    live.holding("memset", 16 * M)
    family = live.family()
    os.killpg(live.pid, signal.SIGKILL)
    assert live.wait().status == -signal.SIGKILL
    nothing_left(lab, live, family)


def test_killed_engine(lab, host, sysctl):
    before, other = sysctl
    live = lab.start(lab.scenario(HOLD + f"sysctl: {{vm.stat_interval: {other}}}"), "--allow-host-changes")
    live.holding("memset", 16 * M)
    family = live.family()
    assert SYSCTL.read_text().strip() == other
    recorded(live, b'"process":"hog","phase":"hold"')
    os.kill(engine(live), signal.SIGKILL)
    run = live.wait()
    assert run.status == EXIT_BROKEN, run
    nothing_left(lab, live, family)
    assert SYSCTL.read_text().strip() == before
    # What it saw until then is there.
    result, trial = run.trial().result, run.trial()
    assert result["verdict"] == "broken" and "engine was killed by signal 9" in result["reason"]
    assert result["sealed"] is None and result["reason"] in run.stdout
    assert [one["name"] for one in result["processes"]] == ["hog", "dog"]
    assert trial.process()["metrics"]["touched"] == 16 * M
    assert trial.event("spawn", process="hog") and len(trial.rows("system.csv")) > 2


def test_other_trials_go_on_after_a_killed_engine(lab, host):
    live = lab.start(lab.scenario(HOLD.replace("--hold=forever", "--hold=1s")), "--repeat", 2)
    live.holding("memset", 16 * M)
    os.kill(engine(live), signal.SIGKILL)
    run = live.wait()
    assert run.status == EXIT_BROKEN
    assert run.json["verdicts"] == {"pass": 1, "fail": 0, "skip": 0, "broken": 1}
    assert run.trial("all/2").result["verdict"] == "pass"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(lab, host, sysctl, number):
    before, other = sysctl
    live = lab.start(lab.scenario(HOLD + f"sysctl: {{vm.stat_interval: {other}}}"), "--allow-host-changes",
                     "--repeat", 2)
    live.holding("memset", 16 * M)
    family = live.family()
    os.kill(live.pid, number)
    run = live.wait(20)
    assert run.status == EXIT_INTERRUPTED, run
    nothing_left(lab, live, family)
    assert SYSCTL.read_text().strip() == before
    # What was seen is there; what was never started is not spoken of.
    assert run.json["exit"] == EXIT_INTERRUPTED and run.json["results"] == ["all/1"]
    trial = run.trial()
    assert (trial.result["verdict"], trial.result["reason"]) == ("broken", "interrupted")
    assert trial.result["sealed"] == "interrupted"
    assert trial.process()["outcome"] == "stopped" and trial.process()["metrics"]["touched"] == 16 * M
    assert "interrupted" in run.stdout


def test_interrupt_from_the_terminal(lab, host):
    """Ctrl-C reaches harness and engine at once."""
    live = lab.start(lab.scenario(HOLD))
    live.holding("memset", 16 * M)
    family = live.family()
    os.killpg(live.pid, signal.SIGINT)
    run = live.wait(20)
    assert run.status == EXIT_INTERRUPTED, run
    nothing_left(lab, live, family)
    assert run.trial().result["reason"] == "interrupted"


def test_killed_stressor_is_no_trouble(lab, host):
    live = lab.start(lab.scenario(HOLD))
    live.holding("memset", 16 * M)
    family = live.family()
    for name in "memset", "malloc":
        os.kill(live.find(name), signal.SIGKILL)
    run = live.wait()
    assert run.status == EXIT_PASS, run
    nothing_left(lab, live, family)


def test_killed_janitor_is_no_trouble(lab, host):
    """The harness undoes its own trials; the janitor is for its death only."""
    live = lab.start(lab.scenario(HOLD))
    live.holding("memset", 16 * M)
    family = live.family()
    os.kill(live.janitor(), signal.SIGKILL)
    os.kill(live.find("memset"), signal.SIGKILL)
    os.kill(live.find("malloc"), signal.SIGKILL)
    assert live.wait().status == EXIT_PASS
    nothing_left(lab, live, family)


def test_doctor_repairs_what_nobody_undid(lab, host, sysctl):
    """Harness and janitor die together, as in a power cut; the journal tells doctor what to do."""
    before, other = sysctl
    live = lab.start(lab.scenario(HOLD + f"sysctl: {{vm.stat_interval: {other}}}"), "--allow-host-changes")
    live.holding("memset", 16 * M)
    family = live.family()
    os.kill(live.janitor(), signal.SIGKILL)
    live.process.kill()
    live.wait()
    wait_until("the end of every process", lambda: gone(family))
    assert groups_of(live.pid) and len(lab.journals()) == 1 and SYSCTL.read_text().strip() == other

    done = lab.doctor()  # looks, and changes nothing
    assert "oomlab doctor --repair" in done.stdout and "1 trial" in done.stdout
    assert groups_of(live.pid) and len(lab.journals()) == 1 and SYSCTL.read_text().strip() == other

    done = lab.doctor("--repair")
    assert done.status == EXIT_PASS, done
    nothing_left(lab, live, family)
    assert SYSCTL.read_text().strip() == before
    assert "oomlab doctor --repair" not in lab.doctor().stdout


def test_doctor_leaves_a_live_run_alone(lab, host):
    live = lab.start(lab.scenario(HOLD))
    pid = live.holding("memset", 16 * M)
    assert lab.doctor("--repair").status == EXIT_PASS
    assert proc_stat(pid) and groups_of(live.pid) and len(lab.journals()) == 1 and live.alive()


def test_doctor_does_not_take_a_reused_pid_for_the_harness(lab, host):
    """A journal whose pid belongs to another process now is a dead harness's."""
    journal = lab.state / "oomlab/undo" / f"{os.getpid()}.1.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text(json.dumps({"harness": os.getpid(), "started": 1}) + "\n")
    assert lab.doctor("--repair").status == EXIT_PASS
    assert not journal.exists()


@pytest.mark.parametrize("more, status", [
    ('{"undo": "sysctl", "pa', EXIT_PASS),  # cut by the end of who wrote it: then it was not done either
    ('{"undo": "sysctl", "path": "PRECIOUS", "value": "gone"}\n', EXIT_BROKEN),
    ('{"undo": "swap", "path": "", "remove": true}\n', EXIT_BROKEN),
    ('{"undo": "cgroup", "path": "../PRECIOUS"}\n', EXIT_BROKEN),
    ('rubbish\n', EXIT_BROKEN),
], ids=["cut", "no sysctl", "no swap", "no group", "no JSON"])
def test_doctor_and_a_strange_journal(lab, host, more, status):
    """What makes no sense is not done, but said; what does is."""
    precious = lab.tmp / "precious"
    precious.write_text("precious")
    journal = lab.state / "oomlab/undo/4194305.1.jsonl"
    journal.parent.mkdir(parents=True)
    _, mount = memory_cgroup()
    group = mount / f"oomlab.{os.getpid()}.77"
    group.mkdir()
    try:
        journal.write_text(json.dumps({"harness": 4194305, "started": 1}) + "\n"
                           + json.dumps({"undo": "cgroup", "path": group.name}) + "\n"
                           + more.replace("PRECIOUS", str(precious)))
        done = lab.doctor("--repair")
        assert done.status == status, done
        assert precious.read_text() == "precious" and not group.exists()
        if status != EXIT_PASS:  # the way to what is left to do stays
            assert journal.exists() and f"{journal}: line 3" in done.stdout
            journal.unlink()
    finally:
        if group.exists():
            group.rmdir()


def test_run_outlives_its_reader(lab, host):
    """`oomlab run | head -1`: the reader is gone before the table is written."""
    read_end, write_end = os.pipe()
    out = lab.tmp / "out"
    process = subprocess.Popen([OOMLAB, "run", lab.scenario(HOLD.replace("forever", "200ms")), "--out", out],
                               env=lab.env, stdout=write_end, stderr=subprocess.DEVNULL)
    os.close(read_end)
    os.close(write_end)
    process.wait(60)
    assert json.loads((out / "run.json").read_text())["exit"] == EXIT_PASS
    assert groups_of(process.pid) == [] and lab.journals() == []


# In a guest.

def qemu_of(live):
    found = wait_until("QEMU", lambda: live.alive() and [pid for pid, stat in descendants(live.pid).items()
                                                         if stat[0].startswith("qemu-system")])
    return found[0]


def guest_holds(live):
    """Its trial has begun."""
    wait_until("the black box", lambda: live.alive() and (live.dir / "all/1/blackbox").exists())
    recorded(live, b'"event":"boot"', GUEST_WAIT_S)


@pytest.mark.parametrize("when", ["booting", "running"])
def test_killed_harness_of_a_guest(lab, qemu, when):
    live = lab.start(lab.scenario(GUEST))
    qemu_of(live)
    if when == "running":
        guest_holds(live)
    family = live.family()
    live.process.kill()
    live.wait()
    nothing_left(lab, live, family)
    assert not [name for name in os.listdir(live.dir / "all/1") if "swap" in name]


def test_interrupted_guest(lab, qemu):
    live = lab.start(lab.scenario(GUEST))
    guest_holds(live)
    family = live.family()
    os.kill(live.pid, signal.SIGINT)
    run = live.wait(30)
    assert run.status == EXIT_INTERRUPTED, run
    nothing_left(lab, live, family)
    assert run.trial().result["reason"] == "interrupted" and run.json["exit"] == EXIT_INTERRUPTED
    assert run.trial().event("boot")


def test_killed_qemu(lab, qemu):
    """A guest that is shot is broken, and its record up to there is kept."""
    live = lab.start(lab.scenario(GUEST))
    guest_holds(live)
    family = live.family()
    os.kill(qemu_of(live), signal.SIGKILL)
    run = live.wait(30)
    assert run.status == EXIT_BROKEN, run
    nothing_left(lab, live, family)
    assert "QEMU was killed by signal 9" in run.trial().result["reason"]
    assert run.trial().event("boot")


