"""Faults of a real server and of its databases: each brings exactly its finding, and no other blocker."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.secret import Secret
from bootstrap.doctor.checks import database
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs, WantedServer, needs_of
from bootstrap.facts import login, saved
from bootstrap.facts.host import SCHEMA, Facts, Request, collect
from bootstrap.facts.server import Asked, Passwords
from tests.support.accounts import Folder
from tests.support.postgres import PASSWORD, SUPERUSER, RealServer
from wheelhouse import codec
from wheelhouse.reader import Bundle

_NUMBERS = itertools.count()
WANTED = WantedServer(connections=72, least=24)
# generate.json of the Fernet specification
KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
TOKEN = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
OTHER_KEY = "AAAAx689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="


@pytest.fixture
def asked(server: RealServer) -> Asked:
    """A role and an empty database of its own, as they should be."""
    name = f"airflow{next(_NUMBERS)}"
    server.role(name)
    server.database(name, name, "ENCODING 'UTF8'")
    return Asked("127.0.0.1", server.port, name, name)


@pytest.fixture
def needs(tiny_bundle: Path) -> Needs:
    with Bundle.open(tiny_bundle) as bundle:
        return replace(needs_of(bundle.manifest, home="/opt/airflow"), server=WANTED)


def facts(asked: Asked, password: str | None = "pw", admin: str = PASSWORD, key: str = "") -> Facts:
    given = Passwords(
        Secret(password) if password else None,
        Secret(admin) if asked.admin else None,
        Secret(key) if key else None,
    )
    found = Facts(SCHEMA, "0", Request("/opt/airflow", server=asked), server=login.collect(asked, given))
    text = codec.dumps(found)
    assert PASSWORD not in text and '"pw"' not in text
    return codec.loads(Facts, text)


def judge(found: Facts, needs: Needs, **changes: object) -> dict[str, Finding]:
    wanted = replace(WANTED, **changes)  # type: ignore[arg-type]
    findings = list(database.check(found, replace(needs, server=wanted)))
    return {finding.id: finding for finding in findings}


def only(findings: dict[str, Finding]) -> Finding:
    """The one blocker."""
    blockers = [finding for finding in findings.values() if finding.severity == "blocker"]
    assert len(blockers) == 1, findings
    assert "database-server-ok" not in findings
    assert blockers[0].remedy
    return blockers[0]


def test_nothing_is_wrong(asked: Asked, needs: Needs) -> None:
    findings = judge(facts(asked), needs)
    assert set(findings) == {"database-server-ok"}
    assert "TLSv1.3" in findings["database-server-ok"].found


def test_password_is_wrong_or_missing(asked: Asked, needs: Needs) -> None:
    wrong = only(judge(facts(asked, "wrong"), needs))
    assert wrong.id == "database-login"
    assert "password authentication failed" in wrong.found
    missing = only(judge(facts(asked, None), needs))
    assert (missing.id, "asks for" in missing.found) == ("database-login", True)
    assert only(judge(facts(replace(asked, user="nobody_there")), needs)).id == "database-login"


def test_unreachable_port(asked: Asked, needs: Needs) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        finding = only(judge(facts(replace(asked, port=probe.getsockname()[1])), needs))
    assert (finding.id, "refused" in finding.found) == ("database-unreachable", True)


def test_server_that_hangs(asked: Asked, needs: Needs) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        probe.listen()
        started = time.monotonic()
        found = collect(Request("/opt/airflow", "9.9", server=replace(asked, port=probe.getsockname()[1])))
        assert time.monotonic() - started < 9.5
    assert "server" not in [failure.name for failure in found.failures]
    finding = only(judge(found, needs))
    assert (finding.id, "no answer" in finding.found) == ("database-unreachable", True)


def test_tls_is_demanded_or_not_trusted(server: RealServer, asked: Asked, needs: Needs) -> None:
    server.database("encrypted", "tlsonly", "ENCODING 'UTF8'")
    mine = replace(asked, user="tlsonly", database="encrypted")
    assert only(judge(facts(replace(mine, sslmode="disable")), needs)).id == "database-tls"
    full = replace(mine, sslmode="verify-full", sslrootcert=str(server.certificate))
    assert set(judge(facts(full), needs)) == {"database-server-ok"}
    other = replace(full, sslrootcert=str(server.folder / "other.pem"))
    assert only(judge(facts(other), needs)).id == "database-tls"
    assert "mismatch" in only(judge(facts(replace(full, host="127.0.0.2")), needs)).found


def test_encoding(server: RealServer, asked: Asked, needs: Needs) -> None:
    server.database("ascii", asked.user, "ENCODING 'SQL_ASCII'")
    finding = only(judge(facts(replace(asked, database="ascii")), needs))
    assert (finding.id, "SQL_ASCII" in finding.found) == ("database-encoding", True)
    assert "TEMPLATE template0" in finding.commands[0]


def test_owner(server: RealServer, asked: Asked, needs: Needs) -> None:
    server.database("others", SUPERUSER, "ENCODING 'UTF8'")
    finding = only(judge(facts(replace(asked, database="others")), needs))
    assert (finding.id, "belongs to postgres" in finding.found) == ("database-owner", True)
    # the remedy works as it stands
    command = finding.commands[0].replace("-h 127.0.0.1", f"-h {server.folder}")
    subprocess.run(f"{server.bin}/{command}", shell=True, check=True, capture_output=True)
    assert set(judge(facts(replace(asked, database="others")), needs)) == {"database-server-ok"}
    # before PostgreSQL 15 everybody could make tables
    server.database("open", SUPERUSER, "ENCODING 'UTF8'")
    server.sql("GRANT CREATE ON SCHEMA public TO PUBLIC", "open")
    findings = judge(facts(replace(asked, database="open")), needs)
    assert findings["database-owner"].severity == "warning"
    assert "database-server-ok" in findings


def test_schema(server: RealServer, asked: Asked, needs: Needs) -> None:
    server.sql("ALTER SCHEMA public OWNER TO postgres", asked.database)
    finding = only(judge(facts(asked), needs))
    assert (finding.id, "schema public" in finding.found) == ("database-schema", True)
    command = finding.commands[0].replace("-h 127.0.0.1", f"-h {server.folder}")
    subprocess.run(f"{server.bin}/{command}", shell=True, check=True, capture_output=True)
    assert set(judge(facts(asked), needs)) == {"database-server-ok"}
    server.sql(f"ALTER ROLE {asked.user} SET search_path = nowhere")
    assert only(judge(facts(asked), needs)).id == "database-schema"
    # a schema of its own is as good as public
    server.sql(f"CREATE SCHEMA nowhere AUTHORIZATION {asked.user}", asked.database)
    assert set(judge(facts(asked), needs)) == {"database-server-ok"}


def test_read_only(server: RealServer, asked: Asked, needs: Needs) -> None:
    server.sql(f"ALTER DATABASE {asked.database} SET default_transaction_read_only = on")
    assert only(judge(facts(asked), needs)).id == "database-read-only"


def test_database_is_missing(asked: Asked, needs: Needs) -> None:
    finding = only(judge(facts(replace(asked, database="none")), needs))
    assert finding.id == "database-missing"


def test_connections(server: RealServer, asked: Asked, needs: Needs) -> None:
    found = facts(asked)
    few = judge(found, needs, connections=400, least=10)["database-connections"]
    assert (few.severity, few.needed) == ("warning", "400 for the parallelism that was chosen")
    server.sql(f"ALTER ROLE {asked.user} CONNECTION LIMIT 5")
    finding = only(judge(facts(asked), needs))
    assert (finding.id, finding.found) == ("database-connections", "5 free of 5")
    server.sql(f"ALTER ROLE {asked.user} CONNECTION LIMIT 0")
    assert only(judge(facts(asked), needs)).id == "database-connections"


def test_clock(server: RealServer, needs: Needs) -> None:
    """A server whose wall clock is 100 seconds ahead."""
    source = Path(__file__).parents[1] / "airflow" / "data" / "wallclock.c"
    with Folder() as place:
        shared = place / "wallclock.so"
        made = subprocess.run(["gcc", "-shared", "-fPIC", "-o", shared, source, "-ldl"], check=False)
        if made.returncode:
            pytest.skip("no gcc to make a clock with")
        (place / "seconds").write_bytes((100).to_bytes(8, sys.byteorder))
        clock = {"LD_PRELOAD": str(shared), "WALLCLOCK": str(place / "seconds")}
        ahead = RealServer(place, server.bin, env=clock)
        ahead.create()
        ahead.start()
        try:
            ahead.role("airflow")
            ahead.database("airflow", "airflow", "ENCODING 'UTF8'")
            findings = judge(facts(Asked("127.0.0.1", ahead.port, "airflow", "airflow")), needs)
        finally:
            ahead.stop()
    assert set(findings) == {"database-server-ok", "database-clock"}, findings
    assert "100 s ahead" in findings["database-clock"].found


def test_old_server(asked: Asked, needs: Needs) -> None:
    """None of that age can be had here: what this one says of itself is changed."""
    found = facts(asked)
    assert found.server
    old = replace(found, server=replace(found.server, version="11.22", number=110022))
    finding = only(judge(old, needs))
    assert (finding.id, finding.needed) == ("database-version", "PostgreSQL 12 or newer")


def test_tables_of_something_else(server: RealServer, asked: Asked, needs: Needs) -> None:
    server.sql("CREATE SCHEMA shop; CREATE TABLE shop.orders (id int)", asked.database)
    finding = only(judge(facts(asked), needs))
    assert (finding.id, finding.found) == ("database-foreign", "shop.orders")
    assert only(judge(facts(asked), needs, adopt=True)).id == "database-foreign"


def airflow_tables(server: RealServer, asked: Asked, revision: str) -> None:
    server.sql(
        f"SET ROLE {asked.user}; CREATE TABLE alembic_version (version_num text);"
        f" INSERT INTO alembic_version VALUES ('{revision}'); CREATE TABLE dag (); CREATE TABLE dag_run ();"
        " CREATE TABLE task_instance (); CREATE TABLE variable (val text, is_encrypted bool);"
        " CREATE TABLE connection (password text, extra text, is_encrypted bool);"
        " CREATE TABLE job (state text, hostname text, latest_heartbeat timestamptz)",
        asked.database,
    )


def test_tables_of_an_airflow(server: RealServer, asked: Asked, needs: Needs) -> None:
    airflow_tables(server, asked, "22ed7efa9da2")
    found = facts(asked)
    finding = only(judge(found, needs))
    assert (finding.id, finding.found) == ("database-airflow", f"Airflow 2.10.0 in {asked.database}")
    adopted = judge(found, needs, adopt=True)
    assert {item.id: item.severity for item in adopted.values()} == {
        "database-airflow": "note", "database-server-ok": "ok",
    }  # fmt: skip
    assert set(judge(found, needs, own=True)) == {"database-server-ok"}
    server.sql(
        f"INSERT INTO connection VALUES (NULL, '{TOKEN}', true), ('plain', NULL, false)", asked.database
    )
    finding = only(judge(facts(asked), needs, adopt=True))
    assert (finding.id, "this host has no key" in finding.found) == ("database-fernet", True)
    assert "database-server-ok" in judge(facts(asked, key=KEY), needs, adopt=True)
    assert "database-server-ok" in judge(facts(asked, key=f"{OTHER_KEY}, {KEY}"), needs, adopt=True)
    for wrong in (OTHER_KEY, "junk"):
        finding = only(judge(facts(asked, key=wrong), needs, adopt=True))
        assert (finding.id, "does not decrypt" in finding.found) == ("database-fernet", True)
    server.sql("INSERT INTO job VALUES ('running', 'old-host', now())", asked.database)
    finding = only(judge(facts(asked, key=KEY), needs, adopt=True))
    assert (finding.id, "old-host" in finding.found) == ("database-in-use", True)


def test_tables_of_an_airflow_that_is_newer_or_unknown(
    server: RealServer, asked: Asked, needs: Needs
) -> None:
    airflow_tables(server, asked, "d2f4e1b3c5a7")
    older = replace(needs, airflow="3.1.0")
    assert only(judge(facts(asked), older, adopt=True)).id == "database-newer"
    server.sql("UPDATE alembic_version SET version_num = 'f00'", asked.database)
    finding = only(judge(facts(asked), needs, adopt=True))
    assert (finding.id, "revision f00" in finding.found) == ("database-newer", True)


def test_administrator(server: RealServer, asked: Asked, needs: Needs) -> None:
    new = replace(asked, user="fresh", database="fresh", admin=SUPERUSER)
    findings = judge(facts(new, None), needs)
    assert set(findings) == {"database-made", "database-server-ok"}
    wrong = only(judge(facts(new, None, "wrong"), needs))
    assert (wrong.id, SUPERUSER in wrong.found) == ("database-administrator", True)
    weak = only(judge(facts(replace(new, admin=asked.user), None, "pw"), needs))
    assert (weak.id, "may not make" in weak.found) == ("database-administrator", True)
    # the role is there, and not ours to change
    assert only(judge(facts(replace(new, user=asked.user), None), needs)).id == "database-login"
    # the database is there, and another's
    finding = only(judge(facts(replace(new, database=asked.database), None), needs))
    assert (finding.id, f"belongs to {asked.user}" in finding.found) == ("database-owner", True)


def test_redacted_facts_name_no_server(asked: Asked) -> None:
    text = codec.dumps(saved.redact(facts(asked)))
    for name in (asked.user, "127.0.0.1:"):
        assert name not in text
