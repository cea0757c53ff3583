# SPDX-License-Identifier: MIT
"""The stressors by hand. What they say of themselves is held against /proc, never taken on trust."""

import errno
import json
import os
import pathlib
import resource
import signal
import subprocess
import time

import pytest

from lab import OOMLAB, memory_cgroup
from stressing import (STRESS, STRESS_32, M, WAIT_S, Engine, cached_bytes, disk, files_of, proc_bytes, program, program_path,
                       stress, summary)

@pytest.mark.parametrize("name", ["malloc", "memset", "calloc"])
@pytest.mark.parametrize("args, bytes_wanted", [
    (["--limit=64M"], 64 * M),
    (["--limit", "64M", "--block", "3M"], 64 * M),  # the last block is smaller
    (["--limit=5000001B", "--block=4096B"], 5000001),
    (["--limit=40M", "--block=40M"], 40 * M),
    (["--limit=1B", "--block=1B"], 1),
])
def test_amount_is_exact(name, args, bytes_wanted):
    done = stress(name, *args)
    assert (done.returncode, done.stderr) == (0, "")
    assert summary(done.stdout) == (bytes_wanted, bytes_wanted if name == "memset" else 0, "limit reached")


@pytest.mark.parametrize("name, rss_min, rss_max", [
    ("memset", 256 * M, 260 * M),
    ("malloc", 0, 3 * M),  # one page a block, for the allocator's header
    ("calloc", 0, 3 * M),
])
def test_kernel_sees_the_same(name, rss_min, rss_max):
    with Engine(name, "--limit=256M", "--hold=forever") as engine:
        assert engine.wait_for("hold") == ["run", "hold"]
        pid = engine.process.pid
        assert engine.read()[2:4] == (256 * M, 256 * M if name == "memset" else 0)
        assert rss_min <= proc_bytes(pid, "VmRSS") <= rss_max
        assert 256 * M <= proc_bytes(pid, "VmSize") <= 260 * M
        assert pathlib.Path(f"/proc/{pid}/comm").read_text() == name + "\n"


def test_touched_grows_inside_a_block_as_rss_does():
    with Engine("memset", "--limit=768M", "--block=768M") as engine:
        assert engine.ring() == "run"
        seen, deadline = set(), time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            phase, _, allocated, touched, _, _ = engine.read()
            if phase != "run":
                break
            seen.add(touched)
            rss = proc_bytes(engine.process.pid, "VmRSS")
            assert allocated in (0, 768 * M)
            assert rss + 4 * M >= touched
        assert len(seen - {0, 768 * M}) > 3
        assert all(touched % M == 0 for touched in seen)


def test_small_before_it_allocates():
    with Engine("malloc", "--limit=1B", "--block=1B", "--hold=forever") as engine:
        engine.wait_for("hold")
        assert proc_bytes(engine.process.pid, "VmRSS") < M
    assert program_path().stat().st_size < 2 * M


def test_done_waits_for_the_last_sample():
    with Engine("memset", "--limit=32M") as engine:
        assert engine.wait_for("done") == ["run", "done"]
        assert engine.read() == ("done", 0, 32 * M, 32 * M, 0, "")
        assert proc_bytes(engine.process.pid, "VmRSS") >= 32 * M
        assert engine.acknowledge() == 0
        assert engine.process.stdout.read() == ""


def test_done_does_not_wait_for_ever():
    with Engine("memset", "--limit=1M") as engine:
        engine.wait_for("done")
        start = time.monotonic()
        assert engine.process.wait(WAIT_S) == 0
        assert 1 < time.monotonic() - start < 4


def test_an_engine_that_is_gone_is_not_waited_for():
    with Engine("memset", "--limit=1M", "--hold=forever") as engine:
        engine.wait_for("hold")
        engine.bell.close()
        start = time.monotonic()
        engine.process.terminate()
        assert engine.process.wait(WAIT_S) == -signal.SIGTERM
        assert time.monotonic() - start < 1


