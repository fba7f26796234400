"""The licence of a package as it declares it, and as its own licence texts read. Neither is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from wheelhouse.text import is_plain

_LONGEST = 120
_UNPLAIN = re.compile(r"\s+")
_FILE = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense|third[-_ ]?party)", re.IGNORECASE)
# What is no text of a licence: code that deals with licences, and folders of them that vendored code has.
_CODE = (".py", ".pyi", ".pyc", ".so", ".js", ".json", ".html", ".xml")
_GNU = re.compile(r"gnu (lesser |library |affero |)general public license version (\d(?:\.\d)?), ")
_GNU_NAMES = {"": "GPL", "lesser ": "LGPL", "library ": "LGPL", "affero ": "AGPL"}
_GRANT = "redistribution and use in source and binary forms"
# The SPDX identifier, and the phrases that all stand in the text.
_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("MIT", ("permission is hereby granted, free of charge", "this permission notice shall be included")),
    (
        "ISC",
        ("permission to use, copy, modify, and", "for any purpose with or without fee is hereby granted"),
    ),
    ("LGPL-3.0", ("gnu lesser general public license as published by", "version 3")),
    ("MPL-2.0", ("mozilla public license", "version 2.0")),
    ("MPL-2.0", ("terms of the mozilla public license, v. 2.0",)),
    ("PSF-2.0", ("python software foundation license version 2",)),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("Zlib", ("altered source versions must be plainly marked",)),
    ("PostgreSQL", ("for any purpose, without fee, and without a written agreement",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
    ("ZPL-2.1", ("zope public license (zpl) version 2.1",)),
    ("BSL-1.0", ("boost software license - version 1.0",)),
)


@dataclass(frozen=True)
class LicenceText:
    """A licence text in a wheel; `found` are SPDX identifiers by its phrases, empty when none fits."""

    path: str
    sha256: str
    found: tuple[str, ...]


@dataclass(frozen=True)
class DeclaredLicence:
    """What METADATA says: `expression` in SPDX's spelling where it is one, else empty, and the `words`."""

    expression: str
    words: str


def declared(metadata: Message) -> DeclaredLicence:
    """The declared licence: License-Expression, else the classifiers, else the first line of License."""
    words = str(metadata.get("License-Expression") or "").strip()
    classifiers = [str(item) for item in metadata.get_all("Classifier", [])]
    if not words:
        named = (item.rsplit(" :: ", 1)[-1] for item in classifiers if item.startswith("License ::"))
        words = "; ".join(dict.fromkeys(item for item in named if item != "OSI Approved"))
    field = str(metadata.get("License") or "").strip().split("\n", 1)[0]
    if not words:
        words = "" if field.upper() == "UNKNOWN" else field
    return DeclaredLicence(_expression(words) or _expression(field), shortened(words))


def declared_as(words: str) -> DeclaredLicence:
    """The declared licence in the publisher's own words."""
    return DeclaredLicence(_expression(words), shortened(words))


def is_text(path: str) -> bool:
    """Whether a member of a wheel is a licence text of the wheel, by its name and place."""
    folder, _, name = path.rpartition("/")
    own = ".dist-info" in folder or "/" not in folder
    return own and bool(_FILE.search(name)) and not name.lower().endswith(_CODE)


def found_in(text: str) -> tuple[str, ...]:
    """The SPDX identifiers of the licences whose own phrases a text has, without "only" and "or later"."""
    words = " ".join(re.sub(r"[*#>\"`]", " ", text).split()).lower()
    found = [name for name, phrases in _PHRASES if all(phrase in words for phrase in phrases)]
    found += [
        f"{_GNU_NAMES[kind]}-{number if '.' in number else number + '.0'}"
        for kind, number in _GNU.findall(words)
    ]
    if "permission is hereby granted, free of charge" in words and "MIT" not in found:
        found += ["MIT-0"] if "this permission notice" not in words else []
    if _GRANT in words:
        if "all advertising materials" in words:
            found.append("BSD-4-Clause")
        else:
            found.append("BSD-3-Clause" if "endorse or promote" in words else "BSD-2-Clause")
    return tuple(sorted(set(found)))


def names(texts: Iterable[LicenceText]) -> tuple[str, ...]:
    """The licences of several texts, each once."""
    return tuple(sorted({name for text in texts for name in text.found}))


def shortened(text: str, longest: int = _LONGEST) -> str:
    """A stranger's words in one plain line of a bounded length."""
    line = _UNPLAIN.sub(" ", text).strip()
    line = "".join(letter if is_plain(letter) else "\ufffd" for letter in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def _expression(words: str) -> str:
    try:
        return str(canonicalize_license_expression(words)) if words else ""
    except InvalidLicenseExpression:
        return ""
