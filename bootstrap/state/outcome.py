"""What an install and an uninstall did, or would do: values that the command line shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from bootstrap.state.plan import Done
from bootstrap.state.receipt import Receipt


@dataclass(frozen=True)
class Drift:
    """A unified `diff` of airflow.cfg, secrets masked, and the settings that stay as they were `edited`."""

    diff: Tuple[str, ...]
    edited: Tuple[str, ...]


@dataclass(frozen=True)
class TakeOver:
    """What there is to say of an old Airflow before it is taken over: its `home`, and `about` it in a line.

    `airflow` is its release, `revision` that of its schema. `taken` and `left` are a line for each kind of
    thing, `findings` the ids of what doctor says of it, `retire` the commands that keep it from starting
    again, `rows` the counts of tables.
    """

    home: str
    about: str
    airflow: str
    revision: str
    taken: Tuple[str, ...]
    left: Tuple[str, ...]
    findings: Tuple[str, ...]
    retire: Tuple[str, ...]
    rows: Dict[str, int]


@dataclass(frozen=True)
class Planned:
    """What an install would do: a line of `plan` for each step, and the receipt that would be written.

    `drift` is that of an airflow.cfg that is there, `take_over` what would come of an old Airflow, else null.
    """

    plan: Tuple[str, ...]
    drift: Optional[Drift]
    receipt: Receipt
    take_over: Optional[TakeOver] = None


@dataclass(frozen=True)
class Outcome:
    """What an install did: the receipt as it stands now, each step, and what to know.

    `before` is the release that it was upgraded from.
    """

    receipt: Receipt
    steps: Tuple[Done, ...]
    notes: Tuple[str, ...] = ()
    before: str = ""


@dataclass(frozen=True)
class Left:
    """What stays: a path, a database or an account, and why, where that is known."""

    what: str
    why: str


@dataclass(frozen=True)
class Uninstalled:
    """What became of an installation; `purged` says whether its data was removed, too."""

    home: str
    purged: bool
    left: Tuple[Left, ...]