def limit_address_space():
    resource.setrlimit(resource.RLIMIT_AS, (200 * M, 200 * M))


@pytest.mark.parametrize("name", ["malloc", "memset", "calloc"])
def test_refused(name):
    with Engine(name, "--block=1M", preexec=limit_address_space) as engine:
        assert engine.wait_for("enomem") == ["run", "enomem"]
        phase, errnum, allocated, touched, _, note = engine.read()
        assert (phase, errnum) == ("enomem", 12)
        assert 190 * M < allocated < 200 * M
        assert touched == (allocated if name == "memset" else 0)
        assert f"refused after {allocated} bytes: Cannot allocate memory" in note
        assert engine.acknowledge() == 3
        assert engine.process.stderr.read() == f"{name}: {note}\n"


def test_refused_by_hand():
    done = stress("memset", "--block=10M", preexec_fn=limit_address_space)
    allocated, touched, end = summary(done.stdout)
    assert (done.returncode, end) == (3, "allocation refused")
    assert allocated == touched and allocated % (10 * M) == 0 and 180 * M < allocated < 200 * M
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("program", [STRESS_32], indirect=True)
def test_32_bits_are_refused_what_they_cannot_address():
    """An amount may be more than that, and is counted right up to the refusal; one block may not."""
    done = stress("malloc", "--limit=8G")
    allocated, touched, end = summary(done.stdout)
    assert (done.returncode, touched, end) == (3, 0, "allocation refused")
    assert 2048 * M < allocated < 4096 * M and allocated % M == 0
    assert f"malloc of {M} bytes refused after {allocated} bytes" in done.stderr
    done = stress("malloc", "--block=5G", "--limit=8G")
    assert (done.returncode, done.stdout) == (2, "") and "1B to just under 4G" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("args, before", [
    (["--limit=8M", "--hold=forever"], "hold"),
    (["--limit=8M", "--hold=1h"], "hold"),
    (["--limit=8M", "--pause=1h"], "run"),
    (["--limit=768M", "--block=768M"], "run"),  # in the middle of a block
])
def test_signal(number, args, before):
    with Engine("memset", *args) as engine:
        engine.wait_for(before)
        engine.process.send_signal(number)
        engine.wait_for("signal")
        assert engine.acknowledge() == -number


def test_signal_by_hand_leaves_a_summary():
    process = subprocess.Popen([program_path(), "malloc", "--limit=1M", "--hold=forever"], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + WAIT_S
    while proc_bytes(process.pid, "VmData") < M and time.monotonic() < deadline:
        os.sched_yield()
    process.terminate()
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == -signal.SIGTERM
    assert summary(output) == (M, 0, "Terminated")


def test_ignored_signal_stays_ignored():
    with Engine("malloc", "--limit=1M", "--hold=forever",
                preexec=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as engine:
        engine.wait_for("hold")
        engine.process.send_signal(signal.SIGHUP)
        engine.process.send_signal(signal.SIGTERM)
        engine.wait_for("signal")
        assert engine.acknowledge() == -signal.SIGTERM


def test_hold_and_pause_last():
    start = time.monotonic()
    assert stress("malloc", "--limit=3M", "--pause=100ms", "--hold=200ms").returncode == 0
    assert 0.4 <= time.monotonic() - start < 5  # two pauses and the hold


def test_file_clean_is_in_the_page_cache_and_clean(disk):
    with Engine("file-clean", "--size=32M", "--passes=2", "--hold=forever") as engine:
        assert engine.wait_for("hold") == ["run", "hold"]
        assert engine.read() == ("hold", 0, 32 * M, 32 * M, 0, "")
        assert engine.bytes_read() == 64 * M
        assert proc_bytes(engine.process.pid, "VmRSS") < 3 * M
        assert not list(disk.iterdir()), "it has a name"
        file, = files_of(engine.process.pid)
        assert os.fstat(file).st_size == 32 * M and cached_bytes(file, 32 * M) == 32 * M
        # Advice drops clean pages alone.
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        assert cached_bytes(file, 32 * M) == 0
        os.close(file)


def test_file_clean_sees_what_is_wrong_with_it(disk):
    """Between two passes somebody writes 24 bytes of zeros."""
    with Engine("file-clean", "--size=1M", "--block=64K", "--passes=1000000", "--pause=1ms") as engine:
        engine.wait_for("run")
        deadline = time.monotonic() + WAIT_S
        while engine.bytes_read() < M and time.monotonic() < deadline:
            time.sleep(0.001)
        file, = files_of(engine.process.pid)
        os.pwrite(file, bytes(24), 512 << 10)
        os.close(file)
        while not engine.read()[4] and time.monotonic() < deadline:
            time.sleep(0.001)
        assert engine.read()[4] % 24 == 0 and engine.read()[4] > 0
        engine.process.terminate()
        engine.wait_for("signal")
        assert engine.acknowledge() == -signal.SIGTERM


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * M + 5, 8 * M + 5))


