"""The database server for the time that something needs it, whether the installation runs or not."""

from __future__ import annotations

import contextlib
from typing import Iterator

from bootstrap.installation import POSTGRES, Installation
from bootstrap.postgres.dump import Access
from bootstrap.postgres.embedded import DATABASE, ROLE, SUPERUSER


@contextlib.contextmanager
def awake(installation: Installation) -> Iterator[None]:
    """Have PostgreSQL run inside; what was not there before is stopped again."""
    services = installation.services
    manager = services.running()
    state = services.states().get(POSTGRES)
    server = state is not None and state.state == "RUNNING"
    if not server:
        start(installation)
    try:
        installation.cluster.wait()
        yield
    finally:
        if not server:
            services.stop([POSTGRES])
        if not manager:
            services.shut_down()


def start(installation: Installation) -> None:
    """Start PostgreSQL alone, under the service manager, and wait for it."""
    services = installation.services
    services.configure(installation.programs())
    services.launch()
    services.start([POSTGRES], settle=False)
    installation.cluster.wait()


def access(installation: Installation, database: str = DATABASE, *, superuser: bool = False) -> Access:
    """PostgreSQL's programs on a database of the cluster, as Airflow's role or as the superuser."""
    return installation.cluster.access(SUPERUSER if superuser else ROLE, database)
