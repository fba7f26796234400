"""The DAG file that proves workers, as text: no Python here has Airflow beside it."""

PINNED = '''\
"""A DAG for each worker, with one task that runs on that host and no other. Written by airferry.

``bin/airferry workers invite`` lists the workers in the file beside this one. A run of such a DAG proves that
the host takes tasks, and that their logs can be read on the head.
"""

import json
import logging
import socket
from pathlib import Path

from airflow.sdk import DAG, task

log = logging.getLogger(__name__)


def pinned(name, executor):
    """The DAG of one worker."""
    with DAG(
        f"airferry_worker_{name}",
        schedule=None,
        catchup=False,
        is_paused_upon_creation=False,
        tags=["airferry"],
    ) as dag:

        @task(queue=name, executor=executor, retries=0)
        def here():
            log.info("airferry: this ran on %s for the worker %s", socket.gethostname(), name)

        here()
    return dag


for worker in json.loads(Path(__file__).with_suffix(".json").read_text())["workers"]:
    globals()[f"dag_{worker['name']}"] = pinned(worker["name"], worker["executor"])
'''
