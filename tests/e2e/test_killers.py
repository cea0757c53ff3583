# SPDX-License-Identifier: MIT
"""Killers in user space (killer:): the packages' own programs, ours, and one of the user's, in guests of several kernels."""

import os
import pathlib
import subprocess

import pytest

from lab import EXIT_BROKEN, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, M, OOMLAB

# Two processes and no pressure; a killer that is told to kills all the same.
CALM = """
scenario: calm
machine: {memory: 128M}
processes:
  large: {run: [memset, --limit=24M, --hold=forever], stop: {at: 3s}}
  small: {run: [memset, --limit=8M, --hold=forever], oom_score_adj: 500, stop: {at: 3s}}
killer: KILLER
stop: {timeout: 20s}
"""

PRESSED = """
scenario: pressed
machine: {kernel: debian:6.12, memory: 160M, swap: {size: 64M, kind: zram}}
cgroups: {calm: {}, pressed: {memory.high: 16M}}
processes:
  quiet: {run: [memset, --limit=16M, --hold=forever], cgroup: calm, stop: {after: hog, phase: ended}}
  hog: {run: [thrash, --size=40M], cgroup: pressed, stop: {at: 25s}}
killer: KILLER
stop: {timeout: 40s}
"""

# The user's own says when it is ready, in two pieces, and kills the first memset.
OWN = """#!/bin/sh
echo "reading the rules"
printf 'on gua'
sleep 0.3
echo rd
sleep 1
for dir in /proc/[0-9]*; do
	read -r comm <"$dir/comm"
	[ "$comm" != memset ] || { kill -SIGNAL "${dir##*/}"; break; }
done 2>/dev/null
exec sleep 1000
"""


def run(lab, killer, *args, text=CALM, status=EXIT_PASS, **kwargs):
    done = lab.run(lab.scenario(text.replace("KILLER", killer)), *args, seconds=GUEST_WAIT_S, **kwargs)
    assert done.status == status, done
    return done


def killed(trial):
    return [(one["process"], one["by"], one["signal"]) for one in trial.result["kills"]]


def outcomes(trial):
    return {one["name"]: one["outcome"] for one in trial.result["processes"]}


def test_lmk_takes_the_highest_adj_first(lab, qemu):
    trial = run(lab, '{run: [lmk, "--minfree=1M:0,1G:400"]}').trial()
    assert killed(trial) == [("small", "lmk", 9)]
    assert outcomes(trial) == {"large": "stopped", "small": "killer", "killer": "stopped"}
    first, = trial.result["kills"]
    # It was watching before the processes started, so it comes with the first that there is to kill.
    assert abs(first["t_ns"]) < 1_000_000_000
    assert 40 * M < first["mem_available"] < 128 * M and first["swap_free"] == 0
    metrics = trial.result["metrics"]
    assert (metrics["first_kill.by"], metrics["killer.kills"], metrics["killer.ahead"]) == ("lmk", 1, None)
    sent = trial.event("signal")
    assert sent["sender_comm"] == "oomlab-lmk" and sent["sent_ns"] <= sent["t_ns"]


@pytest.mark.parametrize("kernel", ["debian:5.10", "debian:sid"])
def test_earlyoom_on_other_kernels(lab, qemu, request, kernel):
    if kernel == "debian:sid":
        request.getfixturevalue("sid")
    trial = run(lab, '{run: [earlyoom, -m, "99,98", -s, "100,100"]}', "--kernel", kernel).trial()
    assert killed(trial)[0] == ("small", "earlyoom", 9)
    assert outcomes(trial)["small"] == "killer" and outcomes(trial)["killer"] == "stopped"


def test_systemd_oomd_is_told_of_the_groups(lab, qemu):
    """By memory pressure: what one group does to itself at its memory.high; the other is left alone."""
    trial = run(lab, "{run: [systemd-oomd, --pressure=5%, --duration=1s]}", text=PRESSED).trial()
    assert killed(trial) == [("hog", "systemd-oomd", 9)]
    assert outcomes(trial) == {"quiet": "stopped", "hog": "killer", "killer": "stopped"}


@pytest.mark.parametrize("signal, number", [("TERM", 15), ("KILL", 9)])
def test_one_of_the_users_is_seen_by_what_it_does(lab, qemu, signal, number):
    script = lab.tmp / "own"
    script.write_text(OWN.replace("SIGNAL", signal))
    script.chmod(0o755)
    trial = run(lab, "{exec: [./own], ready: on guard, files: [/bin/sleep]}").trial()
    assert killed(trial) == [("large", "own", number)]
    assert outcomes(trial) == {"large": "killer", "small": "stopped", "killer": "stopped"}
    ready, = [one["t_ns"] for one in trial.events if one["event"] == "output" and one["text"] == "rd\n"]
    assert ready <= trial.event("release")["t_ns"] <= trial.event("signal")["sent_ns"]


@pytest.mark.parametrize("killer, why", [
    ('{run: [lmk, "--minfree=64M"]}',
     'killer lmk ended before it was ready; its last words: oomlab-lmk: "64M" of --minfree=64M; allowed: '),
    ('{run: [systemd-oomd, "--pressure=200%"]}', "its last words: oomlab-oomd: --pressure=200%; allowed: 0% to 100%"),
    ("{exec: [sh, -c, exit 3], ready: never}", "killer sh ended before it was ready"),
    ("{exec: [sh, -c, 'echo 4; echo 5; echo wrong >&2; echo bye'], ready: never}", "its last words: 5|wrong|bye"),
])
def test_one_that_cannot_start_breaks_the_trial(lab, qemu, killer, why):
    assert why in run(lab, killer, status=EXIT_BROKEN).trial().result["reason"]


def test_systemd_oomd_wants_cgroup_v2(lab, qemu):
    done = run(lab, "systemd-oomd", "--set", "machine.cgroup=v1", status=EXIT_BROKEN)
    assert "systemd-oomd needs cgroup v2" in done.trial().result["reason"]


def test_the_host_is_spared(lab, host):
    text = CALM.replace("machine: {memory: 128M}", "place: host")
    reason = run(lab, "lmk", text=text, status=EXIT_SKIP).trial().result["reason"]
    assert "killer: it would kill processes of this machine" in reason


def test_what_cannot_be_fetched_is_a_skip(lab, qemu):
    """A cache with kernels and without killers, and no archive to take them from."""
    real = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    cache = lab.tmp / "cache/oomlab"
    cache.mkdir(parents=True)
    (cache / "kernels").symlink_to(real / "oomlab/kernels")
    env = {**lab.env, "XDG_CACHE_HOME": str(cache.parent), "OOMLAB_DEBIAN_MIRROR": "http://127.0.0.1:9/"}
    done = run(lab, "earlyoom", "--repeat", "2", status=EXIT_SKIP, env=env)
    assert "killer earlyoom could not be fetched: " in done.trial().result["reason"]
    assert done.stderr.count("reading the package index") == 1
    assert not list((cache / "killers").glob("*"))


def test_an_unknown_one_is_refused(lab):
    done = run(lab, "earlyom", status=EXIT_USAGE)
    assert "unknown killer 'earlyom'; did you mean earlyoom; allowed: none, earlyoom, nohang, systemd-oomd, lmk, or {exec: " in done.stderr


def test_they_are_listed():
    text = subprocess.run([OOMLAB, "list", "killers"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["earlyoom", "nohang", "systemd-oomd", "lmk"]
