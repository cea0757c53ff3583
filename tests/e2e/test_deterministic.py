# SPDX-License-Identifier: MIT
"""A deterministic guest leaves the same bytes every time; what cannot be so is refused."""

import json
import re

import pytest

from lab import EXIT_PASS, EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, M

pytestmark = pytest.mark.usefixtures("qemu")

SWAPPING = """
scenario: swapping
machine: {memory: 128M, cpus: 2, nodes: [64M, 64M], swap: {size: 64M, kind: pmem}}
processes:
  hog: {run: [memset]}
  other: {run: [memset, --limit=16M, --hold=forever], oom_score_adj: -900}
stop: {timeout: 20s}
expect:
  - {that: hog.outcome, is: oom-killed}
  - {that: hog.swap_peak, min: 32M, max: 64M}
  - {that: system.swap_total, near: 64M}
"""


def files_of(trial):
    """{name: bytes}, without the line of result.json that says which trial it is."""
    found = {path.name: path.read_bytes() for path in sorted(trial.iterdir())}
    found["result.json"], count = re.subn(rb'\n  "trial": \d+,', b"", found["result.json"])
    assert count == 1
    return found


def test_same_bytes_with_swap_and_two_cpus(lab):
    """Two at a time, in one run; the second one's files are the first one's."""
    run = lab.run(lab.scenario(SWAPPING), "--deterministic", "--repeat=2", "--jobs=2", "--keep-blackbox",
                  seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    first, second = (files_of(run.dir / "all" / number) for number in "12")
    assert first.keys() == second.keys() > {"system.csv", "console.log", "kmsg.log", "events.jsonl", "blackbox"}
    assert not [name for name in first if first[name] != second[name]]
    spec = json.loads(first["spec.json"])
    assert spec["machine"]["deterministic"] is True and spec["machine"]["swap"] == {"size": 64 * M, "kind": "pmem"}
    # Not for want of contents, nor of a CPU.
    assert b"Booting Node 1 Processor 1" in first["console.log"]
    assert b"Killed process" in first["kmsg.log"] and first["system.csv"].count(b"\n") > 10


REFUSED = {
    "disk": (["--set", "machine.swap.kind=disk"], EXIT_SKIP, "use kind pmem"),
    "KVM": (["--accel=kvm"], EXIT_SKIP, "KVM counts no instructions"),
    "steps": (["--set", "machine.swap.size=65M"], EXIT_SKIP, "steps of 2"),
    "host": (["--place=host"], EXIT_USAGE, "allowed: true with place guest"),
}


@pytest.mark.parametrize("words, status, said", REFUSED.values(), ids=REFUSED)
def test_refused_with_the_reason(lab, words, status, said):
    run = lab.run(lab.scenario(SWAPPING), "--deterministic", *words)
    assert run.status == status, run
    assert said in (run.stderr if status == EXIT_USAGE else run.trial().result["reason"])


def test_seed(lab):
    """It reaches the spec, and is an axis like any other key."""
    run = lab.run(lab.scenario(SWAPPING), "--deterministic", "--seed=4294967295", "--set", "machine.swap.kind=disk")
    assert run.status == EXIT_SKIP, run
    assert run.trial().json("spec.json")["machine"]["seed"] == (1 << 32) - 1
    run = lab.run(lab.scenario(SWAPPING), "--deterministic", "--matrix", "machine.seed=1,2,3", "--list-cells")
    assert run.stdout.splitlines() == [f"swapping/seed={n}/1" for n in (1, 2, 3)], run
