# SPDX-License-Identifier: MIT
"""A cache of kernels made by the tests, and stand-ins for the programs that fill it."""

import gzip
import os
import pathlib
import subprocess

from lab import OOMLAB

KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
STAND_INS = {
    "apt-get": """case " $* " in
*" update "*) [ -z "${STAND_IN_FAILS:-}" ] || { echo "E: the stand-in says no"; exit 100; } ;;
*) for last; do :; done; echo "$last" >"$last.deb"
[ -z "${STAND_IN_FILLS:-}" ] || head -c 1G /dev/zero >"$last.deb" || exit 100
[ -z "${STAND_IN_WAITS:-}" ] || exec sleep 60 ;;
esac
""",
    "apt-cache": """for last; do :; done
[ "$last" = linux-image-9 ] || echo "Depends: linux-image-9 (= 9)"
echo "Version: 9"; echo "Size: 1"; echo "Installed-Size: 1"
""",
    "dpkg-deb": """mkdir -p "$3/boot" "$3/lib/modules/9.9-new"
cp "$STAND_IN_IMAGE" "$3/boot/vmlinuz-9.9-new"; echo CONFIG_SWAP=y >"$3/boot/config-9.9-new"
""",
    "depmod": "",
}


def image(path, payload=b"\x7fELF, a kernel without its configuration", version="9.8.7-own"):
    """A bzImage of boot protocol 2.15 with that payload behind one set-up sector."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x202:0x208] = b"HdrS\x0f\x02"
    head[0x20E:0x210] = (0x100).to_bytes(2, "little")
    head[0x24C:0x250] = (len(gzip.compress(payload, mtime=0))).to_bytes(4, "little")
    head[0x300:0x300 + len(version) + 1] = version.encode() + b" "
    path.write_bytes(bytes(head) + gzip.compress(payload, mtime=0))
    return path


class Cache:
    """A cache directory of one's own, and the program with it."""

    def __init__(self, tmp):
        self.tmp = tmp
        self.apt = tmp / "cache/oomlab/apt"
        self.kernels = tmp / "cache/oomlab/kernels"
        self.env = {**os.environ, "XDG_CACHE_HOME": str(tmp / "cache"), "OOMLAB_DEBIAN_MIRROR": "http://127.0.0.1:9/"}

    def add(self, name, version, config):
        where = self.kernels / name
        (where / "modules/lib/modules" / version).mkdir(parents=True)
        image(where / "vmlinuz", version=version)
        (where / "version").write_text(version + "\n")
        (where / "config").write_text(config)
        return where

    def stand_ins(self, programs=None):
        where = self.tmp / "bin"
        where.mkdir()
        for name, text in (programs or STAND_INS).items():
            (where / name).write_text("#!/bin/sh\n" + text)
            (where / name).chmod(0o755)
        self.env |= {"PATH": f"{where}:{os.environ['PATH']}", "STAND_IN_IMAGE": str(image(self.tmp / "new-image"))}

    def __call__(self, *words, **env):
        return subprocess.run([OOMLAB, "kernels", *words], capture_output=True, text=True, timeout=60,
                              env={**self.env, **env}, check=False)

    def files(self):
        """Everything in the cache of kernels: path, contents."""
        return {str(path.relative_to(self.kernels)): path.read_bytes() if path.is_file() else None
                for path in sorted(self.kernels.rglob("*"))}


def complaint(done, status, *says):
    """Exactly one line of complaint, which says all that."""
    assert (done.returncode, done.stdout) == (status, ""), done
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("fetching ", "building "))]
    assert len(lines) == 1 and lines[0].startswith("oomlab kernels: "), done.stderr
    assert all(one in lines[0] for one in says), lines[0]
