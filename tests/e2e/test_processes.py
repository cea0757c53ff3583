# SPDX-License-Identifier: MIT
"""What a process of a scenario is given before it begins: as it finds it itself, and as /proc has it."""

import json
import os
import pathlib
import pwd
import resource
import signal

import pytest

from lab import EXIT_PASS, EXIT_SKIP, GUEST_WAIT_S, M

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
