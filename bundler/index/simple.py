"""A package index: the simple repository API as JSON (PEP 691, 700) or HTML (PEP 503)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from bundler.base.errors import DownloadFailed
from bundler.index.transport import NoAnswer, Session, without_credentials

PYPI = "https://pypi.org/simple"
# what uv and pip read too
VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


@dataclass(frozen=True)
class IndexFile:
    """A published file; `uploaded` is RFC 3339 and `size` in bytes, where the index tells them.

    `reason` is why it was yanked, `provenance` the address of its attestations (PEP 740); empty for none.
    """

    filename: str
    url: str
    sha256: str
    version: Version
    uploaded: str = ""
    size: int = 0
    requires_python: str = ""
    yanked: bool = False
    reason: str = ""
    provenance: str = ""

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel and not a source distribution."""
        return self.filename.endswith(".whl")


class Index:
    """One index, read through a session that holds its credentials."""

    def __init__(self, url: str, session: Session) -> None:
        self.url = without_credentials(url).rstrip("/")
        self._session = session

    def files(self, project: str) -> tuple[IndexFile, ...]:
        """All files of a project, in the index's order; raises :class:`DownloadFailed`."""
        url = f"{self.url}/{canonicalize_name(project)}/"
        try:
            answer = self._session.get(url, headers={"Accept": _ACCEPT})
        except NoAnswer as error:
            raise DownloadFailed(
                f"The package index {self.url} cannot be reached.",
                found=str(error),
                hint="Check this machine's network and proxy settings, or name a mirror with --index-url.",
            ) from error
        if answer.status_code != 200:
            raise DownloadFailed(
                f"The package index has no page for {project}.",
                found=f"HTTP {answer.status_code} for {url}",
                hint="Check --index-url; a private index may need a login: in netrc, keyring, or the URL.",
            )
        kind = answer.headers.get("Content-Type", "")
        try:
            found = _from_json(answer.json()) if "json" in kind else _from_html(answer.text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DownloadFailed(f"The page {url} is not from a package index.", found=repr(error)) from error
        return tuple(replace(item, url=urljoin(answer.url, item.url)) for item in found)

    def offered(self, project: str) -> tuple[IndexFile, ...]:
        """The same; nothing from an index that has no such project, or does not answer."""
        try:
            return self.files(project)
        except DownloadFailed:
            return ()


def from_environment() -> str:
    """The index that this environment names, else the public one."""
    return next((os.environ[name] for name in VARIABLES if os.environ.get(name)), PYPI)


def newest(files: tuple[IndexFile, ...]) -> Version | None:
    """The newest final release that has a wheel and is not withdrawn."""
    return max(
        (item.version for item in files if item.is_wheel and not item.yanked and not _early(item.version)),
        default=None,
    )


def _early(version: Version) -> bool:
    return version.is_prerelease or version.is_devrelease


def _version(filename: str) -> Version | None:
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1]
        return parse_sdist_filename(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def _from_json(page: Mapping[str, Any]) -> list[IndexFile]:
    return [
        IndexFile(
            filename=entry["filename"],
            url=entry["url"],
            sha256=entry["hashes"].get("sha256", ""),
            version=version,
            uploaded=entry.get("upload-time") or "",
            size=entry.get("size") or 0,
            requires_python=entry.get("requires-python") or "",
            yanked=entry.get("yanked") not in (None, False),
            reason=entry["yanked"] if isinstance(entry.get("yanked"), str) else "",
            provenance=entry.get("provenance") or "",
        )
        for entry in page["files"]
        if (version := _version(entry["filename"])) is not None
    ]


def _from_html(text: str) -> list[IndexFile]:
    from bundler.index.anchors import Anchors  # noqa: PLC0415 - most indexes answer with JSON

    parser = Anchors()
    parser.feed(text)
    found = []
    for link in parser.found:
        url, fragment = urldefrag(link.get("href") or "")
        filename = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        version = _version(filename)
        if version is not None:
            found.append(
                IndexFile(
                    filename=filename,
                    url=url,
                    sha256=fragment[len("sha256=") :] if fragment.startswith("sha256=") else "",
                    version=version,
                    requires_python=link.get("data-requires-python") or "",
                    yanked="data-yanked" in link,
                    reason=link.get("data-yanked") or "",
                    provenance=link.get("data-provenance") or "",
                )
            )
    return found
