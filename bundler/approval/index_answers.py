"""What the package index says of the very files that a bundle carries, on the day it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from bundler.approval import provenance as publishers
from bundler.approval.licences import shortened
from bundler.approval.provenance import NOT_INSTALLED
from bundler.approval.vulnerabilities import UNKNOWN, Vulnerability
from bundler.base.errors import DownloadFailed
from bundler.index.simple import Index, IndexFile
from bundler.index.transport import CONNECTIONS, NoAnswer, Session
from wheelhouse.manifest import Package

SILENT = "the index does not tell vulnerabilities"
_JSON = "/pypi/{name}/{version}/json"  # the JSON API of PyPI and of what does as it does
_TIMEOUT = (5.0, 20.0)


@dataclass(frozen=True)
class IndexAnswers:
    """`files` are what the index has, by name, version and sha256, `vulnerabilities` what it tells, without.

    `provenance` is who has signed each file. Whoever is in none was not asked, or got no answer; `why` says
    why nobody was.
    """

    source: str
    files: Mapping[tuple[str, str, str], IndexFile] = field(default_factory=dict)
    vulnerabilities: Mapping[tuple[str, str], tuple[Vulnerability, ...]] = field(default_factory=dict)
    why: str = ""
    vulnerabilities_why: str = ""
    provenance: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    provenance_why: str = NOT_INSTALLED


def ask(url: str, packages: Sequence[Package], *, vulnerabilities: bool) -> IndexAnswers:
    """Ask the index at `url` for the files of packages, found there by their sha256, and what is known."""
    with Session([url], retries=1) as session:
        index = Index(url, session)
        if not packages:
            return IndexAnswers(index.url)
        try:
            # one question shows whether anybody is there
            first = index.files(packages[0].name)
        except DownloadFailed as error:
            if "cannot be reached" in error.message:
                why = error.found
                return IndexAnswers(index.url, why=why, vulnerabilities_why=why, provenance_why=why)
            first = ()
        names = sorted({package.name for package in packages[1:]} - {packages[0].name})
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            pages = {packages[0].name: first, **dict(zip(names, pool.map(index.offered, names), strict=True))}
            found = {}
            for package in packages:
                file = _published(package, pages[package.name])
                if file:
                    found[package.name, package.version, package.sha256] = file
            told, why = (
                _vulnerabilities(session, index.url, list(dict.fromkeys(key[:2] for key in found)), pool)
                if vulnerabilities
                else ({}, "")
            )
        verify = publishers.verifier()
        signed, unsigned = (
            publishers.check(session, index.url, found, verify) if verify else ({}, NOT_INSTALLED)
        )
        return IndexAnswers(
            index.url, found, told, vulnerabilities_why=why, provenance=signed, provenance_why=unsigned
        )


def _published(package: Package, files: Sequence[IndexFile]) -> IndexFile | None:
    """The published file by its content: the wheel, or the source that it was built from.

    Without a sha256 it is any wheel of the version: all files of a version are yanked together.
    """
    sha256 = package.built_from.sha256 if package.built_from else package.sha256
    if not sha256:
        return next((file for file in files if file.is_wheel and str(file.version) == package.version), None)
    return next((file for file in files if file.sha256 == sha256), None)


def _vulnerabilities(
    session: Session, url: str, keys: Sequence[tuple[str, str]], pool: ThreadPoolExecutor
) -> tuple[dict[tuple[str, str], tuple[Vulnerability, ...]], str]:
    base = url.removesuffix("/simple")
    if base == url or not keys:
        return {}, SILENT

    def one(key: tuple[str, str]) -> tuple[Vulnerability, ...] | None:
        try:
            answer = session.get(base + _JSON.format(name=key[0], version=key[1]), timeout=_TIMEOUT)
            if answer.status_code != 200:
                return None
            return tuple(
                _told(entry) for entry in answer.json()["vulnerabilities"] if not entry.get("withdrawn")
            )
        except (NoAnswer, ValueError, KeyError, TypeError, AttributeError):
            return None

    if one(keys[0]) is None:
        return {}, SILENT
    answers = dict(zip(keys, pool.map(one, keys), strict=True))
    return {key: answer for key, answer in answers.items() if answer is not None}, ""


def _told(entry: Mapping[str, Any]) -> Vulnerability:
    return Vulnerability(
        id=shortened(str(entry["id"]), 80),
        aliases=tuple(sorted(shortened(str(item), 80) for item in entry.get("aliases") or [])),
        summary=shortened(str(entry.get("summary") or entry.get("details") or ""), 200),
        severity=UNKNOWN,  # the index does not tell it
        fixed_in=tuple(sorted(shortened(str(item), 40) for item in entry.get("fixed_in") or [])),
    )
