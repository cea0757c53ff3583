# SPDX-License-Identifier: MIT
"""oomlab kernels build with a source package made here: real make and tar, a kernel of two objects, no network."""

import io
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from kernel_cache import KEYRING, Cache, complaint, image
from lab import EXIT_BROKEN, EXIT_PASS, EXIT_SKIP, EXIT_USAGE, OOMLAB, wait_until

# What is compiled goes to $STAND_IN/compiled, so that a test can count it. b.o is held up while $STAND_IN/wait is
# there. CONFIG_LOST depends on something that no fragment can have.
MAKEFILE = """
allnoconfig:
	@echo "# CONFIG_LOST is not set" >$(O)/.config
	@sed /CONFIG_LOST=/d $(KCONFIG_ALLCONFIG) >>$(O)/.config
$(O)/a.o:
	@echo "  CC      a.o" | tee -a $(STAND_IN)/compiled
	@[ ! -e $(STAND_IN)/broken ] || { echo "a.c:7: error: it is broken"; exit 1; }
	@touch $@
$(O)/b.o: $(O)/a.o
	@echo "  CC      b.o" | tee -a $(STAND_IN)/compiled
	@[ ! -e $(STAND_IN)/wait ] || exec sleep 60
	@touch $@
bzImage: $(O)/b.o
	@mkdir -p $(O)/arch/x86/boot && cp $(STAND_IN)/image $(O)/arch/x86/boot/bzImage
kernelrelease:
	@echo 9.9.9-mine
"""
PROGRAMS = {
    "apt-get": """case " $* " in *" download "*) echo got >>"$STAND_IN/downloads"; cp "$STAND_IN/source.deb" x.deb ;; esac
""",
    "apt-cache": """for last; do :; done
[ "$last" = linux-source ] && echo "Depends: linux-source-9 (= 9)" || cat "$STAND_IN/entry"
""",
    "dpkg-deb": 'mkdir -p "$3"; tar -xf "$2" -C "$3"\n',
    "gcc": '[ -z "${STAND_IN_HEADERLESS:-}" ] || ! grep -q "$STAND_IN_HEADERLESS"\n',
    "flex": "", "bison": "", "bc": "",
}


