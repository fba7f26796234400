"""Several installations on one host: each has a name and ports that no other has, running or not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable, Set

from bootstrap.state import registry
from bootstrap.state.home import NAME
from wheelhouse.errors import AirferryError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class NeighbourConflict(AirferryError):
    """A name or a port that another installation on this host has, or a name that cannot be one."""

    reference = "neighbour-conflict"
    exit_code = 72


def name(home: Path, asked: str, earlier: str) -> str:
    """The name of the installation in `home`: as asked for, as it is called, or one that nobody has."""
    if asked and earlier and asked != earlier:
        raise NeighbourConflict(
            f"The installation in {home} is called {earlier}.",
            found=f"--name {asked}",
            hint="Leave out --name, or install into another home.",
        )
    taken = {record.name: record.home for record in registry.others(home)}
    chosen = asked or earlier or _derived(home, set(taken))
    if not _NAME.fullmatch(chosen):
        raise NeighbourConflict(
            f"{chosen!r} cannot be the name of an installation.",
            needed="small letters, digits, - and _, at most 32, a letter or digit first",
            hint="Choose another with --name.",
        )
    if chosen in taken:
        raise NeighbourConflict(
            f"Another installation on this host is called {chosen}.",
            found=f"it is in {taken[chosen]}",
            hint="Choose another with --name.",
        )
    return chosen


def reserved(home: Path, named: Iterable[int]) -> Set[int]:
    """The ports of the other installations; raises :class:`NeighbourConflict` for one that was `named`."""
    for record in registry.others(home):
        for port in sorted(set(named) & set(record.ports)):
            raise NeighbourConflict(
                f"Port {port} belongs to another installation on this host.",
                found=f"{record.name} in {record.home}, which may be stopped now",
                needed="a port of its own",
                hint="Name another one, or none: the next free one is taken.",
            )
    return registry.reserved_ports(home)


def _derived(home: Path, taken: Set[str]) -> str:
    """`airflow` for the first, then by the folder's own name."""
    folder = re.sub(r"[^a-z0-9_-]+", "-", home.name.lower()).strip("-_")[:28] or NAME
    candidates = [NAME, folder, *(f"{folder}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)
