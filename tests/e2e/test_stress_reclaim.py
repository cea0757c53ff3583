# SPDX-License-Identifier: MIT
"""Stressors whose memory is reclaimed in other ways than plain anonymous memory's, or not at all; held against /proc."""

import ctypes
import errno
import os
import pathlib
import re
import resource
import signal
import struct
import time

import pytest

from lab import memory_cgroup
from stressing import (CAP_IPC_LOCK, CAP_SYS_ADMIN, WAIT_S, M, Engine, cached_bytes, disk, files_of, libc, proc_bytes, program,
                       segments, stress, summary, without)

ODD = 5000001
PAGE = 4096
MADV_COLD = 20

# Those that work on any machine, and what writes little with them.
ALL = ["file-dirty", "file-mmap", "file-mmap --access=read", "tmpfs", "shm", "shm --segment=1M", "memfd",
       "thp --advice=none", "mlock", "mlock --how=onfault", "mlock --how=all", "thrash", "pipe", "socket"]


def smaps(pid, name=None):
    """Sums of smaps' lines in bytes, over all mappings or those whose line of maps has name in it."""
    total, wanted = {}, True
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        key, _, rest = line.partition(":")
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            wanted = name is None or name in line
        elif wanted and rest.endswith(" kB"):
            total[key] = total.get(key, 0) + (int(rest.split()[0]) << 10)
    return total


def large_mapping(pid, size):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        start, end = (int(address, 16) for address in line.split()[0].split("-"))
        if end - start >= size:
            return start
    raise AssertionError(f"{pid} maps nothing of {size} bytes")


@pytest.fixture(name="group")
def make_group():
    """(preexec_fn that enters a group of the test's own, its memory.stat)"""
    _, mount = memory_cgroup()
    path = mount / f"oomlab-test.{os.getpid()}"
    try:
        path.mkdir()
    except PermissionError:
        pytest.skip("this user makes no cgroups")

    def stat():
        return {key: int(value) for key, value in map(str.split, (path / "memory.stat").read_text().splitlines())}
    yield lambda: (path / "cgroup.procs").write_text(str(os.getpid())), stat
    deadline = time.monotonic() + WAIT_S
    while path.exists() and time.monotonic() < deadline:
        try:
            path.rmdir()
        except OSError:
            os.sched_yield()


def of_group(stat, *keys):
    """v1's dirty is v2's file_dirty; v2's stat is in bytes for all of them, and so is v1's."""
    return sum(next(stat[name] for name in (key, "file_" + key) if name in stat) for key in keys)


@pytest.mark.parametrize("words", ALL)
def test_amount_is_exact(words, disk):
    name, *args = words.split()
    with Engine(name, *args, f"--size={ODD}B", "--verify", "--hold=1ms") as engine:
        assert engine.wait_for("done") == ["run", "hold", "done"]
        assert engine.read() == ("done", 0, ODD, ODD, 0, "")
        read = engine.bytes_read()
        assert read == (2 * ODD if "read" in words else ODD)
        assert engine.acknowledge() == 0
    assert not list(disk.iterdir())


@pytest.mark.parametrize("words", ALL)
def test_defaults_are_quick_and_small(words, disk):
    start = time.monotonic()
    done = stress(*words.split(), "--verify")
    assert done.returncode == 0 and done.stderr == "" and time.monotonic() - start < 10
    allocated, touched, end = summary(done.stdout)
    assert allocated == touched and 4 * M <= allocated <= 64 * M and end == "limit reached"


@pytest.mark.parametrize("words", ALL)
def test_ends_by_a_signal_and_leaves_nothing(words, disk):
    name, *args = words.split()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with Engine(name, *args, "--size=8M", "--hold=forever") as engine:
            engine.wait_for("hold")
            pid = engine.process.pid
            engine.process.send_signal(number)
            if number == signal.SIGTERM:
                engine.wait_for("signal")
            assert (engine.acknowledge() if number == signal.SIGTERM else engine.process.wait(WAIT_S)) == -number
        assert not list(disk.iterdir())
        assert not [one for one in segments() if one["cpid"] == pid]