def test_file_clean_refused(disk):
    with Engine("file-clean", preexec=limit_files) as engine:
        assert engine.wait_for("error") == ["run", "error"]
        phase, errnum, allocated, _, _, note = engine.read()
        assert (phase, errnum, allocated) == ("error", errno.EFBIG, 8 * M + 5)
        assert f"refused after {allocated} bytes: File too large" in note
        assert engine.acknowledge() == 1


def test_file_clean_not_in_memory(monkeypatch):
    monkeypatch.chdir("/dev/shm")
    done = stress("file-clean", "--size=1M")
    assert done.returncode == 4 and "the working directory is in RAM" in done.stderr
    assert summary(done.stdout)[2] == "this machine cannot do it"


BAD = [
    ([], ["usage"]),
    (["nosuch"], ["nosuch", "unknown stressor", "malloc, memset, calloc, "]),
    (["memset", "--blok=1M"], ["--blok", "unknown option", "--block, --limit, --pause, --hold, --time, --verify"]),
    (["memset", "64M"], ["64M", "unknown option"]),
    (["memset", "-h"], ["unknown option"]),
    (["memset", "--=1M"], ["unknown option"]),
    (["memset", "--block=0"], ["--block", "out of range", "1B to"]),
    (["memset", "--block=0.1B"], ["--block", "out of range"]),
    (["memset", "--block=1"], ["--block", "B, K, M, G or T"]),
    (["memset", "--limit=-1M"], ["--limit", "B, K, M, G or T"]),
    (["memset", "--limit=0%ram"], ["--limit", "out of range"]),
    (["memset", "--limit=50%rom"], ["--limit", "N% of the cgroup's limit, or N%ram"]),
    (["memset", "--limit=1X"], ["--limit", "B, K, M, G or T"]),
    (["memset", "--limit=200T"], ["--limit", "out of range", "128T"]),
    (["memset", "--limit=99999999999999999999T"], ["--limit", "out of range"]),
    (["memset", "--limit="], ["--limit", "B, K, M, G or T"]),
    (["memset", "--limit"], ["--limit", "value is missing"]),
    (["memset", "--block=2M", "--limit=1M"], ["--block", "larger than --limit", "1B to 1024K"]),
    (["memset", "--limit=1K"], ["--block", "larger than --limit"]),  # the default block is too large
    (["memset", "--pause=5"], ["--pause", "ms"]),
    (["memset", "--pause=forever"], ["--pause"]),
    (["memset", "--hold=-1s"], ["--hold", "forever"]),
    (["numa-bind", "--nodes=1-"], ["--nodes", '"1-" is not understood', "numbers and ranges, e.g. 0-3,7, or all"]),
    (["numa-bind", "--nodes=1024"], ["--nodes", "out of range", "numbers and ranges"]),
    (["numa-preferred", "--node=1024"], ["--node", "out of range", "a whole number; 0 to 1023"]),
    (["numa-migrate", "--to=0"], ["--to: is the node of --from", "another one"]),
]


