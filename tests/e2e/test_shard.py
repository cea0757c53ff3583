# SPDX-License-Identifier: MIT
"""Shares of a run on several machines: who runs what, and the shares put together again."""

import itertools
import subprocess

import pytest

from lab import EXIT_PASS, EXIT_SKIP, HOST_WAIT_S, OOMLAB, SKIPPED, small

SIX = SKIPPED + "  machine.seed: [1, 2]\n"


def cells(lab, *words):
    """What --list-cells prints, as a list."""
    done = subprocess.run([OOMLAB, "run", *words, "--list-cells"], capture_output=True, text=True,
                          timeout=HOST_WAIT_S, env=lab.env)
    assert done.returncode == EXIT_PASS and not done.stderr, done
    return done.stdout.splitlines()


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_every_cell_in_one_share(lab, count):
    """All of its trials with it; and the order of the command line does not count."""
    one = lab.scenario(SIX, "one.yaml")
    other = lab.scenario(SIX.replace("scenario: skipped", "scenario: other"), "other.yaml")
    whole = cells(lab, one, other, "--repeat=2")
    shares = [cells(lab, one, other, "--repeat=2", f"--shard={i + 1}/{count}") for i in range(count)]
    assert sorted(itertools.chain(*shares)) == sorted(whole)
    for share in shares:
        assert share == [line for line in whole if line in share], "not in the order of the plan"
        assert len(share) in (12 // count * 2, (12 + count - 1) // count * 2)
        assert all(line[:-1] + "12"[line.endswith("1")] in share for line in share)
    assert [sorted(cells(lab, other, one, "--repeat=2", f"--shard={i + 1}/{count}")) for i in range(count)] == [
        sorted(share) for share in shares]


def test_run_json_says_which_share_of_what(lab, host):
    path = lab.scenario(small(more="matrix: {processes.hog.run.0: [malloc, calloc, memset]}"))
    run = lab.run(path, "--shard=2/2", "--repeat=2")
    assert run.status == EXIT_PASS, run
    assert "of shard 2/2: " in run.stdout
    assert run.json["shard"] == "2/2" and run.json["plan"]["trials"] == 2
    assert list(run.json["plan"]["cells"]) == [f"small/stressor={name}" for name in ("malloc", "calloc", "memset")]
    assert len(set(run.json["plan"]["cells"].values())) == 3
    assert [f"small/{where}" for where in run.json["results"]] == cells(lab, path, "--shard=2/2", "--repeat=2")
    assert 2 <= len(run.json["results"]) <= 4
    whole = lab.run(path)
    assert whole.json["shard"] is None and whole.json["plan"]["trials"] == 1
    assert whole.json["plan"]["cells"] == run.json["plan"]["cells"]


def test_empty_share(lab, host):
    """A run directory without trials, exit status 4, and words: nothing failed, nothing passed."""
    path = lab.scenario(small())
    ended = [lab.run(path, f"--shard={i}/3", "--format=tap") for i in (1, 2, 3)]
    assert sorted(run.status for run in ended) == [EXIT_PASS, EXIT_SKIP, EXIT_SKIP]
    for run in ended:
        if run.status == EXIT_PASS:
            continue
        assert run.stdout == "TAP version 13\n1..0 # SKIP nothing to run\n"
        assert f"shard {run.json['shard']} is empty, for the plan has 1 cell;" in run.stderr
        assert [path.name for path in run.dir.iterdir()] == ["run.json"]
        assert run.json["results"] == [] and run.json["exit"] == EXIT_SKIP
        assert set(run.json["verdicts"].values()) == {0}
