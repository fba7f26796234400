"""An upgrade that fails at any step after its backup is reversed exactly; the order in which a restore goes.

Real steps on a real home; only the service manager and the database server are fakes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.base.account import current
from bootstrap.base.secret import Secret
from bootstrap.change import restore, upgrade
from bootstrap.change.reversal import UpgradeFailed, undone_on_failure
from bootstrap.installed.installation import Installation
from bootstrap.postgres import dump
from bootstrap.services.manager import Program, State
from bootstrap.state import change_record, plan
from bootstrap.state import receipt as receipts
from bootstrap.state.backup import Backup, SavedBackup
from bootstrap.state.change_record import Change
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Step
from bootstrap.state.receipt import EXTERNAL
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.packages import LinkStep
from bootstrap.steps.secrets import FoldersStep
from bootstrap.steps.services import ServicesStep
from tests.support.plans import Watcher
from tests.support.receipts import sample
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

OLD_CFG = "[core]\n# a comment of the admin's\nload_examples = True\n"


class Manager:
    """A service manager that starts nothing."""

    env: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.asked: list[str] = []

    def configure(self, programs: Sequence[Program]) -> None:
        self.asked.append("configure")

    def launch(self) -> None:
        self.asked.append("launch")

    def running(self) -> bool:
        return False

    def start(self, names: Sequence[str], *, settle: bool = True) -> None:
        self.asked.append(f"start {' '.join(names)}".strip())

    def stop(self, names: Sequence[str], seconds: float | None = None) -> None:
        self.asked.append("stop")

    def shut_down(self) -> None:
        self.asked.append("shut down")

    def states(self) -> dict[str, State]:
        return {}

    def installed(self) -> bool:
        return False

    def remove(self) -> None:
        self.asked.append("remove")


class Server:
    """An external database server whose whole content is one text."""

    def __init__(self) -> None:
        self.content = "rows of the old schema"

    @contextlib.contextmanager
    def clients(self) -> Iterator[None]:
        yield

    def wait(self, seconds: float = 60) -> None:
        pass

    def query(self, sql: str) -> str:
        return ""

    def replace(self, clients: None, source: Path, scratch: Path) -> None:
        self.content = source.read_text(encoding="utf-8")


class Migrates:
    name = "migration"

    def __init__(self, server: Server) -> None:
        self.server = server

    def describe(self) -> str:
        return "Migrate"

    def done(self) -> bool:
        return False

    def apply(self) -> None:
        self.server.content = "rows of the new schema"


class FailsAfter:
    """A step that does all of its work, and then fails."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.name = step.name

    def describe(self) -> str:
        return self.step.describe()

    def done(self) -> bool:
        return False

    def apply(self) -> None:
        self.step.apply()
        raise AirferryError("No luck.", hint="Make room.")


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    made = Manager()
    monkeypatch.setattr(Installation, "services_of", lambda *_: made)
    return made


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Installation, "database", made)
    monkeypatch.setattr(dump, "save", lambda _, target: target.write_text(made.content, encoding="utf-8"))
    monkeypatch.setattr(dump, "replace", made.replace)
    monkeypatch.setattr(dump, "rows", lambda _: {"dag": 2})
    for name, value in (("version", "18.6"), ("revision", "29ce7909c52b"), ("size", 4096)):
        monkeypatch.setattr(dump, name, lambda _, value=value: value)
    return made


@pytest.fixture
def change(tmp_path: Path, manager: Manager, server: Server) -> Change:
    """A home with an old release, as an install leaves it, and the change to a new one, begun."""
    home = Home(tmp_path / "home")
    found = sample(home.path)
    old = replace(
        found,
        airflow="3.3.1",
        bundle_id="3.3.1-cp311-a0b1c2d3e4",
        account=current().name,
        database=replace(found.database, kind=EXTERNAL, sslrootcert="", sslmode=""),
    )
    new = replace(old, airflow="3.3.2", bundle_id=found.bundle_id, web_port=9999, previous=old.bundle_id)
    FoldersStep(home, Secret("x")).apply()
    home.postgres_password.write_text("secret\n", encoding="utf-8")
    for receipt in (old, new):
        home.release(receipt.bundle_id).path.mkdir(parents=True)
    home.airflow_cfg.write_text(OLD_CFG, encoding="utf-8")
    before = Installation(old)
    for step in (LinkStep(before), ServicesStep(before), ConfigurationStep(before)):
        step.apply()
    config.write(home.airflow_cfg, config.read(home.airflow_cfg) + "# and another\n")
    receipts.save(home.receipt, old)
    made = Change(change_record.SCHEMA, "upgrade", old, new, "2026-10-01T12:00:00Z", running=False)
    change_record.begin(home, made)
    return made


