"""The step that makes a external server an installation's own, against a real server."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.installed import external
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.external import DatabaseChoice, Handed
from bootstrap.installed.installation import Installation
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.refusal import DatabaseUnavailable
from bootstrap.steps.external import ExternalDatabaseStep
from bootstrap.steps.secrets import FoldersStep
from tests.support import receipts
from tests.support.postgres import PASSWORD, SUPERUSER, RealServer


@pytest.fixture
def installation(server: RealServer, tmp_path: Path, request: pytest.FixtureRequest) -> Installation:
    """One with its folders, for a role and a database of its own that are not made yet."""
    found = receipts.sample(tmp_path / "home")
    name = f"step {abs(hash(request.node.name))}"
    there = Connection("127.0.0.1", server.port, name, name, "verify-full", str(server.certificate))
    receipt = replace(found, database=external.database_of(DatabaseChoice(there), Installation(found).home))
    made = Installation(receipt)
    FoldersStep(made.home, None).apply()
    return made


def handed(server: RealServer, **changes: object) -> Handed:
    """What an install with an administrator gets."""
    given = Handed(None, SUPERUSER, Secret(PASSWORD), server.certificate.read_text())
    return replace(given, **changes)  # type: ignore[arg-type]


def record(installation: Installation, **settings: str) -> dict[str, str]:
    """What airflow.cfg was written with, after adding `settings`."""
    path = ManagedSettings(installation).record
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    found.update(settings)
    path.write_text(json.dumps(found))
    return found


def test_made_then_nothing_is_left_to_do(server: RealServer, installation: Installation) -> None:
    step = ExternalDatabaseStep(installation, handed(server))
    assert SUPERUSER in step.describe()
    assert not step.done()
    step.apply()
    assert step.done()
    assert installation.database.query("SELECT current_user") == installation.receipt.database.role
    # the same command again, without an administrator
    again = ExternalDatabaseStep(installation, handed(server, administrator="", administrator_password=None))
    assert again.done()
    assert external.certificate(installation.home).read_text() == server.certificate.read_text()
    for path in installation.home.secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in installation.home.path.rglob("*"):
        if path.is_file():
            assert PASSWORD not in path.read_text(errors="replace"), path


def test_another_password_reaches_airflow(server: RealServer, installation: Installation) -> None:
    ExternalDatabaseStep(installation, handed(server)).apply()
    written = {"[database] sql_alchemy_conn": "***", "[celery] result_backend": "***"}
    record(installation, **{"[core] parallelism": "4", **written, "[celery] broker_url": "***"})
    (installation.home.run / "migrated-x").touch()
    role = installation.receipt.database.role
    server.sql(f"ALTER ROLE \"{role}\" PASSWORD 'n3w'")
    assert not installation.database.has_database()
    given = Handed(role=Secret("n3w"))
    changed = ExternalDatabaseStep(installation, given)
    assert not changed.done()
    changed.apply()
    assert changed.done()
    assert secret.read(installation.home.postgres_password) == Secret("n3w")
    # airflow.cfg is written anew for it, and nothing else is
    assert record(installation) == {"[core] parallelism": "4"}
    assert (installation.home.run / "migrated-x").exists()


def test_another_place_is_migrated_anew(server: RealServer, installation: Installation) -> None:
    ExternalDatabaseStep(installation, handed(server)).apply()
    (installation.home.run / "migrated-x").touch()
    there = replace(installation.receipt.database, host="localhost")
    moved = Installation(replace(installation.receipt, database=there))
    step = ExternalDatabaseStep(moved, Handed())
    assert not step.done()
    step.apply()
    assert step.done()
    assert not (installation.home.run / "migrated-x").exists()


def test_wrong_password_changes_nothing_in_airflow(server: RealServer, installation: Installation) -> None:
    ExternalDatabaseStep(installation, handed(server)).apply()
    record(installation, **{"[database] sql_alchemy_conn": "***"})
    with pytest.raises(DatabaseUnavailable) as caught:
        ExternalDatabaseStep(installation, Handed(role=Secret("wrong"))).apply()
    assert caught.value.exit_code == 75
    assert record(installation) == {"[database] sql_alchemy_conn": "***"}
