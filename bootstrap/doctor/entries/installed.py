"""Findings about an installation that is there: its files, its configuration, what runs."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING

INSTALLED: Dict[str, Entry] = {
    "installation-ok": Entry(OK, "The installation is whole"),
    "installation-incomplete": Entry(
        BLOCKER,
        "The installation was never finished",
        "It was interrupted, or its last step, a real run of the example pipeline, did not succeed.",
    ),
    "change-unfinished": Entry(
        BLOCKER,
        "An upgrade, a restore or a rollback was interrupted",
        "Until it is finished or undone, Airflow stays down where its database is not what it needs.",
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
    "bytecode-damaged": Entry(
        BLOCKER,
        "Modules that Python has compiled are cut off",
        'Each of these modules fails with "EOFError: marshal data too short" until its file is removed.',
        "Python keeps what it has compiled in __pycache__; many versions do not notice when the disk is full"
        " and only a part of it is written.",
    ),
    "manifest-damaged": Entry(
        WARNING,
        "The release's manifest is missing or damaged",
        "What the bundle asks of this host stands in it: that part was not judged.",
    ),
    "supervisor-broken": Entry(
        BLOCKER, "The supervisor does not start", "Nothing starts the components after the next stop."
    ),
    "postgres-broken": Entry(
        BLOCKER,
        "PostgreSQL's programs are missing or do not run",
        "A server that runs goes on until the next stop; then Airflow has no database.",
    ),
    "commands-changed": Entry(
        WARNING,
        "Commands of the installation are not as they were written",
        "They set the environment that Airflow runs in; the next install writes them anew.",
    ),
    "owner-wrong": Entry(
        BLOCKER,
        "Files belong to another account",
        "PostgreSQL refuses a cluster with such files, Airflow a log that it cannot write. Commands that root"
        " ran by itself leave them behind; bin/airferry and bin/airflow do not.",
        "A blocker when the database's files are among them, otherwise a warning.",
    ),
    "files-unreadable": Entry(
        WARNING,
        "Files cannot be read by the account that runs Airflow",
        "DAGs among them are not read, and disappear from the pages without an error.",
    ),
    "cluster-mode": Entry(
        BLOCKER,
        "The database's folder is open to others",
        "PostgreSQL refuses to start on it ('data directory has invalid permissions').",
    ),
    "modes-open": Entry(
        WARNING,
        "Everybody may write to parts of the installation",
        "Whoever can write a DAG or a command runs it as Airflow's account, with all its passwords.",
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
    "config-section": Entry(
        WARNING,
        "Options stand in a section that this release does not read",
        "They look as if they counted, and do not: a key or an address set there is not in force.",
        "Compared with the list of options that the installed release itself brings (config.yml).",
    ),
    "config-obsolete": Entry(
        NOTE,
        "Options of older releases are set",
        "2.x still reads some of them from their old place; 3.x reads none of them.",
        "Compared with what the installed release itself tells of older options.",
    ),
    "config-unknown": Entry(
        NOTE,
        "Options are set that this release does not know",
        "A slip of the pen, an option of another release, or one of your own for your DAGs.",
    ),
    "settings-code-broken": Entry(
        BLOCKER,
        "Settings in Python cannot be read",
        "Airflow runs webserver_config.py and airflow_local_settings.py at its start, and dies of an error.",
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
