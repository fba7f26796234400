"""The DAG file that proves workers, as text: no Python here has Airflow beside it."""

PINNED = '''\
"""A DAG for each worker, with one task that runs on that host and no other. Written by airferry.

``bin/airferry workers invite`` lists the workers in the file beside this one. A run of such a DAG proves that
the host takes tasks, and that their logs can be read on the head.
"""

import json
import logging
import socket
from datetime import datetime
from pathlib import Path

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
import airflow

RELEASE = tuple(int(part) for part in airflow.__version__.split(".")[:2])
log = logging.getLogger(__name__)


def pinned(name, executor):
    """The DAG of one worker."""
    # one executor at a time before 2.10
    chosen = {"executor": executor} if RELEASE >= (2, 10) else {}
    with DAG(
        f"airferry_worker_{name}",
        start_date=datetime(2021, 1, 1),
        **{"schedule" if RELEASE >= (2, 4) else "schedule_interval": None},
        catchup=False,
        is_paused_upon_creation=False,
        tags=["airferry"],
    ) as dag:

        @task(queue=name, retries=0, **chosen)
        def here():
            log.info("airferry: this ran on %s for the worker %s", socket.gethostname(), name)

        here()
    return dag


for worker in json.loads(Path(__file__).with_suffix(".json").read_text())["workers"]:
    globals()[f"dag_{worker['name']}"] = pinned(worker["name"], worker["executor"])
'''
