"""Takes an installation off the host; from inside it, or from a bundle."""

from __future__ import annotations

import contextlib
import os
from typing import ContextManager, Optional

from bootstrap import daily, removal
from bootstrap.base import account, lock
from bootstrap.state import change_record, receipt
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.outcome import Left, Uninstalled
from bootstrap.state.plan import Progress
from bootstrap.state.receipt import Receipt

# What goes with --purge.
DATA = "the database, DAGs, logs, backups, configuration and secrets"


def uninstall(place: Home, progress: Progress, *, purge: bool) -> Uninstalled:
    """Stop everything and remove what an install makes; the data, too, with `purge`.

    What this runs from goes away: whoever calls it can import nothing afterwards. As root the work is done by
    a child as the account, which ends here; this process only finishes what needs root.
    """
    found = receipt.load(place.receipt)
    lent = os.geteuid() == 0
    if lent:
        status = _in_child()
        if status == 0:
            return _finish_as_root(place, found, purge=purge)
        if status is not None:
            raise SystemExit(status)
    installation = daily.enter_as_account(place)
    if not purge:
        # half of the data lies elsewhere until it is finished or undone
        change_record.refuse_unfinished(place)
    with lock.held(place.lock), _recorded(place, purge=purge):
        with progress.step("Stop everything and remove the services"):
            removal.stop(installation)
        with progress.step(f"Remove the commands{f', {DATA}' if purge else ''}"):
            removal.remove_commands(installation, purge=purge)
        with progress.step("Remove the releases"):
            removal.remove_code(place, purge=purge)
    if lent:
        raise SystemExit(0)
    removal.close(place)
    return _left(place, found, purge=purge)


def _in_child() -> Optional[int]:
    """Fork; in the child None, in root's process the exit status of the child."""
    child = os.fork()
    if child == 0:
        return None
    return account.attend(child)


def _finish_as_root(home: Home, found: Receipt, *, purge: bool) -> Uninstalled:
    # what others than the account have left in its folders
    removal.sweep(home)
    removal.close(home)
    account = removal.remove_account(found.account, home.path) if purge else "the data is its own"
    return _left(home, found, purge=purge, account=account)


def _left(home: Home, found: Receipt, *, purge: bool, account: str = "") -> Uninstalled:
    left = [Left(what, why) for what, why in removal.left(home)]
    if found.database.kind != "private":
        server = f"{found.database.host}:{found.database.port}"
        left.append(Left(f"{found.database.name} on {server}", "the database on an external server"))
    if account:
        left.append(Left(f"account {found.account}", account))
    return Uninstalled(str(home.path), purge, tuple(left))


def _recorded(home: Home, *, purge: bool) -> ContextManager[object]:
    # a journal that goes away is not written to
    return contextlib.nullcontext() if purge else Journal(home.journal).recorded("uninstall")
