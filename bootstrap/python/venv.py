"""Putting locked wheels into a venv without a network: with uv, or with pip where uv cannot run."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import math
import os
import re
import stat
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from bootstrap.base import process
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Package


class PackagesDamaged(AirferryError):
    """Files of installed packages are missing or have another size than their RECORD says."""

    reference = "packages-damaged"
    exit_code = 39


class ToolChanged(AirferryError):
    """The carried uv or pip is not as the bundle names it."""

    reference = "tool-changed"
    exit_code = 73


@dataclass(frozen=True)
class Tools:
    """The carried installers, unpacked: `uv` is a program, `pip` a wheel that Python can run."""

    uv: Path
    pip: Path
    uv_version: str
    pip_sha256: str

    @classmethod
    def unpack(cls, wheels: Path, destination: Path, locked: Sequence[Package]) -> Tools:
        """Take uv's program out of its wheel and put both below `destination`; `locked` are the two."""
        uv = destination / "uv"
        named = {package.name: package for package in locked}
        with zipfile.ZipFile(str(wheels / named["uv"].filename)) as archive:
            name = next(item for item in archive.namelist() if item.endswith(".data/scripts/uv"))
            uv.write_bytes(archive.read(name))
        uv.chmod(0o755)
        (wheels / named["pip"].filename).replace(destination / named["pip"].filename)
        return cls.unpacked(destination, locked)

    @classmethod
    def unpacked(cls, folder: Path, locked: Sequence[Package]) -> Tools:
        """What was unpacked to `folder` before."""
        named = {package.name: package for package in locked}
        uv, pip = named["uv"], named["pip"]
        return cls(folder / "uv", folder / pip.filename, uv.version, pip.sha256)

    def uv_runs(self, env: Mapping[str, str]) -> bool:
        """Whether uv can be executed here (not on every kernel, nor on a noexec mount).

        Raises :class:`ToolChanged` for one that is not as locked: pip serves only where uv cannot run.
        """
        try:
            said = process.run([self.uv, "--version"], what="try uv", env=env, timeout=30).stdout
        except process.CommandFailed:
            self._check_pip()
            return False
        if said.split()[:2] != ["uv", self.uv_version]:
            raise _changed(self.uv, said.strip(), f"uv {self.uv_version}")
        return True

    def _check_pip(self) -> None:
        found = hashlib.sha256(self.pip.read_bytes()).hexdigest()
        if found != self.pip_sha256:
            raise _changed(self.pip, f"sha256 {found}", f"sha256 {self.pip_sha256}")


def _changed(path: Path, found: str, needed: str) -> ToolChanged:
    return ToolChanged(
        f"{path} is not the tool that is listed in the bundle.",
        found=found[:200],
        needed=needed,
        hint="Nothing was installed with it. Run the install from the bundle file again.",
    )


# Reading every file may take that long; those that are left are compared by size.
_SECONDS = 3.0
# Nothing is resolved or looked up, and the host's settings do not count.
_LOCKED = ("--no-index", "--no-deps", "--require-hashes")
_UV = ("--no-config", "--offline", "--quiet")
_PIP = (
    "--isolated", "--only-binary=:all:", "--no-compile", "--no-cache-dir", "--disable-pip-version-check",
    "--no-input", "--quiet",
)  # fmt: skip
# --isolated still parses the host's pip.conf, and fails on one that is broken
_PIP_SETTINGS = {"PIP_CONFIG_FILE": os.devnull}


@dataclass(frozen=True)
class Venv:
    """A virtual environment to make at `path` for the interpreter `python`."""

    path: Path
    python: Path

    @property
    def interpreter(self) -> Path:
        """The venv's own Python."""
        return self.path / "bin" / "python"

    def create(
        self,
        tools: Tools,
        packages: Sequence[Package],
        wheels: Path,
        *,
        cache: Path,
        env: Mapping[str, str],
        log: Optional[Path],
    ) -> None:
        """Make the venv and install `packages` from the folder `wheels`, each checked by its sha256.

        Nothing is resolved, built or looked up: exactly these files. `cache` must lie on the same file
        system, so that uv can link instead of copying. Raises CommandFailed, :class:`PackagesDamaged`.
        """
        made: List[process.Argument]
        by_uv = tools.uv_runs(env)
        isolated = _isolated(env, cache) if by_uv else {**env, **_PIP_SETTINGS}
        if by_uv:
            isolated["UV_LINK_MODE"] = "hardlink"
            made = [tools.uv, "venv", *_UV, "--no-project", "--python", self.python, self.path]
        else:
            made = [self.python, "-I", "-m", "venv", "--without-pip", self.path]
        process.run(made, what="make the virtual environment", env=isolated, log=log)
        requirements = wheels.parent / f"{self.path.name}-requirements.txt"
        listed = _listed(packages, wheels, requirements)
        self._install(tools, listed, by_uv=by_uv, env=isolated, log=log)
        with contextlib.suppress(FileNotFoundError):
            # uv leaves its lock writable for everybody
            (self.path / ".lock").unlink()
        _whole(self.damaged(), self.path)

    def _install(
        self,
        tools: Tools,
        what: Sequence[process.Argument],
        *,
        by_uv: bool,
        env: Mapping[str, str],
        log: Optional[Path],
        beside: bool = False,
    ) -> None:
        """Have uv or pip install exactly what is locked, for this environment's Python."""
        command: List[process.Argument]
        # the environment's own would run what its packages have in .pth files (site module): never as root
        python = self.python if beside and os.geteuid() == 0 else self.interpreter
        if by_uv:
            command = [tools.uv, "pip", "install", *_UV, "--no-build", "--python", python]
        else:
            command = [python, "-I", tools.pip / "pip", "install", *_PIP]
        process.run([*command, *what], what="install the packages", env=env, log=log, timeout=1800)

    def damaged(self, since: float = math.inf) -> List[str]:
        """What RECORD lists and the disk lacks, a line each (recording installed projects, PEP 376, 627).

        Files that were written after `since` (seconds since 1970) are compared by their hash as well.
        """
        return _lacking(self.path.glob("lib/python3*/site-packages/*.dist-info/RECORD"), since=since)


