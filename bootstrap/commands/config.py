"""``HOME/bin/airferry config``: options of airflow.cfg."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import typer

from bootstrap import daily, handoff
from bootstrap.airflow.managed_options import is_secret, shown
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, application, home_of
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.upkeep import settings
from bootstrap.upkeep.settings import Difference, OptionChange

app = application("config", "Show and change options of airflow.cfg, one at a time; comments stay.")
SECTION = typer.Argument(..., help="For example core.")
KEY = typer.Argument(..., help="For example load_examples.")
_SET = """\
config set core parallelism 8 --restart
config set smtp smtp_password --value-file /root/smtp-password"""
RESTART = typer.Option(False, "--restart", help="Restart the components that read it.")


@dataclass(frozen=True)
class Value:
    """The `value` of an option, ``***`` for a secret; `set` is false for Airflow's default."""

    section: str
    option: str
    value: str
    set: bool
    secret: bool


@dataclass(frozen=True)
class Edited:
    """An option is as it was wanted; `changed` is false where it was so already.

    `components` read it at their start, and were `restarted` or have to be. `also` are options that follow
    from it and were changed with it, and what else was done.
    """

    section: str
    option: str
    changed: bool
    components: Tuple[str, ...]
    restarted: bool
    also: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Differences:
    """Where airflow.cfg differs from Airflow's defaults."""

    differences: Tuple[Difference, ...]


@app.command(epilog="config get core parallelism")
def get(
    section: str = SECTION,
    key: str = KEY,
    show_secret: bool = typer.Option(False, "--show-secret", help="Show the value of a secret option."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Value]:
    """Print the value of an option; Airflow's default when airflow.cfg does not set it."""
    found = settings.find(daily.enter_as_account(home_of(home)), section, key)
    value = found.value if show_secret else shown(key.lower(), found.value) or ""

    def show(console: Console) -> None:
        console.command(value, indent=0)
        if not found.set:
            console.note("This is Airflow's default: airflow.cfg does not set it.")

    return Result(Value(section, key, value, found.set, is_secret(key.lower())), show)


@app.command(name="set", epilog=_SET)
def set_option(
    section: str = SECTION,
    key: str = KEY,
    value: Optional[str] = typer.Argument(None, help="The new value."),
    value_file: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="A file whose first line is the value: for secrets."
    ),
    force: bool = typer.Option(False, "--force", help="Also set an option that Airflow does not know."),
    restart: bool = RESTART,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Edited]:
    """Set an option; a later install keeps it. The file as it was stays beside it as airflow.cfg.bak."""
    if (value is None) == (value_file is None):
        raise InvalidOption("One new value is needed.", needed="VALUE, or --value-file FILE")
    if value is not None and is_secret(key.lower()):
        settings.check_place(daily.enter_as_account(home_of(home)), section, key)
        raise settings.SettingRefused(
            f"[{section}] {key} is secret, and every account of this host can see command lines.",
            needed="--value-file FILE",
        )
    hidden = handoff.password(value_file)
    given = hidden.reveal() if hidden else value
    installation = daily.enter_as_account(home_of(home))
    made = settings.change(installation, section, key, given, force=force)
    return _edited(installation, section, key, made, restart=restart, json=json)


@app.command(epilog="config unset core parallelism --restart")
def unset(
    section: str = SECTION,
    key: str = KEY,
    restart: bool = RESTART,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Edited]:
    """Take an option out of airflow.cfg, so that Airflow's default holds."""
    installation = daily.enter_as_account(home_of(home))
    made = settings.change(installation, section, key, None)
    return _edited(installation, section, key, made, restart=restart, json=json, unset=True)


@app.command()
def diff(home: Optional[Path] = HOME, json: bool = JSON) -> Result[Differences]:
    """Show where airflow.cfg differs from Airflow's defaults, and who wrote it: airferry, or a hand."""
    console = Console(quiet=json)
    installation = daily.enter_as_account(home_of(home))
    with console.step("Ask Airflow for its defaults"):
        found = settings.differences(installation)

    def show(console: Console) -> None:
        for item in found:
            console.print(compared(item))
        if not found:
            console.print("airflow.cfg says what Airflow's defaults are.")

    return Result(Differences(tuple(found)), show)


def compared(item: Difference) -> str:
    """Say a difference on one line, which grep and sort can take."""
    value, default = (
        "unset" if text is None else " ".join(text.split()) for text in (item.value, item.default)
    )
    note = f"; {item.note}" if item.note else ""
    return f"[{item.section}] {item.option} = {value} (default: {default}; by {item.by}{note})"


def _edited(
    installation: Installation,
    section: str,
    key: str,
    made: OptionChange,
    *,
    restart: bool,
    json: bool,
    unset: bool = False,
) -> Result[Edited]:
    stale = made.components
    console, names = Console(quiet=json), " ".join(stale)
    if stale and restart:
        with console.step(f"Restart {names}"):
            daily.stop(installation, stale)
            daily.start(installation, stale)

    def show(console: Console) -> None:
        if not stale:
            console.print("It has this value already; nothing was changed.")
            return
        console.print(f"[{section}] {key} is {'not set any more' if unset else 'set'}.")
        for line in made.also:
            console.print(f"With it: {line}")
        if not restart:
            console.print(f"These components read it when they start: {names}")
            console.command(f"{installation.home.bin}/airferry restart {names}")

    return Result(Edited(section, key, bool(stale), stale, bool(stale) and restart, made.also), show)
