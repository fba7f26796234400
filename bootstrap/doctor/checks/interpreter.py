"""The interpreter that Airflow's environment would be made from."""

from __future__ import annotations

from typing import Iterator, List, Optional, Sequence, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.access import closed, service_user
from bootstrap.doctor.checks import carried, interpreters, modules
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, OK, SEVERITIES, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.python import Interpreter
from wheelhouse.target import OLDEST_PYTHON

PYTHON_OK = Entry("python-ok", OK, "Python fits")
PYTHON_MISSING = Entry(
    "python-missing",
    BLOCKER,
    "No Python of the needed version",
    "A bundle holds compiled packages for exactly one minor version of CPython.",
    "Doctor looks at the interpreter named with --python, then at the one that runs it, then at PATH and"
    " the usual folders (/usr/local/bin, /opt/*/bin, software collections, pyenv, uv). Install that"
    " version, name its path with --python, or have the bundle made for a Python that is here.",
)
PYTHON_UNEXAMINED = Entry(
    "python-unexamined",
    WARNING,
    "Of this Python only the version is known",
    "The facts are of the probe for sh, which asks an interpreter for nothing else; modules may be missing.",
)
PYTHON_VERSION = Entry(
    "python-version",
    BLOCKER,
    "The named Python is another version",
    "A bundle holds compiled packages for exactly one minor version of CPython.",
)
PYTHON_BROKEN = Entry(
    "python-broken",
    BLOCKER,
    "This Python does not start",
    "Airflow's own environment is made from this interpreter and uses its standard library.",
)
PYTHON_IMPLEMENTATION = Entry(
    "python-implementation",
    BLOCKER,
    "This Python is not CPython",
    "The compiled packages in the bundle are made for CPython alone.",
)
PYTHON_32_BIT = Entry(
    "python-32-bit",
    BLOCKER,
    "This Python is a 32-bit program",
    "The compiled packages in the bundle are 64-bit.",
)
PYTHON_FREE_THREADED = Entry(
    "python-free-threaded",
    BLOCKER,
    "This Python is a free-threaded build",
    "It has another binary interface: the compiled packages in the bundle cannot be loaded.",
)
PYTHON_DEBUG = Entry(
    "python-debug",
    WARNING,
    "This Python is a debug build",
    "It works, but runs Airflow several times slower.",
)
PYTHON_HIDDEN = Entry(
    "python-hidden",
    BLOCKER,
    "The service account cannot reach this Python",
    "Everything runs as that account, because PostgreSQL refuses root; a home folder of mode 0700 hides"
    " a Python below it.",
    "Use a Python outside of home folders (/usr/bin, /usr/local, /opt), or allow access through the"
    " named folders (chmod o+x). Doctor does not evaluate access control lists; where one is set it"
    " only warns.",
)


