"""``--workers``: what it adds for each release, and which versions it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.base.errors import InvalidRequest, ResolutionFailed
from bundler.request.spec import worker_extras
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex

CELERY = "apache-airflow-providers-celery"


@pytest.mark.parametrize(
    ("engine", "airflow", "extras"),
    [
        ("", "3.3.2", ()),
        ("edge", "3.3.2", ("edge3",)),
        ("celery", "3.3.2", ("celery",)),
        ("celery", "2.11.2", ("celery", "redis")),
        ("celery", "2.2.2", ("celery", "redis")),
    ],
)
def test_what_an_engine_adds(engine: str, airflow: str, extras: tuple[str, ...]) -> None:
    assert worker_extras(engine, airflow) == extras


@pytest.mark.parametrize("airflow", ["2.11.2", "3.1.0"])
def test_edge_is_refused_where_it_does_not_run(airflow: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        worker_extras("edge", airflow)
    assert airflow in caught.value.message
    assert "a release of Airflow 3" in caught.value.hint


def test_an_engine_comes_to_the_defaults(make: Make, airflow: LocalIndex, files: Path) -> None:
    requires = ["alpha; extra == 'edge3'"]
    airflow.add(make_wheel(files, "apache-airflow", "3.0.9", extras=["edge3"], requires=requires))
    result = make(airflow="3.0.9", workers="edge", no_default_extras=True)
    assert result.manifest.extras == ("edge3",)
    assert "alpha" in [package.name for package in result.manifest.packages]
    assert make(airflow="3.0.9", no_default_extras=True).manifest.extras == ()


def test_an_engine_that_nobody_knows(make: Make) -> None:
    with pytest.raises(InvalidRequest) as caught:
        make(workers="kubernetes")
    assert "--workers kubernetes: one of edge, celery" in caught.value.found


def test_a_version_that_runs_no_task_is_refused(
    make: Make, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    """A constraint file names it: told of as a warning elsewhere, it is an error where it was asked for."""
    requires = [f"{CELERY}; extra == 'celery'"]
    airflow.add(make_wheel(files, "apache-airflow", "2.11.2", extras=["celery", "redis"], requires=requires))
    airflow.add(make_wheel(files, CELERY, "3.17.1"))
    airflow.add(make_wheel(files, "async-timeout", "5.0.1"))
    pins = tmp_path / "constraints.txt"
    pins.write_text(f"{CELERY}==3.17.1\n")
    asked = {"airflow": "2.11.2", "constraints": str(pins), "no_default_extras": True}
    assert any("no task runs" in text for text in make(extras=("celery",), **asked).warnings)
    with pytest.raises(ResolutionFailed) as caught:
        make(workers="celery", **asked)
    assert "no task runs" in caught.value.found


@pytest.mark.parametrize(
    ("workers", "python", "there"),
    [("celery", "3.11", True), ("celery", "3.12", False), ("", "3.11", False)],
)
def test_redis_of_every_3_11(
    make: Make, airflow: LocalIndex, files: Path, workers: str, python: str, *, there: bool
) -> None:
    """The client of the broker needs one package more on the first three releases of 3.11."""
    airflow.add(make_wheel(files, "apache-airflow", "3.0.9", extras=["celery"]))
    airflow.add(make_wheel(files, "async-timeout", "5.0.1"))
    result = make(airflow="3.0.9", workers=workers, python=python, no_default_extras=True)
    assert ("async-timeout" in [package.name for package in result.manifest.packages]) is there
