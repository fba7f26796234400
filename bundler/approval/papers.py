"""The files beside a bundle that go with it to an approval: their names, and writing them whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bundler.base.errors import InvalidRequest, OutputFailed
from bundler.index import cache
from wheelhouse.text import is_plain, shown

DOSSIER_KOREAN = ".dossier.ko.html"
DOSSIER_ENGLISH = ".dossier.en.html"
DOSSIER_SHEET = ".dossier.csv"
DOSSIER_DATA = ".dossier.json"
CYCLONEDX = ".cdx.json"
SPDX = ".spdx.json"
STATEMENT = ".intoto.json"
VERIFY = ".verify.txt"
# what is added to the bundle's own name, in the order of the release list
SUFFIXES = (
    CYCLONEDX, DOSSIER_SHEET, DOSSIER_ENGLISH, DOSSIER_DATA, DOSSIER_KOREAN, STATEMENT, SPDX, VERIFY,
)  # fmt: skip
_PART = re.compile(r"\.[0-9]{3,}")


def beside(file: Path, suffix: str) -> Path:
    """The path of a paper: ``FILE.cdx.json`` for ``.cdx.json``."""
    return file.with_name(file.name + suffix)


def parts(file: Path) -> list[Path]:
    """The plain slices of the bundle that lie beside it (``FILE.001``), in their order."""
    names = [
        path
        for path in file.parent.iterdir()
        if path.name.startswith(file.name) and _PART.fullmatch(path.name[len(file.name) :])
    ]
    return sorted(names, key=lambda path: int(path.suffix[1:]))


def check_name(file: Path) -> None:
    """Raise :class:`InvalidRequest` for a name that a hash list or a form cannot hold as it is."""
    if not is_plain(file.name) or "\\" in file.name or file.name != file.name.strip():
        raise InvalidRequest(
            "The bundle has a name that no list of checksums can hold.",
            found=shown(file.name),
            needed="a name without line ends, tabs, backslashes, and blanks at its ends",
            hint="Rename the file; its content does not depend on its name.",
        )


def write(file: Path, contents: Mapping[str, bytes]) -> dict[str, Path]:
    """Write papers beside `file`, each there whole or not at all; returns their paths by suffix.

    Raises :class:`OutputFailed`.
    """
    written = {}
    for suffix, content in contents.items():
        path = beside(file, suffix)
        try:
            cache.replace(path, content)
        except OSError as error:
            raise OutputFailed(
                f"{path} cannot be written: {error.strerror}.",
                hint="The papers lie beside the bundle: copy it to a folder that can be written, with room.",
            ) from error
        written[suffix] = path
    return written
