"""Taking over an Airflow that is there: what speaks against it, and what stays behind."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Tuple

from bootstrap.airflow import differences, revisions
from bootstrap.airflow.differences import numbers
from bootstrap.base.columns import listed
from bootstrap.base.console import size_text
from bootstrap.doctor.checks.take_over_extent import left, summary, taken
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.old_airflow import MYSQL, OldAirflow
from bootstrap.facts.old_configuration import SQLITE
from bootstrap.facts.old_database import SCRATCH
from bootstrap.facts.old_postgres import POSTGRESQL
from bootstrap.facts.processes import Process

TAKE_OVER_UNREADABLE = Entry(
    "take-over-unreadable",
    BLOCKER,
    "The old Airflow cannot be read",
    "Its airflow.cfg says where everything else is; without it nothing is taken over.",
)
TAKE_OVER_PLACE = Entry(
    "take-over-place",
    BLOCKER,
    "The old Airflow cannot be taken over into this home",
    "The old one is never changed, so the new one needs a home of its own, without an installation in it.",
)
TAKE_OVER_DATABASE = Entry(
    "take-over-database",
    BLOCKER,
    "The old database cannot be taken over",
    "A copy of it is upgraded by the bundle's Airflow, which can do that from some releases only.",
)
TAKE_OVER_RUNNING = Entry(
    "take-over-running",
    BLOCKER,
    "The old Airflow still runs",
    "Two schedulers would run the same DAGs, and what the old one does after the copy would be lost.",
    "Its processes are looked for, and a sign of life in its database that is younger than a minute.",
)
TAKE_OVER_KEY = Entry(
    "take-over-key",
    BLOCKER,
    "Stored passwords of the old Airflow cannot be decrypted",
    "Connections and variables are taken over as they are encrypted, together with the fernet key.",
)
TAKE_OVER_ROOM = Entry(
    "take-over-room",
    BLOCKER,
    "The disk has no room for the old Airflow",
    "Beside the new database there is a copy of the old one until the end. It is packed in /var/tmp first.",
)
TAKE_OVER_REMNANTS = Entry(
    "take-over-remnants",
    WARNING,
    "The old Airflow would be started again",
    "Units, crontab lines and variables of a profile stay: the old one is not changed.",
)
TAKE_OVER = Entry(
    "take-over",
    NOTE,
    "An old Airflow is taken over",
    "Its rows are copied as they are, then migrated as an upgrade does; the old one is not changed.",
)
TAKE_OVER_DONE = Entry(
    "take-over-done",
    NOTE,
    "The old Airflow was taken over before",
    "It is done once, and the old one is no longer looked at.",
)
TAKE_OVER_LEFT = Entry(
    "take-over-left",
    NOTE,
    "Not everything of the old Airflow is taken over",
    "What is left stays where it is.",
)

# Its schema is that of 2.2.2, the oldest release that is installed.
_SCHEMA_OF_OLDEST = "2.2.0"
# Bytes that go on being used beside the database: the copy that is upgraded, the tables with their indexes.
_TIMES = 4
# While it is packed: a table or a file of its own, and what is packed of it.
_PACKED = 2
_SPARE = 256 << 20
_SHOWN = 12


@dataclass(frozen=True)
class TakeOverWanted:
    """What a take-over is for: the bundle's release, the new home, and what was seen on this host.

    `installed` says that the home has a finished installation, `free` are the bytes on its disk. `scratch`
    are those where the old one is packed first, None where that is the same disk. `unpacked`: an install was
    interrupted that had read it already.
    """

    airflow: str
    home: str
    running: Tuple[Process, ...] = ()
    installed: bool = False
    free: int = 0
    scratch: Optional[int] = None
    unpacked: bool = False


def unreadable(path: str, why: str) -> Finding:
    """The finding for an old home that could not be looked at."""
    return TAKE_OVER_UNREADABLE.found(
        f"{path}: {why}",
        needed="an AIRFLOW_HOME with an airflow.cfg, which its owner and this account can read",
        remedy="Name the folder in which the old airflow.cfg lies. An ordinary account may be unable to read"
        " it: run the same command as root, or as its owner.",
    )


def already(place: str, home: str) -> Finding:
    """The finding for an old Airflow that was taken over to the end."""
    return TAKE_OVER_DONE.found(f"{place} was taken over into {home}; nothing of it is read again")


def another(before: str, asked: str, home: str) -> Finding:
    """The finding for a second old Airflow, and one home."""
    return TAKE_OVER_PLACE.found(
        f"{home} has taken over {before}",
        needed=f"a home of its own for {asked}",
        remedy="Install into another home with --home, or --name NAME.",
    )


def judge(old: OldAirflow, wanted: TakeOverWanted) -> Iterator[Finding]:
    """Everything that speaks against a take-over, or that its admin must know."""
    yield TAKE_OVER.found("\n".join([summary(old), *taken(old)]))
    yield from _place(old, wanted)
    yield from _database(old, wanted)
    yield from _running(old, wanted)
    yield from _key(old, wanted)
    if not wanted.unpacked:
        yield from _room(old, wanted)
    yield from _remnants(old)
    lines = left(old)
    if lines:
        yield TAKE_OVER_LEFT.found(listed(lines, _SHOWN))


def _place(old: OldAirflow, wanted: TakeOverWanted) -> Iterator[Finding]:
    old_home, new_home = Path(old.home), Path(wanted.home)
    inside = old_home == new_home or old_home in new_home.parents or new_home in old_home.parents
    if old.home and inside:
        other = old_home.parent / f"{old_home.name}-new"
        yield TAKE_OVER_PLACE.found(
            f"old: {old.home}\nnew: {wanted.home}",
            needed="a home outside of the old one",
            remedy=f"Name another: --home {shlex.quote(str(other))}",
        )
    elif wanted.installed:
        yield TAKE_OVER_PLACE.found(
            f"{wanted.home} has an installation that is complete",
            needed="a home without one: its database would be overwritten",
            remedy="Install into another home with --home, or --name NAME.",
        )


def _database(old: OldAirflow, wanted: TakeOverWanted) -> Iterator[Finding]:
    database = old.database
    if database.problem:
        yield TAKE_OVER_DATABASE.found(
            f"{database.address}: {database.problem}",
            remedy="Check it with the old Airflow's own command (airflow db check). Where its airflow.cfg"
            " does not lead there, name the database itself: --take-over postgresql://ROLE@HOST/DATABASE.",
        )
        return
    if database.kind == MYSQL:
        yield TAKE_OVER_DATABASE.found(
            database.address,
            needed="SQLite or PostgreSQL",
            remedy="MySQL is not taken over: Airflow cannot move it to PostgreSQL either. What was made by"
            " hand moves: export connections, variables, pools and users with the old Airflow, install"
            " without --take-over, and import them.",
            commands=tuple(
                f"airflow {what} export {what}.json"
                for what in ("connections", "variables", "pools", "users")
            ),
        )
        return
    if database.kind not in (SQLITE, POSTGRESQL):
        yield TAKE_OVER_DATABASE.found(database.address, needed="SQLite or PostgreSQL")
        return
    yield from _way(database.revision, old.release, wanted.airflow)


def _way(revision: str, release: str, new: str) -> Iterator[Finding]:
    """Whether the bundle's release upgrades this schema."""
    if not release:
        yield TAKE_OVER_DATABASE.found(
            f"revision {revision or 'none'}, of no release from 2.0.0 to {differences.NEWEST}",
            needed=f"the schema of a release from {differences.OLDEST} on",
            remedy="A newer airferry may know it.",
        )
        return
    before, after = numbers(release), numbers(new)
    found = f"Airflow {release} (schema {revision})"
    if before > after:
        yield TAKE_OVER_DATABASE.found(
            found, needed=f"a bundle of Airflow {release} or newer; this is {new}", remedy=_bundle(release)
        )
    elif before < numbers(_SCHEMA_OF_OLDEST):
        yield TAKE_OVER_DATABASE.found(
            found,
            needed=f"the schema of Airflow {_SCHEMA_OF_OLDEST} or newer",
            remedy="Upgrade the old Airflow to 2.2.5 first, or a copy of it.",
        )
    elif after < (2, 3, 0) and revisions.head_of(new) != revision:
        yield TAKE_OVER_DATABASE.found(
            found,
            needed=f"a bundle of Airflow 2.3.0 or newer; {new} makes no other schema than its own",
            remedy=_bundle(revisions.LAST_STOP),
        )
    elif after >= (3, 0, 0) and before < revisions.FIRST_TO_3:
        yield TAKE_OVER_DATABASE.found(
            found,
            needed=f"Airflow {'.'.join(map(str, revisions.FIRST_TO_3))} or newer, for a step to Airflow 3",
            remedy=f"Take it over with a bundle of Airflow {revisions.LAST_STOP} first, then upgrade that"
            f" installation with this one. {_bundle(revisions.LAST_STOP)}",
        )


