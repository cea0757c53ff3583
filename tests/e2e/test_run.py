# SPDX-License-Identifier: MIT
"""What one invocation of oomlab run leaves and returns: trials, jobs, cells, the run directory, exit statuses."""

import json
import os
import subprocess

import pytest

from lab import (EXIT_BROKEN, EXIT_FAIL, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, M, MEMSET_64M, OOMLAB, descendants,
                 small, wait_until)

pytestmark = pytest.mark.usefixtures("host")


def test_repeat(lab):
    run = lab.run(lab.scenario(small()), "--repeat", 3)
    assert run.status == EXIT_PASS, run
    assert run.json["results"] == ["all/1", "all/2", "all/3"]
    assert run.json["verdicts"] == {"pass": 3, "fail": 0, "skip": 0, "broken": 0}
    assert [run.trial(where).result["trial"] for where in run.json["results"]] == [1, 2, 3]
    assert len({run.trial(where).process()["pid"] for where in run.json["results"]}) == 3


@pytest.mark.parametrize("jobs, together", [(None, 1), (2, 2), (3, 3)])
def test_jobs(lab, jobs, together):
    """So many trials at a time as was said; on the host one without a word."""
    path = lab.scenario(small(run="[malloc, --limit=1M, --hold=700ms]"))
    live = lab.start(path, "--repeat", 4, *(["--jobs", jobs] if jobs else []))
    seen = []

    def ended():
        seen.append([stat[0] for stat in descendants(live.pid).values()].count("malloc"))
        return live.process.poll() is not None

    wait_until("the end of all trials", ended, 60)
    assert live.wait().status == EXIT_PASS
    assert max(seen) == together


@pytest.mark.last
@pytest.mark.skipif(os.cpu_count() < 2, reason="one CPU: one trial at a time anyway")
def test_jobs_of_both_places(lab, qemu):
    """Guests run side by side, a trial on the host alone: it would measure them."""
    text = small(name="guests", run="[malloc, --limit=1M, --hold=1s]").replace("host", "guest")
    guest = lab.scenario(text, "guests.yaml")
    host = lab.scenario(small(name="alone", run="[malloc, --limit=1M, --hold=700ms]"), "alone.yaml")
    live = lab.start(guest, host, "--repeat", 2)
    seen = set()

    def ended():
        names = [stat[0] for stat in descendants(live.pid).values() if stat[1] != "Z"]
        seen.add((names.count("qemu-system-x86"), names.count("malloc")))
        return live.process.poll() is not None

    wait_until("the end of all trials", ended, GUEST_WAIT_S)
    run = live.wait()
    assert run.status == EXIT_PASS and run.json["verdicts"]["pass"] == 4, run
    assert (2, 0) in seen and (0, 1) in seen
    assert all(not (guests and hosts) and hosts < 2 for guests, hosts in seen), seen


def test_matrix_and_set(lab):
    path = lab.scenario(small(run="[malloc, --limit=1M]", outcome="exited") + "stop: {timeout: 5s}\n")
    run = lab.run(path, "--matrix", "processes.hog.run.0=malloc,memset,calloc", "--matrix",
                  "processes.hog.run.1=--limit=1M,--limit=2M", "--set", "stop.timeout=9s")
    assert run.status == EXIT_PASS, run
    assert len(run.json["results"]) == 6
    seen = set()
    for where in run.json["results"]:
        trial = run.trial(where)
        stressor, limit = trial.json("spec.json")["processes"][0]["run"]
        assert trial.json("spec.json")["stop"]["timeout"] == 9_000_000_000
        assert trial.process()["metrics"]["allocated"] == {"--limit=1M": M, "--limit=2M": 2 * M}[limit]
        assert trial.process()["metrics"]["touched"] == (trial.process()["metrics"]["allocated"]
                                                         if stressor == "memset" else 0)
        assert set(trial.result["axes"].values()) == {stressor, limit}
        assert where == f"{trial.result['cell']}/1"
        seen.add((stressor, limit))
    assert len(seen) == 6


def test_run_directory(lab):
    run = lab.run(lab.scenario(MEMSET_64M), "--keep-blackbox")
    assert sorted(path.name for path in run.dir.iterdir()) == ["all", "run.json"]
    trial = run.trial()
    files = {"spec.json", "result.json", "system.csv", "processes.csv", "cgroups.csv", "events.jsonl", "kmsg.log"}
    assert {path.name for path in trial.dir.iterdir()} == files | {"blackbox"}

    spec = trial.json("spec.json")
    assert (spec["spec"], spec["scenario"], spec["cell"], spec["axes"]) == (1, "memset-64m", "all", {})
    assert spec["cgroups"] == [{"path": "app", "set": {"memory.max": str(64 * M)}}]
    assert spec["processes"][0]["run"] == ["memset", "--block=1M", "--limit=192M"]

    result = trial.result
    assert (result["result"], result["scenario"], result["trial"], result["place"]) == (1, "memset-64m", 1, "host")
    assert result["kernel"] == os.uname().release and result["sealed"] == "all processes ended"
    hog = trial.process()
    for name, value in hog["metrics"].items():
        assert result["metrics"][f"hog.{name}"] == value
    rows = [row for row in trial.rows("processes.csv", process="hog") if row["rss"] is not None]
    assert hog["metrics"]["rss_peak"] == max(row["rss_peak"] for row in rows)
    assert hog["metrics"]["vsize_peak"] == max(row["vsize_peak"] for row in rows)
    assert hog["pid"] == trial.event("spawn")["pid"] == result["victims"][0]["pid"]
    assert [(one["that"], one["got"], one["verdict"]) for one in result["expectations"]] == [
        ("hog.outcome", "oom-killed", "pass"), ("victim", "hog", "pass")]
    assert result["expectations"][0]["at"].endswith("scenario.yaml:9")

    about = run.json
    assert about["exit"] == run.status == 0 and about["results"] == ["all/1"]
    assert about["verdicts"] == {"pass": 1, "fail": 0, "skip": 0, "broken": 0}
    assert about["host"]["kernel"] == os.uname().release and about["host"]["cpus"] == os.cpu_count()
    assert "--keep-blackbox" in about["arguments"] and about["wall_ns"] > hog["metrics"]["duration"]


