"""The probe: one file for the closed host that writes down its facts before any bundle exists."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from importlib.resources import files

from bootstrap.facts import (
    airflows,
    disk,
    distribution,
    environment,
    network,
    postgres,
    processes,
    python,
    security,
)
from bootstrap.facts.host import SCHEMA
from bootstrap.installed.options import POSTGRES_PORT, WEB_PORT
from bootstrap.postgres import programs
from wheelhouse import __version__

_WIDTH = 79
_PYTHON, _SHELL = "probe.py.in", "probe.sh.in"


def text(*, shell: bool = False) -> str:
    """The program: for Python 2.7 and newer, or with `shell` for a host that has no Python at all.

    What it looks for, and what it asks each interpreter, is what a bundle's own doctor does.
    """
    program = files("bundler.resources").joinpath(_SHELL if shell else _PYTHON).read_text(encoding="utf-8")
    for name, value in (
        ("TABLES", _tables()),
        ("QUESTION", python.PROBE),
        ("SCHEMA", str(SCHEMA)),
        ("VERSION", __version__),
        ("WEB_PORT", str(WEB_PORT)),
        ("POSTGRES_PORT", str(POSTGRES_PORT)),
        ("PG_FOLDERS", " \\\n    ".join(_folded(" ".join(programs.FOLDERS)))),
    ):
        program = program.replace(f"@{name}@", value)
    return program


def _tables() -> str:
    return "\n".join(
        (
            _table("PYTHON_FOLDERS", python.FOLDERS),
            _table("MODULES", python.MODULES),
            _table("MANAGERS", distribution.MANAGERS),
            _table("TELLING", disk.TELLING),
            _table("VARIABLES", environment.PREFIXES),
            _table("PG_VARIABLES", environment.POSTGRES),
            _table("PG_FOLDERS", programs.FOLDERS),
            _table("PG_PROGRAMS", programs.PROGRAMS),
            _table("PG_SOCKETS", postgres.SOCKETS),
            _table("PROXIES", network.PROXIES),
            _table("AUTHORITIES", security.AUTHORITIES),
            _table("AIRFLOW_HOMES", airflows.HOMES),
            _table("AIRFLOW_PACKAGES", airflows.PACKAGES),
            _table("AIRFLOW_COMPONENTS", processes.COMPONENTS),
            f"PORTS = ({WEB_PORT}, {POSTGRES_PORT})",
        )
    )


def _table(name: str, values: Iterable[str]) -> str:
    """A tuple as source text, folded."""
    listed = ", ".join(f'"{value}"' for value in values)
    return f"{name} = (\n    " + "\n    ".join(_folded(listed + ")"))


def _folded(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - 6, break_long_words=False, break_on_hyphens=False)
