# SPDX-License-Identifier: MIT
"""Suites of the catalogue, found by their folder's name."""

import pytest

from lab import EXIT_PASS, GUEST_WAIT_S

KERNELS = ["debian_5.10", "debian_6.1", "debian_6.12", "debian_sid"]
UPGRADE = ["cache-reclaim", "global-oom", "memcg-oom", "memory-high", "oom-score-adj", "swap"]


def test_kernel_upgrade_is_a_case_times_a_kernel(lab):
    run = lab.run("kernel-upgrade", "--list-cells")
    assert run.status == EXIT_PASS, run
    assert run.stdout.split() == [f"upgrade-{case}/kernel={kernel}/1" for case in UPGRADE for kernel in KERNELS]


@pytest.mark.last
def test_kernel_upgrade_on_the_default_kernel(lab, qemu):
    run = lab.run("kernel-upgrade", "--kernel=debian:6.1", "--jobs=2", seconds=2 * GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    assert run.json["verdicts"]["pass"] == len(UPGRADE)
    assert "where kernels differ" not in run.stdout
