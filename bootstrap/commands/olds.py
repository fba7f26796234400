"""``--take-over``: an old Airflow as the command line knows it, looked at before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, Tuple

from bootstrap.base.console import Console
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.preflight import Preflight
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.facts.old_configuration import SQLITE
from bootstrap.facts.old_postgres import POSTGRESQL
from bootstrap.handoff import NOTHING
from bootstrap.installed.options import Options
from bootstrap.installed.taking import Taking
from bootstrap.state.home import Home
from bootstrap.state.outcome import Planned, TakeOver
from bootstrap.state.receipt import Receipt
from bootstrap.takeover import archive, look
from bootstrap.takeover.archive import TakeOverFailed


@dataclass(frozen=True)
class Old:
    """What was found where it was `named`; `old` is None where it could not be read."""

    named: look.TakeOverSource
    old: Optional[OldAirflow]
    findings: Tuple[Finding, ...]

    @property
    def preview(self) -> Optional[TakeOver]:
        """What there is to say before anything is changed."""
        return look.preview(self.old, self.findings) if self.old else None


def adopting(old: Optional[Old], chosen: Receipt) -> Receipt:
    """The receipt: the admin's account may be in the old database, with a password of its own."""
    return replace(chosen, database=replace(chosen.database, adopted=True)) if old else chosen


def asked(old: Optional[Old], options: Options) -> Options:
    """The options for a plan; nothing is packed."""
    return replace(options, taking=Taking(_place(old), NOTHING)) if old else options


def planned(old: Optional[Old], found: Planned) -> Planned:
    """What an install would do, with what would come of the old Airflow."""
    return replace(found, take_over=old.preview) if old else found


def tell(old: Optional[Old], console: Console) -> None:
    """Say what will be taken, before anything is."""
    if old and old.preview and not console.quiet:
        show(old.preview, console)


def packed(old: Optional[Old], options: Options) -> Options:
    """Pack it, unless an install that was interrupted has; raises TakeOverFailed.

    Also where findings were ignored and it cannot be taken over.
    """
    if old is None or look.unpacked(options.home) is not None:
        return options
    if old.old is None or old.old.database.kind not in (SQLITE, POSTGRESQL) or not old.old.release:
        raise TakeOverFailed(f"{_place(old)} cannot be taken over: it has no database that is known.")
    return replace(options, taking=Taking(_place(old), archive.packed(old.old, old.named.server)))


def _place(old: Old) -> str:
    return old.old.place if old.old else str(old.named.home)


def judged(
    named: Optional[str], password_file: Optional[Path], chosen: Receipt, judgement: Preflight
) -> Tuple[Optional[Old], Preflight]:
    """What ``--take-over`` names, and the judgement with what is found there; None where nothing is to do."""
    old, more = _looked_for(named, password_file, chosen)
    return old, replace(judgement, report=judgement.report.plus(more)) if more else judgement


def findings(named: str, password_file: Optional[Path], chosen: Receipt) -> Tuple[Finding, ...]:
    """What doctor says of it."""
    return _looked_for(named, password_file, chosen)[1]


def _looked_for(
    named: Optional[str], password_file: Optional[Path], chosen: Receipt
) -> Tuple[Optional[Old], Tuple[Finding, ...]]:
    """Look at what is named, and judge it; raises InvalidOption."""
    if named is None:
        return None, ()
    place = look.named(named, password_file)
    new = Home(Path(chosen.home))
    before, read = look.done(new), look.unpacked(new)
    if before is not None or (read and look.is_another(place, read)):
        return None, (look.judged_again(place, before or read or "", chosen.home),)
    found = look.look_at_server(place.server, new) if place.server else look.look(place.home)
    old = Old(place, found.old, look.judged(place, found, chosen))
    return old, old.findings


def show(found: TakeOver, console: Console) -> None:
    """What a take-over brings, what it leaves, and what the admin has to do with the old one."""
    console.print(f"Taken over: {found.about}")
    for line in found.taken:
        console.print(line, indent=4)
    if found.left:
        console.print("Not taken over:")
    for line in found.left:
        console.print(line, indent=4)
    if found.retire:
        console.print("To retire the old one, once the new one has proven itself:")
    for line in found.retire:
        console.command(line)
