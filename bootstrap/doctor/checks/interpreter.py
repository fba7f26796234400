"""The interpreter that Airflow's environment would be made from."""

from __future__ import annotations

from typing import Iterator, List, Optional, Sequence, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.access import closed, service_user
from bootstrap.doctor.checks import carried, interpreters
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, SEVERITIES, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.python import Interpreter
from wheelhouse.target import OLDEST_PYTHON

# what each missing module does to a real Airflow was tried on hosts without it
_MODULES = (
    ("ctypes", "python-ctypes-missing", BLOCKER),
    ("ssl", "python-ssl-missing", BLOCKER),
    ("zlib", "python-zlib-missing", BLOCKER),
    ("sqlite3", "python-sqlite3-missing", WARNING),
)
_STANDARD = ("json", "zipfile")
# before 3.10 uv and pip learn from distutils where packages go
_WITH_DISTUTILS = ("3.8", "3.9")


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
        yield Finding("python-ok", OK, f"CPython {chosen.version} at {chosen.path} ({details})")


def uses_carried(facts: Facts, needs: Needs) -> bool:
    """Whether the bundle's interpreter is taken: it was asked for, or none of the host's does."""
    if needs.carried is None or not carried.starts(needs.carried, facts):
        return False
    return needs.carried_only or any(item.severity == BLOCKER for item in _problems(facts, needs))


def _problems(facts: Facts, needs: Needs) -> List[Finding]:
    chosen = choose(facts, needs)
    return judge(chosen, facts, needs) if chosen else [_missing(facts, needs)]


def judge(python: Interpreter, facts: Facts, needs: Needs) -> List[Finding]:
    """Everything that is wrong with an interpreter of the right minor version."""
    return [
        *_build(python, needs),
        *_modules(python, facts, needs),
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
    needed = f"CPython {needs.python} with its whole standard library"
    named = next((item for item in pythons if item.origin == "named"), None)
    others = [item for item in pythons if item.minor == needs.python and item.asked and not item.error]
    if needs.interpreter is not None and named is not None:
        if named.error:
            return Finding(
                "python-broken", BLOCKER, f"{named.path}: {named.error}", needed,
                "Name another interpreter with --python, or leave the option out.",
            )  # fmt: skip
        hint = f" For example: --python {remedies.quoted(others[0].path)}" if others else ""
        return Finding(
            "python-version", BLOCKER, f"{named.path} is {_described(named)}", needed,
            "Name an interpreter of that version with --python, or leave the option out." + hint,
        )  # fmt: skip
    broken = [item for item in pythons if item.minor == needs.python and item.error]
    found = [f"{item.path}: {item.error}" for item in broken]
    found += [f"{item.path} is {_described(item)}" for item in pythons if item not in broken]
    offered = remedies.offers(facts.distribution, needs.python)
    from_here = (
        f"Install Python {needs.python} from this distribution's mirror or medium,"
        if offered
        else f"This distribution has no package of Python {needs.python}:"
    )
    return Finding(
        "python-missing",
        BLOCKER,
        "\n".join(found) or "no Python at all",
        needed,
        f"{from_here} name one elsewhere with --python PATH, or have the bundle made for a Python that is"
        f" here (outside: airferry bundle --python {_newest(pythons)}).",
        remedies.install_python(facts.distribution, needs.python),
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
        yield Finding("python-implementation", BLOCKER, found, needed, other)
    if python.bits == 32:
        yield Finding("python-32-bit", BLOCKER, f"{where}, 32 bits)", needed, other)
    if python.free_threaded:
        yield Finding("python-free-threaded", BLOCKER, f"{where}, free-threaded)", needed, other)
    if python.debug:
        yield Finding("python-debug", WARNING, f"{where}, debug build)", needed, other)


def _modules(python: Interpreter, facts: Facts, needs: Needs) -> Iterator[Finding]:
    errors = {name: error for name, error in python.modules.items() if error}
    lost = [name for name in _STANDARD if name in errors and "zlib" not in errors[name]]
    if lost:
        found = "\n".join(f"{python.path}: {errors[name]}" for name in lost)
        yield Finding(
            "python-minimal", BLOCKER, found, f"CPython {needs.python} with its whole standard library",
            "Install the whole of that Python (on Debian python3, not only python3-minimal).",
            remedies.install_python(facts.distribution, needs.python),
            needs_root=True,
        )  # fmt: skip
        return
    for name, identifier, severity in _MODULES:
        if name in errors:
            yield _module_missing(identifier, severity, python, (name,), facts, needs)
    packers = tuple(name for name in ("bz2", "lzma") if name in errors)
    if packers:
        yield _module_missing("python-compression-missing", NOTE, python, packers, facts, needs)
    if needs.python in _WITH_DISTUTILS and "distutils.dist" in errors:
        yield Finding(
            "python-distutils-missing", BLOCKER, f"{python.path}: {errors['distutils.dist']}",
            f"CPython {needs.python} with its whole standard library",
            "Install the package that holds the rest of this Python (on Debian and Ubuntu python3-distutils),"
            " or name another interpreter with --python.",
            remedies.install_distutils(facts.distribution, needs.python),
            needs_root=True,
        )  # fmt: skip
    semaphores = errors.get("multiprocessing.synchronize")
    if semaphores:
        yield Finding(
            "python-semaphores-missing", BLOCKER, f"{python.path}: {semaphores}",
            "POSIX semaphores (sem_open)",
            "Use the distribution's own Python, or build this one again with /dev/shm mounted.",
        )  # fmt: skip


def _module_missing(
    identifier: str,
    severity: str,
    python: Interpreter,
    names: Tuple[str, ...],
    facts: Facts,
    needs: Needs,
) -> Finding:
    found = "\n".join(f"{python.path}: {python.modules[name]}" for name in names)
    needed = f"a CPython {needs.python} that can import {' and '.join(names)}"
    better = "or name another interpreter with --python."
    missing, commands = remedies.library(facts.distribution, found)
    if missing:
        return Finding(
            identifier, severity, found, needed,
            f"The module is there, but not the library {missing} that it needs: install the package that"
            f" holds it, {better}",
            commands, needs_root=True,
        )  # fmt: skip
    if python.base_prefix == "/usr":
        return Finding(
            identifier, severity, found, needed,
            f"Install the whole of the distribution's Python, {better}",
            remedies.install_python(facts.distribution, needs.python), needs_root=True,
        )  # fmt: skip
    packages = remedies.headers(facts.distribution, *names)
    return Finding(
        identifier, severity, found, needed,
        f"This Python was built without the headers ({', '.join(packages)}): install them and build it again,"
        f" {better}",
        remedies.install(facts.distribution, *packages), needs_root=True,
    )  # fmt: skip


def _reach(python: Interpreter, facts: Facts, needs: Needs) -> Iterator[Finding]:
    other, user = service_user(facts, needs.account)
    gate = closed(python.gates, user) if other else None
    if gate:
        yield Finding(
            "python-hidden",
            WARNING if gate.acl else BLOCKER,
            f"{gate.path} (mode {gate.mode:04o}) hides {python.path} from {needs.account}",
            f"a CPython {needs.python} that the account {needs.account} can read and execute",
            "Name an interpreter outside of home folders with --python, or open that folder for passing"
            " through.",
            (f"chmod o+{'r' if gate.path == python.resolved else ''}x {remedies.quoted(gate.path)}",),
            needs_root=True,
        )
