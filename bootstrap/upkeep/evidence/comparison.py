"""Two evidences: what differs, by the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from bootstrap.upkeep.evidence.data import SCHEMA, Evidence
from wheelhouse import codec
from wheelhouse.errors import AirferryError

_LARGEST = 64 << 20
# what differs between any two, and says nothing
_PASSING = ("written",)
# by which an item of a list is known; without one it is known by all of it
_NAMES = ("id", "number", "name", "time")


class EvidenceUnreadable(AirferryError):
    """A file that is no evidence of an installation, or one of a newer airferry."""

    reference = "evidence-unreadable"
    exit_code = 107


@dataclass(frozen=True)
class EvidenceChange:
    """A place in the evidence, and what stands there in both; empty where one has nothing there."""

    place: str
    before: str
    after: str


def read(path: Path) -> Evidence:
    """The evidence in a file; raises :class:`EvidenceUnreadable`."""
    try:
        data = codec.parse(codec.read(path, _LARGEST))
        schema = data.get("schema") if isinstance(data, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise codec.Malformed([f"schema {schema}, which a newer airferry writes"])
        return codec.decode(Evidence, data)
    except (OSError, UnicodeDecodeError, codec.Malformed) as error:
        problems = error.problems if isinstance(error, codec.Malformed) else [str(error)]
        raise EvidenceUnreadable(
            f"{path} is no evidence of an installation that can be read.",
            found="\n".join(problems[:5]),
            needed="a file that airferry evidence wrote: airferry-evidence-....json",
        ) from error


def between(before: Evidence, after: Evidence) -> Tuple[EvidenceChange, ...]:
    """What differs, but for the time of writing; the history is known by time and command."""
    old, new = (dict(_places(codec.encode(item))) for item in (before, after))
    places = [place for place in {**old, **new} if old.get(place) != new.get(place)]
    return tuple(EvidenceChange(place, old.get(place, ""), new.get(place, "")) for place in sorted(places))


def _places(data: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    for name, value in data.items():
        if name not in _PASSING:
            yield from _flat(name, value)


def _flat(place: str, value: Any) -> Iterator[Tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(f"{place}.{name}", item)
    elif isinstance(value, list):
        seen: List[str] = []
        for item in value:
            name = _name(item)
            seen.append(name)
            inner = f"{place}[{name}]" if seen.count(name) == 1 else f"{place}[{name} ({seen.count(name)})]"
            yield from _flat(inner, item) if isinstance(item, dict) else ((inner, "there"),)
    elif value is not None and value != "":
        yield place, str(value)


def _name(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    if "option" in item:
        return f"{item.get('section')} {item.get('option')}"
    if "command" in item:
        return f"{item.get('time')} {item.get('command')}"
    return str(next((item[name] for name in _NAMES if name in item), ""))
