"""Questions to the metadata database itself: cheap, the same in every release, and without a password.

A `query` runs one SQL statement and returns its rows as text, a row a line, columns separated by tabs
(``psql -At -F TAB``).
"""

from __future__ import annotations

import re
from typing import Dict, List

from bootstrap.airflow.differences import FAB_TABLES, TABLES
from bootstrap.postgres.locks import Query

# Airflow's own rule for the ids of DAGs; run ids hold a few characters more.
_ID = re.compile(r"[\w.~:+-]+")


def missing_tables(query: Query, auth: str = "fab") -> List[str]:
    """The tables that this database lacks: a migration can claim success without having made them."""
    wanted = (*TABLES, *FAB_TABLES) if auth == "fab" else TABLES
    rows = query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    found = {row.strip() for row in rows.splitlines()}
    return [name for name in wanted if name not in found]


def dag_is_known(query: Query, dag_id: str) -> bool:
    """Whether the scheduler has read the DAG, so that it can be unpaused and triggered."""
    tables = "dag JOIN serialized_dag USING (dag_id)"
    # _text admits nothing that could end the literal: here and below
    return bool(query(f"SELECT 1 FROM {tables} WHERE dag_id = {_text(dag_id)} LIMIT 1").strip())  # noqa: S608


def import_errors(query: Query) -> Dict[str, str]:
    """The DAG files that could not be read: file -> last line of what went wrong."""
    # the trace on one line, its lines as columns
    rows = query("SELECT filename, replace(stacktrace, chr(10), chr(9)) FROM import_error")
    found = {}
    for row in filter(None, rows.split("\n")):
        name, *lines = row.split("\t")
        found[name] = [line for line in (name, *lines) if line.strip()][-1]
    return found


def run_state(query: Query, dag_id: str, run_id: str) -> str:
    """The state of a run: ``queued``, ``running``, ``success`` or ``failed``; "" when there is none."""
    return query(f"SELECT state FROM dag_run WHERE {_run(dag_id, run_id)}").strip()  # noqa: S608


def task_states(query: Query, dag_id: str, run_id: str) -> Dict[str, str]:
    """The state of every task of a run; "" for one that has not been scheduled yet."""
    where = _run(dag_id, run_id)
    rows = query(
        f"SELECT task_id, state FROM task_instance WHERE {where} ORDER BY start_date, task_id"  # noqa: S608
    )
    pairs = (row.partition("\t") for row in rows.split("\n") if row)
    return {task: state for task, _, state in pairs}


# As Airflow names them in the table of jobs.
_JOBS = {"SchedulerJob": "scheduler", "TriggererJob": "triggerer", "DagProcessorJob": "dag-processor"}


def heartbeats(query: Query, host: str) -> Dict[str, str]:
    """The last heartbeat of each component on the host of that name; other components are not told of."""
    rows = query(
        "SELECT job_type, hostname, max(latest_heartbeat) FROM job WHERE state = 'running' GROUP BY 1, 2"
    )
    parts = (row.split("\t") for row in rows.split("\n") if row)
    return {_JOBS[job]: last for job, name, last in parts if job in _JOBS and name == host}


def last_parsing(query: Query) -> str:
    """When a DAG file that is in use was read last, by a dag-processor (3.x); "" where there is none."""
    alive = "COALESCE(NOT (to_jsonb(d)->>'is_stale')::bool, (to_jsonb(d)->>'is_active')::bool, true)"
    return query(f"SELECT max(last_parsed_time) FROM dag d WHERE {alive}").strip()  # noqa: S608  (ours)


def running_tasks(query: Query, table: str = "task_instance", since: str = "start_date") -> List[str]:
    """The tasks that run now, the oldest first: ``DAG.TASK (RUN)``.

    An executor may keep those of its own in another `table` with the same columns; `since` is its time.
    """
    columns = f"SELECT dag_id, task_id, run_id FROM {table}"  # noqa: S608  (ours)
    rows = query(f"{columns} WHERE state = 'running' ORDER BY {since} LIMIT 500")
    parts = (row.split("\t") for row in rows.split("\n") if row)
    return [f"{dag}.{task} ({run})" for dag, task, run in parts]


def _run(dag_id: str, run_id: str) -> str:
    return f"dag_id = {_text(dag_id)} AND run_id = {_text(run_id)}"


def _text(name: str) -> str:
    if not _ID.fullmatch(name):
        raise ValueError(f"not a valid Airflow id: {name!r}")
    return f"'{name}'"
