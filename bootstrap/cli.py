"""The command line of the closed side: ``sh FILE COMMAND`` and ``HOME/bin/airferry COMMAND``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import List, Optional

import typer

from bootstrap import handoff, lifecycle, preflight
from bootstrap import install as installing
from bootstrap import options as choosing
from bootstrap.boundary import guard
from bootstrap.console import Console
from bootstrap.doctor.render import render
from bootstrap.home import Home
from bootstrap.options import Options
from bootstrap.receipt import Receipt
from wheelhouse import __version__, codec
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify as verify_bundle

HOME = typer.Option(
    None,
    "--home",
    help="The installation's folder (default: $AIRFLOW_HOME, /opt/airflow for root, ~/airflow).",
)
JSON = typer.Option(
    False, "--json", help="Print the result as JSON on standard output, and nothing else there."
)
PYTHON = typer.Option(None, "--python", metavar="PATH", help="The Python that Airflow shall run on.")
PORT = typer.Option(
    None, "--port", min=1, max=65535, help="The web server's port (default: 8080 or the next free)."
)
HELP = {"help_option_names": ["-h", "--help"]}

bundled = typer.Typer(
    name="sh FILE",
    help="Apache Airflow for a host without a network: everything it needs is in this one file.",
    context_settings=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
installed = typer.Typer(
    name="airferry",
    help="Looks after this Airflow installation.",
    context_settings=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> int:
    """Run the command line of the file or folder that Python was started on."""
    place = Path(sys.argv[0])
    inside = handoff.is_inner() or place.is_file()
    app = bundled if inside else installed
    console = Console()
    name = f"sh {place.name}" if inside else "airferry"

    def run() -> int:
        result = app(prog_name=name, standalone_mode=False)
        return result if isinstance(result, int) else 0

    def parsed() -> int:
        try:
            return run()
        except typer.Exit as leaving:
            return leaving.exit_code
        except typer.Abort as aborted:
            raise KeyboardInterrupt from aborted
        except Exception as error:
            # click's own usage errors know how to show themselves
            show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
            if show is None or code is None:
                raise
            show()
            return int(code)

    return guard(parsed, console, json="--json" in sys.argv)


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"airferry {__version__}")
        raise typer.Exit


@bundled.callback()
@installed.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


@bundled.command()
def install(
    home: Optional[Path] = HOME,
    python: Optional[str] = PYTHON,
    port: Optional[int] = PORT,
    host: Optional[str] = typer.Option(
        None, help="The address the web server listens on (default: 0.0.0.0)."
    ),
    postgres_port: Optional[int] = typer.Option(
        None, min=1, max=65535, help="PostgreSQL's port on 127.0.0.1."
    ),
    account: Optional[str] = typer.Option(None, help="The account to run as; root only (default: airflow)."),
    admin_user: Optional[str] = typer.Option(None, help="Airflow's first account (default: admin)."),
    admin_password_file: Optional[Path] = typer.Option(
        None,
        exists=True,
        dir_okay=False,
        help="A file whose first line is its password (default: generated).",
    ),
    parallelism: Optional[int] = typer.Option(
        None, min=1, help="Tasks at once (default: by cores and memory)."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be done; change nothing."),
    ignore: Optional[List[str]] = typer.Option(
        None, metavar="ID", help="Go on in spite of this finding of doctor."
    ),
    json: bool = JSON,
) -> int:
    """Install and start Airflow, and run the example pipeline as proof. Safe to run again."""
    console = Console(quiet=json)
    options = Options(
        home=_home(home),
        python=python,
        account=account,
        host=host,
        port=port,
        postgres_port=postgres_port,
        parallelism=parallelism,
        admin_user=admin_user,
        admin_password_file=admin_password_file.absolute() if admin_password_file else None,
    )
    with handoff.bundle(Path(sys.argv[0])) as bundle:
        chosen = choosing.choose(options, bundle, installing.interpreter(options))
        if not handoff.is_inner():
            with console.progress(bundle.seal.size, "Verify the bundle") as advance:
                verify_bundle(bundle, advance)
            report = preflight.judge(bundle, chosen, options)
            preflight.check(report, ignore or [], console)
        if dry_run:
            lines = installing.describe(chosen, bundle)
            if json:
                console.json({"schema": 1, "ok": True, "plan": lines, "receipt": codec.encode(chosen)})
            else:
                for number, line in enumerate(lines, 1):
                    console.print(f"{number:2}. {line}")
                console.print("Nothing was changed.")
            return 0
        if os.geteuid() == 0 and not handoff.is_inner():
            return handoff.run(chosen, bundle, options, _inner_arguments(chosen, json=json))
        try:
            outcome = installing.install(chosen, bundle, options, console)
        finally:
            handoff.clean_up(options.home)
    if json:
        steps = [codec.encode(step) for step in outcome.steps]
        console.json({"schema": 1, "ok": True, "receipt": codec.encode(outcome.receipt), "steps": steps})
    else:
        _welcome(console, outcome.receipt)
    return 0


@bundled.command(name="doctor")
def doctor_bundle(
    home: Optional[Path] = HOME,
    python: Optional[str] = PYTHON,
    port: Optional[int] = PORT,
    strict: bool = typer.Option(False, "--strict", help="Exit 4 when there are warnings."),
    json: bool = JSON,
) -> int:
    """Judge whether this bundle will work on this host; changes nothing."""
    console = Console(quiet=json)
    options = Options(home=_home(home), python=python, port=port)
    with Bundle.open(Path(sys.argv[0])) as bundle:
        chosen = choosing.choose(options, bundle, installing.interpreter(options))
        report = preflight.judge(bundle, chosen, options)
    if json:
        console.json(report.as_dict())
    else:
        render(report, console, next_command=f"sh {Path(sys.argv[0]).name} install")
    return report.exit_code(strict)


@bundled.command(name="verify")
def verify_command(json: bool = JSON) -> int:
    """Check every byte of this file against what was bundled."""
    console = Console(quiet=json)
    with Bundle.open(Path(sys.argv[0])) as bundle:
        with console.progress(bundle.seal.size, "Verify the bundle") as advance:
            verify_bundle(bundle, advance)
        if json:
            console.json({"schema": 1, "ok": True, "bundle_id": bundle.manifest.bundle_id})
        else:
            console.print(f"{bundle.path.name} is whole: {bundle.manifest.bundle_id}")
    return 0


@installed.command()
def status(home: Optional[Path] = HOME, json: bool = JSON) -> int:
    """Show every component and whether Airflow calls it healthy. Exit 0 when all are, 33 otherwise."""
    console = Console(quiet=json)
    found = lifecycle.status(lifecycle.opened(_home(home)))
    if json:
        console.json(codec.encode(found))
    else:
        console.summary(
            [
                ("Airflow", found.airflow),
                ("Web", found.url),
                ("Home", found.home),
                ("Bundle", found.bundle_id),
            ]
        )
        rows = [[item.name, item.state.lower(), item.health, item.note] for item in found.components]
        console.table(["component", "state", "health", ""], rows)
        ill = [item.name for item in found.components if not item.good]
        if ill:
            console.print(f"Down or ill: {', '.join(ill)}. Logs: {found.home}/logs/airferry/")
    return 0 if found.healthy else 33


@installed.command()
def start(
    component: Optional[List[str]] = typer.Argument(None, help="Only these (default: all)."),
    home: Optional[Path] = HOME,
) -> int:
    """Start all components and wait until Airflow is healthy."""
    console = Console()
    installation = lifecycle.opened(_home(home))
    with console.step("Start " + (", ".join(component or []) or f"Airflow {installation.receipt.airflow}")):
        lifecycle.start(installation, component or ())
    return 0


@installed.command()
def stop(
    component: Optional[List[str]] = typer.Argument(None, help="Only these (default: all)."),
    home: Optional[Path] = HOME,
) -> int:
    """Stop all components; no process of the installation stays."""
    console = Console()
    installation = lifecycle.opened(_home(home))
    with console.step("Stop " + (", ".join(component or []) or f"Airflow {installation.receipt.airflow}")):
        lifecycle.stop(installation, component or ())
    return 0


@installed.command()
def restart(
    component: Optional[List[str]] = typer.Argument(None, help="Only these (default: all)."),
    home: Optional[Path] = HOME,
) -> int:
    """Stop, then start."""
    stop(component, home)
    return start(component, home)


@installed.command(name="doctor")
def doctor_home(
    home: Optional[Path] = HOME,
    strict: bool = typer.Option(False, "--strict", help="Exit 4 when there are warnings."),
    json: bool = JSON,
) -> int:
    """Judge whether this installation is sound; changes nothing."""
    console = Console(quiet=json)
    installation = lifecycle.opened(_home(home))
    report = preflight.judge_installed(installation)
    if json:
        console.json(report.as_dict())
    else:
        render(report, console, next_command=f"{installation.home.bin}/airferry status")
    return report.exit_code(strict)


@installed.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(command: List[str] = typer.Argument(..., metavar="COMMAND..."), home: Optional[Path] = HOME) -> None:
    """Run a program as the installation's account: airferry run -- COMMAND."""
    installation = lifecycle.opened(_home(home))
    lifecycle.exec_as_account(installation, command)


