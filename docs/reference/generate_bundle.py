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

`airferry bundle` makes one file; `inspect`, `verify` and `diff` look at such files; `init` writes a request
to be kept under version control; `cache` shows and prunes what is kept between runs; `doctor --build`
judges this machine as one that builds. Their options, and what the file does inside the closed network,
are in [cli.md](cli.md), exit codes in [exit-codes.md](exit-codes.md).
"""
CONSTRAINTS = """
## Constraints

Airflow is installable only with a set of versions that was tested together. `--constraints` says where it
comes from; source, address and sha256 are recorded in the bundle.

| value | meaning |
|---|---|
| `auto` | the official file of that release and Python; where that address does not answer, `release-date`, with a warning |
| `official` | the official file, and nothing else |
| `release-date` | no file: everything as of the day of the release (an hour after its wheel was uploaded) |
| a path or a URL | that file; `{airflow}` and `{python}` in it are replaced by the versions |

An official address that answers "not found" means that the project does not support that Python: an error
which names the Pythons that it has files for, under `auto` too. A file that says that it is for another
release or Python, or is more than 60 days older than the release, is told as stale. Providers that a file
does not pin are an error, unless their version is asked for as a requirement.
"""  # noqa: E501
MORE = """
## Where packages come from

`--index-url` (or `UV_DEFAULT_INDEX`, `UV_INDEX_URL`, `PIP_INDEX_URL`) replaces the public index;
`--extra-index-url` adds one that is asked first: a package that it has is never taken from elsewhere, so
that nobody outside can slip in a package of the same name. Credentials come from netrc or stand in the URL;
they are never shown, stored, or put on a command line. Proxies (`HTTPS_PROXY`, `NO_PROXY` ...), `PIP_CERT`,
`REQUESTS_CA_BUNDLE` and `SSL_CERT_FILE` hold as for pip; the system's authorities are trusted.

Requirements, requirement files, wheels, source distributions and project folders are resolved together
with Airflow. In a requirement file `-r`, `--hash`, `--index-url`, `--extra-index-url` and
`--find-links` hold as for pip (an index for Airflow too; `--index-url` on the command line wins), and
`${NAME}` is taken from the environment: `--extra-index-url https://${SITE_USER}:${SITE_PASSWORD}@...`.
`-c`, `--prefer-binary` and `--require-hashes` are passed over with a warning; other options are
refused, with what to do instead. Folders of this machine are never named in the bundle.

## Add-ons

`airferry bundle --onto BUNDLE REQUIREMENT...` makes a small file, `airflow-...-add-XXXXXXXX.run`, for
an installation of that bundle: `HOME/bin/airferry add FILE`. BUNDLE is the file itself, or the
`manifest.json` of the installation, which is text and can be carried out. Release, Python and platform
are those of the bundle. Every package in it stays at its version: what does not agree with that is
refused in the resolver's words, and needs a whole new bundle. What comes new is held by the constraints
that the bundle had (`auto`), or by those that are named. An installation that has add-ons already gets
all of them named, in order: `--onto BUNDLE --onto ADD-ON`.

## What exists only as source

is built into a wheel: isolated, its build requirements as of the day of the Airflow release, with the
target's own Python where this machine has one. A wheel with native parts is examined by auditwheel and
bears the tag of the C library that it really needs; one that does not fit the target is refused. Built
wheels are cached with their log. Before anything is downloaded, packages that this machine is known to be
unable to build are named, with the command that installs what is missing.

## The cache

`$XDG_CACHE_HOME/airferry` (`~/.cache/airferry`): files by sha256, built wheels, answers of the resolver.
The same request within ten minutes is not resolved again (`--refresh` does); `--offline` makes any earlier
request again without a network. Transfers that broke off go on where they were. Any number of runs may
share a cache.

## The rehearsal

`airferry rehearse FILE` installs the bundle in a scratch home, runs its example pipeline, and writes
the result to `FILE.rehearsal.json`. Its `isolation` is `namespace` where the kernel gave it a network
without a way out. Where no namespace is allowed it begins with `guard`: a hook in every Python of the
install then refuses what is not loopback, as a host without a network does. That is weaker, because it
does not see what compiled code connects to by itself.

## Same request, same bytes

The file bears the newest upload time of what is in it, or `SOURCE_DATE_EPOCH`. Two machines that resolve
the same packages with the same airferry and the same version of the resolver make the same file. Built
wheels come out the same where the same Python builds them.
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
            "\n## What every bundle carries\n",
            *_table(("package", "versions"), _carried()),
            "\nOf several versions the newest that runs on the target's Python. Beside them, as pure",
            f"Python for every CPython from 3.8 on: {_runtime()}, and what they need.\n",
            "## Advisories\n",
            *_table(("releases", "what is told"), _advisories()),
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
