#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The peer of bench/recorder: one tick of the same processes in Python with psutil.

Arguments are pids. Each line of standard input, "WHAT TICKS", is answered with
the CPU and the wall nanoseconds of so many ticks. WHAT is

least  what psutil gives cheaply: memory_info() and oom_score of a process,
       virtual_memory() and swap_memory() of the system. Fewer values than ours.
same   every value that ours records: psutil knows neither peaks, swap, page
       tables nor faults of a process, so status and stat are read beside it,
       and of the system all of vmstat, the nodes' meminfo and pressure.
"""
import glob
import re
import sys
import time

import psutil

STATUS = re.compile(rb"^(VmPeak|VmSize|VmLck|VmHWM|VmRSS|RssAnon|RssFile|RssShmem|VmPTE|VmSwap):\s+(\d+)", re.M)
NODES = glob.glob("/sys/devices/system/node/node*/meminfo")
PRESSURE = glob.glob("/proc/pressure/[cim]*")


def slurp(path):
    with open(path, "rb") as f:
        return f.read()


def system_rest():
    """vmstat, nodes and pressure: what virtual_memory() and swap_memory() leave out."""
    values = {}
    for line in slurp("/proc/vmstat").splitlines():
        name, number = line.split()
        values[name] = int(number)
    for path in NODES:
        for line in slurp(path).splitlines():
            words = line.split()
            values[path, words[2]] = int(words[3])
    for path in PRESSURE:
        try:
            for line in slurp(path).splitlines():
                values[path, line[:4]] = int(line.rpartition(b"=")[2])
        except OSError:
            pass  # compiled in but off
    return values


def process_rest(pid):
    """status and stat: what memory_info() leaves out."""
    status = {name: int(kb) * 1024 for name, kb in STATUS.findall(slurp(f"/proc/{pid}/status"))}
    stat = slurp(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return status, int(stat[7]), int(stat[9])


def tick(processes, same):
    """All values of one tick, as a list."""
    values = [psutil.virtual_memory(), psutil.swap_memory()]
    if same:
        values.append(system_rest())
    for p in processes:
        values.append(p.memory_info())
        values.append(int(slurp(f"/proc/{p.pid}/oom_score")))
        if same:
            values.append(process_rest(p.pid))
    return values


def main():
    processes = [psutil.Process(int(pid)) for pid in sys.argv[1:]]
    for line in sys.stdin:
        what, ticks = line.split()
        cpu, wall = time.thread_time_ns(), time.monotonic_ns()
        for _ in range(int(ticks)):
            tick(processes, what == "same")
        print(time.thread_time_ns() - cpu, time.monotonic_ns() - wall, flush=True)


if __name__ == "__main__":
    main()
