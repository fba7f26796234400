"""A broker by its URL: what an admin may name, how it shows, and whether it answers.

It is asked by kombu, which Celery itself uses, in the Python of the installation: the same question for
Redis, Valkey and RabbitMQ, with TLS or without.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Mapping, NamedTuple
from urllib.parse import urlsplit

from bootstrap.base import process
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret, masked
from bootstrap.cluster.celery import OF_DATABASE, PORTS
from wheelhouse.errors import AirferryError

# What is typed, and what Celery is told: Valkey speaks Redis's protocol.
SCHEMES: Mapping[str, str] = {
    "redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss",
    "amqp": "amqp", "amqps": "amqps",
}  # fmt: skip
_SECONDS = 30.0
_ASK = """
import json, os, ssl, sys
from kombu import Connection
url, authorities = json.load(sys.stdin)
options = {}
if authorities and url.startswith("rediss:"):
    options["ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": authorities}
elif authorities and url.startswith("amqps:"):
    options["ssl"] = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": authorities}
try:
    with Connection(url, connect_timeout=5, **options) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.2)
        connection.default_channel
except Exception as error:
    print(str(error) or type(error).__name__)
    sys.exit(3)
"""


class BrokerUnusable(AirferryError):
    """A broker that cannot be named like that, or does not answer."""

    reference = "broker-unusable"
    exit_code = 141


class Place(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int


def parse(text: str) -> str:
    """The URL that Celery is told, without a password; raises :class:`BrokerUnusable`."""
    if text == OF_DATABASE:
        return text
    example = "redis://HOST:6379/0, rediss://, valkey://, amqp://USER@HOST:5672/VHOST, amqps:// or database"
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError as error:
        raise BrokerUnusable(f"The broker's URL cannot be read: {error}.", needed=example) from error
    if found.password is not None:
        raise BrokerUnusable(
            "A password must not be in the URL: every account of this host can read a command line.",
            needed="the URL without it",
            hint="Put it in the first line of a file (chmod 600) and give --broker-password-file FILE; or"
            " leave it out and type it when asked.",
        )
    if found.scheme not in SCHEMES or not found.hostname or (port is not None and not port):
        raise BrokerUnusable(f"{masked(text)} is not the URL of a broker.", needed=example)
    if found.hostname in ("localhost", "::1") or found.hostname.startswith("127."):
        raise BrokerUnusable(
            f"{found.hostname} is this host for each host that is told it: workers would not reach the"
            " broker.",
            needed="the address or name that all hosts reach it by",
        )
    return SCHEMES[found.scheme] + text[len(found.scheme) :]


def place(url: str) -> Place:
    """Host and port of a URL that :func:`parse` has let through."""
    found = urlsplit(url)
    return Place(found.hostname or "", found.port or PORTS.get(found.scheme, 0))


def is_clear(url: str) -> bool:
    """Whether others on the network can read what goes to that broker."""
    return url.startswith(("redis:", "amqp:"))


def ping(url: Secret, python: Path, environment: Mapping[str, str], authorities: Path) -> str:
    """What is wrong with a broker, in a line; "" for nothing.

    Where there is no `python` yet, only whether its port is open.
    """
    text = url.reveal()
    if text.startswith("sqla+"):
        return ""  # it is the database, which is asked as such
    where = place(text)
    shown = f"{where.host} port {where.port}"
    try:
        socket.create_connection(where, timeout=5).close()
    except (OSError, UnicodeError) as error:  # the latter for what cannot be a name of a host
        words = getattr(error, "strerror", None) or error
        return f"the broker at {shown} does not answer: {words}"
    if not python.exists():
        return ""
    asked = Secret(json.dumps([text, str(authorities) if authorities.exists() else ""]))
    try:
        said = process.run(
            [python, "-c", _ASK], what="ask the broker", env=environment, stdin=asked,
            ok=(0, 3), timeout=_SECONDS, secrets=(url,),
        )  # fmt: skip
    except CommandFailed as error:
        words = error.found.splitlines()[-1:] or [error.message]
        return f"the broker at {shown} could not be asked: {words[0]}"
    lines = said.stdout.strip().splitlines() or ["no reason"]
    return f"the broker at {shown} refuses: {masked(lines[-1])}" if said.status else ""
