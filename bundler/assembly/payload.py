"""What a bundle carries beside Airflow: the closed side's program, tools, PostgreSQL, example DAGs."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bundler.base import toml
from bundler.base.errors import NoFittingWheel
from bundler.lock import lockfile
from bundler.lock.lockfile import Artifact, Locked
from wheelhouse import layout
from wheelhouse.tags import unfit
from wheelhouse.target import Target
from wheelhouse.writer import Member

CARRIED = "pylock.carried.toml"
RUNTIME = "pylock.runtime.toml"
TOOLS = ("uv", "pip")
SERVICES = ("supervisor",)
_LEFT_OUT = ("__pycache__", "tests", "test")
_SOURCES = (".pyc", ".po")  # what is made again, and what a catalogue of messages was made of


@dataclass(frozen=True)
class PayloadFile:
    """A package that is carried whole, and the file of it that fits the target."""

    name: str
    version: str
    artifact: Artifact


@dataclass(frozen=True)
class Payload:
    """Everything carried, chosen for one target; `postgres` is None where no server exists for it."""

    tools: tuple[PayloadFile, ...]
    services: tuple[PayloadFile, ...]
    postgres: PayloadFile | None
    postgres_version: str
    runtime: tuple[PayloadFile, ...]

    @property
    def whole(self) -> tuple[PayloadFile, ...]:
        """What goes in as whole wheels."""
        return (*self.tools, *self.services, *((self.postgres,) if self.postgres else ()))

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files to get."""
        return tuple(item.artifact for item in (*self.whole, *self.runtime))


def for_addon(carried: Payload) -> Payload:
    """What an add-on carries: the program that can say what it is; all else is inside already."""
    return replace(carried, tools=(), services=(), postgres=None, postgres_version="")


@cache
def pins() -> Mapping[str, Any]:
    """The data of ``resources/pins.toml``."""
    return toml.loads(files("bundler.resources").joinpath("pins.toml").read_text(encoding="utf-8"))


def choose(target: Target) -> Payload:
    """Choose what a bundle for `target` carries; raises :class:`NoFittingWheel` without uv or pip."""
    carried = _resource(CARRIED)
    postgres, version = _postgres(carried, target)
    runtime = tuple(PayloadFile(item.name, item.version, item.wheels[0]) for item in _resource(RUNTIME))
    return Payload(
        tuple(_fitting(carried, name, target) for name in TOOLS),
        tuple(_fitting(carried, name, target) for name in SERVICES),
        postgres,
        version,
        runtime,
    )


def program() -> Iterator[Member]:
    """The members of stage 0 and of the closed side's own packages, from where they are imported here."""
    yield Member(layout.STAGE0, _home("bootstrap") / "__main__.py")
    for package in ("bootstrap", "wheelhouse"):
        for name, path in _content(_home(package)):
            yield Member(f"{layout.RUNTIME}{package}/{name}", path)


def libraries(wheels: Iterable[Path]) -> Iterator[Member]:
    """The members of the libraries that the closed side imports, unpacked from their wheels."""
    for path in wheels:
        with zipfile.ZipFile(path) as wheel:
            for info in wheel.infolist():
                parts = info.filename.split("/")
                # RECORD lists what is left out here as well, and a .data folder is for installers.
                skip = (
                    info.is_dir() or info.filename.endswith((".pyc", "/RECORD")) or parts[0].endswith(".data")
                )
                if info.filename.endswith((".so", ".pyd")):
                    raise ValueError(
                        f"{path.name} holds a compiled file, which only one Python version can load"
                    )
                if not skip and not set(parts) & set(_LEFT_OUT):
                    yield Member(layout.RUNTIME + info.filename, wheel.read(info))


def dags() -> Iterator[Member]:
    """The members of the example DAGs."""
    for name, path in _content(_home("dags_example")):
        yield Member(layout.DAGS + name, path)


def _resource(name: str) -> tuple[Locked, ...]:
    return lockfile.read(files("bundler.resources").joinpath(name).read_text(encoding="utf-8"))


def _fitting(carried: Iterable[Locked], name: str, target: Target) -> PayloadFile:
    tags = lockfile.target_tags(target)
    versions = [item for item in carried if item.name == name]
    for item in sorted(versions, key=lambda item: Version(item.version), reverse=True):
        allowed = SpecifierSet(item.requires_python)
        artifact = lockfile.choose(item.wheels, tags)
        if artifact is not None and Version(f"{target.python}.99") in allowed:
            return PayloadFile(item.name, item.version, artifact)
    raise NoFittingWheel(
        f"There is no {name} for {target.label}, and a bundle cannot be installed without it.",
        found=", ".join(wheel.filename for item in versions for wheel in item.wheels),
        needed=f"a wheel for {target.platform}",
    )


def _postgres(carried: Iterable[Locked], target: Target) -> tuple[PayloadFile | None, str]:
    host = target.host
    by_name = {item.name: item for item in carried}
    for name, version in pins()["postgres"].items():
        for wheel in sorted(by_name[name].wheels, key=lambda wheel: wheel.filename):
            # Only the server inside is used, so the wheel's Python tag does not matter.
            if not unfit(wheel.filename, host.machine, host.libc, host.version):
                return PayloadFile(name, by_name[name].version, wheel), version
    return None, ""


def _home(package: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(next(iter(found.submodule_search_locations)))


def _content(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and path.suffix not in _SOURCES and not set(parts) & {"__pycache__", ".mypy_cache"}:
            yield "/".join(parts), path
