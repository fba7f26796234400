"""Settings of airflow.cfg that stand where another release has them, by the release's own table of changes.

``airflow config update`` would apply that table itself, but writes the file anew and loses every comment in
it, and starts only with a database that it can reach: the table is read, and the file is edited in place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from bootstrap.airflow import config, differences, option_tables
from bootstrap.airflow.config import ConfigurationError, Option, Setting
from bootstrap.airflow.managed_options import moved
from bootstrap.airflow.option_tables import OptionMove, Tables
from bootstrap.airflow.release import AirflowRelease
from bootstrap.airflow.webaddress import NO_ADDRESS

# Values that must not move ("": whatever it is). Four processes for the web server were a default and no
# choice; now it is one, and each is larger. The backends of the REST API are modules that Airflow 3 does not
# have: its API server ends at once when they are named to it.
_DROPPED: Dict[Option, str] = {
    ("webserver", "workers"): "4", ("api", "auth_backends"): "", ("api", "auth_backend"): "",
}  # fmt: skip
_ADDRESS = ("webserver", "base_url")
_LOGIN = ("core", "auth_manager")
# Where Airflow 2 has most options of a section of Airflow 3, under the same name.
_BACK = {"api": "webserver", "fab": "webserver", "dag_processor": "scheduler"}
# Sections of Airflow itself in any release; others are a provider's, or the site's own.
_SECTIONS = {place[0] for row in differences.PLACES for _, place in row.since if place} - {"fab"}


@dataclass(frozen=True)
class Fitted:
    """The `text` of a file that fits a release; options that moved, were commented out, or stay unread."""

    text: str
    moved: Tuple[str, ...] = ()
    gone: Tuple[str, ...] = ()
    unknown: Tuple[str, ...] = ()


def fit(text: str, release: AirflowRelease, venv: Path) -> Fitted:
    """The file for the release in that environment: options of older and of newer ones get their places.

    What the release does not know in any place stays as it is.
    """
    tables = option_tables.of_environment(venv)
    changes = option_tables.changes(venv) if release.numbers >= (3, 0, 0) else []
    changes = [*changes, *_of_commands(text, changes)]
    changes += _of_newer(text, release, tables) if tables else []
    fitted = apply(text, changes)
    onward = {change.place: change.now for change in changes}
    to: List[str] = []
    gone: List[str] = []
    for place in dict.fromkeys(change.place for change in changes):
        if config.get(text, *place) is None or config.get(fitted, *place) is not None:
            continue
        now, seen = onward[place], {place}
        # a place that was left in a later release once more
        while now and config.get(fitted, *now) is None:
            seen.add(now)
            now = None if onward.get(now) in seen else onward.get(now)
        (to if now else gone).append(_name(place) + (f" -> {_name(now)}" if now else ""))
    targets = {change.now for change in changes}
    strays = [place for place in config.options(fitted) if tables and _is_stray(tables, place)]
    unknown = [_name(place) for place in strays if place not in targets]
    return Fitted(fitted, tuple(to), tuple(gone), tuple(dict.fromkeys(unknown)))


def apply(text: str, changes: Sequence[OptionMove]) -> str:
    """Give each value its new place, unless something stands there, and comment the old line out."""
    for change in changes:
        value = config.get(text, *change.place)
        if value is None or change.only not in (None, value):
            continue
        dropped = _DROPPED.get(change.place) in ("", value) or (
            change.place == _ADDRESS and NO_ADDRESS.fullmatch(value)
        )
        if change.now and not dropped and config.get(text, *change.now) is None:
            try:
                text = config.edit(text, [Setting(*change.now, value)])
            except ConfigurationError:
                continue  # it stays where it is: Airflow says so in its own log
        text = config.comment_out(text, *change.place)
    return text


def _of_commands(text: str, changes: Sequence[OptionMove]) -> List[OptionMove]:
    """The same for options whose values come from a command or a secrets backend."""
    return [
        OptionMove((section, option + ending), now and (now[0], now[1] + ending))
        for ending in ("_cmd", "_secret")
        if any(name.endswith(ending) for _, name in config.options(text))
        for (section, option), now, only in changes
        if only is None
    ]


def _of_newer(text: str, release: AirflowRelease, tables: Tables) -> List[OptionMove]:
    """The options that a newer release has elsewhere, or alone, as far as we know where."""
    found = []
    for place in config.options(text):
        elsewhere, now = moved(release, *place)
        back = (_BACK.get(place[0], ""), place[1])
        # late releases of 2 know this one, and have not what 3 sets it to
        if place == _LOGIN and elsewhere:
            found.append(OptionMove(place, now))
        elif not _known(tables, place) and release.numbers < (3, 0, 0) and _known(tables, back):
            found.append(OptionMove(place, back))
        elif not _known(tables, place) and elsewhere:
            found.append(OptionMove(place, now))
    return found


def _is_stray(tables: Tables, place: Option) -> bool:
    return place[0] in {*tables.sections, *_SECTIONS} and not _known(tables, place)


def _known(tables: Tables, place: Option) -> bool:
    """Whether the release has an option there, or reads it there still."""
    section, option = place
    names = {option, re.sub(r"_(cmd|secret)$", "", option)}
    own = any((section, name) in (*tables.providers, *tables.older) for name in names)
    return bool(own or names & tables.sections.get(section, set()))


def _name(place: Option) -> str:
    return "[{}] {}".format(*place)
