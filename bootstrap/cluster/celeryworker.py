"""Celery's settings on head and workers, and what a worker reports to its head. Written by airferry.

Airflow imports this file from the folder ``config`` of its home (``[celery] celery_config_options``), where
an install copies it beside ``airferry_sysinfo.py``. In a worker a thread writes a row to the head's table
``airferry.worker`` every ten seconds, and reads there whether it shall take tasks. Nothing of that goes
through the broker, so a worker whose broker is away is told from one that is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Iterator, List

from airflow.configuration import conf  # type: ignore[import-not-found]
from celery import signals  # type: ignore[import-not-found]
from celery.worker import state as running  # type: ignore[import-not-found]

try:
    from airflow.providers.celery.executors.default_celery import (  # type: ignore[import-not-found]
        DEFAULT_CELERY_CONFIG,
    )
except ImportError:  # Airflow up to 2.6
    from airflow.config_templates.default_celery import (  # type: ignore[import-not-found]
        DEFAULT_CELERY_CONFIG,
    )

HOME = Path(os.environ.get("AIRFLOW_HOME", ""))
NAME = os.environ.get("AIRFERRY_WORKER", "")
QUEUES: List[str] = json.loads(os.environ.get("AIRFERRY_QUEUES", "[]"))
SECONDS = 10
# A worker of the same name on another host that has been heard of within these keeps its name.
ACTIVE_SECONDS = 50
# Results are of no use once the scheduler has read them; Celery itself would need one more process to remove
# them.
KEPT = "1 day"
PACKAGES = (
    "apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk", "apache-airflow-providers-celery",
    "celery", "kombu",
)  # fmt: skip

_LONG = 30 * 24 * 3600
_url = conf.get("celery", "broker_url")
_options = {**(DEFAULT_CELERY_CONFIG.get("broker_transport_options") or {})}
if "visibility_timeout" in _options:
    # Redis would give a message that waits in a worker to another one; that the scheduler sees to.
    _options["visibility_timeout"] = _LONG
CELERY_CONFIG: Dict[str, Any] = {
    **DEFAULT_CELERY_CONFIG,
    "broker_transport_options": _options,
    # A task that has begun is never sent to another worker by the broker: the scheduler does that when it has
    # not heard of it, once it cannot run any more.
    "task_acks_late": False,
    "worker_disable_prefetch": True,
    # A broker that is away is waited for.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_connection_timeout": 5,
    # Without an end here Airflow's own time limit ends the try, and it sends the task again.
    "task_publish_retry_policy": {
        "max_retries": None,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 1,
    },
    # What a pool runs is code of one host; a result is a word.
    "worker_send_task_events": False,
}
_authorities = HOME / "secrets" / "broker-ca.pem"
if _authorities.exists() and _url.startswith(("rediss:", "amqps:")):
    if _url.startswith("rediss:"):
        CELERY_CONFIG["broker_use_ssl"] = {
            "ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": str(_authorities)
        }  # fmt: skip
    else:
        CELERY_CONFIG["broker_use_ssl"] = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": str(_authorities)}


class Known:
    """What this worker knows of itself.

    Its consumer, when it last had a word with the broker, whether it takes no tasks, and whether it ended.
    Its row in the head's table is another's while one of the same name is active.
    """

    consumer: Any = None
    word = time.monotonic()
    drained = False
    over = False
    another = False


@contextlib.contextmanager
def _database() -> Iterator[Any]:
    """A connection for one report; it is never open while the pool makes a process."""
    import psycopg2  # type: ignore[import-untyped]  # noqa: PLC0415

    url = conf.get("celery", "result_backend")
    link = psycopg2.connect(url[3:] if url.startswith("db+") else url, connect_timeout=5)
    try:
        with link, link.cursor() as cursor:
            cursor.execute("SET statement_timeout = '20s'")
            yield cursor
    finally:
        link.close()


def _versions() -> Dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _has_events() -> bool:
    """Whether this worker hears of its broker all the time: not where that is a database."""
    return not _url.startswith("sqla+")


def _report(ended: bool = False) -> str:
    """Write the row; the head's wish."""
    import airferry_sysinfo  # type: ignore[import-not-found]  # noqa: PLC0415

    busy = len(running.active_requests)
    dags, plugins = (Path(conf.get("core", f"{kind}_folder")).resolve() for kind in ("dags", "plugins"))
    row = (
        NAME,
        socket.gethostname(),
        "offline" if ended else "running" if busy else "drained" if Known.drained else "idle",
        json.dumps(QUEUES),
        busy,
        conf.getint("celery", "worker_concurrency"),
        json.dumps(_versions()),
        airferry_sysinfo.bundle(HOME),
        airferry_sysinfo.mark(dags, plugins),
        time.monotonic() - Known.word if _has_events() else 0.0,
    )
    with _database() as cursor:
        cursor.execute(
            "INSERT INTO airferry.worker (name, host, state, queues, running, slots, versions, bundle, dags,"
            " silent, updated) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now()) ON CONFLICT (name) DO"
            " UPDATE SET host = excluded.host, state = excluded.state, queues = excluded.queues,"
            " running = excluded.running, slots = excluded.slots, versions = excluded.versions,"
            " bundle = excluded.bundle, dags = excluded.dags, silent = excluded.silent, updated = now()"
            " RETURNING wanted",
            row,
        )
        return str(cursor.fetchone()[0])