def snapshot(home: Home, server: Server) -> dict[str, object]:
    """All that a change may touch: links, modes and bytes; not what it only adds (dags, logs, backups)."""
    found: dict[str, object] = {"database": server.content, "current": home.current_link.readlink()}
    for name in ("airflow.cfg", "receipt.json", "etc", "bin", "secrets"):
        for path in sorted([home.path / name, *(home.path / name).rglob("*")]):
            content = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(home.path))] = (path.stat().st_mode, content)
    return found


NAMES = ["aside", "commands", "services", "airflow-cfg", "configuration", "migration", "pipelines", "switch"]


@pytest.mark.parametrize("failing", NAMES)
def test_upgrade_that_fails_after_its_backup_is_reversed_exactly(
    change: Change, manager: Manager, server: Server, tiny_bundle: Path, failing: str
) -> None:
    home = Home(Path(change.old.home))
    as_it_was = snapshot(home, server)
    before, after = Installation(change.old), Installation(change.new)
    with Bundle.open(tiny_bundle) as bundle:
        steps: list[Step] = [
            Migrates(server) if step.name == "migration" else step
            for step in upgrade._forward(before, after, bundle, change)
        ]
        names = [step.name for step in steps]
        assert names[2:] == NAMES
        at = names.index(failing)
        steps[at] = FailsAfter(steps[at])
        touched = {}
        with (
            pytest.raises(UpgradeFailed, match=r"Airflow 3\.3\.1 is back\.$"),
            undone_on_failure(change, Watcher()),
        ):
            try:
                plan.execute(steps, Watcher(), Journal(home.journal))
            finally:
                touched = snapshot(home, server)
    assert (touched != as_it_was) == (failing != "aside")
    assert snapshot(home, server) == as_it_was
    assert {path.name for path in home.run.iterdir()} & {"change.json", "halted", "change.switched"} == set()
    assert manager.asked[-1] == "shut down"  # it did not run before
    assert len(list(home.backups.iterdir())) == 1


@pytest.mark.parametrize("kind", ["same-server", "other-server", "external"])
def test_restore_is_backed_up_before_anything_moves(change: Change, tmp_path: Path, kind: str) -> None:
    old, saved = change.new, change.old
    if kind != "external":
        database = sample().database
        old = replace(old, database=database)
        saved = replace(
            saved, database=replace(database, server="17.2" if kind == "other-server" else "18.6")
        )
    place = SavedBackup(tmp_path / "backup", backup_of(saved.bundle_id))
    steps = restore._steps(Installation(old), Installation(saved), place, replace(change, kind="restore"))
    names = [step.name for step in steps]
    assert names == {
        "same-server": [
            "stop", "backup", "database-restored", "state-restored", "services", "cluster", "database",
            "schema", "switch",
        ],
        "other-server": [
            "stop", "backup", "cluster-aside", "state-restored", "services", "cluster", "database", "fill",
            "schema", "switch",
        ],
        "external": [
            "stop", "backup", "database-restored", "state-restored", "services", "schema", "switch",
        ],
    }[kind]  # fmt: skip


def backup_of(bundle_id: str) -> Backup:
    return Backup(
        1,
        "id",
        "asked",
        "0.1.0",
        "3.3.1",
        bundle_id,
        "f.run",
        "18.6",
        "/h",
        "r",
        "",
        "",
        1,
        rows=(),
        files=(),
    )
