"""Requirement files: where they are, and the lines that they consist of, as pip reads both.

The measure is ``pip._internal.req.req_file`` (pip docs, "Requirements File Format"): a nested file is beside
the one that names it, or an address; a backslash joins lines; a comment begins a line or follows a blank.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from bundler.base import text
from bundler.index.transport import NoAnswer, Session, without_credentials

_COMMENT = re.compile(r"(^|\s+)#.*$")
_ADDRESS = re.compile(r"(https?|file):", re.IGNORECASE)
# of an address that became a path, one of two slashes is left
_FOLDED = re.compile(r"(https?|file):/+", re.IGNORECASE)
_OK = 200
_FREEZE = "write one with `pip list --format=freeze > FILE`, in the environment that it is of"
# What else people have at hand: how its first line looks, and what makes a requirement file of it.
_OTHER = (
    (re.compile(r"Package +Version\b"), "the table of pip list", _FREEZE),
    (re.compile(r"\{|\[\s*(\{|$)"), "JSON", _FREEZE),
    (re.compile(r"(name|channels|dependencies|prefix)\s*:"), "an environment of conda", _FREEZE),
    (re.compile(r"\[|[\w.-]+\s*=\s*[\"'\[{]"), "TOML", ""),
)
_OF_TOML = {
    "pyproject.toml": "name its folder in place of it, and a wheel is built of it",
    "Pipfile": "write one with `pipenv requirements > FILE`",
    "poetry.lock": "write one with `poetry export -o FILE`",
    "uv.lock": "write one with `uv export --format requirements.txt -o FILE`",
}


class Unreadable(ValueError):
    """A requirement file cannot be had; the message says why."""


@dataclass(frozen=True)
class RequirementFile:
    """A requirement file: its absolute path or its address, and how it is named to people."""

    location: str = field(repr=False)
    shown: str

    @classmethod
    def named(cls, path: Path) -> RequirementFile:
        """What the command line or airferry.toml names, which may be an address."""
        folded = _FOLDED.match(str(path))
        if folded:
            slashes = "///" if folded[1].lower() == "file" else "//"
            return cls._at(f"{folded[1]}:{slashes}{str(path)[folded.end() :]}")
        return cls(os.path.abspath(path), str(path))  # noqa: PTH100 - as pip: links are not resolved

    def beside(self, name: str) -> RequirementFile:
        """The file that this one names."""
        if _ADDRESS.match(self.location):
            return self._at(urljoin(self.location, name))
        if _ADDRESS.match(name):
            return self._at(name)
        # not as it is written: a file that includes itself by way of another folder would never end
        path = os.path.abspath(Path(self.location).parent / name)  # noqa: PTH100
        return RequirementFile(path, path)

    @classmethod
    def _at(cls, url: str) -> RequirementFile:
        if urlsplit(url).scheme.lower() == "file":
            path = os.path.abspath(unquote(urlsplit(url).path))  # noqa: PTH100
            return cls(path, path)
        return cls(url, without_credentials(url))

    @property
    def folder(self) -> Path:
        """What is beside it; the working directory for an address."""
        return Path() if _ADDRESS.match(self.location) else Path(self.location).parent

    def read(self) -> str:
        """Its text; raises :class:`Unreadable`."""
        try:
            if not _ADDRESS.match(self.location):
                return self._checked(text.decode(Path(self.location).read_bytes()))
            with Session([self.location]) as session:
                answer = session.get(without_credentials(self.location))
            if answer.status_code != _OK:
                raise Unreadable(f"the server answers {answer.status_code} {answer.reason}")
            return self._checked(text.decode(answer.content))
        except FileNotFoundError as error:
            raise Unreadable("no such file") from error
        except IsADirectoryError as error:
            raise Unreadable("it is a folder, not a requirement file") from error
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error
        except (NoAnswer, text.NotText) as error:
            raise Unreadable(str(error)) from error

    def _checked(self, content: str) -> str:
        """The content, unless it is something else than a requirement file, as its first line tells."""
        said = (line.strip() for line in content.splitlines())
        first = next((line for line in said if line and not line.startswith(("#", "---"))), "")
        for pattern, what, instead in _OTHER:
            if pattern.match(first):
                name = self.location.rpartition("/")[2]
                how = instead or _OF_TOML.get(name, "write its packages as name==version, one in a line")
                raise Unreadable(f"it is {what}, not a requirement file; {how}")
        return content


def lines(content: str) -> Iterator[tuple[int, str, str]]:
    """The lines that say something, with the number of the first of those that a backslash joins (pip).

    The third is what a comment has swallowed, because a backslash at its end joins the next line to it.
    """
    joined: list[str] = []
    start = 0
    for number, line in enumerate([*content.splitlines(), ""], 1):
        comment = _COMMENT.match(line)
        start = start or number
        # the backslash of a line that is nothing but a comment joins nothing
        if line.endswith("\\") and not comment:
            joined.append(line.strip("\\"))
            continue
        joined.append(f" {line}" if comment else line)
        said = _COMMENT.sub("", "".join(joined)).strip()
        at = next((place for place, part in enumerate(joined) if _COMMENT.search(part)), len(joined))
        lost = "".join(joined[at + 1 :]).strip()
        if said or lost:
            yield start, said, lost
        joined, start = [], 0
