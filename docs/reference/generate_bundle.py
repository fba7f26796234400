"""Writes bundle.md beside this file: python docs/reference/generate_bundle.py."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bundler.assembly import payload
from bundler.request import platforms
from bundler.resolver import advisories

PAGE = Path(__file__).with_name("bundle.md")
HEAD = """# The internet side: `airferry`

Generated from the code by `docs/reference/generate_bundle.py`; do not edit.

`airferry bundle` makes one file; `inspect`, `verify` and `diff` examine such files; `init` writes a request
file to keep under version control; `cache` shows and prunes the download cache; `doctor --build` checks
whether this machine can build packages. Their options, and what the file does inside the closed network,
are in [cli.md](cli.md), exit codes in [exit-codes.md](exit-codes.md).
"""
CONSTRAINTS = """
## Constraints

Airflow can be installed only with a set of versions that was tested together. `--constraints` says where it
comes from; source, address and sha256 are recorded in the bundle.

| value | meaning |
|---|---|
| `auto` | the official file of that release and Python; if that address does not answer, `release-date`, with a warning |
| `official` | only the official file |
| `release-date` | no file: everything as of the day of the release (an hour after its wheel was uploaded) |
| a path or a URL | that file, `--hash` in its lines too; `{airflow}` and `{python}` are replaced with the versions |

If the official address answers "not found", the project does not support that Python: an error names the
Pythons that have files, also with `auto`. A file that says that it is for another release or Python, or
that is more than 60 days older than the release, is reported as stale. Providers that a file does not pin
are an error, unless a requirement gives their version.
"""  # noqa: E501
MORE = """
## Where packages come from

`--index-url` (or `UV_DEFAULT_INDEX`, `UV_INDEX_URL`, `PIP_INDEX_URL`) replaces the public index;
`--extra-index-url` adds one that is asked first: a package that it has is never taken from another index,
so an attacker cannot publish a package of the same name elsewhere. Credentials come from netrc, from the URL,
or for a URL with a user alone from the program `keyring`, as with pip's `--keyring-provider subprocess` (of a
pip.conf nothing is read; `pip config get global.index-url` shows what it names);
they are never shown, stored, or put on a command line. Proxies (`HTTPS_PROXY`, `NO_PROXY` ...), `PIP_CERT`,
`REQUESTS_CA_BUNDLE` and `SSL_CERT_FILE` work as with pip; the system's certificate authorities are trusted.

Requirements, requirement files, wheels, source distributions and project folders are resolved together
with Airflow. In a requirement file `-r`, `--hash`, `--index-url`, `--extra-index-url` and
`--find-links` work as with pip (an index is used for Airflow too; `--index-url` on the command line wins),
and `${NAME}` is taken from the environment: `--extra-index-url https://${SITE_USER}:${SITE_PASSWORD}@...`.
`-c`, `--prefer-binary` and `--require-hashes` are ignored with a warning; other options are refused, and the
error says what to do instead. The bundle never contains the names of folders of this machine.

## Add-ons

`airferry bundle --onto BUNDLE REQUIREMENT...` makes a small file, `airflow-...-add-XXXXXXXX.run`, for
an installation of that bundle: `HOME/bin/airferry add FILE`. BUNDLE is the file itself, or the
`manifest.json` of the installation, which is text and can be carried out. Release, Python and platform
are those of the bundle. Every package in it keeps its version: a requirement that conflicts with that is
refused with the resolver's message, and needs a whole new bundle. New packages follow the constraints
of the bundle (`auto`), or those given. For an installation with add-ons, name all of them in order:
`--onto BUNDLE --onto ADD-ON`.

## Packages without a wheel

A package that is published only as source is built into a wheel: isolated, with build requirements as of the
day of the Airflow release, and with the target's Python version if this machine has it. auditwheel examines a
wheel with native code and gives it the tag of the C library that it really needs; a wheel that does not fit
the target is refused. Built wheels are cached with their log. Before the download airferry names packages
that this machine is known to be unable to build, with the command that installs what is missing.

## The cache

`$XDG_CACHE_HOME/airferry` (`~/.cache/airferry`): files by sha256, built wheels, answers of the resolver.
The same request is not resolved again within ten minutes (`--refresh` resolves it); `--offline` repeats any
earlier request without a network. Interrupted downloads are resumed. Any number of runs may share a cache.

## The rehearsal

`airferry rehearse FILE` installs the bundle in a temporary home, runs its example pipeline, and writes the
result to `FILE.rehearsal.json`. Its `isolation` is `namespace` if it ran in a network namespace without a
route. If namespaces are not allowed, it begins with `guard`: a hook in every Python of the install then
refuses connections that are not to loopback, as a host without a network does. That is weaker, because it
does not see connections of compiled code.

## Same request, same bytes

The time stamps in the file are the newest upload time of its packages, or `SOURCE_DATE_EPOCH`. Two machines
that resolve the same packages with the same airferry and the same version of the resolver make the same
file. Built wheels are the same if the same Python builds them.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD,
            CONSTRAINTS.strip("\n"),
            "\n## Names for `--like`\n",
            ", ".join(f"`{name}`" for name in platforms.names())
            + "; rebuilds of RHEL by their own names too "
            "(`rocky9`), and a minor version may follow (`rhel8.10`).\n",
            MORE.strip("\n"),
            "\n## Contents of every bundle\n",
            *_table(("package", "versions"), _carried()),
            "\nOf several versions the newest that runs on the target's Python is used. In addition, as pure",
            f"Python for every CPython from 3.8 on: {_runtime()}, and their dependencies.\n",
            "## Advisories\n",
            *_table(("releases", "advice"), _advisories()),
            "",
        ]
    )


def _carried() -> Iterator[tuple[str, str]]:
    servers = payload.pins()["postgres"]
    for name, versions in payload.pins()["carried"].items():
        server = f" (PostgreSQL {servers[name]})" if name in servers else ""
        yield f"`{name}`", ", ".join(versions) + server


def _runtime() -> str:
    return ", ".join(payload.pins()["runtime"]["requirements"])


def _advisories() -> Iterator[tuple[str, str]]:
    return ((f"`{item['airflow']}`", item["text"]) for item in advisories.known())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
