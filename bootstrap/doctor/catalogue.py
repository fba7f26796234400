"""Every finding that there is, put together from the modules that find them. Imported only to explain."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Dict, Iterable

from bootstrap.base.spelling import did_you_mean
from bootstrap.doctor import checks, finding, preflight
from bootstrap.doctor.finding import Entry
from wheelhouse.errors import AirferryError


class UnknownFinding(AirferryError):
    """An id that no finding has."""

    reference = "unknown-finding"
    exit_code = 2


class Catalogue:
    """The entries of `modules`: by id, and by subject, the first line of a module's docstring."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        """Gather the entries; two of the same id are not told from each other here, but by a test."""
        self.subjects: Dict[str, Dict[str, Entry]] = {}
        for module in modules:
            found = {entry.id: entry for entry in entries_of(module)}
            if found:
                subject = (module.__doc__ or module.__name__).splitlines()[0].rstrip(".")
                self.subjects[subject] = found
        self.entries = {key: entry for found in self.subjects.values() for key, entry in found.items()}

    def explain(self, identifier: str) -> Entry:
        """The entry of a finding; raises :class:`UnknownFinding`."""
        if identifier in self.entries:
            return self.entries[identifier]
        raise UnknownFinding(
            f"There is no finding {identifier!r}.",
            hint=did_you_mean(identifier, self.entries, near=0.4) or "doctor --explain lists all of them.",
        )


def entries_of(*modules: ModuleType) -> Iterable[Entry]:
    """The entries that are constants of the modules."""
    return tuple(item for module in modules for item in vars(module).values() if isinstance(item, Entry))


MODULES = (
    finding,
    preflight,
    *(
        importlib.import_module(f"{checks.__name__}.{module.name}")
        for module in pkgutil.iter_modules(checks.__path__)
    ),
)
CATALOGUE = Catalogue(MODULES)
