"""An old Airflow's home, with the database that a real one of that release made with real runs.

``tests/e2e/data/airflow-VERSION.tar.gz``: airflow.cfg, SQLite as SQL, DAG files, a plugin. Made by
``db init`` (or ``migrate``), ``users create``, ``connections add``, ``variables set``, ``pools set`` and runs
of one DAG of three tasks; the home's path was replaced by ``@HOME@``.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "e2e" / "data"
# what they were made with
DAG = "etl_daily"
CONNECTION, PASSWORD = "warehouse", "s3cret/pass"
USER = "kim"


def make(version: str, home: Path) -> Path:
    """Lay a home of that release out, as this account."""
    home.mkdir(parents=True)
    with tarfile.open(DATA / f"airflow-{version}.tar.gz") as archive:
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
            path = home / member.name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    return home


def own(home: Path, uid: int, gid: int) -> None:
    """Give a home to an account."""
    for path in (home, *home.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)


def contents(home: Path) -> dict[str, bytes]:
    """Every file of a home: nothing of it may change."""
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def taken(host: Any, home: Path, result: dict[str, Any], runs: int) -> None:
    """See that all of it is in a real installation: asked of the web server, the database and Airflow."""
    notes = "\n".join(result["notes"])
    # a DAG that was switched on may have run since
    shown = re.search(rf"The pages show (\d+) runs of the DAG {DAG}\.", notes)
    assert shown is not None and int(shown[1]) >= runs, notes
    assert "counted on both sides" in notes
    assert "Not taken over" not in notes, notes
    assert [step["state"] for step in result["steps"] if step["name"].startswith("take-over")] == ["done"] * 6
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
    first = min(row.get("logical_date") or row["execution_date"] for row in rows)
    assert first == "2024-01-01T00:00:00+00:00"
