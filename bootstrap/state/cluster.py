"""What a head keeps of its cluster and a worker of its head: one file each, in ``secrets/`` of the home."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Optional, Tuple

from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.state.home import Home
from wheelhouse import codec
from wheelhouse.errors import AirferryError

SCHEMA = 1
# Names of keys in a join file that no file of the head's is named after: the broker's URL, the password of
# the role that a worker reaches the head's database as, and a token for its proof.
BROKER, DATABASE, PROOF = "broker-url", "database-password", "proof-token"
_LARGEST = 1 << 20
# What names of workers and queues are made of: no blank, no comma, nothing that a shell or SQL knows.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class JoinFileRefused(AirferryError):
    """A join file that is none, has ended, or is for another bundle."""

    reference = "join-file-refused"
    exit_code = 120


class NoCluster(AirferryError):
    """A command for a head with workers, on a host that is none."""

    reference = "no-cluster"
    exit_code = 121


class OnTheHead(AirferryError):
    """A command for the host that has the database and the pages, given on a worker."""

    reference = "on-the-head"
    exit_code = 123


@dataclass(frozen=True)
class Invited:
    """A worker that was invited: its `queues`, and until when its join file is taken (RFC 3339)."""

    name: str
    queues: Tuple[str, ...]
    until: str


@dataclass(frozen=True)
class HeadRecord:
    """On a head: `engine` runs the tasks elsewhere, workers reach the web server at `address` and `port`.

    `id` tells clusters apart. With `spread` tasks that name no executor go to the workers. `dags` is a folder
    of DAG files that all hosts share; "" where each has its own. `broker` is the URL of the engine's broker
    without its password ("": it has none), and `networks` are those that workers reach the head's own
    PostgreSQL from, as pg_hba.conf writes them.
    """

    schema: int
    id: str
    engine: str
    address: str
    port: int
    spread: bool = False
    workers: Tuple[Invited, ...] = ()
    dags: str = ""
    broker: str = ""
    networks: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Join:
    """All that a worker is told: the content of a join file, and of ``secrets/join.json`` afterwards.

    `base` is the head's web address as workers reach it (http://address:port/path), `host` its own name.
    `executors` is the head's list, `packages` are versions that both must have. `secrets` are the keys that
    the engine needs, by the name of their file; `claims` is who asks the head's API with them. `authorities`
    is the text of the certificates that the head's is signed by; empty for plain HTTP. `timezone` is the
    head's. `dags` is the folder of DAG files that all hosts share, if they do. Where the engine needs them,
    `log_port` is the port that every worker serves logs on, `database` says how a worker reaches the head's
    (host, port, name, role, sslmode, sslrootcert), and `broker_authorities` is the text of the certificates
    that the broker's is signed by.
    """

    schema: int
    cluster: str
    engine: str
    name: str
    base: str
    host: str
    airflow: str
    bundle_id: str
    packages: Dict[str, str]
    executors: str
    queues: Tuple[str, ...]
    made: str
    until: str
    claims: Dict[str, str]
    secrets: Dict[str, str] = field(repr=False)
    authorities: str = ""
    timezone: str = ""
    dags: str = ""
    log_port: int = 0
    database: Dict[str, str] = field(default_factory=dict)
    broker_authorities: str = ""

    def key(self, name: str) -> Secret:
        """One of the keys."""
        return Secret(self.secrets.get(name, ""))


def head_file(home: Home) -> Path:
    """Where a head keeps its :class:`HeadRecord`."""
    return home.secrets / "cluster.json"


def worker_file(home: Home) -> Path:
    """Where a worker keeps its :class:`Join`."""
    return home.secrets / "join.json"


def authorities_file(home: Home) -> Path:
    """Where a worker keeps the certificates that its head's is signed by, if that speaks HTTPS."""
    return home.secrets / "head-ca.pem"


def broker_file(home: Home) -> Path:
    """Where head and workers keep the URL of their broker, password and all."""
    return home.secrets / BROKER


def broker_authorities_file(home: Home) -> Path:
    """Where they keep the certificates that the broker's is signed by, if a site has its own."""
    return home.secrets / "broker-ca.pem"


def save(home: Home, cluster: HeadRecord) -> None:
    """Write it in one step, readable by the account alone."""
    _write(head_file(home), codec.dumps(cluster))


def find(home: Home) -> Optional[HeadRecord]:
    """The cluster of a head; None on a host that has none. Raises :class:`NoCluster` for a damaged file."""
    try:
        return codec.loads(HeadRecord, codec.read(head_file(home), _LARGEST))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, codec.Malformed) as error:
        raise NoCluster(
            f"{head_file(home)} cannot be read.",
            found=str(error),
            hint="A backup has a copy of it (bin/airferry backups); or remove it and enable workers anew.",
        ) from error


def load(home: Home) -> HeadRecord:
    """The cluster of a head; raises :class:`NoCluster` where there is none."""
    found = find(home)
    if found is None:
        raise NoCluster(
            "This installation has no workers on other hosts.",
            needed="a head with workers",
            hint=f"To have them: {home.bin}/airferry workers enable edge",
        )
    return found


def keep_join(home: Home, join: Join) -> None:
    """On a worker: keep what it was told, readable by the account alone."""
    _write(worker_file(home), codec.dumps(join))


def joined(home: Home) -> Join:
    """On a worker: what it was told. Raises :class:`JoinFileRefused` where it cannot be read."""
    return read_join(worker_file(home))


def read_join(path: Path) -> Join:
    """A join file; raises :class:`JoinFileRefused` for one that is none."""
    try:
        text = codec.read(path, _LARGEST)
    except (OSError, UnicodeDecodeError, codec.Malformed) as error:
        raise JoinFileRefused(
            f"The join file {path} cannot be read.",
            found=getattr(error, "strerror", None) or str(error),
            hint="Make one on the head: bin/airferry workers invite NAME --out FILE",
        ) from error
    return parse_join(text, str(path))


def parse_join(text: str, where: str) -> Join:
    """The value of a join file's text; raises :class:`JoinFileRefused`."""
    try:
        data = codec.parse(text)
        schema = data.get("schema") if isinstance(data, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise JoinFileRefused(
                f"{where} was made by a newer airferry.",
                found=f"schema {schema}",
                needed=f"schema {SCHEMA}",
                hint="Install from the bundle file that the head was installed from.",
            )
        found = codec.decode(Join, data)
    except codec.Malformed as error:
        raise JoinFileRefused(
            f"{where} is not a join file.",
            found="\n".join(error.problems[:5]),
            hint="It was cut off or edited. Make it again on the head: bin/airferry workers invite NAME"
            " --out FILE",
        ) from error
    bad = [name for name in (found.name, *found.queues) if not NAME.fullmatch(name)]
    if bad:
        raise JoinFileRefused(f"{where} names something that is no worker or queue: {bad[0]!r}.")
    return found


def _write(path: Path, text: str) -> None:
    secret.write(path, Secret(text.rstrip("\n")))


def on_the_head(home: Home) -> OnTheHead:
    """The error for a command that a worker cannot carry out."""
    head = joined(home)
    return OnTheHead(
        "This host is a worker: it has no database and no web pages of its own.",
        found=f"worker {head.name} of {head.host} ({head.base})",
        hint=f"Give this command on {head.host}.",
    )
