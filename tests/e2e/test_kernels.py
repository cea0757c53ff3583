# SPDX-License-Identifier: MIT
"""oomlab kernels on a cache made here; no network. Where a fetch is to succeed, stand-ins for apt's programs give it a
kernel: what is tested is what becomes of the cache."""

import fcntl
import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

from kernel_cache import KEYRING, Cache, complaint, image
from lab import EXIT_BROKEN, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, OOMLAB, wait_until

OLD = """CONFIG_SWAP=y
CONFIG_HZ=250
CONFIG_MEMCG=y
# CONFIG_LRU_GEN_ENABLED is not set
CONFIG_ZSWAP_COMPRESSOR_DEFAULT="lzo"
CONFIG_LOCALVERSION="-old"
"""
NEW = """CONFIG_SWAP=y
CONFIG_HZ=1000
CONFIG_MEMCG=y
# CONFIG_MEMCG_V1 is not set
CONFIG_LRU_GEN_ENABLED=y
CONFIG_ZSWAP_COMPRESSOR_DEFAULT="lzo"
CONFIG_LOCALVERSION="-new"
"""


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path)


@pytest.fixture
def fetching():
    """fetch looks for these before anything else."""
    for program in ("apt-get", "apt-cache", "dpkg-deb", "flock"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if not KEYRING.exists():
        pytest.skip(f"{KEYRING} is not there")


def test_list_says_what_is_fetched(cache):
    where = cache.add("debian-6.1", "6.1.0-9-test", OLD)
    (where / "modules/blob").write_bytes(os.urandom(3 << 20))
    (cache.kernels / "debian-sid").mkdir()
    done = cache("list")
    assert done.returncode == EXIT_PASS and done.stderr == ""
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    suite, size, version = rows["debian:6.1"]
    assert (suite, version) == ("bookworm", "6.1.0-9-test") and re.fullmatch(r"30[789]\dK", size), size
    assert rows["debian:6.12"] == ["trixie", "-", "not", "fetched"]
    assert rows["debian:sid"][:3] == ["sid", "-", "damaged:"]
    found = {one["name"]: one for one in json.loads(cache("list", "--json").stdout)["kernels"]}
    assert found.keys() == rows.keys() - {"kernel"}
    assert rows["built:6.1-tiny-fast"] == ["bookworm", "-", "not", "built"]
    assert found["debian:6.1"]["version"] == "6.1.0-9-test" and found["debian:6.1"]["cached"] is True
    assert 3 << 20 <= found["debian:6.1"]["bytes"] < (3 << 20) + 65536
    assert (found["debian:6.12"]["cached"], found["debian:6.12"]["version"]) == (False, None)
    assert found["debian:6.1-686"]["arch"] == "i386"
    assert "version" in found["debian:sid"]["error"]


def test_bad_words(cache):
    cache.add("debian-6.1", "6.1.0-9-test", OLD)
    before = cache.files()
    complaint(cache("fetch", "debian:6.1", "debian:7"), EXIT_USAGE, '"debian:7"', "known: debian:6.1, debian:5.10")
    complaint(cache("remove", "debian:6.1", "../debian-6.1"), EXIT_USAGE, '"../debian-6.1"', "known: debian:6.1")
    complaint(cache("diff", "debian:6.1", "debian:7"), EXIT_USAGE, '"debian:7"', "known: debian:6.1", "bzImage")
    complaint(cache("diff", "debian:6.1"), EXIT_USAGE, "two kernels")
    complaint(cache("diff", "debian:6.1", "/nowhere/bzImage"), EXIT_USAGE, "/nowhere/bzImage")
    complaint(cache("diff", "debian:6.1", "debian:6.12"), EXIT_USAGE, "oomlab kernels fetch debian:6.12")
    complaint(cache("fetch"), EXIT_USAGE, "fetch: which?")
    complaint(cache("fetch", "--all", "debian:6.1"), EXIT_USAGE, "--all")
    complaint(cache("list", "debian:6.1"), EXIT_USAGE, "debian:6.1")
    complaint(cache("remove", "--all"), EXIT_USAGE, "NAME...")
    complaint(cache("list", "--jsno"), EXIT_USAGE, "--jsno")
    complaint(cache("bulid", "debian:6.1"), EXIT_USAGE, '"bulid"', "list, fetch, build, diff, remove")
    assert cache().returncode == EXIT_USAGE and "usage: oomlab kernels" in cache().stderr
    assert cache("--help").returncode == EXIT_PASS and "fetch" in cache("diff", "--help").stdout
    assert cache.files() == before and not cache.apt.exists()


def test_fetched_already(cache):
    cache.add("debian-6.1", "6.1.0-9-test", OLD)
    done = cache("fetch", "debian:6.1")
    assert (done.returncode, done.stderr) == (EXIT_PASS, "")
    assert done.stdout == "debian:6.1 is fetched already: 6.1.0-9-test\n"
    assert not cache.apt.exists()


def test_fetch_that_fails_leaves_nothing(cache, fetching):
    cache.stand_ins()
    complaint(cache("fetch", "debian:6.1", STAND_IN_FAILS="1"), EXIT_BROKEN, "kernel debian:6.1 could not be fetched: ",
              "http://127.0.0.1:9/", "the stand-in says no")
    assert cache.files() == {}


def test_cell_whose_kernel_cannot_be_fetched_is_a_skip(cache, fetching):
    """The others of the run go on; here there is none."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("qemu-system-x86_64 is not installed")
    cache.stand_ins()
    scenario = cache.tmp / "s.yaml"
    scenario.write_text("scenario: s\nmachine: {kernel: debian:sid}\nprocesses: {hog: {run: [malloc, --limit=1M]}}\n")
    done = subprocess.run([OOMLAB, "run", scenario, "--repeat=2", "--jobs=1", "--out", cache.tmp / "out"], capture_output=True, text=True,
                          timeout=60, env={**cache.env, "STAND_IN_FAILS": "1"}, check=False)
    assert done.returncode == EXIT_SKIP, done
    reason = json.loads((cache.tmp / "out/all/1/result.json").read_text())["reason"]
    assert done.stderr.count("reading the package index") == 1  # one attempt is enough
    assert "debian:sid could not be fetched" in reason and "the stand-in says no" in reason
    assert cache.files() == {}


def test_refresh_that_fails_keeps_the_old(cache, fetching):
    cache.add("debian-6.1", "6.1.0-9-test", OLD)
    before = cache.files()
    complaint(cache("fetch", "--refresh", "debian:6.1"), EXIT_BROKEN, "debian:6.1 could not be fetched: ", "127.0.0.1")
    assert cache.files() == before


def test_refresh_replaces_the_old_when_the_new_is_whole(cache, fetching):
    cache.stand_ins()
    where = cache.add("debian-6.1", "6.1.0-9-test", OLD)
    before = cache.files()
    live = subprocess.Popen([OOMLAB, "kernels", "fetch", "--refresh", "debian:6.1"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env={**cache.env, "STAND_IN_WAITS": "1"})
    wait_until("a package in the part", lambda: list(cache.kernels.glob("*.part.*/debs/*.deb")))
    assert {path: data for path, data in cache.files().items() if ".part." not in path} == before
    complaint(cache("remove", "debian:6.1"), EXIT_BROKEN, "debian:6.1", "a fetch is running")
    live.kill()
    live.wait()
    wait_until("the end of fetch", lambda: cache.files() == before)
    done = cache("fetch", "--refresh", "debian:6.1")
    assert done.returncode == EXIT_PASS and done.stdout == "debian:6.1 is fetched: 9.9-new\n", done
    assert (where / "config").read_text() == "CONFIG_SWAP=y\n"
    assert [path.name for path in cache.kernels.iterdir()] == ["debian-6.1"]


def on_small_disk(cache, size_mb, *words, **env):
    """The command with its cache on a file system of that size; its last line is what is left there."""
    script = ('mount -t tmpfs -o "size=$1m" tmpfs "$2" || exit 99; where=$2; shift 2; "$@"; status=$?; '
              'find "$where/oomlab/kernels" -mindepth 1 -printf "left %P "; exit $status')
    cache.tmp.joinpath("cache").mkdir(exist_ok=True)
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(size_mb), cache.tmp / "cache", OOMLAB,
                           "kernels", *words], capture_output=True, text=True, timeout=60,
                          env={**cache.env, **env}, check=False)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    return done


@pytest.mark.parametrize("size_mb, fills, says", [
    (64, "", ("no space in ", "MiB needed")),
    (160, "1", ("no space left in ", "downloading linux-image-9")),
], ids=["from the start", "while it downloads"])
def test_full_disk(cache, fetching, size_mb, fills, says):
    """One line that names the place; nothing half is left."""
    cache.stand_ins()
    done = on_small_disk(cache, size_mb, "fetch", "debian:6.1", STAND_IN_FILLS=fills)
    complaint(done, EXIT_BROKEN, "debian:6.1", *says)


def test_damaged_kernel_is_mended(cache, fetching):
    cache.stand_ins()
    (cache.kernels / "debian-6.1").mkdir(parents=True)
    complaint(cache("fetch", "debian:6.1"), EXIT_BROKEN, "debian-6.1/version", "fetch --refresh debian:6.1")
    assert cache("fetch", "--refresh", "debian:6.1").stdout == "debian:6.1 is fetched: 9.9-new\n"


def test_refresh_killed_between_old_and_new_is_put_right(cache, fetching):
    old = cache.add("debian-6.1", "6.1.0-9-test", OLD)
    before = cache.files()
    old.rename(cache.kernels / "debian-6.1.old.77")
    (cache.kernels / "debian-6.1.part.77").mkdir()
    done = cache("fetch", "debian:6.1")
    assert done.returncode == EXIT_PASS and "debian:6.1 is fetched: 6.1.0-9-test" in done.stdout, done
    assert cache.files() == before


def test_remove(cache):
    cache.add("debian-6.1", "6.1.0-9-test", OLD)
    cache.add("debian-6.12", "6.12.0-9-test", NEW)
    cache.apt.mkdir()
    with open(cache.apt / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complaint(cache("remove", "debian:6.1"), EXIT_BROKEN, "debian:6.1", "a fetch is running")
    done = cache("remove", "debian:6.1", "debian:sid")
    assert (done.returncode, done.stderr) == (EXIT_PASS, "")
    assert done.stdout == "debian:6.1 is removed\ndebian:sid is not fetched\n"
    assert [path.name for path in cache.kernels.iterdir()] == ["debian-6.12"]


def table(text):
    """{option: rest of the row, split at two blanks} of a comparison, and its last line."""
    *rows, last = text.splitlines()
    return {row[0]: row[1:] for row in (re.split(r"  +", line) for line in rows)}, last


def test_diff(cache):
    cache.add("debian-6.1", "6.1.0-9-test", OLD)
    cache.add("debian-6.12", "6.12.0-9-test", NEW)
    done = cache("diff", "debian:6.1", "debian:6.12")
    rows, last = table(done.stdout)
    assert (done.returncode, done.stderr) == (EXIT_PASS, "")
    assert rows.keys() == {"option", "HZ", "MEMCG_V1", "LRU_GEN_ENABLED"}
    assert rows["option"] == ["debian:6.1", "debian:6.12", "what it changes"]
    assert rows["HZ"][:2] == ["250", "1000"] and rows["LRU_GEN_ENABLED"][:2] == ["n", "y"]
    assert rows["MEMCG_V1"][:2] == ["(not there)", "n"] and "v1" in rows["MEMCG_V1"][2]
    assert last == ("3 of 6 options that matter to memory differ between debian:6.1 (6.1.0-9-test) "
                    "and debian:6.12 (6.12.0-9-test)")
    head, *lines, _ = done.stdout.splitlines()
    for line in lines:
        for title, value in zip(rows["option"], rows[line.split()[0]], strict=True):
            at = head.index(title + " ") if title != "what it changes" else head.index(title)
            assert line[at - 2:at] == "  " and line[at:].startswith(value), "columns are not aligned"
    rows, last = table(cache("diff", "--all", "debian:6.1", "debian:6.12").stdout)
    assert rows.keys() == {"option", "HZ", "MEMCG_V1", "LRU_GEN_ENABLED", "LOCALVERSION"}
    assert rows["LOCALVERSION"] == ['"-old"', '"-new"'] and last.startswith("4 of 7 options differ")
    rows, last = table(cache("diff", "debian:6.1", "debian:6.1").stdout)
    assert not rows and last.startswith("0 of 5 ")
    found = json.loads(cache("diff", "debian:6.1", "debian:6.12", "--json").stdout)
    assert found["a"] == {"name": "debian:6.1", "version": "6.1.0-9-test"} and found["compared"] == 6
    assert {(one["option"], one["a"], one["b"]) for one in found["differences"]} == {
        ("HZ", "250", "1000"), ("MEMCG_V1", None, "n"), ("LRU_GEN_ENABLED", "n", "y")}


def test_diff_of_an_image(cache):
    cache.add("debian-6.1", "6.1.0-9-test", OLD)
    inside = b"\x7fELF IKCFG_ST, not here" + b"IKCFG_ST" + gzip.compress(NEW.encode()) + b"IKCFG_ED" + b"rest"
    own = image(cache.tmp / "bzImage", inside)
    rows, last = table(cache("diff", "debian:6.1", str(own)).stdout)
    assert rows.keys() == {"option", "HZ", "MEMCG_V1", "LRU_GEN_ENABLED"} and "(9.8.7-own)" in last
    bare = image(cache.tmp / "bare")
    complaint(cache("diff", str(bare), "debian:6.1"), EXIT_USAGE, str(bare), "carries no configuration")
    (cache.kernels / "debian-6.1/config").unlink()
    complaint(cache("diff", "debian:6.1", str(own)), EXIT_BROKEN, "debian-6.1/config")
