# SPDX-License-Identifier: MIT
"""What a machine's kernel is asked for: it does it, or the trial is a skip that says why."""

import json
import pathlib
import subprocess

import pytest

from lab import EXIT_BROKEN, EXIT_PASS, EXIT_SKIP, GUEST_WAIT_S, M, OOMLAB, Lab

THP = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
# Off by default on so small a machine: THP, and MGLRU on this kernel.
EVERYTHING = """
scenario: everything
machine:
  memory: 256M
  nodes: [128M, 128M]
  distances: [[10, 25], [30, 10]]
  hugepages: 32M
  thp: always
  mglru: true
processes:
  hog: {run: [memset, --block=8M, --limit=64M]}
expect:
  - {that: hog.touched, is: 64M}
  - {that: system.hugepages_total, is: 16}
  - {that: system.anon_hugepages_peak, min: 32M}
"""
SMALL = """
scenario: {name}
machine: {{memory: 128M, {machine}}}
processes:
  hog: {{run: [memset, --limit=1M]}}
expect: [{{that: hog.outcome, is: exited}}]
"""
ZSWAP = """
scenario: zswap
machine:
  kernel: debian:6.1-generic
  memory: 160M
  swap: {size: 64M, kind: pmem}
  zswap: {compressor: lz4, max_pool_percent: 30}
processes:
  hog: {run: [memset]}
stop: {timeout: 20s}
expect:
  - {that: hog.outcome, is: oom-killed}
  - {that: system.zswpout, min: 4000}
  - {that: system.zswapped_peak, min: 16M, max: 64M}
"""


@pytest.fixture(scope="module")
def guests(qemu, tmp_path_factory):
    """Three guests of the default kernel, two at a time; the tests look at one each."""
    lab = Lab(tmp_path_factory.mktemp("machine"))
    lab.scenario(EVERYTHING, "all/everything.yaml")
    lab.scenario(SMALL.format(name="lacking", machine="zswap: {}"), "all/lacking.yaml")
    lab.scenario(SMALL.format(name="much", machine="hugepages: 126M"), "all/much.yaml")
    yield lab.run(lab.tmp / "all", "--jobs=2", seconds=GUEST_WAIT_S)
    lab.close()


def need_kernel(name):
    """It is some 70 MB to fetch: tests are content with what is there."""
    done = subprocess.run([OOMLAB, "kernels", "list", "--json"], capture_output=True, check=True)
    if not [one for one in json.loads(done.stdout)["kernels"] if one["name"] == name and one["cached"]]:
        pytest.skip(f"{name} is not in the cache: oomlab kernels fetch {name}")


def test_everything_at_once(guests):
    trial = guests.trial("everything/all/1")
    assert trial.result["verdict"] == "pass", guests
    found = {one["key"]: (one["was"], one["got"]) for one in trial.events if one["event"] == "machine"}
    assert found == {"hugepages": ("0", "16"), "thp": ("never", "always"), "mglru": ("n", "y"), "nodes": ("0-1", "0-1"),
                     "distances.0": ("10 25", "10 25"), "distances.1": ("30 10", "30 10")}
    # Before anything else of the trial, and there all the time.
    events = [one["event"] for one in trial.events]
    assert events.index("start") > max(i for i, event in enumerate(events) if event == "machine")
    rows = trial.rows("system.csv")
    assert {row["meminfo.HugePages_Total"] for row in rows} == {16}
    assert min(row[f"node{i}.MemTotal"] for row in rows for i in range(2)) > 64 * M


def test_kernel_that_lacks_it(guests):
    result = guests.trial("lacking/all/1").result
    assert result["verdict"] == "skip" and result["processes"] == []
    assert "machine.zswap.enabled: this kernel has no zswap" in result["reason"]


def test_too_little_memory_is_no_skip(guests):
    result = guests.trial("much/all/1").result
    assert result["verdict"] == "broken" and guests.status == EXIT_BROKEN
    assert "machine.hugepages: of 126M only " in result["reason"]


def test_mglru_before_there_was_any(lab, qemu):
    need_kernel("debian:5.10")
    run = lab.run(lab.scenario(SMALL.format(name="old", machine="kernel: 'debian:5.10', mglru: true")),
                  seconds=GUEST_WAIT_S)
    assert run.status == EXIT_SKIP, run
    assert "machine.mglru: this kernel has no MGLRU" in run.trial().result["reason"]


def test_zswap(lab, qemu):
    need_kernel("debian:6.1-generic")
    run = lab.run(lab.scenario(ZSWAP), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert run.trial().event("machine", key="zswap.compressor")["got"] == "lz4"


def test_this_machine_is_not_changed(lab, host):
    if not THP.exists():
        pytest.skip("this machine's kernel has no transparent huge pages")
    before = THP.read_text()
    has = before.split("[")[1].split("]")[0]
    other = next(word for word in ("always", "madvise", "never") if word != has)
    for word, status in (has, EXIT_PASS), (other, EXIT_SKIP):
        text = SMALL.format(name="here", machine=f"cgroup: v{host}, thp: {word}") + "place: host\n"
        run = lab.run(lab.scenario(text))
        assert run.status == status, run
    assert f"machine.thp: this machine has {has}, the scenario wants {other}" in run.trial().result["reason"]
    assert THP.read_text() == before
