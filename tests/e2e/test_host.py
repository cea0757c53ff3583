# SPDX-License-Identifier: MIT
"""Trials on this machine. What the program says is held against /dev/kmsg, /proc and cgroupfs as read here."""

import os
import pathlib
import signal

import pytest

from lab import (EXIT_BROKEN, EXIT_PASS, EXIT_SKIP, M, MEMSET_64M, MS, SYSCTL, descendants, groups_of, memory_cgroup,
                 proc_bytes, small, wait_until)

pytestmark = pytest.mark.usefixtures("host")

HOLD = """
scenario: hold
place: host
cgroups:
  app: {memory.max: 128M}
processes:
  hog: {run: [memset, --limit=32M, --hold=forever], cgroup: app}
stop: {timeout: 30s}
"""


def limit_file(version, key):
    return {1: {"memory.max": "memory.limit_in_bytes"}, 2: {}}[version].get(key, key)


def test_memset_in_64m_is_oom_killed(lab, kernel_log):
    # Slowly, so that a tick of 10 ms sees the last megabytes.
    slowly = "processes.hog.run=[memset, --block=1M, --limit=192M, --pause=5ms]"
    run = lab.run(lab.scenario(MEMSET_64M), "--set", slowly)
    assert run.status == EXIT_PASS, run
    trial, kills = run.trial(), kernel_log.kills()
    hog, result = trial.process(), trial.result
    assert (hog["outcome"], hog["signal"], hog["exit_code"], hog["phase"]) == ("oom-killed", 9, None, "run")

    # The kernel's own words name that process, and the record has the same numbers.
    kill = kills[hog["pid"]]
    [victim] = result["victims"]
    assert (victim["process"], victim["pid"], victim["comm"]) == ("hog", hog["pid"], kill["comm"])
    assert (victim["total_vm"], victim["anon_rss"]) == (int(kill["vm"]) << 10, int(kill["anon"]) << 10)
    assert victim["constraint"] == "memcg" and victim["uid"] == os.getuid()
    assert victim["oom_memcg"] == victim["task_memcg"]
    assert victim["oom_memcg"].endswith(".1/app") and "/oomlab." in victim["oom_memcg"]
    assert kill[0] in (trial.dir / "kmsg.log").read_text()

    assert victim["witnesses"] == {"kernel_log": True, "cgroup": True, "wait_status": True}
    assert victim["agree"] is True and result["reason"] is None
    assert hog["metrics"]["vmas"] is None and not [one for one in trial.events if one["event"] == "maps"]
    assert trial.event("oom-kill")["pid"] == hog["pid"]
    assert trial.event("exit")["signal"] == signal.SIGKILL
    assert trial.rows("cgroups.csv", cgroup="app")[-1]["oom_kills"] == 1

    assert 60 * M < hog["metrics"]["touched"] <= 64 * M
    assert hog["metrics"]["allocated"] - hog["metrics"]["touched"] <= M  # it died inside one block
    assert 60 * M < hog["metrics"]["rss_peak"] <= 65 * M  # the program's own pages are charged elsewhere
    assert (result["metrics"]["victim"], result["metrics"]["kills"]) == ("hog", 1)


def test_malloc_in_64m_reaches_its_limit(lab, kernel_log):
    run = lab.run(lab.scenario(MEMSET_64M.replace("memset", "malloc").replace("192M", "1G")
                               .replace("is: oom-killed", "is: exited").replace("victim, is: hog", "kills, is: 0")))
    assert run.status == EXIT_PASS, run
    hog = run.trial().process()
    assert (hog["outcome"], hog["exit_code"], hog["signal"], hog["phase"]) == ("exited", 0, None, "done")
    assert (hog["metrics"]["allocated"], hog["metrics"]["touched"]) == (1024 * M, 0)
    assert hog["metrics"]["vsize_peak"] >= 1024 * M and hog["metrics"]["rss_peak"] < 10 * M
    # What it had mapped: blocks of 1 MiB next to each other are one mapping, or a few.
    maps = run.trial().event("maps", process="hog")
    assert hog["metrics"]["vmas"] == maps["vmas"] == len(maps["maps"]) < 20
    assert sum(one["bytes"] for one in maps["maps"] if one["name"] == "") >= 1024 * M
    assert run.trial().result["victims"] == []
    assert hog["pid"] not in kernel_log.kills()


