"""Where the constraints come from: a file, a URL, the official address, or the day of the release."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from bundler.base.errors import ConstraintsUnavailable
from bundler.base.text import NotText, decode
from bundler.index.transport import NoAnswer, Session, without_credentials
from wheelhouse.manifest import Constraints

OFFICIAL = "https://raw.githubusercontent.com/apache/airflow/constraints-{airflow}/constraints-{python}.txt"
# A refused or unresolvable address answers at once; this is for one that swallows everything.
_TIMEOUT = (3.0, 10.0)
_GENERATED = re.compile(r"generated on (\d{4}-\d\d-\d\d[T ][\d:.]+)")
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*(==|@)", re.MULTILINE)
# A copy often bears the address that it was taken from; the generator names the branch.
_ADDRESS = re.compile(r"^#.*/constraints-(\d[\w.]*)/constraints-(3\.\d+)\.txt", re.MULTILINE)
_BRANCH = re.compile(r"^#.*\"v(\d+)-(\d+)-(?:test|stable)\" branch", re.MULTILINE | re.IGNORECASE)
_MINORS = tuple(f"3.{minor}" for minor in range(8, 16))


@dataclass(frozen=True)
class ConstraintSet:
    """Constraints to resolve with: a file's `text`, or a date (RFC 3339) after which nothing counts.

    `record` is what the manifest keeps; for a date its sha256 is filled in from the resolved set.
    `says_release` (3.3.1 or 3.3) and `says_python` are what the file's own head tells, if it does.
    """

    record: Constraints
    text: str = ""
    exclude_newer: str = ""
    warning: str = ""
    says_release: str = ""
    says_python: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The normalised names that the file pins."""
        return frozenset(canonicalize_name(match.group(1)) for match in PIN.finditer(self.text))


class Unreachable(Exception):
    """The official address did not answer as it should; the reason is the text."""


def find(choice: str, airflow: str, python: str, *, index_url: str, as_of: str) -> ConstraintSet:
    """Get the constraints that `choice` names (``--constraints``).

    `as_of` is the date to resolve at for ``release-date`` and the fall-back of ``auto``; empty when the
    index does not report upload times. Raises :class:`ConstraintsUnavailable`.
    """
    if choice == "release-date":
        return _release_date(index_url, as_of)
    if choice in ("auto", "official"):
        try:
            return _official(airflow, python)
        except Unreachable as error:
            if choice == "official":
                raise ConstraintsUnavailable(
                    "The official constraint file is not available.",
                    found=f"{error} ({fill(OFFICIAL, airflow, python)})",
                    needed="the file at that address (--constraints official never falls back)",
                    hint="Name a copy with --constraints PATH or URL, or resolve as of the release itself "
                    "with --constraints release-date.",
                ) from error
            found = _release_date(index_url, as_of)
            return ConstraintSet(
                found.record,
                exclude_newer=found.exclude_newer,
                warning=f"The official constraint file cannot be reached ({error}): resolving as of the day "
                f"Airflow {airflow} was released, {as_of}, instead. --constraints FILE takes a copy of it.",
            )
    filled = fill(choice, airflow, python)
    if filled.startswith(("https://", "http://")):
        return _from_url(filled)
    return _from_file(Path(filled))


def pins_digest(pins: dict[str, str]) -> str:
    """The sha256 of a resolved set, as lines ``name==version`` in order."""
    text = "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def fill(template: str, airflow: str, python: str) -> str:
    """A path or URL with the versions in the places of ``{airflow}`` and ``{python}``."""
    return template.replace("{airflow}", airflow).replace("{python}", python)


def _official(airflow: str, python: str) -> ConstraintSet:
    url = fill(OFFICIAL, airflow, python)
    with Session(retries=1) as session:
        try:
            answer = session.get(url, timeout=_TIMEOUT)
        except NoAnswer as error:
            raise Unreachable(str(error)) from error
        if answer.status_code == 404:
            raise ConstraintsUnavailable(
                f"Airflow {airflow} has no official constraint file for Python {python}.",
                found=f"HTTP 404 for {url}",
                needed=_published(session, airflow),
                hint="Choose one of those with --python, or --constraints release-date if you know that this "
                "Python works.",
            )
    if answer.status_code != 200:
        raise Unreachable(f"HTTP {answer.status_code}")
    if not PIN.search(answer.text):
        raise Unreachable("the answer is not a constraint file")
    return _from_text("official", url, answer.content)


def _published(session: Session, airflow: str) -> str:
    def exists(python: str) -> bool:
        return session.exists(fill(OFFICIAL, airflow, python), _TIMEOUT)

    with ThreadPoolExecutor(len(_MINORS)) as pool:
        found = [python for python, there in zip(_MINORS, pool.map(exists, _MINORS), strict=True) if there]
    return f"a Python it is published for: {', '.join(found)}" if found else "a release with constraint files"


def _from_url(url: str) -> ConstraintSet:
    shown = without_credentials(url)
    try:
        with Session([url]) as session:
            answer = session.get(shown, timeout=_TIMEOUT)
    except NoAnswer as error:
        raise ConstraintsUnavailable(
            "The constraint file cannot be fetched.", found=f"{error} ({shown})"
        ) from error
    if answer.status_code != 200:
        raise ConstraintsUnavailable(
            "The constraint file cannot be fetched.",
            found=f"HTTP {answer.status_code} for {shown}",
            hint="{airflow} and {python} in the URL are replaced by the versions of this bundle.",
        )
    return _from_text("url", shown, answer.content)


def _from_file(path: Path) -> ConstraintSet:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConstraintsUnavailable(
            "The constraint file cannot be read.",
            found=str(error),
            needed="auto, official, release-date, a path or a URL",
        ) from error
    # The name alone: folders of this machine have no place in a bundle.
    return _from_text("file", path.name, content)


def _from_text(source: str, url: str, content: bytes) -> ConstraintSet:
    try:
        text = decode(content)
    except NotText as error:
        raise ConstraintsUnavailable(
            "The constraint file is not text that can be read.", found=f"{url}: {error}"
        ) from error
    if not PIN.search(text):
        raise ConstraintsUnavailable(
            "This is not a constraint file: it pins nothing.",
            found=text.lstrip()[:200],
            needed="lines such as alembic==1.20.0",
        )
    generated = _GENERATED.search(text)
    record = Constraints(
        source,
        url,
        hashlib.sha256(content).hexdigest(),
        generated_on=generated.group(1) if generated else "",
    )
    address, branch = _ADDRESS.search(text), _BRANCH.search(text)
    release = address.group(1) if address else ".".join(branch.groups()) + "." if branch else ""
    return ConstraintSet(
        record, text=text, says_release=release, says_python=address.group(2) if address else ""
    )


def _release_date(index_url: str, as_of: str) -> ConstraintSet:
    if not as_of:
        raise ConstraintsUnavailable(
            "Nothing can be resolved as of the day of the release: the index does not report upload times.",
            found=without_credentials(index_url),
            needed="an index with the JSON simple API and upload times (PEP 700), or --constraints PATH|URL",
        )
    record = Constraints("release-date", without_credentials(index_url), "", as_of=as_of)
    return ConstraintSet(record, exclude_newer=as_of)
