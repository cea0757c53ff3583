# SPDX-License-Identifier: MIT
"""The catalogue: what every scenario has, what it proves, and its suites by their folder's name."""

import json
import re
import subprocess

import pytest

from lab import EXIT_FAIL, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, OOMLAB, ROOT

FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "scenarios").rglob("*.y*ml"))
# Rows that no scenario proves yet. Whoever adds one that does takes its row away.
MISSING = {"D3", "D4", "D10"}

KERNELS = ["debian_5.10", "debian_6.1", "debian_6.12", "debian_sid"]
UPGRADE = ["cache-reclaim", "global-oom", "memcg-oom", "memory-high", "oom-score-adj", "swap"]

# Settings under which a fact of the scenario is none any more, and the metric that must tell. Those on a path of the
# matrix choose the cell.
WRONG = [
    ("memcg-limit", ["cgroups.app.memory.max=128M"], "hog.touched"),
    ("nested-limit", ["machine.cgroup=v2", "processes.large.oom_score_adj=-1000", "stop.timeout=3s"], "victim"),
    ("memory-oom-group", ["cgroups.app.memory.oom.group=1", "processes.helper.oom_score_adj=-1000"], "kills"),
    ("memory-swap-max", ["machine.cgroup=v2", "cgroups.app.memory.swap.max=16M", "cgroups.app.memory.max=48M"],
     "hog.touched"),
    ("memory-reclaim", ["faults.0.set.cgroups.app.memory.reclaim=16M", "faults.0.at=1h"], "cgroup.app.swap_peak"),
    ("systemd-slice", ["cgroups.app.high=32M", "cgroups.app.memory.high=max"], "cgroup.app.swap_peak"),
    ("k8s-guaranteed", ["cgroups.pod.limit=64M"], "hog.touched"),
    ("v1-swappiness", ["cgroups.app.memory.swappiness=0", "cgroups.app.memory.max=64M"], "hog.outcome"),
    ("v1-oom-control", ["cgroups.app.memory.oom_control=1", "faults.0.at=1s",
                        "faults.0.set.cgroups.app.memory.max=32M"], "hog.outcome"),
    ("constraint-cpuset", ["cgroups.far.cpuset.mems=0", "cgroups.near.cpuset.mems=0-1"], "constraint"),
    ("constraint-memcg", ["machine.cgroup=v2", "cgroups.tree.memory.max=16M", "cgroups.tree/app.memory.max=12M"],
     "limit_cgroup"),
    ("panic-on-oom", ["sysctl.vm.panic_on_oom=2", "cgroups.app={memory.max: 24M}", "processes.hog.run=[memset, --limit=16M]"],
     "panic"),
    ("overcommit-one-block", ["sysctl.vm.overcommit_memory=2", "processes.hog.run.1=--block=200M",
                              "sysctl.vm.overcommit_ratio=200"], "hog.outcome"),
]


