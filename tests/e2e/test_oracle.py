# SPDX-License-Identifier: MIT
"""The oracle's word on a trial's first kill: from samples and from the kernel's own report, beside whom the kernel chose."""

import pytest

from lab import EXIT_FAIL, EXIT_PASS, EXIT_USAGE, GUEST_WAIT_S

# The larger one stays, since the smaller one asks to go first.
LADDER = """
scenario: ladder
{place}
cgroups: {{app: {{memory.max: 64M}}, app/in: {{}}, app/one: {{}}, away: {{}}}}
processes:
  large: {{run: [memset, --limit=24M, --hold=forever], cgroup: app/one}}
  small: {{run: [memset, --limit=16M, --hold=forever], cgroup: app/in, oom_score_adj: {adj}}}
  outside: {{run: [memset, --limit=40M, --hold=forever], cgroup: away}}
  hog: {{run: [leak, --rate=64M, --limit=0], cgroup: app/one, start: {{after: small, phase: hold, at: 300ms}}, stop: {{after: small, phase: ended}}}}
stop: {{timeout: 3s}}
expect:
  - {{that: oracle.agrees, is: true}}
  - {{that: oracle.exact, is: agrees}}
  - {{that: victim, is: {victim}}}
"""
GUEST = "machine: {kernel: debian:6.1, memory: 256M}"


@pytest.mark.parametrize("place", ["place: host", GUEST], ids=["host", "guest"])
def test_agrees(lab, host, qemu, place):
    """By oom_score_adj the small one goes first, in a group in which others are and others are not."""
    run = lab.run(lab.scenario(LADDER.format(place=place, adj=900, victim="small")), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    result = run.trial().result
    oracle = result["oracle"]
    assert oracle["predicted"] == oracle["victim"] == "small" and oracle["margin"] > oracle["error"]
    # What is outside the group is no candidate, whatever its size.
    assert {one["process"] for one in oracle["candidates"]} == {"large", "small", "hog"}
    assert oracle["candidates"][0]["score"] == pytest.approx(oracle["exact"]["score"], abs=256)
    assert oracle["exact"]["pid"] == result["victims"][0]["pid"]


def test_an_expectation_about_it_can_fail(lab, host):
    run = lab.run(lab.scenario(LADDER.format(place="place: host", adj=900, victim="small").replace("is: true", "is: false")))
    assert run.status == EXIT_FAIL, run
    failed, = [one for one in run.trial().result["expectations"] if one["verdict"] == "fail"]
    assert failed["that"] == "oracle.agrees" and failed["got"] == "true"


@pytest.mark.parametrize("kernel", ["debian:6.1", "debian:6.12", "debian:sid"])
def test_two_that_are_alike_and_stand_still_can_be_told_apart(lab, qemu, request, kernel):
    """Each of them reads other counters: a thread's, what CPUs have told, exact sums."""
    if kernel == "debian:sid":
        request.getfixturevalue("sid")
    run = lab.run(lab.scenario(f"""
scenario: twins
machine: {{kernel: "{kernel}", memory: 128M}}
cgroups: {{app: {{memory.max: 48M}}}}
processes:
  one: {{run: [memset, --limit=20M, --hold=forever], cgroup: app, stop: {{after: hog, phase: ended}}}}
  two: {{run: [memset, --limit=20M, --hold=forever], cgroup: app, stop: {{after: hog, phase: ended}}}}
  hog: {{run: [memset, --limit=16M, --pause=20ms], cgroup: app, start: {{after: two, phase: hold, at: 100ms}}}}
stop: {{timeout: 30s}}
expect: [{{that: oracle.agrees, is: true}}, {{that: victim, is: [one, two]}}, {{that: oracle.exact, is: agrees}}]
"""), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    first, second = run.trial().result["oracle"]["candidates"][:2]
    assert {first["process"], second["process"]} == {"one", "two"} and first["score"] - second["score"] < 64


def test_one_that_no_sample_saw_is_too_close_to_call(lab, host):
    run = lab.run(lab.scenario("""
scenario: unseen
place: host
cgroups: {app: {memory.max: 48M}}
processes:
  one: {run: [memset, --limit=4M, --hold=forever], cgroup: app, stop: {after: hog, phase: ended}}
  hog: {run: [memset], cgroup: app, start: {after: one, phase: hold, at: 100ms}}
record: {every: 2s}
stop: {timeout: 10s}
expect: [{that: victim, is: hog}, {that: oracle.agrees, is: close}, {that: oracle.exact, is: agrees}]
"""))
    assert run.status == EXIT_PASS, run


def test_nobody_killed_and_a_name_that_is_taken(lab, host):
    run = lab.run(lab.scenario("scenario: calm\nplace: host\nprocesses: {hog: {run: [memset, --limit=1M]}}\n"))
    assert run.status == EXIT_PASS and run.trial().result["oracle"] is None, run
    assert run.trial().result["metrics"]["oracle.agrees"] is None
    run = lab.run(lab.scenario("scenario: taken\nplace: host\nprocesses: {oracle: {run: [memset]}}\n"))
    assert run.status == EXIT_USAGE and "'oracle' is taken by the metrics" in run.stderr, run
