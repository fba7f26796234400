"""Bare hosts: root folders made by debootstrap, entered without a network, with a name of their own."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import surroundings

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MIRROR = "http://deb.debian.org/debian"
# What a booted host has mounted. Its first process sees the end of those that nobody waits for, as init does:
# a program that was ended would go on to have a number.
_PREPARE = (
    'mount -t proc proc "$0/proc" && mount -t tmpfs -o mode=1777 shm "$0/dev/shm"'
    ' && exec "$1" -I -c "$2" "$0"'
)
_FIRST = """
import os, signal, sys
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
os.chroot(sys.argv[1])
os.chdir("/")
signal.signal(signal.SIGCHLD, reap)
print("up", flush=True)
sys.stdin.read()
"""
_LOOPBACK = "ip link set lo up && "
# what this machine knows of its network
_NETWORK = ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt", "etc/pip.conf")


@functools.cache
def base(suite: str, *packages: str) -> Path:
    """A minimal Debian of that suite, kept for other runs; skips where it cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("not root: no bare root folder is made")
    for program in ("debootstrap", "unshare", "nsenter", "ip"):
        if not shutil.which(program):
            pytest.skip(f"no {program} on this machine")
    folder = surroundings.cache() / "roots"
    folder.mkdir(exist_ok=True)
    path = folder / "+".join((suite, *packages))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _make(suite, packages, path)
    return path


def _make(suite: str, packages: tuple[str, ...], path: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f"{path.name}-", dir=path.parent))
    include = [f"--include={','.join(packages)}"] if packages else []
    command = ["debootstrap", "--variant=minbase", *include, suite, str(scratch / "root"), _mirror()]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    if made.returncode:
        shutil.rmtree(scratch)
        words = (made.stdout + made.stderr).strip().splitlines()
        pytest.skip(f"debootstrap cannot make {suite}: {words[-1] if words else made.returncode}")
    shutil.rmtree(scratch / "root" / "var" / "cache" / "apt")
    (scratch / "root").replace(path)
    scratch.rmdir()


def _mirror() -> str:
    """The mirror that this machine's own apt uses."""
    for source in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"):
        if Path(source).exists():
            found = re.search(
                r"^(?:URIs:|deb) *(http://\S+/debian/?)\s", Path(source).read_text(), re.MULTILINE
            )
            if found:
                return found.group(1)
    return _MIRROR


class Root:
    """A copy of a bare host that runs, cut off; a context manager that ends all its processes.

    `without` is a pattern of packages that are purged from the copy. `online` leaves it a network.
    """

    def __init__(self, original: Path, folder: Path, without: str = "", *, online: bool = False) -> None:
        self.path = folder
        self._online = online
        subprocess.run(["cp", "-a", "--reflink=auto", original, folder], check=True)
        if without:
            purge = 'dpkg --purge $(dpkg-query -W -f "\\${Package}\\n" "$0")'
            environment = {"PATH": _PATH, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(
                ["chroot", folder, "sh", "-ec", purge, without],
                check=True, env=environment, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        for name in _NETWORK if online else ():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if Path("/", name).exists():
                shutil.copy(Path("/", name), folder / name)

    def __enter__(self) -> Root:
        network, prepare = ([], _PREPARE) if self._online else (["-n"], _LOOPBACK + _PREPARE)
        command = ["unshare", *network, "-u", "-m", "-p", "-f", "--kill-child", "sh", "-c", prepare]
        command += [str(self.path), sys.executable, _FIRST]
        self._holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "up\n":
            pytest.skip(f"this machine allows no namespaces: {self._holder.communicate()[1]}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
        self._first = children.split()[0]
        return self

    def __exit__(self, *_: object) -> None:
        # with the first process of a namespace all others end
        self._holder.kill()
        self._holder.communicate()
        time.sleep(0.1)
        shutil.rmtree(self.path, ignore_errors=True)

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs a command there, in an environment of its own."""
        network = [] if self._online else ["-n"]
        enter = ["nsenter", "-t", self._first, *network, "-u", "-m", "-p", "-r", "-w", "--"]
        return [*enter, "/usr/bin/env", "-i", f"PATH={_PATH}", "HOME=/root", "LANG=C", *arguments]

    def run(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command there to its end."""
        return subprocess.run(
            self.command(*arguments), check=False, capture_output=True, text=True, timeout=timeout
        )

    def left(self, *places: str) -> list[str]:
        """What lies in these folders."""
        found = [
            sorted((self.path / place).glob("*")) + sorted((self.path / place).glob(".*")) for place in places
        ]
        return [str(path.relative_to(self.path)) for paths in found for path in paths]


def with_python(root: Path, archive: Path, name: str) -> None:
    """Unpack a relocatable interpreter as the host's own, found as `name` on PATH."""
    place = root / "opt" / name
    place.mkdir(parents=True)
    subprocess.run(["tar", "-C", place, "--strip-components=1", "-xzf", archive], check=True)
    _link(root, Path("/opt") / name / "bin", name)


def _link(root: Path, folder: Path, name: str) -> None:
    (root / "usr/local/bin" / name).symlink_to(folder / name)


def glibc(root: Path) -> tuple[int, int]:
    """The version of a root's C library."""
    libraries: Sequence[Path] = [*root.glob("lib/*/libc.so.6"), *root.glob("usr/lib/*/libc.so.6")]
    found = re.search(rb"stable release version (\d+)\.(\d+)", libraries[0].read_bytes())
    assert found
    return int(found.group(1)), int(found.group(2))
