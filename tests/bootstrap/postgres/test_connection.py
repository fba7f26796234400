"""URLs of databases: read, refused, and written for each driver; and libpq's password file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bootstrap.airflow.database import urls
from bootstrap.base.secret import Secret
from bootstrap.postgres import connection, passfile
from bootstrap.postgres.connection import Connection, DatabaseUrlInvalid

PLAIN = Connection("db.example", 5432, "airflow", "air")


def parse(text: str, home: Path = Path("/nowhere")) -> Connection:
    return connection.parse(text, home=home)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://air@db.example/airflow", PLAIN),
        ("postgres://air@db.example:5432/airflow", PLAIN),
        ("postgresql://air@db.example:/airflow", PLAIN),
        ("postgresql://air@[::1]:6543/a", Connection("::1", 6543, "a", "air")),
        ("postgresql://a%40b%2F@10.0.0.1/d%20%25", Connection("10.0.0.1", 5432, "d %", "a@b/")),
        ("postgresql://%ED%95%9C@h/%ED%95%9C?sslmode=require", Connection("h", 5432, "한", "한", "require")),
    ],
)
def test_urls(text: str, expected: Connection) -> None:
    assert parse(text) == expected
    # what root writes for the account says the same
    assert parse(expected.url("postgresql", None, expected.tls).reveal()) == expected


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("mysql://air@h/d", ["not with postgresql://"]),
        ("postgresql+psycopg2://air@h/d", ["not with postgresql://"]),
        ("postgresql://h", ["no role", "no database"]),
        ("postgresql://air@/d", ["no host"]),
        ("postgresql://air@%2Frun%2Fpostgresql/d", ["no host"]),
        ("postgresql://air@a,b/d", ["several hosts"]),
        ("postgresql://air@h:70000/d", ["70000 is not a port"]),
        ("postgresql://air@h:x/d", ["not a host and port"]),
        ("postgresql://air@h/a/b", ["a/b is not a valid database name"]),
        ("postgresql://air@h/d%0A", ["control character"]),
        ("postgresql://air@h/d?sslmode=on&options=-c", ["sslmode=on", "options= is not supported"]),
    ],
)
def test_urls_that_cannot_be_used(text: str, problems: list[str]) -> None:
    with pytest.raises(DatabaseUrlInvalid) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    for problem in problems:
        assert problem in caught.value.found


@pytest.mark.parametrize(
    "text",
    ["postgresql://air:s3cret@h/d", "postgresql://air@h/d?password=s3cret", "postgresql://:s3cret@h/d"],
)
def test_password_in_a_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(DatabaseUrlInvalid) as caught:
        parse(text)
    shown = repr(caught.value.as_dict()) + str(caught.value)
    assert "s3cret" not in shown
    assert "--postgres-password-file" in caught.value.hint


def test_root_certificate(tmp_path: Path) -> None:
    root = tmp_path / ".postgresql" / "root.crt"
    with pytest.raises(DatabaseUrlInvalid, match="cannot be read") as caught:
        parse("postgresql://a@h/d?sslmode=verify-full", tmp_path)
    assert str(root) in caught.value.message
    root.parent.mkdir()
    root.write_text("x")
    assert parse("postgresql://a@h/d?sslmode=verify-full", tmp_path).sslrootcert == str(root)
    named = tmp_path / "c a.pem"
    named.write_text("x")
    found = parse(f"postgresql://a@h/d?sslmode=verify-ca&sslrootcert={tmp_path}/c%20a.pem", tmp_path)
    assert found.sslrootcert == str(named)


def test_what_libpq_is_given() -> None:
    found = Connection("::1", 5433, "d", "r", "verify-full", "/ca.pem", Path("/pgpass"))
    assert found.arguments == ("-w", "-h", "::1", "-p", "5433", "-U", "r", "-d", "d")
    assert found.environment == {
        "PGPASSFILE": "/pgpass", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca.pem",
        "PGCONNECT_TIMEOUT": "10",
    }  # fmt: skip
    assert found.address == "[::1]:5433"


@pytest.mark.parametrize(
    ("version", "sync", "async_"),
    [
        ((2, 2, 2), "sslmode", ""),
        ((2, 11, 2), "sslmode", ""),
        ((3, 0, 6), "dsn", ""),
        ((3, 3, 2), "sslmode", "dsn"),
    ],
)
def test_urls_of_airflow(version: tuple[int, int, int], sync: str, async_: str) -> None:
    password = Secret("p@ss:/%?#한 ")
    assert urls(version, PLAIN, password).async_ is None
    found = Connection("::1", 5433, "d d", "r@x", "verify-full", "/c a.pem")
    made = urls(version, found, password)
    parts = urlsplit(made.sync.reveal())
    assert (parts.scheme, parts.hostname, parts.port) == ("postgresql+psycopg2", "::1", 5433)
    assert "#" not in parts.netloc and parts.path == "/d d"
    inside = {"dsn": ["postgresql:///?sslmode=verify-full&sslrootcert=%2Fc+a.pem"]}
    plain = {"sslmode": ["verify-full"], "sslrootcert": ["/c a.pem"]}
    assert parse_qs(parts.query) == (inside if sync == "dsn" else plain)
    assert (made.async_ is not None) == bool(async_)
    if made.async_:
        assert parse_qs(urlsplit(made.async_.reveal()).query) == inside
    assert password.reveal() not in repr(made)


def test_password_file(tmp_path: Path) -> None:
    path = tmp_path / ".pgpass"
    path.write_text(
        "# comment:with:four:colons:x\nother:*:*:*:no\n*:5433:*:air:no\n"
        "db.example:5432:airflow:air:a\\:b\\\\c:d\n*:*:*:*:last\n"
    )
    path.chmod(0o600)
    environ = {"HOME": str(tmp_path)}
    assert passfile.find(PLAIN, environ) == Secret("a:b\\c:d")
    named = tmp_path / "named"
    named.write_text(passfile.entry(PLAIN, Secret("x:\\y")).reveal() + "\n")
    named.chmod(0o600)
    assert passfile.find(PLAIN, {**environ, "PGPASSFILE": str(named)}) == Secret("x:\\y")
    assert passfile.find(PLAIN, {**environ, "PGPASSFILE": str(tmp_path / "none")}) is None
    path.chmod(0o644)  # libpq ignores it then
    assert passfile.find(PLAIN, environ) is None
