# SPDX-License-Identifier: MIT
"""What is printed: TAP as prove reads it, JSON as it is in the files, the table, and the live line."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

import pytest

from lab import (EXIT_BROKEN, EXIT_FAIL, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, HOST_WAIT_S, OOMLAB, SCENARIOS,
                 groups_of, read_all)


def scenario(outcome="exited", more="", hold="0", name="small"):
    return f"""
scenario: {name}
place: host
processes:
  hog: {{run: [memset, --limit=20M, --hold={hold}]}}
expect:
  - {{that: hog.outcome, is: {outcome}}}
  - {{that: hog.touched, is: 20M}}
{more}
"""


def prove(lab, *paths):
    """The command of the README, in a directory of its own."""
    if not shutil.which("prove"):
        pytest.skip("prove is not installed (package perl)")
    return subprocess.run(["prove", "--ignore-exit", "--exec", f"{OOMLAB} run --format tap", *paths], cwd=lab.tmp,
                          env={**lab.env, "LC_ALL": "C"}, capture_output=True, text=True, timeout=HOST_WAIT_S)


@pytest.mark.parametrize("kind, ours, theirs, words", [
    ("pass", EXIT_PASS, 0, ["ok", "All tests successful", "Tests=2", "Result: PASS"]),
    ("fail", EXIT_FAIL, 1, ["Failed 1/2 subtests", "Failed test:  1", "Result: FAIL"]),
    ("skip", EXIT_SKIP, 0, ["skipped: ", "Result: NOTESTS"]),
    ("broken", EXIT_BROKEN, 1, ["Failed 1/1 subtests", "Result: FAIL"]),
    ("bad", EXIT_USAGE, 1, ["No plan found", "Result: FAIL"]),
    ("some skipped", EXIT_PASS, 0, ["Result: PASS"]),
])
def test_prove_agrees(lab, host, kind, ours, theirs, words):
    more = {"skip": f"machine: {{memory: 1T, cgroup: v{host}}}", "bad": "abuot: x",
            "broken": "faults: [{at: 0ms, set: {cgroups.g.memory.max: 1M}}]\ncgroups: {g: {memory.max: 2M}}",
            "some skipped": f"matrix: {{machine.memory: [256M, 1T]}}\nmachine: {{cgroup: v{host}}}"}.get(kind, "")
    path = lab.scenario(scenario(outcome="enomem" if kind == "fail" else "exited", more=more, hold="200ms"))
    if kind == "broken":  # the limit of a group that holds more cannot be lowered on v1
        if host == 2:
            pytest.skip("cgroup v2 kills instead of refusing")
        path.write_text(path.read_text().replace("200ms]", "2s], cgroup: g").replace("2M}", "64M}")
                        .replace("at: 0ms", "at: 1s"))
    done, run = prove(lab, path), lab.run(path, "--format", "tap")
    assert run.status == ours, run
    assert done.returncode == theirs, done.stdout + done.stderr
    assert (done.returncode == 0) == (run.status in (EXIT_PASS, EXIT_SKIP))
    for word in words:
        assert word in done.stdout + done.stderr


def test_prove_of_several(lab, host):
    """One file fails: prove names it, and none of the others."""
    good = lab.scenario(scenario(name="good"), "good.yaml")
    bad = lab.scenario(scenario(name="bad", outcome="enomem"), "bad.yaml")
    done = prove(lab, good, bad)
    assert done.returncode == 1 and "Files=2, Tests=4" in done.stdout
    assert re.search(rf"^{re.escape(str(good))} \.+ ok$", done.stdout, re.MULTILINE)
    assert "Failed test:  1" in done.stdout


def test_tap(lab, host):
    run = lab.run(lab.scenario(scenario(outcome="enomem", more="matrix: {processes.hog.run.0: [memset, malloc]}")),
                  "--format", "tap", "--repeat", 2)
    lines = run.stdout.splitlines()
    assert lines[:2] == ["TAP version 13", "1..8"]
    points = [re.fullmatch(r"(ok|not ok) (\d+) - (\S+)( \(trial 2\))?: (.*)", line) for line in lines
              if re.match("(not )?ok", line)]
    assert [int(point[2]) for point in points] == list(range(1, 9))
    judged = [(where, one) for where in run.json["results"] for one in run.trial(where).result["expectations"]]
    assert len(judged) == 8
    for point, (where, one) in zip(points, judged):
        assert (point[1] == "ok") == (one["verdict"] == "pass")
        assert point[3] == f"small/{where.split('/')[0]}" and bool(point[4]) == where.endswith("/2")
        assert point[5] == f"{one['that']} is {one['wanted']}"
    # Under each failed point what it got and what was wanted, and nowhere else.
    assert run.stdout.count("  ---\n") == run.stdout.count("  ...\n") == run.stdout.count("\nnot ok")
    at = lines.index("  ---")
    assert lines[at + 1:at + 3] == ['  got: "exited"', '  wanted: "enomem"'] and "scenario.yaml:7" in lines[at + 3]


def test_json(lab, host):
    run = lab.run(lab.scenario(scenario(more="matrix: {processes.hog.run.0: [memset, malloc]}")), "--format", "json")
    assert run.status == EXIT_FAIL  # malloc touches nothing
    printed = json.loads(run.stdout)
    assert set(printed) == {"run", "results"} and printed["run"] == run.json
    assert printed["results"] == [run.trial(where).result for where in run.json["results"]]
    assert len(printed["results"]) == 2 and printed["run"]["exit"] == EXIT_FAIL


def test_table(lab, host):
    run = lab.run(lab.scenario(scenario(outcome="enomem", more="matrix: {processes.hog.run.0: [memset, malloc]}")))
    assert run.stderr == "" and "\x1b" not in run.stdout and "\r" not in run.stdout
    head = next(line for line in run.stdout.splitlines() if line.startswith("stressor") or "outcome" in line)
    for column in ("allocated", "touched", "peak RSS", "peak swap", "outcome", "victim", "verdict"):
        assert column in head
    row = next(line for line in run.stdout.splitlines() if re.match(r"memset\b", line))
    assert row.split()[-3:] == ["exited", "-", "fail"] and row.split().count("20M") >= 2
    assert "2 cells: 2 fail" in run.stdout and run.stdout.rstrip().endswith(str(run.dir))


def on_terminal(lab, *words, columns=100, env=None):
    """Runs with a terminal as standard output: (status, all that was written to it)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    out = lab.tmp / "out"
    process = subprocess.Popen([OOMLAB, "run", *words, "--out", out], stdin=subprocess.DEVNULL, stdout=slave,
                               stderr=slave, env={**lab.env, **(env or {})})
    os.close(slave)
    try:
        text = read_all(master)
        status = process.wait(HOST_WAIT_S)
    finally:
        os.close(master)
    assert groups_of(process.pid) == []
    return status, text


