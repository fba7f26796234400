"""The record of a change: there until it is ended, on disk in one step, and in the way of other commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.change import record
from bootstrap.change.record import Change, ChangeUnfinished
from bootstrap.home import Home
from tests.support import receipts

NEW = receipts.sample()
OLD = replace(NEW, airflow="3.3.1", bundle_id="3.3.1-cp311-a0b1c2d3e4")
CHANGE = Change(1, "upgrade", OLD, NEW, "2026-10-01T12:00:00Z", running=True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "run").mkdir()
    return Home(tmp_path)


def left(home: Home) -> set[str]:
    return {path.name for path in home.run.iterdir()}


def test_from_beginning_to_end(home: Home) -> None:
    assert record.find(home) is None
    record.refuse_unfinished(home)
    record.begin(home, CHANGE)
    assert left(home) == {"change.json", "halted"}
    record.save(home, replace(CHANGE, backup="20261001T120000Z-x"))
    assert record.find(home) == replace(CHANGE, backup="20261001T120000Z-x")
    record.mark_switched(home)
    assert left(home) == {"change.json", "change.switched"}
    assert record.is_switched(home)
    record.end(home)
    assert left(home) == set()
    assert record.find(home) is None


def test_undoing_keeps_airflow_down_until_the_end(home: Home) -> None:
    record.begin(home, CHANGE)
    record.mark_switched(home)
    record.unmark_switched(home)
    assert left(home) == {"change.json", "halted"}
    record.end(home)
    assert left(home) == set()


def test_a_mark_that_was_left_does_not_count_for_the_next_change(home: Home) -> None:
    """Killed in end(), between the record and its mark."""
    record.begin(home, CHANGE)
    record.mark_switched(home)
    (home.run / "change.json").unlink()
    record.begin(home, CHANGE)
    assert not record.is_switched(home)


@pytest.mark.parametrize("switched", [False, True])
def test_other_commands_are_told_both_ways_out(home: Home, *, switched: bool) -> None:
    record.begin(home, CHANGE)
    if switched:
        record.mark_switched(home)
    with pytest.raises(ChangeUnfinished, match=r"upgrade from Airflow 3\.3\.1 to 3\.3\.2") as caught:
        record.refuse_unfinished(home)
    assert caught.value.exit_code == 83
    assert f"sh {NEW.bundle_file} install --home {NEW.home}".replace(NEW.home, str(home.path)) in str(
        caught.value.hint
    )
    assert f"{home.path}/bin/airferry rollback" in caught.value.hint
    assert ("not proven" in caught.value.found) is switched


def test_a_record_of_a_newer_airferry_is_not_passed_over(home: Home) -> None:
    record.begin(home, CHANGE)
    path = home.run / "change.json"
    path.write_text(path.read_text().replace('"kind"', '"sort"'))
    with pytest.raises(ChangeUnfinished, match="cannot be read"):
        record.find(home)
