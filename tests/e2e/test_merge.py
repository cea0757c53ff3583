# SPDX-License-Identifier: MIT
"""oomlab merge: shards become the run that they are parts of, or nothing is made and one line says why."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from lab import (EXIT_BROKEN, EXIT_FAIL, EXIT_INTERRUPTED, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, HOST_WAIT_S,
                 OOMLAB, SKIPPED, Run, small, wait_until)

# One cell fails, one is skipped.
DETERMINISTIC = """
scenario: two
machine: {memory: 128M, swap: {size: 2M, kind: pmem}, deterministic: true}
processes:
  hog: {run: [memset, --limit=16M]}
matrix:
  machine.swap.kind: [pmem, disk]
stop: {timeout: 20s}
expect:
  - {that: hog.touched, is: 20M}
"""


def merge(lab, *words, out=None):
    out = out or lab.tmp / "merged"
    done = subprocess.run([OOMLAB, "merge", *words, "--out", out], capture_output=True, text=True, env=lab.env,
                          timeout=HOST_WAIT_S)
    return Run(done.returncode, done.stdout, done.stderr, out)


def shards(lab, count, *words, **kwargs):
    return [lab.run(*words, f"--shard={i + 1}/{count}", **kwargs) for i in range(count)]


def contents(where):
    """{path: bytes} of a run directory but for run.json; None for folders."""
    return {str(path.relative_to(where)): path.read_bytes() if path.is_file() else None
            for path in where.rglob("*") if path != where / "run.json"}


def assert_the_same(merged, whole):
    assert contents(merged.dir) == contents(whole.dir) != {}
    for key in ("run", "tool", "plan", "shard", "verdicts", "exit", "results"):
        assert merged.json[key] == whole.json[key], key
    assert merged.status == whole.status == whole.json["exit"], merged


def refused(lab, run, *words):
    """Exit status 2, one line that has the words, and nothing made."""
    assert run.status == EXIT_USAGE and run.stdout == "", run
    assert run.stderr.count("\n") == 1 and run.stderr.startswith("oomlab merge: "), run.stderr
    for word in words:
        assert str(word) in run.stderr
    assert not run.dir.exists() and not list(lab.tmp.glob(".*")), "something was made"


def made_up(where, cells=3, trials=1, shard=None, took=None, **changes):
    """A run directory as oomlab leaves it, of trials that never were; took: numbers of the cells that it has."""
    names = [f"cell={i}" for i in range(cells)]
    results = []
    for i, name in enumerate(names):
        for trial in range(1, trials + 1):
            if took is not None and i not in took:
                continue
            results.append(f"{name}/{trial}")
            path = where / results[-1]
            path.mkdir(parents=True)
            (path / "result.json").write_text(json.dumps({
                "result": 1, "scenario": "made-up", "cell": name, "axes": {"cell": str(i)}, "trial": trial,
                "verdict": "pass", "processes": [], "expectations": []}))
            (path / "kmsg.log").write_text(f"{where.name} {name}\n")
    where.mkdir(exist_ok=True)
    run = {"run": 1, "tool": "oomlab", "arguments": [], "started": "2026-01-01T00:00:00Z", "host": {"cpus": 1},
           "shard": shard, "plan": {"trials": trials, "cells": {f"made-up/{name}": "0" * 16 for name in names}},
           "wall_ns": 1, "verdicts": {}, "exit": 0, "results": results}
    (where / "run.json").write_text(json.dumps({**run, **changes}))
    return where


@pytest.mark.parametrize("count", [2, 5])
def test_as_if_run_at_once(lab, count):
    """In any order, and with shares that are empty; what is printed is the same as well."""
    path, other = lab.scenario(SKIPPED), lab.scenario(SKIPPED.replace(": skipped", ": other"), "other.yaml")
    for files in ([path], [other, path]):
        whole = lab.run(*files, "--repeat=2", "--format=tap")
        parts = shards(lab, count, *files, "--repeat=2")
        out = lab.tmp / f"merged{len(files)}"
        merged = merge(lab, *reversed([part.dir for part in parts]), "--format=tap", out=out)
        assert_the_same(merged, whole)
        assert merged.stdout == whole.stdout and merged.stderr == "" and merged.status == EXIT_SKIP
        assert merged.json["missing"] == []


@pytest.mark.usefixtures("qemu")
def test_guests_as_if_run_at_once(lab):
    path = lab.scenario(DETERMINISTIC)
    live = [lab.start(path, *words) for words in ([], ["--shard=1/2"], ["--shard=2/2"])]
    whole, *parts = [one.wait(GUEST_WAIT_S) for one in live]
    assert whole.status == EXIT_FAIL and whole.json["verdicts"] == {"pass": 0, "fail": 1, "skip": 1, "broken": 0}, whole
    assert sorted(part.status for part in parts) == [EXIT_FAIL, EXIT_SKIP]
    assert_the_same(merge(lab, *[part.dir for part in parts]), whole)


def test_parts_keep_their_facts(lab, host):
    """Files are linked, run.json says where each part ran, and a merged run is a run: it can be merged."""
    path = lab.scenario(small(more="matrix: {processes.hog.run.0: [malloc, calloc, memset]}"))
    parts = shards(lab, 3, path, "--repeat=2")
    about = json.loads((parts[1].dir / "run.json").read_text())
    about["host"]["kernel"] = "elsewhere"
    (parts[1].dir / "run.json").write_text(json.dumps(about))
    first = merge(lab, parts[0].dir, parts[1].dir, "--partial", out=lab.tmp / "a/b/first")
    assert first.status == EXIT_PASS and first.json["missing"] == parts[2].json["results"], first
    merged = merge(lab, first.dir, parts[2].dir, "--format=json")
    assert merged.status == EXIT_PASS, merged
    assert [one["host"]["kernel"] for one in merged.json["parts"]] == [os.uname().release, "elsewhere",
                                                                     os.uname().release]
    assert [(one["from"], one["shard"]) for one in merged.json["parts"]] == [
        (str(part.dir), f"{i + 1}/3") for i, part in enumerate(parts)]
    assert merged.json["wall_ns"] == max(part.json["wall_ns"] for part in parts)
    assert merged.json["started"] == parts[0].json["started"]
    printed = json.loads(merged.stdout)
    assert printed == {"run": merged.json,
                       "results": [merged.trial(where).result for where in merged.json["results"]]}
    assert merged.json["results"] == [f"stressor={name}/{n}" for name in ("malloc", "calloc", "memset") for n in (1, 2)]
    for part in parts:
        assert contents(part.dir).items() <= contents(merged.dir).items()
        for where in part.json["results"]:
            assert os.path.samefile(part.dir / where / "result.json", merged.dir / where / "result.json")


def test_another_file_system(lab):
    """Then files are copied."""
    part = made_up(lab.tmp / "part")
    if os.stat("/dev/shm").st_dev == os.stat(lab.tmp).st_dev:
        pytest.skip("/dev/shm is on the same file system")
    (part / "cell=1/1/blackbox").write_bytes(os.urandom(200_000))
    there = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        merged = merge(lab, part, out=there)  # empty: it is replaced
        assert merged.status == EXIT_PASS, merged
        assert contents(there) == contents(part)
    finally:
        shutil.rmtree(there)


def test_missing(lab):
    """Said by shard where a shard is missing, by trial where a run was interrupted; --partial accepts both."""
    path = lab.scenario(SKIPPED)
    parts = [part for part in shards(lab, 4, path) if part.json["results"]]
    assert len(parts) == 3
    assert merge(lab, *[part.dir for part in parts]).status == EXIT_SKIP, "the empty share is no loss"
    lost = merge(lab, parts[0].dir, parts[2].dir, out=lab.tmp / "lost")
    assert lost.status == lost.json["exit"] == EXIT_BROKEN
    assert f"missing: shard {parts[1].json['shard']}, 1 of 3 cells\n" in lost.stderr and "--partial" in lost.stderr
    assert lost.json["missing"] == parts[1].json["results"] and lost.json["verdicts"]["skip"] == 2
    taken = merge(lab, parts[0].dir, parts[2].dir, "--partial", out=lab.tmp / "taken")
    assert taken.status == taken.json["exit"] == EXIT_SKIP
    assert taken.stderr == f"oomlab merge: missing: shard {parts[1].json['shard']}, 1 of 3 cells\n"

    cut = merge(lab, made_up(lab.tmp / "cut", cells=4, took=[1]), out=lab.tmp / "rest")
    assert cut.status == EXIT_BROKEN and "missing: cell=0/1 and 2 more\n" in cut.stderr, cut


def test_each_trial_once(lab):
    one, two = made_up(lab.tmp / "one", took=[0, 1]), made_up(lab.tmp / "two", took=[1, 2])
    refused(lab, merge(lab, one, two), f"{one} and {two}: both have cell=1/1")
    refused(lab, merge(lab, one, one), f"{one} and {one}: both have cell=0/1")


@pytest.mark.parametrize("words, said", [
    (["--repeat=2"], "trials of each cell are 2 and 1"),
    (["--set", "stop.settle=1s"], "other options or another scenario file for cell skipped/stop.timeout=1s"),
    (["--matrix", "stop.timeout=1s,2s,3s,4s"], "which has no cell skipped/stop.timeout=4s"),
    (["--matrix", "stop.timeout=1s,2s"], "no cell skipped/stop.timeout=3s"),
], ids=["repeat", "set", "more", "less"])
def test_another_plan(lab, words, said):
    path = lab.scenario(SKIPPED)
    one, two = lab.run(path, "--shard=1/2"), lab.run(path, *words, "--shard=2/2")
    refused(lab, merge(lab, one.dir, two.dir), two.dir, "another plan than", one.dir, said)


def test_the_scenario_may_lie_elsewhere(lab):
    """Machines need not have the same folders."""
    text = SKIPPED + "expect: [{that: hog.outcome, is: exited}]\n"
    parts = [lab.run(lab.scenario(text, f"machine{i}/s.yaml"), f"--shard={i}/2") for i in (1, 2)]
    assert merge(lab, *[part.dir for part in parts]).status == EXIT_SKIP


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-20])


def rewrite(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


DAMAGE = {
    "no run": (lambda run: (run / "run.json").unlink(), ["no run.json"]),
    "not there": (shutil.rmtree, ["No such file"]),
    "a file": (lambda run: (shutil.rmtree(run), run.write_text("x")), ["no run.json"]),
    "cut run.json": (lambda run: cut_short(run / "run.json"), ["run.json:1:", "no whole JSON"]),
    "junk": (lambda run: (run / "run.json").write_bytes(b"\x1b[31m\0" * 9), ["run.json:1:1", "no whole JSON"]),
    "a list": (lambda run: (run / "run.json").write_text("[]"), ["not a JSON object"]),
    "version": (lambda run: rewrite(run / "run.json", run=2), ["run.json", '"run": 1']),
    "no plan": (lambda run: rewrite(run / "run.json", plan=None), ["no plan"]),
    "endless plan": (lambda run: rewrite(run / "run.json", plan={"trials": 1 << 40, "cells": {"a/b": ""}}), ["no plan"]),
    "a way out": (lambda run: rewrite(run / "run.json", plan={"trials": 1, "cells": {"a/..": ""}}), ["no plan"]),
    "shard": (lambda run: rewrite(run / "run.json", shard="3/2"), ['shard "3/2"', "I from 1 to N"]),
    "other trial": (lambda run: rewrite(run / "run.json", results=["../../etc/1"]), ["../../etc/1", "not in its plan"]),
    "cut result.json": (lambda run: cut_short(run / "cell=1/1/result.json"), ["cell=1/1/result.json:1:"]),
    "no result.json": (lambda run: (run / "cell=1/1/result.json").unlink(), ["cell=1/1/result.json", "No such file"]),
    "another's result": (lambda run: rewrite(run / "cell=1/1/result.json", cell="cell=2"), ["not the result of this"]),
    "no verdict": (lambda run: rewrite(run / "cell=1/1/result.json", verdict="maybe"), ["not the result of this"]),
    "a folder in a trial": (lambda run: (run / "cell=1/1/more").mkdir(), ["cell=1/1/more", "is no file"]),
    "a link in a trial": (lambda run: (run / "cell=1/1/l").symlink_to("/etc/passwd"), ["cell=1/1/l", "is no file"]),
}


@pytest.mark.parametrize("damage, said", DAMAGE.values(), ids=DAMAGE)
def test_damaged(lab, damage, said):
    good, bad = made_up(lab.tmp / "good", took=[0]), made_up(lab.tmp / "bad", took=[1, 2])
    assert merge(lab, good, bad, out=lab.tmp / "fine").status == EXIT_PASS
    damage(bad)
    refused(lab, merge(lab, good, bad), bad, *said)


@pytest.mark.parametrize("words, said", [
    ([], "which runs"), (["RUN", "--nope"], "--nope"), (["RUN", "--format=xml"], "table, tap or json"),
    (["RUN"], "--out DIR must be given"), (["RUN", "--out", ""], "--out DIR must be given"),
    (["RUN", "--out", "RUN"], "is not empty"), (["RUN", "--out", "RUN/run.json"], "Not a directory"),
])
def test_options(lab, words, said):
    run = made_up(lab.tmp / "run")
    before = contents(lab.tmp)
    done = subprocess.run([OOMLAB, "merge", *[word.replace("RUN", str(run)) for word in words]], capture_output=True,
                          text=True, env=lab.env, timeout=HOST_WAIT_S)
    assert done.returncode == EXIT_USAGE and said in done.stderr and done.stdout == "", done
    assert done.stderr.count("\n") == 1 and contents(lab.tmp) == before


def begin(lab, part, out):
    """A merge that is at its work: its directory beside `out` is there."""
    live = subprocess.Popen([OOMLAB, "merge", part, "--out", out], stdout=subprocess.DEVNULL, env=lab.env)
    wait_until("the directory beside", lambda: list(out.parent.glob(".*.merging.*")) or live.poll() is not None)
    return live


def test_killed_or_interrupted(lab):
    """Killed: no half a run under its name, and the next one is not hindered. Interrupted: nothing at all is left."""
    part, out = made_up(lab.tmp / "part", cells=1000), lab.tmp / "out"
    live = begin(lab, part, out)
    live.kill()
    assert live.wait() == -signal.SIGKILL, "it was faster than the test"
    [left] = lab.tmp.glob(".*")
    assert left.name == ".out.merging.1" and not out.exists() and not (left / "run.json").exists()
    shutil.rmtree(left)
    live = begin(lab, part, out)
    live.terminate()
    assert live.wait() == EXIT_INTERRUPTED
    assert not out.exists() and not list(lab.tmp.glob(".*"))
    assert merge(lab, part, "--format=tap", out=out).status == EXIT_PASS
    assert len(contents(out)) == len(contents(part))
