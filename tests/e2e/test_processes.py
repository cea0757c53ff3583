# SPDX-License-Identifier: MIT
"""What a process of a scenario is given before it begins, as it finds it itself and as /proc has it; when it starts."""

import json
import os
import pathlib
import pwd
import resource
import signal

import pytest

from lab import EXIT_PASS, EXIT_SKIP, GUEST_WAIT_S, M, MS, gone, wait_until

# Prints what it has been given, as JSON.
LOOK = """
import ctypes, json, os, resource as r
dies_of = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(dies_of))  # PR_GET_PDEATHSIG
names = ["AS", "DATA", "STACK", "MEMLOCK"]
print(json.dumps({"ids": [*os.getresuid(), *os.getresgid()], "groups": os.getgroups(), "nice": os.nice(0),
                  "cpus": sorted(os.sched_getaffinity(0)), "adj": int(open("/proc/self/oom_score_adj").read()), "dies_of": dies_of.value,
                  **{name: list(r.getrlimit(getattr(r, "RLIMIT_" + name))) for name in names}}))
"""


def looked(run, name="look"):
    """What the process that runs LOOK has printed."""
    return json.loads("".join(one["text"] for one in run.trial().events
                              if one["event"] == "output" and one["process"] == name))


def look(keys, machine="", more=""):
    code = json.dumps(LOOK)
    return (f"scenario: look\n{machine}\nprocesses:\n  look: {{exec: [/usr/bin/python3, -c, {code}], {keys}}}\n{more}"
            "expect: [{that: look.exit_code, is: 0}]\n")


def test_settings_on_the_host(lab, host):
    nobody = pwd.getpwnam("nobody")
    run = lab.run(lab.scenario(look("rlimits: {as: 256M, data: 128M, stack: 2M, memlock: 4K}, nice: 7, "
                                    f"cpus: {min(os.sched_getaffinity(0))}, user: nobody, oom_adj: 8",
                                    more="  free: {run: [malloc, --limit=1M]}\n")))
    assert run.status == EXIT_PASS, run
    got = looked(run)
    assert got["AS"] == [256 * M] * 2 and got["DATA"] == [128 * M] * 2
    assert got["STACK"] == [2 * M] * 2 and got["MEMLOCK"] == [4096] * 2
    assert got["nice"] == 7 and got["cpus"] == [min(os.sched_getaffinity(0))]
    assert got["ids"] == [nobody.pw_uid] * 3 + [nobody.pw_gid] * 3 and got["groups"] == []
    assert got["dies_of"] == signal.SIGKILL  # with the engine; a change of user makes the kernel forget it
    assert got["adj"] == 8 * 1000 // 17  # fs/proc/base.c, oom_adj_write()
    metrics = run.trial().result["metrics"]
    assert metrics["look.oom_score_adj"] == got["adj"] and metrics["free.oom_score_adj"] == 0


def test_nothing_given_is_nothing_changed(lab, host):
    run = lab.run(lab.scenario(look("rlimits: {as: 1G}")))
    assert run.status == EXIT_PASS, run
    got = looked(run)
    for name in ("DATA", "STACK", "MEMLOCK"):
        assert got[name] == list(resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
    assert got["nice"] == os.nice(0) and got["cpus"] == sorted(os.sched_getaffinity(0))
    assert got["ids"] == [os.geteuid()] * 3 + [os.getegid()] * 3


def test_a_stressor_of_another_user(lab, host):
    """It need not reach the folder in which the program lies, and the engine still sees what it does."""
    text = "scenario: other\nprocesses: {hog: {run: [memset, --limit=4M, --hold=forever], user: 54321, group: 54322}}"
    live = lab.start(lab.scenario(text))
    pid = live.holding("memset", 4 * M)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert "\nUid:\t54321\t54321\t54321\t54321\n" in status and "\nGid:\t54322\t54322\t54322\t54322\n" in status


def test_rlimit_as_stops_malloc(lab, host):
    run = lab.run(lab.scenario("scenario: as\nprocesses: {hog: {run: [memset, --limit=64M], rlimits: {as: 32M}}}\n"
                               "expect: [{that: hog.outcome, is: enomem}, {that: hog.touched, min: 16M, max: 32M}]"))
    assert run.status == EXIT_PASS, run


@pytest.mark.parametrize("keys, why", [
    ("cpus: 1023", "process look: cpus 1023: this machine does not have all of them"),
    ("cpus: 0-1023", "process look: cpus 0-1023: this machine does not have all of them"),
])
def test_what_this_machine_has_not_is_a_skip(lab, host, keys, why):
    run = lab.run(lab.scenario(look(keys)))
    assert run.status == EXIT_SKIP and why in run.stdout, run


@pytest.mark.parametrize("keys, why", [
    ("user: root", "process look: group 0 is more than this machine allows"),
    ("rlimits: {memlock: unlimited}", "process look: rlimits.memlock unlimited is more than this machine allows"),
    ("nice: -20", "process look: nice -20 is more than this machine allows"),
])
def test_what_is_not_allowed_is_a_skip(lab, host, keys, why):
    """The harness of a root that may not do everything, as in a container."""
    lab.prefix = ["setpriv", "--bounding-set=-setuid,-setgid,-sys_nice,-sys_resource", "--inh-caps=-all"]
    run = lab.run(lab.scenario(look(keys)), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (M, M)))
    assert run.status == EXIT_SKIP and why in run.stdout, run


