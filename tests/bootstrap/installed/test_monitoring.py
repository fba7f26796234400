"""The status as monitoring systems read it."""

from __future__ import annotations

import re
from pathlib import Path

from bootstrap.installed import monitoring
from bootstrap.installed.installation import Installation
from bootstrap.installed.status import ComponentStatus, Status
from bootstrap.state.journal import Journal
from tests.support.receipts import sample

WELL = ComponentStatus("api-server", "RUNNING", "healthy", "pid 7")
ILL = ComponentStatus("scheduler", "RUNNING", "unhealthy", "pid 8")
DOWN = ComponentStatus("triggerer", "STOPPED", "", "")


def status(*components: ComponentStatus, unfinished: str = "") -> Status:
    return Status("3.3.2", "b", "/opt/airflow", "http://x", components, unfinished)


def test_one_line_and_a_code_for_nagios() -> None:
    assert monitoring.nagios(status(WELL)) == ("OK - Airflow 3.3.2: 1 components are healthy", 0)
    line, code = monitoring.nagios(status(WELL, ILL, DOWN))
    assert (line, code) == ("CRITICAL - Airflow 3.3.2: scheduler unhealthy, triggerer stopped", 2)
    line, code = monitoring.nagios(status(WELL, unfinished="An upgrade\nwas broken off."))
    assert (line, code) == ("WARNING - Airflow 3.3.2: An upgrade was broken off.", 1)


def test_every_line_for_prometheus_is_of_its_format(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for component in ("scheduler", "triggerer"):
        with journal.recorded("watchdog", component=component):
            pass
    lines = monitoring.prometheus(status(WELL, ILL, DOWN), Installation(sample(tmp_path)))
    form = r'# (HELP|TYPE) airferry_\w+ .+|airferry_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \d+'
    assert [line for line in lines if not re.fullmatch(form, line)] == []
    assert {
        "airferry_healthy 0",
        'airferry_component_up{component="scheduler"} 1',
        'airferry_component_healthy{component="scheduler"} 0',
        'airferry_component_up{component="triggerer"} 0',
        "airferry_watchdog_restarts_total 2",
        "airferry_last_backup_timestamp_seconds 0",
    } <= set(lines)
    named = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert named == {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}
