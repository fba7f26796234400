"""The command that a report ends with is the one that was typed, not a shorter one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Optional

import pytest
import typer

from bootstrap.commands.shared import HOME, JSON, PORT, asked


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ([], []),
        (["--json"], []),
        (["--port", "9090", "--home", "/srv/air flow$1"], ["--home", "/srv/air flow$1", "--port", "9090"]),
        (["--adopt-database", "--from=it's.json"], ["--adopt-database", "--from", "it's.json"]),
    ],
)
def test_options_are_kept_and_quoted(typed: list[str], kept: list[str]) -> None:
    said: list[str] = []
    app = typer.Typer()

    @app.command()
    def doctor(
        context: typer.Context,
        home: Optional[Path] = HOME,
        port: Optional[int] = PORT,
        adopt_database: bool = typer.Option(False, "--adopt-database"),
        saved: Optional[Path] = typer.Option(None, "--from"),
        json: bool = JSON,
    ) -> None:
        said.append(asked(context, "saved"))

    app(typed, standalone_mode=False)
    assert said[0].startswith(" ") == bool(kept)
    assert shlex.split(said[0]) == kept
