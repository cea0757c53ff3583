# SPDX-License-Identifier: MIT
"""What a machine's kernel is asked for: it does it, or the trial is a skip that says why."""

import errno
import json
import os
import pathlib
import subprocess

import pytest

from lab import EXIT_BROKEN, EXIT_PASS, EXIT_SKIP, GUEST_WAIT_S, M, OOMLAB, Lab, wait_until

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
  # Of 24 that fit into its blocks, as many as there are: without a wish for them nobody compacts, and a boot leaves 15 to 24.
  - {that: system.anon_hugepages_peak, min: 16M}
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


# Two devices of a kind, which the agent must tell apart. hog needs more than is left beside the cache.
RECLAIM = """
scenario: reclaim
machine: {memory: 128M, swap: {size: 16M, kind: pmem}, data: {size: 64M, kind: pmem}, deterministic: true}
processes:
  cache: {run: [file-clean, --size=48M, --hold=forever]}
  hog: {run: [memset, --limit=72M, --pause=20ms]}
stop: {timeout: 3s}
expect:
  - {that: cache.phase, is: hold}
  - {that: cache.read, is: 48M}
  - {that: hog.outcome, is: exited}
  - {that: system.swap_total, near: 16M}
"""
NO_SPACE = """
scenario: no-space
machine: {memory: 128M, swap: {size: 16M}, data: {size: 8M}}
processes:
  big: {run: [file-clean, --size=9M]}
stop: {timeout: 20s}
"""
NO_DATA = """
scenario: no-data
machine: {memory: 128M}
processes:
  lost: {run: [file-clean, --size=1M]}
"""


@pytest.fixture(scope="module")
def guests(qemu, tmp_path_factory):
    """Guests of the default kernel, two at a time; the tests look at one each."""
    lab = Lab(tmp_path_factory.mktemp("machine"))
    lab.scenario(EVERYTHING, "all/everything.yaml")
    lab.scenario(SMALL.format(name="lacking", machine="zswap: {}"), "all/lacking.yaml")
    lab.scenario(SMALL.format(name="much", machine="hugepages: 126M"), "all/much.yaml")
    lab.scenario(RECLAIM, "all/reclaim.yaml")
    lab.scenario(NO_SPACE, "all/no-space.yaml")
    lab.scenario(NO_DATA, "all/no-data.yaml")
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


def test_page_cache_of_a_data_file_system_is_reclaimed(guests):
    trial = guests.trial("reclaim/all/1")
    assert trial.result["verdict"] == "pass", guests
    assert trial.event("data")["path"] == "/data"
    rows = trial.rows("system.csv")
    cached = [row["meminfo.Cached"] for row in rows]
    full = cached.index(max(cached))
    assert cached[full] > 38 * M and min(cached[full:]) < 25 * M
    assert rows[-1]["vmstat.pgsteal_file"] > (20 * M) / 4096
    assert rows[-1]["meminfo.SwapTotal"] <= 16 * M, "the wrong device was swapped on"


def test_data_is_as_large_as_asked(guests):
    result = guests.trial("no-space/all/1").result["processes"][0]
    assert (result["phase"], result["errno"]) == ("error", errno.ENOSPC), guests
    assert 7 * M < result["metrics"]["allocated"] < 8 * M


def test_without_data_files_are_in_ram(guests):
    result = guests.trial("no-data/all/1").result["processes"][0]
    assert (result["phase"], result["errno"]) == ("unmet", 0), guests


def test_mke2fs_that_fails(lab, qemu):
    """Nothing is left, and its last words are the reason."""
    fake = lab.tmp / "bin/mke2fs"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho no room here\nexit 1\n")
    fake.chmod(0o755)
    run = lab.run(lab.scenario(NO_SPACE), env={**lab.env, "PATH": f"{fake.parent}:{os.environ['PATH']}"})
    assert run.status == EXIT_BROKEN, run
    assert "data image of 8192K: mke2fs failed: no room here" in run.trial().result["reason"]


def test_data_on_this_machine(lab, host):
    """A directory of the trial's own, gone with it; also when the harness is killed."""
    text = SMALL.format(name="here", machine=f"cgroup: v{host}, data: {{size: 64M}}") + "place: host\n"
    text = text.replace("[memset, --limit=1M]", "[memset, --limit=1M, --hold=forever]")
    for kill in (False, True):
        live = lab.start(lab.scenario(text + "stop: {timeout: 1s}\n" * (not kill)))
        pid = live.find("memset")
        data = pathlib.Path(f"/proc/{pid}/cwd").resolve()
        assert data == live.dir / "all/1/data"
        if kill:
            live.process.kill()
        live.wait()
        wait_until("the directory is gone", lambda: not data.exists())


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
