# SPDX-License-Identifier: MIT
"""pipe and socket: bytes that the kernel keeps for a process, read from the other end; what they are refused."""

import ctypes
import fcntl
import os
import pathlib
import resource
import struct
import termios

import pytest

from stressing import CAP_SYS_RESOURCE, M, Engine, libc, proc_bytes, program, stress, summary, without


def open_channels(pid, kind, flags):
    """(inode, descriptor) of each pipe that a process has, opened again, once each."""
    found = {}
    for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        link = os.readlink(path)
        if link.startswith(kind) and int(path.name) > 2 and link not in found:
            found[link] = os.open(path, flags)
    return list(found.items())


def waiting(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]


def test_stolen_bytes_of_a_pipe_are_found():
    with Engine("pipe", "--size=1M", "--verify", "--hold=1s") as engine:
        engine.wait_for("hold")
        (_, fd), = open_channels(engine.process.pid, "pipe:", os.O_RDONLY | os.O_NONBLOCK)
        assert len(os.read(fd, 8)) == 8
        os.close(fd)
        engine.wait_for("error")
        assert engine.read()[4] > M // 2


def test_pipes_hold_it():
    with Engine("pipe", "--size=3000001B", "--pipe=256K", "--hold=forever") as engine:
        engine.wait_for("hold")
        pipes = [fd for _, fd in open_channels(engine.process.pid, "pipe:", os.O_RDONLY | os.O_NONBLOCK)]
        assert {fcntl.fcntl(fd, 1032) for fd in pipes} == {256 << 10}  # F_GETPIPE_SZ
        assert sum(map(waiting, pipes)) == 3000001
        assert engine.numbers()[2] == {"channels": len(pipes)} and len(pipes) == 12
        assert proc_bytes(engine.process.pid, "VmRSS") < 2 * M
        for fd in pipes:
            os.close(fd)


@pytest.mark.parametrize("args", [[], ["--buffer=64K"]])
def test_sockets_hold_it(args):
    with Engine("socket", "--size=3000001B", *args, "--hold=forever") as engine:
        engine.wait_for("hold")
        pidfd = os.pidfd_open(engine.process.pid)
        own = [path for path in pathlib.Path(f"/proc/{engine.process.pid}/fd").iterdir()
               if os.readlink(path).startswith("socket:") and int(path.name) > 2]
        fds = [libc.syscall(438, pidfd, int(path.name), 0) for path in own]  # pidfd_getfd
        if min(fds) < 0:
            pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        assert sum(map(waiting, fds)) == 3000001
        # One more is the bell.
        assert 2 * engine.numbers()[2]["channels"] == len(fds) - 1
        assert proc_bytes(engine.process.pid, "VmRSS") < 2 * M
        for fd in (*fds, pidfd):
            os.close(fd)


def few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))


@pytest.mark.parametrize("name", ["pipe", "socket"])
def test_channels_refused_for_want_of_descriptors(name):
    done = stress(name, preexec_fn=few_files)
    assert done.returncode == 1 and "RLIMIT_NOFILE is 20" in done.stderr and "Too many open files" in done.stderr
    assert summary(done.stdout)[0] > M


def test_the_soft_limit_of_descriptors_is_no_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1000:
        pytest.skip(f"RLIMIT_NOFILE: the hard limit is {hard}")
    done = stress("socket", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, hard)))
    assert done.returncode == 0


def test_pipe_refused_its_size():
    most = int(pathlib.Path("/proc/sys/fs/pipe-max-size").read_text())
    soft = int(pathlib.Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    done = stress("pipe", f"--pipe={2 * most}B", preexec_fn=without(CAP_SYS_RESOURCE))
    assert done.returncode == 1
    assert f"(pipe-max-size is {most}, pipe-user-pages-soft {soft}) of {2 * most} bytes" in done.stderr
