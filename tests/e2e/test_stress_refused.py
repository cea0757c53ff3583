# SPDX-License-Identifier: MIT
"""Every system call of every stressor is refused once, for want of memory; some are interrupted. strace does both."""

import collections
import json
import re
import shutil
import subprocess

import pytest

from stressing import WAIT_S, disk, program, program_path, segments, stress, summary

# As little as each of them takes; more than one row where there is more than one way.
SMALL = {
    "malloc": ["--limit=512K --block=256K"], "memset": ["--limit=512K --block=256K"], "calloc": ["--limit=512K --block=256K"],
    "frag-order": ["--size=64K --keep=8"], "frag-lifo": ["--size=64K --keep=8"], "frag-sizes": ["--size=64K --keep=8 --sizes=1K,3K"],
    "frag-realloc": ["--size=64K --steps=4 --buffers=2", "--size=64K --steps=4 --way=copy"],
    "frag-churn": ["--size=64K --rounds=2 --max=4K"], "threads": ["--size=64K --threads=2 --keep=4"],
    "frag-buddy": ["--size=4M --pin=pipe", "--size=4M --pin=none"],
    "slab-dentry": ["--count=20"], "slab-pinned": ["--count=6", "--count=6 --object=timer"],
    "staircase": ["--size=256K --step=64K --pause=0"], "zero-page": ["--size=64K"], "brk-hole": ["--count=4"], "mmap-threshold": [""],
    "realtime": ["--size=64K --rounds=2", "--size=64K --rounds=2 --plain"], "packed": ["--count=1000 --passes=2"],
    "page-order": ["--size=64K"], "page-tables": ["--limit=8K"], "leak": ["--limit=256K --rate=1G --every=1ms"], "stack": ["--size=256K"],
    "fork-cow": ["--size=64K --children=2"], "fork-tree": ["--size=64K --depth=2 --children=2"],
    "populate": ["--limit=64K --step=32K", "--limit=64K --step=32K --how=map"],
    "file-clean": ["--size=64K"], "file-dirty": ["--size=64K --block=32K"],
    "file-mmap": ["--size=64K --block=32K", "--size=64K --access=read"], "tmpfs": ["--size=64K --block=32K"],
    "shm": ["--size=64K", "--size=64K --segment=32K"], "memfd": ["--size=64K"], "hugetlb": ["--size=2M"],
    "thp": ["--size=64K --advice=none"], "ksm": ["--size=64K"], "mlock": ["--size=64K", "--size=64K --how=onfault", "--size=64K --how=all"],
    "thrash": ["--size=64K"], "pipe": ["--size=64K"], "socket": ["--size=64K"], "swap-verify": ["--size=64K"],
    "numa-bind": ["--size=64K --nodes=all"], "numa-interleave": ["--size=64K"], "numa-preferred": ["--size=64K --node=0"],
    "numa-migrate": ["--size=64K"],
}
CASES = [(name, words) for name, ways in SMALL.items() for words in ways]
# What a program's start makes, before there is a stressor; and what does not fail, or is waited in again.
NEVER = {"execve", "exit", "exit_group", "brk", "arch_prctl", "set_thread_area", "set_tid_address", "set_robust_list", "rseq",
         "getrandom", "readlink", "readlinkat", "futex", "futex_time64", "pause", "nanosleep", "rt_sigreturn", "tgkill", "kill",
         "rt_sigtimedwait", "rt_sigtimedwait_time64", "gettid", "getpid", "getppid", "clock_nanosleep", "clock_nanosleep_time64", "uname",
         "ugetrlimit", "prctl"}


def strace(log, words, *more):
    """(what became of the stressor, its calls by name)."""
    done = subprocess.run(["strace", "-f", "-o", log, *more, program_path(), *words], capture_output=True, text=True,
                          timeout=WAIT_S, check=False)
    text = log.read_text()
    log.unlink()
    assert "invalid" not in done.stderr, done.stderr
    return done, text


def calls_of(text):
    """How often one of its processes makes each call; the start-up's mprotect is the C library's."""
    most = collections.Counter()
    each = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", text, re.M))
    for (_, call), count in each.items():
        most[call] = max(most[call], count)
    return {call: count for call, count in most.items() if call not in NEVER}


def left_behind(disk, text):
    """What outlives the processes of a log of strace's: files, System V segments."""
    pids = set(map(int, re.findall(r"^(\d+) ", text, re.M)))
    return list(disk.iterdir()) + [one for one in segments() if one["cpid"] in pids]


def test_none_is_left_out():
    """A new stressor has a row here."""
    assert {one["name"] for one in json.loads(stress("--list", "--json").stdout)["stressors"]} == SMALL.keys()


@pytest.fixture
def strace_is_there():
    if not shutil.which("strace"):
        pytest.skip("strace is not there")


@pytest.mark.parametrize("name, words", CASES, ids=[f"{name} {words}".strip() for name, words in CASES])
def test_each_call_may_lack_memory(name, words, disk, strace_is_there):
    """One call after the other is refused: it says so, or has done all that was asked for without it."""
    command = [name, *words.split(), "--verify"]
    done, text = strace(disk / "log", command)
    if done.returncode == 4:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done
    all_of_it = summary(done.stdout)
    said = 0
    for call, count in calls_of(text).items():
        for n in range(1 + (call == "mprotect"), min(count, 40) + 1):
            done, text = strace(disk / "log", command, f"-einject={call}:error=ENOMEM:when={n}")
            if "(INJECTED)" not in text:
                break
            where = (call, n, done)
            assert done.returncode in (0, 1, 3, 4) and not left_behind(disk, text), where
            said += 1
            if done.returncode in (1, 3):
                assert "annot allocate memory" in done.stderr, where
            elif call != "write":
                # Where it is about to find out how much glibc takes otherwise, it is another amount.
                amounts = slice(2, 3) if name == "mmap-threshold" else slice(3)
                assert done.returncode == 4 or summary(done.stdout)[amounts] == all_of_it[amounts], where
    assert said >= 5  # glibc's malloc does without one or the other, so a refusal need not end it


@pytest.mark.parametrize("name, words", CASES, ids=[f"{name} {words}".strip() for name, words in CASES])
def test_interrupted_calls_are_made_again(name, words, disk, strace_is_there):
    """EINTR without a signal of ours, as after SIGSTOP and SIGCONT."""
    command = [name, *words.split(), "--verify"]
    done, text = strace(disk / "log", command)
    if done.returncode == 4:
        pytest.skip(done.stderr)
    all_of_it = summary(done.stdout)
    for call in sorted({"pwrite64", "pread64", "write", "read", "fallocate", "vmsplice", "wait4"} & calls_of(text).keys()):
        done, text = strace(disk / "log", command, f"-einject={call}:error=EINTR:when=1")
        assert done.returncode == 0 and summary(done.stdout) == all_of_it, (call, done)
