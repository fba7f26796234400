"""The choice of an external server: what --postgres says, whose password it is, and that it stays."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.commands import database
from bootstrap.facts.server import Passwords
from bootstrap.installed import external
from bootstrap.installed import options as choosing
from bootstrap.installed.external import DatabaseChoice, DatabaseChoiceFixed
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.postgres.connection import Connection
from bootstrap.state import receipt
from bootstrap.state.home import Home
from bootstrap.state.receipt import Database, Receipt
from tests.support import receipts
from wheelhouse.reader import Bundle

URL = "postgresql://air@db.example/airflow"
THERE = Connection("db.example", 5432, "airflow", "air")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "airflow")
    found.secrets.mkdir(parents=True)
    return found


def earlier(home: Home, database: Database | None = None, **changes: object) -> Receipt:
    value = replace(receipts.sample(home.path), **changes)  # type: ignore[arg-type]
    value = replace(value, database=database) if database else value
    receipt.save(home.receipt, value)
    return value


def choose(bundle: Path, options: Options) -> Receipt:
    with Bundle.open(bundle) as opened:
        return choosing.choose(options, opened)


def test_what_postgres_says(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pw\n")
    assert database.whose(None) == ("", None)
    assert database.whose("carried") == ("carried", None)
    assert database.whose("host") == ("host", None)
    assert database.whose(URL, password, "dba", adopt=True) == (
        "", DatabaseChoice(THERE, "dba", True, Passwords(Secret("pw"))),
    )  # fmt: skip
    with pytest.raises(InvalidOption, match="--postgres mine is not valid"):
        database.whose("mine")
    for given in ({"password_file": password}, {"admin": "dba"}, {"adopt": True}):
        with pytest.raises(InvalidOption, match="without a server"):
            database.whose("carried", **given)
    password.write_text("\n")
    with pytest.raises(InvalidOption, match="contains no password"):
        database.whose(URL, password)


def test_fresh_install(home: Home, tiny_bundle: Path) -> None:
    connection = replace(THERE, sslmode="verify-full", sslrootcert="/root/ca.pem")
    chosen = choose(tiny_bundle, Options(home, external=DatabaseChoice(connection)))
    assert chosen.database == Database(
        "db.example", 5432, "airflow", "air", "", "", "external", "verify-full",
        str(home.etc / "postgres-ca.pem"),
    )  # fmt: skip
    assert receipt.find(home.receipt) is None
    # its port is not on this host
    assert choose(tiny_bundle, Options(home, port=5432, external=DatabaseChoice(THERE))).web_port == 5432


def test_database_of_an_earlier_install_stays(home: Home, tiny_bundle: Path) -> None:
    there = external.database_of(DatabaseChoice(THERE), home, "15.18")
    earlier(home, there)
    assert choose(tiny_bundle, Options(home)).database == there
    again = choose(tiny_bundle, Options(home, external=DatabaseChoice(replace(THERE, sslmode="require"))))
    assert again.database == replace(there, sslmode="require")


@pytest.mark.parametrize("completed", ["", "2026-10-01T12:31:00Z"])
def test_another_choice_is_refused_once_there_is_a_database(
    home: Home, tiny_bundle: Path, completed: str
) -> None:
    there = external.database_of(DatabaseChoice(THERE), home)
    moved = Options(home, external=DatabaseChoice(replace(THERE, host="new.example")))
    earlier(home, there, completed=completed)
    if not completed:
        assert choose(tiny_bundle, moved).database.host == "new.example"
        assert choose(tiny_bundle, Options(home, postgres="carried")).database.kind == "private"
        return
    for options in (moved, Options(home, postgres="carried"), Options(home, postgres="host")):
        with pytest.raises(DatabaseChoiceFixed, match="has its database already") as caught:
            choose(tiny_bundle, options)
        assert caught.value.exit_code == 77
    adopted = replace(moved, external=DatabaseChoice(replace(THERE, host="new.example"), adopt=True))
    assert choose(tiny_bundle, adopted).database.host == "new.example"
    earlier(home)
    with pytest.raises(DatabaseChoiceFixed, match="has its database already"):
        choose(tiny_bundle, Options(home, external=DatabaseChoice(THERE, adopt=True)))


def test_private_cluster_is_not_left_behind(home: Home, tiny_bundle: Path) -> None:
    """The install was interrupted after initdb."""
    earlier(home, completed="")
    assert choose(tiny_bundle, Options(home, external=DatabaseChoice(THERE))).database.kind == "external"
    home.cluster.mkdir()
    with pytest.raises(DatabaseChoiceFixed):
        choose(tiny_bundle, Options(home, external=DatabaseChoice(THERE)))


def test_passwords(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGPASSFILE", raising=False)
    choice = DatabaseChoice(THERE, "dba")
    assert external.passwords(choice, home, None) == Passwords()
    (tmp_path / ".pgpass").write_text("*:*:airflow:air:filed\n*:*:postgres:dba:admin\n")
    (tmp_path / ".pgpass").chmod(0o600)
    assert external.passwords(choice, home, None) == Passwords(Secret("filed"), Secret("admin"))
    # one of a private cluster opens no other server
    secret.write(home.postgres_password, Secret("kept"))
    assert external.passwords(choice, home, earlier(home)).role == Secret("filed")
    there = earlier(home, external.database_of(choice, home))
    assert external.passwords(choice, home, there).role == Secret("kept")
    given = replace(choice, passwords=Passwords(Secret("given")))
    assert external.passwords(given, home, there) == Passwords(Secret("given"), Secret("admin"))


def test_nobody_is_asked_without_a_terminal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    reading, _ = os.pipe()
    with os.fdopen(reading) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        options = database.with_passwords(Options(home, external=DatabaseChoice(THERE)), ask=True)
    assert options.external == DatabaseChoice(THERE)


def test_question_on_a_terminal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    ours, theirs = os.openpty()
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    with os.fdopen(theirs) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        monkeypatch.setattr("getpass.getpass", ask)
        role = database.with_passwords(Options(home, external=DatabaseChoice(THERE)), ask=True).external
        admin = database.with_passwords(
            Options(home, external=DatabaseChoice(THERE, "dba")), ask=True
        ).external
    os.close(ours)
    assert role and admin
    assert (role.passwords, admin.passwords) == (Passwords(Secret("typed")), Passwords(None, Secret("typed")))
    assert [text.split()[2] for text in asked] == ["air", "dba"]