def test_refused_allocation_is_enomem(lab):
    """More than the address space or, in mode 0, than RAM and swap."""
    run = lab.run(lab.scenario(small(run="[malloc, --block=100T]", outcome="enomem")))
    assert run.status == EXIT_PASS, run
    hog = run.trial().process()
    assert (hog["outcome"], hog["errno"], hog["phase"], hog["signal"]) == ("enomem", 12, "enomem", None)
    assert "Cannot allocate memory" in hog["note"]
    assert run.trial().result["victims"] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_killed_by_somebody_else_is_signalled(lab, kernel_log, number):
    live = lab.start(lab.scenario(HOLD + "expect: [{that: hog.outcome, is: signalled}, {that: kills, is: 0}]"))
    pid = live.holding("memset", 32 * M)
    os.kill(pid, number)
    run = live.wait()
    assert run.status == EXIT_PASS, run
    hog, result = run.trial().process(), run.trial().result
    assert (hog["pid"], hog["outcome"], hog["signal"], hog["exit_code"]) == (pid, "signalled", number, None)
    assert result["victims"] == [] and result["metrics"]["victim"] is None
    assert hog["metrics"]["touched"] == 32 * M
    assert pid not in kernel_log.kills()


def test_timeout(lab):
    text = HOLD.replace("30s", "700ms") + "expect: [{that: hog.outcome, is: timeout}, {that: kills, is: 0}]"
    run = lab.run(lab.scenario(text))
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    assert trial.process()["outcome"] == "timeout" and trial.result["sealed"] == "timeout"
    assert trial.event("exit")["ended_by"] == "timeout"
    assert 650 * MS < trial.process()["metrics"]["duration"] < 5000 * MS


def test_fault_lowers_the_limit_of_a_running_process(lab):
    """It would end at 96M; after the fault there is room for 48M only."""
    run = lab.run(lab.scenario("""
scenario: fault
place: host
cgroups:
  app: {memory.max: 128M}
processes:
  hog: {run: [memset, --limit=96M, --pause=10ms], cgroup: app}
faults:
  - {at: 200ms, set: {cgroups.app.memory.max: 48M}}
stop: {timeout: 20s}
expect:
  - {that: hog.outcome, is: oom-killed}
  - {that: hog.touched, min: 40M, max: 48M}
"""))
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    fault, release = trial.event("fault"), trial.event("release")
    assert (fault["cgroup"], fault["key"], fault["got"]) == ("app", "memory.max", str(48 * M))
    assert 200 * MS <= fault["t_ns"] - release["t_ns"] < 400 * MS
    assert trial.event("oom-kill")["t_ns"] > fault["t_ns"]


def test_fault_below_what_is_in_use(lab, host):
    """v2 kills to get there. v1 refuses with EBUSY: then the trial is not what was asked for, so it is broken."""
    text = HOLD.replace("30s", "3s") + """
faults:
  - {at: 500ms, set: {cgroups.app.memory.max: 8M}}
expect:
  - {that: hog.outcome, is: oom-killed}
"""
    run = lab.run(lab.scenario(text))
    if host == 2:
        assert run.status == EXIT_PASS, run
    else:
        assert run.status == EXIT_BROKEN, run
        assert "fault at 500ms" in run.trial().result["reason"] and "busy" in run.trial().result["reason"]


def test_limits_are_read_back(lab, host):
    """The kernel rounds to whole pages; the record has what it made of it, and cgroupfs agrees."""
    live = lab.start(lab.scenario(HOLD.replace("memory.max: 128M", f"memory.max: {64 * M + 1}B, pids.max: 7")))
    live.holding("memset", 32 * M)
    _, mount = memory_cgroup()
    app = mount / f"oomlab.{live.pid}.1" / "app"
    assert (app / limit_file(host, "memory.max")).read_text() == f"{64 * M}\n"
    # The stressor, and nothing else, is in it.
    assert (app / "cgroup.procs").read_text().split() == [str(live.find("memset"))]
    os.kill(live.find("memset"), signal.SIGTERM)
    run = live.wait()
    was_set = run.trial().event("set", key="memory.max")
    assert (was_set["wanted"], was_set["got"]) == (str(64 * M + 1), str(64 * M))
    assert run.trial().event("set", key="pids.max")["got"] == "7"


def test_nested_groups(lab):
    """The limit of the outer group holds for what runs in the inner one."""
    run = lab.run(lab.scenario("""
scenario: nested
place: host
cgroups:
  a: {memory.max: 48M}
  a/b: {memory.max: 96M}
processes:
  hog: {run: [memset, --limit=128M], cgroup: a/b}
expect:
  - {that: hog.outcome, is: oom-killed}
"""))
    assert run.status == EXIT_PASS, run
    [victim] = run.trial().result["victims"]
    assert victim["oom_memcg"].endswith("/a") and victim["task_memcg"] == victim["oom_memcg"] + "/b"
    assert run.trial().process()["metrics"]["touched"] <= 48 * M


