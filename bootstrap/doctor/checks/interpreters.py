"""Every interpreter that was found, and the finer points of the one that would be taken."""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Tuple

from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.python import Interpreter

_SHOWN = 8
_OPENSSL = (1, 1, 1)
_SQLITE = (3, 15, 0)  # what Airflow itself asks for, where it uses SQLite
# what is lost without each, none of which stops Airflow
_OPTIONAL = {
    "_uuid": "_uuid (uuid does the same in Python, more slowly)",
    "readline": "readline (no line editing in 'airflow shell' and at a prompt)",
    "venv": "venv (airferry makes its environment with uv; needed only where uv cannot run)",
}


def details(python: Interpreter, needs: Needs) -> Iterator[Finding]:
    """Versions of the libraries behind it, and modules that are missed rarely."""
    lost = [text for name, text in _OPTIONAL.items() if python.modules.get(name)]
    if lost and not python.modules.get("json"):
        yield Finding("python-optional-missing", NOTE, f"{python.path}: {'; '.join(lost)}")
    openssl = _numbers(python.openssl) if python.openssl.startswith("OpenSSL") else _OPENSSL
    if openssl < _OPENSSL:
        # urllib3 2 refuses to be imported with an older one; 1.26 works
        stops = any(re.match(r"urllib3-[2-9]", name) for name in needs.wheels)
        yield Finding(
            "python-openssl-old", BLOCKER if stops else WARNING, f"{python.path}: {python.openssl}",
            "OpenSSL 1.1.1 or newer", "Name an interpreter with a newer one with --python.",
        )  # fmt: skip
    if python.sqlite and _numbers(python.sqlite) < _SQLITE:
        yield Finding("python-sqlite-old", NOTE, f"{python.path}: SQLite {python.sqlite}")
    if python.managed:
        yield Finding("python-managed", NOTE, f"{python.stdlib}/EXTERNALLY-MANAGED")


def others(
    chosen: Interpreter, facts: Facts, needs: Needs, judge: Callable[[Interpreter], List[Finding]]
) -> Iterator[Finding]:
    """The interpreters that would not be taken, each with the reason."""
    lines = [
        f"{item.path}: {_reason(item, needs, judge)}" for item in facts.pythons or () if item is not chosen
    ]
    if lines:
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        taken = f"{chosen.path}: CPython {chosen.version}, would be taken"
        yield Finding("python-others", NOTE, "\n".join([taken, *lines[:_SHOWN], *more]))


def _reason(python: Interpreter, needs: Needs, judge: Callable[[Interpreter], List[Finding]]) -> str:
    if python.minor and python.minor != needs.python:
        return f"{python.version}, not {needs.python}"
    if python.error or not python.asked:
        return python.error or "was not asked"
    if needs.interpreter is not None and python.origin != "named":
        return f"{python.version}, not the one that was named"
    problems = [item.title for item in judge(python) if item.severity in (BLOCKER, WARNING)]
    return f"{python.version}, {'; '.join(problems) or 'fits as well'}"


def _numbers(text: str) -> Tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else _OPENSSL
