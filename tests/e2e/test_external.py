"""An installation on an external PostgreSQL, over TLS, in the closed network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosts import Host
from tests.support.accounts import Folder
from tests.support.postgres import RealServer, programs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ADMIN_PASSWORD = "Ch13f of%the:server/"
ASYNC = """
import asyncio
from sqlalchemy import text
from airflow import settings
async def ask():
    async with settings.async_engine.connect() as connection:
        sql = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
        return (await connection.execute(text(sql))).scalar()
print("asyncpg", asyncio.run(ask()))
"""


@pytest.fixture
def server(user_host: Host) -> Iterator[RealServer]:
    """The server on the closed network, with an administrator that is no superuser."""
    folder = programs()
    if folder is None or shutil.which("openssl") is None:
        pytest.skip("the distribution's PostgreSQL server and openssl are not installed")
    with Folder() as place:
        made = RealServer(place, folder, enter=user_host.namespace.enter, settings=["max_connections = 120"])
        made.create()
        made.start()
        try:
            made.role("chief", ADMIN_PASSWORD, "CREATEROLE CREATEDB")
            yield made
        finally:
            made.stop()


def test_install_on_a_external_server(bundle: Path, user_host: Host, server: RealServer) -> None:
    home = user_host.folder / "external"
    password = user_host.folder / "chief"
    password.write_text(ADMIN_PASSWORD + "\n")
    password.chmod(0o600)
    os.chown(password, user_host.uid, -1)
    # the certificate is for this address, and a name that is percent-encoded stays what it is
    url = (
        f"postgresql://air%20flow@127.0.0.1:{server.port}/air%2Dflow"
        f"?sslmode=verify-full&sslrootcert={server.certificate}"
    )
    install: list[str | Path] = [
        "sh", bundle, "install", "--home", home, "--python", user_host.python, "--json",
        "--service", "supervisor", "--postgres", url, "--parallelism", "2",
    ]  # fmt: skip
    admin: list[str | Path] = ["--postgres-admin-user", "chief", "--postgres-admin-password-file", password]
    command = home / "bin" / "airferry"
    try:
        made = user_host.json(*install, *admin)
        found = made["receipt"]["database"]
        assert (found["kind"], found["role"], found["name"]) == ("external", "air flow", "air-flow")
        assert found["server"].startswith("15.")
        assert found["sslrootcert"] == str(home / "etc" / "postgres-ca.pem")
        assert made["receipt"]["completed"]
        assert not (home / "postgres").exists()
        _lives_there(user_host, home, server)
        _keeps_secrets(home)

        again = user_host.json(*install)
        assert {step["state"] for step in again["steps"]} == {"already"}, again["steps"]
        moved = user_host.run(*install[:-3], "carried")
        assert moved.returncode == 77, moved.stdout

        assert user_host.run(command, "stop").returncode == 0
        assert user_host.processes(home) == []
        assert server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'air flow'") == "0"
        assert user_host.run(command, "start").returncode == 0
        assert user_host.run(command, "status").returncode == 0
        backup = user_host.run(command, "backup", "--verify")
        assert backup.returncode == 0, backup.stdout + backup.stderr

        server.stop()
        down = user_host.json(command, "status", "--json", status=33)
        (database,) = [item for item in down["components"] if item["name"] == "database"]
        assert (database["state"], "refused" in database["note"]) == ("UNREACHABLE", True)
    finally:
        user_host.run(command, "stop")
    assert user_host.processes(home) == []


def _lives_there(host: Host, home: Path, server: RealServer) -> None:
    """Airflow is healthy, and every connection of its is encrypted and the role's own."""
    status = host.json(home / "bin" / "airferry", "status", "--json")
    assert status["components"][0]["name"] == "database"
    assert all(item["state"] == "RUNNING" for item in status["components"])
    assert all(item["health"] == "healthy" for item in status["components"])
    plain = (
        "SELECT count(*), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
    )
    held, open_ = server.sql(f"{plain} WHERE usename = 'air flow'").split("|")
    print(f"{held} connections to the database")
    assert int(held) > 3
    assert open_ == "0"
    owner = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database"
    assert server.sql(f"{owner} WHERE datname = 'air-flow'") == "air flow|UTF8"
    assert server.sql("SELECT * FROM pg_auth_members WHERE member = 'chief'::regrole") == ""
    inside = f'. {home}/etc/environment.sh && exec {home}/current/venv/bin/python -c "$1"'
    said = host.run("sh", "-c", inside, "sh", ASYNC)
    assert "asyncpg TLSv1.3" in said.stdout, said.stdout + said.stderr


def _keeps_secrets(home: Path) -> None:
    """The administrator's password is nowhere, the role's where only the account can look."""
    role = (home / "secrets" / "postgres-password").read_text().strip()
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink() and "releases" not in path.parts:
            content = path.read_bytes()
            assert ADMIN_PASSWORD.encode() not in content, path
            if role.encode() in content:
                assert path.stat().st_mode & 0o077 == 0, path
