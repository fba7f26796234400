"""PostgreSQL's own protocol over TCP and TLS: enough to log in and run SQL, from the standard library alone.

Doctor asks a server before anything is unpacked, on hosts without psql; and the programs that bundles carry
were built without TLS. PostgreSQL manual: "Frontend/Backend Protocol" (3.0).
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
import time
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from bootstrap.base.secret import Secret
from bootstrap.postgres import refusal, scram
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.link import LONGEST, Link, connected
from bootstrap.postgres.refusal import DatabaseUnavailable, StatementFailed

WireRow = Tuple[Optional[str], ...]

_PROTOCOL = 196608
# PostgreSQL's own limit of a row.
_LONGEST_ROW = (1 << 30) + (1 << 20)
_KINDS = {"28P01": refusal.LOGIN, "28000": refusal.LOGIN, "3D000": refusal.MISSING, "53300": refusal.FULL}


class WireSession:
    """An open connection that has logged in; `tls` is the protocol's version, or empty."""

    def __init__(self, link: Link, tls: str) -> None:
        self._link = link
        self.tls = tls

    def query(self, sql: str, seconds: float = 60) -> List[WireRow]:
        """Run statements and return the rows of all of them as text; raises :class:`StatementFailed`.

        Raises :class:`DatabaseUnavailable` when the connection breaks or `seconds` are over.
        """
        return [_row(body) for kind, body in self._answers(sql, seconds) if kind == b"D"]

    def copied_out(self, sql: str, seconds: float = 600) -> Iterator[bytes]:
        """What ``COPY ... TO STDOUT`` gives, a line at a time; raises :class:`StatementFailed`.

        Raises :class:`DatabaseUnavailable` when the connection breaks or nothing comes for `seconds`.
        """
        for kind, body in self._answers(sql, seconds, _LONGEST_ROW):
            if kind == b"d":
                self._link.deadline = time.monotonic() + seconds
                yield body

    def _answers(self, sql: str, seconds: float, longest: int = LONGEST) -> Iterator[Tuple[bytes, bytes]]:
        """The messages up to ReadyForQuery; raises :class:`StatementFailed` at the end."""
        self._link.deadline = time.monotonic() + seconds
        self._link.send(b"Q", sql.encode() + b"\0")
        problem: Optional[Dict[str, str]] = None
        while True:
            kind, body = self._link.receive(longest)
            if kind == b"Z":
                break
            if kind == b"E":
                problem = problem or _error(body)
            else:
                yield kind, body
        if problem:
            raise StatementFailed(problem)


@contextlib.contextmanager
def session(
    connection: Connection,
    password: Optional[Secret],
    seconds: float = 10,
    more: Optional[Mapping[str, str]] = None,
) -> Iterator[WireSession]:
    """Log in, within `seconds`, with `more` settings; raises :class:`DatabaseUnavailable`."""
    settings = {"client_encoding": "UTF8", "application_name": "airferry", **(more or {})}
    with logged_in(connection, password, settings, seconds) as (link, tls):
        while True:
            kind, body = link.receive()
            if kind == b"E":
                raise _refused(_error(body), encrypted=bool(tls))
            if kind == b"Z":
                break
        yield WireSession(link, tls)
        with contextlib.suppress(DatabaseUnavailable):
            link.send(b"X", b"")


@contextlib.contextmanager
def logged_in(
    connection: Connection, password: Optional[Secret], settings: Mapping[str, str], seconds: float = 10
) -> Iterator[Tuple[Link, str]]:
    """A connection that has just been let in, and its TLS version; tried as libpq does for that sslmode.

    `settings` are what it starts with. Raises :class:`DatabaseUnavailable`.
    """
    deadline = time.monotonic() + seconds
    first: Optional[DatabaseUnavailable] = None
    # a socket on this host has no TLS (PostgreSQL manual, "Connection Strings")
    tries = (False,) if connection.host.startswith("/") else _TRIES[connection.sslmode or "prefer"]
    for encrypted in tries:
        with contextlib.ExitStack() as stack:
            try:
                link, tls = connected(connection, encrypted, deadline, stack)
                _login(link, connection, password, settings, encrypted=bool(tls))
            except DatabaseUnavailable as error:
                # a server that refuses this way may take the other; what it said first counts
                first = first or error
                if error.kind in (refusal.TLS, refusal.LOGIN) and error.sqlstate != "28P01":
                    continue
                raise first from None
            yield link, tls
            return
    assert first is not None
    raise first


