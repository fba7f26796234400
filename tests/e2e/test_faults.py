"""A few of the faults of ``make faults``, the same ones every time.

The whole table, with its command, is in docs/reference/reliability.md.
"""

from __future__ import annotations

import os

import pytest

from tests.faults.__main__ import Plan, scratch, unavailable

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]


def test_the_same_command_again_completes_what_a_fault_left() -> None:
    if not os.environ.get("AIRFERRY_FULL"):
        pytest.skip("only with AIRFERRY_FULL=1: each case takes minutes")
    problem = unavailable()
    if problem:
        pytest.skip(problem)
    with scratch() as folder:
        plan = Plan(folder, ["upgrade", "rollback"], seed=3, workers=2)
        rows = [*plan.strike(4), *plan.cut(2)]
    assert [row.line() for row in rows if row.problems] == []
    assert len(rows) == 6
