"""A way to a TLS server for programs without TLS: a Unix socket that only this account can use.

The PostgreSQL programs that bundles carry were built without OpenSSL. Each connection to the socket is logged
in here, over TLS and with the password; the program itself needs neither.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterator, Optional

from bootstrap.base.secret import Secret
from bootstrap.postgres import wire
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.refusal import DatabaseUnavailable

_TLS_REQUEST, _GSS_REQUEST = 80877103, 80877104
_ACCEPTED = b"R" + struct.pack("!ii", 8, 0)
_LONGEST_START = 10_000


@contextlib.contextmanager
def opened(connection: Connection, password: Optional[Secret]) -> Iterator[Connection]:
    """A connection for libpq's programs that leads to `connection`, until the context ends."""
    # the path of a socket is short: the home's may be too long for one
    folder = Path(tempfile.mkdtemp(prefix="airferry-"))
    port = connection.port
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(folder / f".s.PGSQL.{port}"))
        listener.listen(16)
        threading.Thread(target=_serve, args=(listener, connection, password), daemon=True).start()
        yield replace(connection, host=str(folder), sslmode="", sslrootcert="", passfile=None)
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept, which close does not
        listener.close()
        shutil.rmtree(str(folder), ignore_errors=True)


def _serve(listener: socket.socket, connection: Connection, password: Optional[Secret]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_carry, args=(client, connection, password), daemon=True).start()


def _carry(client: socket.socket, connection: Connection, password: Optional[Secret]) -> None:
    """One program's connection, from its first message to its end."""
    with contextlib.closing(client), contextlib.suppress(OSError, struct.error):
        settings = _start(client)
        if settings is None:
            return
        wanted = replace(
            connection, database=settings.pop("database", "") or connection.database,
            user=settings.pop("user", "") or connection.user,
        )  # fmt: skip
        try:
            with wire.logged_in(wanted, password, settings) as (link, _):
                client.sendall(_ACCEPTED + link.rest())
                link.stream.settimeout(None)
                _relay(client, link.stream)
        except DatabaseUnavailable as error:
            fields = {"S": "FATAL", "C": error.sqlstate or "08006", "M": error.said}
            body = b"".join(key.encode() + text.encode() + b"\0" for key, text in fields.items()) + b"\0"
            client.sendall(b"E" + struct.pack("!i", len(body) + 4) + body)


def _start(client: socket.socket) -> Optional[Dict[str, str]]:
    """The settings of a program's start-up message; None for a request to cancel, or nonsense."""
    while True:
        length, code = struct.unpack("!ii", _exactly(client, 8))
        if code in (_TLS_REQUEST, _GSS_REQUEST):
            client.sendall(b"N")
            continue
        if code >> 16 != 3 or not 8 < length < _LONGEST_START:
            return None
        parts = [part.decode("utf-8", "replace") for part in _exactly(client, length - 8).split(b"\0")]
        # protocol 3.2 asks for options that begin so; 3.0 is what we speak
        pairs = zip(parts[0:-2:2], parts[1:-1:2])
        return {name: value for name, value in pairs if name and not name.startswith("_pq_.")}


def _exactly(client: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        more = client.recv(length - len(found))
        if not more:
            raise OSError("closed")
        found += more
    return found


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    other = threading.Thread(target=_pump, args=(client, server), daemon=True)
    other.start()
    _pump(server, client)
    other.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(1 << 16)
            if not data:
                break
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
