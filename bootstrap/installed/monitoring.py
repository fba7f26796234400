"""The status in the words of monitoring systems.

Prometheus: the text format that node_exporter's textfile collector reads (prometheus.io, "Exposition
formats"). Nagios: one line and an exit code (Monitoring Plugins Development Guidelines).
"""

from __future__ import annotations

import shutil
from typing import List, Sequence, Tuple

from bootstrap.installed.installation import Installation
from bootstrap.installed.status import Status
from bootstrap.state import backup as backups
from bootstrap.state import journal
from wheelhouse import timestamp

OK, WARNING, CRITICAL = 0, 1, 2

Sample = Tuple[str, str]  # labels, value


def prometheus(found: Status, installation: Installation) -> List[str]:
    """The lines of the text format, each metric with its help and type."""
    home = installation.home
    components = [(f'{{component="{item.name}"}}', item) for item in found.components]
    entries = journal.read(home.journal).entries
    ended = sum(1 for entry in entries if entry.command == "watchdog")
    saved = [place.backup.finished for place in backups.find_all(home.backups)]
    last = timestamp.parse(max(saved)).timestamp() if saved else 0
    free = shutil.disk_usage(str(home.path)).free
    info = f'{{airflow="{found.airflow}",bundle="{found.bundle_id}"}}'
    return [
        *_metric("info", "gauge", "The installed release.", [(info, "1")]),
        *_metric("healthy", "gauge", "Whether every component is well.", [("", _number(found.healthy))]),
        *_metric(
            "component_up",
            "gauge",
            "Whether the component runs.",
            [(label, _number(item.state == "RUNNING")) for label, item in components],
        ),
        *_metric(
            "component_healthy",
            "gauge",
            "Whether it runs, and nothing says that it is ill.",
            [(label, _number(item.good)) for label, item in components],
        ),
        *(
            _metric(
                "worker_up",
                "gauge",
                "Whether the worker reports to this head.",
                [(f'{{worker="{item.name}"}}', _number(item.alive)) for item in found.workers],
            )
            if found.workers
            else []
        ),
        *_metric(
            "change_unfinished", "gauge", "A change was broken off.", [("", _number(bool(found.unfinished)))]
        ),
        *_metric(
            "watchdog_restarts_total", "counter", "Components ended because they hung.", [("", str(ended))]
        ),
        *_metric(
            "last_backup_timestamp_seconds", "gauge", "The newest backup; 0: none.", [("", f"{last:.0f}")]
        ),
        *_metric("home_free_bytes", "gauge", "Free space where the installation lies.", [("", str(free))]),
    ]


def nagios(found: Status) -> Tuple[str, int]:
    """The line of a check, and its exit code."""
    ill = [f"{item.name} {item.health or item.state.lower()}" for item in found.components if not item.good]
    ill += [f"worker {item.name} {item.state}" for item in found.workers if not item.good]
    ill += [f"queue {item.queue} without a worker" for item in found.starving]
    if ill:
        return f"CRITICAL - Airflow {found.airflow}: {', '.join(ill)}", CRITICAL
    if found.unfinished:
        return f"WARNING - Airflow {found.airflow}: {' '.join(found.unfinished.split())}", WARNING
    return f"OK - Airflow {found.airflow}: {len(found.components)} components are healthy", OK


def _metric(name: str, kind: str, text: str, samples: Sequence[Sample]) -> List[str]:
    name = f"airferry_{name}"
    lines = [f"{name}{labels} {value}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines]


def _number(yes: bool) -> str:
    return "1" if yes else "0"
