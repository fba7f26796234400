"""A change that fails before anything was changed, and the order in which an upgrade goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.change import upgrade
from bootstrap.change.reversal import UpgradeFailed, undone_on_failure
from bootstrap.change.steps import forget_proofs
from bootstrap.installed.installation import Installation
from bootstrap.state import change_record, marker
from bootstrap.state.change_record import Change
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.marker import MIGRATED, PROVED
from bootstrap.state.plan import execute
from tests.support import receipts
from tests.support.plans import Watcher
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle


class Broken:
    """A step that fails; `before` is what it does first."""

    name = "broken"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def describe(self) -> str:
        return "Break"

    def done(self) -> bool:
        return False

    def apply(self) -> None:
        raise self.error


@pytest.fixture
def change(tmp_path: Path) -> Change:
    new = receipts.sample(tmp_path)
    old = replace(new, airflow="3.3.1", bundle_id="3.3.1-cp311-a0b1c2d3e4")
    made = Change(1, "upgrade", old, new, "2026-10-01T12:00:00Z", running=False)
    home = Home(tmp_path)
    home.run.mkdir()
    home.own_logs.mkdir(parents=True)
    change_record.begin(home, made)
    return made


def fail(change: Change, error: BaseException) -> Watcher:
    progress, home = Watcher(), Home(Path(change.old.home))
    with undone_on_failure(change, progress):
        execute([Broken(error)], progress, Journal(home.journal))
    return progress


def test_failure_before_the_backup_forgets_the_change(change: Change) -> None:
    home = Home(Path(change.old.home))
    error = AirferryError("No luck.", found="a full disk", hint="Make room.")
    with pytest.raises(UpgradeFailed, match=r"Airflow 3\.3\.1 is back\.$") as caught:
        fail(change, error)
    assert caught.value.found == "No luck.\na full disk"
    assert caught.value.hint.startswith("Make room. ") and str(home.install_log) in caught.value.hint
    assert caught.value.__cause__ is error
    assert list(home.run.iterdir()) == []  # Airflow may start again
    assert '"change-undone"' in home.journal.read_text(encoding="utf-8")


def test_interrupt_is_undone_and_passes_on(change: Change) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(change, KeyboardInterrupt())
    assert change_record.find(Home(Path(change.old.home))) is None


def test_failure_after_the_end_is_not_undone(change: Change) -> None:
    home = Home(Path(change.old.home))
    change_record.end(home)
    with pytest.raises(AirferryError, match="Too late") as caught:
        fail(change, AirferryError("Too late."))
    assert not isinstance(caught.value, UpgradeFailed)
    assert '"change-undone"' not in home.journal.read_text(encoding="utf-8")


def test_what_cannot_be_undone_stays_recorded(change: Change) -> None:
    home = Home(Path(change.old.home))
    change_record.save(home, replace(change, backup="20261001T120000Z-gone"))
    with pytest.raises(UpgradeFailed, match="could not be restored") as caught:
        fail(change, AirferryError("No luck."))
    assert caught.value.found.startswith("No luck.")
    kept = change_record.find(home)
    assert kept and kept.backup == "20261001T120000Z-gone"
    assert (home.run / "halted").exists()  # and Airflow is kept down


def test_only_the_proofs_of_the_bundle_are_forgotten(change: Change) -> None:
    home = Home(Path(change.old.home))
    for kind in (MIGRATED, PROVED):
        for receipt in (change.old, change.new):
            marker.path(home, kind, receipt.bundle_id).touch()
    forget_proofs(Installation(change.new))
    left = {path.name for path in home.run.iterdir()} - {"change.json", "halted"}
    assert left == {f"migrated-{change.old.bundle_id}", f"proved-{change.old.bundle_id}"}


@pytest.mark.parametrize("crossing", [False, True], ids=["same-server", "other-server"])
def test_upgrade_is_backed_up_before_anything_moves(
    change: Change, tiny_bundle: Path, crossing: bool
) -> None:
    after = change.new
    if crossing:
        after = replace(after, database=replace(after.database, server="19.1"))
    with Bundle.open(tiny_bundle) as bundle:
        steps = upgrade._forward(Installation(change.old), Installation(after), bundle, change)
    names = [step.name for step in steps]
    assert names[:3] == ["stop", "backup", "cluster-aside" if crossing else "aside"]
    assert ("fill" in names) == crossing
    assert names.index("configuration") < names.index("migration") < names.index("pipelines")
    assert names[-1] == "switch"
