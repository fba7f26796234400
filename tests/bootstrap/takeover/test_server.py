"""An old database on a real PostgreSQL: found by its airflow.cfg or its address, read, never changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow import config, tablecopy
from bootstrap.airflow.config import Setting
from bootstrap.airflow.tablecopy import Column
from bootstrap.base.secret import Secret
from bootstrap.doctor.checks import take_over, take_over_extent
from bootstrap.doctor.checks.take_over import TakeOverWanted
from bootstrap.facts import old_postgres, remnants
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.facts.old_postgres import OldServer
from bootstrap.postgres import wire
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.refusal import StatementFailed
from bootstrap.state.home import Home
from bootstrap.takeover import archive, look
from bootstrap.takeover.archive import TakeOverFailed
from tests.support import old_airflow as old
from tests.support.accounts import NOBODY, Folder
from tests.support.postgres import RealServer, running

PASSWORD = "p:a@s/s%"
TABLES = """
CREATE TYPE mood AS ENUM ('ok', 'it''s');
CREATE TABLE alembic_version (version_num varchar(32));
INSERT INTO alembic_version VALUES ('98ae134e6fff');
CREATE TABLE dag_run (id serial PRIMARY KEY, dag_id text, conf bytea, start_date timestamptz, mood mood,
    size double precision, long_id text GENERATED ALWAYS AS (dag_id || '-x') STORED);
INSERT INTO dag_run (dag_id, conf, start_date, mood, size) SELECT E'a\tb\\\\c\n\u2028한글', '\\x8005095c00',
    '2024-03-31 01:30:00.123456+09', 'it''s', 0.1 + 0.2 FROM generate_series(1, 3000);
CREATE TABLE connection (conn_id text, password text, extra text, is_encrypted bool,
    is_extra_encrypted bool);
INSERT INTO connection VALUES ('warehouse', 'gAAAA-no-key', NULL, true, false),
    ('b', 'plain', '', false, NULL);
CREATE TABLE variable (key text, val text, is_encrypted bool);
CREATE TABLE ab_user (username text);
INSERT INTO ab_user VALUES ('kim');
CREATE TABLE job (job_type text, hostname text, latest_heartbeat timestamptz, state text);
CREATE TABLE "my plugin" (a int);
INSERT INTO "my plugin" VALUES (1);
CREATE TABLE celery_taskmeta (id int);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    """A server with a database of an old Airflow's, and a role that may only read it."""
    with running() as made:
        made.role("reader", PASSWORD)
        made.database("old", "postgres")
        made.sql(TABLES, "old")
        made.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", "old")
        yield made


