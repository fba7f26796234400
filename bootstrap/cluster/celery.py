"""CeleryExecutor: a broker of the site's between head and workers, results in the database.

What Celery itself does not tell (who is there, with what) its workers write to a table of their own on the
head's server; see ``celeryworker.py``, which runs in them.
"""

from __future__ import annotations

import json
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple
from urllib.parse import quote, urlsplit

from bootstrap.airflow import database, differences, executor, metadata
from bootstrap.airflow.config import Setting
from bootstrap.airflow.differences import Command, Version
from bootstrap.airflow.release import AirflowRelease
from bootstrap.base.secret import Secret
from bootstrap.cluster.seen import Seen, Waiting, Way, written_since
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.locks import Query
from bootstrap.state.cluster import BROKER, DATABASE, HeadRecord, Join
from bootstrap.state.home import FERNET, SECRET_KEY

# Where workers and head meet in the database; a worker's own role may do nothing elsewhere.
SCHEMA = "airferry"
ROLE = "airflow_worker"
# The file with that role's password.
ROLE_PASSWORD = "worker-database-password"  # noqa: S105 - its name
# A broker that is the head's own database.
OF_DATABASE = "database"
PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}
# Until here every worker is a client of the metadata database.
_OWN_API = (3, 0, 0)
# From here on one scheduler has several executors.
_SEVERAL = (2, 10, 0)

TABLE = f"""CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.worker (
    name text PRIMARY KEY, host text NOT NULL, state text NOT NULL, updated timestamptz NOT NULL,
    queues text NOT NULL, running integer NOT NULL, slots integer NOT NULL, versions text NOT NULL,
    bundle text NOT NULL, dags text NOT NULL, silent real NOT NULL,
    wanted text NOT NULL DEFAULT '', note text NOT NULL DEFAULT '')"""
# What the role of workers may do: with its own rows here, and with tables that it makes here (results).
GRANTS = f"""GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT SELECT, INSERT, UPDATE ON {SCHEMA}.worker TO {ROLE};
ALTER ROLE {ROLE} IN DATABASE CURRENT_DATABASE_NAME SET search_path = {SCHEMA}"""  # noqa: S608


