"""An external server for real: role and database made, asked, dumped and restored over TLS."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base import process, secret
from bootstrap.base.secret import Secret
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.embedded import PostgresFailed
from bootstrap.postgres.external import External
from bootstrap.postgres.refusal import DatabaseUnavailable, StatementFailed
from tests.support.postgres import PASSWORD, SUPERUSER, RealServer

_NUMBERS = itertools.count()
ROLE_PASSWORD = 'it\'s 100% \\secret/비밀 "quoted"'


@pytest.fixture
def external(server: RealServer, tmp_path: Path) -> External:
    """A database that is not made yet, under names that need quoting, reached with everything checked."""
    name = f'air\'flow "{next(_NUMBERS)}" \\한'
    password = tmp_path / "password"
    secret.write(password, Secret(ROLE_PASSWORD))
    found = Connection(
        "127.0.0.1", server.port, name, name, "verify-full", str(server.certificate), tmp_path / "pgpass"
    )
    return External(found, password, server.bin, process.environment())


@pytest.fixture
def chief(server: RealServer) -> str:
    """An administrator that is no superuser."""
    name = f"chief{next(_NUMBERS)}"
    server.role(name, PASSWORD, "CREATEROLE CREATEDB")
    return name


@pytest.mark.parametrize("admin", [SUPERUSER, "chief"])
def test_role_and_database_are_made(server: RealServer, external: External, chief: str, admin: str) -> None:
    server.sql("ALTER SYSTEM SET log_statement = 'all'")
    server.sql("SELECT pg_reload_conf()")
    before = len(server.log())
    assert not external.has_database()
    name = chief if admin == "chief" else admin
    for _ in range(2):  # the second time changes nothing
        external.create(name, Secret(PASSWORD))
        assert external.has_database()
    owner = "SELECT pg_get_userbyid(datdba) = current_user, pg_encoding_to_char(encoding), datcollate"
    assert external.query(f"{owner} FROM pg_database WHERE datname = current_database()") == "t\tUTF8\tC"
    assert external.query("CREATE TABLE t (x text); INSERT INTO t VALUES ('한\t'), (NULL); TABLE t") == "한"
    rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert external.query(rights) == "f"
    assert server.sql(f"SELECT count(*) FROM pg_auth_members WHERE member = '{chief}'::regrole") == "0"
    log = server.log()[before:]
    assert "CREATE ROLE" in log
    for password in (ROLE_PASSWORD, ROLE_PASSWORD.replace("'", "''"), PASSWORD):
        assert password not in log


def test_what_is_there_is_not_touched(server: RealServer, external: External) -> None:
    server.role("theirs", "pw")
    server.database("theirs", SUPERUSER)
    mine = replace(external, connection=replace(external.connection, user="theirs", database="theirs"))
    before = server.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'theirs'")
    mine.create(SUPERUSER, Secret(PASSWORD))
    assert server.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'theirs'") == before
    assert server.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'theirs'") == SUPERUSER


def test_administrator_without_the_right(server: RealServer, external: External) -> None:
    server.role("weak", PASSWORD)
    with pytest.raises(StatementFailed, match="refused a statement") as caught:
        external.create("weak", Secret(PASSWORD))
    assert "permission denied" in caught.value.found
    with pytest.raises(DatabaseUnavailable) as wrong:
        external.create("weak", Secret("wrong"))
    assert wrong.value.sqlstate == "28P01"


def test_waiting_ends_at_once_for_a_wrong_password(external: External) -> None:
    external.create(SUPERUSER, Secret(PASSWORD))
    external.wait()
    secret.write(external.password_file, Secret("wrong"))
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match="cannot be used"):
        external.wait()
    assert time.monotonic() - started < 3
    assert not external.ready()


@pytest.fixture
def run(external: External) -> Callable[..., str]:
    """Run one of PostgreSQL's programs on the database."""

    def run(program: str, *arguments: str | Path) -> str:
        with external.clients() as clients:
            command = [str(part) for part in clients.command(program, *arguments)]
            assert not any(ROLE_PASSWORD in text for text in [*command, *clients.env.values()])
            ran = subprocess.run(command, env=dict(clients.env), capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr
            return ran.stdout

    return run


def test_programs_without_tls_of_their_own(
    server: RealServer, external: External, run: Callable[..., str], tmp_path: Path
) -> None:
    """They go through our TLS, and know no password; a big dump comes back as it was."""
    external.create(SUPERUSER, Secret(PASSWORD))
    external.query(
        "CREATE TABLE t AS SELECT n, md5(n::text) || '한' AS x FROM generate_series(1, 200000) AS n"
    )
    seen = "SELECT version, application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
    said = run("psql", "-X", "-A", "-t", "-c", f"{seen} WHERE pid = pg_backend_pid()")
    assert said == "TLSv1.3|psql\n"
    dump = tmp_path / "dump"
    run("pg_dump", "-F", "d", "-j", "3", "-f", dump)  # several connections at once
    total = "SELECT count(*), sum(n), md5(string_agg(x, '' ORDER BY n)) FROM t"
    before = external.query(total)
    external.query("DROP TABLE t")
    run("pg_restore", "--exit-on-error", "--no-owner", dump)
    assert external.query(total) == before


def test_programs_are_told_why_they_are_not_let_in(external: External) -> None:
    external.create(SUPERUSER, Secret(PASSWORD))
    with external.clients() as clients:
        secret.write(external.password_file, Secret("wrong"))
        command = [str(part) for part in clients.command("psql", "-X", "-c", "SELECT 1")]
        folder = Path(clients.connection.host)
        assert folder.stat().st_mode & 0o077 == 0
        # the password was read when the way was opened
        assert subprocess.run(command, env=dict(clients.env), check=False).returncode == 0
    assert not folder.exists()
    with pytest.raises(DatabaseUnavailable), external.clients():
        pass
    gone = subprocess.run(command, env=dict(clients.env), capture_output=True, check=False)
    assert gone.returncode == 2


def test_programs_of_the_host(external: External) -> None:
    external.create(SUPERUSER, Secret(PASSWORD))
    with replace(external, carried=None).clients() as clients:
        assert (clients.programs / "pg_dump").exists()
    plain = replace(external, connection=replace(external.connection, sslmode="disable"))
    secret.write(
        external.connection.passfile or Path(), Secret("*:*:*:*:" + ROLE_PASSWORD.replace("\\", "\\\\"))
    )
    with plain.clients() as clients:
        assert clients.connection.host == "127.0.0.1"
        command = [str(part) for part in clients.command("psql", "-X", "-A", "-t", "-c", "SELECT 42")]
        ran = subprocess.run(command, env=dict(clients.env), capture_output=True, text=True, check=False)
        assert ran.stdout == "42\n", ran.stderr


def test_no_programs_that_are_new_enough(external: External, monkeypatch: pytest.MonkeyPatch) -> None:
    external.create(SUPERUSER, Secret(PASSWORD))
    monkeypatch.setattr("bootstrap.postgres.host.clients", lambda major: None)
    found = replace(external, carried=None).clients()
    with pytest.raises(PostgresFailed, match="no PostgreSQL client programs for a server of"), found:
        pass
