"""Airflow's default pool, so wide that no task is handed out which cannot begin.

LocalExecutor of 3.x hands every task that the pools admit to its workers' queue, whatever `parallelism` says
(apache/airflow#71914), and works that queue off at its end. A stop then waits for tasks that had not even
begun, and ends them when its time is up. Tasks that the pool holds back stay scheduled, and lose nothing.
"""

from __future__ import annotations

from bootstrap.installed.installation import Installation
from bootstrap.state.receipt import LOCAL_EXECUTOR

# As Airflow makes it.
USUAL = 128
# A task that takes more slots than there are would never run.
_FIT = """
    UPDATE slot_pool SET slots = {slots} WHERE pool = 'default_pool' AND slots = {before} AND NOT EXISTS (
        SELECT 1 FROM task_instance WHERE pool = 'default_pool' AND pool_slots > {slots})
"""


def fit(installation: Installation, before: int = USUAL) -> None:
    """Give the default pool as many slots as tasks can run at once, where it has the `before` of ours.

    Another number is an admin's, and stays; so does the pool of a site whose tasks take more slots than that.
    The database must be running; one without tables is left alone.
    """
    receipt, query = installation.receipt, installation.database.query
    if installation.version.numbers < (3, 0, 0) or receipt.executor != LOCAL_EXECUTOR:
        return
    if query("SELECT to_regclass('slot_pool')").strip():
        query(_FIT.format(slots=int(receipt.parallelism), before=int(before)))
