"""Workers on other hosts, as their head manages them: switched on, invited, drained, removed."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from bootstrap.airflow import config
from bootstrap.base import account, secret
from bootstrap.base.lock import held
from bootstrap.base.secret import Secret
from bootstrap.cluster import dags, link
from bootstrap.cluster.engine import Engine, of_cluster, queues_of, versions
from bootstrap.installed import crew, meeting
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster as clusters
from bootstrap.state import receipt
from bootstrap.state.cluster import BROKER, NAME, PROOF, HeadRecord, Invited, Join
from bootstrap.state.home import JWT, Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress
from bootstrap.state.receipt import PRIVATE
from wheelhouse import codec, timestamp
from wheelhouse.errors import AirferryError

# How long a join file is taken.
_DAY = 86_400


class WorkerRefused(AirferryError):
    """A worker that cannot be invited, drained or removed."""

    reference = "worker-refused"
    exit_code = 126


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


def base_of(installation: Installation, cluster: HeadRecord) -> str:
    """The head's web address for workers."""
    return replace(installation.web, host=cluster.address).url


def refuse_role(role: str, home: Home) -> None:
    """Raise :class:`WorkerRefused`: no host but a worker can join."""
    where = "its PostgreSQL is the private one, which other hosts cannot reach"
    found = receipt.find(home.receipt)
    if found and found.database.kind != PRIVATE:
        where = f"its database is on {found.database.host}, which a second scheduler could share"
    raise WorkerRefused(
        f"A host cannot join with the role {role}: airferry sets up no second scheduler and web server.",
        found=where,
        needed="--role worker",
        hint="Keep backups on another host (bin/airferry backup --output DIR): installed there from the same"
        " bundle file into the same home, restore brings this head back.",
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
        guest = Invited(name, queues_of(name, queues), until)
        others = tuple(item for item in cluster.workers if item.name != name)
        changed = replace(cluster, workers=(*others, guest))
        clusters.save(home, changed)
        dags.write_pinned(installation.folders.pipelines, crew.names(changed), engine.executor)
        join = join_of(installation, changed, guest)
    told = tuple(f"{package} {version}" for package, version in join.packages.items())
    worth = engine.worth(installation.version.numbers, own_server=meeting.own_server(installation))
    return join, Invitation(name, "", guest.queues, until, worth, told)


def join_of(installation: Installation, cluster: HeadRecord, guest: Invited) -> Join:
    """What a worker is told."""
    engine, found, home = of_cluster(cluster), installation.receipt, installation.home
    own = meeting.own_server(installation)
    files = engine.keys(installation.version.numbers, own_server=own)
    keys = {name: secret.read(home.secrets / file).reveal() for name, file in files.items()}
    more: Dict[str, Any] = {}
    if cluster.broker:
        keys[BROKER] = secret.read(clusters.broker_file(home)).reveal()
        if installation.version.numbers >= (3, 0, 0):
            keys[PROOF] = _proof_token(installation, guest).reveal()
        more = {
            "log_port": found.log_port,
            "database": meeting.for_worker(installation, cluster),
            "broker_authorities": _text(clusters.broker_authorities_file(home)),
        }
    return Join(
        schema=clusters.SCHEMA,
        cluster=cluster.id,
        engine=cluster.engine,
        name=guest.name,
        base=base_of(installation, cluster),
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
        timezone=found.timezone,
        dags=cluster.dags,
        **more,
    )


def _proof_token(installation: Installation, guest: Invited) -> Secret:
    """What a worker that has no key of the head's asks its proof with; it ends with the join file."""
    seconds = timestamp.parse(guest.until).timestamp() - time.time() if guest.until else 0
    key = secret.read(installation.home.secrets / JWT)
    return link.token(key, _claims(installation), max(60, int(seconds)))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _authorities(installation: Installation) -> str:
    """The certificate that the web server shows, and what has signed it; "" for plain HTTP."""
    path = installation.web.certificate
    return Path(path).read_text(encoding="utf-8", errors="replace") if path else ""


def _claims(installation: Installation) -> Dict[str, str]:
    """Who the proof of a worker asks the API as: the admin of the install (FAB knows accounts by number)."""
    user = installation.receipt.admin_user
    text = config.read(installation.home.airflow_cfg)
    audience = config.get(text, "api_auth", "jwt_audience") or "apache-airflow"
    if installation.receipt.auth == "simple":
        return {"aud": audience, "sub": user, "role": "admin"}
    name = user.replace("'", "''")
    rows = installation.database.query(f"SELECT id FROM ab_user WHERE username = '{name}'")  # noqa: S608
    number = rows.split()[0] if rows.strip() else ""
    if not number:
        number = installation.database.query("SELECT min(id) FROM ab_user WHERE active").strip() or "1"
    return {"aud": audience, "sub": number}


def text_of(join: Join) -> str:
    """The content of a join file."""
    return codec.dumps(join)


def written(found: Invitation, path: Path) -> Invitation:
    """The invitation with the place of its file."""
    return replace(found, file=str(path))


def drain(installation: Installation, name: str, *, undo: bool = False) -> None:
    """Have a worker take no more tasks, or take them again; raises :class:`WorkerRefused`, CommandFailed."""
    engine = _present(installation, name)
    query = installation.database.query
    reason = f"drained by {account.current().name}"
    with Journal(installation.home.journal).recorded(
        "workers", do="undrain" if undo else "drain", worker=name
    ):
        command = engine.undrain(query, name) if undo else engine.drain(query, name, reason)
        if command:
            installation.airflow.run(*command, what=f"{'undrain' if undo else 'drain'} the worker {name}")


def to_drain(installation: Installation, *, undo: bool = False) -> List[str]:
    """The live workers that are not drained yet; with `undo` those that are, whether they live or not."""
    found = crew.look(installation).workers
    if undo:
        return [item.name for item in found if "maintenance" in item.state]
    return [item.name for item in found if item.alive and "maintenance" not in item.state]


def wait_drained(installation: Installation, name: str, seconds: Optional[float]) -> bool:
    """Wait until nothing runs on a worker that is drained; whether that is so."""
    deadline = time.monotonic() + (float("inf") if seconds is None else seconds)
    engine = _present(installation, name)
    while True:
        found = next((item for item in engine.seen(installation.database.query) if item.name == name), None)
        if found is None or not found.alive or crew.rests(found.state, found.running):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(1)


def wait_all_drained(
    installation: Installation, names: Sequence[str], seconds: Optional[float], progress: Progress
) -> List[str]:
    """Wait as long for all of them together; the names of those on which tasks still run."""
    deadline = None if seconds is None else time.monotonic() + seconds
    left = []
    for name in names:
        with progress.step(f"Wait for the tasks on {name}") as shown:
            rest = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not wait_drained(installation, name, rest):
                shown.outcome = "tasks still run there"
                left.append(name)
    return left


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
    own = meeting.own_server(installation)
    files = list(engine.keys(installation.version.numbers, own_server=own).values())
    files += [BROKER] if cluster.broker else []
    return Gone(name, tuple(str(home.secrets / key) for key in files))
