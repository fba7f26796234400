"""Workers on other hosts, as their head manages them: switched on, invited, drained, removed."""

from __future__ import annotations

import socket
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from bootstrap.airflow.executor import LOCAL
from bootstrap.base import account, channel, secret
from bootstrap.base.lock import held
from bootstrap.cluster import dags, link
from bootstrap.cluster.engine import Engine, EngineUnusable, of_cluster, row, usable, versions
from bootstrap.facts.network import address_for_others
from bootstrap.installed import crew
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster as clusters
from bootstrap.state import plan, receipt
from bootstrap.state.cluster import NAME, HeadRecord, Invited, Join
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress, Step
from bootstrap.state.receipt import HEAD, Receipt
from bootstrap.steps.airflow import StartStep
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.services import ServicesStep
from wheelhouse import codec, timestamp
from wheelhouse.errors import AirferryError

# How long a join file is taken.
_DAY = 86_400


class WorkerRefused(AirferryError):
    """A worker that cannot be invited, drained or removed."""

    reference = "worker-refused"
    exit_code = 126


@dataclass(frozen=True)
class Enabled:
    """Workers may join: `base` is the head's web address for them."""

    engine: str
    base: str
    executors: str
    done: Tuple[str, ...]


@dataclass(frozen=True)
class Invitation:
    """A join file was written; `worth` says what its holder can do."""

    name: str
    file: str
    queues: Tuple[str, ...]
    until: str
    worth: str
    packages: Tuple[str, ...]


@dataclass(frozen=True)
class Gone:
    """A worker is off the list; `keys` are the files of the keys that its host still knows."""

    name: str
    keys: Tuple[str, ...]


def enable(
    installation: Installation, name: str, progress: Progress, *, address: str = "", spread: bool = False
) -> Enabled:
    """Let workers join: settings, a restart, and the address asked as a worker would ask it.

    Raises EngineUnusable, :class:`WorkerRefused`, and whatever a step raises; the same again continues.
    """
    if installation.receipt.role != HEAD:
        raise WorkerRefused("This host is a worker itself.", hint="Give this command on its head.")
    engine = usable(name, installation.version, crew.packages(installation))
    reached = address or _own_address(installation)
    home, found = installation.home, installation.receipt
    with held(home.lock), Journal(home.journal).recorded("workers", do="enable", engine=name):
        before = clusters.find(home)
        if before and before.engine != name and before.workers:
            raise WorkerRefused(
                f"The workers here run with {before.engine}.",
                found=", ".join(crew.names(before)),
                hint="Remove them first: bin/airferry workers remove NAME",
            )
        kept = before or HeadRecord(clusters.SCHEMA, uuid.uuid4().hex[:12], name, reached, found.web_port)
        changed = replace(kept, engine=name, address=reached, port=found.web_port, spread=spread)
        if changed != before:
            clusters.save(home, changed)
        chosen = replace(found, executor=row(engine, spread=spread))
        if chosen != found:
            _choose_executor(chosen)
        here = replace(installation, receipt=chosen)
        steps: List[Step] = [ServicesStep(here), ConfigurationStep(here), StartStep(here)]
        done = plan.execute(steps, progress, Journal(home.journal))
        dags.write_pinned(here.folders.pipelines, crew.names(changed), engine.executor)
        with progress.step(f"Ask the head at {reached} as a worker would"):
            _ask(here, changed)
    return Enabled(name, _base(here, changed), chosen.executor, tuple(item.name for item in done))


def _choose_executor(chosen: Receipt) -> None:
    """Save the receipt with its other executor, or have root do it where it is root's."""
    if chosen.is_roots and channel.available():
        channel.ask("executor", executor=chosen.executor)
    else:
        receipt.save(Home(Path(chosen.home)).receipt, chosen)