def test_settings_in_a_guest(lab, qemu):
    run = lab.run(lab.scenario(look("rlimits: {as: 256M, data: unlimited, stack: unlimited, memlock: unlimited}, "
                                    "nice: -5, cpus: 1, user: 77, group: 78, oom_adj: -17",
                                    machine="machine: {memory: 192M, cpus: 2}")), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    got = looked(run)
    assert got["AS"] == [256 * M] * 2
    assert got["DATA"] == got["STACK"] == got["MEMLOCK"] == [resource.RLIM_INFINITY] * 2
    assert got["nice"] == -5 and got["cpus"] == [1]
    assert got["ids"] == [77] * 3 + [78] * 3 and got["adj"] == -1000


# When a process starts and stops: its events, and the others' samples at that time.

STARTS = """
scenario: starts
processes:
  first: {run: [memset, --limit=16M, --pause=5ms, --hold=150ms]}
  second: {run: [memset, --limit=4M], start: {after: first, touched: 8M}}
  third: {exec: [sleep, "60"], start: {after: second, phase: ended, at: 30ms}, stop: {after: fourth, phase: hold}}
  fourth: {run: [memset, --limit=2M, --hold=forever], start: {after: third, rss: 4K}, stop: {at: 600ms, signal: KILL}}
  never: {run: [memset], start: {after: first, rss: 1G}}
  nor: {run: [memset], start: {after: never, phase: run}}
record: {every: 2ms}
"""


def outcomes(run):
    return {one["name"]: one["outcome"] for one in run.trial().result["processes"]}


def test_start_and_stop(lab, host):
    run = lab.run(lab.scenario(STARTS))
    assert run.status == EXIT_PASS, run
    assert outcomes(run) == {"first": "exited", "second": "exited", "third": "stopped", "fourth": "stopped",
                             "never": "unstarted", "nor": "unstarted"}
    trial = run.trial()

    def at(event, process, **more):
        return trial.event(event, process=process, **more)["t_ns"]

    released = trial.event("release")["t_ns"]
    second = at("trigger", "second", action="start")
    before = [row for row in trial.rows("processes.csv", process="first") if row["t_ns"] <= second]
    assert 8 * M <= before[-1]["touched"] < 16 * M  # not at the start, and not when all was over
    assert before[0]["touched"] < 8 * M
    assert all(row["t_ns"] > second for row in trial.rows("processes.csv", process="second"))
    third = at("trigger", "third", action="start")
    assert third - at("exit", "second") >= 30 * MS
    assert at("trigger", "fourth", action="start") > third
    assert at("trigger", "third", action="stop", signal=15) >= at("phase", "fourth", phase="hold")
    assert at("trigger", "fourth", action="stop", signal=9) - released >= 600 * MS
    for name in ("never", "nor"):
        assert not trial.rows("processes.csv", process=name)
        assert trial.result["metrics"][f"{name}.rss_peak"] is None


def test_sigstop_and_sigterm(lab, host):
    """One is stopped and told by nobody to go on; a program that takes SIGTERM for a wish has exited."""
    run = lab.run(lab.scenario("scenario: pause\nstop: {timeout: 700ms}\nrecord: {every: 2ms}\nprocesses:\n"
                               "  hog: {run: [memset, --limit=64M, --pause=5ms], "
                               "stop: {after: hog, touched: 8M, signal: STOP}}\n"
                               "  sh: {exec: [sh, -c, 'trap \"exit 7\" TERM; while :; do sleep 0.01; done'], "
                               "stop: {at: 200ms}}\n"))
    assert outcomes(run) == {"hog": "timeout", "sh": "exited"}, run
    assert 8 * M <= run.trial().result["metrics"]["hog.touched"] < 64 * M
    assert run.trial().result["metrics"]["sh.exit_code"] == 7


def test_a_late_start_that_fails(lab, host):
    run = lab.run(lab.scenario("scenario: late\nprocesses:\n  hog: {run: [memset, --limit=1M, --hold=forever]}\n"
                               "  late: {run: [memset], cpus: 1023, start: {after: hog, phase: hold}}\n"))
    assert run.status == EXIT_SKIP, run
    assert "process late: cpus 1023: this machine does not have all of them" in run.stdout


def test_who_still_waits_for_its_start_ends_with_the_trial(lab, host):
    live = lab.start(lab.scenario("scenario: waits\nprocesses:\n  hog: {run: [memset, --limit=1M, --hold=forever]}\n"
                                  "  late: {run: [memset], start: {at: 1h}}\n"))
    live.holding("memset", M)
    family = live.family()
    os.kill(live.pid, signal.SIGTERM)
    live.wait()
    wait_until("the end of all", lambda: gone(family))


def test_starts_in_a_deterministic_guest(lab, qemu):
    text = STARTS.replace("scenario: starts", "scenario: starts\nmachine: {memory: 192M, deterministic: true}")
    run = lab.run(lab.scenario(text), "--repeat", "2", seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert outcomes(run)["fourth"] == "stopped" and outcomes(run)["nor"] == "unstarted"


FAMILY = """
scenario: family
place: host
processes:
  tree: {exec: [sh, -c, "sh -c 'sleep 0.3; sleep 0.4' & sleep 0.5; wait"]}
  lone: {run: [memset, --limit=4M, --hold=400ms]}
"""


def test_children_and_theirs_are_sampled(lab, host):
    trial = lab.run(lab.scenario(FAMILY)).trial()
    born = [one for one in trial.events if one["event"] == "child"]
    # sh, its sleep, the inner sh, and both of that one's sleeps; a shell may become its last command.
    assert {one["process"] for one in born} == {"tree"} and 3 <= len(born) <= 4, born
    assert len({one["row"] for one in born}) == len(born)
    rows = trial.rows("processes.csv")
    for one in born:
        own = [row for row in rows if row["process"] == f"tree/{one['pid']}"]
        assert own and own[0]["t_ns"] >= one["t_ns"] and max(row["rss"] for row in own) > 0
    assert {row["process"].split("/")[0] for row in rows} == {"tree", "lone"}
