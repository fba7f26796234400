"""The default pool follows the number of tasks at once, where nobody has chosen another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bootstrap.airflow.config import Setting
from bootstrap.installed import pool
from bootstrap.installed.installation import Installation
from bootstrap.steps.configuration import ConfigurationStep
from tests.support.receipts import sample


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that the database was asked; it has the table of pools."""
    found: list[str] = []

    def query(sql: str) -> str:
        found.append(sql)
        return "slot_pool\n" if "to_regclass" in sql else ""

    database = SimpleNamespace(query=query)
    monkeypatch.setattr(Installation, "database", property(lambda _: database))
    return found


def test_only_what_airflow_or_an_install_has_set_is_changed(tmp_path: Path, asked: list[str]) -> None:
    installation = Installation(replace(sample(tmp_path), airflow="3.3.2", parallelism=4))
    pool.fit(installation)
    assert "SET slots = 4 WHERE pool = 'default_pool' AND slots = 128 " in asked[-1]
    pool.fit(installation, 2)
    assert "SET slots = 4 WHERE pool = 'default_pool' AND slots = 2 " in asked[-1]


@pytest.mark.parametrize("other", [{"airflow": "2.11.2"}, {"executor": "EdgeExecutor"}])
def test_where_tasks_are_held_back_anyway_nothing_is_changed(
    tmp_path: Path, asked: list[str], other: dict[str, str]
) -> None:
    pool.fit(Installation(replace(sample(tmp_path), **other)))  # type: ignore[arg-type]
    assert asked == []


def test_another_parallelism_takes_the_pool_along(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(replace(sample(tmp_path), airflow="3.3.2", parallelism=8))
    installation.home.etc.mkdir()
    ConfigurationStep(installation).managed.record.write_text('{"[core] parallelism": "4"}')
    step = ConfigurationStep(installation)
    installation.home.airflow_cfg.write_text("[core]\nparallelism = 4\n")
    monkeypatch.setattr(step.managed, "settings", lambda *_: [Setting("core", "parallelism", "8")])
    monkeypatch.setattr(Installation, "stop", lambda *_: None)
    step.apply()
    assert "SET slots = 8 WHERE pool = 'default_pool' AND slots = 4 " in asked[-1]
    step.apply()
    assert len(asked) == 2
