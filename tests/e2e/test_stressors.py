# SPDX-License-Identifier: MIT
"""The stressors by hand. What they say of themselves is held against /proc, never taken on trust."""

import ctypes
import errno
import json
import mmap
import os
import pathlib
import re
import resource
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("OOMLAB_BUILD", "build")
STRESS = BUILD / "oomlab-stress"
STRESS_32 = BUILD / "i386/oomlab-stress"
M = 1 << 20
PHASES = ["start", "run", "hold", "done", "enomem", "signal", "error"]
WAIT_S = 20


@pytest.fixture(autouse=True, params=[STRESS, STRESS_32], ids=["64", "32"])
def program(request, monkeypatch):
    """Each test is about both programs."""
    if not request.param.exists():
        pytest.skip(f"{request.param.relative_to(ROOT)} is not there: ci/deps gets what it is built with")
    monkeypatch.setattr(sys.modules[__name__], "STRESS", request.param)
    return request.param


def stress(*args, **kwargs):
    return subprocess.run([STRESS, *args], capture_output=True, text=True, timeout=WAIT_S, **kwargs)


def summary(text):
    """allocated and touched bytes and the end of "memset: allocated 64M (67108864 bytes), ..."."""
    found = re.fullmatch(r"\w+: allocated \w+ \((\d+) bytes\), touched \w+ \((\d+) bytes\), VmRSS \w+; (.*)\n", text)
    assert found, text
    return int(found[1]), int(found[2]), found[3]


def proc_bytes(pid, key):
    """A kB value of /proc/PID/status in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"/proc/{pid}/status lacks {key}")


class Engine:
    """The engine's half of the shared page and the bell."""

    def __init__(self, *args, preexec=None):
        self.page = os.memfd_create("page", 0)
        os.ftruncate(self.page, 4096)
        self.bell, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        fds = (self.page, theirs.fileno())
        self.process = subprocess.Popen([STRESS, *args], pass_fds=fds, preexec_fn=preexec, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, "OOMLAB_SHARED": f"{fds[0]},{fds[1]}"})
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.bell.close()
        os.close(self.page)

    def read(self):
        """(phase, errno, allocated, touched, check errors, note)"""
        raw = os.pread(self.page, 4096, 0)
        magic, phase, errnum, _, allocated, touched, bad = struct.unpack_from("=IIiIQQQ", raw)
        assert magic == 0x4D4F4F21
        return PHASES[phase], errnum, allocated, touched, bad, raw[40:200].split(b"\0")[0].decode()

    def bytes_read(self):
        return struct.unpack_from("=Q", os.pread(self.page, 4096, 0), 200)[0]

    def ring(self):
        """The phase that the next byte of the bell stands for; None after the stressor's end."""
        assert select.select([self.bell], [], [], WAIT_S)[0], "the bell does not ring"
        byte = self.bell.recv(1)
        return PHASES[byte[0]] if byte else None

    def wait_for(self, phase):
        seen = []
        while not seen or seen[-1] != phase:
            seen.append(self.ring())
            assert seen[-1] is not None, f"ended after {seen}"
        return seen

    def acknowledge(self):
        start = time.monotonic()
        self.bell.send(b"\0")
        status = self.process.wait(WAIT_S)
        assert time.monotonic() - start < 1, "the acknowledgement was not seen"
        return status


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
    assert STRESS.stat().st_size < 2 * M


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
    process = subprocess.Popen([STRESS, "malloc", "--limit=1M", "--hold=forever"], stdout=subprocess.PIPE, text=True)
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


@pytest.fixture
def disk(monkeypatch):
    """A working directory that is not in RAM, as /tmp may be."""
    with tempfile.TemporaryDirectory(dir=BUILD) as path:
        monkeypatch.chdir(path)
        yield pathlib.Path(path)


def cached_bytes(fd, size):
    """How much of a file is in the page cache, by mincore(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with mmap.mmap(fd, size, mmap.MAP_SHARED) as area:
        pages = (ctypes.c_ubyte * (size // mmap.PAGESIZE))()
        start = ctypes.addressof(ctypes.c_char.from_buffer(area))
        assert libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), pages) == 0, ctypes.get_errno()
        found = sum(page & 1 for page in pages) * mmap.PAGESIZE
    return found


def files_of(pid):
    """Descriptors of regular files that a process has open, opened again."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if stat.S_ISREG(path.stat().st_mode) and "memfd" not in os.readlink(path):
            found.append(os.open(path, os.O_RDWR))
    return found


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
    assert done.returncode == 1 and "the working directory is in RAM" in done.stderr


BAD = [
    ([], ["usage"]),
    (["nosuch"], ["nosuch", "unknown stressor", "malloc, memset, calloc, file-clean"]),
    (["memset", "--blok=1M"], ["--blok", "unknown option", "--block, --limit, --pause, --hold"]),
    (["memset", "64M"], ["64M", "unknown option"]),
    (["memset", "-h"], ["unknown option"]),
    (["memset", "--=1M"], ["unknown option"]),
    (["memset", "--block=0"], ["--block", "out of range", "1B to"]),
    (["memset", "--block=0.1B"], ["--block", "out of range"]),
    (["memset", "--block=1"], ["--block", "B, K, M, G or T"]),
    (["memset", "--limit=-1M"], ["--limit", "B, K, M, G or T"]),
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
