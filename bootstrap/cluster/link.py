"""The way from a worker to its head: whether it answers, takes the key, and has the same time."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Mapping, Optional, Tuple

from bootstrap.airflow.webaddress import port_of
from bootstrap.base.secret import Secret
from bootstrap.state.cluster import Join
from bootstrap.state.home import JWT

# Beyond this the head may refuse what a worker signs (its own leeway is 30), and logs are told out of order.
CLOCK_SECONDS = 10.0
# X509_V_FLAG_PARTIAL_CHAIN, which the ssl module names from Python 3.10 on
_PARTIAL_CHAIN = 0x80000


@dataclass(frozen=True)
class HeadAnswer:
    """What a look at the head has shown.

    `resolved` are its addresses, `error` why there is no answer, `status` the HTTP status of the question
    that only the right key may ask (0: none), `said` the head's words, `clock` how many seconds this host's
    clock is ahead of the head's (None: not told). `version` is the Airflow that the head runs,
    `here` the one of this host; "" where it was not asked. `database` and `broker` are what is wrong with
    those, for an engine that needs them ("": nothing).
    """

    resolved: Tuple[str, ...] = ()
    error: str = ""
    status: int = 0
    said: str = ""
    clock: Optional[float] = None
    version: str = ""
    here: str = ""
    database: str = ""
    broker: str = ""

    @property
    def other_version(self) -> bool:
        """Whether the head runs another Airflow than this host: it refuses this worker then."""
        return bool(self.version and self.here) and self.version != self.here

    @property
    def clock_off(self) -> bool:
        """Whether the clocks are too far apart."""
        return self.clock is not None and abs(self.clock) > CLOCK_SECONDS

    @property
    def accepted(self) -> bool:
        """Whether the head takes what this host signs."""
        return self.status not in (0, 401, 403, 405) and self.status < 500

    @property
    def problem(self) -> str:
        """What is wrong, in a line; "" for nothing."""
        if self.error:
            return self.error
        if self.clock_off:
            ahead = self.clock or 0
            return (
                f"this host's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the head's"
            )
        if self.status in (401, 403):
            return f"the head refuses the key (HTTP {self.status}): {self.said}"
        if not self.accepted:
            return f"the head answers HTTP {self.status}: {self.said}"
        if self.other_version:
            return f"the head runs Airflow {self.version}, and this worker {self.here}"
        return self.database or self.broker


def token(key: Secret, claims: Mapping[str, object], seconds: int = 60) -> Secret:
    """A token as Airflow 3 signs them: JSON Web Token (RFC 7519), HS512, for the audience ``api``."""
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + seconds}
    payload = {"jti": uuid.uuid4().hex, "aud": "api", **times, **claims}
    parts = [_encoded(json.dumps(item).encode()) for item in ({"alg": "HS512", "typ": "JWT"}, payload)]
    signed = hmac.new(key.reveal().encode(), ".".join(parts).encode(), hashlib.sha512).digest()
    return Secret(".".join([*parts, _encoded(signed)]))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def look(join: Join, timeout: float = 10.0, here: str = "") -> HeadAnswer:
    """Ask the head, and with the Airflow that runs `here` also for its own; never raises."""
    parts = urllib.parse.urlsplit(join.base)
    host, port = parts.hostname or "", port_of(join.base)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return HeadAnswer(error=f"{host} is not known here: {error.strerror or error}")
    resolved = tuple(dict.fromkeys(str(item[4][0]) for item in found))
    try:
        status, date, body = _asked(join, parts.path, timeout)
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return HeadAnswer(resolved, f"{host} port {port} does not answer: {words}")
    clock = None
    with contextlib.suppress(TypeError, ValueError):
        # to the second, and taken while the answer was on its way
        clock = round(time.time() - email.utils.parsedate_to_datetime(date).timestamp(), 1)
    return HeadAnswer(
        resolved, "", status, _words(body), clock, _version(join, timeout) if here else "", here
    )


def _version(join: Join, timeout: float) -> str:
    """The Airflow that the head runs, which it tells everybody; "" where it does not say."""
    parts = urllib.parse.urlsplit(join.base)
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        with contextlib.closing(_connection(join, timeout)) as connection:
            path = f"{parts.path}{_api(join)}/version"
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            found = json.loads(answer.read(4096))
        return str(found.get("version") or "") if isinstance(found, dict) else ""
    return ""


def _api(join: Join) -> str:
    return "/api/v1" if join.airflow.startswith("2.") else "/api/v2"


def _connection(join: Join, timeout: float) -> http.client.HTTPConnection:
    parts = urllib.parse.urlsplit(join.base)
    if parts.scheme == "https":
        context = ssl.create_default_context(cadata=join.authorities or None)
        context.verify_flags |= ssl.VerifyFlags(_PARTIAL_CHAIN)  # a certificate that it has itself is enough
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)


def _asked(join: Join, path: str, timeout: float) -> Tuple[int, str, bytes]:
    """The question of the engine: for its key, or whether there is an Airflow at all."""
    if JWT not in join.secrets:
        return _call(join, "GET", f"{path}{_api(join)}/version", {}, timeout)
    # an empty change of this worker's queues: it changes nothing, and only the right key may ask for it
    method = f"worker/queues/{join.name}"
    headers = {
        "Authorization": token(join.key(JWT), {"method": method}).reveal(),
        "Content-Type": "application/json",
    }
    return _call(join, "PATCH", f"{path}/edge_worker/v1/{method}", headers, timeout)


def _call(
    join: Join, verb: str, path: str, headers: Mapping[str, str], timeout: float
) -> Tuple[int, str, bytes]:
    """One request; its status, the head's time, and the answer."""
    with contextlib.closing(_connection(join, timeout)) as connection:
        body = b"{}" if verb == "PATCH" else None
        connection.request(verb, path, body=body, headers={"Accept": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Date", ""), answer.read(4096)


def _words(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict) and "detail" in found:
            text = str(found["detail"])
    return " ".join(text.split())[:300]
