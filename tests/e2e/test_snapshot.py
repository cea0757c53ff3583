# SPDX-License-Identifier: MIT
"""Guests boot once and are woken after that: with the same bytes, and with nothing lost when that goes wrong."""

import os
import pathlib
import re
import resource
import signal
import subprocess

import pytest

from lab import (EXIT_BROKEN, EXIT_PASS, GUEST_WAIT_S, M, OOMLAB, Lab, descendants, gone, wait_until)
from test_deterministic import files_of

pytestmark = pytest.mark.usefixtures("qemu")

# Small, quick and with all that a snapshot has to carry: swap, a second CPU, a group.
SCENARIO = """
scenario: snapshot
machine: {memory: 128M, cpus: 2, swap: {size: 32M, kind: pmem}, deterministic: true}
cgroups: {app: {memory.max: 24M, memory.swap.max: 8M}}
processes:
  hog: {run: [memset], cgroup: app}
stop: {timeout: 20s}
expect:
  - {that: hog.outcome, is: oom-killed}
  - {that: hog.swap_peak, min: 4M}
"""
QUICK = """
scenario: quick
machine: {memory: 128M}
processes:
  hog: {run: [memset, --limit=4M, --hold=HOLD]}
expect: [{that: hog.touched, is: 4M}]
"""


@pytest.fixture
def cached(qemu, tmp_path):
    """A lab whose cache has the kernels of the user's, and no snapshots."""
    one = Lab(tmp_path)
    kernels = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "oomlab/kernels"
    kernels.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache/oomlab").mkdir(parents=True)
    (tmp_path / "cache/oomlab/kernels").symlink_to(kernels)
    one.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    one.snapshots = tmp_path / "cache/oomlab/snapshots"
    yield one
    one.close()


def guests(run):
    return run.json["guests"]