def _other() -> str:
    """The host of a live worker of the same name, if it is not this one."""
    with _database() as cursor:
        cursor.execute(
            "SELECT host FROM airferry.worker WHERE name = %s AND host <> %s AND state <> 'offline'"
            " AND updated > now() - make_interval(secs => %s)",
            (NAME, socket.gethostname(), ACTIVE_SECONDS),
        )
        found = cursor.fetchone()
    return str(found[0]) if found else ""


def _clean() -> None:
    """Remove results that were read, and messages that a database as the broker keeps."""
    tables = {"celery_taskmeta": "date_done", "kombu_message": "timestamp"}
    for table, column in tables.items():
        with contextlib.suppress(Exception), _database() as cursor:
            taken = " AND NOT visible" if table == "kombu_message" else ""
            cursor.execute(
                f"DELETE FROM {table} WHERE {column} < timezone('utc', now()) - interval '{KEPT}'{taken}"  # noqa: S608
            )


def _obey(wanted: str) -> None:
    """Take tasks, or no more; in the consumer's own thread."""
    if (wanted == "drain") == Known.drained:
        return
    Known.drained = wanted == "drain"
    consumer = Known.consumer
    for queue in QUEUES:
        consumer.call_soon(consumer.cancel_task_queue if Known.drained else consumer.add_task_queue, queue)


def _work() -> None:
    cleaned = 0.0
    marked = False
    while not Known.over:
        try:
            _obey(_report())
            if not marked:
                (HOME / "airflow-celery-worker.pid").write_text(str(os.getpid()), encoding="ascii")
                marked = True
            if time.monotonic() - cleaned > 3600 or not cleaned:
                cleaned = time.monotonic()
                _clean()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next report may get through
            sys.stderr.write(f"airferry: this worker's report did not reach the head: {error}\n")
        time.sleep(SECONDS)


def _ready(sender: Any = None, **_: Any) -> None:
    first = Known.consumer is None
    Known.consumer, Known.word = sender, time.monotonic()
    if not first:
        if Known.drained:  # connected anew, with all queues
            for queue in QUEUES:
                sender.call_soon(sender.cancel_task_queue, queue)
        return
    other = ""
    with contextlib.suppress(Exception):
        other = _other()
    if other:
        Known.another = True
        sys.stderr.write(f"airferry: a worker {NAME} is active on {other}; this one ends\n")
        os.kill(os.getpid(), signal.SIGTERM)
        return
    threading.Thread(target=_work, name="airferry", daemon=True).start()


def _beat(**_: Any) -> None:
    Known.word = time.monotonic()


def _ended(**_: Any) -> None:
    Known.over = True
    if Known.another:
        return
    with contextlib.suppress(Exception):
        _report(ended=True)


if NAME:
    signals.worker_ready.connect(_ready, weak=False)
    signals.heartbeat_sent.connect(_beat, weak=False)
    signals.worker_shutdown.connect(_ended, weak=False)