def _whole(problems: Sequence[str], place: Path) -> None:
    if problems:
        raise PackagesDamaged(
            f"The packages in {place} are incomplete.",
            found="\n".join(problems[:10]),
            hint="Check the free space (df -h, df -i) and run the same command again.",
        )


def _lacking(records: Iterable[Path], *, outside: bool = True, since: float = math.inf) -> List[str]:
    # A file that two packages bring (a stray tests/__init__.py) is as the last of them left it.
    listed: Dict[Path, Dict[str, Tuple[str, str]]] = {}
    for record in sorted(records):
        with record.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                # pip leaves the places of programs as they are in an environment, whatever the target
                if len(row) == 3 and not row[0].endswith(".pyc") and (outside or row[0][:3] != "../"):
                    path = Path(os.path.normpath(record.parent.parent / row[0]))
                    listed.setdefault(path, {})[record.parent.name] = (row[1], row[2])
    deadline = time.monotonic() + _SECONDS
    return [
        problem
        for path, rows in listed.items()
        for problem in _differs(path, rows, since if time.monotonic() < deadline else math.inf)
    ]


def install_beside(
    venv: Venv,
    target: Path,
    tools: Tools,
    packages: Sequence[Package],
    wheels: Path,
    *,
    env: Mapping[str, str],
    log: Optional[Path],
) -> None:
    """Install `packages` for the venv's Python into the folder `target`, and leave the venv as it is.

    Nothing is resolved, built or looked up. Raises CommandFailed, :class:`PackagesDamaged`.
    """
    listed = _listed(packages, wheels, wheels.parent / "requirements.txt")
    by_uv = tools.uv_runs(env)
    isolated = _isolated(env, wheels.parent / "cache") if by_uv else {**env, **_PIP_SETTINGS}
    venv._install(tools, ["--target", target, *listed], by_uv=by_uv, env=isolated, log=log, beside=True)
    with contextlib.suppress(FileNotFoundError):
        # uv leaves its lock writable for everybody
        (target / ".lock").unlink()
    _whole(_lacking(target.glob("*.dist-info/RECORD"), outside=False), target)
    if os.geteuid() == 0:
        for program in sorted(target.glob("bin/*")):
            _lead(program, venv.interpreter)


def _lead(program: Path, python: Path) -> None:
    """Have a program that was installed for the base interpreter run on the environment's.

    The two forms of the first lines are those that pip and uv write; the kernel splits at blanks and reads
    127 bytes (execve(2)).
    """
    head, _, rest = program.read_bytes().partition(b"\n")
    if head == b"#!/bin/sh" and rest.startswith(b"'''exec'"):
        rest = rest.split(b"\n", 2)[2]
    elif not head.startswith(b"#!") or b"python" not in head:
        return
    path = os.fsencode(str(python))
    first = b"#!" + path
    if b" " in path or len(first) > 126:
        quoted = re.sub(rb'(["\\$`])', rb"\\\1", path)
        first = b"#!/bin/sh\n'''exec' \"" + quoted + b'" "$0" "$@"\n\' \'\'\''
    program.write_bytes(first + b"\n" + rest)


def _differs(path: Path, rows: Mapping[str, Tuple[str, str]], since: float) -> List[str]:
    """What is wrong with a file that distributions list with these hashes and sizes (empty: not stated)."""
    try:
        found = path.stat()
    except OSError:
        return [f"{name}: {path} is missing" for name in rows]
    if not stat.S_ISREG(found.st_mode):
        return [f"{name}: {path} is not a file" for name in rows]
    sizes = [size for _, size in rows.values()]
    if "" not in sizes and str(found.st_size) not in sizes:
        return [f"{name}: {path} has {found.st_size} bytes, not {size}" for name, (_, size) in rows.items()]
    hashes = [value for value, _ in rows.values()]
    if max(found.st_mtime, found.st_ctime) > since and all(item.startswith("sha256=") for item in hashes):
        try:
            digest = hashlib.sha256(path.read_bytes()).digest()
        except OSError:
            return []  # that it cannot be read is another finding
        if "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=") not in hashes:
            return [f"{name}: {path} has other contents" for name in rows]
    return []


def _isolated(env: Mapping[str, str], cache: Path) -> Dict[str, str]:
    return {**env, "UV_CACHE_DIR": str(cache), "UV_PYTHON_DOWNLOADS": "never"}


def _listed(packages: Sequence[Package], wheels: Path, file: Path) -> List[process.Argument]:
    """The options for exactly these packages, which `file` then lists."""
    file.write_text("".join(_requirement(item, wheels) for item in packages), encoding="utf-8")
    return [*_LOCKED, "-r", file]


def _requirement(package: Package, wheels: Path) -> str:
    url = (wheels / package.filename).as_uri()
    return f"{package.name} @ {url} --hash=sha256:{package.sha256}\n"