@dataclass(frozen=True)
class Celery:
    """Tasks go through a broker; workers serve the logs of their tasks to the head."""

    name: str = "celery"
    executor: str = executor.CELERY_EXECUTOR
    package: str = "apache-airflow-providers-celery"
    since: Version = (2, 2, 2)
    drain_signal: signal.Signals = signal.SIGTERM  # Celery's warm shutdown
    task_depth: int = 2  # a process of the pool is between
    # A worker is given up after five of them.
    heartbeat: int = 10

    def worth(self, version: Version, *, own_server: bool) -> str:
        """What whoever has these keys can do."""
        if version < _OWN_API:
            return (
                "It holds the password of the metadata database, the key of all stored passwords and the"
                " broker's password: whoever has it can read and change everything that Airflow has."
            )
        if not own_server:
            return (
                "It holds the password of the metadata database and the broker's password: whoever has it can"
                " read and change all that is there; and until it ends a token with which its holder can do"
                " on the head what an administrator can."
            )
        return (
            "It holds the broker's password, with which tasks can be read and sent, and until it ends a token"
            " with which its holder can do on the head what an administrator can."
        )

    def keys(self, version: Version, *, own_server: bool) -> Mapping[str, str]:
        """What a worker gets, and the file on the head that it is in."""
        whole = version < _OWN_API or not own_server
        found = {SECRET_KEY: SECRET_KEY, DATABASE: "postgres-password" if whole else ROLE_PASSWORD}
        return {**found, FERNET: FERNET} if version < _OWN_API else found

    def executors(self, version: Version, *, spread: bool) -> str:
        """The list of executors of the head; raises ValueError where tasks could not stay on the head."""
        if version >= _SEVERAL:
            names = [executor.LOCAL.name, self.executor]
            return ",".join(reversed(names) if spread else names)
        if not spread:
            raise ValueError(
                f"Airflow has one executor at a time before {_SEVERAL[0]}.{_SEVERAL[1]}:"
                " with Celery every task goes to the workers"
            )
        return self.executor

    def ways(self, web_port: int, broker: str = "", database: int = 0, logs: int = 0) -> Tuple[Way, ...]:
        """The broker from all, two ports of the head, and one of each worker."""
        found = [Way("each worker", "head", web_port, "tasks and their state")]
        if broker and broker != OF_DATABASE:
            parts = urlsplit(broker)
            port = parts.port or PORTS.get(parts.scheme, 0)
            found += [Way(source, parts.hostname or "", port, "tasks") for source in ("head", "each worker")]
        if database:
            found.append(Way("each worker", "head", database, "results; with Airflow 2 everything"))
        if logs:
            found.append(Way("head", "each worker", logs, "logs"))
        return tuple(found)

    def head_settings(self, base: str, cluster: HeadRecord, broker: Secret, results: Secret) -> List[Setting]:
        """Broker, results, and what keeps tasks while the broker is away."""
        return self._both(broker, results)

    def _both(self, broker: Secret, results: Secret) -> List[Setting]:
        return [
            Setting("celery", "broker_url", broker.reveal(), secret=True),
            Setting("celery", "result_backend", f"db+{results.reveal()}", secret=True),
            Setting("celery", "celery_config_options", "airferry_celery.CELERY_CONFIG"),
            # While the broker is away a task that is to be sent is kept, and sent again.
            Setting("celery", "task_publish_max_retries", "100000"),
        ]

    def worker_settings(self, release: AirflowRelease, join: Join, concurrency: int) -> List[Setting]:
        """What it must have in common with the head, and of 2.x the database."""
        numbers, place = release.numbers, connection(join)
        found = [
            Setting("core", "executor", executor.core_executor(join.executors)),
            *self._both(self.broker(join), results_url(place, join.key(DATABASE))),
            Setting("celery", "worker_concurrency", str(concurrency)),
            Setting("logging", "worker_log_server_port", str(join.log_port)),
            Setting(*_place(differences.SECRET_KEY, numbers), join.key(SECRET_KEY).reveal(), secret=True),
        ]
        if numbers >= _OWN_API:
            return [
                *found,
                Setting("core", "execution_api_server_url", f"{join.base}/execution/"),
                # as with Edge: cut off, a task has ended before the head gives it to another worker
                Setting("workers", "max_failed_heartbeats", "1"),
                Setting("workers", "execution_api_retries", "24"),
                Setting("workers", "execution_api_retry_wait_max", "10"),
            ]
        url = database.urls(numbers, place, join.key(DATABASE)).sync
        return [
            *found,
            Setting(*_place(differences.DATABASE_URL, numbers), url.reveal(), secret=True),
            Setting("core", "fernet_key", join.key(FERNET).reveal(), secret=True),
        ]

    def broker(self, join: Join) -> Secret:
        """The broker's URL as a worker has it."""
        return broker_url(join.key(BROKER), connection(join), join.key(DATABASE))

    def variables(self, join: Join) -> Dict[str, str]:
        """What the module that reports needs to know."""
        return {"AIRFERRY_WORKER": join.name, "AIRFERRY_QUEUES": json.dumps(join.queues)}

    def worker_command(self, join: Join, concurrency: int) -> Command:
        """Without queues it would take the tasks that are pinned to others."""
        return ("celery", "worker", "-q", ",".join(join.queues), "-c", str(concurrency))

    def registered(self, home: Path, since: float) -> bool:
        """It writes its number to a file when its first report is in the head's table."""
        return written_since(home / "airflow-celery-worker.pid", since)

    def seen(self, query: Query) -> List[Seen]:
        """From the table that the workers report to."""
        if not query(f"SELECT to_regclass('{SCHEMA}.worker')").strip():
            return []
        rows = query(
            "SELECT name, extract(epoch FROM now() - updated), queues, running, slots, versions,"  # noqa: S608
            " bundle, dags, silent, wanted, replace(replace(note, chr(10), ' '), chr(9), ' '), host, state"
            f" FROM {SCHEMA}.worker ORDER BY 1"
        )
        return [self._seen(row.split("\t")) for row in rows.split("\n") if row]

    def _seen(self, row: List[str]) -> Seen:
        name, age, queues, running, slots, versions, bundle, dags, silent, wanted, note, host, state = row
        seconds, quiet, busy = float(age), float(silent), int(running)
        alive = state != "offline" and 0 <= seconds <= 5 * self.heartbeat
        if alive and quiet > 5 * self.heartbeat:
            alive, note = False, f"it has had no word with the broker for {quiet:.0f} s"
        if wanted:
            # it says itself when it takes no more
            told = {"offline": "offline maintenance", "drained": "maintenance mode"}
            state = told.get(state, "maintenance pending")
        elif state == "drained":
            state = "idle"
        return Seen(
            name, state, alive, seconds, tuple(json.loads(queues)), busy, int(slots), json.loads(versions),
            note, bundle, dags, host,
        )  # fmt: skip

    def waiting(self, query: Query, *, spread: bool) -> List[Waiting]:
        """Tasks that were sent and that no worker has begun."""
        # 2.x has no column for the executor before 2.10
        named = "coalesce(to_jsonb(t)->>'executor', '')"
        chosen = f"({named} LIKE '%{self.executor}'" + (f" OR {named} = '')" if spread else ")")
        rows = query(
            "SELECT queue, count(*), extract(epoch FROM now() - min(queued_dttm)) FROM task_instance t"  # noqa: S608
            f" WHERE state = 'queued' AND {chosen} GROUP BY 1 ORDER BY 1"
        )
        parts = (row.split("\t") for row in rows.split("\n") if row)
        return [Waiting(queue, int(count), float(seconds or 0)) for queue, count, seconds in parts]

    def running(self, query: Query) -> List[str]:
        """Those that another host has begun."""
        here = socket.gethostname().replace("'", "''")
        elsewhere = f"(SELECT * FROM task_instance WHERE hostname <> '{here}') t"  # noqa: S608
        return metadata.running_tasks(query, elsewhere)

    def drain(self, query: Query, name: str, reason: str) -> Command:
        """Its next report tells it: it takes no more tasks, and stays so after a restart."""
        # names hold nothing that could end the literal (state.cluster.NAME)
        told = reason.replace("'", "''")
        query(f"UPDATE {SCHEMA}.worker SET wanted = 'drain', note = '{told}' WHERE name = '{name}'")  # noqa: S608
        return ()

    def undrain(self, query: Query, name: str) -> Command:
        """Its next report tells it that it may take tasks again."""
        query(f"UPDATE {SCHEMA}.worker SET wanted = '', note = '' WHERE name = '{name}'")  # noqa: S608
        return ()

    def undrain_request(self, name: str) -> Optional[Tuple[str, str]]:
        """None: it changes its own row (``installed/meeting.py``)."""
        return None

    def forget(self, query: Query, name: str) -> None:
        """Its row goes; it would come back with its next report if it still ran."""
        query(f"DELETE FROM {SCHEMA}.worker WHERE name = '{name}'")  # noqa: S608


def connection(join: Join) -> Connection:
    """How a worker reaches the database of its head."""
    place = join.database
    return Connection(
        place.get("host", ""), int(place.get("port", "0") or 0), place.get("name", ""), place.get("role", ""),
        place.get("sslmode", ""), place.get("sslrootcert", ""),
    )  # fmt: skip


def results_url(place: Connection, password: Secret) -> Secret:
    """The database for results, as SQLAlchemy and libpq both read it."""
    return place.url("postgresql", password, place.tls)


def broker_url(told: Secret, place: Connection, password: Secret) -> Secret:
    """A broker as it was named, or the database in its place."""
    if told.reveal() != OF_DATABASE:
        return told
    return Secret("sqla+" + results_url(place, password).reveal())


def with_password(url: str, password: Secret) -> Secret:
    """A broker's URL that names none, with it."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    login, at, host = place.rpartition("@")
    if not password.reveal():
        return Secret(url)
    word = quote(password.reveal(), safe="")
    return Secret(f"{scheme}://{login}:{word}@{host if at else place}{slash}{path}")


def _place(row: differences.Row[differences.OptionPlace], version: Version) -> Tuple[str, str]:
    found = row.at(version)
    assert found is not None, "every release has it"
    return found


CELERY = Celery()
