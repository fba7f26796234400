"""A rehearsal of the real bundle, with the command that a user would run."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.hosts import Host, Namespace

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def rehearse(bundle: Path, *options: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-m", "bundler", "rehearse", str(bundle), "--json", *options]
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


# An account for which the kernel makes no network namespace, as on hosts that forbid them to ordinary users.
REFUSED = (
    "user=$0 group=$1; shift; echo 0 > /proc/sys/user/max_net_namespaces && "
    'exec unshare --user --map-user="$user" --map-group="$group" -- "$@"'
)


@pytest.fixture
def refused() -> list[str]:
    """The beginning of a command line that runs as an ordinary account without namespaces of its own."""
    daemon = pwd.getpwnam("daemon")
    shell = ["sh", "-c", REFUSED, str(daemon.pw_uid), str(daemon.pw_gid)]
    command = ["unshare", "--user", "--map-root-user", *shell]
    ran = subprocess.run([*command, "id", "-u"], capture_output=True, text=True, check=False)
    if ran.stdout.strip() != str(daemon.pw_uid):
        pytest.skip(f"this machine allows no user namespaces to try it in: {ran.stderr.strip()}")
    return command


@pytest.mark.skipif(
    not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: a second rehearsal"
)
def test_rehearsal_under_a_guard_where_no_namespace_is_allowed(
    bundle: Path, refused: list[str], python: str
) -> None:
    ran = rehearse(bundle, "--python", python, before=refused)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)["result"]
    assert result["isolation"].startswith("guard (weaker than a namespace)")
    assert "unshare(2)" in result["isolation"]
    assert [step["name"] for step in result["steps"]][-1] == "proof"
    assert "this proves less" in " ".join(ran.stderr.split()) or ran.stderr == ""
    bundle.with_name(bundle.name + ".rehearsal.json").unlink()


def test_rehearsal_that_fails_says_so_and_keeps_nothing_running(bundle: Path, namespace: Namespace) -> None:
    ran = rehearse(bundle, "--python", "/bin/false")
    assert ran.returncode == 46, ran.stderr
    assert "rehearsal-failed" in ran.stderr
    assert not bundle.with_name(bundle.name + ".rehearsal.json").exists()