@pytest.fixture
def home(tmp_path: Path, server: RealServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("UNITS", "CRONTABS", "PROFILES"):
        monkeypatch.setattr(remnants, name, ())
    made = old.make("2.2.2", tmp_path / "airflow")
    point(
        made, f"postgresql+psycopg2://reader:p%3Aa%40s%2Fs%25@127.0.0.1:{server.port}/old?connect_timeout=3"
    )
    return made


def point(home: Path, url: str) -> None:
    edit(home, "core", "sql_alchemy_conn", url)


def edit(home: Path, section: str, option: str, value: str) -> None:
    path = home / "airflow.cfg"
    config.write(path, config.edit(config.read(path), [Setting(section, option, value)]))


def found(home: Path) -> OldAirflow:
    seen = look.look(home)
    assert seen.old is not None, seen.problem
    return seen.old


def ids(seen: OldAirflow) -> list[str]:
    return [item.id for item in take_over.judge(seen, TakeOverWanted("2.11.2", "/opt/new"))]


def test_look_through_its_airflow_cfg(home: Path, server: RealServer) -> None:
    before = old.contents(home)
    seen = found(home)
    database = seen.database
    assert (database.kind, database.problem) == ("postgresql", "")
    assert database.address == f"postgresql://reader@127.0.0.1:{server.port}/old"
    assert (database.revision, seen.release, database.users) == ("98ae134e6fff", "2.6.0", ("kim",))
    assert (database.rows["dag_run"], database.rows["connection"]) == (3000, 2)
    assert database.size > 1 << 20
    assert (database.closed, database.plain, database.key) == (("connection warehouse",), 1, "unknown")
    # said before anything is changed; a table without rows is nothing to lose
    assert database.strange == ("my plugin (1 rows)",)
    assert any("my plugin" in line for line in take_over_extent.left(seen))
    assert ids(seen) == ["take-over", "take-over-key", "take-over-left"]
    assert PASSWORD not in repr(seen)
    assert old.contents(home) == before


def test_tables_in_a_schema_of_their_own(home: Path, server: RealServer) -> None:
    server.sql('CREATE SCHEMA "Air"; CREATE TABLE "Air".alembic_version (v int)', "old")
    server.sql('GRANT USAGE ON SCHEMA "Air" TO reader', "old")
    try:
        edit(home, "core", "sql_alchemy_schema", "Air")
        assert "version_num" in found(home).database.problem
        edit(home, "core", "sql_alchemy_schema", "public")
        assert found(home).database.rows["dag_run"] == 3000
    finally:
        server.sql('DROP SCHEMA "Air" CASCADE', "old")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("p%3Aa", "wr0ng"), "password authentication failed"),
        (("/old", "/none"), 'database "none" does not exist'),
        (("connect_timeout=3", "sslcert=/k"), "sslcert"),
        (("connect_timeout=3", "sslmode=verify-full"), "root.crt"),
    ],
)
def test_database_that_cannot_be_read(home: Path, change: tuple[str, str], said: str) -> None:
    url = config.get(config.read(home / "airflow.cfg"), "core", "sql_alchemy_conn") or ""
    assert change[0] in url
    point(home, url.replace(*change))
    seen = found(home)
    finding = next(
        item for item in take_over.judge(seen, TakeOverWanted("2.11.2", "/n")) if item.id != "take-over"
    )
    assert (finding.id, finding.severity) == ("take-over-database", "blocker")
    assert said in finding.found or "No such file" in finding.found
    assert "a@s" not in repr(finding) and "wr0ng" not in repr(finding)


def test_sign_of_life_in_it(home: Path, server: RealServer) -> None:
    server.sql("INSERT INTO job VALUES ('SchedulerJob', 'far', now(), 'running')", "old")
    try:
        assert "take-over-running" in ids(found(home))
        server.sql("UPDATE job SET latest_heartbeat = now() - interval '2 minutes'", "old")
        assert "take-over-running" not in ids(found(home))
    finally:
        server.sql("DELETE FROM job", "old")


