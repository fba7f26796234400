"""Values that must never be shown."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import Sequence

# No character of it means anything to a shell, a URL, an INI file or a Python format string.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"

_NAMES = r"(?:password|passwd|pwd|token|secret|key)"
# A password may hold / and, against the rule, @: up to the last @ it is hidden rather than shown.
_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^\s/?#'\"]*|[^\s/@'\"]*:[^\s'\"]*)@", re.IGNORECASE)
_PAIR = re.compile(rf"({_NAMES}=)('[^']*'|\"[^\"]*\"|[^\s&;,'\")]+)", re.IGNORECASE)
_OPTION = re.compile(rf"--?[\w-]*{_NAMES}", re.IGNORECASE)


class Secret:
    """A text that prints as ``***``; only :meth:`reveal` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and secrets.compare_digest(
            self._value.encode(), other._value.encode()
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never pickled")


def masked(text: str) -> str:
    """The text with ``***`` for the credentials in URLs and for the value of ``password=`` and such."""
    return _PAIR.sub(r"\1***", _URL.sub(r"\1***@", text))


def masked_command(words: Sequence[str]) -> str:
    """A command line in which nothing secret is left; what follows ``--password`` and such is hidden, too."""
    hidden = ["***" if _OPTION.fullmatch(before) else word for before, word in zip(["", *words], words)]
    return " ".join(masked(word) for word in hidden)


def generate(length: int = 24) -> Secret:
    """Make a random password of `length` letters and digits (about 5.8 bits each)."""
    return Secret("".join(secrets.choice(ALPHABET) for _ in range(length)))


def write(path: Path, secret: Secret) -> None:
    """Write `secret` to `path` with mode 0600, replacing the file in one step (newline at the end)."""
    temporary = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(secret.reveal() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def read(path: Path) -> Secret:
    """Read the first line of `path` as a secret."""
    with path.open(encoding="utf-8") as stream:
        return Secret(stream.readline().rstrip("\r\n"))
