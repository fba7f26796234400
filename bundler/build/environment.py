"""The environment of one build: a fresh venv, its requirements as of a date, and what runs in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bootstrap.base import process
from bundler.resolver import Question
from bundler.resolver.uv import Uv

# What a build may take from this host beside the few that every child inherits.
_COMPILING = ("CC", "CXX", "CFLAGS", "CPPFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "CARGO_HOME", "RUSTUP_HOME")


class BuildEnvironment:
    """A virtual environment for one build, and the programs that run in it."""

    def __init__(
        self, uv: Uv, question: Question, interpreter: Path, folder: Path, log: Path, moment: datetime
    ) -> None:
        self._uv = uv
        self._environment = uv.environment(question)
        self._interpreter = interpreter
        self._folder = folder
        self._log = log
        self._epoch = str(int(moment.timestamp()))
        self.python = folder / "bin" / "python"

    def create(self) -> None:
        """Make the environment, empty."""
        self._call(
            ["venv", "--no-project", "--python", self._interpreter, self._folder], "make a build environment"
        )

    def install(self, requirements: Sequence[str] | set[str], as_of: str, constraints: str) -> None:
        """Install build requirements as of a date, under constraints."""
        if not requirements:
            return
        arguments: list[process.Argument] = ["pip", "install", "--python", self.python]
        if as_of:
            arguments += ["--exclude-newer", as_of]
        if constraints:
            file = self._folder / "build-constraints.txt"
            file.write_text(constraints, encoding="utf-8")
            arguments += ["--constraints", file]
        self._call([*arguments, *sorted(requirements)], "install the build requirements")

    def installed(self) -> list[str]:
        """What is installed, as ``name==version``."""
        return self._call(["pip", "freeze", "--python", self.python], "list the build requirements").split()

    def run(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a hook of the build backend (the names are those of pyproject_hooks)."""
        kept = {name: os.environ[name] for name in _COMPILING if name in os.environ}
        path = f"{self._folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        process.run(
            cmd,
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
