# SPDX-License-Identifier: MIT
"""Trials in throw-away machines. scenarios/guest/ is run once, two guests at a time; the tests look at its cells."""

import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile

import pytest

from lab import (EXIT_BROKEN, EXIT_FAIL, EXIT_PASS, EXIT_SKIP, GUEST_WAIT_S, M, MS, OOMLAB, ROOT, SCENARIOS, Lab, descendants,
                 gone, wait_until)

pytestmark = pytest.mark.usefixtures("qemu")

# What QEMU takes for a kernel: the boot sector's magic, "HdrS", protocol 2.15, loaded high, room for an initramfs.
HEADER = {0x1f1: b"\x04", 0x1f4: b"\x00\x70\x00\x00", 0x1fe: b"\x55\xaa", 0x202: b"HdrS\x0f\x02", 0x211: b"\x01",
          0x22c: b"\xff\xff\xff\x7f", 0x236: b"\x01"}
RESET = {0x200: b"\xeb\x70", 0x272: b"\xb0\xfe\xe6\x64"}  # jmp; mov $0xfe,%al; out %al,$0x64
NOKERNEL = """
scenario: nokernel
machine: {{memory: 160M, kernel: {kernel}}}
processes:
  hog: {{run: [memset, --limit=1M]}}
stop: {{timeout: 1s}}
expect: [{{that: hog.outcome, is: exited}}]
"""
QUICK = """
scenario: quick
machine: {memory: 160M}
processes:
  hog: {run: [memset, --limit=8M]}
expect:
  - {that: hog.outcome, is: exited}
  - {that: hog.touched, is: 8M}
"""


def fake_kernel(path, code):
    """A file that QEMU loads and a processor cannot do anything useful with; the rest of it is hlt."""
    image = bytearray(b"\xf4" * (512 << 10))
    for at, what in {**HEADER, **code}.items():
        image[at:at + len(what)] = what
    path.write_bytes(image)
    return path


@pytest.fixture(scope="session", autouse=True)
def hanging(qemu, tmp_path_factory):
    """A guest that never boots. It takes no CPU, but a minute: started first, looked at last."""
    lab = Lab(tmp_path_factory.mktemp("hanging"))
    live = lab.start(lab.scenario(NOKERNEL.format(kernel=fake_kernel(lab.tmp / "hlt", {}))))
    wait_until("QEMU", lambda: live.alive() and [pid for pid, stat in descendants(live.pid).items()
                                                 if stat[0].startswith("qemu-system")])
    live.born = live.family()
    yield live
    lab.close()


@pytest.fixture(scope="module")
def guests(qemu, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("guests"))
    yield lab.run(SCENARIOS / "guest", "--jobs", 2, seconds=2 * GUEST_WAIT_S)
    lab.close()


def passed(guests, name):
    """The trial of a scenario, which must have passed."""
    trial = guests.trial(f"{name}/all/1")
    assert (trial.result["verdict"], trial.result["reason"]) == ("pass", None), guests
    assert trial.result["place"] == "guest" and trial.result["sealed"]
    return trial


def test_verdicts_of_all(guests):
    """One broken trial makes the run broken, and takes nothing from the others."""
    names = sorted(path.stem for path in (SCENARIOS / "guest").glob("*.yaml"))
    assert guests.json["results"] == [f"{name}/all/1" for name in names]
    assert guests.json["verdicts"] == {"pass": len(names) - 2, "fail": 0, "skip": 0, "broken": 2}
    assert guests.status == guests.json["exit"] == EXIT_BROKEN


def test_kernel_is_the_one_that_was_named(guests):
    kernel = passed(guests, "mode2").result["kernel"]
    assert kernel.startswith("6.1.") and kernel != os.uname().release


def test_mode_2_refuses(guests):
    trial = passed(guests, "mode2")
    hog = trial.process()
    assert (hog["outcome"], hog["errno"], hog["signal"]) == ("enomem", 12, None)
    assert trial.result["victims"] == [] and trial.result["metrics"]["system.oom_kills"] == 0
    assert hog["metrics"]["allocated"] == hog["metrics"]["touched"] > 16 * M
    change = trial.event("set", sysctl="vm.overcommit_memory")
    assert (change["was"], change["got"]) == ("0", "2")
    assert trial.rows("system.csv")[-1]["meminfo.CommitLimit"] < 80 * M


