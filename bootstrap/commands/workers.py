"""``HOME/bin/airferry workers``: tasks on further hosts, as their head manages them."""

from __future__ import annotations

import getpass
import ipaddress
import os
import sys
from pathlib import Path
from typing import List, Optional

import typer

from bootstrap import daily, handoff
from bootstrap.base import duration, language
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.base.secret import Secret
from bootstrap.cluster import broker as brokers
from bootstrap.cluster.celery import CELERY
from bootstrap.commands.shared import (
    HOME,
    JSON,
    WAIT,
    application,
    home_of,
    length_of_time,
    new_file,
    patience,
)
from bootstrap.installed import crew
from bootstrap.installed.crew import Crew, WorkerStatus
from bootstrap.installed.options import InvalidOption
from bootstrap.state import cluster as clusters
from bootstrap.upkeep import head, workers
from bootstrap.upkeep.head import Enabled, Rotated
from bootstrap.upkeep.meetings import BrokerAsked
from bootstrap.upkeep.workers import Gone, Invitation

app = application("workers", "Run tasks on further hosts: list, invite, drain and remove workers.")
app.info.no_args_is_help = False

QUEUES = typer.Option(
    None, "--queue", "-q", metavar="QUEUE", help="A queue that it serves, repeatable (default: default)."
)


@app.callback(invoke_without_command=True)
def bare(context: typer.Context, home: Optional[Path] = HOME, json: bool = JSON) -> Optional[Result[Crew]]:
    """List the workers, where no command is named."""
    return None if context.invoked_subcommand else list_workers(home, json)


@app.command(name="list")
def list_workers(home: Optional[Path] = HOME, json: bool = JSON) -> Result[Crew]:
    """List every worker, and the queues whose tasks no worker takes; exit 33 when a worker is lost."""
    installation = daily.enter_as_account(home_of(home))
    found = crew.look(installation)
    bad = found.starving or found.broker_problem or any(not item.good for item in found.workers)
    return Result(found, lambda console: show(found, console), 33 if bad else 0)


def _drift(item: WorkerStatus) -> str:
    return "other " + " and ".join(item.drifting) if item.drifting else ""


def show(found: Crew, console: Console) -> None:
    """The workers as a table."""
    rows = [
        [
            item.name,
            item.state,
            "never" if item.age < 0 else f"{duration.text(round(item.age))} ago",
            f"{item.running}/{item.slots}" if item.slots else "",
            ",".join(item.queues),
            ", ".join(filter(None, (item.airflow, *item.differing))),
            item.dags,
            "; ".join(filter(None, (_drift(item), item.note))),
        ]
        for item in found.workers
    ]
    console.table(["worker", "state", "last seen", "tasks", "queues", "Airflow", "DAG files", ""], rows)
    if found.broker_problem:
        console.warning(f"Tasks do not get to the workers: {found.broker_problem}.")
    for item in found.workers:
        if item.logs:
            console.warning(f"The logs of {item.name} cannot be read from here: {item.logs}.")
    for waiting in found.starving:
        console.warning(
            f"{waiting.tasks} tasks wait in the queue {waiting.queue}, the first for"
            f" {duration.text(round(waiting.seconds))}, and no worker that runs serves it."
        )