@pytest.mark.parametrize("args, words", BAD, ids=[" ".join(args) or "nothing" for args, _ in BAD])
def test_bad_options(args, words):
    done = stress(*args)
    assert (done.returncode, done.stdout) == (2, "")
    for word in words:
        assert word in done.stderr
    if args:
        assert done.stderr.count("\n") == 1
        assert stress(args[0], "--check", *args[1:]).stderr == done.stderr


@pytest.fixture(params=["64M", None], ids=["64M", "no limit"])
def group(request):
    """A group with a limit, or without one anywhere above it, which processes enter by preexec_fn."""
    version, mount = memory_cgroup()
    top = mount / f"oomlab-test.{os.getpid()}"
    inner = top / "inner"
    try:
        inner.mkdir(parents=True)
    except PermissionError:
        pytest.skip("this user makes no cgroups")
    file = top / ("memory.limit_in_bytes" if version == 1 else "memory.max")
    if request.param:
        file.write_text(request.param)
    yield request.param, lambda: (inner / "cgroup.procs").write_text(str(os.getpid()))
    inner.rmdir()
    top.rmdir()


def test_sizes_relative_to_the_limit(group):
    """The limit of a group above its own counts as well."""
    limit, enter = group
    done = stress("memset", "--limit=25%", preexec_fn=enter)
    if limit:
        assert (done.returncode, summary(done.stdout)[1]) == (0, 16 * M)
    else:
        assert (done.returncode, done.stdout) == (2, "")
        assert "--limit" in done.stderr and "no cgroup of this process has a memory limit" in done.stderr
        assert "N%ram" in done.stderr and done.stderr.count("\n") == 1


def test_sizes_relative_to_ram():
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    done = stress("malloc", "--limit=0.5%ram", "--block=64K")
    assert summary(done.stdout)[0] == int(ram * 0.005) // 4096 * 4096


def test_relative_sizes_are_only_checked_for_their_form_elsewhere():
    assert stress("memset", "--check", "--limit=50%", "--block=1G").returncode == 0
    assert stress("memset", "--check", "--limit=50%%").returncode == 2


def test_misuse_in_a_trial_is_on_the_page():
    with Engine("memset", "--limit=1M", "--block=2M") as engine:
        assert engine.ring() == "error"
        assert engine.read()[:2] == ("error", errno.EINVAL) and "--block: larger" in engine.read()[5]
        assert engine.process.wait(WAIT_S) == 2


def test_time_ends_it():
    start = time.monotonic()
    done = stress("malloc", "--limit=1M", "--hold=forever", "--time=200ms")
    assert 0.2 <= time.monotonic() - start < 5
    assert (done.returncode, summary(done.stdout)) == (0, (M, 0, "time is up"))
    done = stress("malloc", "--limit=4M", "--pause=10s", "--time=100ms")
    assert (done.returncode, summary(done.stdout)) == (0, (M, 0, "time is up"))


@pytest.mark.parametrize("args", [["--limit=8M"], ["--limit=5000001B", "--block=4097B"], ["--limit=3M", "--time=1h"]])
def test_verify_reads_all_of_it_back(args):
    with Engine("memset", "--verify", *args) as engine:
        engine.wait_for("done")
        wanted = engine.read()[3]
        assert engine.read() == ("done", 0, wanted, wanted, 0, "") and engine.bytes_read() == wanted
        assert engine.acknowledge() == 0


