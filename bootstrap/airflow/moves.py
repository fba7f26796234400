"""Settings of airflow.cfg that a new release has renamed or dropped, as Airflow's own check names them.

``airflow config update`` would apply them itself, but writes the file anew and loses every comment in it: it
is only asked, and the file is edited in place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Optional

from bootstrap.airflow import config
from bootstrap.airflow.config import ConfigurationError, Option, Setting

_LINE = re.compile(
    r"(?P<kind>Removed|Renamed) '(?P<section>[^'/]+)/(?P<option>[^']+)'"
    r"(?: to '(?P<to_section>[^'/]+)/(?P<to_option>[^']+)')?"
)
# Values that must not move ("": whatever it is). Four processes for the web server were a default and no
# choice; now it is one, and each is larger. The backends of the REST API are modules that Airflow 3 does not
# have: its API server ends at once when they are named to it.
_DROPPED: Dict[Option, str] = {("webserver", "workers"): "4", ("api", "auth_backends"): ""}
# What Airflow 2 writes into a new file, and an install of ours. Airflow 3 would send browsers there.
NO_ADDRESS = re.compile(r"https?://localhost(:\d+)?/?")
_ADDRESS = ("webserver", "base_url")


@dataclass(frozen=True)
class Move:
    """An option that is gone; `to` is where its value belongs now, None when nobody reads it any more."""

    place: Option
    to: Optional[Option] = None


def parse(said: str) -> List[Move]:
    """What ``airflow config update --all-recommendations`` says, as far as an option has gone."""
    found = []
    for match in _LINE.finditer(said):
        renamed = match["kind"] == "Renamed" and match["to_section"]
        to = (match["to_section"], match["to_option"]) if renamed else None
        found.append(Move((match["section"], match["option"]), to))
    return found


def apply(text: str, moves: List[Move]) -> str:
    """Give each value its new place, unless something stands there, and comment the old line out."""
    for move in moves:
        value = config.get(text, *move.place)
        if value is None:
            continue
        dropped = _DROPPED.get(move.place) in ("", value) or (
            move.place == _ADDRESS and NO_ADDRESS.fullmatch(value)
        )
        if move.to and not dropped and config.get(text, *move.to) is None:
            try:
                text = config.edit(text, [Setting(*move.to, value)])
            except ConfigurationError:
                continue  # it stays where it is: Airflow says so in its own log
        text = config.comment_out(text, *move.place)
    return text