def _bundle(release: str) -> str:
    return f"On the internet host: airferry bundle --airflow {release}"


def _running(old: OldAirflow, wanted: TakeOverWanted) -> Iterator[Finding]:
    mine = [item for item in wanted.running if old.home and (item.home == old.home or _may_be(item, old))]
    lines = [f"{item.what}, process {item.pid}, account {item.user}" for item in mine]
    lines += old.database.alive if not mine else ()
    if not lines:
        return
    units = [item for item in old.remnants if item.kind == "unit"]
    commands = [item.commands[0] for item in units]
    if not units and mine:
        commands.append("kill " + " ".join(str(item.pid) for item in mine))
    yield TAKE_OVER_RUNNING.found(
        listed(lines, _SHOWN),
        needed="an old Airflow that is stopped; nothing of it is stopped from here",
        remedy="Stop it as its owner or as root, and run the same command again"
        + ("." if mine else " a minute after its last sign of life."),
        commands=tuple(commands),
        needs_root=bool(units),
    )


def _may_be(item: Process, old: OldAirflow) -> bool:
    """Whether a process whose AIRFLOW_HOME is not set, or not to be seen, is of the owner's default home."""
    return not item.home and item.user == old.owner and old.is_default


def _key(old: OldAirflow, wanted: TakeOverWanted) -> Iterator[Finding]:
    if not old.database.closed:
        return
    values = listed(list(old.database.closed), _SHOWN, ", ")
    if not old.home:
        lies = f"{wanted.home}/airflow.cfg"
        yield TAKE_OVER_KEY.found(
            f"{old.database.address}: no fernet key is known that opens {values}",
            needed=f"[core] fernet_key of the old airflow.cfg in {lies}",
            remedy="Make that file before the install, of two lines: [core] and fernet_key = KEY, as the old"
            " airflow.cfg has it. Or name the folder in which the old one lies. To go on without these"
            " passwords, and enter them anew later, ignore this finding.",
        )
        return
    why = "there is no fernet key" if old.database.key == "unknown" else "the fernet key there opens none of"
    yield TAKE_OVER_KEY.found(
        f"{old.home}/airflow.cfg: {why}: {values}",
        needed="[core] fernet_key in that airflow.cfg, as the old Airflow is started with it",
        remedy="The old one may get it by a variable (AIRFLOW__CORE__FERNET_KEY), a command or a vault: write"
        " it into that airflow.cfg for the take-over. To go on without these passwords, and enter them anew"
        " later, ignore this finding.",
    )


