"""Which release is meant, and on which Python it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.base.errors import InvalidRequest
from bundler.index import release
from bundler.index.simple import Index
from bundler.index.transport import Session
from bundler.resolver import resolution
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex


def test_two_numbers_mean_the_newest_of_that_line(airflow: LocalIndex) -> None:
    with Session((airflow.url,)) as session:
        index = Index(airflow.url, session)
        assert release.find(index, "").version == "3.3.2"
        assert release.find(index, "3.3").version == "3.3.2"
        assert release.find(index, "3").version == "3.3.2"  # 3.x, ~=3.1
        with pytest.raises(InvalidRequest, match="has no Airflow 4"):
            release.find(index, "4")
        assert release.find(index, "3.3.2").version == "3.3.2"


def test_requires_python_as_airflow_writes_it() -> None:
    wanted = {
        ("!=3.15,>=3.10", "3.15"): False,
        ("!=3.15,>=3.10", "3.14"): True,
        ("!=3.13,!=3.14,>=3.10", "3.14"): False,
        ("<3.13,>=3.8.1", "3.8"): True,
        ("<3.13,>=3.8.1", "3.13"): False,
        ("~=3.6", "3.14"): True,
        ("~=3.9,!=3.9.0", "3.9"): True,
    }
    assert {case: release.runs_on(*case) for case in wanted} == wanted


def test_a_python_on_which_it_does_not_run_is_refused_before_anything_is_resolved(
    make: Make, airflow: LocalIndex, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release's own Requires-Python is asked, and named."""
    name = "apache_airflow-3.3.2-py3-none-any.whl"
    monkeypatch.setitem(airflow.pythons, name, "!=3.15,>=3.10")
    monkeypatch.setattr(resolution, "_question", lambda *_, **__: pytest.fail("it was resolved"))
    with pytest.raises(InvalidRequest, match=r"does not run on Python 3\.15") as caught:
        make(airflow="3.3.2", python="3.15")
    assert ">=3.10" in caught.value.needed
