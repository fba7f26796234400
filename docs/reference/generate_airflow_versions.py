"""Writes airflow-versions.md beside this file: python docs/reference/generate_airflow_versions.py."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bootstrap.airflow import differences
from bootstrap.airflow.differences import NEWEST, OLDEST, PLACES, Row
from bootstrap.airflow.release import Parameters, release_for, settings
from bootstrap.base.secret import Secret

PAGE = Path(__file__).with_name("airflow-versions.md")
SHOWN = ("2.2.2", "2.6.3", "2.10.4", "2.11.2", "3.0.6", "3.3.2")
HEAD = f"""# Airflow versions

Generated from `bootstrap/airflow/differences.py` by `docs/reference/generate_airflow_versions.py`; do not
edit.

airferry installs every Airflow from {OLDEST} to {NEWEST}. A newer one is treated as {NEWEST}, with a warning
that says so; an older one is refused. In the first two tables, a value holds from the version before it until
the next one; `-` means that there is no such thing.
"""
COMMANDS = {"db", "dags", "backfill", "config"}


def page() -> str:
    """The whole page."""
    rows: list[Row[Any]] = [row for row in vars(differences).values() if isinstance(row, Row)]
    others = [row for row in rows if row not in PLACES]
    return "\n".join(
        [
            HEAD,
            "## What differs\n",
            *_table(("", "since"), ((row.what, _values(row)) for row in others)),
            "\n## Where an option stands in airflow.cfg\n",
            *_table(("", "since"), ((row.what, _values(row)) for row in PLACES)),
            "\n## What `install` writes into airflow.cfg\n",
            "In one edit, before the first migration; nothing else in the file changes.\n",
            *_table(("option", *SHOWN), _written("fab")),
            "\nWith `--auth simple` (3.x) also, or instead:\n",
            *_table(("option", *SHOWN[4:]), _simple()),
            "",
        ]
    )


def _values(row: Row[Any]) -> str:
    return "<br>".join(f"**{since}** {_shown(row, value)}" for since, value in row.since)


def _shown(row: Row[Any], value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, tuple):
        return f"`{value}`" if set("/_.-") & set(value) else str(value)
    if value[0] in COMMANDS:
        return f"`airflow {' '.join(value)}`"
    if row in PLACES:
        return f"`[{value[0]}] {value[1]}`"
    return ", ".join(value)


def _written(auth: str) -> list[tuple[str, ...]]:
    key, url = Secret("(generated)"), Secret("postgresql+psycopg2://...")
    parameters = Parameters(Path("HOME"), url, key, key, key, auth=auth)
    found = {
        version: {f"[{one.section}] {one.option}": one.value for one in settings(release, parameters)}
        for version, release in ((version, release_for(version)) for version in SHOWN)
        if auth in release.auth_managers
    }
    options = sorted({option for values in found.values() for option in values})
    return [
        (f"`{option}`", *(f"`{values[option]}`" if option in values else "-" for values in found.values()))
        for option in options
    ]


def _simple() -> list[tuple[str, ...]]:
    usual = {row[0]: row[-1] for row in _written("fab")}
    return [row for row in _written("simple") if usual.get(row[0]) != row[-1]]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [tuple(head), tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
