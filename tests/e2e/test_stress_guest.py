# SPDX-License-Identifier: MIT
"""Stressors that need what few machines have, in guests: what they claim is read from the guest's own /proc and /sys."""

import re

import pytest

from lab import EXIT_FAIL, EXIT_PASS, GUEST_WAIT_S, M, Lab

PAGE = 4096
# What the kernel says of every process that holds, when the last one does.
LOOK = ("for p in /proc/[0-9]*; do read -r name < $p/comm; case $name in hugetlb|ksm|swap-verify) "
        "echo \"= $name\"; cat $p/status $p/smaps_rollup;; esac; done; echo = system; cat /proc/meminfo /proc/vmstat; "
        "read -r n < /sys/kernel/mm/ksm/pages_sharing; echo \"pages_sharing $n\"")
# Writes four letters into the largest mapping of swap-verify, again and again, until that has ended.
SPOIL = ("for p in /proc/[0-9]*; do read -r name < $p/comm; [ $name = swap-verify ] && who=$p; done; "
         "while read -r range rest; do size=$((0x${range#*-} - 0x${range%-*})); "
         "[ $size -ge 8388608 ] && at=$((0x${range%-*} + 4096000)); done < $who/maps; "
         "while [ -e $who/mem ]; do printf ZZZZ | dd of=$who/mem bs=4 seek=$((at / 4)) conv=notrunc || break; done 2> /dev/null")
HOLDING = f"""
scenario: holding
machine: {{kernel: debian:6.1, memory: 192M, hugepages: 16M, ksm: true, swap: {{size: 32M, kind: pmem}}}}
processes:
  out: {{run: [swap-verify, --size=12M, --hold=forever]}}
  huge: {{run: [hugetlb, --size=8M, --verify, --hold=forever], start: {{after: out, phase: hold}}}}
  same: {{run: [ksm, --size=4M, --hold=forever], start: {{after: huge, phase: hold}}}}
  look: {{exec: [sh, -c, '{LOOK}'], files: [/bin/cat], start: {{after: same, phase: hold}}}}
stop: {{timeout: 8s}}
"""
SPOILT = f"""
scenario: spoilt
machine: {{kernel: debian:6.1, memory: 192M, swap: {{size: 32M, kind: pmem}}}}
processes:
  out: {{run: [swap-verify, --size=8M, --passes=100000, --time=2s]}}
  spoil: {{exec: [sh, -c, '{SPOIL}'], files: [/bin/dd], start: {{after: out, touched: 8M}}}}
stop: {{timeout: 20s}}
"""


@pytest.fixture(scope="module")
def seen(qemu, tmp_path_factory):
    """(the trial, {process: {key: kB or count}}) of what the guest's kernel said while all of them held."""
    lab = Lab(tmp_path_factory.mktemp("holding"))
    run = lab.run(lab.scenario(HOLDING), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    trial = run.trial()
    text = "".join(one["text"] for one in trial.events if one["event"] == "output" and one["process"] == "look")
    found = {}
    for part in text.split("= ")[1:]:
        name, rest = part.split("\n", 1)
        found[name] = {match[1]: int(match[2]) for match in re.finditer(r"^(\w+):?\s+(\d+)(?: kB)?$", rest, re.M)}
    yield trial, found
    lab.close()


def test_hugetlb(seen):
    trial, found = seen
    own, system = found["hugetlb"], found["system"]
    assert own["HugetlbPages"] == own["Private_Hugetlb"] == 8 << 10 and own["VmRSS"] < 4 << 10
    assert system["HugePages_Total"] == 8 and system["HugePages_Free"] == 4
    assert trial.process("huge")["metrics"]["touched"] == 8 * M


def test_ksm(seen):
    trial, found = seen
    # One of 1024 stays, and whatever else was the same.
    assert found["system"]["pages_sharing"] >= 1000
    assert trial.result["metrics"]["same.pages_sharing"] == pytest.approx(found["system"]["pages_sharing"], abs=24)
    assert found["ksm"]["VmRSS"] >= 4 << 10


def test_swap_verify(seen):
    trial, found = seen
    assert found["system"]["pswpout"] >= 12 * M / PAGE and found["system"]["pswpin"] >= 12 * M / PAGE * 0.9
    assert found["swap-verify"]["VmRSS"] + found["swap-verify"]["VmSwap"] >= 12 << 10
    metrics = trial.result["metrics"]
    assert metrics["out.swapped"] >= 11 * M and metrics["out.read"] == 12 * M and metrics["out.check_errors"] == 0


def test_swap_verify_reports_a_wrong_byte(lab, qemu):
    """Somebody else writes into its memory while it is out in swap: address, what should be there, what is; the trial fails."""
    run = lab.run(lab.scenario(SPOILT), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_FAIL, run
    out = run.trial().process("out")
    assert out["exit_code"] == 1 and out["metrics"]["check_errors"] >= 1
    note = re.fullmatch(r"wrong byte at 0x([0-9a-f]+): expected 0x([0-9a-f]{2}), found 0x5a", out["note"])
    assert note and int(note[1], 16) % PAGE < 4 and note[2] != "5a", out