def _room(old: OldAirflow, wanted: TakeOverWanted) -> Iterator[Finding]:
    size, files = old.database.size, old.dags.size + old.plugins.size + old.logs.size
    # what was packed lies there until the end
    packed = size + files if wanted.scratch is None else 0
    home = size * _TIMES + 2 * files + packed + _SPARE
    scratch = size * _PACKED + files + _SPARE
    sizes = f"the old database has {size_text(size)}, the files {size_text(files)}"
    if wanted.free and wanted.free < home:
        yield TAKE_OVER_ROOM.found(
            f"{size_text(wanted.free)} free at {wanted.home}",
            needed=f"{size_text(home)}: {sizes}",
            remedy="Make room, or choose another disk with --home. The old Airflow's own clean-up makes its"
            " database smaller: airflow db clean.",
        )
    if wanted.scratch is not None and wanted.scratch < scratch:
        yield TAKE_OVER_ROOM.found(
            f"{size_text(wanted.scratch)} free at {SCRATCH}",
            needed=f"{size_text(scratch)}: {sizes}",
            remedy="Make room there: the old Airflow is packed there first. Its own clean-up makes its"
            " database smaller: airflow db clean.",
        )


def _remnants(old: OldAirflow) -> Iterator[Finding]:
    if not old.remnants:
        return
    commands = list(dict.fromkeys(command for item in old.remnants for command in item.commands))
    yield TAKE_OVER_REMNANTS.found(
        listed([f"{item.path}: {item.what}" for item in old.remnants], _SHOWN),
        needed="one Airflow that runs these DAGs",
        remedy="Once the new one has proven itself, retire the old one:",
        commands=tuple(commands[:_SHOWN]),
        needs_root=any(not item.path.startswith(old.home) for item in old.remnants),
    )
