"""Every interpreter that was found, and the finer points of the one that would be taken."""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Tuple

from bootstrap.base.columns import listed
from bootstrap.doctor.checks.modules import BUILT_BY_HAND
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.python import Interpreter

PYTHON_OPTIONAL_MISSING = Entry(
    "python-optional-missing",
    NOTE,
    "This Python lacks modules that are rarely needed",
    "Airflow runs without them.",
    "readline needs its headers (Debian: libreadline-dev, RHEL: readline-devel), _uuid those of libuuid"
    " (uuid-dev, libuuid-devel); venv is a package of its own on Debian and Ubuntu (python3-venv). "
    + BUILT_BY_HAND,
)
PYTHON_OPENSSL_OLD = Entry(
    "python-openssl-old",
    BLOCKER,
    "This Python's OpenSSL is old",
    "urllib3 2, which newer releases of Airflow import, refuses an OpenSSL before 1.1.1; without it, DAGs"
    " that speak TLS 1.3 fail.",
    "It is a warning where the bundle carries urllib3 1.26, which works with older ones.",
)
PYTHON_SQLITE_OLD = Entry(
    "python-sqlite-old",
    NOTE,
    "This Python's SQLite is old",
    "Airflow needs 3.15 only where its metadata are in SQLite; airferry uses PostgreSQL.",
)
PYTHON_MANAGED = Entry(
    "python-managed",
    NOTE,
    "This Python is managed by the distribution",
    "pip must not install into it; airferry makes an environment of its own and changes nothing there.",
)
PYTHON_OTHERS = Entry(
    "python-others",
    NOTE,
    "There are several Pythons",
    "The one with the fewest problems is used, among equals the first on PATH; --python names another.",
)

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
        yield PYTHON_OPTIONAL_MISSING.found(f"{python.path}: {'; '.join(lost)}")
    openssl = _numbers(python.openssl) if python.openssl.startswith("OpenSSL") else _OPENSSL
    if openssl < _OPENSSL:
        # urllib3 2 refuses to be imported with an older one; 1.26 works
        stops = any(re.match(r"urllib3-[2-9]", name) for name in needs.wheels)
        yield PYTHON_OPENSSL_OLD.found(
            f"{python.path}: {python.openssl}",
            needed="OpenSSL 1.1.1 or newer",
            remedy="Name an interpreter with a newer one with --python.",
            severity=BLOCKER if stops else WARNING,
        )
    if python.sqlite and _numbers(python.sqlite) < _SQLITE:
        yield PYTHON_SQLITE_OLD.found(f"{python.path}: SQLite {python.sqlite}")
    if python.managed:
        yield PYTHON_MANAGED.found(f"{python.stdlib}/EXTERNALLY-MANAGED")


def others(
    chosen: Interpreter, facts: Facts, needs: Needs, judge: Callable[[Interpreter], List[Finding]]
) -> Iterator[Finding]:
    """The interpreters that would not be taken, each with the reason."""
    lines = [
        f"{item.path}: {_reason(item, needs, judge)}" for item in facts.pythons or () if item is not chosen
    ]
    if lines:
        taken = f"{chosen.path}: CPython {chosen.version}, would be used"
        yield PYTHON_OTHERS.found(f"{taken}\n{listed(lines, _SHOWN)}")


def _reason(python: Interpreter, needs: Needs, judge: Callable[[Interpreter], List[Finding]]) -> str:
    if python.minor and python.minor != needs.python:
        return f"{python.version}, not {needs.python}"
    if python.error or not python.asked:
        return python.error or "was not checked"
    if needs.interpreter is not None and python.origin != "named":
        return f"{python.version}, not the one that was named"
    problems = [item.title for item in judge(python) if item.severity in (BLOCKER, WARNING)]
    return f"{python.version}, {'; '.join(problems) or 'fits as well'}"


def _numbers(text: str) -> Tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else _OPENSSL
