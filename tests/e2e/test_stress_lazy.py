# SPDX-License-Identifier: MIT
"""Stressors about memory that comes when it is written: what they claim is read from /proc while they hold."""

import ctypes
import pathlib
import re
import resource
import signal
import struct
import time

import pytest

from stressing import M, WAIT_S, Engine, proc_bytes, program, stress, summary

K = 1 << 10
PAGE = 4096
CAP_IPC_LOCK, CAP_SYS_ADMIN, PR_CAPBSET_DROP = 14, 21, 24


def mappings(pid):
    """(start, end, name) of each."""
    found = []
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        start, end = (int(address, 16) for address in words[0].split("-"))
        found.append((start, end, words[5] if len(words) > 5 else ""))
    return found


def mapped(pid, name):
    return sum(end - start for start, end, its in mappings(pid) if its == name)


def largest_mapping(pid):
    return max((m for m in mappings(pid) if not m[2]), key=lambda m: m[1] - m[0])


def frames(pid, start, size):
    """What pagemap has for each page."""
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(start // PAGE * 8)
        return struct.unpack(f"={size // PAGE}Q", file.read(size // PAGE * 8))


def faults(pid):
    """minflt of /proc/PID/stat, and utime + stime in ticks."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[7]), int(words[11]) + int(words[12])


def wait_until(true, what):
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.001)


def without(capability, limit=None):
    """For preexec_fn: a process that cannot get that capability."""
    libc = ctypes.CDLL(None, use_errno=True)

    def drop():
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")
        if limit:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    return drop


def stress_without(capability, *args, limit=None):
    try:
        return stress(*args, preexec_fn=without(capability, limit))
    except Exception as error:  # subprocess says no more than that it failed
        pytest.skip(f"capabilities cannot be dropped: {error}")


def test_staircase_has_its_addresses_at_once_and_its_memory_by_and_by():
    with Engine("staircase", "--size=64M", "--step=1M", "--pause=5ms", "--hold=forever") as engine:
        pid, seen = engine.process.pid, []
        assert engine.ring() == "run"
        wait_until(lambda: engine.read()[2], "nothing is allocated")
        while engine.read()[0] == "run":
            before = engine.read()[3]
            rss = proc_bytes(pid, "VmRSS")
            assert proc_bytes(pid, "VmSize") >= 64 * M
            assert before <= rss <= engine.read()[3] + 3 * M
            seen.append(rss)
        assert seen[0] < 32 * M and len(set(seen)) > 10
        engine.wait_for("hold")
        assert engine.read()[2:4] == (64 * M, 64 * M) and proc_bytes(pid, "VmRSS") >= 64 * M
        own = engine.numbers()[2]
        assert 64 * M <= own["vss_granted"] < 65 * M and own["rss_granted"] < M
        assert abs(own["rss_rise"] - 64 * M) < M and own["rss_off"] < M


@pytest.mark.parametrize("args, touched", [(["--step=3M"], 10 * M), (["--step=1K", "--size=100001B"], 100001)])
def test_staircase_steps_need_not_fit(args, touched):
    done = stress("staircase", "--size=10M", "--pause=0", *args)
    assert (done.returncode, summary(done.stdout)[:2]) == (0, (touched, touched))


def test_zero_page_reading_costs_no_memory():
    with Engine("zero-page", "--size=32M", "--mode=read", "--hold=forever") as engine:
        engine.wait_for("hold")
        pid = engine.process.pid
        assert engine.read()[2:5] == (32 * M, 0, 0) and engine.bytes_read() == 32 * M
        assert proc_bytes(pid, "VmRSS") < 2 * M
        # They are there all the same, one page of zeros many times.
        start, end, _ = largest_mapping(pid)
        assert all(entry >> 63 for entry in frames(pid, start, end - start))
        own = engine.numbers()[2]
        assert 8192 <= own["read_faults"] < 8300 and own["read_rss"] < M and own["write_rss"] is None
        assert own["read_faults"] <= faults(pid)[0]


@pytest.mark.parametrize("mode, fault_count", [("both", 16384), ("write", 8192)])
def test_zero_page_writing_does(mode, fault_count):
    with Engine("zero-page", "--size=32M", f"--mode={mode}", "--hold=forever") as engine:
        engine.wait_for("hold")
        pid = engine.process.pid
        assert engine.read()[2:4] == (32 * M, 32 * M)
        assert proc_bytes(pid, "VmRSS") >= 32 * M
        assert fault_count <= faults(pid)[0] < fault_count + 1000
        own = engine.numbers()[2]
        assert abs(own["write_rss"] - 32 * M) < M and 8192 <= own["write_faults"] < 8300


def test_brk_hole_is_kept_by_the_block_at_the_top():
    with Engine("brk-hole", "--block=64K", "--count=512", "--pause=1h") as engine:
        pid = engine.process.pid
        assert engine.ring() == "run"
        wait_until(lambda: engine.numbers()[2]["heap_pinned"], "the blocks are not freed")
        live, obtained, own = engine.numbers()
        assert (live, obtained) == (64 * K, own["heap_pinned"])
        assert own["heap"] == own["heap_pinned"] and own["heap_free"] is None
        assert 32 * M <= mapped(pid, "[heap]") < 33 * M
        assert proc_bytes(pid, "VmRSS") >= 32 * M
        assert abs(mapped(pid, "[heap]") - own["heap"]) < 256 * K


def test_brk_hole_is_gone_with_it():
    with Engine("brk-hole", "--hold=forever") as engine:
        engine.wait_for("hold")
        assert engine.read()[2:4] == (32 * M, 32 * M)
        assert mapped(engine.process.pid, "[heap]") < M and proc_bytes(engine.process.pid, "VmRSS") < 2 * M
        live, obtained, own = engine.numbers()
        assert live == 0 and obtained == own["heap_free"] < M and own["rss"] >= 32 * M and own["rss_free"] < 2 * M


@pytest.mark.parametrize("args, wanted", [([], (1, 0)), (["--fixed"], (1, 1))])
def test_mmap_threshold_rises_unless_it_is_fixed(args, wanted):
    with Engine("mmap-threshold", "--size=300K", "--hold=forever", *args) as engine:
        engine.wait_for("hold")
        own = engine.numbers()[2]
        assert (own["mapped"], own["mapped_after"]) == wanted
        assert own["returned"] == 304 * K  # with the header, in whole pages
        assert own["returned_after"] == (304 * K if wanted[1] else 0)
        # mallopt(3): 128*1024 at first; then the freed chunk's size, which its header is part of.
        assert 0 <= 128 * K - own["threshold"] < 64
        assert 0 <= (128 * K if wanted[1] else 304 * K) - own["threshold_after"] < 64
        # Nothing of what it looked for with was written or given back.
        _, _, allocated, touched, _, _ = engine.read()
        assert touched == 600 * K
        given_back = 600 * K
        assert 0 <= proc_bytes(engine.process.pid, "VmData") - (allocated - given_back) < 2 * M


def test_realtime_has_no_faults_in_its_loop():
    with Engine("realtime", "--size=4M", "--rounds=1000000000") as engine:
        pid = engine.process.pid
        assert engine.ring() == "run"
        wait_until(lambda: proc_bytes(pid, "VmLck") or engine.read()[0] != "run", "nothing is locked")
        if engine.read()[0] == "unmet":
            pytest.skip(engine.read()[5])
        wait_until(lambda: faults(pid)[1] > 10, "it does nothing")
        before, ticks = faults(pid)
        wait_until(lambda: faults(pid)[1] > ticks + 10, "it does nothing")
        assert faults(pid)[0] == before
        assert 4 * M <= proc_bytes(pid, "VmLck") and 4 * M <= proc_bytes(pid, "VmRSS") < 8 * M
        assert engine.read()[2:4] == (4 * M, 4 * M)
        engine.process.terminate()
        engine.wait_for("signal")
        own = engine.numbers()[2]
        assert (own["loop_minor_faults"], own["loop_major_faults"]) == (0, 0) and own["rounds_done"] > 10


def test_realtime_plain_has():
    with Engine("realtime", "--plain", "--rounds=50", "--hold=forever") as engine:
        engine.wait_for("hold")
        own = engine.numbers()[2]
        assert 50 * 100 < own["loop_minor_faults"] <= faults(engine.process.pid)[0]
        assert proc_bytes(engine.process.pid, "VmLck") == 0 and engine.read()[2:4] == (4 * M, 4 * M)
        assert own["rounds_done"] == 50


def test_realtime_where_nothing_may_be_locked():
    done = stress_without(CAP_IPC_LOCK, "realtime", limit=64 * K)
    assert done.returncode == 4 and "RLIMIT_MEMLOCK" in done.stderr
    assert summary(done.stdout)[2] == "this machine cannot do it"


def test_packed_saves_the_padding():
    with Engine("packed", "--count=1000000", "--passes=3", "--verify", "--hold=forever") as engine:
        engine.wait_for("hold")
        assert engine.read()[2:5] == (38000000, 38000000, 0) and engine.bytes_read() == 38000000
        assert proc_bytes(engine.process.pid, "VmRSS") >= 38000000
        own = engine.numbers()[2]
        assert (own["packed"], own["aligned"], own["saved"]) == (14000000, 24000000, 10000000)
        assert own["packed_pass"] > 0 and own["aligned_pass"] > 0
        # The arrays themselves: kind, size, flags and total of the last record, with its padding and without.
        last, sums = 999999, 3 * (999999 % 256 + 999999)
        record = [struct.pack("<BIBQ", last % 256, last, 3, sums), struct.pack("<B3xIB7xQ", last % 256, last, 3, sums)]
        start, end, _ = largest_mapping(engine.process.pid)
        with open(f"/proc/{engine.process.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            content = b""
            while len(content) < end - start:
                content += memory.read(end - start - len(content))
        assert all(one in content for one in record)


def test_page_order_is_that_of_pagemap():
    with Engine("page-order", "--size=8M", "--hold=forever") as engine:
        if engine.wait_for("hold") and engine.read()[0] == "unmet":
            pytest.skip(engine.read()[5])
        start, end, _ = largest_mapping(engine.process.pid)
        pfns = [entry & ((1 << 55) - 1) for entry in frames(engine.process.pid, start, end - start)]
        if not any(pfns):
            pytest.skip("pagemap does not tell frames here")
        pairs = list(zip(pfns, pfns[1:]))
        longest = run = 1
        for one, other in pairs:
            run = run + 1 if other == one + 1 else 1
            longest = max(longest, run)
        own = engine.numbers()[2]
        assert (end - start, own["neighbours"]) == (8 * M, len(pairs))
        # The kernel may move a page in between.
        assert abs(own["contiguous"] - sum(other == one + 1 for one, other in pairs)) <= 20
        assert abs(own["backwards"] - sum(other == one - 1 for one, other in pairs)) <= 20
        assert own["longest_run"] == longest * PAGE or own["longest_run"] > 10 * PAGE
        assert engine.read()[2:4] == (8 * M, 8 * M)


def test_page_order_where_frames_are_secret():
    done = stress_without(CAP_SYS_ADMIN, "page-order", "--size=1M")
    assert done.returncode == 4 and "CAP_SYS_ADMIN" in done.stderr


@pytest.mark.parametrize("args, tables, spans", [
    (["--limit=4M"], 4 * M, 1024), (["--limit=1G", "--of=mapping"], 2 * M, 512)])
@pytest.mark.parametrize("read", [True, False], ids=["read", "written"])
def test_page_tables_outweigh_memory(args, tables, spans, read):
    with Engine("page-tables", *args, *["--read"] * read, "--hold=forever") as engine:
        engine.wait_for("hold")
        pid = engine.process.pid
        assert engine.read()[2:4] == (spans * 2 * M, 0 if read else spans * PAGE)
        assert tables <= proc_bytes(pid, "VmPTE") < tables + M
        if read:
            assert proc_bytes(pid, "VmRSS") < 2 * M
        else:
            assert spans * PAGE <= proc_bytes(pid, "VmRSS") < spans * PAGE + 2 * M
        own = engine.numbers()[2]
        assert own["tables"] == tables and abs(own["pte_rise"] - tables) < 64 * K


def test_page_tables_are_whole():
    for args in ["--limit=5000B"], ["--limit=3M", "--of=mapping"]:
        done = stress("page-tables", *args)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "multiples of" in done.stderr


def grown(curve, rate, period, ns):
    """What must have leaked after that time."""
    if curve == "linear":
        return rate * ns / 1e9
    if curve == "steps":
        return rate * (ns // period * period) / 1e9
    whole = (ns - 1) // period
    return rate * period / 1e9 * (2 ** whole - 1) + rate * 2 ** whole * (ns - whole * period) / 1e9


@pytest.mark.parametrize("curve", ["linear", "exponential", "steps"])
def test_leak_follows_its_curve(curve):
    start = time.monotonic()
    with Engine("leak", "--rate=8M", f"--curve={curve}", "--period=100ms", "--every=5ms", "--limit=0") as engine:
        assert engine.ring() == "run"
        seen = []
        while not seen or seen[-1] < 3 * M:
            allocated = engine.read()[2]
            assert allocated <= grown(curve, 8 * M, 100000000, int((time.monotonic() - start) * 1e9) + 1)
            seen.append(allocated)
            assert time.monotonic() < start + WAIT_S
        engine.process.terminate()
        engine.wait_for("signal")
        _, _, allocated, touched, _, _ = engine.read()
        own = engine.numbers()[2]
        assert proc_bytes(engine.process.pid, "VmRSS") >= touched >= 3 * M
        assert abs(allocated - grown(curve, 8 * M, 100000000, own["leaking"])) < 100
        assert own["wait_min"] == own["wait_max"] == 5000000
        if curve == "steps":
            assert {round(amount * 1000 / (800 * M)) * 800 * M // 1000 - amount for amount in seen} <= {-1, 0, 1}
        else:
            assert len(set(seen)) > 4


def test_leak_reaches_its_limit_with_jitter():
    with Engine("leak", "--rate=64M", "--limit=7000001B", "--every=1ms", "--jitter=50", "--hold=forever") as engine:
        engine.wait_for("hold")
        assert engine.read()[2:4] == (7000001, 7000001)
        assert proc_bytes(engine.process.pid, "VmRSS") >= 7000001
        own = engine.numbers()[2]
        assert 500000 <= own["wait_min"] < 900000 and 1100000 < own["wait_max"] <= 1500000
        assert own["blocks"] > 5 and own["largest"] * own["blocks"] >= 7000001


@pytest.mark.parametrize("size", [4 * M, 16 * M, 100001])
def test_stack_is_what_grows(size):
    """16M is past the usual soft limit, which may be raised."""
    with Engine("stack", f"--size={size}B", "--hold=forever") as engine:
        engine.wait_for("hold")
        pid = engine.process.pid
        assert engine.read()[2:4] == (size, size)
        assert size <= proc_bytes(pid, "VmStk") < size + size // 10 + 512 * K
        assert proc_bytes(pid, "VmRSS") >= size
        assert proc_bytes(pid, "VmData") < 2 * M


def limit_stack(size):
    return lambda: resource.setrlimit(resource.RLIMIT_STACK, (size, size))


@pytest.mark.parametrize("preexec", [limit_stack(M), limit_stack(150 * K),
                                     lambda: resource.setrlimit(resource.RLIMIT_AS, (4 * M, 4 * M))])
def test_stack_past_its_limit_is_refused(preexec):
    with Engine("stack", "--size=4M", preexec=preexec) as engine:
        engine.wait_for("enomem")
        phase, _, allocated, touched, _, note = engine.read()
        assert phase == "enomem" and allocated == touched < 4 * M and "growing the stack" in note
        assert engine.acknowledge() == 3


@pytest.mark.parametrize("args, advised", [([], True), (["--step=7M"], True), (["--how=map"], False), (["--how=touch"], False)])
def test_populate_is_resident(args, advised):
    with Engine("populate", "--limit=100M", "--step=32M", "--hold=forever", *args) as engine:
        engine.wait_for("hold")
        pid = engine.process.pid
        assert engine.read()[2:4] == (100 * M, 100 * M)
        assert 100 * M <= proc_bytes(pid, "VmRSS") < 102 * M
        assert 100 * M <= proc_bytes(pid, "VmSize") < 104 * M
        start, end, _ = largest_mapping(pid)
        assert all(entry >> 63 for entry in frames(pid, start, end - start))
        assert engine.numbers()[2]["advised"] in ({0, 100 * M} if advised else {0})


def test_populate_counts_by_steps():
    with Engine("populate", "--limit=512M", "--step=8M") as engine:
        assert engine.ring() == "run"
        seen = set()
        while engine.read()[0] == "run":
            touched = engine.read()[3]
            assert proc_bytes(engine.process.pid, "VmRSS") + M >= touched
            seen.add(touched)
        assert len(seen) > 5 and all(touched % (8 * M) == 0 for touched in seen)


@pytest.mark.parametrize("how", ["advice", "map", "touch"])
def test_populate_in_huge_pages(how):
    if "[never]" in pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text():
        pytest.skip("this machine has no transparent huge pages")
    with Engine("populate", "--limit=64M", "--step=16M", "--pages=huge", f"--how={how}", "--hold=forever") as engine:
        engine.wait_for("hold")
        huge = re.findall(r"AnonHugePages: +(\d+) kB", pathlib.Path(f"/proc/{engine.process.pid}/smaps").read_text())
        assert sum(map(int, huge)) * K >= 32 * M  # as far as there were any
        assert engine.read()[2:4] == (64 * M, 64 * M) and proc_bytes(engine.process.pid, "VmRSS") >= 64 * M


# Each with what makes it small, and what makes it go on.
ALL = [
    ("staircase", ["--size=4M", "--pause=0"], ["--pause=1h"]),
    ("zero-page", ["--size=4M"], ["--pause=1h"]),
    ("brk-hole", ["--count=64"], ["--pause=1h"]),
    ("mmap-threshold", [], ["--hold=1h"]),
    ("realtime", ["--size=1M", "--rounds=3"], ["--rounds=1000000000", "--plain"]),
    ("packed", ["--count=100000", "--passes=2"], ["--passes=1000000000"]),
    ("page-order", ["--size=4M"], ["--size=1M", "--hold=1h"]),
    ("page-tables", ["--limit=1M"], ["--pause=1h"]),
    ("leak", ["--limit=4M", "--rate=1G", "--every=1ms"], ["--limit=1M", "--rate=1B"]),
    ("stack", ["--size=2M"], ["--pause=1h"]),
    ("populate", ["--limit=4M", "--step=1M"], ["--step=1M", "--pause=1h"]),
]


@pytest.mark.parametrize("name, small, _", ALL, ids=[one[0] for one in ALL])
def test_any_refusal_is_survived(name, small, _):
    """The space of addresses ends anywhere: refused, or done, but no crash. What was counted is never too much."""
    enough = stress(name, *small)
    if enough.returncode == 4:
        pytest.skip(enough.stderr)
    assert enough.returncode == 0, enough.stderr
    refused = 0
    for limit in list(range(2304 * K, 4 * M, 128 * K)) + [5 * M, 6 * M, 8 * M, 16 * M, 128 * M]:
        done = stress(name, *small, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        assert done.returncode in (0, 3), (limit, done)
        allocated, touched, _ = summary(done.stdout)
        assert touched <= limit and (done.returncode == 3 or touched == summary(enough.stdout)[1])
        assert name == "mmap-threshold" or done.returncode == 3 or allocated == summary(enough.stdout)[0]
        refused += done.returncode == 3
    assert refused


@pytest.mark.parametrize("name, _, endless", ALL, ids=[one[0] for one in ALL])
def test_a_signal_ends_it(name, _, endless):
    with Engine(name, *endless) as engine:
        assert engine.ring() == "run"
        if engine.read()[0] == "unmet":
            pytest.skip(engine.read()[5])
        engine.process.send_signal(signal.SIGSTOP)
        engine.process.send_signal(signal.SIGCONT)  # a wait goes on after that
        engine.process.send_signal(signal.SIGTERM)
        engine.wait_for("signal")
        assert engine.acknowledge() == -signal.SIGTERM


@pytest.mark.parametrize("name, small, _", ALL, ids=[one[0] for one in ALL])
def test_defaults_and_verify(name, small, _):
    for args in [], [*small, "--verify"]:
        done = stress(name, *args)
        if done.returncode == 4:
            pytest.skip(done.stderr)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert summary(done.stdout)[1] <= 64 * M
