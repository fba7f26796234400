"""Findings of the internet side: about a bundle that is not made yet, and about the machine that makes it."""

from __future__ import annotations

from typing import Dict

from bootstrap.doctor.entry import Entry
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING

OUTSIDE: Dict[str, Entry] = {
    # a bundle to be made for a host whose facts were saved
    "python-unsupported": Entry(
        BLOCKER,
        "This Airflow does not run on this Python",
        "Its packages refuse to be installed there, or fail when they are imported.",
    ),
    "platform-unsupported": Entry(
        BLOCKER,
        "A bundle cannot be made for this platform",
        "Every bundle carries uv and pip, which install the packages without a network.",
    ),
    "libc-rare": Entry(
        WARNING,
        "The C library of this host is older than what packages are published for",
        "Some packages may have no wheel for it: airferry bundle then says which, and what would help.",
    ),
    "postgres-not-carried": Entry(
        WARNING,
        "The bundle would carry no PostgreSQL, and the host has none",
        "Airflow keeps its state there; without a server the install stops.",
    ),
    # the machine that makes bundles
    "tools-ok": Entry(OK, "The tools answer"),
    "uv-broken": Entry(
        BLOCKER, "uv does not run", "It resolves the packages, and builds those that exist only as source."
    ),
    "pip-tools-broken": Entry(NOTE, "pip-tools does not run", "It is pip's own resolver, on request."),
    "cache-ok": Entry(OK, "The cache can be used"),
    "cache-closed": Entry(
        BLOCKER, "The cache cannot be written", "Everything that is fetched and built goes there first."
    ),
    "cache-full": Entry(
        BLOCKER,
        "Little room for the cache",
        "It holds every wheel that was fetched: see airferry cache.",
    ),
    "output-ok": Entry(OK, "The folder for the bundle can be used"),
    "output-closed": Entry(BLOCKER, "The folder for the bundle cannot be written", "The bundle goes there."),
    "output-full": Entry(
        BLOCKER,
        "Little room for the bundle",
        "A bundle takes about 110 MB, and as much again while an older one of the same name is there.",
    ),
    "index-ok": Entry(OK, "The package index answers"),
    "index-unreachable": Entry(
        BLOCKER,
        "The package index does not answer",
        "All packages come from there; only --offline, which makes an earlier bundle again, does without.",
    ),
    "constraints-ok": Entry(OK, "The Airflow project's constraint files can be reached"),
    "constraints-unreachable": Entry(
        NOTE,
        "The Airflow project's constraint files cannot be reached",
        "--constraints auto resolves as of the day of the release instead, and says so.",
    ),
    "certificates-missing": Entry(
        BLOCKER,
        "A file of certificates is not there",
        "No address can be trusted without it, and none is asked.",
    ),
    "proxies-used": Entry(
        NOTE, "Proxies and certificates are taken from the environment", "Fetching goes by them."
    ),
    "outside-clock": Entry(
        WARNING,
        "The clock of this machine is wrong",
        "Certificates count as expired or not yet valid, and nothing can be fetched.",
    ),
    "build-ok": Entry(OK, "Packages can be built from source"),
    "build-basics-missing": Entry(
        WARNING,
        "Packages with native parts cannot be built here",
        "It matters only for those that have no wheel for the closed host; airferry bundle names them.",
    ),
    "build-libraries-missing": Entry(
        NOTE,
        "Some libraries for building are not here",
        "They matter only for packages that need them and have no wheel for the closed host.",
    ),
}
