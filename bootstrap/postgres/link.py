"""A connection to a PostgreSQL server, in clear text or TLS, that never waits past its deadline.

PostgreSQL manual: "Frontend/Backend Protocol", message formats and SSL session encryption; libpq's sslmode.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Iterator, List, Tuple

from bootstrap.postgres import refusal
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.refusal import DatabaseUnavailable

if TYPE_CHECKING:
    import ssl

_TLS_REQUEST = struct.pack("!ii", 8, 80877103)
# An answer of this kind is never longer; a program that speaks something else must not fill memory.
LONGEST = 64 << 20


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

    def receive(self, longest: int = LONGEST) -> Tuple[bytes, bytes]:
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


def connected(
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
        try:
            context.load_verify_locations(cafile=connection.sslrootcert)
        except OSError as error:  # it does not name the file
            said = f"the root certificate {connection.sslrootcert} cannot be read: {error.strerror or error}"
            raise DatabaseUnavailable(refusal.TLS, said) from None
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
        except (ValueError, OverflowError) as error:  # a name or a port that cannot be
            problems.append(OSError(str(error)))

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
