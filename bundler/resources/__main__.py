"""Pins again: writes the locks of what bundles carry, from ``pins.toml`` and the package index."""

from __future__ import annotations

from pathlib import Path

from bundler.assembly.payload import CARRIED, RUNTIME, pins
from bundler.index.cache import Cache
from bundler.index.simple import PYPI, Index
from bundler.index.transport import Session
from bundler.lock import lockfile
from bundler.resolver import Question
from bundler.resolver.uv import Uv
from wheelhouse.tags import parse_wheel_name
from wheelhouse.target import Target, parse_platform

_HEADER = "Written by python -m bundler.resources from pins.toml; change that and run it again."
_MACHINES = ("x86_64", "aarch64")


def main() -> None:
    """Write both locks beside this file."""
    folder = Path(__file__).parent
    wanted = pins()
    with Session() as session:
        index = Index(PYPI, session)
        carried = [
            _locked(index, name, version)
            for name, versions in wanted["carried"].items()
            for version in versions
        ]
    (folder / CARRIED).write_text(lockfile.dump(carried, _HEADER), encoding="utf-8")
    runtime = wanted["runtime"]
    question = Question(
        requirements=tuple(runtime["requirements"]),
        target=Target.parse(runtime["python"], "manylinux_2_17_x86_64"),
        index_url=PYPI,
    )
    packages = Uv(Cache.default()).resolve(question)
    (folder / RUNTIME).write_text(lockfile.dump(packages, _HEADER), encoding="utf-8")


def _locked(index: Index, name: str, version: str) -> lockfile.Locked:
    files = [
        item for item in index.files(name) if str(item.version) == version and _runs_on_linux(item.filename)
    ]
    wheels = tuple(
        lockfile.Artifact(item.filename, item.url, item.sha256, item.size, item.uploaded) for item in files
    )
    return lockfile.Locked(name, version, wheels, requires_python=files[0].requires_python)


def _runs_on_linux(filename: str) -> bool:
    if not filename.endswith(".whl"):
        return False
    wheel = parse_wheel_name(filename)
    parsed = [parse_platform(tag) for tag in wheel.platforms]
    return wheel.pure or any(item is not None and item.machine in _MACHINES for item in parsed)


if __name__ == "__main__":
    main()