@pytest.mark.parametrize("words", ["file-dirty --passes=1000000", "file-dirty --passes=1 --rate=1K",
                                   "file-mmap --passes=1000000000", "file-mmap --access=read --passes=1000000000",
                                   "thrash --passes=0", "thrash --pause=1h", "file-mmap --passes=2 --pause=1h"])
@pytest.mark.parametrize("how", ["signal", "time"])
def test_ends_while_it_works(words, how, disk):
    name, *args = words.split()
    with Engine(name, *args, "--size=1M", *(["--time=100ms"] if how == "time" else [])) as engine:
        engine.wait_for("run")
        if how == "signal":
            engine.process.terminate()
        engine.wait_for("signal" if how == "signal" else "done")
        assert engine.acknowledge() == (-signal.SIGTERM if how == "signal" else 0)


def test_file_dirty_is_dirty(disk, group):
    enter, stat = group
    with Engine("file-dirty", "--size=32M", "--hold=forever", preexec=enter) as engine:
        engine.wait_for("hold")
        assert 32 * M <= of_group(stat(), "dirty", "writeback") < 34 * M
        assert proc_bytes(engine.process.pid, "VmRSS") < 3 * M
        file, = files_of(engine.process.pid)
        assert os.fstat(file).st_size == 32 * M and cached_bytes(file, 32 * M) == 32 * M
        os.close(file)


def test_file_clean_is_not(disk, group):
    enter, stat = group
    with Engine("file-clean", "--size=32M", "--hold=forever", preexec=enter) as engine:
        engine.wait_for("hold")
        assert of_group(stat(), "dirty", "writeback") < M


def test_file_dirty_writes_again_and_no_faster(disk):
    """Each pass has other bytes, and the passes after the first last as long as the rate says."""
    seen = []
    for passes in (0, 2):
        start = time.monotonic()
        with Engine("file-dirty", "--size=1M", f"--passes={passes}", "--rate=4M", "--hold=forever") as engine:
            engine.wait_for("hold")
            assert time.monotonic() - start >= passes / 4
            file, = files_of(engine.process.pid)
            seen.append(os.pread(file, M, 0))
            os.close(file)
    assert len(seen[0]) == M and all(a != b for a, b in zip(seen[0][::PAGE], seen[1][::PAGE]))


@pytest.mark.parametrize("name", ["file-dirty", "tmpfs", "file-mmap", "memfd"])
def test_wrong_bytes_in_a_file_are_found(name, disk):
    """Somebody writes 24 bytes of zeros while it holds."""
    with Engine(name, "--size=1M", "--verify", "--hold=1s") as engine:
        engine.wait_for("hold")
        path, = [path for path in pathlib.Path(f"/proc/{engine.process.pid}/fd").iterdir()
                 if path.stat().st_size == M]
        with open(path, "r+b", buffering=0) as file:
            file.seek(512 << 10)
            assert file.write(bytes(24)) == 24
        engine.wait_for("error")
        phase, errnum, _, _, wrong, note = engine.read()
        assert (phase, errnum) == ("error", errno.EILSEQ) and 20 <= wrong <= 24
        assert "wrong byte at 0x" in note and "found 0x00" in note
        assert engine.acknowledge() == 1