_TRIES: Dict[str, Tuple[bool, ...]] = {
    "disable": (False,), "allow": (False, True), "prefer": (True, False),
    "require": (True,), "verify-ca": (True,), "verify-full": (True,),
}  # fmt: skip


def _login(
    link: Link,
    connection: Connection,
    password: Optional[Secret],
    settings: Mapping[str, str],
    *,
    encrypted: bool,
) -> None:
    """From the start-up message to AuthenticationOk."""
    start = {**settings, "user": connection.user, "database": connection.database}
    body = b"".join(part.encode() + b"\0" for pair in start.items() for part in pair) + b"\0"
    link.send_bytes(struct.pack("!ii", len(body) + 8, _PROTOCOL) + body)
    proof: Optional[scram.Client] = None
    while True:
        kind, body = link.receive()
        if kind == b"E":
            raise _refused(_error(body), encrypted)
        if kind != b"R":
            raise DatabaseUnavailable(refusal.STRANGE, "the answer is not from a PostgreSQL server")
        code, body = struct.unpack("!i", body[:4])[0], body[4:]
        if code == 0:
            return
        if password is None or not password.reveal():
            raise DatabaseUnavailable(refusal.LOGIN, f"the server asks for {connection.user}'s password")
        try:
            if code == 3:
                link.send(b"p", password.reveal().encode() + b"\0")
            elif code == 5:
                link.send(b"p", _md5(connection.user, password, body[:4]))
            elif code == 10 and b"SCRAM-SHA-256\0" in body:
                proof = scram.Client(password)
                first = proof.first()
                link.send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
            elif code == 11 and proof:
                link.send(b"p", proof.final(body))
            elif code == 12 and proof:
                proof.verify(body)
            else:
                raise scram.Refused(
                    "the server asks for an authentication method that airferry does not "
                    f"support (number {code})"
                )
        except (scram.Refused, ValueError) as error:
            raise DatabaseUnavailable(refusal.LOGIN, str(error)) from None


def _md5(user: str, password: Secret, salt: bytes) -> bytes:
    inner = _digest(password.reveal().encode() + user.encode())
    return b"md5" + _digest(inner + salt) + b"\0"


def _digest(data: bytes) -> bytes:
    # PostgreSQL's old kind of login; a host in FIPS mode refuses it, which is said as it is
    return hashlib.md5(data).hexdigest().encode()  # noqa: S324


def _refused(problem: Dict[str, str], encrypted: bool) -> DatabaseUnavailable:
    state = problem.get("C", "")
    kind = _KINDS.get(state, refusal.REFUSED)
    message = problem.get("M", "no reason given")
    if not encrypted and state == "28000" and "pg_hba" in message:
        kind = refusal.TLS
    return DatabaseUnavailable(kind, message, state)


def _error(body: bytes) -> Dict[str, str]:
    """The fields of an ErrorResponse by their letters: C is the SQLSTATE, M the message, D details."""
    parts = [part.decode("utf-8", "replace") for part in body.split(b"\0") if part]
    return {part[:1]: part[1:] for part in parts}


def _row(body: bytes) -> WireRow:
    cells: List[Optional[str]] = []
    count, position = struct.unpack("!h", body[:2])[0], 2
    for _ in range(count):
        length = struct.unpack("!i", body[position : position + 4])[0]
        position += 4
        if length < 0:
            cells.append(None)
            continue
        cells.append(body[position : position + length].decode("utf-8", "replace"))
        position += length
    return tuple(cells)
