"""``FILE.release``: the one list that is signed, of the bundle, its parts and its papers.

Lines of sha256sum and nothing else (``HEX  NAME``, no folder, no comment: busybox takes no more), in one
order: the bundle, its parts, its papers. What lies beside the bundle under one of these names is in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bundler.approval import papers
from bundler.base.digest import file_digest
from wheelhouse.errors import AirferryError

SUFFIX = ".release"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\\\x00-\x1f\x7f]+)")
_MOST = 1 << 20  # bytes; a list of 999 parts has some 100,000
_CHUNK = 1 << 20


class ReleaseListInvalid(AirferryError):
    """A release list that holds something else than lines of sha256sum for files beside it."""

    reference = "release-list-invalid"
    exit_code = 100


class PartsDiffer(AirferryError):
    """The parts that lie beside a bundle are not those of this bundle."""

    reference = "parts-differ"
    exit_code = 101


@dataclass(frozen=True)
class ReleaseList:
    """A release list: its `path`, the sha256 of each file by name, and the signatures that it outdated."""

    path: Path
    digests: Mapping[str, str]
    outdated: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The content of the file."""
        return "".join(f"{sha256}  {name}\n" for name, sha256 in self.digests.items())


def path_of(file: Path) -> Path:
    """The list of a bundle."""
    return papers.beside(file, SUFFIX)


def parse(text: str) -> dict[str, str]:
    """The sha256 of each file by name, in the order of the list; raises :class:`ReleaseListInvalid`."""
    found: dict[str, str] = {}
    *lines, rest = text.split("\n")
    if rest or not lines:
        raise _invalid("its last line has no end" if rest else "it is empty")
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in (".", "..") or match[2] != match[2].strip():
            raise _invalid(f"line {number} is no line of sha256sum for a file beside the list")
        if match[2] in found:
            raise _invalid(f"line {number} names {match[2]} a second time")
        found[match[2]] = match[1]
    return found


def read(path: Path) -> ReleaseList:
    """Read a list; raises :class:`ReleaseListInvalid`, and OSError when there is none."""
    with path.open("rb") as stream:
        content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        raise _invalid(f"it has more than {_MOST:,} bytes")
    try:
        return ReleaseList(path, parse(content.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise _invalid("it is not UTF-8") from error


def compose(file: Path, sha256: str = "", known: Mapping[str, str] | None = None) -> ReleaseList:
    """The list of what lies beside `file` now; `sha256` is that of the bundle where it is known already.

    `known` are the digests of its parts by name, where all of them have just been read or written.
    Raises :class:`PartsDiffer` when the parts together are another file, OSError.
    """
    papers.check_name(file)
    digests = {file.name: sha256 or file_digest(file)}
    digests.update(known if known else _parts(file, digests[file.name]))
    for suffix in papers.SUFFIXES:
        path = papers.beside(file, suffix)
        if path.is_file():
            digests[path.name] = file_digest(path)
    return ReleaseList(path_of(file), digests)


def update(file: Path, sha256: str = "", known: Mapping[str, str] | None = None) -> ReleaseList:
    """Write the list of what lies beside `file` now; a list that is true already stays untouched.

    `outdated` names the signatures over the list as it was. Arguments and errors as of
    :func:`compose`, and OutputFailed.
    """
    found = compose(file, sha256, known)
    try:
        if found.path.read_bytes() == found.text.encode():
            return found
    except FileNotFoundError:
        pass
    papers.write(file, {SUFFIX: found.text.encode()})
    signatures = [*file.parent.glob(_literal(f"{found.path.name}.") + "*")]
    outdated = sorted(path.name for path in signatures if path.suffix in (".sig", ".asc"))
    return ReleaseList(found.path, found.digests, tuple(outdated))


def _literal(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _parts(file: Path, sha256: str) -> dict[str, str]:
    found: dict[str, str] = {}
    whole = hashlib.sha256()
    for path in papers.parts(file):
        own = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                own.update(chunk)
                whole.update(chunk)
        found[path.name] = own.hexdigest()
    if found and whole.hexdigest() != sha256:
        raise PartsDiffer(
            f"The parts beside {file.name} are not those of this file.",
            found=f"sha256 {whole.hexdigest()} of {', '.join(found)} together",
            needed=f"sha256 {sha256}",
            hint="They are of an earlier file, or one is missing or damaged: remove them, and split again.",
        )
    return found


def _invalid(why: str) -> ReleaseListInvalid:
    return ReleaseListInvalid(
        "The release list cannot be used.",
        found=why,
        needed="lines of sha256sum alone: 64 hexadecimal digits, two blanks, the name of a file beside it",
        hint="Nothing was changed. Take the list that was approved, from the medium, once more.",
    )
