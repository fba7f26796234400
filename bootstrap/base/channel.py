"""The account's end of a channel to root's process, which does what only root may: a JSON object a line.

The descriptor is never named in the environment: whoever calls root could set it there.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any, List

from wheelhouse.errors import AirferryError

LONGEST = 1 << 20
_ends: List[int] = []
# one request at a time: doctor's looks run side by side
_turn = threading.Lock()


class BrokerGone(AirferryError):
    """Root's process, which serves this one, has ended before it or made no sense."""

    reference = "services-broker-gone"
    exit_code = 71


class NeedsRoot(AirferryError):
    """What the command would change belongs to root."""

    reference = "needs-root"
    exit_code = 74


class RootFailed(AirferryError):
    """Root's process could not do what it was asked for; reference and exit code are those of its error."""

    reference = "root-failed"
    exit_code = 78


def connect(descriptor: int) -> None:
    """Have root serve this process at the other end of that descriptor; it is kept from programs."""
    os.set_inheritable(descriptor, False)
    _ends[:] = [descriptor]


def disconnect() -> None:
    """Go on without root."""
    _ends.clear()


def available() -> bool:
    """Whether root serves this process."""
    return bool(_ends)


def ask(verb: str, **more: object) -> Any:
    """Have root do it; raises :class:`RootFailed`, :class:`BrokerGone`, :class:`NeedsRoot`."""
    if not _ends:
        raise NeedsRoot(
            "What this command would change belongs to root.", hint="Run the same command again as root."
        )
    request = json.dumps({"verb": verb, **more})
    try:
        with _turn, socket.socket(fileno=os.dup(_ends[-1])) as channel:
            channel.sendall(request.encode() + b"\n")
            answer = json.loads(line(channel) or b"null")
    except (OSError, ValueError) as error:
        raise _gone(str(error)) from error
    if not isinstance(answer, dict):
        raise _gone("no answer")
    if answer["ok"]:
        return answer["result"]
    raise _failed(answer)


def line(channel: socket.socket) -> bytes:
    """One line; nothing when the other end is closed, or sends more than any of ours is long."""
    received = bytearray()
    while not received.endswith(b"\n"):
        part = channel.recv(LONGEST)
        received += part
        if not part or len(received) > LONGEST:
            return b""
    return bytes(received)


def _failed(answer: Any) -> RootFailed:
    kind = type(
        "RootFailed",
        (RootFailed,),
        {"reference": str(answer.get("reference")), "exit_code": int(answer.get("exit_code", 1))},
    )
    found: RootFailed = kind(
        answer["message"], found=answer["found"], needed=answer["needed"], hint=answer["hint"]
    )
    return found


def _gone(found: str) -> BrokerGone:
    return BrokerGone(
        "Root's process, which does what only root may, does not answer.",
        found=found,
        hint="Run the same command again as root: it continues from here.",
    )
