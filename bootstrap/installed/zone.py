"""The time zone of an installation: of schedules that name none, of the pages, and of the examples."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Iterator, Optional, Set

from bootstrap.base import spelling
from bootstrap.facts import region
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
# The packages that Airflow's own library, pendulum 2 or 3, takes the zones from.
_CARRIED = ("pytzdata", "tzdata")
_SAME = {"Etc/UTC": "UTC", "Etc/UCT": "UTC", "UCT": "UTC", "Etc/GMT": "GMT", "utc": "UTC"}


class UnknownTimeZone(AirferryError):
    """A time zone was asked for that Airflow would not know."""

    reference = "unknown-timezone"
    exit_code = 2


def choose(asked: Optional[str], bundle: Bundle, home: Home, earlier: Optional[Receipt]) -> str:
    """The zone that was asked for, else that of the earlier install, else the host's; "": Airflow's own.

    An airflow.cfg that is there already keeps its zone, and an install of before keeps to UTC, or DAGs that
    name no zone would start at another hour. Raises :class:`UnknownTimeZone`.
    """
    if asked is not None:
        return _checked(_SAME.get(asked, asked), bundle)
    if earlier:
        return earlier.timezone
    if home.airflow_cfg.exists():
        return ""
    found = region.zone()
    found = _SAME.get(found, found)
    if found in ("", "UTC"):
        return found
    known = _known(bundle)
    return found if _NAME.fullmatch(found) and (not known or found in known) else ""


def _checked(asked: str, bundle: Bundle) -> str:
    known = {"UTC", *_known(bundle)}
    if _NAME.fullmatch(asked) and (asked in known or len(known) == 1):
        return asked
    raise UnknownTimeZone(
        f"--timezone {asked!r} is no time zone.",
        needed="a name as below /usr/share/zoneinfo, such as UTC or Asia/Seoul",
        hint=spelling.did_you_mean(asked, known),
    )


def _known(bundle: Bundle) -> Set[str]:
    """The zones that the packages of the bundle know, else those of this host; empty where nobody says."""
    for package in bundle.manifest.packages:
        if package.name in _CARRIED:
            prefix = f"{package.name}/zoneinfo/"
            try:
                with zipfile.ZipFile(io.BytesIO(bundle.read(package.path))) as wheel:
                    names = wheel.namelist()
            except zipfile.BadZipFile:
                continue
            return {name[len(prefix) :] for name in names if name.startswith(prefix)}
    return set(_of_host())


def _of_host() -> Iterator[str]:
    folder = next((Path(name) for name in region.ZONES if Path(name).is_dir()), None)
    for path in folder.rglob("*") if folder else ():
        yield path.relative_to(str(folder)).as_posix()