def test_address_alone(tmp_path: Path, server: RealServer) -> None:
    """Its key is that of an airflow.cfg that lies in the new home."""
    word = tmp_path / "word"
    word.write_text(f"{PASSWORD}\n")
    place = look.named(f"postgresql://reader@127.0.0.1:{server.port}/old", word)
    assert place.server is not None
    new = tmp_path / "new"
    new.mkdir()
    (new / "airflow.cfg").write_text("[core]\nfernet_key = MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    seen = look.look_at_server(place.server, Home(new)).old
    assert seen is not None
    assert (seen.home, seen.place, seen.database.key) == ("", seen.database.address, "set")
    assert ids(seen) == ["take-over", "take-over-key", "take-over-left"]
    target = tmp_path / "staging"
    target.mkdir()
    archive.unpack(archive.packed(seen, place.server), target)
    assert (target / "tables.json").exists()


def test_socket_of_this_host(server: RealServer) -> None:
    """As libpq is told of it by SQLAlchemy; nobody asks for a password there."""
    url = f"postgresql://reader@/old?host={server.folder}&port={server.port}&options=-csearch_path%3Dpublic"
    with old_postgres.opened(old_postgres.server_of(url, Path("/"), "kim")) as asked:
        assert asked.query("SELECT current_user, current_setting('search_path')") == [("reader", "public")]


def test_nothing_of_ours_is_told_at_the_login(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """PgBouncer refuses what it does not know there, and gives a session on to others as it was left."""
    started: list[object] = []
    session = wire.session

    def noted(connection: Connection, password: Secret | None, seconds: float, more: Any) -> Any:
        started.append(more)
        return session(connection, password, seconds, more)

    monkeypatch.setattr(wire, "session", noted)
    url = f"postgresql://reader@/old?host={server.folder}&port={server.port}"
    shown = "SELECT current_setting('TimeZone'), current_setting('extra_float_digits')"
    with old_postgres.opened(old_postgres.server_of(url, Path("/"), "kim")) as asked:
        assert asked.query(shown) == [("UTC", "3")]
        asked.query("COMMIT")
        assert asked.query("SELECT current_setting('lock_timeout')") == [("0",)]
    assert started == [{}]


def test_one_moment_that_cannot_be_written_to(server: RealServer) -> None:
    place = old_postgres.server_of(f"postgresql://postgres@127.0.0.1:{server.port}/old", Path("/"), "kim")
    with old_postgres.opened(OldServer(place.connection, Secret("Sup3r-비밀%@:/"))) as asked:
        count = asked.query("SELECT count(*) FROM dag_run")
        server.sql("INSERT INTO dag_run (dag_id) VALUES ('later')", "old")
        try:
            assert len(list(asked.copied("dag_run", ["id"]))) == 3000
            assert asked.query("SELECT count(*) FROM dag_run") == count
            with pytest.raises(StatementFailed, match="refused a statement"):
                asked.query("DELETE FROM dag_run")
        finally:
            server.sql("DELETE FROM dag_run WHERE dag_id = 'later'", "old")


def test_every_value_comes_out_as_it_was(home: Path, tmp_path: Path, server: RealServer) -> None:
    """Unpacked, and read by what runs in Airflow's own Python, into a table of the same kind."""
    target = tmp_path / "staging"
    target.mkdir()
    archive.unpack(archive.packed(found(home)), target)
    contents = json.loads((target / "tables.json").read_text())
    assert contents["dag_run"]["columns"] == ["id", "dag_id", "conf", "start_date", "mood", "size"]
    source = tablecopy.CopiedFiles(str(target / "tables.json"))
    assert source.count("dag_run") == 3000
    columns = [Column(name, "text") for name in ("mood", "dag_id", "conf", "start_date", "size")]
    lines = [source.line(columns, row, mend=False) for row in source.rows("dag_run", columns)]
    assert len(lines) == 3000
    server.sql(
        "CREATE TABLE again (mood mood, dag_id text, conf bytea, start_date timestamptz, size float8)", "old"
    )
    try:
        path = server.folder / "again"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o644)
        server.sql(f"COPY again FROM '{path}'", "old")
        same = "SELECT mood, dag_id, conf, start_date, size FROM"
        assert server.sql(f"SELECT count(*) FROM ({same} dag_run EXCEPT {same} again) x", "old") == "0"
        assert server.sql("SELECT count(*) FROM again", "old") == "3000"
    finally:
        server.sql("DROP TABLE again", "old")


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_root_asks_it_as_the_owner_of_the_home(home: Path, tmp_path: Path) -> None:
    """With the password that its airflow.cfg or its owner's ~/.pgpass has, and with no more rights."""
    url = config.get(config.read(home / "airflow.cfg"), "core", "sql_alchemy_conn") or ""
    with Folder() as place:
        theirs = old.make("2.2.2", place / "airflow")
        point(theirs, url)
        old.own(theirs, NOBODY, NOBODY)
        (theirs / "airflow.cfg").chmod(0o600)
        seen = found(theirs)
        assert (seen.owner, seen.database.problem, seen.database.rows["dag_run"]) == ("nobody", "", 3000)
        target = tmp_path / "staging"
        target.mkdir()
        archive.unpack(archive.packed(seen), target)
        assert json.loads((target / "tables.json").read_text())["dag_run"]["rows"] == 3000
        point(theirs, url.replace("p%3Aa", "wr0ng"))
        os.chown(theirs / "airflow.cfg", NOBODY, NOBODY)
        with pytest.raises(TakeOverFailed) as caught:
            archive.packed(seen)
        assert "password authentication failed" in caught.value.found
