"""Takes an installation off the host; from inside it, or from a bundle."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from typing import ContextManager, Optional

import typer

from bootstrap import daily, removal
from bootstrap.base import lock
from bootstrap.base.boundary import Terminated
from bootstrap.base.console import Console
from bootstrap.removal import ConfirmationMissing
from bootstrap.state import change_record, receipt
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.receipt import Receipt


def uninstall(console: Console, place: Home, *, purge: bool, ask: bool, json: bool) -> None:
    """Stop everything and remove what an install makes; the data, too, with `purge`.

    With `ask` only after a yes. Raises :class:`ConfirmationMissing` where none can be had.
    """
    found = receipt.load(place.receipt)
    what = "the database, DAGs, logs, backups, configuration and secrets" if purge else ""
    if ask:
        _ask(console, place, found, what)
    # what this runs from goes away, or the account cannot read it: nothing may be imported after this
    _report(Console(io.StringIO(), io.StringIO()), place, found, purge=purge)
    lent = os.geteuid() == 0
    if lent:
        status = _in_child()
        if status is not None:
            if status == 0:
                _finish_as_root(console, place, found, purge=purge, json=json)
            raise SystemExit(status)
    installation = daily.enter_as_account(place)
    if not purge:
        # half of the data lies elsewhere until it is finished or undone
        change_record.refuse_unfinished(place)
    with lock.held(place.lock), _recorded(place, purge=purge):
        with console.step("Stop everything and remove the services"):
            removal.stop(installation)
        with console.step(f"Remove {f'the commands, {what}' if purge else 'the commands'}"):
            removal.remove_commands(installation, purge=purge)
        with console.step("Remove the releases"):
            removal.remove_code(place, purge=purge)
    if not lent:
        removal.close(place)
        _report(console, place, found, purge=purge, json=json)


def _ask(console: Console, home: Home, found: Receipt, data: str) -> None:
    if not sys.stdin.isatty():
        raise ConfirmationMissing(
            "There is no terminal to ask on; nothing was changed.", needed="--yes, if you are sure"
        )
    console.print(f"This stops Airflow {found.airflow} in {home.path} and removes its programs.")
    console.print(f"It DELETES {data}." if data else "The data stays.")
    if not typer.confirm("Go on?"):
        raise ConfirmationMissing("Nothing was changed.")


def _in_child() -> Optional[int]:
    """Fork; in the child None, in root's process the exit status of the child."""
    child = os.fork()
    if child == 0:
        return None
    while True:
        try:
            _, status = os.waitpid(child, 0)
        except KeyboardInterrupt as interrupted:
            # of Ctrl-C the child got the same signal
            if isinstance(interrupted, Terminated):
                os.kill(child, signal.SIGTERM)
        else:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _finish_as_root(console: Console, home: Home, found: Receipt, *, purge: bool, json: bool) -> None:
    # what others than the account have left in its folders
    removal.sweep(home)
    removal.close(home)
    note = ""
    if purge:
        note = removal.remove_account(found.account, home.path)
    _report(console, home, found, purge=purge, json=json, account=note if purge else "the data is its own")


def _report(
    console: Console, home: Home, found: Receipt, *, purge: bool, json: bool = False, account: str = ""
) -> None:
    rows = removal.left(home)
    if found.database.kind != "private":
        server = f"{found.database.host}:{found.database.port}"
        rows.append((f"{found.database.name} on {server}", "the database, which is another server's"))
    if account:
        rows.append((f"account {found.account}", account))
    if json:
        kept = [{"what": what, "why": why} for what, why in rows]
        console.json({"schema": 1, "ok": True, "home": str(home.path), "purged": purge, "left": kept})
        return
    console.print(f"Airflow {found.airflow} is uninstalled.")
    if not rows:
        console.print("Nothing is left.")
        return
    console.summary(rows, title="Left:")
    if not purge:
        console.print(
            "An install into this home brings the data back: sh FILE install --home " + str(home.path)
        )
        console.print(f"To remove it as well: sh FILE uninstall --purge --home {home.path}")


def _recorded(home: Home, *, purge: bool) -> ContextManager[object]:
    # a journal that goes away is not written to
    return contextlib.nullcontext() if purge else Journal(home.journal).recorded("uninstall")
