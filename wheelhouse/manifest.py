"""The manifest: the one value that crosses the gap, and all that the closed side knows of the open one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Optional, Tuple

from wheelhouse import codec, manifest_rules
from wheelhouse.errors import BundleDamaged, BundleUnsupported
from wheelhouse.target import Target

SCHEMA = 2


@dataclass(frozen=True)
class File:
    """A member of the bundle; `size` in bytes, `sha256` in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """Where a built wheel came from: its sdist, and the build requirements that were used."""

    url: str
    sha256: str
    build_requires: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    """A wheel in the bundle: `path` inside it, `url` where the published file was got."""

    name: str
    version: str
    path: str
    size: int
    sha256: str
    url: str
    unpacked: int = 0
    required_by: Tuple[str, ...] = ()
    built_from: Optional[Source] = None

    @property
    def filename(self) -> str:
        """The wheel's own file name."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Constraints:
    """The constraints of the resolution: `source` is official, release-date, file or url.

    `as_of` is the upload time of the release (RFC 3339) when the set was resolved as of that date, and
    `generated_on` what the file itself says.
    """

    source: str
    url: str
    sha256: str
    as_of: str = ""
    generated_on: str = ""


@dataclass(frozen=True)
class Tool:
    """A program and its version."""

    name: str
    version: str


@dataclass(frozen=True)
class CarriedPostgres:
    """The carried PostgreSQL server: `version` of the server, `package` the wheel that holds it."""

    version: str
    package: Package


@dataclass(frozen=True)
class CarriedPython:
    """A relocatable interpreter in the bundle, for hosts without a usable one.

    `version` is the full one (``3.11.9``), `path` the member with the archive (``python/`` + its file name),
    `size` and `sha256` the archive's, `unpacked` bytes on disk, `floor` what it asks of the C library.
    """

    version: str
    path: str
    size: int
    sha256: str
    url: str
    unpacked: int = 0
    floor: str = ""


@dataclass(frozen=True)
class MadeFor:
    """The host that a bundle was made for, from its saved facts; nothing that singles one out.

    `python` is the minor version of the interpreter that was chosen there, empty for the carried one.
    """

    python: str
    machine: str
    libc: str
    libc_version: str
    distribution: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds, what it fits, and where everything came from.

    `base` is empty for a bundle that installs by itself. An add-on names there the bundle id of what it was
    resolved onto; its `packages` are those that are missing there, and it carries nothing beside them.
    """

    schema: int
    airferry: str
    airflow: str
    target: Target
    floor: str
    extras: Tuple[str, ...]
    requirements: Tuple[str, ...]
    constraints: Constraints
    resolver: Tool
    created: str
    packages: Tuple[Package, ...]
    tools: Tuple[Package, ...]
    services: Tuple[Package, ...]
    postgres: Optional[CarriedPostgres]
    files: Tuple[File, ...]
    notes: Tuple[str, ...] = ()
    python: Optional[CarriedPython] = None
    made_for: Optional[MadeFor] = None
    base: str = ""

    @property
    def bundle_id(self) -> str:
        """A short name that is the same only for the same content, e.g. ``3.3.2-cp311-0a1b2c3d4e``.

        A manifest keeps it when a newer airferry, which knows more fields, reads it.
        """
        digest = hashlib.sha256(codec.compact(codec.essence(self)).encode()).hexdigest()
        return f"{self.airflow}-{self.target.tag}-{digest[:10]}"

    @property
    def unpacked(self) -> int:
        """Bytes on disk of everything that an install unpacks from wheels."""
        carried = (self.postgres.package,) if self.postgres else ()
        return sum(package.unpacked for package in (*self.packages, *self.tools, *self.services, *carried))

    def dumps(self) -> str:
        """The manifest as canonical JSON text."""
        return codec.dumps(self)

    @classmethod
    def loads(cls, text: str) -> Manifest:
        """Parse ``manifest.json``, by the rules of :mod:`wheelhouse.manifest_rules`.

        Raises :class:`BundleUnsupported` for a newer schema, :class:`BundleDamaged` with every problem
        for anything else that is not a manifest.
        """
        try:
            data = codec.parse(text)
            schema = data.get("schema") if isinstance(data, dict) else None
            if isinstance(schema, int) and schema > SCHEMA:
                raise BundleUnsupported(
                    "This bundle was made by a newer airferry than the one that reads it.",
                    found=f"manifest schema {schema}",
                    needed=f"manifest schema {SCHEMA} or older",
                    hint="Use the program that the bundle carries: sh FILE COMMAND.",
                )
            found = codec.decode(cls, data)
            problems = manifest_rules.problems(found)
            if problems:
                raise codec.Malformed(problems)
            return found
        except codec.Malformed as error:
            raise BundleDamaged(
                "The bundle's manifest cannot be read.",
                found="\n".join(error.problems[:10]),
                hint="Compare the file with its .sha256 (sha256sum -c FILE.sha256) and copy it again.",
            ) from error
