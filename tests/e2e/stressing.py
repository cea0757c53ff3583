# SPDX-License-Identifier: MIT
"""What the tests of stressors share: the programs, the engine's half of the shared page, /proc."""

import ctypes
import mmap
import os
import pathlib
import re
import select
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
PHASES = ["start", "run", "hold", "done", "enomem", "signal", "error", "unmet"]
WAIT_S = 20
CAP_IPC_LOCK, CAP_SYS_ADMIN, CAP_SYS_RESOURCE = 14, 21, 24
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(autouse=True, params=[STRESS, STRESS_32], ids=["64", "32"])
def program(request, monkeypatch):
    """Each test is about both programs."""
    if not request.param.exists():
        pytest.skip(f"{request.param.relative_to(ROOT)} is not there: ci/deps gets what it is built with")
    monkeypatch.setattr(sys.modules[__name__], "STRESS", request.param)
    return request.param


def program_path():
    """The program that this test is about."""
    return STRESS


def stress(*args, **kwargs):
    return subprocess.run([STRESS, *args], capture_output=True, text=True, timeout=WAIT_S, **kwargs)


def summary(text):
    """allocated and touched bytes and the end of "memset: allocated 64M (67108864 bytes), ..."; values may follow."""
    found = re.match(r"[\w-]+: allocated \w+ \((\d+) bytes\), touched \w+ \((\d+) bytes\), VmRSS \w+; (.*)\n", text)
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

    def numbers(self):
        """live and obtained bytes, and the stressor's own values by name (None: not known)."""
        raw = os.pread(self.page, 4096, 0)
        own = {}
        for at in range(224, 224 + 16 * 32, 32):
            name, value = struct.unpack_from("=24sq", raw, at)
            if name[0]:
                own[name.split(b"\0")[0].decode()] = None if value == -(1 << 63) else value
        return *struct.unpack_from("=QQ", raw, 208), own

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


@pytest.fixture
def disk(monkeypatch):
    """A working directory that is not in RAM, as /tmp may be."""
    with tempfile.TemporaryDirectory(dir=BUILD) as path:
        monkeypatch.chdir(path)
        yield pathlib.Path(path)


def cached_bytes(fd, size):
    """How much of a file is in the page cache, by mincore(2)."""
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


def segments():
    """Lines of /proc/sysvipc/shm by their names."""
    head, *lines = pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()
    return [dict(zip(head.split(), map(int, line.split()))) for line in lines]


def without(*caps):
    """A preexec_fn: what is executed then lacks these capabilities."""
    def drop():
        for cap in caps:
            assert libc.prctl(24, cap, 0, 0, 0) == 0  # PR_CAPBSET_DROP
    return drop