def _own_address(installation: Installation) -> str:
    """An address of this host that workers can use; raises :class:`WorkerRefused` where there is none."""
    host = installation.receipt.web_host
    if host.startswith("127.") or host in ("localhost", "::1"):
        raise WorkerRefused(
            "The web server listens on this host alone; workers could not reach it.",
            found=f"--host {host}",
            needed="an address that other hosts reach",
            hint=f"sh {installation.receipt.bundle_file} install --home {installation.receipt.home}"
            " --host 0.0.0.0, then this command again.",
        )
    everywhere = host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
    found = address_for_others() if everywhere else host
    if not found:
        raise WorkerRefused(
            "This host has no address that others could use.",
            hint="Name the one that workers reach: bin/airferry workers enable edge --address NAME",
        )
    return found


def _base(installation: Installation, cluster: HeadRecord) -> str:
    return replace(installation.web, host=cluster.address).url


def _ask(installation: Installation, cluster: HeadRecord) -> None:
    """The question that only the right key may ask, at the address that workers are told."""
    found = link.look(_join(installation, cluster, Invited("nobody", ("nobody",), "")))
    if not found.accepted or found.error:
        raise EngineUnusable(
            f"The web server does not serve workers at {_base(installation, cluster)}: {found.problem}.",
            needed="an answer for workers",
            hint="Is it an address of this host that its own firewall lets through? Name another with"
            f" --address. Its log: {installation.home.own_logs}/api-server.log",
        )


def invite(
    installation: Installation, name: str, queues: Sequence[str] = (), seconds: float = _DAY
) -> Tuple[Join, Invitation]:
    """What a join file for a worker of that name holds; an earlier one of that name is replaced.

    Raises :class:`WorkerRefused`, NoCluster.
    """
    bad = [item for item in (name, *queues) if not NAME.fullmatch(item)]
    if bad or name == "default":
        raise WorkerRefused(
            f"{(bad or [name])[0]!r} cannot be the name of a worker or a queue.",
            needed="letters, digits, . _ and -, at most 63; a worker's name is a queue of its own, so it is"
            " not default",
        )
    home = installation.home
    with held(home.lock), Journal(home.journal).recorded("workers", do="invite", worker=name):
        cluster = clusters.load(home)
        engine = of_cluster(cluster)
        until = timestamp.at(time.time() + seconds)
        guest = Invited(name, engine.queues(name, queues), until)
        others = tuple(item for item in cluster.workers if item.name != name)
        changed = replace(cluster, workers=(*others, guest))
        clusters.save(home, changed)
        dags.write_pinned(installation.folders.pipelines, crew.names(changed), engine.executor)
        join = _join(installation, changed, guest)
    told = tuple(f"{package} {version}" for package, version in join.packages.items())
    return join, Invitation(name, "", guest.queues, until, engine.worth, told)


def _join(installation: Installation, cluster: HeadRecord, guest: Invited) -> Join:
    engine, found, home = of_cluster(cluster), installation.receipt, installation.home
    keys = {name: secret.read(home.secrets / name).reveal() for name in engine.secrets}
    return Join(
        schema=clusters.SCHEMA,
        cluster=cluster.id,
        engine=cluster.engine,
        name=guest.name,
        base=_base(installation, cluster),
        host=socket.gethostname(),
        airflow=found.airflow,
        bundle_id=found.bundle_id,
        packages=versions(crew.packages(installation), engine),
        executors=found.executor,
        queues=guest.queues,
        made=timestamp.now(),
        until=guest.until,
        claims=_claims(installation),
        secrets=keys,
        authorities=_authorities(installation),
    )


def _authorities(installation: Installation) -> str:
    """The certificate that the web server shows, and what has signed it; "" for plain HTTP."""
    path = installation.web.certificate
    return Path(path).read_text(encoding="utf-8", errors="replace") if path else ""


def _claims(installation: Installation) -> Dict[str, str]:
    """Who the proof of a worker asks the API as: the admin of the install (FAB knows accounts by number)."""
    user = installation.receipt.admin_user
    if installation.receipt.auth == "simple":
        return {"sub": user, "role": "admin"}
    name = user.replace("'", "''")
    rows = installation.database.query(f"SELECT id FROM ab_user WHERE username = '{name}'")  # noqa: S608
    number = rows.split()[0] if rows.strip() else ""
    if not number:
        number = installation.database.query("SELECT min(id) FROM ab_user WHERE active").strip() or "1"
    return {"sub": number}


