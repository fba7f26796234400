"""Which upgrades are made, which are refused, and by which way they go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.change import upgrade_rules
from bootstrap.change.upgrade_rules import UpgradeRefused
from bootstrap.state.receipt import Receipt
from tests.support import receipts


def receipt(airflow: str, **more: Any) -> Receipt:
    return replace(receipts.sample(), airflow=airflow, bundle_id=f"{airflow}-cp39-0123456789", **more)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3.3.1", "3.3.2"),
        ("3.3.2", "3.3.2"),
        ("3.3.2", "3.9.0"),
        ("2.2.2", "2.11.2"),
        ("2.10.0", "3.3.2"),
        ("2.11.2", "3.0.6"),
    ],
)
def test_upgrades_that_are_made(old: str, new: str) -> None:
    upgrade_rules.check(receipt(old), receipt(new))


@pytest.mark.parametrize(("old", "new"), [("2.9.3", "3.0.0"), ("2.2.2", "3.3.2"), ("2.6.3", "3.1.8")])
def test_a_step_too_long_names_the_step_between(old: str, new: str) -> None:
    with pytest.raises(UpgradeRefused, match="in one step") as caught:
        upgrade_rules.check(receipt(old), receipt(new))
    assert caught.value.found.startswith(f"Airflow {old}")
    assert "2.10.0 or newer" in caught.value.needed
    assert "airferry bundle --airflow 2.11.2 --python 3.9" in caught.value.hint
    # the step that it names is one that is made, and so is the one after
    upgrade_rules.check(receipt(old), receipt("2.11.2"))
    upgrade_rules.check(receipt("2.11.2"), receipt(new))


def test_a_step_down_is_refused_and_rollback_named_where_there_is_one() -> None:
    with pytest.raises(UpgradeRefused, match="does not downgrade") as caught:
        upgrade_rules.check(receipt("3.3.2", previous="3.3.1-cp311-a0b1c2d3e4"), receipt("3.3.1"))
    assert "airferry rollback" in caught.value.hint
    with pytest.raises(UpgradeRefused) as caught:
        upgrade_rules.check(receipt("3.3.2", previous=""), receipt("3.3.1"))
    assert "rollback" not in caught.value.hint


def test_a_login_that_the_new_release_lacks_is_refused() -> None:
    with pytest.raises(UpgradeRefused, match="does not support --auth simple"):
        upgrade_rules.check(receipt("2.10.5", auth="simple"), receipt("2.11.2"))


def test_advice() -> None:
    assert upgrade_rules.advice(receipt("3.3.1"), receipt("3.3.2"), 10 << 30) == []
    (newer,) = upgrade_rules.advice(receipt("3.3.1"), receipt("3.9.0"), 0)
    assert "newer than 3.3.2" in newer
    assert len(upgrade_rules.advice(receipt("2.11.2"), receipt("3.3.2"), 100 << 20)) == 1
    large = upgrade_rules.advice(receipt("2.11.2"), receipt("3.3.2"), 3 << 30)
    assert "3072 MB" in large[1]
    assert "airflow db clean" in large[1]


def test_a_database_is_not_taken_to_an_older_server() -> None:
    old, new = receipt("3.3.1"), receipt("3.3.2")
    older = replace(new, database=replace(new.database, server="16.2"))
    with pytest.raises(UpgradeRefused, match="older PostgreSQL") as caught:
        upgrade_rules.check(old, older)
    assert "PostgreSQL 18 or newer" in caught.value.needed
    upgrade_rules.check(older, replace(old, airflow="3.3.2"))
    upgrade_rules.check(old, replace(new, database=replace(new.database, server="18.1")))
