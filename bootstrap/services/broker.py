"""Root's part while everything else runs as the service account: a few verbs on one installation's units.

Root keeps one end of a socket and the account's process the other (bootstrap.base.channel). What crosses it
is data; root writes the text of the units itself, from the record that it made at the install. A command may
give it more verbs (bootstrap.custody).
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from bootstrap.airflow.executor import executor_of
from bootstrap.base import account, channel
from bootstrap.base.boundary import HostError
from bootstrap.services import units
from bootstrap.services.control import SYSTEM_UNITS, Systemctl
from bootstrap.services.manager import ServiceError
from bootstrap.services.units import Layout
from bootstrap.state import registry
from bootstrap.state.registry import Record
from wheelhouse import codec
from wheelhouse.errors import AirferryError

# What a request may have root do beside the verbs on units; what it returns is the answer.
Action = Callable[[Dict[str, Any]], object]


class Remote(Systemctl):
    """Control through root's process; what needs no root is looked at directly."""

    def __init__(self, layout: Layout, folder: Path = SYSTEM_UNITS) -> None:
        super().__init__(layout, folder, user=False)

    def configure(self) -> None:
        """Write the unit files, remove those that are no longer wanted, and enable them."""
        self._ask("configure")

    def start(self, names: Sequence[str], wait: bool) -> None:
        """Start components; with `wait` until systemd calls them started."""
        self._ask("start", names=list(names), wait=wait)

    def stop(self, names: Sequence[str]) -> None:
        """Stop components, and wait."""
        if self.installed():
            self._ask("stop", names=list(names))

    def show(self) -> List[Dict[str, str]]:
        """The state of every component's unit; root needs no message bus to ask for it."""
        if not self.installed():
            return []
        found: List[Dict[str, str]] = self._ask("show")
        return found

    def remove(self) -> None:
        """Stop everything and remove the unit files."""
        self._ask("remove")

    def forget(self) -> None:
        """Have root forget that there is such an installation."""
        self._ask("forget")

    def _ask(self, verb: str, **more: object) -> Any:
        layout = {
            "components": list(self.layout.components),
            "postgres": self.layout.postgres,
            "executor": self.layout.executor,
        }
        try:
            return channel.ask(verb, **layout, **more)
        except channel.RootFailed as error:
            raise ServiceError(error.message, found=error.found, hint=error.hint) from error


class Broker:
    """Root's side, for the installation of `record` and no other; `actions` are more verbs than its own."""

    def __init__(
        self, record: Record, folder: Path = SYSTEM_UNITS, actions: Optional[Mapping[str, Action]] = None
    ) -> None:
        self.record = record
        self.folder = folder
        self.actions = dict(actions or {})

    def serve(self, end: socket.socket) -> None:
        """Answer until the other end is closed."""
        while True:
            line = channel.line(end)
            if not line:
                return
            end.sendall(json.dumps(self.answer(line)).encode() + b"\n")

    def answer(self, line: bytes) -> Dict[str, Any]:
        """The answer to one request; what is no request of ours is an error, never an exception."""
        try:
            return {"ok": True, "result": self._do(line)}
        except AirferryError as error:
            return {"ok": False, **error.as_dict()}
        except OSError as error:
            refused = HostError(f"The operating system refused it: {error}")
            return {"ok": False, **refused.as_dict()}

    def _do(self, line: bytes) -> object:
        request = _parse(line)
        action = self.actions.get(str(request.get("verb")))
        if action:
            return action(request)
        layout = Layout(
            self.record.name,
            self.record.home,
            self.record.account,
            _components(request.get("components"), units.KNOWN[1:]),
            request.get("postgres") is True,
            executor_of(str(request.get("executor"))).name,
        )
        control = Systemctl(layout, self.folder, user=False)
        verb, result = request.get("verb"), None
        if verb == "configure":
            control.configure()
        elif verb == "start":
            control.start(_components(request.get("names"), layout.names), request.get("wait") is True)
        elif verb == "stop":
            control.stop(_components(request.get("names"), layout.names))
        elif verb == "show":
            result = control.show()
        elif verb == "remove":
            control.remove()
        elif verb == "forget":
            registry.forget(self.record)
        else:
            raise ServiceError(f"Root does not do that: {verb!r}.")
        return result


def attend(child: int, end: socket.socket, broker: Optional[Broker]) -> int:
    """Serve the process `child`, which has the other end, wait for its end, and return its exit status."""
    while True:
        try:
            if broker:
                broker.serve(end)
            _, status = os.waitpid(child, 0)
        except ConnectionError:
            broker = None
        except KeyboardInterrupt as interrupted:
            # it cleans up, and may need us for it
            account.interrupt(child, interrupted)
        else:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _parse(line: bytes) -> Dict[str, Any]:
    try:
        request = codec.parse(line.decode("utf-8", "replace"))
    except codec.Malformed as error:
        raise ServiceError("Invalid request.") from error
    if not isinstance(request, dict):
        raise ServiceError("Invalid request.")
    return request


def _components(found: object, known: Sequence[str]) -> Tuple[str, ...]:
    if not isinstance(found, list) or any(name not in known for name in found):
        raise ServiceError("These are no components of this installation.", found=repr(found)[:200])
    return tuple(found)