def text_of(join: Join) -> str:
    """The content of a join file."""
    return codec.dumps(join)


def written(found: Invitation, path: Path) -> Invitation:
    """The invitation with the place of its file."""
    return replace(found, file=str(path))


def drain(installation: Installation, name: str, *, undo: bool = False) -> None:
    """Have a worker take no more tasks, or take them again; raises :class:`WorkerRefused`, CommandFailed."""
    engine = _present(installation, name)
    command = engine.undrain(name) if undo else engine.drain(name, f"drained by {account.current().name}")
    with Journal(installation.home.journal).recorded(
        "workers", do="undrain" if undo else "drain", worker=name
    ):
        installation.airflow.run(*command, what=f"{'undrain' if undo else 'drain'} the worker {name}")


def wait_drained(installation: Installation, name: str, seconds: Optional[float]) -> bool:
    """Wait until nothing runs on a worker that is drained; whether that is so."""
    deadline = time.monotonic() + (float("inf") if seconds is None else seconds)
    engine = _present(installation, name)
    while True:
        found = next((item for item in engine.seen(installation.database.query) if item.name == name), None)
        if found is None or not found.alive or (found.running == 0 and "maintenance mode" in found.state):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(1)


def _present(installation: Installation, name: str) -> Engine:
    engine = of_cluster(clusters.load(installation.home))
    known = [item.name for item in engine.seen(installation.database.query)]
    if name not in known:
        raise WorkerRefused(
            f"There is no worker {name}.",
            found=f"workers: {', '.join(known) or 'none has joined'}",
            hint="bin/airferry workers lists them.",
        )
    return engine


def remove(installation: Installation, name: str) -> Gone:
    """Take a worker that has gone off the list; raises :class:`WorkerRefused` for one that still runs."""
    home = installation.home
    with held(home.lock), Journal(home.journal).recorded("workers", do="remove", worker=name):
        cluster = clusters.load(home)
        engine, query = of_cluster(cluster), installation.database.query
        seen = {item.name: item for item in engine.seen(query)}
        if name not in seen and name not in crew.names(cluster):
            raise WorkerRefused(f"There is no worker {name}.", hint="bin/airferry workers lists them.")
        if name in seen and seen[name].alive:
            raise WorkerRefused(
                f"The worker {name} still runs.",
                found=f"{seen[name].state}, {seen[name].running} tasks, heard of {seen[name].age:.0f} s ago",
                needed="a worker that has ended",
                hint=f"bin/airferry workers drain {name}, then on that host: bin/airferry uninstall",
            )
        left = tuple(item for item in cluster.workers if item.name != name)
        clusters.save(home, replace(cluster, workers=left))
        if name in seen:
            engine.forget(query, name)
        dags.write_pinned(installation.folders.pipelines, [item.name for item in left], engine.executor)
    return Gone(name, tuple(str(home.secrets / key) for key in engine.secrets))


def disable(installation: Installation, progress: Progress) -> Enabled:
    """Back to tasks on this host alone; raises :class:`WorkerRefused` while a worker lives."""
    home, found = installation.home, installation.receipt
    alive = [item.name for item in crew.look(installation).workers if item.alive]
    if alive:
        raise WorkerRefused(
            f"Workers still run: {', '.join(alive)}.",
            hint="End them first: on each of those hosts bin/airferry uninstall",
        )
    with held(home.lock), Journal(home.journal).recorded("workers", do="disable"):
        chosen = replace(found, executor=LOCAL.name)
        _choose_executor(chosen)
        here = replace(installation, receipt=chosen)
        steps: List[Step] = [ServicesStep(here), ConfigurationStep(here), StartStep(here)]
        done = plan.execute(steps, progress, Journal(home.journal))
        for path in sorted(dags.pinned_folder(here.folders.pipelines).glob("airferry_workers.*")):
            path.unlink()
        clusters.head_file(home).unlink()
    return Enabled("", "", chosen.executor, tuple(item.name for item in done))
