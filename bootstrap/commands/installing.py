"""What an install says at its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import List, Optional

from bootstrap.base import language
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands import olds
from bootstrap.installed.installation import Installation
from bootstrap.python import choice
from bootstrap.state import receipt
from bootstrap.state.cluster import joined
from bootstrap.state.home import Home
from bootstrap.state.outcome import Outcome, Planned
from bootstrap.state.receipt import PRIVATE, WORKER, Receipt
from wheelhouse.manifest import Manifest


def report(outcome: Outcome) -> Result[Outcome]:
    """What an install has done, and where everything is now."""

    def show(console: Console) -> None:
        _welcome(console, outcome)
        for note in outcome.notes:
            console.note(note)

    return Result(outcome, show)


def preview(found: Planned) -> Result[Planned]:
    """What an install would do."""
    return Result(found, lambda console: _plan(found, console))


def in_short(chosen: Receipt, earlier: Optional[Receipt], manifest: Manifest) -> List[str]:
    """What an install is about to do, in three lines: what and where, how it is reached, and the way back."""
    home = Home(Path(chosen.home))
    there = receipt.find(home.receipt)
    if earlier:
        what = f"Upgrade Airflow {earlier.airflow} -> {chosen.airflow} in {home.path}; a backup is made first"
    elif there and there.completed:
        what = f"Apply the options to Airflow {chosen.airflow} in {home.path}, and restart it where needed"
    elif there:
        what = f"Go on with the install of Airflow {chosen.airflow} in {home.path}"
    else:
        what = f"Install Airflow {chosen.airflow}, {len(manifest.packages)} packages, into {home.path}"
    if chosen.role == WORKER:
        what = f"{'Go on with' if there else 'Make'} a worker of Airflow {chosen.airflow} in {home.path}"
        return [
            f"{what}; account {chosen.account}, services: {chosen.services}.",
            f"{chosen.parallelism} tasks at once; no database, no web server, no port.",
            f"The way back: {shlex.quote(str(home.bin / 'airferry'))} uninstall",
        ]
    database = chosen.database
    where = language.current().word(PRIVATE) if database.kind == PRIVATE else f"on {database.host}"
    return [
        f"{what}; account {chosen.account}, services: {chosen.services}.",
        f"Web server: {chosen.web_host}, port {chosen.web_port}; PostgreSQL: {where}, port {database.port}.",
        f"The way back: {shlex.quote(str(home.bin / 'airferry'))} {'rollback' if earlier else 'uninstall'}",
    ]


def _plan(found: Planned, console: Console) -> None:
    if found.take_over:
        olds.show(found.take_over, console)
    for number, line in enumerate(found.plan, 1):
        console.print(f"{number:2}. {console.language.text(line)}")
    drift = found.drift
    if drift and drift.edited:
        console.print("Edited by hand in airflow.cfg, and kept:")
        for line in drift.edited:
            console.print(line, indent=4)
    if drift:
        for line in drift.diff:
            console.print(line, indent=4)
    console.print("Nothing was changed.")


def _password(found: Receipt) -> str:
    where = f"in {Home(Path(found.home)).admin_password} (readable by {found.account} only)"
    return f"as before, if {found.admin_user} was there; else {where}" if found.database.adopted else where


def _welcome(console: Console, outcome: Outcome) -> None:
    found = outcome.receipt
    home, here = Home(Path(found.home)), Installation(found)
    if here.is_worker:
        _welcome_worker(console, here)
        return
    back = "rollback" if outcome.before else "uninstall"
    others = here.url_for_others
    new = f"{outcome.before} -> {found.airflow}: it" if outcome.before else found.airflow
    console.summary(
        [
            ("Web", others or here.url),
            *([("On this host", here.url)] if others else []),
            ("Login", found.admin_user),
            ("Password", _password(found)),
            ("Python", choice.reason(found)),
            ("DAG files", str(here.folders.dags)),
            *([("Time zone", found.timezone)] if found.timezone else []),
            (
                "Database",
                f"PostgreSQL {found.database.server} on {found.database.host}:{found.database.port}",
            ),
            ("Status", f"{home.bin}/airferry status"),
            ("Start", f"{home.bin}/airferry start"),
            ("Stop", f"{home.bin}/airferry stop"),
            ("Airflow", f"{home.bin}/airflow dags list"),
            ("Way back", f"{home.bin}/airferry {back}"),
        ],
        title=f"Airflow {new} runs, and the example pipeline has succeeded.",
    )
    if not here.site.secure:
        _listening(console, found)
    elif here.site.proxied:
        console.note(f"Browsers need a proxy with HTTPS in front of it: {home.bin}/airferry site proxy")


def _welcome_worker(console: Console, here: Installation) -> None:
    found, join, home = here.receipt, joined(here.home), here.home
    console.summary(
        [
            ("Worker", f"{join.name}, {found.parallelism} tasks at once"),
            ("Queues", ", ".join(join.queues)),
            ("Head", f"{join.host} ({join.base})"),
            ("Python", choice.reason(found)),
            ("DAG files", f"{home.bin}/airferry dags receive FILE"),
            ("Status", f"{home.bin}/airferry status"),
            ("Stop", f"{home.bin}/airferry stop"),
            ("Way back", f"{home.bin}/airferry uninstall"),
        ],
        title=f"{join.host} has run a task here, and its log was read there.",
    )
    console.warning("The join file is worth an administrator's password of the head: remove it now.")


def _listening(console: Console, found: Receipt) -> None:
    """Say what the admin must know of who can reach the web server over plain HTTP."""
    everywhere = found.web_host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
    if not everywhere and (found.web_host.startswith("127.") or found.web_host in ("localhost", "::1")):
        console.note("The web server listens on this host alone.")
        return
    where = "every address of this host" if everywhere else found.web_host
    console.warning(
        f"Logins go over plain HTTP, and the web server listens on {where}, port {found.web_port}. "
        "Whoever is on the way between a browser and this host can read passwords."
    )
    console.print(
        "To have it speak HTTPS, with a certificate of yours (--cert, --key) or one that is made here:"
    )
    console.command(f"{shlex.quote(found.home + '/bin/airferry')} site tls --self-signed")
    console.print("To have it on this host alone, with a proxy with HTTPS in front of it:")
    again = f"sh {shlex.quote(found.bundle_file)} install --home {shlex.quote(found.home)}"
    console.command(f"{again} --host 127.0.0.1")
