"""The metadata database: a cluster, its server, and the database with the role that owns it."""

from __future__ import annotations

from bootstrap.installed import meeting
from bootstrap.installed.installation import POSTGRES, Installation
from bootstrap.postgres.embedded import Access
from bootstrap.state import marker


class ClusterStep:
    """Make the private PostgreSQL cluster."""

    name = "cluster"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        receipt = self.installation.receipt
        return (
            f"Create a PostgreSQL {receipt.database.server} cluster in {self.installation.home.cluster}"
            f" (127.0.0.1:{receipt.database.port})"
        )

    def done(self) -> bool:
        """Whether the cluster is there and configured."""
        return self.installation.cluster.is_configured(self._connections(), self._access())

    def apply(self) -> None:
        """Run initdb, or only write the configuration; a server that runs with another one is stopped."""
        cluster, services = self.installation.cluster, self.installation.services
        if not cluster.exists():
            # a new cluster knows nothing of what an earlier one had
            marker.forget(self.installation.home)
            cluster.create()
        self.installation.stop(self.installation.components)
        services.stop([POSTGRES])
        cluster.configure(self._connections(), self._access())

    def _access(self) -> Access:
        return Access(*meeting.access(self.installation))

    def _connections(self) -> int:
        return max(100, self.installation.executor.connections(self.installation.receipt.parallelism).enough)


class DatabaseStep:
    """Start the server and make the role and its database."""

    name = "database"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        database = self.installation.receipt.database
        return f"Start PostgreSQL and create the database {database.name} owned by {database.role}"

    def done(self) -> bool:
        """Whether the server runs and the role can log in to its database."""
        services = self.installation.services
        state = services.states().get(POSTGRES)
        return state is not None and state.state == "RUNNING" and self.installation.cluster.has_database()

    def apply(self) -> None:
        """Start supervisor and the server, then run the SQL."""
        services, cluster = self.installation.services, self.installation.cluster
        services.configure(self.installation.programs())
        services.launch()
        services.start([POSTGRES], settle=False)
        cluster.wait()
        cluster.create_database()
