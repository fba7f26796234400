"""What is said of processes that were seen when facts were saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bootstrap.doctor.checks import neighbours
from bootstrap.doctor.needs import Needs
from bootstrap.facts import saved
from bootstrap.facts.airflows import Airflows
from bootstrap.facts.host import SCHEMA, Facts, Request
from bootstrap.facts.processes import Process


def test_process_ids_are_not_those_of_later(needs: Needs, tmp_path: Path) -> None:
    running = (Process("airflow", 302, "airflow", "scheduler", "/opt/airflow"),)
    there = Facts(SCHEMA, "0.1.0", Request("/opt/airflow"), airflows=Airflows(running=running))
    saved.save(there, tmp_path / "host.json")
    loaded = saved.load(tmp_path / "host.json")
    needs = replace(needs, home="/opt/airflow")
    [now] = [item for item in neighbours.airflows(there, needs) if item.id == "airflow-running-here"]
    [then] = [item for item in neighbours.airflows(loaded, needs) if item.id == "airflow-running-here"]
    assert now.commands == ("kill 302",)
    assert then.commands == () and then.found == now.found
