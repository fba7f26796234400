"""What of an old Airflow is taken over, and what stays behind, in words."""

from __future__ import annotations

from typing import Iterator, List

from bootstrap.base.console import size_text
from bootstrap.facts.old_airflow import OldAirflow


def summary(old: OldAirflow) -> str:
    """The old one in a line."""
    release = f"Airflow {old.release}" if old.release else "an Airflow"
    known = "" if old.version or not old.release else " or a later release with the same schema"
    if not old.home:
        return f"{release}{known}, its database alone: {old.database.address}"
    return f"{release}{known} of {old.owner} in {old.home}, database {old.database.address}"


def taken(old: OldAirflow) -> List[str]:
    """What is taken over, a line each."""
    rows = old.database.rows
    lines = []
    if rows:
        told = (
            ("dag_run", "runs"), ("task_instance", "task instances"), ("dag", "DAGs"), ("xcom", "XComs"),
            ("log", "events"),
        )  # fmt: skip
        lines.append("history: " + ", ".join(f"{rows[name]:,} {what}" for name, what in told if name in rows))
        made = (("connection", "connections"), ("variable", "variables"), ("slot_pool", "pools"))
        lines.append(", ".join(f"{rows[name]:,} {what}" for name, what in made if name in rows))
    if old.database.users:
        lines.append(f"users with their roles and passwords: {', '.join(old.database.users)}")
    if old.database.key == "set":
        lines.append("the fernet key")
    elif old.database.key == "none" and old.database.plain:
        lines.append(f"{old.database.plain} stored values in plain text, which will be encrypted")
    for name, folder in (("dags", old.dags), ("plugins", old.plugins), ("task logs", old.logs)):
        if folder.files:
            lines.append(f"{name}: {folder.files:,} files, {size_text(folder.size)}, from {folder.path}")
    if old.settings:
        lines.append(
            f"settings: {len(old.settings)} that are not at their defaults; at the end it is said what became"
            " of each, for the new release may have it elsewhere or no more"
        )
    return lines


def left(old: OldAirflow) -> List[str]:
    """What is not taken over, with the reason."""
    lines = []
    for folder in (old.dags, old.plugins, old.logs):
        lines += [f"link, not followed: {link}" for link in folder.links]
        lines += [f"{old.owner} cannot read {path}" for path in folder.unreadable]
    for table in old.database.strange:
        lines.append(
            f"table {table}: it is not Airflow's own, but a plugin's, a provider's or another program's"
        )
    if not old.home:
        lines.append("DAG files, plugins, task logs and settings: an address names none of them")
    lines += _elsewhere(old)
    if old.variables:
        lines.append(f"variables that win over airflow.cfg: {', '.join(old.variables)}")
    if old.login:
        lines.append(
            f"{old.home}/webserver_config.py ({old.login}): it is code of the old release; compare it by hand"
        )
    return lines


def _elsewhere(old: OldAirflow) -> Iterator[str]:
    """What lies outside of home and database, or will not be read."""
    values = {(item.section, item.option): item.value for item in old.settings}
    backend = values.get(("secrets", "backend"))
    if backend:
        yield f"what {backend} has: it is asked as before where the bundle has its provider"
    if old.remote_logs:
        yield f"task logs at {old.remote_logs}: they stay there, read where the bundle has its provider"
    executor = values.get(("core", "executor"), "")
    if executor and executor not in ("SequentialExecutor", "LocalExecutor"):
        yield f"{executor} with its broker and workers: the new one has the executor of this install"
    if values.get(("core", "enable_xcom_pickling"), "").lower() == "true":
        yield "XComs that are pickled: Airflow 3 moves them to the table _xcom_archive and does not show them"
    for (section, option), value in values.items():
        if option.endswith(("_cmd", "_secret")) and value:
            yield f"[{section}] {option}: no command is run, and no vault asked"
