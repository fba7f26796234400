"""The oldest supported release on its oldest Python; the newest one is what the crossings install."""

from __future__ import annotations

import os

import pytest

from tests.e2e.hosts import Namespace
from tests.e2e.matrix import Unavailable, run_row, scratch_folder
from tests.support.index import index_problem

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("postgres", ["carried", "host"])
def test_oldest_release(namespace: Namespace, postgres: str) -> None:
    if postgres != "carried" and not os.environ.get("AIRFERRY_FULL"):
        pytest.skip("only with AIRFERRY_FULL=1: the newest release is installed on the distribution's server")
    if index_problem():
        pytest.skip(index_problem())
    with scratch_folder() as scratch:
        try:
            row = run_row("2.2.2/3.8", postgres, scratch, namespace)
        except Unavailable as reason:
            pytest.skip(str(reason))
    assert row.install > 0