def test_more_than_ram_without_a_limit(guests):
    trial = passed(guests, "ram")
    hog, keeper = trial.process(), trial.process("keeper")
    [victim] = trial.result["victims"]
    assert (victim["process"], victim["pid"], victim["constraint"]) == ("hog", hog["pid"], "none")
    assert victim["witnesses"] == {"kernel_log": True, "cgroup": True, "wait_status": True} and victim["agree"]
    assert not victim["oom_memcg"] and victim["task_memcg"].startswith("/oomlab")
    # An oom_score_adj below 0 is possible in a guest.
    assert keeper["outcome"] == "timeout" and keeper["metrics"]["touched"] == 32 * M
    assert keeper["metrics"]["oom_score_last"] == 0
    for where in "kmsg.log", "console.log":
        assert f"Killed process {hog['pid']} (memset)" in (trial.dir / where).read_text(errors="replace")


def test_swap(guests):
    trial = passed(guests, "swap")
    hog = trial.process()
    assert hog["metrics"]["rss_peak"] + hog["metrics"]["swap_peak"] >= 128 * M
    assert trial.result["victims"] == []
    used = [row["meminfo.SwapTotal"] - row["meminfo.SwapFree"] for row in trial.rows("system.csv")]
    assert used[0] == 0 and abs(max(used) - trial.result["metrics"]["system.swap_used_peak"]) < M
    assert not [path for path in trial.dir.iterdir() if "swap" in path.name]


def test_v2_limit_of_the_outer_group(guests):
    trial = passed(guests, "nested")
    [victim] = trial.result["victims"]
    assert victim["constraint"] == "memcg"
    assert victim["oom_memcg"].endswith("/a") and victim["task_memcg"] == victim["oom_memcg"] + "/b"
    assert victim["witnesses"] == {"kernel_log": True, "cgroup": True, "wait_status": True} and victim["agree"]
    assert trial.event("start")["cgroup_version"] == 2


