"""PostgreSQL's own protocol over TCP and TLS: enough to log in and run SQL, from the standard library alone.

Doctor asks a server before anything is unpacked, on hosts without psql; and the programs that bundles carry
were built without TLS. PostgreSQL manual: "Frontend/Backend Protocol" (3.0).
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Dict, Iterator, List, Mapping, Optional, Tuple

from bootstrap.base.secret import Secret
from bootstrap.postgres import refusal, scram
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.refusal import DatabaseUnavailable, StatementFailed

if TYPE_CHECKING:
    import ssl

WireRow = Tuple[Optional[str], ...]

_PROTOCOL = 196608
_TLS_REQUEST = struct.pack("!ii", 8, 80877103)
# An answer of this kind is never longer; a program that speaks something else must not fill memory.
_LONGEST = 64 << 20
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
        self._link.deadline = time.monotonic() + seconds
        self._link.send(b"Q", sql.encode() + b"\0")
        rows: List[WireRow] = []
        problem: Optional[Dict[str, str]] = None
        while True:
            kind, body = self._link.receive()
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                problem = problem or _error(body)
            elif kind == b"Z":
                break
        if problem:
            raise StatementFailed(problem)
        return rows

    def copied_out(self, sql: str, seconds: float = 600) -> Iterator[bytes]:
        """What ``COPY ... TO STDOUT`` gives, a line at a time; raises :class:`StatementFailed`.

        Raises :class:`DatabaseUnavailable` when the connection breaks or nothing comes for `seconds`.
        """
        self._link.deadline = time.monotonic() + seconds
        self._link.send(b"Q", sql.encode() + b"\0")
        problem: Optional[Dict[str, str]] = None
        while True:
            kind, body = self._link.receive(_LONGEST_ROW)
            if kind == b"d":
                self._link.deadline = time.monotonic() + seconds
                yield body
            elif kind == b"E":
                problem = problem or _error(body)
            elif kind == b"Z":
                break
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
                link, tls = _connect(connection, encrypted, deadline, stack)
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


class Link:
    """Messages over a socket, until the deadline."""

    def __init__(self, stream: socket.socket, deadline: float, broken: str) -> None:
        self.stream = stream
        self.deadline = deadline
        self._broken = broken
        self._rest = bytearray()

    def send(self, kind: bytes, body: bytes) -> None:
        """Send one message."""
        self.send_bytes(kind + struct.pack("!i", len(body) + 4) + body)

    def send_bytes(self, data: bytes) -> None:
        """Send as it is."""
        with self._guarded():
            self.stream.sendall(data)

    def receive(self, longest: int = _LONGEST) -> Tuple[bytes, bytes]:
        """The next message: its kind and its body; notices and parameters are passed over."""
        while True:
            head = self.read(5)
            length = struct.unpack("!i", head[1:])[0] - 4
            if not 0 <= length <= longest:
                raise DatabaseUnavailable(refusal.STRANGE, "the answer is not from a PostgreSQL server")
            body = self.read(length)
            if head[:1] not in b"NSAK":
                return head[:1], body

    def rest(self) -> bytes:
        """What was read and not asked for yet."""
        found, self._rest = bytes(self._rest), bytearray()
        return found

    def read(self, length: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._rest) < length:
            with self._guarded():
                more = self.stream.recv(65536)
            if not more:
                raise DatabaseUnavailable(refusal.UNREACHABLE, "the server closed the connection")
            self._rest += more
        found = bytes(self._rest[:length])
        del self._rest[:length]
        return found

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        self.stream.settimeout(_left(self.deadline))
        with _translated(self._broken):
            yield


def _connect(
    connection: Connection, encrypted: bool, deadline: float, stack: contextlib.ExitStack
) -> Tuple[Link, str]:
    """A connection and, when it is encrypted, the version of TLS."""
    stream = stack.enter_context(contextlib.closing(_socket(connection, deadline)))
    link = Link(stream, deadline, refusal.UNREACHABLE)
    if not encrypted:
        return link, ""
    link.send_bytes(_TLS_REQUEST)
    answer = link.read(1)
    if answer == b"N":
        if connection.sslmode in ("", "prefer"):
            return link, ""
        raise DatabaseUnavailable(
            refusal.TLS, f"the server offers no TLS, and sslmode={connection.sslmode} needs it"
        )
    if answer != b"S":
        raise DatabaseUnavailable(refusal.STRANGE, "the answer is not from a PostgreSQL server")
    stream.settimeout(_left(deadline))
    with _translated(refusal.TLS):
        secured = stack.enter_context(contextlib.closing(_secured(stream, connection)))
    return Link(secured, deadline, refusal.TLS), secured.version() or "TLS"


def _secured(stream: socket.socket, connection: Connection) -> ssl.SSLSocket:
    """TLS with what libpq checks for that sslmode: nothing, the certificate's issuer, or its name as well."""
    import ssl  # noqa: PLC0415  (a Python without it shall get as far as doctor)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = connection.sslmode == "verify-full"
    # libpq: with a root certificate, require is verify-ca
    checked = connection.sslmode.startswith("verify-") or (
        connection.sslmode == "require" and connection.sslrootcert
    )
    context.verify_mode = ssl.CERT_REQUIRED if checked else ssl.CERT_NONE
    if checked:
        context.load_verify_locations(cafile=connection.sslrootcert)
    return context.wrap_socket(stream, server_hostname=connection.host)


def _socket(connection: Connection, deadline: float) -> socket.socket:
    """A connected socket; the name is looked up in a thread, because a resolver cannot be interrupted."""
    found: List[socket.socket] = []
    problems: List[OSError] = []

    def connect() -> None:
        try:
            address = (connection.host, connection.port)
            if connection.host.startswith("/"):
                found.append(_local(f"{connection.host}/.s.PGSQL.{connection.port}", deadline))
            else:
                found.append(socket.create_connection(address, timeout=_left(deadline)))
        except OSError as error:
            problems.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if found:
        return found[0]
    with _translated(refusal.UNREACHABLE):
        raise problems[0] if problems else socket.timeout


def _local(path: str, deadline: float) -> socket.socket:
    """A connected socket of this host's own kind."""
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.settimeout(_left(deadline))
        stream.connect(path)
    except OSError:
        stream.close()
        raise
    return stream


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


def _left(deadline: float) -> float:
    # 0 would make a socket non-blocking
    return max(0.001, deadline - time.monotonic())


@contextlib.contextmanager
def _translated(kind: str) -> Iterator[None]:
    """Turn what the operating system and OpenSSL say into our own error."""
    try:
        yield
    except socket.timeout:
        raise DatabaseUnavailable(refusal.SILENT, "no answer in time") from None
    except ImportError as error:
        raise DatabaseUnavailable(refusal.TLS, f"this Python has no TLS: {error}") from None
    except OSError as error:
        checked = getattr(error, "verify_message", "")
        if checked:
            raise DatabaseUnavailable(refusal.TLS, f"the server's certificate: {checked}") from None
        said = getattr(error, "reason", "") or error.strerror or str(error)
        raise DatabaseUnavailable(kind, said) from None
