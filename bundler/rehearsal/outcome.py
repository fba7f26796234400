"""What became of a rehearsal; light to import."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.state.plan import Done
from wheelhouse import codec

SCHEMA = 1


@dataclass(frozen=True)
class Rehearsal:
    """What became of a rehearsal.

    ``isolation`` is ``namespace`` when there was no network at all; otherwise it begins with ``guard``, and
    says what that is worth and why it was taken. ``host`` is the machine it ran on, ``seconds`` the wall time
    of the install, ``steps`` its steps with theirs.
    """

    schema: int
    ok: bool
    file: str
    bundle_id: str
    sha256: str
    isolation: str
    host: str
    python: str
    finished: str
    seconds: float
    steps: tuple[Done, ...]

    def dumps(self) -> str:
        """As canonical JSON text."""
        return codec.dumps(self)