def test_v2_limits_are_read_back(guests):
    trial = passed(guests, "nested")
    got = {(one["cgroup"], one["key"]): one["got"] for one in trial.events if one["event"] == "set"}
    half = int(got.pop(("limits", "memory.max")))
    assert got == {("a", "memory.max"): str(40 * M), ("a", "memory.oom.group"): "0",
                   ("a/b", "memory.max"): str(64 * M), ("a/b", "pids.max"): "5",
                   ("limits", "memory.high"): str(32 * M), ("limits", "memory.low"): str(M),
                   ("limits", "memory.min"): "4096", ("limits", "pids.max"): "max"}
    ram = trial.rows("system.csv")[0]["meminfo.MemTotal"]  # 50% is of what the guest's kernel counts as RAM
    assert abs(half - ram // 2) < M and half % 4096 == 0


def test_v2_high_throttles_and_a_fault_kills(guests):
    trial = passed(guests, "high")
    held = trial.process("held")
    assert [one["process"] for one in trial.result["victims"]] == ["held"]
    assert held["metrics"]["touched"] == 32 * M
    fault, kill = trial.event("fault"), trial.event("oom-kill")
    assert fault["got"] == str(16 * M)
    assert 3000 * MS <= fault["t_ns"] - trial.event("release")["t_ns"]
    # The kill happens within the write of the limit, so it may have been read before the write came back.
    assert abs(kill["t_ns"] - fault["t_ns"]) < 2000 * MS
    slow = trial.rows("cgroups.csv", cgroup="slow")
    assert slow[0]["high_events"] == 0 and slow[-1]["high_events"] >= 1


def test_v2_group_dies_as_one(guests):
    trial = passed(guests, "group")
    assert {one["process"] for one in trial.result["victims"]} == {"hog", "dog"}
    for victim in trial.result["victims"]:
        assert victim["agree"] and victim["pid"] == trial.process(victim["process"])["pid"]
    assert trial.result["metrics"]["kills"] == 2


def test_v1(guests):
    trial = passed(guests, "v1")
    [victim] = trial.result["victims"]
    assert trial.event("start")["cgroup_version"] == 1 and victim["constraint"] == "memcg"
    assert victim["oom_memcg"].endswith("/a") and victim["task_memcg"] == victim["oom_memcg"] + "/b"
    assert victim["witnesses"]["kernel_log"] and victim["witnesses"]["wait_status"] and victim["agree"]
    assert trial.event("set", cgroup="a/b")["got"] == str(64 * M)


def test_panic_leaves_its_record(guests):
    trial = guests.trial("panic/all/1")
    result, hog = trial.result, trial.process()
    assert result["verdict"] == "broken" and result["sealed"] is None
    assert "kernel panicked: Out of memory: compulsory panic_on_oom" in result["reason"]
    assert result["reason"].splitlines()[-1].endswith("compulsory panic_on_oom is enabled")  # the console's last lines
    assert "Kernel panic - not syncing: Out of memory" in (trial.dir / "console.log").read_text(errors="replace")
    # Everything up to the last store before the panic.
    assert trial.event("set", sysctl="vm.panic_on_oom")["got"] == "2"
    assert trial.event("spawn", process="hog")["pid"] == hog["pid"]
    rows = trial.rows("processes.csv", process="hog")
    assert rows[-1]["touched"] > 60 * M and rows[-1]["rss"] > 60 * M
    assert len(trial.rows("system.csv")) > 5
    assert hog["outcome"] is None and hog["metrics"]["touched"] == rows[-1]["touched"]
    assert trial.event("panic")["cause"] == "Out of memory: compulsory panic_on_oom is enabled"
    assert result["metrics"]["panic"] == "oom"


def test_panic_that_is_wanted(guests):
    trial = guests.trial("wanted-panic/all/1")
    assert (trial.result["verdict"], trial.result["sealed"]) == ("pass", "the kernel panicked")
    assert trial.result["victims"] == [] and trial.process()["outcome"] is None
    assert trial.event("panic")["panic"] == "oom" and trial.rows("processes.csv", process="hog")[-1]["touched"] > 60 * M


@pytest.mark.parametrize("wanted,verdict", [("none", EXIT_FAIL), ("oom", EXIT_PASS), ("other", EXIT_FAIL)])
def test_panic_is_held_against_what_is_wanted(lab, wanted, verdict):
    text = (SCENARIOS / "guest/wanted-panic.yaml").read_text().replace("panic, is: oom", f"panic, is: {wanted}")
    assert lab.run(lab.scenario(text)).status == verdict


def test_panic_for_another_reason_is_broken(lab):
    """PID 1 is no agent, whatever is expected: the kernel gives up before there is a trial."""
    text = (SCENARIOS / "guest/noinit.yaml").read_text() + "expect: [{that: panic, is: other}]\n"
    run = lab.run(lab.scenario(text))
    assert run.status == EXIT_BROKEN, run


def test_no_init(guests):
    result = guests.trial("noinit/all/1").result
    assert result["verdict"] == "broken" and "kernel panicked:" in result["reason"]
    assert "Kernel panic - not syncing" in result["reason"].splitlines()[-1]


def test_kernel_that_resets_at_once(lab):
    run = lab.run(lab.scenario(NOKERNEL.format(kernel=fake_kernel(lab.tmp / "reset", RESET))))
    assert run.status == EXIT_BROKEN, run
    result = run.trial().result
    assert "reset" in result["reason"] and "before its kernel had booted" in result["reason"]
    assert [one["verdict"] for one in result["expectations"]] != ["pass"]


def test_kernel_that_qemu_refuses(lab):
    """Magic alone: QEMU's own words are in the reason."""
    kernel = lab.tmp / "magic"
    kernel.write_bytes(fake_kernel(lab.tmp / "whole", {}).read_bytes()[:0x206] + bytes(1 << 16))
    run = lab.run(lab.scenario(NOKERNEL.format(kernel=kernel)))
    assert run.status == EXIT_BROKEN, run
    assert "QEMU failed to start" in run.trial().result["reason"]
    assert "qemu" in run.trial().result["reason"].split(":", 1)[1]


@pytest.mark.parametrize("prepare, words", [
    (lambda path: None, ["No such file"]),
    (lambda path: path.write_text("#!/bin/sh\n"), ["not a bzImage"]),
    (lambda path: path.mkdir(), []),
], ids=["missing", "a script", "a folder"])
def test_no_kernel(lab, prepare, words):
    """A path that is no kernel: not a trial of anything."""
    path = lab.tmp / "kernel"
    prepare(path)
    run = lab.run(lab.scenario(NOKERNEL.format(kernel=path)))
    assert run.status != EXIT_PASS, run
    for word in [str(path), *words]:
        assert word in run.stdout + run.stderr


def test_kvm_where_there_is_none(lab):
    flags = pathlib.Path("/proc/cpuinfo").read_text().split("\nflags", 1)[-1].split("\n")[0].split()
    if {"vmx", "svm"} & set(flags):
        pytest.skip("this CPU can virtualise")
    run = lab.run(lab.scenario(QUICK), "--accel", "kvm")
    assert run.status == EXIT_SKIP, run
    assert "vmx" in run.trial().result["reason"] and "svm" in run.trial().result["reason"]


def test_qemu_missing(lab):
    (lab.tmp / "bin").mkdir()
    run = lab.run(lab.scenario(QUICK), env={**lab.env, "PATH": str(lab.tmp / "bin")})
    assert run.status == EXIT_SKIP, run
    assert "qemu-system-x86_64 is not installed: apt-get install" in run.trial().result["reason"]


def test_32_bit_kernel(lab):
    """What malloc alone got in 2006. The other cell of the scenario takes half a minute."""
    if not (OOMLAB.parent / "i386/oomlab-agent").exists():
        pytest.skip("no 32-bit programs: ci/deps gets what they are built with")
    run = lab.run("article-2006", "--set", "processes.hog.run.0=malloc", seconds=2 * GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    metrics = trial.result["metrics"]
    assert trial.result["kernel"].endswith("-686") and trial.process()["errno"] == 12
    assert abs(metrics["hog.allocated"] - 3056 * M) <= 30 * M and metrics["hog.pgtables_peak"] == 3 * M
    assert metrics["system.swap_total"] > 880 * M
    # The record that a 32-bit program wrote: whole, and the same when it is put together again.
    rows = trial.rows("processes.csv", process="hog")
    assert max(row["vsize"] or 0 for row in rows) == metrics["hog.vsize_peak"] > metrics["hog.allocated"]
    maps = trial.event("maps")["maps"]
    assert [one["name"] for one in maps if int(one["start"], 16) >= 3 << 30] == []
    assert sum(one["bytes"] for one in maps) > metrics["hog.allocated"]
    assert re.search(r"hog\.allocated +305\dM +3056M", run.stdout), run


def test_32_bit_programs_missing(lab):
    """A build without them; no kernel is fetched for that."""
    (lab.tmp / "build").mkdir()
    for name in "oomlab", "oomlab-stress", "oomlab-stress-malloc", "oomlab-agent":
        shutil.copy(OOMLAB.parent / name, lab.tmp / "build")
    (lab.tmp / "guest").symlink_to(ROOT / "guest")
    (lab.tmp / "cgroups").symlink_to(ROOT / "cgroups")
    done = subprocess.run([lab.tmp / "build/oomlab", "run", lab.scenario(QUICK), "--kernel", "debian:6.1-686"],
                          capture_output=True, text=True, timeout=60, check=False,
                          env={**lab.env, "XDG_CACHE_HOME": str(lab.tmp / "cache")}, cwd=lab.tmp)
    assert done.returncode == EXIT_SKIP, done
    assert "debian:6.1-686 is a 32-bit kernel" in done.stdout and "run ci/deps, then make" in done.stdout
    assert not (lab.tmp / "cache").exists()


def test_broken_counts_more_than_skipped(lab):
    kernel = fake_kernel(lab.tmp / "reset", RESET)
    lab.scenario(NOKERNEL.format(kernel=kernel), "all/a.yaml")
    lab.scenario(NOKERNEL.format(kernel=kernel).replace("nokernel", "skipped").replace("160M", "16M"), "all/b.yaml")
    run = lab.run(lab.tmp / "all")
    assert run.status == EXIT_BROKEN, run
    assert run.json["verdicts"] == {"pass": 0, "fail": 0, "skip": 1, "broken": 1}


@pytest.fixture
def nobody():
    """A lab of an ordinary user, with a cache of its own that has the kernel in it."""
    if os.geteuid() != 0:
        pytest.skip("not root: the other guest tests run as an ordinary user already")
    user = pwd.getpwnam("nobody")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "oomlab/kernels"
    if not (cache / "debian-6.1").is_dir():
        pytest.skip(f"no kernel debian:6.1 in {cache}")
    as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    reads = subprocess.run([*as_user, "test", "-x", OOMLAB, "-a", "-r", ROOT / "guest/kernels/table.tsv"], check=False)
    if reads.returncode != 0:
        pytest.skip(f"{OOMLAB} cannot be reached by {user.pw_name}")
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="oomlab-e2e."))
    try:
        shutil.copytree(cache / "debian-6.1", tmp / "cache/oomlab/kernels/debian-6.1", symlinks=True)
        for path in [tmp, *tmp.rglob("*")]:
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        one = Lab(tmp, user.pw_uid)
        one.env.update(HOME=str(tmp), XDG_CACHE_HOME=str(tmp / "cache"), TMPDIR=str(tmp))
        yield one
        one.close()
    finally:
        shutil.rmtree(tmp)


def test_ordinary_user(nobody):
    """A guest needs no root."""
    run = nobody.run(nobody.scenario(QUICK), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert (run.dir / "all/1/result.json").stat().st_uid == pwd.getpwnam("nobody").pw_uid


def test_ordinary_user_on_this_machine(nobody):
    """Whether groups can be made decides between a trial and a skip that says so; never an error."""
    run = nobody.run(nobody.scenario(QUICK.replace("machine: {memory: 160M}", "place: host")))
    assert run.status in (EXIT_PASS, EXIT_SKIP), run
    if run.status == EXIT_SKIP:
        assert "cgroup" in run.trial().result["reason"]


@pytest.mark.last
def test_kernel_that_never_boots(hanging):
    run = hanging.wait(GUEST_WAIT_S)
    assert run.status == EXIT_BROKEN, run
    reason = run.trial().result["reason"]
    assert "did not boot" in reason and "its console is empty" in reason
    wait_until("the end of QEMU", lambda: gone(hanging.born))
    assert json.loads((run.dir / "run.json").read_text())["wall_ns"] < 90_000 * MS
