"""The database server for the time that something needs it, whether the installation runs or not."""

from __future__ import annotations

import contextlib
from typing import Iterator

from bootstrap.installed.installation import Installation


@contextlib.contextmanager
def database_running(installation: Installation) -> Iterator[None]:
    """Have the metadata database's server run inside; what was not there before is stopped again."""
    services = installation.services
    manager, server = services.running(), is_up(installation)
    if not server:
        start(installation)
    try:
        installation.database.wait()
        yield
    finally:
        if not server:
            services.stop(installation.servers)
        if not manager:
            services.shut_down()


def is_up(installation: Installation) -> bool:
    """Whether our own server runs; another's is not ours to start."""
    states = installation.services.states()
    return all(name in states and states[name].state == "RUNNING" for name in installation.servers)


def start(installation: Installation) -> None:
    """Start our own PostgreSQL alone, if there is one, and wait until the database can be used."""
    if installation.servers:
        services = installation.services
        services.configure(installation.programs())
        services.launch()
        services.start(installation.servers, settle=False)
    installation.database.wait()


def airflow_runs(installation: Installation) -> bool:
    """Whether any component of Airflow's runs."""
    states = installation.services.states()
    return any(name in states and states[name].state == "RUNNING" for name in installation.components)