@pytest.mark.parametrize("words", ["mlock", "mlock --how=all --block=2M", "thp --advice=none", "thrash", "shm"])
def test_wrong_bytes_in_memory_are_found(words):
    name, *args = words.split()
    with Engine(name, *args, "--size=2M", "--verify", "--hold=1s") as engine:
        engine.wait_for("hold")
        at = large_mapping(engine.process.pid, 2 * M) + M + 6
        with open(f"/proc/{engine.process.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(at)
            was = memory.read(3)
            memory.seek(at)
            memory.write(bytes(byte ^ 0xFF for byte in was))
        engine.wait_for("error")
        assert engine.read()[4] == 3 and f"wrong byte at {at:#x}" in engine.read()[5]
        assert engine.acknowledge() == 1


@pytest.mark.parametrize("access, clean, dirty", [("write", 0, 16 * M), ("read", 16 * M, 0)])
def test_file_mmap_is_mapped(access, clean, dirty, disk):
    with Engine("file-mmap", "--size=16M", f"--access={access}", "--hold=forever") as engine:
        engine.wait_for("hold")
        found = smaps(engine.process.pid, str(disk))
        assert found["Rss"] == 16 * M and found["Size"] == 16 * M
        assert found["Shared_Clean"] + found["Private_Clean"] == clean
        assert found["Shared_Dirty"] + found["Private_Dirty"] == dirty
        assert engine.bytes_read() == clean
        mapping, = [line for line in pathlib.Path(f"/proc/{engine.process.pid}/maps").read_text().splitlines()
                    if str(disk) in line]
        assert mapping.split()[1] == ("rw-s" if access == "write" else "r--s")


@pytest.mark.parametrize("name", ["file-dirty", "file-mmap"])
def test_files_not_in_memory(name, monkeypatch):
    monkeypatch.chdir("/dev/shm")
    done = stress(name, "--size=1M")
    assert done.returncode == 4 and "the working directory is in RAM" in done.stderr


@pytest.mark.parametrize("name", ["file-dirty", "file-mmap"])
def test_file_refused(name, disk):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 * M + 5, 8 * M + 5))
    with Engine(name, preexec=limit) as engine:
        engine.wait_for("error")
        phase, errnum, allocated, _, _, note = engine.read()
        assert (phase, errnum) == ("error", errno.EFBIG) and f"refused after {allocated} bytes: File too large" in note
        assert allocated == (8 * M + 5 if name == "file-dirty" else 0)
        assert engine.acknowledge() == 1


@pytest.mark.parametrize("caps, own", [((), True), ((CAP_SYS_ADMIN,), False)], ids=["own mount", "/dev/shm"])
def test_tmpfs_is_shared_memory_in_no_directory(caps, own, group):
    """Its file is on tmpfs, is counted as shmem, and is gone with the process."""
    enter, stat = group
    drop = without(*caps)
    before = os.listdir("/dev/shm"), pathlib.Path("/proc/self/mountinfo").read_text()
    with Engine("tmpfs", "--size=16M", "--hold=forever", preexec=lambda: (enter(), drop())) as engine:
        engine.wait_for("hold")
        assert before == (os.listdir("/dev/shm"), pathlib.Path("/proc/self/mountinfo").read_text())
        assert 16 * M <= of_group(stat(), "shmem") < 18 * M
        assert proc_bytes(engine.process.pid, "VmRSS") < 3 * M
        file, = files_of(engine.process.pid)
        where = os.fstatvfs(file)
        assert os.fstat(file).st_size == 16 * M == os.fstat(file).st_blocks * 512
        assert (where.f_blocks * where.f_frsize == 16 * M) is own
        assert (os.fstat(file).st_dev == os.stat("/dev/shm").st_dev) is not own
        os.close(file)
        engine.process.kill()
        engine.process.wait(WAIT_S)
        assert of_group(stat(), "shmem") < M


def test_shm_is_system_v_and_marked_for_removal():
    with Engine("shm", "--size=9M", "--segment=4M", "--hold=forever") as engine:
        engine.wait_for("hold")
        own = [one for one in segments() if one["cpid"] == engine.process.pid]
        assert sorted(one["size"] for one in own) == [M, 4 * M, 4 * M]  # listed by number, which starts again at 0 some day
        assert all(one["rss"] == one["size"] and one["nattch"] == 1 and one["key"] == 0 for one in own)
        assert all(one["perms"] == 1600 for one in own)  # octal, with SHM_DEST
        assert proc_bytes(engine.process.pid, "RssShmem") >= 9 * M


