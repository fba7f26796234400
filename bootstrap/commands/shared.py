"""What both command lines share: the application, the options of both, and the run of a command."""

from __future__ import annotations

import io
import os
import shlex
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import typer
import typer.core

from bootstrap.base import duration, language
from bootstrap.base.boundary import INTERRUPTED, UsageError, guard
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.base.spelling import is_near
from bootstrap.commands.helpful import HelpfulCommand, HelpfulGroup
from bootstrap.state.home import Home
from wheelhouse import __version__
from wheelhouse.reader import Bundle

# Help is plain text here; of the carried typer, rich beside it makes "\[required]" all the same.
typer.core.HAS_RICH = False

# groups of options
DATABASE = "The database"
WHERE = "The installation"
ADMINISTRATOR = "Airflow's own accounts"
WORKER = "A worker of another host"


def length_of_time(text: str) -> float:
    """The seconds of a text such as 10m; a usage error for any other."""
    try:
        return duration.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


def new_file(path: Path) -> int:
    """A descriptor of a new file for its owner alone, in the place of one that is there; UsageError.

    Root makes it with the rights that it has before it becomes the account.
    """
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        return os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}.") from None


HOME = typer.Option(
    None,
    "--home",
    help="The installation's folder (default: $AIRFLOW_HOME, /opt/airflow for root, ~/airflow).",
    rich_help_panel=WHERE,
)
JSON = typer.Option(
    False, "--json", help="Print the result as JSON on standard output, and nothing else there."
)
PYTHON = typer.Option(
    None,
    "--python",
    metavar="WHICH",
    help="The Python to run Airflow on: carried, host, or a path (default: the host's where it passes"
    " doctor, else the carried one).",
    rich_help_panel=WHERE,
)
PORT = typer.Option(
    None,
    "--port",
    min=1,
    max=65535,
    help="The web server's port (default: 8080 or the next free).",
    rich_help_panel=WHERE,
)
NAME = typer.Option(
    None,
    "--name",
    help="The name of this installation (default: airflow); /opt/NAME or ~/NAME.",
    rich_help_panel=WHERE,
)
ACCOUNT = typer.Option(
    None, help="The account to run as; root only (default: airflow).", rich_help_panel=WHERE
)
EXPLAIN = typer.Option(
    None, metavar="[ID]", help="Explain one finding, or list all of them; do nothing else."
)
STRICT = typer.Option(False, "--strict", help="Exit 4 when there are warnings.")

TAKE_OVER = typer.Option(
    None,
    "--take-over",
    metavar="OLD",
    help="The AIRFLOW_HOME of an old Airflow on SQLite or PostgreSQL, or postgresql://ROLE@HOST/DATABASE:"
    " it is taken over with its history, and not changed.",
    rich_help_panel=WHERE,
)
TAKE_OVER_PASSWORD_FILE = typer.Option(
    None,
    "--take-over-password-file",
    exists=True,
    dir_okay=False,
    help="A file whose first line is the password of that old database's role (default: ~/.pgpass).",
    rich_help_panel=WHERE,
)


WAIT = typer.Option(
    None,
    "--wait",
    metavar="TIME",
    parser=length_of_time,
    help="How long running tasks may go on, such as 10m (default: 60s); then they are ended and count as"
    " failed.",
)
NOW = typer.Option(False, "--now", help="End running tasks at once, as --wait 0.")


def patience(wait: Optional[float], *, now: bool) -> Optional[float]:
    """The seconds that running tasks have; None where nobody asked."""
    return 0.0 if now else None if wait is None else min(wait, duration.LONGEST_WAIT)


# what install and doctor of a bundle both take
_BOTH = (
    "home", "name", "python", "port", "account", "postgres", "postgres_password_file", "postgres_admin_user",
    "postgres_admin_password_file", "adopt_database", "url", "tls_cert", "tls_key", "tls_ca",
    "tls_self_signed", "take_over", "take_over_password_file",
)  # fmt: skip


def asked(context: typer.Context, *more: str) -> str:
    """The options of install and doctor on this command line, as sh reads them, a blank before each.

    `more` names parameters of this command that are to be kept as well.
    """
    words = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in (*_BOTH, *more) or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        words.append(parameter.opts[0])
        if value is not True:
            words.append(str(value))
    return "".join(f" {shlex.quote(word)}" for word in words)


