"""One real installation that lives through upgrades, and what must not be lost on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.hosts import Host
from tests.e2e.matrix import query
from tests.support import exposure
from tests.support.postgres import RealServer

PASSWORD = "Passw0rd-of-a-connection"
# What a bundle changes when it is installed: all of it has to come back.
STATE = ("airflow.cfg", "receipt.json", "bin/airflow", "bin/airferry", "etc/environment.sh", "current")


@dataclass
class Life:
    """The installation, the bundle that it came from, and the newer one; `server` is an external one."""

    host: Host
    home: Path
    old: Path
    new: Path
    server: RealServer | None = None

    def install(self, bundle: Path, *more: str | Path) -> list[str]:
        return [
            "sh", str(bundle), "install", "--home", str(self.home), "--python", self.host.python, "--json",
            *map(str, more),
        ]  # fmt: skip

    def airferry(self, *arguments: str | Path, status: int = 0) -> Any:
        return self.host.json(self.home / "bin" / "airferry", *arguments, "--json", status=status)

    def stop(self) -> None:
        ran = self.host.run(self.home / "bin" / "airferry", "stop")
        assert ran.returncode == 0, ran.stderr

    def airflow(self, *arguments: str) -> str:
        ran = self.host.run(self.home / "bin" / "airflow", *arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def sql(self, text: str) -> list[str]:
        if self.server:
            receipt = json.loads((self.home / "receipt.json").read_text())
            return self.server.sql(text, receipt["database"]["name"]).replace("|", " ").split()
        return query(self.host, self.home, text)

    def version(self) -> str:
        return str(self.airferry("status")["airflow"])

    def state(self) -> dict[str, str]:
        """The files that belong to a release, and where the link leads."""
        found = {name: (self.home / name).read_text() for name in STATE[:-1]}
        return {**found, "current": str((self.home / "current").readlink())}

    def add_connection(self, name: str = "carried") -> None:
        self.airflow("connections", "add", name, "--conn-type", "http", "--conn-password", PASSWORD)

    def secret_of_connection(self, name: str = "carried") -> str:
        """The password of a connection: it is stored under the fernet key."""
        said = self.airflow("connections", "get", name, "-o", "json")
        return str(json.loads(said[said.index("[{") :])[0]["password"])

    def data(self) -> tuple[list[str], list[str]]:
        """What must not be lost: runs of DAGs, accounts."""
        return self.sql("SELECT run_id FROM dag_run WHERE state = 'success' ORDER BY 1"), self.sql(
            "SELECT username FROM ab_user ORDER BY 1"
        )

    def schema(self) -> list[str]:
        """Every column of every table, as one checksum."""
        columns = "table_name || column_name || data_type || is_nullable"
        return self.sql(
            f"SELECT count(*), md5(string_agg({columns}, ',' ORDER BY table_name, column_name))"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        )

    def whole(self) -> None:
        """Nothing half-made is left, and nothing is open to others."""
        exposure.assert_closed(self.home)
        assert not [path.name for path in (self.home / "run").glob("change*")]
        assert not (self.home / "run" / "halted").exists()
        if not self.server:
            assert self.sql("SELECT datname FROM pg_database WHERE datname LIKE 'airflow%'") == ["airflow"]
            assert not list(self.home.glob("postgres.*"))
        assert not list(self.home.glob("backups/.*")) + list(self.home.glob("releases/.*"))
