"""What building from source needs on this machine: facts first, then what is missing and where to get it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bootstrap.base import process
from bundler.base import toml

_MANAGERS = {"apt": "apt-get install", "dnf": "dnf install", "zypper": "zypper install", "apk": "apk add"}
# Without these nothing that is native can be built.
BASIC = ("_ctypes", "compiler", "headers")
_CTYPES = "import ctypes"
_INCLUDES = "import sysconfig; print(sysconfig.get_path('include'))"


@dataclass(frozen=True)
class BuildNeed:
    """Something that building needs; `there` says whether this machine has it, `found` what was seen."""

    name: str
    there: bool
    found: str


def always() -> tuple[str, ...]:
    """What a build machine is judged by when no package is at hand."""
    return tuple(_data()["doctor"]["always"])


def of(package: str, tree: Path) -> tuple[str, ...]:
    """What building that package from its unpacked source needs, by name and by the files in it."""
    needs = list(known(package))
    suffixes = {path.suffix for path in tree.rglob("*") if path.is_file()}
    if suffixes & {".c", ".cc", ".cpp", ".cxx", ".pyx"}:
        needs += ["compiler", "headers"]
    if suffixes & {".cc", ".cpp", ".cxx"}:
        needs += ["cxx"]
    if any(tree.glob("**/Cargo.toml")):
        needs += ["compiler", "rust"]
    return tuple(sorted(set(needs)))


def known(package: str) -> tuple[str, ...]:
    """What a package needs that is listed as one with needs of its own; empty for all others."""
    own = _data()["needs"].get(package, ())
    return tuple(sorted({*own, "compiler", "headers"})) if own else ()


def why_never(package: str) -> str:
    """Why a package is never built from source, and what to do instead; empty for all others."""
    return str(_data()["never"].get(package, ""))


def collect(names: Iterable[str], interpreter: Path) -> tuple[BuildNeed, ...]:
    """Look for what is needed; headers are looked for as `interpreter` builds. Never raises."""
    return tuple(_look(name, _data()["probe"][name], interpreter) for name in names)


def ctypes_works(interpreter: Path) -> BuildNeed:
    """Whether an interpreter was built with libffi: Airflow does not run on one that was not."""
    try:
        process.run([interpreter, "-I", "-c", _CTYPES], what="import ctypes", timeout=30)
    except process.CommandFailed as error:
        return BuildNeed("_ctypes", there=False, found=(error.found or error.message).splitlines()[-1])
    return BuildNeed("_ctypes", there=True, found=f"{interpreter} imports it")


def remedy(missing: Iterable[BuildNeed]) -> str:
    """The command that installs what is missing with this machine's package manager."""
    manager = next((name for name in _MANAGERS if shutil.which(name) or shutil.which(f"{name}-get")), "")
    names = [need.name for need in missing if need.name in _data()["packages"]["apt"]]
    if not names:
        return ""
    if not manager:
        return f"Install the packages that hold {', '.join(names)}."
    packages = " ".join(sorted({_data()["packages"][manager][name] for name in names}))
    return f"{_MANAGERS[manager]} {packages}"


def _look(name: str, probe: Mapping[str, str], interpreter: Path) -> BuildNeed:
    if "program" in probe:
        path = shutil.which(probe["program"])
        return BuildNeed(name, there=path is not None, found=path or f"no program {probe['program']}")
    header = probe["header"]
    compiler = shutil.which("cc")
    if compiler is None:
        return BuildNeed(name, there=False, found=f"{header}: not checked, as there is no C compiler")
    try:
        asked = process.run([interpreter, "-I", "-c", _INCLUDES], what="ask Python for its headers")
        with tempfile.TemporaryDirectory(prefix="airferry-") as folder:
            source = Path(folder) / "probe.c"
            source.write_text(f"#include <{header}>\n", encoding="utf-8")
            command: list[process.Argument] = [compiler, "-fsyntax-only", f"-I{asked.stdout.strip()}", source]
            process.run(command, what=f"compile a file that includes {header}", timeout=60)
    except process.CommandFailed as error:
        told = [line.partition("error: ")[2] for line in error.found.splitlines() if "error: " in line]
        return BuildNeed(name, there=False, found=next(iter(told), error.message))
    return BuildNeed(name, there=True, found=f"{header} is found")


@cache
def _data() -> Mapping[str, Any]:
    return toml.loads(files("bundler.resources").joinpath("builds.toml").read_text(encoding="utf-8"))
