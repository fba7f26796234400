"""Takes an installation off the host; from inside it, or from a bundle."""

from __future__ import annotations

import contextlib
import os
from typing import ContextManager, Optional

from bootstrap import daily, removal
from bootstrap.base import account, lock
from bootstrap.installed import early
from bootstrap.installed.installation import Installation
from bootstrap.state import change_record, ownership, receipt
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.outcome import Left, Uninstalled
from bootstrap.state.plan import Progress
from bootstrap.state.receipt import Receipt

# What goes with --purge.
_STOP = "Stop everything and remove the services"
DATA = "the database, DAGs, logs, backups, configuration and secrets"


def uninstall(place: Home, progress: Progress, *, purge: bool) -> Uninstalled:
    """Stop everything and remove what an install makes; the data, too, with `purge`.

    What this runs from goes away: whoever calls it can import nothing afterwards. As root a child stops
    everything as the account, and ends here; this process removes what belongs to root and to the account.
    """
    found = receipt.load(place.receipt)
    if os.geteuid() != 0:
        return _by_its_account(place, found, progress, purge=purge)
    early.import_all()
    status = _in_child()
    if status is None:
        _stop(place, progress, purge=purge)
        raise SystemExit(0)
    if status != 0:
        raise SystemExit(status)
    owner = account.find(found.account)
    if owner and owner.uid and not purge:
        ownership.claim(place, owner)  # it may be as an earlier airferry has left it
        ownership.clear_commands(place, owner)
    with _recorded(place, purge=purge):
        _remove(place, found, progress, purge=purge)
    removal.close(place)
    reason = removal.remove_account(found.account, place.path) if purge else "the data is its own"
    return _left(place, found, purge=purge, kept=reason)


def _by_its_account(place: Home, found: Receipt, progress: Progress, *, purge: bool) -> Uninstalled:
    installation = daily.enter_as_account(place, changes=True)
    if not purge:
        # half of the data lies elsewhere until it is finished or undone
        change_record.refuse_unfinished(place)
    with lock.held(place.lock), _recorded(place, purge=purge):
        with progress.step(_STOP):
            removal.stop(installation)
        _remove(place, found, progress, purge=purge)
    removal.close(place)
    return _left(place, found, purge=purge)


def _stop(place: Home, progress: Progress, *, purge: bool) -> None:
    installation = daily.enter_as_account(place, changes=True)
    if not purge:
        change_record.refuse_unfinished(place)
    with lock.held(place.lock), progress.step(_STOP):
        removal.stop(installation)


def _remove(place: Home, found: Receipt, progress: Progress, *, purge: bool) -> None:
    with progress.step(f"Remove the commands{f', {DATA}' if purge else ''}"):
        removal.remove_commands(Installation(found), purge=purge)
    with progress.step("Remove the releases"):
        removal.remove_code(place, purge=purge)


def _in_child() -> Optional[int]:
    """Fork; in the child None, in root's process the exit status of the child."""
    child = os.fork()
    if child == 0:
        return None
    return account.attend(child)


def _left(home: Home, found: Receipt, *, purge: bool, kept: str = "") -> Uninstalled:
    left = [Left(what, why) for what, why in removal.left(home)]
    if found.database.kind == "external":
        server = f"{found.database.host}:{found.database.port}"
        left.append(Left(f"{found.database.name} on {server}", "the database on an external server"))
    if kept:
        left.append(Left(f"account {found.account}", kept))
    return Uninstalled(str(home.path), purge, tuple(left))


def _recorded(home: Home, *, purge: bool) -> ContextManager[object]:
    # a journal that goes away is not written to
    return contextlib.nullcontext() if purge else Journal(home.journal).recorded("uninstall")
