"""Findings about a PostgreSQL server that was given as a URL."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING

DATABASE: Dict[str, Entry] = {
    "database-server-ok": Entry(OK, "The database can be used"),
    "database-unreachable": Entry(
        BLOCKER,
        "The database server cannot be reached",
        "Airflow keeps everything in its database: without it no command and no component works.",
        "The address was tried from this host, with a time limit of a few seconds. 'Connection refused' means"
        " that the host answers and nothing listens on that port; no answer at all usually means a firewall.",
    ),
    "database-tls": Entry(
        BLOCKER,
        "The encrypted connection to the database does not come about",
        "Airflow's connections use the same sslmode and root certificate as this one.",
        "sslmode=require encrypts; verify-ca also checks who signed the server's certificate (sslrootcert),"
        " verify-full that it was made for the name in the URL, too.",
    ),
    "database-login": Entry(
        BLOCKER,
        "The database server does not let the role in",
        "Airflow logs in with this role and password.",
        "The server's pg_hba.conf says which roles may log in from where, and how. A password comes from"
        " --postgres-password-file, from the file that PGPASSFILE names or ~/.pgpass, or is asked for.",
    ),
    "database-missing": Entry(
        BLOCKER,
        "The database is not there",
        "The install makes one only when it is given an administrator of the server.",
    ),
    "database-administrator": Entry(
        BLOCKER,
        "The server's administrator cannot make role and database",
        "Both are made over that account, once; its password is not kept.",
    ),
    "database-made": Entry(
        NOTE,
        "Role and database will be made",
        "The role owns the database, which is UTF-8; nothing else on the server is changed.",
    ),
    "database-version": Entry(
        BLOCKER,
        "The database server is too old",
        "Releases before 12 lack what Airflow's migrations use.",
    ),
    "database-encoding": Entry(
        BLOCKER,
        "The database's encoding is not UTF-8",
        "Logs and names of tasks hold letters that it refuses; Airflow then loses the state of the task.",
        "The encoding of a database cannot be changed: another one has to be made, from template0.",
    ),
    "database-owner": Entry(
        BLOCKER,
        "The database belongs to another role",
        "Airflow's migrations make, change and drop tables; from PostgreSQL 15 on, only the owner of a"
        " database may do so in its schema public.",
    ),
    "database-schema": Entry(
        BLOCKER,
        "The role may not make tables in the database",
        "Airflow's tables go into the first schema of the role's search_path, usually public.",
    ),
    "database-read-only": Entry(
        BLOCKER,
        "The database is read-only",
        "It is a standby that follows another server, or was set so.",
    ),
    "database-connections": Entry(
        BLOCKER,
        "The server allows too few connections",
        "Every worker, parser and web process of Airflow holds connections of its own; without one, tasks"
        " fail.",
    ),
    "database-foreign": Entry(
        BLOCKER,
        "The database holds tables of something else",
        "Airflow's own would lie among them, and a restore or an upgrade would touch both.",
        "An installation shares its database with nothing. Another database on the same server is enough.",
    ),
    "database-airflow": Entry(
        BLOCKER,
        "The database holds the tables of an Airflow",
        "An install would migrate them to this release, which cannot be undone without a backup.",
        "With --adopt-database they are taken over: DAG runs, connections, variables and accounts stay, and"
        " the schema is migrated to this release. Back the database up first.",
    ),
    "database-newer": Entry(
        BLOCKER,
        "The Airflow in the database is newer than this bundle",
        "A schema is migrated forwards only.",
    ),
    "database-in-use": Entry(
        BLOCKER,
        "Another Airflow works on the database",
        "Two schedulers of different installations run each other's tasks, and the older one breaks on the"
        " migrated schema.",
    ),
    "database-fernet": Entry(
        BLOCKER,
        "The key to the passwords in the database is not here",
        "Connections and variables are encrypted with the fernet key of the Airflow that wrote them; without"
        " it every task that uses one fails.",
        "The key stands in that Airflow's airflow.cfg, [core] fernet_key (or in its environment,"
        " AIRFLOW__CORE__FERNET_KEY). An airflow.cfg in the home is kept, and its keys are taken over.",
    ),
    "database-clock": Entry(
        WARNING,
        "The clocks of this host and of the database server differ",
        "Heartbeats are compared across both: a component that works looks dead, and its tasks are started"
        " twice.",
    ),
    "database-open": Entry(
        WARNING,
        "The connection to the database is not encrypted",
        "Who sees the network between sees every query, and connections with their passwords.",
    ),
}
