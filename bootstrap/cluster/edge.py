"""EdgeExecutor (Airflow 3): workers ask the head's web server for tasks; nothing else is needed."""

from __future__ import annotations

import ast
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from bootstrap.airflow import executor, metadata
from bootstrap.airflow.config import Setting
from bootstrap.airflow.differences import Command, Version
from bootstrap.airflow.release import AirflowRelease
from bootstrap.base.secret import Secret
from bootstrap.cluster.seen import Seen, Waiting, Way, written_since
from bootstrap.postgres.locks import Query
from bootstrap.state.cluster import HeadRecord, Join
from bootstrap.state.home import JWT


@dataclass(frozen=True)
class Edge:
    """Workers ask the head's web server for tasks, and send it their logs; they listen nowhere."""

    name: str = "edge"
    executor: str = executor.EDGE_EXECUTOR
    package: str = "apache-airflow-providers-edge3"
    since: Version = (3, 0, 0)
    drain_signal: signal.Signals = signal.SIGINT  # its SIGTERM ends the tasks
    task_depth: int = 1
    # A worker is given up after five of them (Airflow's default is 30: 150 seconds).
    heartbeat: int = 10

    def worth(self, version: Version, *, own_server: bool) -> str:
        """What whoever has these keys can do."""
        return (
            "It holds the key of the head's API tokens: whoever has it can do there what an administrator"
            " can."
        )

    def keys(self, version: Version, *, own_server: bool) -> Mapping[str, str]:
        """The key that both sign with."""
        return {JWT: JWT}

    def executors(self, version: Version, *, spread: bool) -> str:
        """LocalExecutor beside it."""
        names = [executor.LOCAL.name, self.executor]
        return ",".join(reversed(names) if spread else names)

    def ways(self, web_port: int, broker: str = "", database: int = 0, logs: int = 0) -> Tuple[Way, ...]:
        """One: a worker listens nowhere."""
        return (Way("each worker", "head", web_port, "tasks, their state, their logs"),)

    def head_settings(self, base: str, cluster: HeadRecord, broker: Secret, results: Secret) -> List[Setting]:
        """The API for workers, and how often they report."""
        return [Setting("edge", "api_enabled", "True"), *self._both(base)]

    def worker_settings(self, release: AirflowRelease, join: Join, concurrency: int) -> List[Setting]:
        """Where the head is, and what it must have in common with it."""
        return [
            Setting("core", "executor", executor.core_executor(join.executors)),
            Setting("core", "execution_api_server_url", f"{join.base}/execution/"),
            Setting("api_auth", "jwt_secret", join.key(JWT).reveal(), secret=True),
            *self._both(join.base),
            Setting("edge", "worker_concurrency", str(concurrency)),
            Setting("edge", "extended_system_info_function", "airferry_sysinfo.tell"),
            # Cut off, a call is tried again for four minutes and then the task is ended: the head gives it up
            # and to another worker after five, and it must not run twice. Against a head that is restarted
            # (it refuses at once) the same number of tries lasts for nearly two minutes.
            Setting("workers", "max_failed_heartbeats", "1"),
            Setting("workers", "execution_api_retries", "24"),
            Setting("workers", "execution_api_retry_wait_max", "10"),
        ]

    def _both(self, base: str) -> List[Setting]:
        return [
            Setting("edge", "api_url", f"{base}/edge_worker/v1/rpcapi"),
            Setting("edge", "job_poll_interval", "1"),
            Setting("edge", "heartbeat_interval", str(self.heartbeat)),
        ]

    def variables(self, join: Join) -> Dict[str, str]:
        """None."""
        return {}

    def worker_command(self, join: Join, concurrency: int) -> Command:
        """Without queues it would take the tasks that are pinned to others."""
        queues = ",".join(join.queues)
        return ("edge", "worker", "-H", join.name, "-q", queues, "-c", str(concurrency))

    def registered(self, home: Path, since: float) -> bool:
        """It writes its number to a file as soon as the head has taken it."""
        return written_since(home / "airflow-edge-worker.pid", since)

    def seen(self, query: Query) -> List[Seen]:
        """From the table in which the head keeps its workers."""
        if not query("SELECT to_regclass('edge_worker')").strip():
            return []
        rows = query(
            # the state last: it is never empty, and whoever trims a line takes no column away
            "SELECT worker_name, coalesce(extract(epoch FROM now() - last_update), -1),"
            " coalesce(queues, '[]'), jobs_active, coalesce(sysinfo->>'concurrency', '0'),"
            " coalesce(sysinfo->>'airflow_version', ''), coalesce(sysinfo->>'edge_provider_version', ''),"
            " coalesce(sysinfo->>'airferry_bundle', ''), coalesce(sysinfo->>'airferry_dags', ''),"
            " replace(replace(coalesce(maintenance_comment, ''), chr(10), ' '), chr(9), ' '), state"
            " FROM edge_worker ORDER BY 1"
        )
        return [self._seen(row.split("\t")) for row in rows.split("\n") if row]

    def _seen(self, row: List[str]) -> Seen:
        name, age, queues, running, slots, airflow, provider, bundle, digest, note, state = row
        gone = ("unknown", "offline", "offline maintenance")
        seconds = float(age)
        return Seen(
            name,
            state,
            state not in gone and 0 <= seconds <= 5 * self.heartbeat,
            seconds,
            _queues(queues),
            int(running or 0),
            int(float(slots or 0)),
            {"apache-airflow": airflow, self.package: provider},
            note,
            bundle,
            digest,
        )

    def waiting(self, query: Query, *, spread: bool) -> List[Waiting]:
        """Jobs that no worker has taken."""
        if not query("SELECT to_regclass('edge_job')").strip():
            return []
        rows = query(
            "SELECT queue, count(*), extract(epoch FROM now() - min(queued_dttm)) FROM edge_job"
            " WHERE state = 'queued' GROUP BY 1 ORDER BY 1"
        )
        parts = (row.split("\t") for row in rows.split("\n") if row)
        return [Waiting(queue, int(count), float(seconds or 0)) for queue, count, seconds in parts]

    def running(self, query: Query) -> List[str]:
        """From the table in which the head keeps what it has given to workers."""
        if not query("SELECT to_regclass('edge_job')").strip():
            return []
        return metadata.running_tasks(query, "edge_job", "queued_dttm")

    def drain(self, query: Query, name: str, reason: str) -> Command:
        """Maintenance, as Airflow calls it: what runs is ended in peace."""
        return ("edge", "remote-edge-worker-request-maintenance", "-H", name, "-c", reason)

    def undrain(self, query: Query, name: str) -> Command:
        """Out of maintenance."""
        return ("edge", "remote-edge-worker-exit-maintenance", "-H", name)

    def undrain_request(self, name: str) -> Optional[Tuple[str, str]]:
        """By what the pages use; it survives a restart of the worker otherwise."""
        return "DELETE", f"/edge_worker/ui/worker/{name}/maintenance"

    def forget(self, query: Query, name: str) -> None:
        """Its row goes; it would come back with its next report if it still ran."""
        # names hold nothing that could end the literal (state.cluster.NAME)
        query(f"DELETE FROM edge_worker WHERE worker_name = '{name}'")  # noqa: S608


def _queues(text: str) -> Tuple[str, ...]:
    """Edge stores Python's own text of a list."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return ()
    return tuple(map(str, found)) if isinstance(found, (list, tuple)) else ()
