"""Databases that real old releases made, taken over by real installs: counted, asked for, run.

``AIRFERRY_FULL=1 make e2e TESTS=tests/e2e/test_take_over.py``. The take-over as root into the newest release
is part of the install by root (test_crossing.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.hosts import Host
from tests.e2e.matrix import make_bundle
from tests.support import old_airflow

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: takes minutes"
    ),
]


@pytest.mark.parametrize(("old", "runs", "new"), [("2.2.2", 20, "2.11.2"), ("2.10.5", 200, "2.11.2")])
def test_taken_over(old: str, runs: int, new: str, user_host: Host, scratch: Path, minor: str) -> None:
    bundle = make_bundle(new, minor, scratch)
    there = old_airflow.make(old, scratch / f"old-{old}" / "airflow")
    before = old_airflow.contents(there)
    home = user_host.folder / f"from {old}"
    install: list[str | Path] = [
        "sh",
        bundle,
        "install",
        "--home",
        home,
        "--python",
        user_host.python,
        "--name",
        "taking",
    ]
    install += ["--host", "127.0.0.1", "--json", "--take-over", there]
    try:
        planned = user_host.json(*install, "--dry-run")["take_over"]
        assert planned["rows"]["dag_run"] == runs
        assert not home.exists()
        result = user_host.json(*install)
        old_airflow.taken(user_host, home, result, runs)
        assert old_airflow.contents(there) == before
        again = user_host.json(*install)
        assert {step["state"] for step in again["steps"]} == {"already"}
    finally:
        user_host.run("sh", bundle, "uninstall", "--home", home, "--yes", "--purge")