class ExplainingCommand(HelpfulCommand):
    """A command whose ``--explain`` may stand without a value, which is then empty."""

    def parse_args(self, ctx: Any, args: List[str]) -> List[str]:
        """Write the option out where nothing, or another option, follows it."""
        following = [*args[1:], "-"]
        written = [
            "--explain=" if one == "--explain" and after.startswith("-") else one
            for one, after in zip(args, following)
        ]
        return super().parse_args(ctx, written)


class CommandLine(typer.Typer):
    """A command line whose commands have whole help texts."""

    def command(self, name: Optional[str] = None, *, cls: Any = HelpfulCommand, **settings: Any) -> Any:
        """As of typer."""
        return super().command(name, cls=cls, **settings)


def application(name: str, help_text: str, *, alone: bool = False) -> typer.Typer:
    """A command line in plain text, with ``-h`` and errors that pass through to our own boundary.

    `alone` says that it does something without a command as well.
    """
    settings: Dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    return CommandLine(
        name=name,
        cls=HelpfulGroup,
        help=help_text,
        context_settings=settings,
        no_args_is_help=not alone,
        invoke_without_command=alone,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def run(app: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    """Run a command line as the program `name`, show the result, and return the exit status."""
    app.callback()(_common)
    group: Any = typer.main.get_command(app)
    command, options = _named(group, arguments)
    json = "--json" in options and "--json" in arguments
    console = Console()

    def show() -> int:
        given = _invoke(group, name, arguments)
        return given.show(console, command, json=json) if isinstance(given, Result) else int(given or 0)

    return guard(show, console, command=command, json=json)


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"airferry {__version__}")
        raise typer.Exit


def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


def _named(group: Any, arguments: Sequence[str]) -> Tuple[str, List[str]]:
    """The command that the arguments begin with, such as ``config get``, and its options."""
    names = []
    for word in arguments:
        if word not in getattr(group, "commands", {}):
            break
        names.append(word)
        group = group.commands[word]
    return " ".join(names), [option for item in group.params for option in item.opts]


def _invoke(group: Any, name: str, arguments: Sequence[str]) -> Any:
    """What the command gives back.

    Raises :class:`UsageError`, and KeyboardInterrupt for Ctrl-C, which typer would otherwise swallow.
    """
    try:
        result = group.main(list(arguments), prog_name=name, standalone_mode=False)
    except Exception as error:
        if type(error).__name__ == "Abort":
            raise KeyboardInterrupt from error
        # usage errors know how to show themselves, whichever click this typer stands on
        show = getattr(error, "show", None)
        if show is None:
            raise
        if getattr(error, "possibilities", None):
            _keep_near(error)
        said = language.current()
        told = show if said is language.ENGLISH else lambda: _translated(show, said)
        raise UsageError(getattr(error, "message", "") or str(error), told) from error
    if result == INTERRUPTED:
        raise KeyboardInterrupt
    return result


def _keep_near(error: Any) -> None:
    """Leave the options out that are named only because all of them begin with two dashes."""
    word = error.option_name.lstrip("-")
    error.possibilities = [name for name in error.possibilities if is_near(word, name.lstrip("-"))]


def _translated(show: Callable[..., object], say: language.Wording) -> None:
    """Show a usage error, which typer words in English, line by line in another language."""
    written = io.StringIO()
    show(written)
    for line in written.getvalue().splitlines():
        label = next((item for item in ("Usage:", "Error:") if line.startswith(item)), "")
        rest = line[len(label) :]
        text = rest if label == "Usage:" else say.text(rest)
        typer.echo(f"{say.word(label)}{text}" if label else text, err=True)


def home_of(named: Optional[Path], name: Optional[str] = None) -> Home:
    """The named home, else that of the installation's name, of the command itself, or the default."""
    if named:
        return Home(named.expanduser().absolute())
    if name:
        return Home.default(name)
    inside = os.environ.get("AIRFERRY_HOME")
    return Home(Path(inside)) if inside else Home.default()


def bundle_file() -> Path:
    """The bundle that this runs from, as the admin named it; sh holds it open and passes a descriptor on."""
    named = getattr(sys, "_xoptions", {}).get("file")
    return Path(named if isinstance(named, str) else sys.argv[0])


def open_bundle() -> Bundle:
    """Open the very file that runs, whatever its name leads to by now."""
    return Bundle.open(Path(sys.argv[0]), named=bundle_file())