def listed(topic, *words):
    done = subprocess.run([OOMLAB, "list", topic, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)[topic] if words else done.stdout


def test_each_scenario_is_listed_with_what_it_proves_and_needs():
    scenarios = {one.get("path"): one for one in listed("scenarios", "--json")}
    assert sorted(scenarios) == [str(path.relative_to("scenarios")) for path in FILES]
    names = [one["name"] for one in scenarios.values()]
    assert sorted(set(names)) == sorted(names)
    text = listed("scenarios")
    for one in scenarios.values():
        assert one["about"].endswith(".") and one["source"] and one["rows"], one
        line, = [line for line in text.splitlines() if line.split()[0] == one["name"]]
        assert one["about"] in line and one["place"] in line and ", ".join(one["rows"]) in line
        assert all(need in line for need in one["needs"])
    swap = scenarios["kernel/kernel-upgrade/upgrade-memcg-oom.yaml"]
    assert swap["rows"] == ["D1", "D6"]
    assert swap["needs"] == ["kernel debian:5.10", "kernel debian:6.1", "kernel debian:6.12", "kernel debian:sid",
                             "swap on pmem", "data on pmem", "a deterministic guest", "cgroup v2"]
    assert scenarios["oom/memcg-limit.yaml"]["needs"] == []


def test_needs_come_from_the_cells(lab):
    """Only the catalogue is listed, so one is made of a copy of the program and other scenarios."""
    where = lab.tmp / "share/oomlab/scenarios"
    (lab.tmp / "bin").mkdir()
    (lab.tmp / "libexec").mkdir()
    (lab.tmp / "bin/oomlab").write_bytes(OOMLAB.read_bytes())
    (lab.tmp / "bin/oomlab").chmod(0o755)
    (lab.tmp / "libexec/oomlab").symlink_to(OOMLAB.parent)
    where.mkdir(parents=True)
    (where.parent / "kernels").symlink_to(ROOT / "guest/kernels")
    (where.parent / "cgroups").symlink_to(ROOT / "cgroups")
    head = "scenario: {0}\nsource: row A1\nprocesses: {{hog: {{run: [malloc]{1}}}}}\n"
    (where / "a.yaml").write_text(head.format("a", ", oom_score_adj: -5") + "sysctl: {vm.swappiness: 0}\n"
                                  "cgroups: {x: {memory.max: 1M, memory.high: 1M}}\n")
    (where / "b.yaml").write_text(head.format("b", "") + "machine: {memory: 64M, cpus: 2, nodes: [32M, 32M], "
                                  "hugepages: 2M, thp: never, mglru: true, ksm: true, cgroup: v1, zswap: {}}\ncgroups: {x: {}}\n"
                                  "matrix: {machine.swap: [null, {size: 1M, kind: zram}, {size: 1M, kind: disk}]}\n")
    (where / "c.yaml").write_text(head.format("c", ", malloc: jemalloc") + "cgroups: {x: {}}\n"
                                  "faults: [{at: 1s, set: {cgroups.x.memory.swappiness: 1}}]\n")
    done = subprocess.run([lab.tmp / "bin/oomlab", "list", "scenarios", "--json"], capture_output=True, text=True,
                          check=True)
    needs = {one["name"]: one["needs"] for one in json.loads(done.stdout)["scenarios"]}
    assert needs == {
        "a": ["cgroup v2", "--allow-host-changes", "CAP_SYS_RESOURCE"],
        "b": ["kernel debian:6.1", "2 CPUs", "2 NUMA nodes", "zswap", "huge pages", "THP never", "MGLRU", "KSM", "cgroup v1",
              "swap on zram", "swap on disk"],
        "c": ["cgroup v1", "jemalloc"]}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_scenario_says_what_it_shows_and_is_held_to_a_number(lab, path):
    run = lab.run(path, "--list-cells", cwd=ROOT)
    assert run.status == EXIT_PASS and run.stdout.strip(), run
    head, _, body = (ROOT / path).read_text().partition("\nscenario: ")
    comment = [line for line in head.splitlines() if "SPDX" not in line]
    assert len(comment) >= 2 and all(line.startswith("#") for line in comment), "a comment above says what is seen, and why"
    expectations = body.partition("\nexpect:")[2]
    assert re.search(r"\b(min|max|near): |\bis: [0-9]", expectations), "no expectation with a number"


def test_each_profile_is_listed_and_has_a_scenario():
    names = {path.stem for path in (ROOT / "cgroups/profiles").glob("*.yaml")}
    profiles = {one["name"]: one for one in listed("profiles", "--json")}
    assert profiles.keys() == names
    assert profiles["k8s-burstable"]["cgroups"]["app"]["memory.high"] == "0.1 * request + 0.9 * limit"
    assert all(name in listed("profiles") for name in names)
    text = "".join((ROOT / path).read_text() for path in FILES)
    assert {name for name in names if not re.search(rf"profile: (\[.*)?\b{name}\b", text)} == set()


def test_coverage_is_what_the_scenarios_say():
    assert (ROOT / "docs/coverage.md").read_text() == listed("coverage"), "build/oomlab list coverage > docs/coverage.md"


def test_each_row_is_proven_by_a_scenario():
    rows = {row["name"]: [one["name"] for one in row["scenarios"]] for row in listed("coverage", "--json")}
    assert len(rows) == 13 + 6 + 5 + 10 + 1
    assert {name for name, scenarios in rows.items() if not scenarios} == MISSING
    assert "overcommit-modes" in rows["D8"] and "overcommit-modes" not in rows["D1"]


def test_coverage_is_a_page_of_its_own():
    everything = subprocess.run([OOMLAB, "list"], capture_output=True, text=True, check=True).stdout
    assert "overcommit-modes" in everything and "What proves what" not in everything
    done = subprocess.run([OOMLAB, "list", "covrage"], capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_USAGE and "coverage" in done.stderr


def test_kernel_upgrade_is_a_case_times_a_kernel(lab):
    run = lab.run("kernel-upgrade", "--list-cells")
    assert run.status == EXIT_PASS, run
    assert run.stdout.split() == [f"upgrade-{case}/kernel={kernel}/1" for case in UPGRADE for kernel in KERNELS]


@pytest.mark.last
def test_a_sample_of_the_catalogue_passes(lab, host, qemu):
    run = lab.run("memcg-limit", "memory-oom-group", "memory-swap-max", "k8s-guaranteed", "v1-swappiness",
                  "overcommit-one-block", "--jobs=2", seconds=2 * GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run


@pytest.mark.last
@pytest.mark.parametrize("name,settings,metric", WRONG, ids=[name for name, _, _ in WRONG])
def test_a_wrong_setting_fails_the_verdict(lab, host, qemu, name, settings, metric):
    run = lab.run(name, *[f"--set={one}" for one in settings], seconds=GUEST_WAIT_S)
    assert run.status == EXIT_FAIL, run
    failed = [one["that"] for one in run.trial().result["expectations"] if one["verdict"] == "fail"]
    assert metric in failed


@pytest.mark.last
def test_a_change_that_the_kernel_is_too_old_for_is_a_skip(lab, qemu):
    run = lab.run("memory-reclaim", "--kernel=debian:5.10", "--jobs=2", seconds=GUEST_WAIT_S)
    assert run.status == EXIT_SKIP, run
    reason = run.trial("faults.0.set.cgroups.app.memory.reclaim=16M/1").result["reason"]
    assert "this kernel has no memory.reclaim" in reason


@pytest.mark.last
def test_kernel_upgrade_on_the_default_kernel(lab, qemu):
    run = lab.run("kernel-upgrade", "--kernel=debian:6.1", "--jobs=2", seconds=2 * GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert run.json["verdicts"]["pass"] == len(UPGRADE)
    assert "where kernels differ" not in run.stdout
