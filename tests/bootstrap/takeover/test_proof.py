"""What a step of a take-over that failed or was killed leaves: nothing that counts as done, no password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow import health
from bootstrap.airflow.command import Airflow
from bootstrap.base import smallfile
from bootstrap.base.secret import Secret
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.facts.old_database import OldDatabase
from bootstrap.installed.installation import Installation
from bootstrap.takeover import rows
from bootstrap.takeover.history import HistoryStep
from bootstrap.takeover.rows import Copied, Counted, RowsLeft
from bootstrap.takeover.steps import RowsStep
from tests.support import receipts
from wheelhouse import codec

LEFT = ("airflow.db", "tables.json", "fernet-key", "airflow.cfg", "tables/0")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(receipts.sample(tmp_path))


def copied(before: int, after: int) -> Copied:
    return Copied(1.0, (Counted("dag_run", before, after),), (RowsLeft("dag_run", 1, "why"),), 0)


def test_rows_that_were_lost_are_not_passed_over_by_the_next_run(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [copied(5, 4), copied(5, 3), None]
    monkeypatch.setattr(rows, "copied", lambda _: found.pop())
    assert [RowsStep(installation).done() for _ in range(3)] == [False, False, True]


def test_old_passwords_go_before_the_proof_counts(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = HistoryStep(installation)
    for name in LEFT:
        (step.staging.path / name).parent.mkdir(parents=True, exist_ok=True)
        (step.staging.path / name).write_text("secret")
    monkeypatch.setattr(rows, "copied", lambda _: copied(5, 4))
    monkeypatch.setattr(rows, "dags_with_runs", lambda _: {})

    def full(*_: object) -> None:
        assert [name for name in LEFT if (step.staging.path / name).exists()] == []
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(smallfile, "write", full)
        with pytest.raises(OSError, match="No space"):
            step.apply()
    assert not step.done()
    step.apply()
    assert step.done()


@pytest.mark.parametrize("killed", [False, True])
def test_account_that_a_killed_proof_has_left_is_made_anew(
    killed: bool, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow keeps the password of an account that is there, and says so as if it were no error."""
    step = HistoryStep(installation)
    user = installation.receipt.admin_user
    old = OldAirflow("/old", "kim", 1, 1, OldDatabase("sqlite", "/old/airflow.db", users=(user,)))
    step.staging.path.mkdir(parents=True)
    step.staging.look.write_text(codec.dumps(old))
    installation.home.secrets.mkdir(parents=True)
    installation.home.admin_password.write_text("new\n")
    done: list[str] = []
    passwords: list[str] = []

    class Session:
        def runs(self, _: str) -> int:
            return 7

    def login(_version: object, _web: object, _user: str, password: Secret) -> Session:
        passwords.append(password.reveal())
        return Session()

    def made(_: Airflow, _commands: Any, *, secrets: tuple[Secret, ...], **_more: object) -> None:
        done.append("made")
        passwords.extend(item.reveal() for item in secrets)

    monkeypatch.setattr(rows, "has_account", lambda *_: killed)
    monkeypatch.setattr(Airflow, "run", lambda *words, **_: done.append(words[2]))
    monkeypatch.setattr(Airflow, "run_batch", made)
    monkeypatch.setattr(health, "login", login)
    assert step._runs("etl") == 7
    assert done == [*(["delete"] if killed else []), "made", "delete"]
    assert passwords[0] == passwords[1] != "new"
