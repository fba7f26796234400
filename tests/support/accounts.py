"""Running a part of a test as an ordinary user: PostgreSQL refuses root, and root may do everything."""

from __future__ import annotations

import ctypes
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

# initdb wants a name for the number that it runs as
NOBODY = pwd.getpwnam("nobody").pw_uid


def ordinary_id() -> int:
    """Who an ordinary user is here: ourselves, unless we are root."""
    return os.geteuid() or NOBODY


def ordinary(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a process of an ordinary user when this one is root's."""
    return in_process(test, become_ordinary if os.geteuid() == 0 else None)


def become_ordinary() -> None:
    """Give up root."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.environ["HOME"] = "/"
    os.chdir("/")


def own_etc() -> None:
    """Leave the machine alone: this process has a copy of /etc, without the records of installations."""
    clone_newns = 0x00020000
    if ctypes.CDLL(None).unshare(clone_newns):
        raise OSError("no mount namespaces here")
    for command in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "none", "/mnt"],
        ["cp", "-a", "/etc/.", "/mnt"],
        ["rm", "-rf", "/mnt/airferry"],
        ["mount", "--bind", "/mnt", "/etc"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    numbers = system_numbers()
    with Path("/etc/login.defs").open("a") as settings:
        for kind in ("UID", "GID"):
            settings.write(f"SYS_{kind}_MIN {numbers[0]}\nSYS_{kind}_MAX {numbers[-1]}\n")


def system_numbers() -> range:
    """The numbers of system accounts that this process makes after :func:`own_etc`.

    Tests that run side by side see each other's files and processes: no two may make the same number.
    """
    first = 100_000 + 8 * os.getpid()
    return range(first, first + 8)


def can_own_etc() -> bool:
    """Whether this host lets us do so."""
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0


def in_process(test: Callable[..., None], prepare: Callable[[], None] | None) -> Callable[..., None]:
    """Run a test in a process of its own, after `prepare`; without one, as it is."""

    @functools.wraps(test)
    def run(*arguments: object, **named: object) -> None:
        if prepare is None:
            test(*arguments, **named)
            return
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _run(functools.partial(test, *arguments, **named), prepare, writing)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
            problem = stream.read()
        _, status = os.waitpid(child, 0)
        if status or problem:
            raise AssertionError(f"in a process of its own (status {status}):\n{problem}")

    return run


def _run(test: Callable[[], None], prepare: Callable[[], None], writing: int) -> None:
    status = 1
    try:
        prepare()
        test()
        status = 0
    except BaseException:
        os.write(writing, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(status)


class Folder:
    """A folder that an ordinary user owns and can reach, whoever runs the tests; a context manager."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="airferry-test-"))
        self.path.chmod(0o755)
        os.chown(self.path, ordinary_id(), -1)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
