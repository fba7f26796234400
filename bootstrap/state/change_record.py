"""A change under way, on disk: what a later command needs to finish it or to undo it.

Three files in ``run/`` tell how far it is. ``change.json`` exists from before the first component is stopped
until the change is finished or undone. ``change.switched`` beside it means that everything is in its new
place: from then on the change is finished, before that it is undone. ``halted`` keeps Airflow down, also over
a boot, while the database is not what the code needs. Each appears and goes in one step, and going needs no
space on the disk.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional

from bootstrap.base import channel, smallfile
from bootstrap.state.home import Home
from bootstrap.state.receipt import ROOT, Receipt
from bootstrap.state.receipt import SCHEMA as RECEIPT_SCHEMA
from wheelhouse import codec
from wheelhouse.errors import AirferryError

SCHEMA = 1


class ChangeUnfinished(AirferryError):
    """An upgrade, a restore or a rollback was interrupted and has to be finished or undone first."""

    reference = "change-unfinished"
    exit_code = 83


@dataclass(frozen=True)
class Change:
    """A change from one receipt to another; `started` is RFC 3339 in UTC.

    `kind` is upgrade, restore or rollback. `backup` is the id of the backup of the old state: until it is
    there nothing was changed. `running` says whether Airflow ran before. `source` is the path of the backup
    that is being restored.
    """

    schema: int
    kind: str
    old: Receipt
    new: Receipt
    started: str
    running: bool
    backup: str = ""
    source: str = ""

    @property
    def title(self) -> str:
        """The change in words."""
        if self.kind == "restore":
            return f"restore of {Path(self.source).name}"
        return f"{self.kind} from Airflow {self.old.airflow} to {self.new.airflow}"


def find(home: Home) -> Optional[Change]:
    """The change that is under way; None when there is none. Raises :class:`ChangeUnfinished`."""
    try:
        text = _file(home).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        found = codec.loads(Change, text)
    except codec.Malformed as error:
        raise ChangeUnfinished(
            f"{_file(home)} cannot be read. It records the progress of a change.",
            found="\n".join(error.problems[:5]),
            needed=f"a record of schema {SCHEMA}",
            hint="Use the bundle file that began the change, or a newer one: sh FILE install",
        ) from error
    if home.is_roots and channel.available():  # it may have begun when the code was the account's
        old, new = (replace(item, owner=ROOT, schema=RECEIPT_SCHEMA) for item in (found.old, found.new))
        return replace(found, old=old, new=new)
    return found


def save(home: Home, change: Change) -> None:
    """Write the record in one step, and see it on the disk."""
    smallfile.write(_file(home), codec.dumps(change), 0o600, errors="backslashreplace")
    _sync(home)


def begin(home: Home, change: Change) -> None:
    """Start a change: from now on Airflow stays down until :func:`release`."""
    _remove(home, "change.switched")
    save(home, change)
    (home.run / "halted").touch()
    _sync(home)


def is_switched(home: Home) -> bool:
    """Whether everything is in its new place."""
    return (home.run / "change.switched").exists()


def mark_switched(home: Home) -> None:
    """Say that everything is in its new place; what came before is on the disk then."""
    os.sync()
    (home.run / "change.switched").touch()
    release(home)


def unmark_switched(home: Home) -> None:
    """Say that the change is being undone, and keep Airflow down."""
    _remove(home, "change.switched")
    (home.run / "halted").touch()
    _sync(home)


def release(home: Home) -> None:
    """Let Airflow start."""
    _remove(home, "halted")
    _sync(home)


def end(home: Home) -> None:
    """Forget the change: it is finished, or undone."""
    os.sync()
    _remove(home, "change.json")
    _remove(home, "halted")
    _remove(home, "change.switched")
    _sync(home)


def refuse_unfinished(home: Home) -> None:
    """Raise :class:`ChangeUnfinished` when a change is under way."""
    change = find(home)
    if change is None:
        return
    raise ChangeUnfinished(
        f"The {change.title} was interrupted.",
        found=f"started {change.started}, " + ("not verified yet" if is_switched(home) else "not finished"),
        hint=" ".join(ways_out(home, change)),
    )


def ways_out(home: Home, change: Change) -> List[str]:
    """What to do about an interrupted change, a sentence each."""
    again, *back = commands(home, change)
    said = [f"The same command again finishes it: {again}"]
    return [*said, *(f"This goes back to Airflow {change.old.airflow} as it was: {one}" for one in back)]


def commands(home: Home, change: Change) -> List[str]:
    """The command that finishes an interrupted change, and the one that undoes it, where it is another."""
    airferry = shlex.quote(f"{home.bin}/airferry")
    if change.kind == "upgrade":
        bundle, path = shlex.quote(change.new.bundle_file), shlex.quote(str(home.path))
        return [f"sh {bundle} install --home {path}", f"{airferry} rollback"]
    if change.kind == "restore":
        return [f"{airferry} restore {shlex.quote(change.source)}", f"{airferry} rollback"]
    return [f"{airferry} rollback"]


def _file(home: Home) -> Path:
    return home.run / "change.json"


def _remove(home: Home, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        (home.run / name).unlink()


def _sync(home: Home) -> None:
    """Have the folder's entries on the disk: after a power cut they tell how far it was (fsync(2))."""
    descriptor = os.open(str(home.run), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