def test_memfd_is_a_file_in_memory():
    with Engine("memfd", "--size=16M", "--hold=forever") as engine:
        engine.wait_for("hold")
        path, = [path for path in pathlib.Path(f"/proc/{engine.process.pid}/fd").iterdir()
                 if "memfd:oomlab" in os.readlink(path)]
        assert path.stat().st_size == 16 * M == path.stat().st_blocks * 512
        assert 16 * M <= proc_bytes(engine.process.pid, "RssShmem") < 17 * M


@pytest.mark.parametrize("how", ["mlock", "onfault", "all"])
def test_mlock_is_locked(how):
    with Engine("mlock", f"--how={how}", "--size=16M", "--hold=forever") as engine:
        engine.wait_for("hold")
        locked = proc_bytes(engine.process.pid, "VmLck")
        assert locked == 16 * M if how != "all" else 16 * M < locked < 20 * M
        flags = [line for line in pathlib.Path(f"/proc/{engine.process.pid}/smaps").read_text().splitlines()
                 if line.startswith("VmFlags") and " lo" in line]
        assert flags and all((" lf" in line) == (how == "onfault") for line in flags)
        assert proc_bytes(engine.process.pid, "VmRSS") >= 16 * M


@pytest.mark.parametrize("how", ["mlock", "onfault", "all"])
def test_mlock_refused_says_the_limit(how):
    drop = without(CAP_IPC_LOCK)

    def limit():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (8 * M, 8 * M))
        drop()
    with Engine("mlock", f"--how={how}", "--size=16M", preexec=limit) as engine:
        engine.wait_for("enomem")
        _, errnum, allocated, touched, _, note = engine.read()
        assert errnum == errno.ENOMEM and allocated == touched and "RLIMIT_MEMLOCK is 8192K" in note
        assert allocated == 8 * M if how != "all" else 4 * M < allocated < 8 * M
        assert engine.acknowledge() == 3


@pytest.mark.parametrize("advice", ["hugepage", "nohugepage"])
def test_thp_says_what_it_got(advice):
    enabled = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not enabled.exists() or "[never]" in enabled.read_text():
        pytest.skip("transparent huge pages are off here")
    with Engine("thp", "--size=32M", f"--advice={advice}", "--hold=forever") as engine:
        engine.wait_for("hold")
        found = smaps(engine.process.pid)["AnonHugePages"]
        assert engine.numbers()[2] == {"anon_hugepages": found}
        if advice == "hugepage":
            assert 16 * M <= found <= 32 * M  # not all where memory is in pieces
        else:
            assert found == 0
        assert large_mapping(engine.process.pid, 32 * M) % (2 * M) == 0