@app.command(
    epilog="workers enable edge\nworkers enable edge --address head.example --spread\n"
    "workers enable celery --broker redis://broker.example:6379/0 --broker-password-file FILE"
)
def enable(
    engine: str = typer.Argument(
        ..., metavar="ENGINE", help="What brings tasks to other hosts: edge (Airflow 3), or celery."
    ),
    address: str = typer.Option(
        "",
        metavar="NAME",
        help="The name or address at which workers reach this host (default: as before, else its own).",
    ),
    spread: bool = typer.Option(
        False,
        "--spread",
        help="Tasks that name no executor go to the workers, too (default: they stay here).",
    ),
    shared: Optional[Path] = typer.Option(
        None,
        "--dags-shared",
        metavar="PATH",
        help="The folder of DAG files, where all hosts have it mounted at this path (default: each has its"
        " own, and dags push fills it).",
    ),
    broker: str = typer.Option(
        "",
        metavar="URL",
        help="With celery: the broker that every host reaches, without its password: redis://, rediss://,"
        " valkey://, amqp://, amqps://; or database, the head's own, up to Airflow 2.",
    ),
    broker_password_file: Optional[Path] = typer.Option(
        None,
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="A file whose first line is the broker's password (default: asked for on a terminal).",
    ),
    broker_ca: Optional[Path] = typer.Option(
        None,
        "--broker-ca",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="The certificate that the broker's is signed by, where the host does not know it.",
    ),
    network: Optional[List[str]] = typer.Option(
        None,
        "--network",
        metavar="ADDRESS/BITS",
        help="With celery: a network that workers are on, repeatable (default: those of this host)."
        " The head's own PostgreSQL lets them in from there.",
    ),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Enabled]:
    """Let workers on other hosts join; restarts the components."""
    console = Console(quiet=json)
    asked = _broker(engine, broker, broker_password_file, broker_ca, network or [])
    installation = daily.enter_as_account(home_of(home), changes=True)
    place = shared.absolute() if shared else None
    found = head.enable(
        installation, engine, console, address=address, spread=spread, shared=place, broker=asked
    )

    def show_enabled(console: Console) -> None:
        console.print("What must be open in every firewall between the hosts, and nothing else:")
        rows = [[way.source, way.target, str(way.port), way.purpose] for way in found.ways]
        console.table(["from", "to", "port", "for"], rows)
        console.print(f"Workers reach this host at {found.base}. Invite the first one:")
        console.command(f"{installation.home.bin}/airferry workers invite w1 --out w1.join")
        if brokers.is_clear(asked.url):
            console.warning(
                "The way to the broker is not encrypted: on that network others can read which tasks run,"
                " with their parameters, and the broker's password, with which they can have workers run"
                " tasks. rediss:// or amqps:// prevents it."
            )

    return Result(found, show_enabled)


def _broker(
    engine: str, url: str, password: Optional[Path], authorities: Optional[Path], networks: List[str]
) -> BrokerAsked:
    """What was asked for, read while root still may; raises InvalidOption, BrokerUnusable."""
    given = [url, password, authorities, *networks]
    if engine != "celery" and any(given):
        raise InvalidOption(
            "--broker, --broker-password-file, --broker-ca and --network are for celery.",
            needed=f"workers enable {engine} without them",
        )
    named = brokers.parse(url) if url else ""
    near = []
    for item in networks:
        try:
            # as pg_hba.conf takes it: with the number of bits, whatever was typed
            near.append(str(ipaddress.ip_network(item)))
        except ValueError as error:
            raise InvalidOption(
                f"--network {item!r} is no network: {error}.", needed="such as 192.0.2.0/24"
            ) from error
    known = handoff.password(password)
    if named and known is None and named != "database" and sys.stdin.isatty():
        said = language.current().text("Password of the broker (none: Enter): ")
        known = Secret(getpass.getpass(said)) if said else None
    text = authorities.read_text(encoding="utf-8", errors="replace") if authorities else ""
    return BrokerAsked(named, known, text, tuple(near))


@app.command()
def disable(home: Optional[Path] = HOME, json: bool = JSON) -> Result[Enabled]:
    """Run all tasks on this host again; restarts the components."""
    installation = daily.enter_as_account(home_of(home), changes=True)
    found = head.disable(installation, Console(quiet=json))
    return Result(found, lambda console: console.print("All tasks run on this host."))


