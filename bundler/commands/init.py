"""``airferry init``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.base.errors import InvalidRequest, OutputFailed
from bundler.request import settings_file, spec


@dataclass(frozen=True)
class WrittenSettings:
    """The request was written to `file`."""

    file: str


def init(
    file: Path = typer.Argument(Path("airferry.toml"), metavar="[FILE]", help="The file to write."),
    airflow: str = typer.Option("", metavar="VERSION", help="The Airflow release to write into it."),
    python: str = typer.Option("", metavar="X.Y", help="The closed host's Python (default: this one's)."),
    json: bool = JSON,
) -> Result[WrittenSettings]:
    """Write a commented airferry.toml, to be kept under version control; never overwrites one."""
    text = settings_file.template(airflow, python or spec.default_python())
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise InvalidRequest(f"{file} exists and was not changed.", hint="Name another file.") from error
    except OSError as error:
        raise OutputFailed(f"{file} cannot be written: {error.strerror}.") from error

    def show(console: Console) -> None:
        console.print(f"{file} is written. Look through it, then:")
        console.command(f"airferry bundle -f {file}")

    return Result(WrittenSettings(str(file)), show)
