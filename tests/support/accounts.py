"""Running a part of a test as an ordinary user: PostgreSQL refuses root, and root may do everything."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# initdb wants a name for the number that it runs as
NOBODY = pwd.getpwnam("nobody").pw_uid

Result = TypeVar("Result")


def ordinary_id() -> int:
    """Who an ordinary user is here: ourselves, unless we are root."""
    return os.geteuid() or NOBODY


def ordinary(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a process of an ordinary user when this one is root's."""

    @functools.wraps(test)
    def run(*arguments: object, **named: object) -> None:
        if os.geteuid() != 0:
            test(*arguments, **named)
            return
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _run(test, arguments, named, writing)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
            problem = stream.read()
        _, status = os.waitpid(child, 0)
        if status or problem:
            raise AssertionError(f"in the process of an ordinary user (status {status}):\n{problem}")

    return run


def _run(
    test: Callable[..., None], arguments: tuple[object, ...], named: dict[str, object], writing: int
) -> None:
    status = 1
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.environ["HOME"] = "/"
        os.chdir("/")
        test(*arguments, **named)
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
