"""Findings about what else is on the host: services, limits, firewalls, other Airflows and PostgreSQL."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING

SYSTEM: Dict[str, Entry] = {
    # the bundle
    "bundle-ok": Entry(OK, "The file is whole"),
    "bundle-damaged": Entry(
        BLOCKER,
        "The file is not what was bundled",
        "A changed byte may be in anything that would be installed; nothing from such a file is used.",
        "Found with --deep, which reads every byte; install always does so before it changes anything.",
    ),
    "bundle-notes": Entry(
        NOTE, "Said when the bundle was made", "It is known of these versions, and was accepted outside."
    ),
    # the machine
    "kernel-old": Entry(
        WARNING, "The kernel is old", "airferry, uv and PostgreSQL were not tried on kernels as old as this."
    ),
    "cpu-single": Entry(
        NOTE,
        "There is one processor",
        "Scheduler, web server, PostgreSQL and tasks share it: the start takes a minute, not seconds.",
    ),
    "group-processes-low": Entry(
        WARNING,
        "A control group allows few processes",
        "Components, workers and PostgreSQL's connections are processes, and threads count too: at the limit"
        " tasks fail with 'can't start new thread' or 'Resource temporarily unavailable'.",
    ),
    "file-size-limited": Entry(
        BLOCKER,
        "Files may not grow",
        "A longer file is cut off and its program killed (SIGXFSZ): libraries do not unpack, PostgreSQL stops"
        " at a large table, logs end.",
    ),
    "address-space-limited": Entry(
        WARNING,
        "The memory that a process may map is limited",
        "Airflow maps more than it uses: 'Cannot allocate memory' comes long before memory is short.",
    ),
    # the account
    "account-expired": Entry(
        WARNING,
        "The service account is expired",
        "cron, su and a login shell refuse it; the components themselves are started without a login.",
    ),
    "account-locked": Entry(
        NOTE,
        "Nobody can log in as the service account",
        "That is as it should be: the commands in bin/ change to it when root runs them.",
    ),
    "account-remote": Entry(
        NOTE,
        "The account comes from a directory of the network",
        "Where that does not answer, nothing can be started as this account.",
    ),
    "sudo-missing": Entry(
        NOTE, "There is no sudo", "What is marked 'as root' is for an admin who has root's password."
    ),
    # names, zone and clock
    "localhost-unknown": Entry(
        NOTE,
        "localhost is not this host",
        "airferry uses the address 127.0.0.1 and does not need the name.",
    ),
    "timezone-local": Entry(
        NOTE,
        "The time zone is not UTC",
        "Airflow's schedules and its pages are in UTC unless a DAG or [core] default_timezone says otherwise:"
        " @daily starts at midnight in UTC.",
    ),
    "timezone-unknown": Entry(
        WARNING,
        "The time zone has no data",
        "Programs take it for UTC without a word; DAGs that name such a zone do not import.",
    ),
    "clock-ahead": Entry(
        WARNING,
        "The clock is far ahead",
        "Runs get dates that never were; when it is set right later, Airflow waits for them to come.",
    ),
    "clock-unsynchronised": Entry(
        NOTE,
        "No time service keeps the clock right",
        "It drifts by seconds a week. One host alone does not mind, but logs of several tell other times.",
    ),
    # temporary files
    "tmp-closed": Entry(
        WARNING,
        "Not every account may write temporary files",
        "Airflow's tasks and many libraries write there and fail without it.",
    ),
    # services
    "services-ok": Entry(OK, "Something here can start Airflow after a restart"),
    "systemd-missing": Entry(
        NOTE,
        "systemd does not run here",
        "Components run under the supervisor in the installation; after a restart of the host an admin, or"
        " cron (@reboot), has to start it: bin/airferry start.",
    ),
    "user-systemd-missing": Entry(
        NOTE,
        "systemd does nothing for this account",
        "Components run under the supervisor in the installation; after a restart of the host an admin, or"
        " cron (@reboot), has to start it: bin/airferry start.",
    ),
    "linger-off": Entry(
        NOTE,
        "What this account runs may end when it logs out",
        "That holds for units of its own (systemctl --user), and for everything where logind is set to"
        " KillUserProcesses. The install turns linger on where the account may; otherwise the supervisor in"
        " the installation runs the components: after a restart of the host, bin/airferry start.",
    ),
    # firewalls
    "firewall-closed": Entry(
        WARNING,
        "The firewall blocks the web server",
        "Airflow runs and is healthy, and no browser reaches it from another host.",
        "Only firewalld's default zone, ufw's own rules and nftables' input chains are looked at. An"
        " installation that listens on 127.0.0.1 alone (--host) needs no open port.",
    ),
    "firewall-on": Entry(
        NOTE,
        "A firewall is on",
        "Whether it lets others to the web server cannot be seen by this account.",
    ),
    # other Airflows
    "airflow-found": Entry(
        NOTE,
        "There is another Airflow",
        "It is not touched: environment, home and database are separate. Its command may come first on PATH.",
    ),
    "airflow-running": Entry(
        NOTE, "Another Airflow runs", "It shares memory and processors; ports that it holds are passed over."
    ),
    "airflow-running-here": Entry(
        WARNING,
        "An Airflow runs from this very home",
        "Two schedulers on one airflow.cfg: after the install one of them works on the other's database.",
    ),
    # PostgreSQL
    "postgres-found": Entry(
        NOTE,
        "This host has PostgreSQL of its own",
        "It is not touched; --postgres host would take its programs for a private cluster.",
    ),
    "postgres-running": Entry(
        NOTE,
        "A PostgreSQL server runs",
        "It is not touched: the installation has a private one on another port.",
    ),
    "postgres-incomplete": Entry(
        NOTE,
        "This host's PostgreSQL is not whole",
        "--postgres host cannot take it; the carried one needs none of it.",
    ),
    "postgres-programs-missing": Entry(
        BLOCKER,
        "This host's PostgreSQL lacks programs",
        "A private cluster is made by initdb, run by postgres, and asked with psql.",
    ),
    "postgres-unfit": Entry(
        BLOCKER,
        "The carried PostgreSQL does not run here",
        "Airflow's metadata live in PostgreSQL: without a server nothing starts.",
    ),
}
