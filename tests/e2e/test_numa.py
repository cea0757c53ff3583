# SPDX-License-Identifier: MIT
"""The numa-* stressors and the NUMA policy of a process: on which node their pages are, as /proc/PID/numa_maps has it."""

import re

import pytest

from lab import EXIT_BROKEN, EXIT_FAIL, EXIT_PASS, EXIT_SKIP, GUEST_WAIT_S, M, Lab

PAGE = 4096
# Shows what /proc has of every process that holds, when the last one does.
LOOK = ("for p in /proc/[0-9]*; do read -r name < $p/comm; case $name in numa-*|memset) "
        "echo \"= $name\"; cat $p/numa_maps;; esac; done")
GUEST = f"""
scenario: nodes
machine: {{kernel: debian:6.1, memory: 192M, nodes: [96M, 96M]}}
processes:
  bind: {{run: [numa-bind, --size=6M, --nodes=1, --hold=forever]}}
  interleave: {{run: [numa-interleave, --size=9M, --hold=forever]}}
  preferred: {{run: [numa-preferred, --size=5M, --node=1, --hold=forever], start: {{after: interleave, phase: hold}}}}
  hog: {{run: [memset, --limit=4M, --block=4M, --hold=forever], numa: {{policy: bind, nodes: 1}}, start: {{after: preferred, phase: hold}}}}
  migrate: {{run: [numa-migrate, --size=7M, --verify, --hold=forever], start: {{after: hog, phase: hold}}}}
  look: {{exec: [sh, -c, '{LOOK}'], files: [/bin/cat], start: {{after: migrate, phase: hold}}}}
  back: {{run: [numa-migrate, --size=3M, --moves=4, --how=process, --verify]}}
  moved: {{run: [numa-migrate, --size=3M, --moves=3, --how=policy, --verify]}}
stop: {{timeout: 20s}}
"""


CPUSET = f"""
scenario: cpuset
machine: {{memory: 192M, nodes: [96M, 96M]}}
cgroups: {{a/b: {{cpuset.mems: 1}}, c: {{}}}}
processes:
  hog: {{run: [memset, --limit=4M, --block=4M, --hold=forever], cgroup: a/b, stop: {{after: look, phase: ended, at: 500ms}}}}
  look: {{exec: [sh, -c, '{LOOK}'], files: [/bin/cat], start: {{after: hog, phase: hold}}}}
faults: [{{at: 10ms, set: {{cgroups.c.cpuset.mems: "0,1"}}}}]
stop: {{timeout: 20s}}
"""


def found_maps(trial):
    """name: pages on node 0 and on node 1 of its largest mapping that is no file's, and that mapping's policy."""
    text = "".join(one["text"] for one in trial.events if one["event"] == "output" and one["process"] == "look")
    found = {}
    for part in text.split("= ")[1:]:
        name, *lines = part.splitlines()
        counts = [(int((re.search(r" N0=(\d+)", line) or [0, 0])[1]), int((re.search(r" N1=(\d+)", line) or [0, 0])[1]),
                   line.split()[1]) for line in lines if "file=" not in line]
        found[name] = max(counts, key=lambda one: one[0] + one[1])
    return found


@pytest.fixture(scope="module")
def nodes(qemu, tmp_path_factory):
    """One guest with all of them."""
    lab = Lab(tmp_path_factory.mktemp("numa"))
    yield lab.run(lab.scenario(GUEST), seconds=GUEST_WAIT_S)
    lab.close()


@pytest.fixture(scope="module")
def maps(nodes):
    assert nodes.status == EXIT_PASS, nodes
    return found_maps(nodes.trial())


@pytest.mark.parametrize("name, node0, node1, policy", [
    ("numa-bind", 0, 6 * M, "bind:1"),
    ("numa-interleave", 4.5 * M, 4.5 * M, "interleave:0-1"),
    ("numa-preferred", 0, 5 * M, "prefer:1"),
    ("numa-migrate", 0, 7 * M, "prefer:0"),
    ("memset", 0, 4 * M, "bind:1"),
])
def test_pages_are_where_the_policy_wants_them(maps, name, node0, node1, policy):
    on0, on1, found = maps[name]
    assert found == policy
    if name == "memset":  # with a page of malloc's header
        assert on0 == 0 and node1 / PAGE <= on1 <= node1 / PAGE + 1
    else:
        assert (on0, on1) == (node0 / PAGE, node1 / PAGE)


