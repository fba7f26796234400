"""The modules of the standard library that an interpreter lacks."""

from __future__ import annotations

from typing import Iterator, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.python import Interpreter

BUILT_BY_HAND = (
    "A Python that was compiled by hand builds each of these modules only if it finds the library's headers,"
    " and ends with success when it does not. Install the headers and build that Python again, use the"
    " distribution's own Python, or name another interpreter with --python."
)
PYTHON_MINIMAL = Entry(
    "python-minimal",
    BLOCKER,
    "This Python lacks parts of its standard library",
    "Airflow imports them when it starts; pip and uv need some of them too.",
    "Debian and Ubuntu split Python: python3-minimal holds the interpreter and a few"
    " modules for the system's own start, python3.X all the rest.",
)
PYTHON_DISTUTILS_MISSING = Entry(
    "python-distutils-missing",
    BLOCKER,
    "This Python lacks the module distutils",
    "Neither uv nor pip can install anything for a Python before 3.10 without it.",
    "Debian and Ubuntu keep most of distutils in a package of its own, python3-distutils; python3 alone"
    " does not bring it.",
)
PYTHON_CTYPES_MISSING = Entry(
    "python-ctypes-missing",
    BLOCKER,
    "This Python lacks the module ctypes",
    "The install would succeed and 'airflow version' would answer, but the scheduler, the"
    " dag-processor, the triggerer and the web server would exit at once.",
    "_ctypes is built only where the headers of libffi are installed (Debian: libffi-dev, RHEL:"
    " libffi-devel). " + BUILT_BY_HAND,
)
PYTHON_SSL_MISSING = Entry(
    "python-ssl-missing",
    BLOCKER,
    "This Python lacks the module ssl",
    "The install would succeed, but Airflow's components import it and fail.",
    "_ssl needs OpenSSL 1.1.1 or newer with its headers (Debian: libssl-dev, RHEL: openssl-devel). "
    + BUILT_BY_HAND,
)
PYTHON_ZLIB_MISSING = Entry(
    "python-zlib-missing",
    BLOCKER,
    "This Python lacks the module zlib",
    "Neither pip nor most of Airflow runs without it.",
    "zlib needs its headers (Debian: zlib1g-dev, RHEL: zlib-devel). " + BUILT_BY_HAND,
)
PYTHON_SQLITE3_MISSING = Entry(
    "python-sqlite3-missing",
    WARNING,
    "This Python lacks the module sqlite3",
    "Airflow fails with it only on an SQLite database; airferry uses PostgreSQL. DAGs and plugins that"
    " use SQLite will fail.",
    "_sqlite3 needs its headers (Debian: libsqlite3-dev, RHEL: sqlite-devel). " + BUILT_BY_HAND,
)
PYTHON_COMPRESSION_MISSING = Entry(
    "python-compression-missing",
    NOTE,
    "This Python lacks bz2 or lzma",
    "Airflow runs without them; DAGs that read or write such files (pandas does) will fail.",
    "_bz2 and _lzma need headers (Debian: libbz2-dev liblzma-dev, RHEL: bzip2-devel xz-devel). "
    + BUILT_BY_HAND,
)
PYTHON_SEMAPHORES_MISSING = Entry(
    "python-semaphores-missing",
    BLOCKER,
    "This Python has no semaphores",
    "LocalExecutor runs tasks in processes that share a queue, which needs them.",
    "Python was built or runs without POSIX semaphores (sem_open), which on Linux live in /dev/shm.",
)

# what each missing module does to a real Airflow was tried on hosts without it
_MODULES = (
    ("ctypes", PYTHON_CTYPES_MISSING),
    ("ssl", PYTHON_SSL_MISSING),
    ("zlib", PYTHON_ZLIB_MISSING),
    ("sqlite3", PYTHON_SQLITE3_MISSING),
)
_STANDARD = ("json", "zipfile")
# before 3.10 uv and pip learn from distutils where packages go
_WITH_DISTUTILS = ("3.8", "3.9")


def check(python: Interpreter, facts: Facts, needs: Needs) -> Iterator[Finding]:
    """What cannot be imported; nothing but that where most of the library is missing."""
    errors = {name: error for name, error in python.modules.items() if error}
    lost = [name for name in _STANDARD if name in errors and "zlib" not in errors[name]]
    if lost:
        found = "\n".join(f"{python.path}: {errors[name]}" for name in lost)
        yield PYTHON_MINIMAL.found(
            found,
            needed=f"CPython {needs.python} with its complete standard library",
            remedy="Install the complete Python (on Debian python3, not only python3-minimal).",
            commands=remedies.install_python(facts.distribution, needs.python),
            needs_root=True,
        )
        return
    for name, entry in _MODULES:
        if name in errors:
            yield _missing(entry, python, (name,), facts, needs)
    packers = tuple(name for name in ("bz2", "lzma") if name in errors)
    if packers:
        yield _missing(PYTHON_COMPRESSION_MISSING, python, packers, facts, needs)
    if needs.python in _WITH_DISTUTILS and "distutils.dist" in errors:
        yield PYTHON_DISTUTILS_MISSING.found(
            f"{python.path}: {errors['distutils.dist']}",
            needed=f"CPython {needs.python} with its complete standard library",
            remedy="Install the package that holds the rest of this Python (on Debian and Ubuntu"
            " python3-distutils),"
            " or name another interpreter with --python.",
            commands=remedies.install_distutils(facts.distribution, needs.python),
            needs_root=True,
        )
    semaphores = errors.get("multiprocessing.synchronize")
    if semaphores:
        yield PYTHON_SEMAPHORES_MISSING.found(
            f"{python.path}: {semaphores}",
            needed="POSIX semaphores (sem_open)",
            remedy="Use the distribution's own Python, or build this one again with /dev/shm mounted.",
        )


def _missing(
    entry: Entry,
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
        return entry.found(
            found,
            needed=needed,
            remedy=f"The module is there, but not the library {missing} that it needs: install the"
            " package that"
            f" holds it, {better}",
            commands=commands,
            needs_root=True,
        )
    if python.base_prefix == "/usr":
        return entry.found(
            found,
            needed=needed,
            remedy=f"Install the distribution's complete Python, {better}",
            commands=remedies.install_python(facts.distribution, needs.python),
            needs_root=True,
        )
    packages = remedies.headers(facts.distribution, *names)
    return entry.found(
        found,
        needed=needed,
        remedy=f"This Python was built without the headers ({', '.join(packages)}): install them and"
        " build it again,"
        f" {better}",
        commands=remedies.install(facts.distribution, *packages),
        needs_root=True,
    )
