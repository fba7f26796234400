"""The environment of one build: a fresh venv, its requirements as of a date, and what runs in it.

Requirements are resolved, fetched and compared with their sha256 before any of their code runs. That code has
no network where this machine allows it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bootstrap.base import process
from bundler.base import isolation
from bundler.base.errors import BuildFailed, ResolutionFailed
from bundler.index.fetch import Fetcher
from bundler.lock import lockfile
from bundler.resolver import Question
from bundler.resolver.uv import BUILD_CONSTRAINTS, Uv

# What a build may take from this host beside the few that every child inherits.
_COMPILING = ("CC", "CXX", "CFLAGS", "CPPFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "CARGO_HOME", "RUSTUP_HOME")


class BuildEnvironment:
    """A virtual environment for one build, and the programs that run in it."""

    def __init__(
        self,
        uv: Uv,
        fetcher: Fetcher,
        question: Question,
        interpreter: Path,
        folder: Path,
        log: Path,
        moment: datetime,
    ) -> None:
        """Take where requirements come from (`question`), and its target as the interpreter's own."""
        self._uv = uv
        self._fetcher = fetcher
        self._question = question
        self._environment = uv.environment(question)
        self._interpreter = interpreter
        self._folder = folder
        self._log = log
        self._epoch = str(int(moment.timestamp()))
        self._installed: dict[str, str] = {}
        self.python = folder / "bin" / "python"

    def create(self) -> None:
        """Make the environment, empty."""
        self._call(
            ["venv", "--no-project", "--python", self._interpreter, self._folder], "make a build environment"
        )

    def install(self, requirements: Sequence[str] | set[str], as_of: str, constraints: str) -> None:
        """Install build requirements as of a date, under constraints.

        Raises the errors of resolving and fetching, and :class:`BuildFailed` for one without a wheel.
        """
        if not requirements:
            return
        question = replace(
            self._question,
            requirements=tuple(sorted(requirements)),
            constraints=f"{constraints}\n{BUILD_CONSTRAINTS}",
            exclude_newer=as_of,
        )
        try:
            locked = self._uv.resolve(question)
        except ResolutionFailed:
            # what is built, or the user, may insist on one of those
            locked = self._uv.resolve(replace(question, constraints=constraints))
        tags = lockfile.target_tags(question.target)
        chosen = {item: lockfile.choose(item.wheels, tags) for item in locked}
        lacking = [f"{item.name} {item.version}" for item, wheel in chosen.items() if wheel is None]
        if lacking:
            raise BuildFailed(
                "What is needed to build exists only as source.",
                found=", ".join(lacking),
                needed="wheels of the build requirements",
                hint="Build a wheel of each, and give their folder with --find-links.",
            )
        wheels = [wheel for wheel in chosen.values() if wheel]
        files = self._fetcher.fetch(wheels)
        place = self._folder / "requirements"
        place.mkdir(exist_ok=True)
        lines = []
        for item, wheel in chosen.items():
            assert wheel is not None
            path = place / wheel.filename
            shutil.copyfile(files[wheel.sha256], path)
            lines.append(f"{item.name} @ {path.as_uri()} --hash=sha256:{wheel.sha256}\n")
            self._installed[item.name] = item.version
        listed = place / "requirements.txt"
        listed.write_text("".join(lines), encoding="utf-8")
        arguments: list[process.Argument] = ["pip", "install", "--python", self.python, "--offline"]
        arguments += ["--no-index", "--no-deps", "--no-build", "--require-hashes", "-r", listed]
        self._call(arguments, "install the build requirements")

    def installed(self) -> list[str]:
        """What was installed, as ``name==version``."""
        return [f"{name}=={version}" for name, version in sorted(self._installed.items())]

    def run(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a hook of the build backend (the names are those of pyproject_hooks)."""
        kept = {name: os.environ[name] for name in _COMPILING if name in os.environ}
        path = f"{self._folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        process.run(
            [*isolation.prefix(), *cmd],
            what="run the build backend",
            env=process.environment(
                {**kept, "PATH": path, "SOURCE_DATE_EPOCH": self._epoch, **(extra_environ or {})}
            ),
            cwd=Path(cwd) if cwd else None,
            timeout=3600,
            log=self._log,
        )

    def _call(self, arguments: Sequence[process.Argument], what: str) -> str:
        command = [self._uv.program, "--no-config", *arguments]
        return process.run(command, what=what, env=self._environment, log=self._log).stdout
