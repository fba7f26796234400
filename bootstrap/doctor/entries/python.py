"""Findings about the interpreter."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING

_MODULE_MORE = (
    "A Python that was compiled by hand builds each of these modules only if it finds the library's headers,"
    " and ends with success when it does not. Install the headers and build that Python again, use the"
    " distribution's own Python, or name another interpreter with --python."
)

PYTHON: Dict[str, Entry] = {
    "python-ok": Entry(OK, "Python fits"),
    "python-carried": Entry(
        OK,
        "The carried Python is used",
        "Nothing of the host's own Pythons matters then: an update of theirs cannot break the installation.",
        "A bundle may carry an interpreter (airferry bundle --with-python). It is taken where no Python of"
        " the host passes, or with --python carried; it lies in HOME/python/.",
    ),
    "authorities-missing": Entry(
        NOTE,
        "This host has no file of trusted certificates",
        "The carried Python trusts whom the host trusts; without such a file a DAG that opens a TLS"
        " connection to a server of yours cannot verify it. Airflow itself runs.",
        "The usual files of Debian, RHEL, SUSE and Alpine are looked for; their package is ca-certificates.",
    ),
    "python-carried-unfit": Entry(
        BLOCKER,
        "The carried Python does not run here",
        "It was built against a newer C library than this host has.",
    ),
    "python-missing": Entry(
        BLOCKER,
        "No Python of the needed version",
        "A bundle holds compiled packages for exactly one minor version of CPython.",
        "Doctor looks at the interpreter named with --python, then at the one that runs it, then at PATH and"
        " the usual folders (/usr/local/bin, /opt/*/bin, software collections, pyenv, uv). Install that"
        " version, name its path with --python, or have the bundle made for a Python that is here.",
    ),
    "python-version": Entry(
        BLOCKER,
        "The named Python is another version",
        "A bundle holds compiled packages for exactly one minor version of CPython.",
    ),
    "python-broken": Entry(
        BLOCKER,
        "This Python does not start",
        "Airflow's own environment is made from this interpreter and uses its standard library.",
    ),
    "python-implementation": Entry(
        BLOCKER,
        "This Python is not CPython",
        "The compiled packages in the bundle are made for CPython alone.",
    ),
    "python-32-bit": Entry(
        BLOCKER, "This Python is a 32-bit program", "The compiled packages in the bundle are 64-bit."
    ),
    "python-free-threaded": Entry(
        BLOCKER,
        "This Python is a free-threaded build",
        "It has another binary interface: the compiled packages in the bundle cannot be loaded.",
    ),
    "python-debug": Entry(
        WARNING, "This Python is a debug build", "It works, but runs Airflow several times slower."
    ),
    "python-minimal": Entry(
        BLOCKER,
        "This Python lacks parts of its standard library",
        "Airflow imports them at once; pip and uv need some of them too.",
        "Debian and Ubuntu cut Python in two: python3-minimal holds the interpreter and a few"
        " modules for the system's own start, python3.X all the rest.",
    ),
    "python-distutils-missing": Entry(
        BLOCKER,
        "This Python lacks the module distutils",
        "Neither uv nor pip can install anything for a Python before 3.10 without it.",
        "Debian and Ubuntu keep most of distutils in a package of its own, python3-distutils; python3 alone"
        " does not bring it.",
    ),
    "python-ctypes-missing": Entry(
        BLOCKER,
        "This Python lacks the module ctypes",
        "The install would succeed and 'airflow version' would answer, but the scheduler, the"
        " dag-processor, the triggerer and the web server would die at once.",
        "_ctypes is built only where the headers of libffi are installed (Debian: libffi-dev, RHEL:"
        " libffi-devel). " + _MODULE_MORE,
    ),
    "python-ssl-missing": Entry(
        BLOCKER,
        "This Python lacks the module ssl",
        "The install would succeed, but Airflow's components import it and die.",
        "_ssl needs OpenSSL 1.1.1 or newer with its headers (Debian: libssl-dev, RHEL: openssl-devel). "
        + _MODULE_MORE,
    ),
    "python-zlib-missing": Entry(
        BLOCKER,
        "This Python lacks the module zlib",
        "Neither pip nor most of Airflow runs without it.",
        "zlib needs its headers (Debian: zlib1g-dev, RHEL: zlib-devel). " + _MODULE_MORE,
    ),
    "python-sqlite3-missing": Entry(
        WARNING,
        "This Python lacks the module sqlite3",
        "Airflow fails with it only on an SQLite database; airferry uses PostgreSQL. DAGs and plugins that"
        " use SQLite will fail.",
        "_sqlite3 needs its headers (Debian: libsqlite3-dev, RHEL: sqlite-devel). " + _MODULE_MORE,
    ),
    "python-compression-missing": Entry(
        NOTE,
        "This Python lacks bz2 or lzma",
        "Airflow runs without them; DAGs that read or write such files (pandas does) will fail.",
        "_bz2 and _lzma need headers (Debian: libbz2-dev liblzma-dev, RHEL: bzip2-devel xz-devel). "
        + _MODULE_MORE,
    ),
    "python-optional-missing": Entry(
        NOTE,
        "This Python lacks modules that are missed rarely",
        "Airflow runs without them.",
        "readline needs its headers (Debian: libreadline-dev, RHEL: readline-devel), _uuid those of libuuid"
        " (uuid-dev, libuuid-devel); venv is a package of its own on Debian and Ubuntu (python3-venv). "
        + _MODULE_MORE,
    ),
    "python-openssl-old": Entry(
        BLOCKER,
        "This Python's OpenSSL is old",
        "urllib3 2, which newer releases of Airflow import, refuses an OpenSSL before 1.1.1; without it, DAGs"
        " that speak TLS 1.3 fail.",
        "It is a warning where the bundle carries urllib3 1.26, which works with older ones.",
    ),
    "python-sqlite-old": Entry(
        NOTE,
        "This Python's SQLite is old",
        "Airflow asks for 3.15 only where its metadata lie in SQLite; airferry uses PostgreSQL.",
    ),
    "python-managed": Entry(
        NOTE,
        "The distribution looks after this Python",
        "pip must not install into it; airferry makes an environment of its own and changes nothing there.",
    ),
    "python-others": Entry(
        NOTE,
        "Several Pythons are here",
        "The one with the fewest problems is taken, among equals the first on PATH; --python names another.",
    ),
    "python-semaphores-missing": Entry(
        BLOCKER,
        "This Python has no semaphores",
        "LocalExecutor runs tasks in processes that share a queue, which needs them.",
        "Python was built or runs without POSIX semaphores (sem_open), which on Linux live in /dev/shm.",
    ),
    "python-hidden": Entry(
        BLOCKER,
        "The service account cannot reach this Python",
        "Everything runs as that account, because PostgreSQL refuses root; a home folder of mode 0700 hides"
        " a Python below it.",
        "Use a Python outside of home folders (/usr/bin, /usr/local, /opt), or open the folders named for"
        " passing through (chmod o+x). Doctor does not weigh access control lists; where one is set it only"
        " warns.",
    ),
}