LIVE = re.compile(r"\rcell (\d+)/(\d+)\s+(\S+)\s+RSS\s+(\S+)\s+swap\s+(\S+)\s+([^\s\x1b]+)")


def test_live_line_on_a_terminal(lab, host):
    status, text = on_terminal(lab, lab.scenario(scenario(hold="700ms")), "--repeat", "2",
                               "--matrix", "record.every=10ms,20ms")
    assert status == EXIT_PASS
    shown = LIVE.findall(text)
    assert len(shown) >= 8, text
    assert {one[0] for one in shown} == {"1", "2"} and {one[1] for one in shown} == {"2"}, "cells, not trials"
    assert any(re.fullmatch(r"2[01](\.\d)?M", one[3]) for one in shown), "the process's RSS is not there"
    assert {one[5] for one in shown} == {f"record.every={every}/{n}" for every in ("10ms", "20ms") for n in (1, 2)}
    # It is taken away before the table, which follows whole.
    assert text.rindex("\r\x1b[K") < text.index("verdict")
    assert "4 pass" in re.sub(r"\x1b\[\d*m", "", text) and not LIVE.search(text[text.index("verdict"):])


def test_live_line_fits_a_narrow_terminal(lab, host):
    path = lab.scenario(scenario(hold="300ms", name="a" * 60))
    _, text = on_terminal(lab, path, "--matrix", "processes.hog.run.1=--limit=20M", columns=30)
    lines = re.findall(r"\r(cell [^\r\x1b]*)", text)
    assert lines and max(map(len, lines)) < 30


@pytest.mark.parametrize("form", ["tap", "json"])
def test_no_live_line_for_machines(lab, host, form):
    status, text = on_terminal(lab, lab.scenario(scenario(hold="300ms")), "--format", form)
    assert status == EXIT_PASS and not LIVE.search(text) and "\x1b" not in text
    if form == "json":
        json.loads(text)


def test_no_live_line_in_a_pipe(lab, host):
    run = lab.run(lab.scenario(scenario(hold="300ms")))
    assert run.status == EXIT_PASS
    assert not re.search(r"[\r\x1b]", run.stdout + run.stderr) and "cell 1/1" not in run.stdout


def test_colour_is_for_terminals_that_want_it(lab, host):
    path = lab.scenario(scenario())
    _, text = on_terminal(lab, path)
    assert "\x1b[3" in text
    shutil.rmtree(lab.tmp / "out")
    _, text = on_terminal(lab, path, env={"NO_COLOR": "1"})
    assert "\x1b[3" not in text


def test_list_cells(lab):
    """The first path varies slowest; nothing is run and nothing made."""
    path = lab.scenario(scenario(more="matrix:\n  processes.hog.run.0: [memset, malloc]\n  stop.timeout: [1s, 2s]"))
    run = lab.run(path, "--list-cells", "--repeat", 2, "--matrix", "record.every=10ms,20ms")
    assert (run.status, run.stderr) == (EXIT_PASS, "")
    lines = run.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 16 and all(line.startswith("small/") for line in lines)
    order = [re.search(r"(memset|malloc)\b.*?([12]s)\b.*?([12]0ms)\b.*/([12])$", line).groups() for line in lines]
    assert order == [(a, b, c, d) for a in ("memset", "malloc") for b in ("1s", "2s") for c in ("10ms", "20ms")
                     for d in "12"]
    assert not run.dir.exists() and not lab.journals()


def test_cells_are_the_run_directory(lab, host):
    path = lab.scenario(scenario(more="matrix: {processes.hog.run.0: [memset, malloc]}"))
    listed = lab.run(path, "--list-cells").stdout.split()
    run = lab.run(path)
    assert listed == [f"small/{where}" for where in run.json["results"]]
    assert all((run.dir / where / "result.json").is_file() for where in run.json["results"])


def test_kernels_become_an_axis(lab):
    path = SCENARIOS / "guest/mode2.yaml"
    run = lab.run(path, "--list-cells", "--kernel", "debian:6.1", "--kernel", "debian:5.10")
    assert run.status == EXIT_PASS and len(run.stdout.splitlines()) == 2
    assert "6.1" in run.stdout.splitlines()[0] and "5.10" in run.stdout.splitlines()[1]


def test_help_names_every_option():
    text = subprocess.run([OOMLAB, "run", "--help"], capture_output=True, text=True, timeout=20, check=True).stdout
    for option in ("place", "kernel", "set", "matrix", "repeat", "jobs", "out", "format", "list-cells", "accel",
                   "cgroup-parent", "allow-host-changes", "keep-blackbox"):
        assert f"--{option}" in text
    assert "exit status: 0" in text