def choose(facts: Facts, needs: Needs) -> Optional[Interpreter]:
    """The interpreter to make the environment from: the named one, else the one with the fewest problems.

    None when no CPython of the needed minor version answers. Among equals the one that runs this comes
    first, then the order of PATH.
    """
    fitting = _fitting(facts, needs)
    return min(fitting, key=lambda item: _weight(judge(item, facts, needs))) if fitting else None


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Judge the interpreter that would be chosen, or say what is there instead."""
    if needs.carried and uses_carried(facts, needs):
        yield from carried.used(needs.carried, facts, () if needs.carried_only else _problems(facts, needs))
        return
    if needs.carried and not carried.starts(needs.carried, facts):
        yield carried.unfit(needs.carried, facts, needs)
    if facts.pythons is None or needs.carried_only:
        return
    problems = _problems(facts, needs)
    yield from problems
    chosen = choose(facts, needs)
    if chosen is None:
        return
    yield from interpreters.others(chosen, facts, needs, lambda item: judge(item, facts, needs))
    if not any(problem.severity == BLOCKER for problem in problems):
        details = ", ".join(filter(None, (chosen.openssl, chosen.sqlite and f"SQLite {chosen.sqlite}")))
        yield PYTHON_OK.found(f"CPython {chosen.version} at {chosen.path} ({details})")


def uses_carried(facts: Facts, needs: Needs) -> bool:
    """Whether the bundle's interpreter is taken: it was asked for, or none of the host's does."""
    if needs.carried is None or not carried.starts(needs.carried, facts):
        return False
    return (
        needs.carried_only
        or choose(facts, needs) is None
        or any(item.severity == BLOCKER for item in _problems(facts, needs))
    )


def _problems(facts: Facts, needs: Needs) -> List[Finding]:
    chosen = choose(facts, needs)
    return judge(chosen, facts, needs) if chosen else [_missing(facts, needs)]


def judge(python: Interpreter, facts: Facts, needs: Needs) -> List[Finding]:
    """Everything that is wrong with an interpreter of the right minor version."""
    return [
        *_build(python, needs),
        *modules.check(python, facts, needs),
        *interpreters.details(python, needs),
        *_reach(python, facts, needs),
    ]


def _fitting(facts: Facts, needs: Needs) -> List[Interpreter]:
    return [
        item
        for item in facts.pythons or ()
        if item.asked
        and not item.error
        and item.minor == needs.python
        and (needs.interpreter is None or item.origin == "named")
    ]


def _weight(problems: List[Finding]) -> Tuple[int, ...]:
    return tuple(sum(item.severity == severity for item in problems) for severity in SEVERITIES)


def _missing(facts: Facts, needs: Needs) -> Finding:
    pythons = facts.pythons or ()
    needed = f"CPython {needs.python} with its complete standard library"
    named = next((item for item in pythons if item.origin == "named"), None)
    others = [item for item in pythons if item.minor == needs.python and item.asked and not item.error]
    if needs.interpreter is not None and named is not None:
        if named.error:
            return PYTHON_BROKEN.found(
                f"{named.path}: {named.error}",
                needed=needed,
                remedy="Name another interpreter with --python, or leave the option out.",
            )
        hint = f" For example: --python {remedies.quoted(others[0].path)}" if others else ""
        return PYTHON_VERSION.found(
            f"{named.path} is {_described(named)}",
            needed=needed,
            remedy="Name an interpreter of that version with --python, or leave the option out." + hint,
        )
    unexamined = [
        item for item in pythons if item.minor == needs.python and not item.asked and not item.error
    ]
    if unexamined:
        return PYTHON_UNEXAMINED.found(
            "\n".join(f"{item.path} is {_described(item)}" for item in unexamined),
            needed=needed,
            remedy="Run the probe for Python there (outside: airferry probe, without --sh), or the doctor of"
            " the bundle on that host.",
        )
    broken = [item for item in pythons if item.minor == needs.python and item.error]
    found = [f"{item.path}: {item.error}" for item in broken]
    found += [f"{item.path} is {_described(item)}" for item in pythons if item not in broken]
    offered = remedies.offers(facts.distribution, needs.python)
    from_here = (
        f"Install Python {needs.python} from this distribution's mirror or medium,"
        if offered
        else f"This distribution has no package of Python {needs.python}:"
    )
    return PYTHON_MISSING.found(
        "\n".join(found) or "no Python at all",
        needed=needed,
        remedy=f"{from_here} name one elsewhere with --python PATH, or have the bundle made for a"
        " Python that is"
        f" here (outside: airferry bundle --python {_newest(pythons)}).",
        commands=remedies.install_python(facts.distribution, needs.python),
        needs_root=offered,
    )


def _newest(pythons: Sequence[Interpreter]) -> str:
    minors = [tuple(map(int, item.minor.split("."))) for item in pythons if item.minor and not item.error]
    newest = max((minor for minor in minors if minor >= OLDEST_PYTHON), default=())
    return ".".join(map(str, newest)) or "VERSION"


def _described(python: Interpreter) -> str:
    name = {"": "Python", "cpython": "CPython", "pypy": "PyPy"}.get(
        python.implementation, python.implementation
    )
    if python.error:
        return f"a {name} that does not start: {python.error}"
    return f"{name} {python.version or 'of unknown version'}"


def _build(python: Interpreter, needs: Needs) -> Iterator[Finding]:
    needed = f"an ordinary 64-bit build of CPython {needs.python}"
    other = "Name another interpreter with --python."
    where = f"{python.path} ({python.version}"
    if python.implementation != "cpython":
        found = f"{python.path} is {_described(python)}"
        yield PYTHON_IMPLEMENTATION.found(found, needed=needed, remedy=other)
    if python.bits == 32:
        yield PYTHON_32_BIT.found(f"{where}, 32 bits)", needed=needed, remedy=other)
    if python.free_threaded:
        yield PYTHON_FREE_THREADED.found(f"{where}, free-threaded)", needed=needed, remedy=other)
    if python.debug:
        yield PYTHON_DEBUG.found(f"{where}, debug build)", needed=needed, remedy=other)


def _reach(python: Interpreter, facts: Facts, needs: Needs) -> Iterator[Finding]:
    other, user = service_user(facts, needs.account)
    gate = closed(python.gates, user) if other else None
    if gate:
        yield PYTHON_HIDDEN.found(
            f"{gate.path} (mode {gate.mode:04o}) hides {python.path} from {needs.account}",
            needed=f"a CPython {needs.python} that the account {needs.account} can read and execute",
            remedy="Name an interpreter outside of home folders with --python, or allow access"
            " through that folder.",
            commands=(
                f"chmod o+{'r' if gate.path == python.resolved else ''}x {remedies.quoted(gate.path)}",
            ),
            needs_root=True,
            severity=WARNING if gate.acl else BLOCKER,
        )
