"""The command line of the internet side: ``airferry COMMAND``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from bootstrap.boundary import guard
from bootstrap.console import Console
from bundler import report, spec
from bundler.bundle import make_bundle
from bundler.index import PYPI
from bundler.spec import BundleRequest
from wheelhouse import __version__

USAGE = 2
_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")

JSON = typer.Option(
    False, "--json", help="Print the result as JSON on standard output, and nothing else there."
)

app = typer.Typer(
    name="airferry",
    help="Carries Apache Airflow across an air gap: one file made here, one command run inside.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> int:
    """Run the command line and return its exit status: the error boundary of the internet side."""

    def run() -> int:
        try:
            result = app(prog_name="airferry", standalone_mode=False)
            return result if isinstance(result, int) else 0
        except typer.Exit as leaving:
            return leaving.exit_code
        except typer.Abort as aborted:
            raise KeyboardInterrupt from aborted
        except Exception as error:
            # Usage errors know how to show themselves, whichever click this typer stands on.
            show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
            if show is None or code is None:
                raise
            show()
            return int(code)

    return guard(run, Console(), json="--json" in sys.argv)


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"airferry {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


@app.command()
def bundle(
    airflow: str = typer.Option(
        "", metavar="VERSION", help="The Airflow release (default: the newest final one)."
    ),
    python: str = typer.Option("", metavar="X.Y", help="The host's Python (default: this one's version)."),
    platform: str = typer.Option(
        "", metavar="TAG", help=f"The host's platform tag (default: {spec.default_platform()})."
    ),
    extra: list[str] = typer.Option(
        [], metavar="NAME", help="An extra of Airflow, repeatable (default: postgres, and fab for 3.x)."
    ),
    constraints: str = typer.Option(
        "auto",
        metavar="SOURCE",
        help="auto, official, release-date, a path or a URL, which may hold {airflow} and {python}.",
    ),
    output: Path = typer.Option(Path("dist"), metavar="FOLDER", help="Where the bundle goes."),
    index_url: str = typer.Option(
        "",
        metavar="URL",
        help=f"The package index (default: ${_INDEX_VARIABLES[0]}, ${_INDEX_VARIABLES[2]}, or {PYPI}).",
    ),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Show neither progress nor summary."),
    json: bool = JSON,
) -> int:
    """Make the one file: resolve, download, build, write."""
    console = Console(quiet=quiet or json)
    request = BundleRequest.parse(
        airflow=airflow,
        python=python,
        platform=platform,
        extras=tuple(extra) or None,
        constraints=constraints,
        output=output,
        index_url=index_url or _index_from_environment(),
    )
    result = make_bundle(request, console)
    if json:
        console.json({"schema": 1, "ok": True, "result": report.as_dict(result)})
    elif not quiet:
        report.summary(result, console)
    return 0


def _index_from_environment() -> str:
    return next((os.environ[name] for name in _INDEX_VARIABLES if os.environ.get(name)), PYPI)