def test_what_they_say(nodes):
    assert nodes.status == EXIT_PASS, nodes
    metrics = nodes.trial().result["metrics"]
    assert metrics["bind.on_nodes"] == 6 * M and metrics["bind.elsewhere"] == 0
    assert metrics["interleave.least"] == metrics["interleave.most"] == 4.5 * M and metrics["interleave.nodes_used"] == 2
    assert metrics["preferred.on_node"] == 5 * M
    assert metrics["migrate.on_from"] == metrics["migrate.on_to"] == 7 * M and metrics["migrate.left_behind"] == 0
    # There and back again, twice; or there in the end. All of it is read back.
    assert metrics["back.moved"] == 4 * 3 * M and metrics["back.on_to"] == 0
    assert metrics["moved.moved"] == 3 * 3 * M and metrics["moved.on_to"] == 3 * M
    for name in ("back", "moved"):
        assert metrics[f"{name}.read"] == 3 * M and metrics[f"{name}.check_errors"] == 0


def test_a_node_that_is_not_there_is_a_skip(lab, qemu):
    text = "scenario: absent\nmachine: {memory: 128M, nodes: [64M, 64M]}\nprocesses: {hog: {run: [numa-bind, --nodes=0-2]}}\n"
    run = lab.run(lab.scenario(text), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_SKIP, run
    assert "node 2 has no memory for this process; nodes that have: 0-1" in run.trial().result["reason"]


def test_policy_on_the_host(lab, host):
    """Of the node that this machine has in any case; of one that it does not have it is a skip."""
    text = "scenario: host\nplace: host\nprocesses: {{hog: {{exec: [cat, /proc/self/numa_maps], numa: {{policy: {0}, nodes: {1}}}}}}}\n"
    for policy in ("bind", "interleave"):
        run = lab.run(lab.scenario(text.format(policy, 0)))
        assert run.status in (EXIT_PASS, EXIT_SKIP), run
        if run.status == EXIT_SKIP:  # seccomp, or a kernel without NUMA
            assert "numa.nodes 0" in run.trial().result["reason"]
            continue
        said = "".join(one["text"] for one in run.trial().events if one["event"] == "output")
        assert f" {policy}:0 " in said
    run = lab.run(lab.scenario(text.format("bind", 1000)))
    assert run.status == EXIT_SKIP, run
    assert "process hog: numa.nodes 1000: this machine does not have all of them" in run.trial().result["reason"]


def test_a_full_node_kills_in_the_catalogue(lab, qemu):
    """And where it may lie elsewhere too, the same scenario's verdict fails."""
    run = lab.run("numa-full-node", "--set=processes.hog.run.0=numa-bind", "--set=processes.hog.run.1=--size=32M",
                  seconds=GUEST_WAIT_S)
    assert run.status == EXIT_FAIL, run
    assert "hog.outcome" in [one["that"] for one in run.trial().result["expectations"] if one["verdict"] == "fail"]


def test_memory_of_a_group_is_on_the_nodes_of_its_cpuset(lab, qemu):
    trial = lab.run(lab.scenario(CPUSET), seconds=GUEST_WAIT_S).trial()
    assert (trial.result["verdict"], trial.result["reason"]) == ("pass", None)
    on0, on1, _ = found_maps(trial)["memset"]
    assert on0 == 0 and on1 * PAGE >= 4 * M
    assert trial.event("set", key="cpuset.mems")["got"] == "1"
    assert trial.event("fault", key="cpuset.mems")["got"] == "0-1"  # the same list, as the kernel writes it


@pytest.mark.parametrize("setting, status, reason", [
    ("machine.cgroup=v1", EXIT_SKIP, "cpuset.mems has no twin in cgroup v1"),
    ("machine.cmdline=cgroup_disable=cpuset", EXIT_SKIP, "the cpuset controller is not to be had here"),
    ("cgroups.a/b.cpuset.mems=2", EXIT_BROKEN, "Invalid argument"),
    ("cgroups.a/b.cpuset.mems=all", EXIT_BROKEN, "'all' is no list"),
])
def test_a_cpuset_that_cannot_be(lab, qemu, setting, status, reason):
    run = lab.run(lab.scenario(CPUSET), f"--set={setting}", seconds=GUEST_WAIT_S)
    assert run.status == status and reason in run.trial().result["reason"], run
