"""An old Airflow's home, with the database that a real one of that release made with real runs.

``tests/e2e/data/airflow-NAME.tar.*``: airflow.cfg, DAG files, a plugin, task logs, and SQLite as SQL
(``airflow.sql``) or what pg_dump wrote (``database.sql``). Made by ``db init`` (or ``migrate``), ``users
create``, ``connections add``, ``variables set``, ``pools set`` and runs of one DAG of three tasks: of the
small ones all, of the large ones the first days by ``dags backfill``, the others by that release's models.
The home's path was replaced by ``@HOME@``, the address of the database by ``@URL@``. That on
PostgreSQL has the tables that 2.6.3 made there, and the rows of the one on SQLite.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from tests.support.postgres import RealServer

DATA = Path(__file__).resolve().parents[1] / "e2e" / "data"
ROOT = Path(__file__).resolve().parents[2]
# what they were made with
DAG = "etl_daily"
CONNECTION, PASSWORD = "warehouse", "s3cret/pass"
USER = "kim"
# of the large ones
USERS = {"kim": "Kim-Has-9-Words", "viewer": "Viewer-Has-8"}
ROLE_PASSWORD = "Kim-Pw-1"
# tables to which a new Airflow adds nothing by itself
SAME = ("connection", "variable", "task_reschedule", "ab_user_role")
_LOGIN = """
import sys
from pathlib import Path
from bootstrap.airflow import health
from bootstrap.base.secret import Secret
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt
here = Installation(receipt.find(Path(sys.argv[1], "receipt.json")))
print(health.login(here.version, here.web, sys.argv[2], Secret(sys.stdin.read())).runs(sys.argv[3]))
"""


def make(version: str, home: Path, server: RealServer | None = None) -> Path:
    """Lay a home of that release out, as this account; its database on a `server` where it was on one."""
    home.mkdir(parents=True)
    (packed,) = DATA.glob(f"airflow-{version}.tar.*")
    with tarfile.open(packed) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            data = content.read().replace(b"@HOME@", os.fsencode(home))
            if member.name == "airflow.sql":
                database = sqlite3.connect(home / "airflow.db")
                database.executescript("PRAGMA synchronous = OFF;\n" + data.decode())
                database.commit()
                database.close()
                continue
            if member.name == "database.sql":
                assert server is not None
                load(server, data)
                continue
            if server is not None:
                data = data.replace(b"@URL@", address(server, f":{ROLE_PASSWORD}").encode())
            path = home / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return home


def address(server: RealServer, password: str = "") -> str:
    """Where the old database is on that server."""
    return f"postgresql://{USER}{password}@127.0.0.1:{server.port}/old"


def load(server: RealServer, sql: bytes) -> None:
    """Fill a database of that role's with what pg_dump has written; the role may only read it."""
    server.role(USER, ROLE_PASSWORD)
    server.database("old", "postgres")
    script = server.folder / "database.sql"
    script.write_bytes(sql)
    script.chmod(0o644)
    server.run(
        "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.folder, "-p", str(server.port),
        "-U", "postgres", "-d", "old", "-o", "/dev/null", "-f", script,
    )  # fmt: skip
    server.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {USER}", "old")


def own(home: Path, uid: int, gid: int) -> None:
    """Give a home to an account."""
    for path in (home, *home.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)


def contents(home: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file of a home, with its mode and time: nothing of it may change."""
    return {
        str(path.relative_to(home)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
        for path in home.rglob("*")
        if path.is_file()
    }


def taken(host: Any, home: Path, result: dict[str, Any], runs: int, first: str = "2024-01-01") -> None:
    """See that all of it is in a real installation: asked of the web server, the database and Airflow."""
    notes = "\n".join(result["notes"])
    # a DAG that was switched on may have run since
    shown = re.search(rf"The pages show ([\d,]+) runs of the DAG {DAG}\.", notes)
    assert shown is not None and int(shown[1].replace(",", "")) >= runs, notes
    assert "counted on both sides" in notes
    # of no table of this release
    lost = [line for line in result["notes"] if line.startswith("Not taken over")]
    assert [line for line in lost if "celery_taskmeta" not in line] == []
    assert {step["name"] for step in result["steps"] if step["name"].startswith("take-over")} == {
        f"take-over-{name}" for name in ("files", "settings", "schema", "rows", "account", "proof")
    }
    airflow = home / "bin" / "airflow"
    said = host.run(airflow, "connections", "get", CONNECTION, "-o", "json").stdout
    (connection,) = json.loads(said[said.index("[{") :])
    assert connection["password"] == PASSWORD
    said = host.run(airflow, "variables", "get", "target").stdout
    assert '"schema": "dw"' in said
    assert "slow" in host.run(airflow, "pools", "list", "-o", "plain").stdout
    users = host.run(airflow, "users", "list", "-o", "plain").stdout
    assert USER in users
    assert "airferry-takeover" not in users
    said = host.run(airflow, "dags", "list-runs", "-d", DAG, "-o", "json").stdout
    if "[{" not in said:  # Airflow 3 takes the DAG's id without an option
        said = host.run(airflow, "dags", "list-runs", DAG, "-o", "json").stdout
    rows = json.loads(said[said.index("[{") :])
    assert len(rows) >= runs
    # time zones: UTC there, UTC here
    found = min(row.get("logical_date") or row["execution_date"] for row in rows)
    assert found == f"{first}T00:00:00+00:00"


def runs_seen_by(host: Any, home: Path, user: str) -> int:
    """Log in with the password that the old Airflow knew, and count the runs of the DAG; AssertionError."""
    ran = subprocess.run(
        [sys.executable, "-c", _LOGIN, str(home), user, DAG], input=USERS[user], text=True, cwd=ROOT,
        preexec_fn=host.namespace.enter, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)