def test_bigger_one_of_two_is_the_victim(lab, kernel_log):
    """Both are in one group; the small one holds and must survive."""
    run = lab.run(lab.scenario("""
scenario: two
place: host
cgroups:
  app: {memory.max: 64M}
processes:
  small: {run: [memset, --limit=4M, --hold=1s], cgroup: app}
  big: {run: [memset, --limit=128M], cgroup: app}
expect:
  - {that: victim, is: big}
  - {that: kills, is: 1}
  - {that: small.outcome, is: exited}
"""))
    assert run.status == EXIT_PASS, run
    big, little = run.trial().process("big"), run.trial().process("small")
    kills = kernel_log.kills()
    assert big["pid"] in kills and little["pid"] not in kills


def test_samples_agree_with_proc(lab):
    live = lab.start(lab.scenario(HOLD + "record: {every: 20ms}"))
    pid = live.holding("memset", 32 * M)
    seen = {key: proc_bytes(pid, key) for key in ("VmRSS", "VmSize", "VmPTE", "RssAnon", "VmSwap")}
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    minor_faults, major_faults = int(stat[7]), int(stat[9])
    score = int(pathlib.Path(f"/proc/{pid}/oom_score").read_text())
    version, mount = memory_cgroup()
    usage_file = {1: "memory.usage_in_bytes", 2: "memory.current"}[version]
    usage = int((mount / f"oomlab.{live.pid}.1/app" / usage_file).read_text())
    os.kill(pid, signal.SIGTERM)  # it waits with its end until it has been sampled
    trial = live.wait().trial()
    last = [row for row in trial.rows("processes.csv", process="hog") if row["rss"] is not None][-1]
    for column, key in {"rss": "VmRSS", "vsize": "VmSize", "pgtables": "VmPTE", "rss_anon": "RssAnon",
                        "swap": "VmSwap"}.items():
        assert abs(last[column] - seen[key]) <= M // 2, column  # the kernel counts RSS in batches
    assert 0 <= last["minor_faults"] - minor_faults < 100 and last["major_faults"] >= major_faults
    assert abs(last["oom_score"] - score) <= 1
    assert (last["allocated"], last["touched"]) == (32 * M, 32 * M)
    assert any(abs(row["current"] - usage) <= M // 4 for row in trial.rows("cgroups.csv", cgroup="app"))
    meminfo = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    assert trial.rows("system.csv")[-1]["meminfo.MemTotal"] == int(meminfo["MemTotal"].split()[0]) << 10


@pytest.mark.parametrize("every_ms", [10, 50])
def test_a_row_every_tick(lab, every_ms):
    run = lab.run(lab.scenario(HOLD.replace("30s", "1500ms") + f"record: {{every: {every_ms}ms}}"))
    trial = run.trial()
    release, end = trial.event("release")["t_ns"], trial.event("exit")["t_ns"]
    expected = (end - release) / (every_ms * MS)
    for name, wanted in ("processes.csv", {"process": "hog"}), ("system.csv", {}), ("cgroups.csv", {"cgroup": "app"}):
        times = [row["t_ns"] for row in trial.rows(name, **wanted) if release <= row["t_ns"] <= end]
        assert times == sorted(times)
        # Ticks that the machine had no time for are missing; there are never more of them than there is time.
        assert 0.6 * expected <= len(times) <= expected + 4, name
        gaps = sorted(after - before for before, after in zip(times, times[1:]))
        assert 0.9 * every_ms * MS <= gaps[len(gaps) // 2] <= 1.3 * every_ms * MS, name
    assert trial.event("end")["samples_dropped"] == 0


SKIPS = {
    "no v1 twin": (1, "cgroups: {app: {memory.high: 32M}}", ["cgroups.app", "memory.high", "no twin in cgroup v1"]),
    "a sysctl": (None, "sysctl: {vm.swappiness: 10}", ["sysctl", "--allow-host-changes", "--place guest"]),
    "a sysctl by a fault": (None, "faults: [{at: 1s, set: {sysctl.vm.swappiness: 10}}]",
                            ["sysctl", "--allow-host-changes"]),
    "swap": (None, "machine: {swap: {size: 16M}}", ["swap", "--allow-host-changes", "--place guest"]),
    "more memory": (None, "machine: {memory: 1T}", ["1024G", "memory"]),
    "another kernel": (None, "machine: {kernel: 'debian:5.10'}", ["kernel", "5.10", os.uname().release]),
    "NUMA": (None, "machine: {memory: 256M, nodes: [128M, 128M]}", ["NUMA", "--place guest"]),
    "many CPUs": (None, "machine: {cpus: 64}", ["CPUs", "64"]),
}


@pytest.mark.parametrize("version, more, words", SKIPS.values(), ids=SKIPS)
def test_skip_says_why(lab, host, version, more, words):
    if version and version != host:
        pytest.skip(f"this machine has cgroup v{host}")
    before = {name: pathlib.Path(name).read_text() for name in ("/proc/sys/vm/swappiness", "/proc/swaps")}
    if "machine:" in more:
        more = more.replace("machine: {", f"machine: {{cgroup: v{host}, ")
    run = lab.run(lab.scenario(small(more=more)))
    assert run.status == EXIT_SKIP, run
    result = run.trial().result
    assert result["verdict"] == "skip" and result["processes"] == []
    for word in words:
        assert word in result["reason"]
    assert result["reason"] in " ".join(run.stdout.split()), "the reason is not shown"
    assert before == {name: pathlib.Path(name).read_text() for name in before}


def test_lower_oom_score_adj(lab):
    """Without CAP_SYS_RESOURCE a skip; with it the process really has that value."""
    capabilities = int(pathlib.Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    text = small(run="[malloc, --limit=1M, --hold=forever]").replace("]}", "], oom_score_adj: -5}")
    if capabilities >> 24 & 1:
        live = lab.start(lab.scenario(text))
        pid = live.find("malloc")
        assert pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text() == "-5\n"
        os.kill(pid, signal.SIGTERM)
        live.wait()
    else:
        run = lab.run(lab.scenario(text))
        assert run.status == EXIT_SKIP, run
        for word in ("processes.hog", "oom_score_adj -5", "CAP_SYS_RESOURCE"):
            assert word in run.trial().result["reason"]


def test_higher_oom_score_adj(lab):
    """The smaller process is chosen when its score is raised; the one that names no value has 0."""
    live = lab.start(lab.scenario("""
scenario: adj
place: host
cgroups:
  app: {memory.max: 64M}
processes:
  small: {run: [memset, --limit=8M, --hold=forever], cgroup: app, oom_score_adj: 900}
  big: {run: [memset, --limit=60M, --pause=20ms], cgroup: app}
expect:
  - {that: victim, is: small}
  - {that: big.outcome, is: exited}
"""))
    both = wait_until("both", lambda: live.alive() and [pid for pid, stat in descendants(live.pid).items()
                                                        if stat[0] == "memset"][1:] and descendants(live.pid))
    adj = sorted(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text().strip()
                 for pid, stat in both.items() if stat[0] == "memset")
    assert adj == ["0", "900"]
    run = live.wait()
    assert run.status == EXIT_PASS, run
    assert run.trial().result["victims"][0]["oom_score_adj"] == 900


def test_allowed_sysctl_is_set_and_put_back(lab, sysctl):
    before, other = sysctl
    text = small(run="[malloc, --limit=1M, --hold=forever]", more=f"sysctl: {{vm.stat_interval: {other}}}")
    live = lab.start(lab.scenario(text), "--allow-host-changes")
    pid = live.find("malloc")
    assert SYSCTL.read_text().strip() == other
    os.kill(pid, signal.SIGTERM)
    run = live.wait()
    assert SYSCTL.read_text().strip() == before
    event = run.trial().event("set", sysctl="vm.stat_interval")
    assert (event["wanted"], event["was"], event["got"]) == (other, before, other)


def test_cgroup_parent(lab):
    _, mount = memory_cgroup()
    parent = mount / f"oomlab-test.{os.getpid()}"
    parent.mkdir()
    others = [where.parent / "pids" / parent.name for where in [mount] if (where.parent / "pids").is_dir()]
    for other in others:
        other.mkdir(exist_ok=True)
    try:
        live = lab.start(lab.scenario(HOLD), "--cgroup-parent", f"/{parent.name}")
        pid = live.holding("memset", 32 * M)
        assert (parent / f"oomlab.{live.pid}.1/app/cgroup.procs").read_text().split() == [str(pid)]
        assert groups_of(live.pid) == []  # none at the top
        os.kill(pid, signal.SIGTERM)
        run = live.wait()
        assert run.status == EXIT_PASS, run
        assert [path for path in parent.iterdir() if path.is_dir()] == []
    finally:
        for group in [parent, *others]:
            group.rmdir()


def test_cgroup_parent_that_is_not_there(lab):
    run = lab.run(lab.scenario(small()), "--cgroup-parent", "/no/such/group")
    assert run.status == EXIT_SKIP, run
    assert "no/such/group" in run.trial().result["reason"]


def test_two_harnesses_at_a_time(lab):
    """Neither sees the other's groups or kills as its own."""
    path = lab.scenario(MEMSET_64M)
    runs = [live.wait() for live in [lab.start(path), lab.start(path)]]
    assert [run.status for run in runs] == [EXIT_PASS, EXIT_PASS], runs
    victims = [run.trial().result["victims"] for run in runs]
    assert [len(one) for one in victims] == [1, 1]
    assert victims[0][0]["pid"] != victims[1][0]["pid"]
