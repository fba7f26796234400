"""The dossier as data: what is carried, why, from where, and what was known of it on the day."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.approval.licences import DeclaredLicence, LicenceText
from bundler.approval.vulnerabilities import Acceptance, Vulnerability
from bundler.inspection.difference import ManifestChange
from wheelhouse.manifest import CarriedPython, Constraints, MadeFor, Tool

SCHEMA = 1
NOT_ASKED, NONE_KNOWN, LISTED = "not asked", "none known", "listed"
YANKED, NOT_YANKED = "yanked", "not yanked"
NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class BuiltHere:
    """How a wheel was built from source: `log` is its text, empty when this machine did not keep it."""

    source: str
    sha256: str
    build_requires: tuple[str, ...]
    log: str = ""
    log_sha256: str = ""


@dataclass(frozen=True)
class CarriedPackage:
    """A package; `role` is airflow, tool, service, postgres or runtime (the installer's own, unpacked).

    `requested` is what the request itself names. `uploaded` (RFC 3339) is empty where the index was not asked
    or does not tell. `yanked` is yanked, not yanked or not asked; `vulnerabilities` is listed, none known or
    not asked, and `found` lists them. `change` is empty without another bundle to compare with, else added,
    changed or replaced.
    """

    role: str
    name: str
    version: str
    file: str
    size: int
    sha256: str
    origin: str
    uploaded: str
    summary: str
    licence: DeclaredLicence
    texts: tuple[LicenceText, ...]
    required_by: tuple[str, ...]
    needs: str
    requested: bool = False
    built: BuiltHere | None = None
    yanked: str = NOT_ASKED
    yanked_reason: str = ""
    vulnerabilities: str = NOT_ASKED
    found: tuple[Vulnerability, ...] = ()
    provenance: str = NOT_CHECKED
    change: str = ""
    before: str = ""


@dataclass(frozen=True)
class Limit:
    """What nobody was able to look at, and of what.

    `kind` is no-text, no-sbom, static-postgres, static-python, unasked-inside (how many components of how
    many) or unasked-server.
    """

    kind: str
    about: str


@dataclass(frozen=True)
class Inquiry:
    """A question that was or was not put: how many packages it was `answered` for, of `total`.

    `source` and `date` are empty when it was not put; `why` says why it was not, or not for all.
    """

    answered: int
    total: int
    source: str = ""
    date: str = ""
    why: str = ""


@dataclass(frozen=True)
class KnownOnTheDay:
    """What was known when the dossier was written; `severities` counts vulnerabilities that are listed.

    `signed` counts packages that their publisher has signed, `wrongly_signed` those whose signature is wrong.
    """

    yanked: Inquiry
    vulnerabilities: Inquiry
    provenance: Inquiry
    yanked_found: int = 0
    packages_affected: int = 0
    severities: dict[str, int] | None = None
    signed: int = 0
    wrongly_signed: int = 0
    accepted: tuple[Acceptance, ...] = ()
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class OtherFiles:
    """What is carried beside packages: `kind` is python, program, dags, header or record."""

    kind: str
    name: str
    files: int
    size: int
    sha256: str = ""
    origin: str = ""


@dataclass(frozen=True)
class ComparedWith:
    """The earlier bundle, when only what changed is listed."""

    file: str
    sha256: str
    bundle_id: str
    removed: tuple[ManifestChange, ...]
    settings: tuple[ManifestChange, ...]
    other_files: int


@dataclass(frozen=True)
class Totals:
    """Counts and bytes of the whole bundle, also when only changes are listed."""

    packages: int
    built: int
    members: int
    size: int
    unpacked: int
    nested: int
    new_bytes: int = 0


@dataclass(frozen=True)
class Dossier:
    """The whole dossier; `sha256` is the file's, `written` the day (RFC 3339), `builder` may be empty."""

    schema: int
    file: str
    size: int
    sha256: str
    bundle_id: str
    written: str
    airferry: str
    builder: str
    airflow: str
    target: str
    floor: str
    extras: tuple[str, ...]
    requirements: tuple[str, ...]
    constraints: Constraints
    resolver: Tool
    made_by: str
    created: str
    postgres: str
    python: CarriedPython | None
    made_for: MadeFor | None
    base: str
    totals: Totals
    known: KnownOnTheDay
    packages: tuple[CarriedPackage, ...]
    others: tuple[OtherFiles, ...]
    compared_with: ComparedWith | None = None
    limits: tuple[Limit, ...] = ()
    notes: tuple[str, ...] = ()
