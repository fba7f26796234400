"""A head with HTTPS and a worker, both root's, under systemd on one booted machine: keys, upgrade and back.

It makes two bundles and eight installs, so only with AIRFERRY_FULL=1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import machines
from tests.support.index import index_problem
from tests.support.machines import Machine

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not os.environ.get("AIRFERRY_FULL"), reason="many installs: AIRFERRY_FULL=1"),
]
ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = RELEASES = ("3.3.1", "3.3.2")
HEAD, WORKER = "/opt/head", "/opt/w1"
NAME = "airferry-cluster"
JOIN = "/root/w1.join"
UNIT = "airferry-w1-worker.service"


@dataclass
class Pair:
    """The machine with both, and the bundle of each release."""

    machine: Machine
    bundles: dict[str, Path]

    def airferry(self, home: str, *words: str, status: int = 0) -> Any:
        """A command of an installation, as root gives it: its result, or the envelope of an error."""
        ran = self.machine.run(f"{home}/bin/airferry", *words, "--json")
        assert ran.returncode == status, f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        said = json.loads(ran.stdout)
        return said.get("result", said)

    def install(self, release: str, home: str, *words: str, status: int = 0) -> Any:
        """Install from the bundle of that release."""
        name = home.rpartition("/")[2]
        command: list[str | Path] = ["sh", self.bundles[release], "install", "--home", home, "--name", name]
        command += [*words, "--json"]
        ran = self.machine.run(*command, timeout=900)
        assert ran.returncode == status, f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        said = json.loads(ran.stdout)
        return said.get("result", said)

    def worker(self) -> dict[str, Any]:
        """The worker as the head lists it; the command ends with 33 while it is lost."""
        ran = self.machine.run(f"{HEAD}/bin/airferry", "workers", "list", "--json")
        found: dict[str, Any] = json.loads(ran.stdout)["result"]["workers"][0]
        return found

    def ids(self, home: str) -> dict[str, str]:
        """What doctor finds there: id and what it found."""
        ran = self.machine.run(f"{home}/bin/airferry", "doctor", "--json")
        return {item["id"]: item["found"] for item in json.loads(ran.stdout)["result"]["findings"]}

    def receipt(self, home: str) -> str:
        """The release that an installation says it is."""
        found: str = json.loads(self.machine.check("cat", f"{home}/receipt.json"))["airflow"]
        return found

    def join(self) -> None:
        """Invite the worker anew, with the rights that root has."""
        self.machine.run("rm", "-f", JOIN)
        self.airferry(HEAD, "workers", "invite", "w1", "--out", JOIN)
        assert self.machine.check("stat", "-c", "%U:%a", JOIN) == "root:600"


def until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(1)


@pytest.fixture(scope="module")
def pair(scratch: Path) -> Iterator[Pair]:
    trouble = machines.problem() or index_problem()
    if trouble:
        pytest.skip(trouble)
    folder, bundles = scratch / "cluster-machine", {}
    for release in RELEASES:
        command = [sys.executable, "-m", "bundler", "bundle", "--airflow", release, "--python", "3.11"]
        command += ["--workers", "edge", "--output", str(folder), "--json"]
        made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        bundles[release] = Path(json.loads(made.stdout)["result"]["file"])
    machine = Machine(NAME, scratch / "cluster-root", [folder])
    try:
        machine.boot()
        found = Pair(machine, bundles)
        found.install(OLD, HEAD, "--parallelism", "2", "--tls-self-signed")
        yield found
    finally:
        machine.remove()


def test_an_address_that_the_certificate_does_not_name_restarts_nothing(pair: Pair) -> None:
    before = pair.machine.check("cat", f"{HEAD}/airflow.cfg")
    said = pair.airferry(HEAD, "workers", "enable", "edge", "--address", "head.example", status=126)
    assert "certificate is not for head.example" in said["error"]["message"]
    assert pair.machine.check("cat", f"{HEAD}/airflow.cfg") == before


def test_root_enables_workers_that_run_everything_unless_told_otherwise(pair: Pair) -> None:
    found = pair.airferry(HEAD, "workers", "enable", "edge", "--address", NAME, "--spread")
    assert (found["base"], found["executors"]) == (f"https://{NAME}:8080", "EdgeExecutor,LocalExecutor")
    owners = pair.machine.check("stat", "-c", "%U", f"{HEAD}/secrets/cluster.json", f"{HEAD}/receipt.json")
    assert owners.split() == ["airflow", "root"]
    text = pair.machine.check("cat", f"{HEAD}/airflow.cfg").splitlines()
    for line in ("max_failed_heartbeats = 30", "job_poll_interval = 1", "jwt_expiration_time = 86400"):
        assert line in text
    assert len(pair.machine.check("cat", f"{HEAD}/secrets/jwt-secret")) == 64


def test_a_worker_of_roots_joins_over_https(pair: Pair) -> None:
    pair.join()
    words = ("--account", "worker", "--concurrency", "2", "--join", JOIN)
    assert pair.install(OLD, WORKER, *words)["receipt"]["role"] == "worker"
    assert pair.worker()["alive"]
    environment = pair.machine.check(
        "sh", "-c", f"tr '\\0' '\\n' < /proc/$(cat {WORKER}/airflow-edge-worker.pid)/environ"
    )
    assert NAME in environment.split("NO_PROXY=")[1].splitlines()[0].split(",")
    assert {"head-ok", "worker-dags-ok"} <= set(pair.ids(WORKER))


def test_dag_files_and_plugins_come_across(pair: Pair) -> None:
    plugin = f"{HEAD}/plugins/menu.py"
    pair.machine.check("sh", "-c", f"echo '# a plugin' > {plugin}; chown airflow {plugin}")
    assert pair.worker()["drifting"] == ["DAG files"]
    pushed = pair.airferry(HEAD, "dags", "push", "--out", "/root/dags.tar.gz")
    received = pair.airferry(WORKER, "dags", "receive", "/root/dags.tar.gz")
    assert (received["digest"], received["plugins"]) == (pushed["digest"], True)
    assert pair.machine.check("cat", f"{WORKER}/plugins/menu.py") == "# a plugin"
    until("the same on both", lambda: not pair.worker()["drifting"], 30)


def test_a_worker_that_was_killed_is_back_when_the_head_lets_it(pair: Pair) -> None:
    """Edge takes nobody of that name for fifty seconds; the unit is started again until then."""
    pair.machine.check("systemctl", "kill", "--signal", "KILL", UNIT)
    time.sleep(15)  # beyond a report that was on its way
    until("it reports again", lambda: pair.worker()["age"] < 8, 120)
    assert int(pair.machine.check("systemctl", "show", "--property=NRestarts", "--value", UNIT)) >= 1


def test_new_keys_shut_the_worker_out_until_it_has_them(pair: Pair) -> None:
    before = pair.machine.check("cat", f"{HEAD}/secrets/jwt-secret")
    assert pair.airferry(HEAD, "workers", "rotate-keys")["workers"] == ["w1"]
    assert pair.machine.check("cat", f"{HEAD}/secrets/jwt-secret") != before
    assert "HTTP 403" in pair.ids(WORKER)["head-refuses"]
    assert "The signature of the request was wrong" in pair.ids(HEAD)["worker-refused"]
    pair.join()
    pair.install(OLD, WORKER, "--join", JOIN)
    until("it reports", lambda: bool(pair.worker()["alive"]), 60)


def test_the_wrong_order_is_refused_and_changes_nothing(pair: Pair) -> None:
    said = pair.install(NEW, HEAD, status=84)
    assert "without --spread" in said["error"]["hint"]
    pair.airferry(HEAD, "workers", "enable", "edge", "--address", NAME)
    pair.join()
    pair.install(OLD, WORKER, "--join", JOIN)  # the list of executors is the head's
    said = pair.install(NEW, WORKER, status=124)
    assert "Upgrade the head first" in said["error"]["hint"]
    said = pair.install(NEW, HEAD, status=84)
    assert "workers drain --all" in said["error"]["hint"]
    assert (pair.receipt(HEAD), pair.receipt(WORKER)) == (OLD, OLD)


def test_head_then_worker_each_proven(pair: Pair) -> None:
    pair.airferry(HEAD, "workers", "drain", "--all")
    assert pair.worker()["state"] == "maintenance mode"
    pair.install(NEW, HEAD)
    until("the old worker is refused", lambda: not pair.worker()["alive"], 120)
    assert pair.worker()["airflow"] == OLD
    words = f"the head runs Airflow {NEW}, and this worker {OLD}"
    ran = pair.machine.run(f"{WORKER}/bin/airferry", "status", "--json")
    assert ran.returncode == 33
    assert words in ran.stdout
    assert f"{NEW} there, {OLD} here" in pair.ids(WORKER)["head-differs"]
    assert "worker-differs" in pair.ids(HEAD)
    assert words in pair.airferry(WORKER, "restart", status=124)["error"]["message"]
    pair.install(NEW, WORKER)
    until("it takes tasks", lambda: pair.worker()["state"] in ("idle", "running"), 60)
    assert pair.worker()["airflow"] == NEW


def test_the_way_back_has_the_same_order(pair: Pair) -> None:
    said = pair.airferry(WORKER, "rollback", status=124)
    assert "bin/airferry rollback" in said["error"]["hint"]
    assert pair.airferry(HEAD, "rollback", "--yes", status=84)["error"]["reference"] == "upgrade-refused"
    pair.airferry(HEAD, "workers", "drain", "--all")
    pair.airferry(HEAD, "rollback", "--yes")
    assert pair.airferry(WORKER, "rollback")["receipt"]["airflow"] == OLD
    until("it takes tasks", lambda: pair.worker()["state"] in ("idle", "running"), 60)
    assert pair.worker()["airflow"] == OLD
    pair.airferry(WORKER, "rollback", status=88)


def test_a_head_without_workers_is_a_host_of_its_own_again(pair: Pair) -> None:
    pair.airferry(HEAD, "workers", "disable", status=126)
    pair.machine.check(f"{WORKER}/bin/airferry", "uninstall", "--purge", "--yes")
    pair.airferry(HEAD, "workers", "disable")
    text = pair.machine.check("cat", f"{HEAD}/airflow.cfg")
    assert "executor = LocalExecutor\n" in text
    assert "api_enabled = True" not in text
    assert pair.machine.run(f"{HEAD}/bin/airferry", "status").returncode == 0
