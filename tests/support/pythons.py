"""The CPython interpreters of this machine, and broken ones made from them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support import surroundings


@dataclass(frozen=True)
class Python:
    """An interpreter that was found: its own path, never a shim, and its version."""

    path: Path
    version: tuple[int, int, int]

    @property
    def minor(self) -> str:
        """For example 3.11."""
        return f"{self.version[0]}.{self.version[1]}"


@functools.lru_cache(maxsize=1)
def found() -> tuple[Python, ...]:
    """One CPython of each minor version, oldest first: on PATH, below pyenv's root, in /usr/bin."""
    folders = [Path(name) for name in os.environ.get("PATH", "").split(os.pathsep) if name]
    folders += [Path("/usr/bin"), Path("/usr/local/bin")]
    folders += sorted(surroundings.pyenv().glob("versions/*/bin"))
    by_minor: dict[str, Python] = {}
    seen = set()
    for folder in folders:
        if folder.name == "shims":
            continue
        for path in sorted([*folder.glob("python[23].[0-9]"), *folder.glob("python3.[0-9][0-9]")]):
            real = path.resolve()
            if real in seen or not os.access(real, os.X_OK):
                continue
            seen.add(real)
            python = _probe(path)
            if python:
                by_minor.setdefault(python.minor, python)
    return tuple(sorted(by_minor.values(), key=lambda item: item.version))


def fitting() -> tuple[Python, ...]:
    """Those that run a bundle: 3.8 and newer."""
    return tuple(item for item in found() if item.version >= (3, 8))


def too_old() -> tuple[Python, ...]:
    """Those that are told to go away."""
    return tuple(item for item in found() if item.version < (3, 8))


def _probe(path: Path) -> Python | None:
    script = (
        "import sys, platform; v = sys.version_info; in_venv = sys.prefix != getattr(sys, 'base_prefix', "
        "sys.prefix); print('%d %d %d %s %d' % (v[0], v[1], v[2], platform.python_implementation(), in_venv))"
    )
    try:
        done = subprocess.run(
            [path, "-E", "-c", script], check=False, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    if done.returncode or len(words) != 5 or words[3:] != ["CPython", "0"]:
        return None
    return Python(path, (int(words[0]), int(words[1]), int(words[2])))


def without(python: Python, modules: list[str], destination: Path) -> Path:
    """Make an interpreter of its own prefix that lacks extension modules, and return its path.

    Its library is a copy of names only: links to the real files, less those of `modules`. Raises
    LookupError when one of them is compiled into the interpreter.
    """
    script = (
        "import sys, sysconfig; print(sysconfig.get_path('stdlib')); print(sys.base_prefix);"
        "print(' '.join(sys.builtin_module_names))"
    )
    done = subprocess.run([python.path, "-I", "-c", script], capture_output=True, text=True, check=True)
    library, prefix, builtin = done.stdout.splitlines()
    if set(modules) & set(builtin.split()):
        raise LookupError(f"compiled into {python.path}: {modules}")
    name = f"python{python.minor}"
    target = destination / "lib" / name
    for folder, below, files in os.walk(library):
        below[:] = [
            item for item in below if item not in ("site-packages", "__pycache__", "test", "dist-packages")
        ]
        made = target / os.path.relpath(folder, library)
        made.mkdir(parents=True)
        for item in files:
            if item.split(".")[0] not in modules:
                (made / item).symlink_to(Path(folder) / item)
    (destination / "bin").mkdir()
    interpreter = destination / "bin" / name
    shutil.copy(python.path.resolve(), interpreter)  # a link would lead back to the real prefix
    for shared in Path(prefix, "lib").glob(f"libpython{python.minor}*.so*"):
        (destination / "lib" / shared.name).symlink_to(shared)
    return interpreter


def readable_python() -> str:
    """The interpreter for the installs: one that any account can run, of the bundle's minor version."""
    for candidate in (f"/usr/bin/python3.{sys.version_info.minor}", "/usr/bin/python3"):
        if Path(candidate).exists():
            return candidate
    return str(getattr(sys, "_base_executable", sys.executable))
