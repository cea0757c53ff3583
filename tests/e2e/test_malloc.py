# SPDX-License-Identifier: MIT
"""Stressors with other malloc libraries than the C library's (row B4): whose malloc it is, and what it has, as /proc sees it."""

import json
import pathlib
import subprocess

import pytest

from lab import EXIT_FAIL, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, GUEST_WAIT_S, M, OOMLAB

# What somebody who writes a malloc library brings: it never takes anything back, and all of it is zero.
BUMP = """
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
static char *at, *end;
void *malloc(size_t size)
{
	char *block;
	size = (size + 31) & ~(size_t)15;
	if ((size_t)(end - at) < size) {
		at = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		end = at + (64 << 20);
	}
	block = at;
	at += size;
	*(size_t *)block = size;
	return block + 16;
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void *realloc(void *old, size_t size)
{
	void *new = malloc(size);
	return old ? memcpy(new, old, size < *(size_t *)((char *)old - 16) ? size : *(size_t *)((char *)old - 16)) : new;
}
"""
SCENARIO = """
scenario: malloc
place: {place}
processes:
  frag: {{run: [frag-lifo, --size=16M, --hold=forever], malloc: {malloc}}}
stop: {{timeout: 2s}}
expect:
  - {{that: frag.live, is: 64K}}
  - {{that: frag.obtained_full, min: 15M, max: 24M}}
  - {{that: frag.wasted, {wasted}}}
"""


@pytest.fixture
def bump(lab):
    (lab.tmp / "bump.c").write_text(BUMP)
    done = subprocess.run(["gcc", "-O2", "-fno-builtin", "-shared", "-fPIC", "-o", lab.tmp / "libbump.so", lab.tmp / "bump.c"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return "./libbump.so"


def known():
    done = subprocess.run([OOMLAB, "list", "allocators", "--json"], capture_output=True, text=True, check=True)
    return {one["name"]: one["about"] for one in json.loads(done.stdout)["allocators"]}


def test_list():
    assert list(known()) == ["glibc", "jemalloc", "tcmalloc", "mimalloc", "scudo"]
    for name, about in known().items():
        where = about.split("; ")[-1]
        assert where == "always here" if name == "glibc" else where.startswith("not here: apt-get install lib") or \
            pathlib.Path(where).is_file()


@pytest.mark.parametrize("name", ["jemalloc", "tcmalloc", "mimalloc", "scudo", "glibc"])
def test_it_is_that_one(lab, host, name):
    """The library is mapped, and what the stressor says it has is what the kernel counts."""
    if "not here" in known()[name]:
        pytest.skip(known()[name])
    live = lab.start(lab.scenario(SCENARIO.format(place="host", malloc=name, wasted="min: 1K")))
    pid = live.holding("frag-lifo", 512 << 10)
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
    libraries = {line.split()[5] for line in maps.splitlines() if "/lib" in line and ".so" in line}
    assert pathlib.Path(f"/proc/{pid}/exe").resolve().name == "oomlab-stress-malloc"
    assert any(library in known()[name] or pathlib.Path(known()[name].split("; ")[-1]).resolve() == pathlib.Path(library)
               for library in libraries) == (name != "glibc"), libraries
    anon = next(int(line.split()[1]) << 10 for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                if line.startswith("RssAnon:"))
    run = live.wait()
    obtained = run.trial().result["metrics"]["frag.obtained"]
    # tcmalloc has 3 MB of tables before the stressor begins.
    assert obtained < 256 << 10 if name == "glibc" else obtained > 14 * M and -M < anon - obtained < 5 * M


@pytest.mark.parametrize("place", ["host", "guest"])
def test_a_library_of_ones_own(lab, host, qemu, bump, place):
    run = lab.run(lab.scenario(SCENARIO.format(place=place, malloc=bump, wasted="min: 15M")), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_PASS, run
    # With glibc nearly all of it goes back, by the same expectation.
    run = lab.run(lab.scenario(SCENARIO.format(place=place, malloc="glibc", wasted="min: 15M")), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_FAIL, run


def test_other_stressors_use_it_too(lab, host, bump):
    run = lab.run(lab.scenario(f"""
scenario: others
place: host
processes:
  hog: {{run: [memset, --limit=8M, --block=64K, --verify], malloc: {bump}}}
  grown: {{run: [frag-realloc, --size=4M, --buffers=1, --steps=8, --verify], malloc: {bump}}}
  churn: {{run: [frag-churn, --size=4M, --rounds=2, --verify], malloc: {bump}}}
  team: {{run: [threads, --threads=1, --size=4M], malloc: {bump}}}
expect:
  - {{that: hog.touched, is: 8M}}
  - {{that: hog.check_errors, is: 0}}
  - {{that: grown.obtained, min: 17M}}   # 0.5 + 1 + ... + 4
  - {{that: churn.obtained, min: 11M}}
  - {{that: team.wasted, min: 3M}}
"""))
    assert run.status == EXIT_PASS, run
    assert run.trial().result["metrics"]["team.arenas"] is None  # glibc's heaps are not its


def test_what_is_about_glibc_is_unmet(lab, host, bump):
    for name in ("brk-hole", "mmap-threshold", "realtime"):
        run = lab.run(lab.scenario(f"scenario: unmet\nplace: host\nprocesses: {{p: {{run: [{name}], malloc: {bump}}}}}\n"))
        assert run.status == EXIT_SKIP, run
        assert "it is about glibc's malloc" in run.trial().result["reason"]


def test_what_the_loader_does_not_take_is_said(lab, host):
    (lab.tmp / "libtext.so").write_text("no library\n")
    run = lab.run(lab.scenario("scenario: text\nplace: host\nprocesses: {p: {run: [memset, --limit=1M], malloc: ./libtext.so}}\n"
                               "expect: [{that: p.outcome, is: exited}, {that: p.exit_code, is: 0}]\n"))
    assert run.status == EXIT_FAIL, run
    said = "".join(one["text"] for one in run.trial().events if one["event"] == "output")
    assert "libtext.so could not be preloaded: malloc is the C library's" in said


def test_environment(lab, host, bump):
    """It reaches the library, as MALLOC_CONF does; without malloc there is none to reach."""
    text = f"scenario: env\nplace: host\nprocesses: {{p: {{run: [memset, --limit=8M, --hold=forever], malloc: {bump}, env: {{A: b c}}}}}}\n"
    live = lab.start(lab.scenario(text))
    environ = pathlib.Path(f"/proc/{live.holding('memset', 4 * M)}/environ").read_text().split("\0")
    assert "A=b c" in environ and f"LD_PRELOAD={lab.tmp.resolve()}/libbump.so" in environ
    run = lab.run(lab.scenario("scenario: env\nplace: host\nprocesses: {p: {exec: [sort], malloc: jemalloc}}\n"))
    assert run.status == EXIT_USAGE and "processes.p.malloc: belongs to run; allowed: for a program of yours env: {LD_PRELOAD: ...}" \
        in run.stderr, run


def test_not_on_a_32_bit_kernel(lab, qemu):
    run = lab.run(lab.scenario("scenario: bits\nmachine: {kernel: debian:6.1-686}\n"
                               "processes: {p: {run: [frag-lifo], malloc: glibc}}\n"), seconds=GUEST_WAIT_S)
    assert run.status == EXIT_SKIP, run
    assert "oomlab-stress-malloc is a 64-bit program, the kernel has 32 bits" in run.trial().result["reason"]
