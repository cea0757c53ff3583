# SPDX-License-Identifier: MIT
"""Fixtures: a lab that looks after itself, and what the machine must have for a test."""

import fcntl
import os
import shutil
import signal
import subprocess

import pytest

import lab as lablib


def pytest_configure(config):
    # Whoever starts this in the background may have it ignore them, and what it starts would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    config.addinivalue_line("markers", "last: what it looks at takes long; everything else is run meanwhile")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture
def lab(tmp_path):
    """Runs the program; at its end nothing of the runs may be left."""
    one = lablib.Lab(tmp_path)
    yield one
    one.close()


def host_lacks():
    """Why trials on this machine cannot be watched from outside; None: they can."""
    if os.geteuid() != 0:
        return "not root: no cgroup of its own"
    found = lablib.memory_cgroup()
    if not found:
        return "no memory controller is mounted"
    if not os.access(found[1], os.W_OK) or os.statvfs(found[1]).f_flag & os.ST_RDONLY:
        return f"{found[1]} is read-only"
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return f"/dev/kmsg: {error.strerror}"
    return None


def guest_lacks():
    if not shutil.which("qemu-system-x86_64"):
        return "qemu-system-x86_64 is not installed"
    return None


@pytest.fixture
def host():
    """Skips where no trial can run on this machine; gives the cgroup version."""
    why = host_lacks()
    if why:
        pytest.skip(why)
    return lablib.memory_cgroup()[0]


@pytest.fixture(scope="session")
def qemu():
    why = guest_lacks()
    if why:
        pytest.skip(why)


@pytest.fixture(scope="session")
def sid(qemu):
    """The one kernel that moves, of an index that a mirror may have let expire."""
    done = subprocess.run([lablib.OOMLAB, "kernels", "fetch", "debian:sid"], capture_output=True, text=True, check=False, timeout=600)
    if "debian:sid could not be fetched" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])


@pytest.fixture
def kernel_log(host):
    log = lablib.KernelLog()
    yield log
    log.close()


@pytest.fixture
def sysctl(host):
    """(value now, another value) of lab.SYSCTL, put back whatever happens. Test runs side by side take turns."""
    with open(f"/tmp/oomlab-e2e.{os.geteuid()}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = lablib.SYSCTL.read_text().strip()
        yield before, "7" if before != "7" else "8"
        if lablib.SYSCTL.read_text().strip() != before:
            lablib.SYSCTL.write_text(before)
