"""A look at an Airflow that may be taken over; nothing of it is changed.

As root the look is its owner's: what lies in a home of kim's is read with kim's rights, so that a link there
leads to nothing that kim could not read. A home of root's counts only where nobody else could have put it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Tuple

from bootstrap import handoff
from bootstrap.airflow import old_options
from bootstrap.airflow.config import ConfigurationError
from bootstrap.base import account as accounts
from bootstrap.base import smallfile, trust
from bootstrap.base.account import Account
from bootstrap.doctor.checks import take_over, take_over_extent
from bootstrap.doctor.checks.take_over import TakeOverWanted
from bootstrap.doctor.finding import Finding
from bootstrap.facts import old_airflow, old_postgres, processes
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.facts.old_database import SCRATCH
from bootstrap.facts.old_postgres import OldServer
from bootstrap.installed import external
from bootstrap.installed.options import InvalidOption
from bootstrap.state import receipt
from bootstrap.state.home import Home
from bootstrap.state.outcome import TakeOver
from bootstrap.state.receipt import Receipt
from bootstrap.takeover.staging import Staging
from wheelhouse import codec


@dataclass(frozen=True)
class Looked:
    """What was found, or why nothing was; the owner's process gives it to root's as JSON."""

    old: Optional[OldAirflow] = None
    problem: str = ""


@dataclass(frozen=True)
class TakeOverSource:
    """What ``--take-over`` names: an old home, or (`server`) a database without one."""

    home: Path
    server: Optional[OldServer] = None

    @property
    def text(self) -> str:
        """As :attr:`OldAirflow.place` has it."""
        return self.server.address if self.server else str(self.home)


def named(text: str, password_file: Optional[Path] = None) -> TakeOverSource:
    """The old home, or its airflow.cfg, or the address of its database; raises InvalidOption."""
    if "://" in text:
        return TakeOverSource(Path(), _server(text, password_file))
    if password_file:
        raise InvalidOption(
            "--take-over-password-file goes with the address of a database.",
            needed="--take-over postgresql://ROLE@HOST/DATABASE beside it",
            hint="A folder's airflow.cfg has the password of its database.",
        )
    path = Path(text).expanduser().absolute()
    return TakeOverSource(path.parent if path.name == "airflow.cfg" else path)


def _server(text: str, password_file: Optional[Path]) -> OldServer:
    scheme = text.partition("://")[0]
    if not old_postgres.is_postgresql(text):
        raise InvalidOption(
            f"--take-over does not take the address of such a database ({scheme}://...).",
            needed="postgresql://ROLE@HOST/DATABASE, or the folder with the old airflow.cfg",
            hint="For a file of SQLite's name the folder. What was made by hand in an Airflow on MySQL moves"
            " as files: airflow connections export, and the same for variables, pools and users.",
        )
    authority = text.partition("://")[2].partition("?")[0].partition("/")[0]
    if ":" in authority.rpartition("@")[0] or re.search(r"[?&]password=", text):
        raise InvalidOption(
            "A password must not be in the address: every account of this host can read a command line.",
            needed="the address without it",
            hint="Put it in the first line of a file (chmod 600) and give --take-over-password-file FILE, or"
            " in ~/.pgpass (HOST:PORT:DATABASE:ROLE:PASSWORD).",
        )
    try:
        found = old_postgres.server_of(text, Path.home(), accounts.current().name)
    except ValueError as error:
        raise InvalidOption(
            "The address of the old database is not valid.",
            found=str(error),
            needed="postgresql://ROLE@HOST:5432/DATABASE?sslmode=...",
        ) from None
    return replace(found, password=handoff.first_line(password_file)) if password_file else found


def look_at_server(server: OldServer, new: Home) -> Looked:
    """Look at a database; its fernet key is that of an airflow.cfg that lies in the new home."""
    key = external.key_of(new)
    return Looked(old_airflow.collect_server(server, key.reveal() if key else ""))


def look(home: Path) -> Looked:
    """Look at it as this account, or as its owner where this is root."""
    try:
        owner = reader(home)
    except OSError as error:
        return Looked(problem=error.strerror or str(error))
    if isinstance(owner, str):
        return Looked(problem=owner)
    if owner is None:
        return _looked(home)
    import_early()
    text = accounts.look_as(owner, lambda: codec.dumps(_looked(home)), seconds=600)
    with contextlib.suppress(codec.Malformed):
        found = codec.loads(Looked, text or "")
        # root packs what is said there: it must not be a home of somebody else's
        if found.old is None or found.old.home == str(home):
            return found
    return Looked(problem=f"{owner.name} could not read it to the end")


def reader(home: Path) -> Account | str | None:
    """As whom it is read: None for this process itself, or a sentence why it is not read at all."""
    status = home.stat()
    if os.geteuid() != 0:
        return None
    if status.st_uid == 0:
        stranger = trust.stranger(str(home))
        return f"it is root's, and others could have put it there: {stranger}" if stranger else None
    name = old_airflow.name_of(status.st_uid)
    return Account("" if name.isdigit() else name, status.st_uid, status.st_gid)


def judged(named: TakeOverSource, found: Looked, chosen: Receipt) -> Tuple[Finding, ...]:
    """What speaks against taking it over into the home that was chosen, and what to know."""
    new = Home(Path(chosen.home))
    read = unpacked(new) is not None
    if found.old is None:
        return () if read else (take_over.unreadable(str(named.home), found.problem),)
    earlier = receipt.find(new.receipt)
    place, scratch = _there(new.path), _there(Path(SCRATCH))
    same = place.stat().st_dev == scratch.stat().st_dev
    wanted = TakeOverWanted(
        chosen.airflow,
        chosen.home,
        tuple(item for item in processes.collect() if item.kind == "airflow"),
        earlier is not None and bool(earlier.completed),
        shutil.disk_usage(str(place)).free,
        None if same else shutil.disk_usage(str(scratch)).free,
        read,
    )
    return tuple(take_over.judge(found.old, wanted))


def preview(old: OldAirflow, findings: Tuple[Finding, ...]) -> TakeOver:
    """What there is to say of it before anything is changed."""
    commands: List[str] = []
    for item in old.remnants:
        commands += [command for command in item.commands if command not in commands]
    return TakeOver(
        old.place,
        take_over_extent.summary(old),
        old.release,
        old.database.revision,
        tuple(take_over_extent.taken(old)),
        tuple(take_over_extent.left(old)),
        tuple(item.id for item in findings),
        tuple(commands),
        old.database.rows,
    )


def done(home: Home) -> Optional[str]:
    """What was taken over into this home to the end, where nothing is left to do; None before."""
    return _read_from(home) if Staging(home).proved.exists() else None


def unpacked(home: Home) -> Optional[str]:
    """What lies in this home as it was packed: an install goes on from there; None before."""
    return _read_from(home) if Staging(home).complete.exists() else None


def _read_from(home: Home) -> str:
    with contextlib.suppress(OSError, codec.Malformed):
        owner = home.owner_of_data()
        text = smallfile.read(Staging(home).look, owner).decode("utf-8", "replace")
        return codec.loads(OldAirflow, text).place
    return ""


def judged_again(place: TakeOverSource, before: str, home: str) -> Finding:
    """What there is to say where `before` was taken over: that it was, or that it was another one."""
    if is_another(place, before):
        return take_over.another(before, place.text, home)
    return take_over.already(place.text, home)


def is_another(place: TakeOverSource, before: str) -> bool:
    """Whether it is not the one that was read `before`, as far as is known."""
    return bool(before) and before != place.text


def _looked(home: Path) -> Looked:
    try:
        return Looked(old_airflow.collect(home))
    except ConfigurationError as error:
        return Looked(problem=error.message)
    except OSError as error:
        return Looked(problem=f"{error.strerror or error}: {error.filename or home}")


def import_early() -> None:
    """What the owner may be unable to read where it comes from."""
    for name in ("sqlite3", "ssl", "encodings.idna", "encodings.ascii"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # that is a finding of its own
    old_options.defaults()


def _there(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
