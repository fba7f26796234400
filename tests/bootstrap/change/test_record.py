"""The record of a change: there until it is ended, on disk in one step, and in the way of other commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.state import change_record
from bootstrap.state.change_record import Change, ChangeUnfinished
from bootstrap.state.home import Home
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
    assert change_record.find(home) is None
    change_record.refuse_unfinished(home)
    change_record.begin(home, CHANGE)
    assert left(home) == {"change.json", "halted"}
    change_record.save(home, replace(CHANGE, backup="20261001T120000Z-x"))
    assert change_record.find(home) == replace(CHANGE, backup="20261001T120000Z-x")
    change_record.mark_switched(home)
    assert left(home) == {"change.json", "change.switched"}
    assert change_record.is_switched(home)
    change_record.end(home)
    assert left(home) == set()
    assert change_record.find(home) is None


def test_undoing_keeps_airflow_down_until_the_end(home: Home) -> None:
    change_record.begin(home, CHANGE)
    change_record.mark_switched(home)
    change_record.unmark_switched(home)
    assert left(home) == {"change.json", "halted"}
    change_record.end(home)
    assert left(home) == set()


def test_a_mark_that_was_left_does_not_count_for_the_next_change(home: Home) -> None:
    """Killed in end(), between the record and its mark."""
    change_record.begin(home, CHANGE)
    change_record.mark_switched(home)
    (home.run / "change.json").unlink()
    change_record.begin(home, CHANGE)
    assert not change_record.is_switched(home)


@pytest.mark.parametrize("switched", [False, True])
def test_other_commands_are_told_both_ways_out(home: Home, *, switched: bool) -> None:
    change_record.begin(home, CHANGE)
    if switched:
        change_record.mark_switched(home)
    with pytest.raises(ChangeUnfinished, match=r"upgrade from Airflow 3\.3\.1 to 3\.3\.2") as caught:
        change_record.refuse_unfinished(home)
    assert caught.value.exit_code == 83
    assert f"sh {NEW.bundle_file} install --home {NEW.home}".replace(NEW.home, str(home.path)) in str(
        caught.value.hint
    )
    assert f"{home.path}/bin/airferry rollback" in caught.value.hint
    assert ("not verified" in caught.value.found) is switched


def test_a_record_of_a_newer_airferry_is_not_passed_over(home: Home) -> None:
    change_record.begin(home, CHANGE)
    path = home.run / "change.json"
    path.write_text(path.read_text().replace('"kind"', '"sort"'))
    with pytest.raises(ChangeUnfinished, match="cannot be read"):
        change_record.find(home)
