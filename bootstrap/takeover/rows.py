"""The rows of the old database in the new one: the schema as it was, the rows, and what became of them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

from bootstrap.airflow.command import program
from bootstrap.airflow.differences import DATABASE_URL
from bootstrap.base import process
from bootstrap.base.secret import Secret
from bootstrap.installed.installation import Installation
from bootstrap.takeover.archive import TakeOverFailed
from bootstrap.takeover.staging import Staging
from wheelhouse import codec

# A large database takes hours; this is only the end of one that hangs.
_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class RowsLeft:
    """So many `rows` of a table that were not taken over, and `why`."""

    table: str
    rows: int
    why: str


@dataclass(frozen=True)
class Counted:
    """The rows of a table `before`, in the old database, and `after`, in the new one."""

    table: str
    before: int
    after: int


@dataclass(frozen=True)
class Copied:
    """What ``bootstrap.airflow.tablecopy`` did.

    `time` is in seconds since 1970, `encrypted` the number of values that were in plain text before.
    """

    time: float
    tables: Tuple[Counted, ...]
    left: Tuple[RowsLeft, ...]
    encrypted: int

    def unexplained(self) -> List[str]:
        """The tables whose rows are not all accounted for; empty, or the copy is not to be trusted."""
        lost: Dict[str, int] = {}
        for item in self.left:
            lost[item.table] = lost.get(item.table, 0) + item.rows
        return [
            f"{item.table}: {item.before:,} rows before, {item.after:,} after"
            for item in self.tables
            if item.before != item.after + lost.get(item.table, 0)
        ]


def copied(installation: Installation) -> Copied | None:
    """What became of the rows; None before they are there. The database is up."""
    query = "SELECT obj_description(to_regclass('alembic_version'), 'pg_class')"
    text = installation.database.query(query)
    try:
        data: Any = json.loads(text) if text else None
        return codec.decode(Copied, {**data, "time": float(data["time"])}) if data else None
    except (ValueError, KeyError, TypeError):
        return None


def revision(installation: Installation) -> str:
    """The revision of the schema in PostgreSQL; "" where there is none."""
    if not installation.database.query("SELECT to_regclass('alembic_version')"):
        return ""
    return installation.database.query("SELECT max(version_num) FROM alembic_version")


def has_history(installation: Installation) -> bool:
    """Whether there are runs in PostgreSQL."""
    query = installation.database.query
    return bool(query("SELECT to_regclass('dag_run')")) and query("SELECT count(*) FROM dag_run") != "0"


def make_schema(installation: Installation, wanted: str) -> None:
    """Make the empty tables as that revision has them; raises CommandFailed, :class:`TakeOverFailed`.

    Airflow 2 has every migration since the first one, and from 2.7 on stops at any. The others make their
    newest tables, and take migrations back while there are no rows.
    """
    numbers = installation.version.numbers
    what = f"make the tables of revision {wanted}"
    if numbers < (2, 3, 0):  # it knows no other revision than its own, which has been compared
        _run(installation, [("db", "init")], what)
    elif numbers < (3, 0, 0):
        name = "migrate" if numbers >= (2, 7, 0) else "upgrade"
        # at the revision it looks for its default pool as the newest table has it, in vain
        _run(installation, [("db", name, "--to-revision", wanted)], what, ok=(0, 1))
    else:
        _run(installation, [("db", "migrate")], what)
    if revision(installation) != wanted and numbers >= (2, 3, 0):
        _run(installation, [("db", "downgrade", "--yes", "--to-revision", wanted)], what)
    found = revision(installation)
    if found != wanted:
        raise TakeOverFailed(
            f"Airflow {installation.receipt.airflow} did not make the tables of revision {wanted}.",
            found=f"revision {found or 'none'}",
            hint=f"Its output is in {installation.home.install_log}.",
        )


def copy(installation: Installation, staging: Staging, *, encrypt: bool) -> Copied:
    """Copy all rows that lie there; raises CommandFailed, :class:`TakeOverFailed`."""
    airflow = installation.airflow
    asked = {
        "source": str(staging.database if staging.database.exists() else staging.contents),
        "database": DATABASE_URL.at(installation.version.numbers),
        "encrypt": encrypt,
    }
    process.run(
        [airflow.venv / "bin" / "python", "-c", program("tablecopy.py", "tablekeys.py")],
        what="copy the rows of the old database",
        env=airflow.environment(),
        stdin=Secret(json.dumps(asked)),
        timeout=_SECONDS,
        log=installation.home.install_log,
    )
    found = copied(installation)
    if found is None:
        raise TakeOverFailed(
            "The rows of the old database are not in the new one.",
            hint=f"The output is in {installation.home.install_log}.",
        )
    return found


def has_account(installation: Installation, user: str) -> bool:
    """Whether FAB has an account of that name."""
    names = installation.database.query("SELECT username FROM ab_user").splitlines()
    return user in [name.strip() for name in names]


def dags_with_runs(installation: Installation) -> Dict[str, int]:
    """The DAGs of the old one that have runs, with their numbers, the most first."""
    rows = installation.database.query(
        "SELECT dag_id, count(*) FROM dag_run GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1000"
    )
    pairs = (row.split("\t") for row in rows.split("\n") if row)
    return {name: int(count) for name, count in pairs}


def parsed_since(installation: Installation, seconds: float) -> List[str]:
    """The DAGs that the scheduler has read from a file since then (seconds since 1970)."""
    rows = installation.database.query(
        f"SELECT dag_id FROM dag WHERE last_parsed_time > to_timestamp({seconds:.3f})"  # noqa: S608  (a number)
    )
    return [row for row in rows.split("\n") if row]


def _run(
    installation: Installation, commands: Sequence[Sequence[str]], what: str, ok: Sequence[int] = (0,)
) -> None:
    """Run commands that change the schema, with no DAG files: they would be written into the newest one."""
    with tempfile.TemporaryDirectory(prefix="dags-", dir=str(installation.home.run)) as empty:
        airflow = installation.airflow.told(AIRFLOW__CORE__DAGS_FOLDER=empty)
        airflow.run_batch(commands, what=what, timeout=_SECONDS, ok=ok)