@app.command(epilog="workers invite w1 --out w1.join\nworkers invite gpu1 --out gpu1.join -q gpu")
def invite(
    name: str = typer.Argument(..., help="The worker's name; it is a queue of its own as well."),
    out: Path = typer.Option(..., "--out", metavar="FILE", help="Where the join file is written."),
    queue: Optional[List[str]] = QUEUES,
    role: str = typer.Option("worker", "--role", help="worker; a standby head is not offered."),
    ends: str = typer.Option("1d", "--ends-after", help="How long the file is taken, such as 8h."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Invitation]:
    """Write the file with which another host joins as a worker. It holds keys: guard it like a password."""
    seconds = length_of_time(ends)
    if role != "worker":
        workers.refuse_role(role, home_of(home))
    target = out.absolute()
    # root writes the file where the account may not, with the rights that it has now
    descriptor = new_file(target)
    installation = daily.enter_as_account(home_of(home))
    join, found = workers.invite(installation, name, queue or (), seconds)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(workers.text_of(join))
        stream.flush()
        os.fsync(stream.fileno())

    def show_invitation(console: Console) -> None:
        console.print(f"{target} is the join file of the worker {name}. Carry it there, and on that host:")
        console.command(f"sh {installation.receipt.bundle_file} install --join {target.name}")
        console.warning(f"{found.worth} It is taken until {found.until}; remove it when the worker runs.")

    return Result(workers.written(found, target), show_invitation)


@app.command(epilog="workers drain w1\nworkers drain --all")
def drain(
    name: Optional[str] = typer.Argument(None, help="The worker."),
    every: bool = typer.Option(False, "--all", help="All of them, as before an upgrade of the head."),
    undo: bool = typer.Option(False, "--undo", help="Have it take tasks again."),
    wait: Optional[float] = WAIT,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Crew]:
    """Have a worker take no more tasks, and wait for those that run; exit 33 when some still do."""
    console = Console(quiet=json)
    if bool(name) == every:
        raise typer.BadParameter("Name a worker, or give --all.")
    installation = daily.enter_as_account(home_of(home))
    names = [name] if name else workers.to_drain(installation, undo=undo)
    # all are asked before the first is waited for
    for item in names:
        with console.step(f"{'Undrain' if undo else 'Drain'} {item}"):
            workers.drain(installation, item, undo=undo)
    left = None if undo else workers.wait_all_drained(installation, names, patience(wait, now=False), console)
    found = crew.look(installation)
    return Result(found, lambda console: show(found, console), 33 if left else 0)


@app.command(name="rotate-keys")
def rotate_keys(home: Optional[Path] = HOME, json: bool = JSON) -> Result[Rotated]:
    """Change the keys that workers have, on this host; each worker needs a new join file then."""
    installation = daily.enter_as_account(home_of(home), changes=True)
    found = head.rotate_keys(installation, Console(quiet=json))

    def show_rotated(console: Console) -> None:
        console.print(f"New: {', '.join(found.keys)}. Whoever is logged in on the pages has to log in again.")
        for name in found.workers:
            console.command(f"{installation.home.bin}/airferry workers invite {name} --out {name}.join")

    return Result(found, show_rotated)


@app.command()
def remove(
    name: str = typer.Argument(..., help="The worker."), home: Optional[Path] = HOME, json: bool = JSON
) -> Result[Gone]:
    """Take a worker that has ended off the list, and say which keys its host still knows."""
    installation = daily.enter_as_account(home_of(home))
    engine, found = clusters.load(installation.home).engine, workers.remove(installation, name)

    def show_gone(console: Console) -> None:
        console.print(f"The worker {name} is off the list.")
        keys, own = ", ".join(found.keys), f"{installation.home.bin}/airferry"
        if engine == CELERY.name:
            console.warning(
                f"Its host still knows the keys that it was given: {keys}. Unless its disk was wiped, change"
                " the broker's password there, and name it here; every worker then needs a new join file:"
            )
            console.command(f"{own} workers enable celery --broker URL --broker-password-file FILE")
            return
        console.warning(
            "Its host still knows the keys that it was given. Unless its disk was wiped, change them:"
            f" {keys}. {own} workers rotate-keys does that; every worker then needs a new join file."
        )

    return Result(found, show_gone)
