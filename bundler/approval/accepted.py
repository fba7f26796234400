"""``accepted.toml``: what is known and carried all the same, each with its written justification."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from bundler.approval.licences import shortened
from bundler.approval.vulnerabilities import Acceptance
from bundler.base import toml
from bundler.base.errors import InvalidRequest
from bundler.base.text import NotText, decode

_FIELDS = ("id", "reason", "until", "by")


def read(path: Path) -> tuple[Acceptance, ...]:
    """Read the entries; raises :class:`InvalidRequest` with every problem."""
    try:
        data = toml.loads(decode(path.read_bytes()))
    except (OSError, NotText, toml.TOMLError) as error:
        raise _refused(path, [str(error)]) from error
    problems = [f"{name}: unknown" for name in data if name != "accepted"]
    entries = data.get("accepted", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _refused(path, [*problems, "accepted: a list of tables is needed, [[accepted]]"])
    found = []
    for number, entry in enumerate(entries, 1):
        wrong = list(_problems(entry))
        problems += [f"entry {number}: {text}" for text in wrong]
        if not wrong:
            found.append(Acceptance(**{name: shortened(str(entry[name]), 2000) for name in _FIELDS}))
    twice = {entry.id for entry in found if [item.id for item in found].count(entry.id) > 1}
    problems += [f"{name} is there twice" for name in sorted(twice)]
    if problems:
        raise _refused(path, problems)
    return tuple(found)


def _problems(entry: Mapping[str, Any]) -> list[str]:
    problems = [f"{name} is not a field" for name in entry if name not in _FIELDS]
    for name in ("id", "reason", "by"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            problems.append(f"{name} is missing")
    until = entry.get("until")
    if type(until) is not date:
        try:
            date.fromisoformat(until if isinstance(until, str) else "")
        except ValueError:
            problems.append("until is not a day, such as 2027-03-31")
    return problems


def _refused(path: Path, problems: list[str]) -> InvalidRequest:
    return InvalidRequest(
        f"{path} cannot be used.",
        found="\n".join(shortened(problem) for problem in problems),
        needed='[[accepted]] with id = "GHSA-...", reason = "...", until = 2027-03-31, by = "..."',
    )
