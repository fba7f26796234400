"""Where the steps of a take-over stand among those of an install."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap import install
from bootstrap.handoff import Given
from bootstrap.installed.installation import Installation
from bootstrap.installed.taking import Taking
from bootstrap.takeover.archive import TakeOverFailed
from bootstrap.takeover.staging import Staging
from bootstrap.takeover.steps import FilesStep
from tests.support import receipts
from wheelhouse.reader import Bundle

OWN = ["take-over-files", "configuration", "take-over-settings"]
MIGRATION = ["take-over-schema", "take-over-rows", "migration", "take-over-account"]


def names(home: Path, bundle: Bundle, taking: Taking | None) -> list[str]:
    installation = Installation(receipts.sample(home))
    return [step.name for step in install.steps(installation, bundle, Given(taking=taking))]


def test_rows_come_before_the_migration_and_the_old_key_before_the_configuration(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    with Bundle.open(tiny_bundle) as bundle:
        usual = names(tmp_path, bundle, None)
        assert [name for name in usual if name.startswith("take-over")] == []
        found = names(tmp_path, bundle, Taking("/home/kim/airflow", 7))
        at = found.index("take-over-files")
        assert found[at : at + 7] == [*OWN, *MIGRATION]
        assert found.index("proof") + 1 == found.index("take-over-proof")
        assert [name for name in found if not name.startswith("take-over")] == usual


def test_interrupted_one_goes_on_and_a_finished_one_is_no_part_of_an_install(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    """Without the option too: a second install must not go on with an empty database."""
    installation = Installation(receipts.sample(tmp_path))
    staging = Staging(installation.home)
    staging.path.mkdir(parents=True)
    with Bundle.open(tiny_bundle) as bundle:
        assert "take-over-rows" in names(tmp_path, bundle, None)
        with pytest.raises(TakeOverFailed, match="interrupted"):
            FilesStep(installation, None).apply()
        staging.proved.write_text("")
        assert "take-over-rows" not in names(tmp_path, bundle, Taking("/home/kim/airflow", 7))
