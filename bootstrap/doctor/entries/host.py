"""Findings about the host, and about doctor itself."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING

HOST: Dict[str, Entry] = {
    # the bundle
    "airflow-unknown": Entry(
        WARNING,
        "This Airflow is newer than the airferry that carries it",
        "What has changed since the newest release that it knows is not taken into account; the example"
        " pipeline at the end of the install shows whether that matters.",
    ),
    "host-other": Entry(
        WARNING,
        "The bundle was made for another host",
        "What was judged before the trip was the host that it was made for.",
        "airferry bundle --for FACTS stamps a bundle with the host's machine, C library and Python, and with"
        " nothing that singles a host out. Where the other findings say that it fits, it works here too.",
    ),
    # the machine
    "machine-ok": Entry(OK, "The machine and its C library fit"),
    "machine-wrong": Entry(
        BLOCKER,
        "The bundle is for another kind of machine",
        "The programs in the bundle cannot be executed here.",
    ),
    "libc-other": Entry(
        BLOCKER,
        "The bundle is for another C library",
        "Compiled packages for glibc do not run on musl (Alpine), nor the other way round.",
    ),
    "libc-too-old": Entry(
        BLOCKER,
        "The C library of this host is too old",
        "These packages were built against a newer one and cannot be loaded.",
        "The platform in the bundle's name (manylinux_2_28) says which glibc it was made for. A bundle for"
        " an older one is made outside with --platform, for example manylinux_2_17.",
    ),
    "libc-unknown": Entry(
        WARNING,
        "The C library of this host is unknown",
        "Whether the compiled packages can be loaded here shows only when they are.",
    ),
    # disk
    "disk-ok": Entry(OK, "There is room"),
    "disk-full": Entry(
        BLOCKER,
        "Not enough room for the installation",
        "The install would stop half-way; a full disk later stops PostgreSQL and with it every task.",
    ),
    "disk-low": Entry(
        WARNING,
        "Little room to grow",
        "Task logs and the database grow every day; a full disk stops PostgreSQL and with it every task.",
    ),
    "inodes-few": Entry(
        BLOCKER,
        "Not enough inodes for the installation",
        "Packages are many small files: the disk is full for them although there is room.",
    ),
    "tmp-full": Entry(
        WARNING,
        "The folder for temporary files is full",
        "Airflow's tasks and many libraries write there and fail without it.",
    ),
    "tmp-noexec": Entry(
        NOTE,
        "Programs in the folder for temporary files cannot be executed",
        "Nothing of airferry runs from there.",
    ),
    # the home of the installation
    "home-ok": Entry(OK, "The home can be used"),
    "home-not-a-folder": Entry(BLOCKER, "Something else is in the home's place", "A folder is needed there."),
    "home-read-only": Entry(
        BLOCKER, "The home is on a read-only filesystem", "Nothing can be written there, not even by root."
    ),
    "home-not-writable": Entry(
        BLOCKER, "The home cannot be written", "The account that installs must be able to make folders there."
    ),
    "home-noexec": Entry(
        BLOCKER,
        "Programs in the home cannot be executed",
        "uv, PostgreSQL and all compiled packages run from there ('failed to map segment from shared"
        " object' is how that looks later).",
    ),
    "home-filesystem": Entry(
        BLOCKER,
        "The home's filesystem cannot hold an installation",
        "PostgreSQL refuses a data folder whose owner and mode cannot be set, and the environment needs"
        " symbolic links.",
    ),
    "home-network": Entry(
        WARNING,
        "The home is on a network filesystem",
        "A PostgreSQL cluster there is lost when the connection breaks at the wrong moment, and every"
        " import of Airflow is slow.",
    ),
    "home-volatile": Entry(
        WARNING,
        "The home does not last",
        "Database, DAGs and logs would be gone after the next restart or clean-up.",
    ),
    "home-foreign": Entry(
        BLOCKER,
        "The home holds something else",
        "An installation owns its home: it makes folders such as bin, logs and releases there, and root"
        " gives all of it to the service account.",
        "A folder that holds an airflow.cfg, an earlier airferry installation, or nothing but dags, plugins"
        " and logs is fine.",
    ),
    "home-hidden": Entry(
        BLOCKER,
        "The service account cannot reach the home",
        "Everything runs as that account, because PostgreSQL refuses root.",
    ),
    "home-path": Entry(
        BLOCKER,
        "The home's path cannot be used",
        "A colon ends a folder in PATH, control characters end lines in configuration files, and uv makes"
        " no environment in a path that is not UTF-8 (measured). Blanks, Korean and other letters are fine.",
    ),
    "home-path-unusual": Entry(
        NOTE,
        "The home's path has unusual characters",
        "airferry quotes them, but DAGs and scripts of your own may not.",
    ),
    "airflow-cfg-kept": Entry(
        NOTE,
        "There is an airflow.cfg already",
        "Only the settings that this installation needs are changed in it; the file as it was is kept"
        " beside it.",
    ),
    "installation-found": Entry(
        NOTE,
        "There is an installation of airferry already",
        "Completed steps are kept; only missing ones run.",
    ),
    # resources
    "resources-ok": Entry(OK, "There is memory"),
    "memory-short": Entry(
        BLOCKER,
        "Too little memory",
        "The kernel kills processes of Airflow or PostgreSQL as soon as a task runs.",
    ),
    "memory-low": Entry(
        WARNING,
        "Little memory",
        "With LocalExecutor each task that runs at the same time is a process of its own.",
    ),
    "shared-memory-missing": Entry(
        BLOCKER,
        "There is no shared memory",
        "PostgreSQL and LocalExecutor keep queues and semaphores in /dev/shm.",
    ),
    "open-files-low": Entry(
        WARNING,
        "Few files may be open at the same time",
        "The web server and PostgreSQL need several hundred.",
    ),
    "processes-low": Entry(
        WARNING,
        "Few processes may run at the same time",
        "Airflow's components, its workers and PostgreSQL's connections are a process each.",
    ),
    # ports
    "ports-ok": Entry(OK, "The ports are free"),
    "port-in-use": Entry(BLOCKER, "A port is in use", "Two programs cannot listen on the same port."),
    "port-other": Entry(
        NOTE, "The usual port is in use", "The installer takes the next free one and says which in the end."
    ),
    "port-privileged": Entry(
        BLOCKER,
        "A port below 1024 is reserved",
        "Airflow runs as an ordinary account, which may not take it.",
    ),
    # account
    "account-ok": Entry(OK, "The account can be used"),
    "account-made": Entry(
        NOTE,
        "The service account will be made",
        "PostgreSQL refuses to run as root, and Airflow does not need it.",
    ),
    "account-root": Entry(BLOCKER, "Everything would run as root", "PostgreSQL refuses to start as root."),
    "account-no-useradd": Entry(
        BLOCKER,
        "The service account cannot be made",
        "PostgreSQL refuses to run as root, and this host has neither useradd nor adduser.",
    ),
    "account-unnamed": Entry(
        BLOCKER,
        "This account has no name",
        "PostgreSQL looks its own account up in the password database and stops without an entry.",
    ),
    "umask-strict": Entry(
        NOTE, "New files are private here", "airferry sets the modes that it needs itself."
    ),
    # network
    "network-ok": Entry(OK, "This host finds itself"),
    "loopback-down": Entry(
        BLOCKER,
        "This host cannot connect to itself",
        "Airflow talks to PostgreSQL and its components to each other over 127.0.0.1.",
    ),
    "hostname-slow": Entry(
        NOTE,
        "Looking up this host's own name takes long",
        "Airflow looks it up for every task; where DNS is a black hole each one waits. airferry sets"
        " hostname_callable so that Airflow does not ask (2.6 and newer).",
    ),
    "hostname-unknown": Entry(
        NOTE,
        "This host's own name cannot be looked up",
        "airferry sets hostname_callable so that Airflow does not ask.",
    ),
    "proxy-set": Entry(
        NOTE,
        "Proxy variables are set",
        "Airflow 3 would send its own task API through the proxy, and every task would fail; airferry starts"
        " its components without them.",
    ),
    # settings
    "environment-ignored": Entry(
        NOTE,
        "Settings in the environment are ignored",
        "They would reach into the installation, and make it come out differently on each host.",
    ),
    "airflow-variables": Entry(
        NOTE,
        "AIRFLOW variables are set",
        "They win over airflow.cfg. airferry starts Airflow without them: what you need goes into that file.",
    ),
    "locale-other": Entry(
        NOTE, "The locale is not UTF-8", "Airflow and PostgreSQL are started with UTF-8 all the same."
    ),
    "clock-behind": Entry(
        WARNING,
        "The clock is behind",
        "Schedules, tokens and certificates depend on it; when it is set right later, Airflow runs all that"
        " seems to have been missed.",
    ),
    # security
    "fips-md5": Entry(
        BLOCKER,
        "MD5 is refused on this host (FIPS)",
        "Airflow before 2.7.3 needs it for serialised DAGs and fails.",
    ),
    "fips-on": Entry(
        NOTE, "FIPS mode is on", "This Airflow does not need MD5; DAGs or providers of your own may."
    ),
    "fapolicyd-on": Entry(
        WARNING,
        "fapolicyd is running",
        "It refuses to execute programs that it does not know, and the home will be full of those"
        " ('Operation not permitted').",
    ),
    "selinux-enforcing": Entry(
        NOTE, "SELinux is on", "Its usual policy lets an installation like this one run."
    ),
    # doctor itself
    "facts-incomplete": Entry(
        WARNING, "Something could not be looked at", "What depends on it was not judged."
    ),
    "check-crashed": Entry(
        WARNING, "A check failed", "This is a fault of airferry's; what the check is about was not judged."
    ),
}
