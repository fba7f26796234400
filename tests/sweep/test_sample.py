"""A few releases of the sweep, others each day: what the index holds changes without telling."""

from __future__ import annotations

from datetime import date

import pytest

from bundler.base.errors import DownloadFailed
from bundler.build import interpreters
from tests.sweep import page
from tests.sweep.attempt import bundle
from tests.sweep.pairs import known, sample

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]


def test_a_sample_that_changes_with_the_day() -> None:
    try:
        pairs = known()
    except DownloadFailed as error:
        pytest.skip(f"no package index: {error.message}")
    # what exists only as source is built by an interpreter of that version
    possible = tuple(pair for pair in pairs if interpreters.find(pair.python))
    chosen = sample(possible, 2, date.today().isoformat())
    outcomes = [bundle(pair) for pair in chosen]
    assert [page.line(item) for item in outcomes if item.error and not page.expected(item)] == []
    assert all(item.packages > 50 for item in outcomes)
