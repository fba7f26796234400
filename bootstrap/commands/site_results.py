"""What the commands of ``site`` give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from bootstrap import daily
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.change.site import SiteChange
from bootstrap.installed.installation import Installation
from bootstrap.state.cluster import on_the_head
from bootstrap.state.home import Home

UNDO = "undo"


@dataclass(frozen=True)
class SiteChanged:
    """A group of settings is as it was wanted; `changed` is false where it was so already.

    `proved` says that a login and a run of the example pipeline have worked with it: nothing is proven where
    Airflow does not run. `components` were started again, `also` are options of airflow.cfg that follow from
    the change, `notes` what is left to do. ``site undo`` is the group undo, and proves nothing.
    """

    group: str
    changed: bool
    proved: bool
    components: Tuple[str, ...]
    also: Tuple[str, ...]
    notes: Tuple[str, ...]


@dataclass(frozen=True)
class Authority:
    """The `certificate` in PEM that browsers have to trust: the root of the one in use."""

    certificate: str


def entered(home: Home, patience: Optional[float] = None) -> Installation:
    """The installation, as its account; raises OnTheHead on a worker, which has no settings of a site."""
    installation = daily.enter_as_account(home, patience)
    if installation.is_worker:
        raise on_the_head(home)
    return installation


def changed(
    installation: Installation, group: str, made: SiteChange, notes: Tuple[str, ...]
) -> Result[SiteChanged]:
    """The result of a change, for every group."""
    data = SiteChanged(group, made.changed, made.proved, made.components, made.also, notes)

    def show(console: Console) -> None:
        if not data.changed:
            console.print("It was so already; nothing was changed.")
            return
        console.print(f"Changed: {group}. For browsers: {installation.url_for_others or installation.url}")
        for line in data.also:
            console.print(f"With it: {line}")
        if not data.proved and group != UNDO:  # there are no new settings
            console.note("Airflow does not run: the new settings are not proven.")
            console.command(f"{installation.home.bin}/airferry start")
        for note in data.notes:
            console.note(note)

    return Result(data, show)
