# SPDX-License-Identifier: MIT
"""Stressors about allocators: what they say the heap has is held against /proc/PID/maps while they hold."""

import pathlib
import re
import resource

import pytest

from stressing import M, Engine, proc_bytes, program, stress, summary

K = 1 << 10


def mapped(pid, wanted):
    """Bytes of mappings of which wanted(start, size, permissions, name) is true."""
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        start, end = (int(address, 16) for address in words[0].split("-"))
        if wanted(start, end - start, words[1], words[5] if len(words) > 5 else ""):
            total += end - start
    return total


def heap(pid):
    return mapped(pid, lambda start, size, permissions, name: name == "[heap]")


def held(*args):
    """(heap, RSS, page, live, obtained, values) of a stressor while it holds."""
    with Engine(*args, "--verify", "--hold=forever") as engine:
        engine.wait_for("hold")
        pid = engine.process.pid
        return heap(pid), proc_bytes(pid, "VmRSS"), engine.read(), *engine.numbers()


def test_sizes_of_ones_own():
    """Above what the C library's caches of freed blocks keep, the order decides; each of them pins the heap's top else."""
    sizes = "--sizes=1500B,4K,20K"
    scattered = held("frag-sizes", "--size=24M", sizes)
    lifo = held("frag-sizes", "--size=24M", sizes, "--order=lifo")
    for size, rss, page, live, obtained, own in (scattered, lifo):
        assert page[2:5] == (24 * M, 24 * M, 0)
        assert live == own["live"] and obtained == own["obtained"] and own["wasted"] == obtained - live
        assert abs(size - obtained) < 256 * K
        assert own["obtained_full"] >= 24 * M
    assert scattered[0] > 20 * M and scattered[1] > 20 * M
    assert lifo[0] < M and lifo[1] < 5 * M
    assert scattered[5]["wasted"] > 20 * lifo[5]["wasted"]


def test_sizes_are_drawn_from_the_list_alone():
    """With one size all blocks have it, so that what is live is a multiple of it; other seeds, other draws."""
    own = held("frag-sizes", "--size=12M", "--sizes=3K")[5]
    assert own["live"] == 12 * M // (3 * K) // 256 * 3 * K
    lives = {held("frag-sizes", "--size=8M", "--sizes=100B,2K", f"--seed={seed}")[5]["live"] for seed in (1, 2, 3)}
    assert len(lives) > 1
    assert len({held("frag-sizes", "--size=8M", "--seed=5")[5]["live"] for _ in range(2)}) == 1


@pytest.mark.parametrize("sizes, why", [
    ("", "not understood"), ("4", "not understood"), ("4K,", "not understood"), (",4K", "not understood"), ("4K 8K", "not understood"),
    ("0", "out of range"), ("128K", "out of range"), (",".join(["1K"] * 65), "out of range"), ("-1K", "not understood"),
])
def test_lists_that_are_none(sizes, why):
    done = stress("frag-sizes", f"--sizes={sizes}")
    assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1, done
    assert "allowed: sizes with commas between, e.g. 24B,100B,4K; 1B to 127K" in done.stderr


