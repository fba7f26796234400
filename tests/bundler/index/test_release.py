"""Which release is meant, and on which Python it runs."""

from __future__ import annotations

from bundler.index import release
from bundler.index.simple import Index
from bundler.index.transport import Session
from tests.bundler.server import LocalIndex


def test_two_numbers_mean_the_newest_of_that_line(airflow: LocalIndex) -> None:
    with Session((airflow.url,)) as session:
        index = Index(airflow.url, session)
        assert release.find(index, "").version == "3.3.2"
        assert release.find(index, "3.3").version == "3.3.2"
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
