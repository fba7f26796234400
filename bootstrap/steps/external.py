"""An external database: password and certificate kept here, role and database made when asked for."""

from __future__ import annotations

from pathlib import Path

from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.installed import external
from bootstrap.installed.configuration import ManagedSettings, keep
from bootstrap.installed.external import Handed
from bootstrap.installed.installation import Installation
from bootstrap.postgres import passfile
from bootstrap.state import marker


class ExternalDatabaseStep:
    """Write what Airflow and PostgreSQL's programs need to log in, and see that they can."""

    name = "database"

    def __init__(self, installation: Installation, handed: Handed) -> None:
        self.installation = installation
        self.handed = handed
        self.certificate = external.certificate(installation.home)
        # what airflow.cfg was last written for; it holds the password
        self.known = installation.home.secrets / "database-url"

    def describe(self) -> str:
        """One line for the admin."""
        receipt = self.installation.receipt.database
        made = f", which {self.handed.administrator} makes" if self.handed.administrator else ""
        address = self.installation.database.connection.address
        return f"Use the database {receipt.name} of {receipt.role} at {address}{made}"

    def done(self) -> bool:
        """Whether everything is written as it should be, and the role can log in."""
        password, certificate = self.handed.role, self.handed.certificate
        return (
            (password is None or password == external.stored(self.installation.home))
            and (certificate is None or certificate == self._text(self.certificate))
            and self._text(self.known).strip() == self.installation.database_urls().sync.reveal()
            and self.installation.database.has_database()
        )

    def apply(self) -> None:
        """Write the files, make what is missing, log in; raises DatabaseUnavailable, StatementFailed."""
        home, server = self.installation.home, self.installation.external
        if self.handed.role:
            secret.write(home.postgres_password, self.handed.role)
        if self.handed.certificate is not None:
            keep(self.installation, self.certificate, self.handed.certificate)
        password = secret.read(home.postgres_password)
        secret.write(home.secrets / "pgpass", passfile.entry(server.connection, password))
        if self.handed.administrator and not server.has_database():
            server.create(self.handed.administrator, self.handed.administrator_password)
        server.wait()
        self._tell_airflow()

    def _tell_airflow(self) -> None:
        """Have airflow.cfg written anew for another URL or password, and another database migrated."""
        url = self.installation.database_urls().sync.reveal()
        before = self._text(self.known).strip()
        if before == url:
            return
        if before.rpartition("@")[2] != url.rpartition("@")[2]:
            marker.forget(self.installation.home)
        # Celery has the results of its tasks there, and may have its messages
        ManagedSettings(self.installation).forget(
            "sql_alchemy_conn", "sql_alchemy_conn_async", "result_backend", "broker_url"
        )
        secret.write(self.known, Secret(url))

    def _text(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