def large_mapping(pid, size):
    """Address of the first mapping of at least that size."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        start, end = (int(address, 16) for address in line.split()[0].split("-"))
        if end - start >= size:
            return start
    raise AssertionError(f"{pid} maps nothing of {size} bytes")


def test_verify_finds_a_wrong_byte():
    """Three bytes across a word are written from outside while it holds."""
    with Engine("memset", "--verify", "--limit=2M", "--block=2M", "--hold=1s") as engine:
        engine.wait_for("hold")
        at = large_mapping(engine.process.pid, 2 * M) + M + 6
        with open(f"/proc/{engine.process.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(at)
            was = memory.read(3)
            memory.seek(at)
            memory.write(bytes(byte ^ 0xFF for byte in was))
        engine.wait_for("error")
        phase, errnum, _, _, wrong, note = engine.read()
        assert (phase, errnum, wrong) == ("error", errno.EILSEQ, 3)
        assert note == f"wrong byte at {at:#x}: expected {was[0]:#04x}, found {was[0] ^ 0xFF:#04x}"
        assert engine.acknowledge() == 1


@pytest.mark.parametrize("text", ["", "3", "3,", "x,y", "-1,4", "3,4,5", "900,901"])
def test_bad_shared_page(text):
    done = stress("malloc", "--limit=1M", env={"OOMLAB_SHARED": text})
    assert done.returncode in (1, 2) and "OOMLAB_SHARED" in done.stderr


def test_check_allocates_nothing():
    done = stress("memset", "--check", "--limit=100T", "--hold=forever")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_lists():
    listed = json.loads(stress("--list", "--json").stdout)["stressors"]
    assert {"malloc", "memset", "calloc"} <= {one["name"] for one in listed}
    for one in listed:
        assert one["about"] and isinstance(one["needs"], list)
        text = stress(one["name"], "--help").stdout
        assert one["about"] in text
        for option in one["options"]:
            assert f"--{option['name']}" in text and option["help"] in text
    assert [line.split()[0] for line in stress("--list").stdout.splitlines()] == [one["name"] for one in listed]
    block = next(o for o in listed[0]["options"] if o["name"] == "block")
    assert (block["default"], block["default_value"], block["unit"]) == ("1M", M, "bytes")


@pytest.mark.parametrize("program", [STRESS], indirect=True)
def test_the_list_shows_what_each_needs():
    listed = subprocess.run([OOMLAB, "list", "stressors"], capture_output=True, text=True, check=True).stdout
    for one in json.loads(stress("--list", "--json").stdout)["stressors"]:
        line, = (line for line in listed.splitlines() if line.split()[0] == one["name"])
        assert one["about"] in line
        assert line.endswith(f" [needs {', '.join(one['needs'])}]") if one["needs"] else "[needs" not in line


@pytest.mark.parametrize("name", ["numa-bind", "numa-interleave", "numa-preferred", "numa-migrate"])
def test_one_node_is_unmet(name):
    nodes = pathlib.Path("/sys/devices/system/node/has_memory")
    if nodes.exists() and nodes.read_text() != "0\n":
        pytest.skip("this machine has several NUMA nodes")
    done = stress(name)
    assert (done.returncode, done.stderr) == (4, f"{name}: there are no two NUMA nodes with memory\n")


def wasted_with(name):
    """Heap that is mapped while it holds what is left, and what the stressor says it has and wastes."""
    with Engine(name, "--size=32M", "--block=2K", "--keep=256", "--verify", "--hold=forever") as engine:
        engine.wait_for("hold")
        heap = sum(int(line.split("-")[1].split()[0], 16) - int(line.split("-")[0], 16)
                   for line in pathlib.Path(f"/proc/{engine.process.pid}/maps").read_text().splitlines()
                   if line.endswith("[heap]"))
        live, obtained, values = engine.numbers()
        assert live == values["live"] == 128 << 10 and values["obtained_full"] >= 32 * M
        assert obtained == values["obtained"] and values["wasted"] == obtained - live
        assert abs(heap - obtained) < 256 << 10
        assert engine.read()[2:5] == (32 * M, 32 * M, 0)
    return values["wasted"]


def test_frees_in_another_order_waste_a_hundred_times_as_much():
    assert wasted_with("frag-order") >= 100 * wasted_with("frag-lifo") > 0