@pytest.mark.parametrize("advice", ["hugepage", "nohugepage"])
def test_thp_sparse_writes_one_byte_in_each_huge_page(advice):
    enabled = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not enabled.exists() or "[never]" in enabled.read_text():
        pytest.skip("transparent huge pages are off here")
    with Engine("thp", "--size=32M", f"--advice={advice}", "--sparse", "--hold=forever") as engine:
        engine.wait_for("hold")
        found = smaps(engine.process.pid)
        at = large_mapping(engine.process.pid, 32 * M)
        with open(f"/proc/{engine.process.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(at)
            data = memory.read(32 * M)
        assert all(data[page] for page in range(0, 32 * M, 2 * M)) and sum(byte != 0 for byte in data) == 16
        assert engine.read()[3] == 16  # touched
        if advice == "hugepage":
            assert found["Anonymous"] >= 16 * M  # not all where memory is in pieces
        else:
            assert found["Anonymous"] < 2 * M


def test_unmet_says_what_is_missing():
    """Where this machine has it, its guests' scenarios show it all the same."""
    meminfo = pathlib.Path("/proc/meminfo").read_text()
    run = pathlib.Path("/sys/kernel/mm/ksm/run")
    lacking = []
    if re.search(r"HugePages_Total: +0\n", meminfo):
        lacking.append(("hugetlb", "no huge pages are reserved"))
    if re.search(r"SwapTotal: +0 kB", meminfo):
        lacking.append(("swap-verify", "no swap"))
    if run.exists() and run.read_text() != "1\n":
        lacking.append(("ksm", "KSM does not run"))
    if not lacking:
        pytest.skip("this machine has huge pages, swap and KSM")
    for name, words in lacking:
        done = stress(name)
        assert done.returncode == 4 and words in done.stderr and done.stderr.count("\n") == 1
        assert summary(done.stdout) == (0, 0, "this machine cannot do it")


def splitmix(state):
    """The next of the sequence in lib/hash.h, of which the pattern is made."""
    mask = (1 << 64) - 1
    state = (state + 0x9E3779B97F4A7C15) & mask
    h = state
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & mask
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & mask
    return state, h ^ (h >> 31)


@pytest.fixture
def one_cpu():
    """The kernel keeps some pages back from MADV_COLD in lists of each CPU, but not in the caller's."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def cold(pid, start, size):
    """What is accessed from now on shows as Referenced."""
    pidfd = os.pidfd_open(pid)
    iov = struct.pack("NN", start, size)
    done = libc.syscall(440, pidfd, iov, 1, MADV_COLD, 0)
    os.close(pidfd)
    if done < 0:
        pytest.skip(f"process_madvise: {os.strerror(ctypes.get_errno())}")
    return done


@pytest.mark.parametrize("pattern", ["random", "sequential"])
def test_thrash_goes_where_the_pattern_says(pattern, one_cpu):
    """The pages of the second of two passes, which must be those that follow from the seed."""
    pages, state, order = 1024, 7, []
    for _ in range(2 * pages):
        state, one = splitmix(state)
        order.append(one % pages)
    wanted = len(set(order[pages:])) if pattern == "random" else pages
    with Engine("thrash", "--size=4M", f"--pattern={pattern}", "--seed=7", "--passes=2", "--pause=500ms",
                "--hold=forever") as engine:
        engine.wait_for("run")
        deadline = time.monotonic() + WAIT_S
        while engine.numbers()[2]["accesses"] != pages:
            assert time.monotonic() < deadline
        start = large_mapping(engine.process.pid, 4 * M)
        assert cold(engine.process.pid, start, 4 * M) == 4 * M
        line = f"{start:x}-" if start >= 1 << 32 else f"{start:08x}-"
        assert smaps(engine.process.pid, line)["Referenced"] == 0
        engine.wait_for("hold")
        assert smaps(engine.process.pid, line)["Referenced"] == wanted * PAGE
        own = engine.numbers()[2]
        assert own["accesses"] == 2 * pages
        assert 0 < own["p50"] <= own["p90"] <= own["p99"] <= own["p999"] <= own["max"]


def test_thrash_feels_it_when_it_is_stopped():
    """Somebody keeps it off the CPU for 200 ms: the longest access lasted that long, the median did not."""
    with Engine("thrash", "--size=1M", "--passes=0") as engine:
        engine.wait_for("run")
        deadline = time.monotonic() + WAIT_S
        while (engine.numbers()[2]["max"] or 0) < 200_000_000:
            assert time.monotonic() < deadline
            engine.process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            engine.process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
        engine.process.terminate()
        engine.wait_for("signal")
        own = engine.numbers()[2]
        assert own["p50"] < 1_000_000 and own["max"] >= 200_000_000
        assert engine.acknowledge() == -signal.SIGTERM


@pytest.mark.parametrize("words", ["memfd", "shm", "thp", "mlock", "mlock --how=all", "thrash", "file-mmap"])
def test_refused_addresses(words, disk):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (40 * M, 40 * M))
    name, *args = words.split()
    with Engine(name, *args, "--size=64M", preexec=limit) as engine:
        engine.wait_for("enomem")
        phase, errnum, allocated, touched, _, note = engine.read()
        assert (phase, errnum) == ("enomem", errno.ENOMEM) and allocated == touched < 40 * M
        assert f"refused after {allocated} bytes: Cannot allocate memory" in note
        assert engine.acknowledge() == 3

