"""What a command gives back: the same as data for programs and as text for people.

Only the command line shows it, as the one or as the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Generic, TypeVar

from bootstrap.base.console import Console
from wheelhouse import codec
from wheelhouse.errors import AirferryError

SCHEMA = 1
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Result(Generic[T_co]):
    """What a command did or found: `data`, a frozen dataclass, and `text`, which prints it.

    `exit_code` is that of the process; not 0 when what was found is not well (doctor, status).
    """

    data: T_co
    text: Callable[[Console], object]
    exit_code: int = 0

    def show(self, console: Console, command: str, *, json: bool) -> int:
        """Print it, as JSON in the envelope or as text, and return the exit status."""
        if json:
            console.json(_envelope(command, self.exit_code == 0, result=codec.encode(self.data)))
        else:
            self.text(console)
        return self.exit_code


def failure(command: str, error: AirferryError) -> Dict[str, Any]:
    """The envelope of a command that did not do its work."""
    return _envelope(command, False, error=error.as_dict())


def _envelope(command: str, ok: bool, **content: Any) -> Dict[str, Any]:
    return {"schema": SCHEMA, "ok": ok, "command": command, **content}