def _home(named: Optional[Path]) -> Home:
    if named:
        return Home(named.expanduser().absolute())
    inside = os.environ.get("AIRFERRY_HOME")
    return Home(Path(inside)) if inside else Home.default()


def _inner_arguments(chosen: Receipt, *, json: bool) -> List[str]:
    """The command line of the process that root hands over to: every choice is made already."""
    return [
        "install", "--home", chosen.home, "--python", chosen.python, "--host", chosen.web_host,
        "--port", str(chosen.web_port), "--postgres-port", str(chosen.database.port),
        "--parallelism", str(chosen.parallelism), "--admin-user", chosen.admin_user,
        *(["--json"] if json else []),
    ]  # fmt: skip


def _welcome(console: Console, found: Receipt) -> None:
    home = Home(Path(found.home))
    web = "localhost" if found.web_host == "0.0.0.0" else found.web_host  # noqa: S104 - compared, not bound
    console.summary(
        [
            ("Web", f"http://{web}:{found.web_port}"),
            ("Login", found.admin_user),
            ("Password", f"in {home.admin_password} (readable by {found.account} only)"),
            ("DAG files", str(home.dags)),
            ("Database", f"PostgreSQL {found.database.server} on 127.0.0.1:{found.database.port}"),
            ("Status", f"{home.bin}/airferry status"),
            ("Start, stop", f"{home.bin}/airferry start    {home.bin}/airferry stop"),
            ("Airflow", f"{home.bin}/airflow dags list"),
        ],
        title=f"Airflow {found.airflow} runs, and the example pipeline has succeeded.",
    )
