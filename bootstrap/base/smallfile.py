"""Small files that are replaced as a whole: whoever reads one finds the old or the new text, never half."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Optional


def write(path: Path, text: str, mode: Optional[int] = None, *, errors: str = "strict") -> None:
    """Replace `path` by `text` in UTF-8, which is on the disk before it has the name.

    `mode` is for files whose mode must not depend on the umask. With `errors` ``backslashreplace`` what is
    no UTF-8 in a path is written as JSON writes it.
    """
    temporary = path.with_name(path.name + ".new")
    # what lies there is of a run that was killed, or was planted for this one to follow
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors=errors) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
        if mode is not None:
            os.fchmod(stream.fileno(), mode)
    temporary.replace(path)


def text(path: Path, *, largest: int = 256 << 20) -> str:
    """The text of a file that its folder's account may have put anything in the place of.

    A pipe, a device and a file larger than `largest` bytes are refused, by root a link, too: raises OSError.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if os.geteuid() else os.O_NOFOLLOW)
    with os.fdopen(os.open(str(path), flags), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
            raise PermissionError(errno.EPERM, "It is no regular file, or too large", str(path))
        return stream.read(largest).decode("utf-8", "replace")


def read(path: Path, owner: int, *, largest: int = 16 << 20) -> bytes:
    """Read a file of `owner`'s in a folder of its own, for a reader with more rights than that account.

    A link, a pipe, a device, a file of another's and one larger than `largest` bytes are refused: raises
    OSError. A link in the way to it leads to no other's file either.
    """
    descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner or found.st_size > largest:
            raise PermissionError(errno.EPERM, "It is no file of this installation's account", str(path))
        return stream.read(largest)