def add_text(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def source_package(path):
    """A tar where a .deb would be, with a .tar.xz of the source in it."""
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w:xz") as tar:
        add_text(tar, "linux-source-9/Makefile", MAKEFILE.encode())
    with tarfile.open(path, "w") as tar:
        add_text(tar, "./usr/src/linux-source-9.tar.xz", source.getvalue())


class Builder(Cache):
    """A cache in which a kernel can be built of mine.config."""

    def __init__(self, tmp):
        super().__init__(tmp)
        self.place = tmp / "stand-in"
        self.place.mkdir()
        self.stand_ins(PROGRAMS)
        source_package(self.place / "source.deb")
        (self.place / "entry").write_text("Version: 9\nSize: 1\nInstalled-Size: 1\n")
        image(self.place / "image", version="9.9.9-mine")
        self.env["STAND_IN"] = str(self.place)
        self.fragment = tmp / "mine.config"
        self.fragment.write_text("CONFIG_SWAP=y\n")
        self.work = tmp / "cache/oomlab/build/6.1-mine"

    def lines(self, name):
        path = self.place / name
        return path.read_text().splitlines() if path.exists() else []

    def start(self):
        return subprocess.Popen([OOMLAB, "kernels", "build", self.fragment], env=self.env, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)

    def stop_in_the_middle(self):
        """A build whose harness is killed while b.o is being compiled."""
        (self.place / "wait").touch()
        live = self.start()
        wait_until("b.o", lambda: "  CC      b.o" in self.lines("compiled"))
        busy = self("remove", "built:mine")
        live.kill()
        live.communicate()
        (self.place / "wait").unlink()
        return busy


@pytest.fixture
def builder(tmp_path):
    for program in ("make", "xz", "ld", "flock"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if not KEYRING.exists():
        pytest.skip(f"{KEYRING} is not there")
    return Builder(tmp_path)


def test_build_and_hit(builder):
    done = builder("build", builder.fragment)
    assert (done.returncode, done.stdout) == (EXIT_PASS, "built:6.1-mine is built: 9.9.9-mine\n"), done
    where = builder.kernels / "built-6.1-mine"
    assert {path.name for path in where.iterdir()} == {"vmlinuz", "config", "version", "package", "fragment"}
    assert (where / "fragment").read_text() == 'CONFIG_LOCALVERSION="-mine"\nCONFIG_SWAP=y\n'
    assert (where / "package").read_text() == "linux-source-9 9\n"
    assert not builder.work.exists(), "the source and the objects stay"
    before = builder.files()
    done = builder("build", builder.fragment)
    assert (done.stdout, done.stderr) == ("built:6.1-mine is built already: 9.9.9-mine\n", "")
    assert builder.files() == before and builder.lines("compiled") == ["  CC      a.o", "  CC      b.o"]
    listed = builder("list").stdout
    assert re.search(r"^built:6.1-mine +bookworm +\d+K +9.9.9-mine$", listed, re.M), listed


def test_changed_fragment_is_another_kernel(builder):
    builder("build", builder.fragment)
    builder.fragment.write_text("CONFIG_SWAP=y\nCONFIG_HZ=1000\n")
    done = builder("build", builder.fragment)
    assert done.stdout == "built:6.1-mine is built: 9.9.9-mine\n", done
    assert "CONFIG_HZ=1000" in (builder.kernels / "built-6.1-mine/config").read_text()
    assert len(builder.lines("compiled")) == 4 and builder.lines("downloads") == ["got"], "the source is kept"
    assert [path.name for path in builder.kernels.iterdir()] == ["built-6.1-mine"]


def test_killed_build_leaves_nothing_and_goes_on(builder):
    busy = builder.stop_in_the_middle()
    complaint(busy, EXIT_BROKEN, "built:6.1-mine", "its build is running")
    assert builder.files() == {} and builder.work.exists()
    done = builder("build", builder.fragment)
    assert done.returncode == EXIT_PASS and "going on with what was begun" in done.stderr, done
    assert builder.lines("compiled") == ["  CC      a.o", "  CC      b.o", "  CC      b.o"]
    assert builder.lines("downloads") == ["got"]


def test_remove_takes_what_a_killed_build_left(builder):
    builder.stop_in_the_middle()
    done = wait_until("the end of make", lambda: (d := builder("remove", "built:mine")).returncode == 0 and d)
    assert done.stdout == "built:mine is removed\n" and not builder.work.exists()
    builder("build", builder.fragment)
    assert builder("remove", "built:6.1-mine").stdout == "built:6.1-mine is removed\n"
    assert builder.files() == {}
    complaint(builder("remove", "built:mine"), EXIT_USAGE, '"mine"', "fault-injection, tiny-fast")


def test_two_at_once(builder):
    live = [builder.start() for _ in range(2)]
    assert sorted(one.communicate(timeout=60)[0] for one in live) == ["built:6.1-mine is built: 9.9.9-mine\n"] * 2
    assert builder.lines("compiled") == ["  CC      a.o", "  CC      b.o"]


def test_option_that_does_not_take(builder):
    builder.fragment.write_text("CONFIG_LOST=y # optional\nCONFIG_SWAP=n\n")
    done = builder("build", builder.fragment)
    assert done.returncode == EXIT_PASS, done
    assert "building built:6.1-mine: this kernel has not, and need not have: CONFIG_LOST\n" in done.stderr
    builder.fragment.write_text("CONFIG_SWAP=y\nCONFIG_LOST=y\n")
    before = builder.files()
    complaint(builder("build", builder.fragment), EXIT_BROKEN, "did not take", "CONFIG_LOST=y is n")
    assert builder.files() == before and len(builder.lines("compiled")) == 2, "nothing is compiled of it"


def test_what_stops_a_build(builder):
    (builder.place / "broken").touch()
    complaint(builder("build", builder.fragment), EXIT_BROKEN, "a.c:7: error: it is broken", str(builder.work / "log"))
    (builder.tmp / "bin/df").write_text("#!/bin/sh\necho; echo x 9 9 204800 9 /\n")
    (builder.tmp / "bin/df").chmod(0o755)
    complaint(builder("build", builder.fragment), EXIT_BROKEN, "no space in", "400 MiB needed, 200 MiB free")
    complaint(builder("build", builder.fragment, STAND_IN_HEADERLESS="libelf"), EXIT_BROKEN,
              "could not be built: what a kernel is built with is not installed: apt-get install libelf-dev")
    bare = builder.tmp / "bare"
    bare.mkdir()
    for folder in ("/usr/bin", builder.tmp / "bin"):
        for entry in os.scandir(folder):
            if entry.name not in ("flex", "bison") and not (bare / entry.name).is_symlink():
                (bare / entry.name).symlink_to(entry.path)
    complaint(builder("build", builder.fragment, PATH=str(bare)), EXIT_BROKEN, "apt-get install flex bison")
    assert builder.files() == {}


def test_bad_words(builder):
    def fragment(text):
        builder.fragment.write_text(text)
        return builder("build", builder.fragment)

    complaint(builder("build", "tiny"), EXIT_USAGE, '"tiny"', "fragments: fault-injection, tiny-fast, or a file")
    complaint(builder("build"), EXIT_USAGE, "which fragment?")
    complaint(builder("build", "tiny-fast", "--source", "debian:9"), EXIT_USAGE, '"debian:9"', "known: debian:6.1")
    complaint(builder("build", "tiny-fast", "--source", "debian:6.1-rt"), EXIT_USAGE, "debian:6.1-rt", "flavour")
    complaint(builder("build", "./nowhere.config"), EXIT_USAGE, "./nowhere.config")
    complaint(fragment("CONFIG_SWAP=y\nCONFIG_ZRAM=m\n"), EXIT_USAGE, "mine.config:2: CONFIG_ZRAM", "modules")
    complaint(fragment("# nothing\n"), EXIT_USAGE, "mine.config: no option in it")
    own = builder.tmp / "tiny-fast.config"
    own.write_text("CONFIG_SWAP=y\n")
    complaint(builder("build", own), EXIT_USAGE, "tiny-fast is the name of a fragment of oomlab's")
    complaint(builder("fetch", "built:tiny-fast"), EXIT_USAGE, "oomlab kernels build")
    assert builder.files() == {} and not builder.work.exists()


def test_scenario_with_a_kernel_that_is_not_built(builder):
    def run(kernel):
        return subprocess.run([OOMLAB, "run", "overcommit-modes", "--kernel", kernel, "--out", builder.tmp / "run"],
                              env=builder.env, capture_output=True, text=True, check=False, timeout=60)

    done = run("built:tiny-fast")
    assert done.returncode == EXIT_SKIP, done
    assert "kernel built:6.1-tiny-fast is not built: oomlab kernels build tiny-fast\n" in done.stdout
    shutil.rmtree(builder.tmp / "run")
    where = builder.add("built-6.1-tiny-fast", "9.9.9-old", "CONFIG_SWAP=y\n")
    (where / "fragment").write_text("CONFIG_SWAP=y\n")
    done = run("built:6.1-tiny-fast")
    assert done.returncode == EXIT_SKIP and "is built of another fragment than there is now" in done.stdout, done
    assert "built of another fragment" in builder("list").stdout
    done = run("built:nothing")
    assert done.returncode == EXIT_USAGE and "fault-injection, tiny-fast" in done.stderr
