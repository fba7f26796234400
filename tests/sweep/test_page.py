"""The page that a sweep has written: it is whole, and nothing in it failed."""

from __future__ import annotations

from bootstrap.airflow.differences import NEWEST
from tests.sweep import page
from tests.sweep.attempt import Outcome
from tests.sweep.pairs import OLDEST, Pair, in_turn


def test_every_pair_of_the_page_was_bundled_or_is_refused_for_a_reason() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in page.PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| Airflow")
    ]
    results = {f"{row[0]}/{row[1]}": row[-1] for row in rows}
    assert {pair: said for pair, said in results.items() if said != page.REFUSED.get(pair, "ok")} == {}
    assert {str(OLDEST), NEWEST} <= {row[0] for row in rows}
    assert len(results) == len(rows) > 200


def test_the_newest_patch_of_each_minor_has_its_turn_first() -> None:
    pairs = tuple(Pair(airflow, "3.10") for airflow in ("2.9.2", "2.9.3", "2.10.1", "2.10.0"))
    assert [pair.airflow for pair in in_turn(pairs)] == ["2.9.3", "2.10.1", "2.9.2", "2.10.0"]


def test_an_error_that_is_not_known_to_be_right_is_shown_as_it_is() -> None:
    failed = Outcome(Pair("2.2.2", "3.8"), 1.0, error="a | b")
    assert page.line(failed).endswith("a | b")
    assert page._row(failed).endswith("| a \\| b |\n")
