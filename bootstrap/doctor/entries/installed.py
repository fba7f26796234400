"""Findings about an installation that is there."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, OK, WARNING

INSTALLED: Dict[str, Entry] = {
    "installation-ok": Entry(OK, "The installation is whole"),
    "installation-incomplete": Entry(
        BLOCKER,
        "The installation was never finished",
        "It was interrupted, or its last step, a real run of the example pipeline, did not succeed.",
    ),
    "link-broken": Entry(
        BLOCKER, "The link to the installed release is broken", "Every command goes through it."
    ),
    "environment-broken": Entry(
        BLOCKER,
        "The environment's Python does not start",
        "Airflow's environment uses the standard library of the Python it was made from.",
    ),
    "packages-damaged": Entry(
        BLOCKER,
        "Files of installed packages are missing or changed",
        "Airflow fails as soon as it needs one of them.",
        "Each package lists its files and their sizes (RECORD); they were compared with the disk.",
    ),
    "secrets-open": Entry(
        WARNING,
        "Other accounts can read passwords or keys",
        "Whoever has them can log in as admin, read all connections, and forge tokens.",
    ),
    "config-ok": Entry(OK, "airflow.cfg fits this installation"),
    "config-unreadable": Entry(
        BLOCKER, "airflow.cfg cannot be read", "No command and no component of Airflow starts with it."
    ),
    "config-sqlite": Entry(
        BLOCKER,
        "airflow.cfg names an SQLite database",
        "Airflow 2 refuses to start LocalExecutor on it; Airflow 3 starts, looks healthy, and knows nothing"
        " of the DAG runs so far.",
    ),
    "config-database": Entry(
        WARNING,
        "airflow.cfg names another database",
        "This installation looks after its own; the other one is not started, checked or backed up by it.",
    ),
    "config-executor": Entry(
        WARNING,
        "Another executor is configured",
        "This installation starts what LocalExecutor needs, and nothing more.",
    ),
    "config-port": Entry(
        WARNING,
        "airflow.cfg has another port than the installation knows",
        "status and doctor ask the port that they know.",
    ),
    "config-execution-api": Entry(
        BLOCKER,
        "Tasks look for the API server at the wrong port",
        "Health stays green, and every task fails ('connection refused').",
    ),
    "config-keys": Entry(
        WARNING,
        "Keys in airflow.cfg are not those of this installation",
        "Connections and variables can be read only with the fernet key that wrote them; components that"
        " disagree about the other keys refuse each other.",
    ),
    "components-ok": Entry(OK, "Everything runs"),
    "components-stopped": Entry(
        WARNING, "Nothing runs", "Schedules that pass are missed or caught up later."
    ),
    "component-down": Entry(BLOCKER, "A component does not run", "Without any one of them tasks do not run."),
    "component-ill": Entry(
        BLOCKER,
        "A component runs, but is not healthy",
        "Its heartbeat in the database is old or missing; tasks wait for it.",
    ),
}