def test_same_bytes_cold_and_woken(cached):
    """Booted and saved; woken; booted without; and after damage booted and saved again, which is woken once more."""
    scenario = cached.scenario(SCENARIO)
    runs = [cached.run(scenario, seconds=GUEST_WAIT_S), cached.run(scenario, seconds=GUEST_WAIT_S)]
    [snapshot] = cached.snapshots.iterdir()
    inode = snapshot.stat().st_ino
    runs.append(cached.run(scenario, "--cold", seconds=GUEST_WAIT_S))
    with open(snapshot, "r+b") as file:
        file.seek(snapshot.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    runs += [cached.run(scenario, "--repeat=2", "--jobs=1", seconds=GUEST_WAIT_S)]
    for run in runs:
        assert run.status == EXIT_PASS, run
    assert [guests(run) for run in runs] == [{"booted": 1, "woken": 0, "saved": 1},
                                             {"booted": 0, "woken": 1, "saved": 0},
                                             {"booted": 1, "woken": 0, "saved": 0},
                                             {"booted": 1, "woken": 1, "saved": 1}]
    [again] = cached.snapshots.iterdir()
    assert again == snapshot and again.stat().st_ino != inode
    trials = [files_of(run.dir / "all/1") for run in runs] + [files_of(runs[-1].dir / "all/2")]
    for trial in trials[1:]:
        assert trial.keys() == trials[0].keys()
        assert not [name for name in trial if trial[name] != trials[0][name]]
    assert b"oomlab-agent: up after" in trials[1]["console.log"] and b"Linux version" in trials[1]["console.log"]


def test_another_seed_is_another_trial(cached):
    """One snapshot serves all seeds; each seed has bytes of its own, and keeps them."""
    run = cached.run(cached.scenario(SCENARIO), "--matrix=machine.seed=0,1", "--repeat=2", "--jobs=1",
                     seconds=2 * GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert guests(run) == {"booted": 1, "woken": 3, "saved": 1}
    samples = {(trial / "system.csv").read_bytes() for trial in run.dir.glob("*/1")}
    assert len(samples) == 2


def test_what_goes_into_the_boot_makes_another_snapshot(cached):
    scenario = cached.scenario(QUICK.replace("HOLD", "0s"))
    for count, words in enumerate([[], ["--set=machine.memory=144M"], ["--set=machine.cmdline=quiet"]], 1):
        run = cached.run(scenario, *words, seconds=GUEST_WAIT_S)
        assert run.status == EXIT_PASS and guests(run)["booted"] == 1, run
        assert len(list(cached.snapshots.iterdir())) == count
    run = cached.run(scenario, "--set=processes.hog.run.1=--limit=4096K", "--set=machine.seed=0",
                     seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS and guests(run) == {"booted": 0, "woken": 1, "saved": 0}, run


def qemu_wrapper(lab, script):
    """Another QEMU in front of the real one; OOMLAB_REAL is that."""
    folder = lab.tmp / "bin"
    folder.mkdir()
    real = subprocess.check_output(["sh", "-c", "command -v qemu-system-x86_64"], text=True).strip()
    wrapper = folder / "qemu-system-x86_64"
    wrapper.write_text(f"#!/bin/sh\nreal={real}\n{script}\n")
    wrapper.chmod(0o755)
    lab.env["PATH"] = f"{folder}:{os.environ['PATH']}"


def test_a_snapshot_that_qemu_cannot_wake(cached):
    """It boots instead, and the snapshot is made anew."""
    qemu_wrapper(cached, 'case " $* " in *" -incoming "*) echo refused >&2; exit 1 ;; esac; exec "$real" "$@"')
    scenario = cached.scenario(QUICK.replace("HOLD", "0s"))
    first, second = (cached.run(scenario, seconds=GUEST_WAIT_S) for _ in range(2))
    assert (first.status, second.status) == (EXIT_PASS, EXIT_PASS), second
    assert guests(second) == {"booted": 1, "woken": 0, "saved": 1}
    assert not (second.dir / "all/1/qemu.log").exists()


def being_saved(lab, live):
    """The pid of the keeper that writes a snapshot: it has an open file there that has no name."""
    for pid in descendants(live.pid):
        for fd in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
            try:
                where = os.readlink(fd)
            except OSError:
                continue
            if where.startswith(str(lab.snapshots)) and where.endswith("(deleted)"):
                return pid
    return None


def left_of_snapshots(lab):
    return [path.name for path in lab.snapshots.iterdir() if not re.fullmatch("[0-9a-f]{32}.snapshot", path.name)]


@pytest.mark.parametrize("who", ["harness", "keeper", "QEMU"])
def test_killed_while_a_snapshot_is_written(cached, who):
    """Nothing half is left; the next run is none the wiser."""
    scenario = cached.scenario(QUICK.replace("HOLD", "0s"))
    live = cached.start(scenario)
    keeper = wait_until("a snapshot being written", lambda: live.alive() and being_saved(cached, live), GUEST_WAIT_S)
    family = live.family()
    [qemu] = [pid for pid, stat in descendants(live.pid).items() if stat[0].startswith("qemu-system")]
    os.kill({"harness": live.pid, "keeper": keeper, "QEMU": qemu}[who], 9)
    run = live.wait()
    wait_until("the end of every process", lambda: gone(family))
    assert run.status == (-9 if who == "harness" else EXIT_BROKEN), run
    if who != "harness":
        assert "killed by signal 9" in run.trial().result["reason"]
    assert left_of_snapshots(cached) == []
    run = cached.run(scenario, seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run


def test_no_room_for_snapshots(cached):
    """It is said, once, and the guests boot."""
    cached.snapshots.mkdir()
    script = 'mount -t tmpfs -o size=64m tmpfs "$1" || exit 99; where=$1; shift; "$@"; status=$?; ls "$where"; exit $status'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", cached.snapshots, OOMLAB, "run",
                           cached.scenario(QUICK.replace("HOLD", "0s")), "--repeat=2", "--out", cached.tmp / "out"],
                          capture_output=True, text=True, timeout=GUEST_WAIT_S, env=cached.env)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == EXIT_PASS, done
    assert done.stderr.count("\n") == 1 and "guests boot every time" in done.stderr and ".snapshot" not in done.stdout


def test_disk_that_takes_no_more_while_a_snapshot_is_written(cached):
    """There was room when it was begun: then write() fails, here after 40 MB of it."""
    def no_more():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40 * M, 40 * M))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    run = cached.run(cached.scenario(QUICK.replace("HOLD", "0s")), seconds=GUEST_WAIT_S, preexec_fn=no_more,
                     restore_signals=False)
    assert run.status == EXIT_PASS, run
    assert guests(run) == {"booted": 1, "woken": 0, "saved": 0}
    assert list(cached.snapshots.iterdir()) == []


def test_several_runs_at_once(cached):
    """They share the cache; whoever comes first saves, the others boot or wake."""
    scenario = cached.scenario(QUICK.replace("HOLD", "0s"))
    lives = [cached.start(scenario) for _ in range(3)]
    runs = [live.wait(GUEST_WAIT_S) for live in lives]
    assert [run.status for run in runs] == [EXIT_PASS] * 3, runs
    assert sum(guests(run)["saved"] for run in runs) >= 1
    assert len(list(cached.snapshots.iterdir())) == 1 and left_of_snapshots(cached) == []
