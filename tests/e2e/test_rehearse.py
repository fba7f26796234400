"""A rehearsal of the real bundle, with the command that a user would run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.hosts import Host, Namespace

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def rehearse(bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bundler", "rehearse", str(bundle), "--json", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_rehearsal_proves_the_bundle_and_leaves_only_its_result(
    bundle: Path, namespace: Namespace, user_host: Host, python: str
) -> None:
    before = set(Path("/var/tmp").glob("airferry-rehearsal-*"))
    ran = rehearse(bundle, "--python", python)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)["result"]
    assert result["isolation"] == "namespace"
    assert [step["name"] for step in result["steps"]][-1] == "proof"
    beside = bundle.with_name(bundle.name + ".rehearsal.json")
    assert json.loads(beside.read_text()) == result
    beside.unlink()
    assert set(Path("/var/tmp").glob("airferry-rehearsal-*")) == before
    assert not [line for line in user_host.processes(Path("/var/tmp/airferry-rehearsal-")) if line]


def test_rehearsal_that_fails_says_so_and_keeps_nothing_running(bundle: Path, namespace: Namespace) -> None:
    ran = rehearse(bundle, "--python", "/bin/false")
    assert ran.returncode == 46, ran.stderr
    assert "rehearsal-failed" in ran.stderr
    assert not bundle.with_name(bundle.name + ".rehearsal.json").exists()
