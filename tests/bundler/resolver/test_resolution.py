"""What a resolution does about releases that cannot be resolved as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from bundler.base.errors import ResolutionFailed
from bundler.resolver import advisories
from tests.bundler.conftest import Make
from tests.bundler.making import make_wheel
from tests.bundler.server import LocalIndex

AS_OF = "release-date"


def versions(make: Make, **options: Any) -> dict[str, str]:
    return {item.name: item.version for item in make(**options).manifest.packages}


def test_the_wheel_of_the_same_code_takes_the_place_of_psycopg2(
    make: Make, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    """Airflow 2.4.0 to 2.5.0: a provider asks for psycopg2, and the constraints pin it."""
    airflow.add(
        make_wheel(files, "psycopg2", "2.9.3"), make_wheel(files, "psycopg2-binary", "2.9.3"),
        make_wheel(files, "provider", "1.0", requires=["psycopg2>=2.8"]),
    )  # fmt: skip
    path = tmp_path / "constraints.txt"
    path.write_text("psycopg2==2.9.3\n")
    result = make(constraints=str(path), requirements=("provider",))
    found = {item.name: item.version for item in result.manifest.packages}
    assert (found["psycopg2-binary"], "psycopg2" in found) == ("2.9.3", False)
    assert any("psycopg2-binary 2.9.3 takes the place of psycopg2" in text for text in result.warnings)
    assert "psycopg2" not in versions(make, requirements=("provider",), refresh=True)
    # whoever asks for it by its name gets it
    assert versions(make, requirements=("provider", "psycopg2"), refresh=True)["psycopg2"] == "2.9.3"


def test_what_came_days_after_the_release_has_a_date_of_its_own(
    make: Make, airflow: LocalIndex, files: Path
) -> None:
    """Airflow 2.11.1: a dependency came five days after it."""
    airflow.add(make_wheel(files, "late", "1.5"), uploaded="2026-01-07T00:13:31.853000Z")
    airflow.add(make_wheel(files, "next-year", "1.0"), uploaded="2027-01-02T00:00:00Z")
    airflow.add(
        make_wheel(files, "needs", "1.0", requires=["late>=1.5"]),
        make_wheel(files, "needs-more", "1.0", requires=["next-year"]),
    )
    result = make(constraints=AS_OF, requirements=("needs",))
    assert [item.version for item in result.manifest.packages if item.name == "late"] == ["1.5"]
    assert any("late came out after this release, on 2026-01-07" in text for text in result.warnings)
    with pytest.raises(ResolutionFailed):
        make(constraints=AS_OF, requirements=("needs-more",))


def test_a_provider_that_runs_no_task_is_not_chosen(
    make: Make, airflow: LocalIndex, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = {"airflow": "==3.3.2", "package": "engine", "works": "!=1.1", "text": "no task runs: take 1.0."}
    airflow.add(make_wheel(files, "engine", "1.0"), make_wheel(files, "engine", "1.1"))
    monkeypatch.setattr(advisories, "pairs", lambda: (entry,))
    result = make(constraints=AS_OF, requirements=("engine",))
    assert {item.version for item in result.manifest.packages if item.name == "engine"} == {"1.0"}
    assert any("engine 1.0 was chosen from !=1.1" in text for text in result.warnings)
    path = tmp_path / "constraints.txt"
    path.write_text("engine==1.1\n")
    pinned = make(constraints=str(path), requirements=("engine",))
    assert any("engine 1.1 does not work with Airflow 3.3.2: no task" in text for text in pinned.warnings)


def test_the_table_of_pairs_is_sound() -> None:
    def holds(entry: Mapping[str, str]) -> bool:
        return bool(SpecifierSet(entry["airflow"]) and SpecifierSet(entry["works"]) and entry["text"])

    assert all(holds(entry) for entry in advisories.pairs())
    assert list(advisories.broken("2.11.2", {"apache-airflow-providers-celery": "3.17.1"}))
    assert not list(advisories.broken("2.11.2", {"apache-airflow-providers-celery": "3.17.2"}))


def test_a_patch_level_in_requires_python_is_met(make: Make, airflow: LocalIndex, files: Path) -> None:
    airflow.add(make_wheel(files, "strict", "1.0", requires_python=">=3.11.1"))
    assert versions(make, requirements=("strict",))["strict"] == "1.0"
