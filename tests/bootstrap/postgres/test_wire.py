"""Our own client against a real server: every kind of login and sslmode, and servers that are none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bootstrap.base.secret import Secret
from bootstrap.postgres import refusal, scram, wire
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.refusal import DatabaseUnavailable, StatementFailed
from tests.support.postgres import PASSWORD, SUPERUSER, RealServer


@pytest.fixture(scope="module")
def link(server: RealServer) -> Connection:
    server.role("trusted")
    server.role("peer")
    server.role("clear", "plain-비밀")
    server.sql("SET password_encryption = 'md5'; CREATE ROLE md5er LOGIN PASSWORD 'old-%'")
    return Connection("127.0.0.1", server.port, "postgres", SUPERUSER)


@contextmanager
def answering(reply: bytes | None) -> Iterator[int]:
    """A server that sends `reply` and closes, or that accepts and never says a word; gives its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        held = []

        def serve() -> None:
            while True:
                try:
                    found, _ = listener.accept()
                except OSError:
                    return
                held.append(found)
                if reply is not None:
                    found.recv(100)
                    found.sendall(reply)
                    found.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for found in held:
            found.close()


def problem(connection: Connection, password: str = PASSWORD, seconds: float = 5) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as caught, wire.session(connection, Secret(password), seconds):
        pass
    assert not password or password not in repr(caught.value.as_dict())
    return caught.value


def version(connection: Connection, password: str = PASSWORD) -> str:
    with wire.session(connection, Secret(password)) as session:
        assert session.query("SELECT current_user") == [(connection.user,)]
        return session.tls


@pytest.mark.parametrize("mode", ["", "allow", "prefer", "require", "verify-ca", "verify-full", "disable"])
def test_sslmodes(server: RealServer, link: Connection, mode: str) -> None:
    root = str(server.certificate) if mode.startswith("verify") else ""
    tls = version(replace(link, sslmode=mode, sslrootcert=root))
    assert tls == ("" if mode in ("allow", "disable") else "TLSv1.3")


@pytest.mark.parametrize(
    ("user", "password"),
    [("trusted", ""), ("md5er", "old-%"), ("clear", "plain-비밀"), (SUPERUSER, PASSWORD)],
)
def test_kinds_of_login(link: Connection, user: str, password: str) -> None:
    assert version(replace(link, user=user), password)


def test_what_comes_back(link: Connection) -> None:
    with wire.session(link, Secret(PASSWORD)) as session:
        assert session.query("SELECT 1, NULL, '한글', true; SELECT '', 'a\tb', 3, 4") == [
            ("1", None, "한글", "t"), ("", "a\tb", "3", "4"),
        ]  # fmt: skip
        assert session.query("SET search_path = public") == []
        with pytest.raises(StatementFailed, match="refused a statement") as caught:
            session.query('SELECT 1; SELECT * FROM "nothing here"')
        assert (caught.value.sqlstate, caught.value.exit_code) == ("42P01", 76)
        assert session.query("SELECT length(repeat('x', 100000))") == [("100000",)]
        with pytest.raises(DatabaseUnavailable) as late:
            session.query("SELECT pg_sleep(20)", seconds=0.3)
        assert late.value.kind == refusal.SILENT


def test_verifier_is_a_password(server: RealServer, link: Connection) -> None:
    for number, password in enumerate(["plain", "비밀번호 ½", "soft\u00adhyphen", "Ⅸ\u3000x", "\u0007bell"]):
        name = f"made{number}"
        server.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{scram.verifier(Secret(password)).reveal()}'")
        assert version(replace(link, user=name), password)
        # and PostgreSQL itself makes the same of it
        literal = password.replace("'", "''")
        server.sql(f"ALTER ROLE {name} PASSWORD E'{literal}'")
        assert version(replace(link, user=name), password)


def test_refusals(server: RealServer, link: Connection) -> None:
    wrong = problem(link, "wrong")
    assert (wrong.kind, wrong.sqlstate, wrong.exit_code) == (refusal.LOGIN, "28P01", 75)
    assert problem(link, "").said == "the server asks for postgres's password"
    assert problem(replace(link, database="none")).kind == refusal.MISSING
    assert problem(replace(link, user="nobody")).kind == refusal.LOGIN
    assert "authentication method" not in problem(replace(link, user="peer")).said
    assert problem(replace(link, user="tlsonly", sslmode="disable"), "pw").kind == refusal.TLS
    assert version(replace(link, user="tlsonly", sslmode="allow"), "pw") == "TLSv1.3"


def test_certificates(server: RealServer, link: Connection) -> None:
    full = replace(link, sslmode="verify-full", sslrootcert=str(server.certificate))
    another = problem(replace(full, host="127.0.0.2"))
    assert another.kind == refusal.TLS
    assert "IP address mismatch" in another.said
    assert version(replace(full, host="127.0.0.2", sslmode="verify-ca"))
    assert version(replace(full, host="localhost"))
    for mode in ("require", "verify-ca", "verify-full"):
        untrusted = problem(replace(full, sslmode=mode, sslrootcert=str(server.folder / "other.pem")))
        assert untrusted.kind == refusal.TLS
        assert "self-signed" in untrusted.said or "unable to get local issuer" in untrusted.said
    (server.folder / "junk.pem").write_text("junk")
    assert problem(replace(full, sslrootcert=str(server.folder / "junk.pem"))).kind == refusal.TLS


def test_server_that_is_not_there_or_says_nothing(link: Connection) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = problem(replace(link, port=probe.getsockname()[1]))
    assert (gone.kind, gone.said) == (refusal.UNREACHABLE, "Connection refused")
    assert problem(replace(link, host="no-such-host.invalid")).kind == refusal.UNREACHABLE
    for mode in ("disable", "prefer"):
        with answering(None) as port:
            started = time.monotonic()
            assert problem(replace(link, port=port, sslmode=mode), seconds=0.5).kind == refusal.SILENT
            assert time.monotonic() - started < 2


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_something_else_answers(link: Connection, mode: str) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert problem(replace(link, port=port, sslmode=mode)).kind == refusal.STRANGE
    with answering(b"") as port:
        assert problem(replace(link, port=port, sslmode=mode)).kind == refusal.UNREACHABLE


def test_address_that_cannot_be(link: Connection, capfd: pytest.CaptureFixture[str]) -> None:
    for wrong in (replace(link, host="a" * 70 + ".example"), replace(link, port=70000)):
        assert problem(wrong).kind == refusal.UNREACHABLE
    assert "Traceback" not in capfd.readouterr().err


def test_root_certificate_that_is_not_there(link: Connection) -> None:
    found = problem(replace(link, sslmode="verify-full", sslrootcert="/nowhere/root.crt"))
    assert "/nowhere/root.crt" in str(found.found or found)


def test_server_without_tls(link: Connection) -> None:
    with answering(b"N") as port:
        assert problem(replace(link, port=port, sslmode="require")).kind == refusal.TLS


def test_scram_of_the_rfc() -> None:
    """RFC 7677, section 3; PostgreSQL leaves the name out, so only our half can differ."""
    client = scram.Client(Secret("pencil"), "rOprNGfwEbeRWgbNEkqO")
    challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert client.first() == b"n,,n=,r=rOprNGfwEbeRWgbNEkqO"
    assert client.final(challenge).startswith(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
    )
    with pytest.raises(scram.Refused, match="could not prove"):
        client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    for bad in (b"r=other,s=W22Z,i=4096", b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=99999999", b"junk"):
        with pytest.raises(scram.Refused):
            scram.Client(Secret("pencil"), "rOprNGfwEbeRWgbNEkqO").final(bad)