def test_realloc_needs_no_second_one():
    """What was resident at most: a buffer that is copied is there twice while it is."""
    def grown(way):
        with Engine("frag-realloc", "--buffers=1", "--size=24M", "--steps=64", f"--way={way}", "--verify",
                    "--hold=forever") as engine:
            engine.wait_for("hold")
            pid = engine.process.pid
            assert engine.read()[2:5] == (24 * M, 24 * M, 0)
            own = engine.numbers()[2]
            assert own["live"] == 24 * M and own["grown"] == 64
            return own, proc_bytes(pid, "VmPeak") - proc_bytes(pid, "VmSize"), proc_bytes(pid, "VmRSS")

    one, peak, rss = grown("realloc")
    assert one["copied"] == 0 and one["obtained_most"] < 26 * M and peak < 2 * M and 24 * M <= rss < 28 * M
    two, peak, rss = grown("copy")
    assert two["copied"] == sum(24 * M // 64 * step for step in range(1, 64))
    assert two["moved"] == 63 and two["obtained_most"] >= 47 * M and peak >= 22 * M and 24 * M <= rss < 28 * M
    assert one["moved"] < two["moved"]


def test_realloc_of_many_buffers_is_exact():
    """Steps that do not divide the size leave less than a byte a buffer and step."""
    _, _, page, _, _, own = held("frag-realloc", "--buffers=7", "--size=1M", "--steps=9", "--way=copy")
    assert own["live"] == M // 7 // 9 * 9 * 7 == page[2] and page[4] == 0


def test_churn_keeps_what_is_live():
    size, rss, page, live, obtained, own = held("frag-churn", "--size=8M", "--rounds=6", "--min=16B", "--max=4K")
    assert live == own["live"] == 8 * M and page[4] == 0
    assert 7 * 8 * M - 4 * K <= page[2] < 7 * 8 * M + 8 * K and page[2] == page[3]  # all that was allocated, one after another
    assert abs(size - obtained) < 256 * K and own["wasted"] == obtained - live
    assert own["obtained_full"] < obtained  # holes have come
    assert own["bloat"] == obtained * 100 // live and own["replaced"] > 5 * 8 * M // (4 * K)
    assert rss >= 8 * M


def test_churn_over_time():
    """live and obtained are there all the while, and live never goes beyond the size."""
    with Engine("frag-churn", "--size=8M", "--rounds=100000") as engine:
        engine.wait_for("run")
        seen = set()
        while len(seen) < 20:
            live, obtained, _ = engine.numbers()
            assert live <= 8 * M and (obtained >= live or not obtained)
            seen.add((live, obtained))
        engine.process.terminate()
        engine.wait_for("signal")


def arena_bytes(pid, bits):
    """Addresses that glibc reserved for heaps of threads: 64 MB each, at multiples of it (1 MB with 32 bits)."""
    unit = 64 * M if bits == 64 else M
    starts = set()
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        found = re.match(r"(\w+)-\w+ rw-p 00000000 00:00 0 *$", line)
        if found and int(found[1], 16) % unit == 0:
            starts.add(found[1])
    return len(starts) * unit


def test_threads_have_heaps_of_their_own(program):
    bits = 32 if "i386" in str(program) else 64
    args = ["threads", "--threads=8", "--size=8M", "--keep=16", "--verify", "--hold=forever"]
    with Engine(*args) as engine:
        engine.wait_for("hold")
        pid, own = engine.process.pid, engine.numbers()[2]
        assert engine.read()[2:5] == (8 * M, 8 * M, 0)
        assert own["live"] == 8 * M // 16 and own["wasted"] > 6 * M
        assert 4 <= own["arenas"] <= 9
        if bits == 64:
            assert arena_bytes(pid, bits) == (own["arenas"] - 1) * 64 * M  # the first is the main heap
            assert own["vss_rise"] >= (own["arenas"] - 1) * 64 * M
    with Engine(*args, "--arenas=1") as engine:
        engine.wait_for("hold")
        own = engine.numbers()[2]
        assert own["arenas"] == 1 and arena_bytes(engine.process.pid, bits) < 64 * M and own["vss_rise"] < 16 * M
        assert own["live"] == 8 * M // 16


def test_a_thread_that_cannot_be_had_is_refused_memory():
    """Its stack does not fit into the address space; the others end with the process."""
    done = stress("threads", "--threads=512", "--size=32M", "--keep=1",
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (24 * M, 24 * M)))
    assert done.returncode == 3 and done.stderr.count("\n") == 1, done


@pytest.mark.parametrize("args, why", [
    (["frag-sizes", "--keep=1000000"], "--keep: more than there are blocks; allowed: 1 to"),
    (["frag-realloc", "--size=4K", "--buffers=64", "--steps=65"], "--size: less than a byte a step of each buffer; allowed: at least 4160B"),
    (["frag-churn", "--min=2K", "--max=1K"], "--min: more than --max; allowed: 1B to 1024"),
    (["frag-churn", "--size=64K", "--max=64K"], "--max: two must fit into --size; allowed: 16B to 32K"),
    (["threads", "--threads=1024", "--size=64K"], "--size: less than a block a thread"),
    (["threads", "--size=1M", "--keep=1000"], "--keep: more than a thread has blocks; allowed: 1 to 32"),
    (["threads", "--threads=0"], "--threads"),
])
def test_rules_between_options(args, why):
    done = stress(*args)
    assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1, done


def test_summaries():
    assert summary(stress("threads", "--size=4M").stdout) == (4 * M, 4 * M, "limit reached")