def test_no_black_box_unless_asked_for(lab):
    run = lab.run(lab.scenario(small()))
    assert not list(run.dir.rglob("blackbox"))


def test_default_run_directory(lab):
    done = subprocess.run([OOMLAB, "run", lab.scenario(small(name="default-place"))], cwd=lab.tmp, env=lab.env,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == EXIT_PASS
    [made] = (lab.tmp / "results/runs").iterdir()
    assert made.name.endswith("Z-default-place") and (made / "run.json").exists()
    assert f"results/runs/{made.name}" in done.stdout


@pytest.mark.parametrize("prepare, status, words", [
    (lambda out: None, EXIT_PASS, ""),
    (lambda out: out.mkdir(), EXIT_PASS, ""),
    (lambda out: (out.mkdir(), (out / "mine").write_text("x")), EXIT_USAGE, "is not empty"),
    (lambda out: out.write_text("x"), EXIT_USAGE, "Not a directory"),
    (lambda out: out.symlink_to("/nonexistent/place"), EXIT_USAGE, "--out"),
], ids=["absent", "empty", "not empty", "a file", "a dangling link"])
def test_out(lab, prepare, status, words):
    out = lab.tmp / "given"
    prepare(out)
    before = sorted(lab.tmp.rglob("*"))
    run = lab.run(lab.scenario(small()), out=out)
    assert run.status == status, run
    assert words in run.stderr
    if status == EXIT_PASS:
        assert (out / "run.json").exists() and (out / "all/1/result.json").exists()
    else:
        assert str(out) in run.stderr and run.stderr.count("\n") == 1 and run.stdout == ""
        assert sorted(set(lab.tmp.rglob("*")) - {lab.tmp / "scenario.yaml"}) == before


def test_out_is_made_with_its_parents(lab):
    run = lab.run(lab.scenario(small()), out=lab.tmp / "a/b/c")
    assert run.status == EXIT_PASS and (lab.tmp / "a/b/c/run.json").exists()


@pytest.mark.parametrize("outcomes, status", [
    (["exited"], EXIT_PASS),
    (["enomem"], EXIT_FAIL),
    (["exited", "enomem", "exited"], EXIT_FAIL),
    (["skip"], EXIT_SKIP),
    (["skip", "exited"], EXIT_PASS),
    (["skip", "enomem"], EXIT_FAIL),
    (["broken"], EXIT_BROKEN),
    (["broken", "exited", "enomem", "skip"], EXIT_BROKEN),
])
def test_exit_status(lab, host, outcomes, status):
    """The worst one counts; a skip only where there is nothing else."""
    more = {"skip": f"machine: {{memory: 1T, cgroup: v{host}}}",
            "broken": "faults: [{at: 0ms, set: {sysctl.vm.oomlab_has_none: 1}}]"}
    for i, outcome in enumerate(outcomes):
        lab.scenario(small(name=f"s{i}", run="[malloc, --limit=1M, --hold=100ms]",
                           outcome="exited" if outcome in more else outcome, more=more.get(outcome, "")),
                     f"all/s{i}.yaml")
    run = lab.run(lab.tmp / "all", "--allow-host-changes")
    assert run.status == run.json["exit"] == status, run
    assert run.json["verdicts"] == {"pass": outcomes.count("exited"), "fail": outcomes.count("enomem"),
                                    "skip": outcomes.count("skip"), "broken": outcomes.count("broken")}


def test_failed_expectation_says_got_and_wanted(lab):
    run = lab.run(lab.scenario(small(run="[memset, --limit=20M]", outcome="enomem",
                                     more="  - {that: hog.touched, min: 30M, max: 40M}")))
    assert run.status == EXIT_FAIL
    judged = {one["that"]: one for one in run.trial().result["expectations"]}
    assert judged["hog.outcome"]["verdict"] == judged["hog.touched"]["verdict"] == "fail"
    assert judged["hog.touched"]["got"] == 20 * M and "30M" in judged["hog.touched"]["wanted"]
    for words in ("enomem", "exited", "20M", "between 30M and 40M", "scenario.yaml:"):
        assert words in run.stdout


def test_json_is_the_files(lab):
    run = lab.run(lab.scenario(MEMSET_64M), "--format", "json", "--repeat", 2)
    printed = json.loads(run.stdout)
    assert printed["run"] == run.json
    assert printed["results"] == [run.trial(where).result for where in run.json["results"]]
