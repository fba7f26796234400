"""Findings about an installation at work: components, database, room, backups."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING

RUNNING: Dict[str, Entry] = {
    # components
    "component-stray": Entry(
        WARNING,
        "An Airflow of this home runs beside the installation's own",
        "It was started by hand: no service manager restarts or stops it, and it keeps an old configuration.",
    ),
    "component-variables": Entry(
        WARNING,
        "Components run with AIRFLOW__ variables",
        "They win over airflow.cfg: what is changed there has no effect, and commands in another session see"
        " other settings.",
    ),
    "component-stale": Entry(
        WARNING,
        "Components have not read airflow.cfg as it is now",
        "They read it once, when they start: half of Airflow may work with the old settings.",
    ),
    "component-database": Entry(
        BLOCKER,
        "Components work on different databases",
        "One writes what the other never sees: runs stay queued, or seem to vanish.",
    ),
    "component-keys": Entry(
        BLOCKER,
        "Components run with different keys",
        "They refuse each other's tokens (every task of 3.x fails), and cannot read each other's passwords.",
    ),
    "port-taken": Entry(
        BLOCKER,
        "Another program holds a port of this installation",
        "The component that needs it cannot start.",
    ),
    "port-shared": Entry(
        WARNING,
        "Another installation has the same port",
        "Only the one that starts first gets it; after the next restart of the host that may be the other.",
    ),
    # the database
    "database-ok": Entry(OK, "The database answers, and is that of this release"),
    "database-refused": Entry(
        BLOCKER,
        "The database does not answer Airflow's role",
        "Nothing of Airflow works without it.",
    ),
    "schema-behind": Entry(
        BLOCKER,
        "The database's schema is not that of this release",
        "Components wait for a migration, or fail at the first column that is missing.",
        "The newest revision among the release's own migration scripts was compared with the database's.",
    ),
    "tables-missing": Entry(
        BLOCKER, "Tables are missing in the database", "Whatever needs one of them fails: often every task."
    ),
    "checksums-off": Entry(
        NOTE,
        "The database's pages have no checksums",
        "A disk that returns wrong data is noticed late. Airferry switches them on when it makes a cluster.",
    ),
    "connections-many": Entry(
        WARNING,
        "The database has few connections to spare",
        "At the limit every component and task fails with 'too many clients already'.",
    ),
    "heartbeat-old": Entry(
        BLOCKER,
        "A component runs, but gives no sign of life",
        "It hangs: tasks wait for it. Its process alone says nothing.",
    ),
    "dag-import-errors": Entry(
        WARNING,
        "DAG files cannot be imported",
        "Their pipelines do not run, and vanish from the list after a while.",
    ),
    # room
    "growth-ok": Entry(OK, "Logs and database have room"),
    "logs-closed": Entry(
        BLOCKER,
        "The log folder cannot be written",
        "Every task writes its log there first, and fails when it cannot.",
    ),
    "logs-full": Entry(
        BLOCKER,
        "The disk of the logs is full",
        "Every task writes its log there first, and fails when it cannot.",
    ),
    "database-closed": Entry(
        BLOCKER, "The database's folder cannot be written", "PostgreSQL stops, and with it every task."
    ),
    "database-full": Entry(
        BLOCKER, "The disk of the database is full", "PostgreSQL stops, and with it every task."
    ),
    "disk-filling": Entry(
        WARNING,
        "The disk will be full within weeks",
        "A full disk stops PostgreSQL and with it every task.",
        "Reckoned from the logs of the last seven days and from the database's size by its age.",
    ),
    # backups
    "backup-ok": Entry(OK, "There is a backup"),
    "backup-none": Entry(
        WARNING,
        "There is no backup",
        "Connections, variables and the history of all runs are in one place only.",
        "A note in the first week after the install.",
    ),
    "backup-old": Entry(
        WARNING, "The newest backup is old", "What was changed since then would be lost with the disk."
    ),
}
