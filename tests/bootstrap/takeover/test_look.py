"""A look at a real old Airflow: what it has, what speaks against taking it over; nothing is changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from bootstrap.base import account as accounts
from bootstrap.base.secret import Secret
from bootstrap.commands import olds
from bootstrap.doctor.checks import take_over, take_over_extent
from bootstrap.doctor.checks.take_over import TakeOverWanted
from bootstrap.doctor.finding import Finding, Report
from bootstrap.doctor.preflight import Preflight
from bootstrap.facts import old_airflow, remnants
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.facts.processes import Process
from bootstrap.facts.remnants import Remnant
from bootstrap.installed.options import InvalidOption
from bootstrap.state.home import Home
from bootstrap.takeover import archive, look
from bootstrap.takeover.look import TakeOverSource
from bootstrap.takeover.staging import Staging
from tests.support import old_airflow as old
from tests.support import receipts
from tests.support.accounts import NOBODY, Folder
from wheelhouse import codec

PROJECT = Path(look.__file__).parents[2]
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="not root")
NEW = "2.11.2"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No unit, crontab line or profile of this machine's."""
    for name in ("UNITS", "CRONTABS", "PROFILES"):
        monkeypatch.setattr(remnants, name, ())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return old.make("2.2.2", tmp_path / "kim" / "airflow")


def found(home: Path) -> OldAirflow:
    seen = look.look(home)
    assert seen.old is not None, seen.problem
    return seen.old


def judged(home: Path, wanted: TakeOverWanted) -> list[Finding]:
    first, *others = take_over.judge(found(home), wanted)
    assert (first.id, first.severity) == ("take-over", "note")
    return others


def ids(home: Path, /, **wanted: Any) -> list[str]:
    given = {"airflow": NEW, "home": "/opt/new", **wanted}
    return [item.id for item in judged(home, TakeOverWanted(**given))]


def test_everything_is_counted_and_nothing_is_changed(home: Path) -> None:
    before = old.contents(home)
    seen = found(home)
    assert (seen.database.kind, seen.database.revision, seen.release) == ("sqlite", "7b2661a43ba3", "2.2.0")
    rows = seen.database.rows
    assert (rows["dag_run"], rows["task_instance"], rows["connection"]) == (20, 60, 52)
    assert seen.database.users == ("kim", "viewer")
    # 2.2.2 has no fernet key unless an admin makes one
    assert (seen.database.key, seen.database.closed, seen.database.plain > 0) == ("none", (), True)
    assert (seen.dags.files, seen.plugins.files) == (2, 1)
    assert old.contents(home) == before
    assert ids(home) == []
    assert codec.loads(look.Looked, codec.dumps(look.Looked(seen))).old == seen


def test_folder_without_an_airflow_cfg(tmp_path: Path) -> None:
    seen = look.look(tmp_path)
    assert seen.old is None
    assert "No such file" in seen.problem
    finding = take_over.unreadable(str(tmp_path), seen.problem)
    assert (finding.id, finding.severity) == ("take-over-unreadable", "blocker")


@pytest.mark.parametrize(
    "text",
    [
        "mysql://a:geheim@b/c", "sqlite:////geheim", "postgresql://a:geheim@b/c",
        "postgresql://a@b/c?password=geheim", "postgresql://a@b,geheim/c", "postgresql://a@b/c?geheim=1",
    ],
)  # fmt: skip
def test_address_that_is_refused_is_not_repeated(text: str) -> None:
    """It may hold a password."""
    with pytest.raises(InvalidOption) as caught:
        look.named(text)
    assert "a:geheim" not in str(caught.value)
    assert text not in f"{caught.value.found} {caught.value.hint} {caught.value}"


def test_password_file_goes_with_an_address(home: Path, tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("s3cret\n")
    found = look.named("postgresql://kim@db.example/airflow", word).server
    assert found is not None
    assert (found.address, found.password) == ("postgresql://kim@db.example:5432/airflow", Secret("s3cret"))
    with pytest.raises(InvalidOption, match="goes with the address"):
        look.named(str(home), word)


def test_its_airflow_cfg_names_the_folder_as_well(home: Path) -> None:
    assert look.named(str(home / "airflow.cfg")) == look.named(str(home)) == TakeOverSource(home)


@pytest.mark.parametrize("url", ["mysql+mysqldb://a:geheim@db/airflow"])
def test_other_databases_are_refused_with_the_way_that_there_is(home: Path, url: str) -> None:
    edit(home, "core", "sql_alchemy_conn", url)
    (finding,) = judged(home, TakeOverWanted(NEW, "/opt/new"))
    assert finding.id == "take-over-database"
    assert finding.commands
    assert "geheim" not in repr(finding)


def test_address_that_only_a_command_knows(home: Path) -> None:
    text = config.read(home / "airflow.cfg")
    lines = [line for line in text.split("\n") if not line.startswith("sql_alchemy_conn ")]
    (home / "airflow.cfg").write_text("\n".join(lines))
    edit(home, "core", "sql_alchemy_conn_cmd", "cat /run/secrets/url")
    (finding, left) = judged(home, TakeOverWanted(NEW, "/opt/new"))
    assert finding.id == "take-over-database"
    assert "sql_alchemy_conn_cmd" in finding.found and "--take-over postgresql://" in finding.remedy
    assert "sql_alchemy_conn_cmd: no command is run" in left.found


def test_what_is_not_taken_is_said_before_anything_is_changed(home: Path) -> None:
    for section, option, value in (
        ("secrets", "backend", "airflow.providers.hashicorp.secrets.vault.VaultBackend"),
        ("logging", "remote_logging", "True"),
        ("logging", "remote_base_log_folder", "s3://logs/airflow"),
        ("core", "executor", "CeleryExecutor"),
        ("core", "enable_xcom_pickling", "True"),
        ("celery", "broker_url_cmd", "cat /run/secrets/broker"),
    ):
        edit(home, section, option, value)
    sql(home, "CREATE TABLE plugin_notes (a int)")
    sql(home, "INSERT INTO plugin_notes VALUES (1)")
    seen = found(home)
    assert any(line.startswith("settings: ") for line in take_over_extent.taken(seen))
    left = "\n".join(take_over_extent.left(seen))
    for part in (
        "VaultBackend",
        "s3://logs/airflow",
        "CeleryExecutor",
        "_xcom_archive",
        "broker_url_cmd",
        "plugin_notes",
    ):
        assert part in left, part


@pytest.mark.parametrize(
    ("revision", "new", "needed"),
    [
        ("7b2661a43ba3", "3.3.2", "Airflow 2.10.0 or newer"),
        ("98ae134e6fff", "3.3.2", "Airflow 2.10.0 or newer"),
        ("22ed7efa9da2", "2.9.3", "a bundle of Airflow 2.10.0 or newer"),
        ("ccde3e26fe78", NEW, "the schema of Airflow 2.2.0 or newer"),
        ("0123456789ab", NEW, "the schema of a release from 2.2.2 on"),
        ("7b2661a43ba3", "2.2.4", "a bundle of Airflow 2.3.0 or newer"),
    ],
)
def test_step_that_the_bundle_cannot_make(home: Path, revision: str, new: str, needed: str) -> None:
    sql(home, "UPDATE alembic_version SET version_num = ?", revision)
    (finding,) = judged(home, TakeOverWanted(new, "/opt/new"))
    assert (finding.id, finding.severity) == ("take-over-database", "blocker")
    assert finding.needed.startswith(needed)
    if new == "3.3.2":
        assert "airferry bundle --airflow 2.11.2" in finding.remedy


@pytest.mark.parametrize("revision", ["22ed7efa9da2", "5f2621c13b39", "29ce7909c52b", "cc92b33c6709"])
def test_steps_to_airflow_3(home: Path, revision: str) -> None:
    sql(home, "UPDATE alembic_version SET version_num = ?", revision)
    assert ids(home, airflow="3.3.2") == []


def test_same_home_and_one_with_an_installation(home: Path) -> None:
    assert ids(home, home=str(home)) == ids(home, home=str(home / "new")) == ["take-over-place"]
    assert ids(home, home=str(home.parent)) == ids(home, installed=True) == ["take-over-place"]


def test_home_that_has_taken_one_over(home: Path, tmp_path: Path) -> None:
    """Said, where it was this one; refused, where it was another: it would not be taken."""
    new = Home(tmp_path / "new")
    staging = Staging(new)
    new.secrets.mkdir(parents=True)
    staging.path.mkdir(parents=True)
    staging.look.write_text(codec.dumps(found(home)))
    assert look.done(new) is None
    staging.proved.touch()
    before = look.done(new)
    assert before == str(home)
    same = look.judged_again(TakeOverSource(home), before, str(new.path))
    assert (same.id, same.severity) == ("take-over-done", "note")
    other = look.judged_again(TakeOverSource(tmp_path / "other"), before, str(new.path))
    assert (other.id, other.severity) == ("take-over-place", "blocker")
    assert str(home) in other.found


def test_interrupted_install_that_has_read_it_reads_nothing_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for hours, not into room that its own rows have taken meanwhile, and no other one instead."""
    new = Home(tmp_path / "new")
    sample = receipts.sample(new.path)
    chosen = replace(sample, airflow=NEW, database=replace(sample.database, adopted=False))
    options: Any = SimpleNamespace(home=new, taking=None)
    new.secrets.mkdir(parents=True)
    staging = Staging(new)
    staging.path.mkdir(parents=True)
    staging.look.write_text(codec.dumps(found(home)))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert "take-over-room" in [item.id for item in olds.findings(str(home), None, chosen)]
    staging.complete.touch()
    monkeypatch.setattr(archive, "packed", lambda *_: pytest.fail("packed again"))
    assert [item.id for item in olds.findings(str(home), None, chosen)] == ["take-over"]
    other = old.make("2.2.2", tmp_path / "other" / "airflow")
    assert [item.id for item in olds.findings(str(other), None, chosen)] == ["take-over-place"]
    python: Any = None
    judgement = Preflight(Report("", "", ()), python)
    for gone in (False, True):
        if gone:
            shutil.rmtree(home)
        seen, judged = olds.judged(str(home), None, chosen, judgement)
        assert not judged.report.blockers
        assert olds.adopting(seen, chosen).database.adopted
        assert olds.packed(seen, options).taking is None


def test_process_of_the_old_one(home: Path) -> None:
    mine = Process("airflow", 4711, "kim", "scheduler", str(home))
    other = replace(mine, home="/opt/other")
    (finding,) = judged(home, TakeOverWanted(NEW, "/opt/new", (mine, other)))
    assert (finding.id, finding.commands) == ("take-over-running", ("kill 4711",))
    assert ids(home, running=(other,)) == []
    # a home that is not the owner's default is named by a variable, which its process has
    assert ids(home, running=(replace(mine, home=""),)) == []
    seen = replace(found(home), owner="kim", is_default=True)
    hidden = TakeOverWanted(NEW, "/opt/new", (replace(mine, home=""),))
    assert "take-over-running" in [item.id for item in take_over.judge(seen, hidden)]


def test_what_would_start_the_old_one_again(home: Path) -> None:
    unit = Remnant("unit", "/etc/systemd/system/old.service", "airflow scheduler", ("systemctl disable old",))
    seen = replace(found(home), remnants=(unit,))
    findings = list(take_over.judge(seen, TakeOverWanted(NEW, "/opt/new")))
    (finding,) = (item for item in findings if item.id == "take-over-remnants")
    assert (finding.severity, finding.commands, finding.needs_root) == ("warning", unit.commands, True)
    assert "old.service: airflow scheduler" in finding.found


def test_sign_of_life_in_its_database(home: Path) -> None:
    """A scheduler in a container, or on another host."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    sql(
        home,
        "INSERT INTO job (id, state, job_type, latest_heartbeat, hostname)"
        " VALUES (99, 'running', 'SchedulerJob', ?, 'h')",
        now,
    )
    assert ids(home) == ["take-over-running"]
    sql(home, "UPDATE job SET latest_heartbeat = ? WHERE id = 99", "2020-01-01 00:00:00.000000")
    assert ids(home) == []


def test_fernet_key_that_opens_nothing(tmp_path: Path) -> None:
    home = old.make("2.10.5", tmp_path / "airflow")
    assert found(home).database.key == "set"
    assert ids(home) == []
    edit(home, "core", "fernet_key", "")
    (finding,) = judged(home, TakeOverWanted(NEW, "/opt/new"))
    assert finding.id == "take-over-key"
    assert "connection warehouse" in finding.found
    edit(home, "core", "fernet_key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    assert ids(home) == ["take-over-key"]


def test_no_room(home: Path) -> None:
    assert ids(home, free=1 << 20) == ["take-over-room"]
    assert ids(home, free=1 << 40) == []


def test_no_room_where_it_is_packed(home: Path) -> None:
    """The new home may be on another disk, with room enough."""
    wanted = TakeOverWanted(NEW, "/opt/new", free=1 << 40, scratch=1 << 20)
    (finding,) = judged(home, wanted)
    assert finding.id == "take-over-room"
    assert "free at /var/tmp" in finding.found
    assert "--home" not in finding.remedy
    assert ids(home, free=1 << 40, scratch=1 << 40) == []


def test_one_disk_holds_what_is_packed_as_well(home: Path) -> None:
    seen = found(home)
    seen = replace(seen, database=replace(seen.database, size=1 << 30))
    for scratch, said in ((None, ["take-over-room"]), (1 << 40, [])):
        wanted = TakeOverWanted(NEW, "/opt/new", free=4700 << 20, scratch=scratch)
        assert [item.id for item in take_over.judge(seen, wanted) if item.severity == "blocker"] == said


def test_database_that_is_none(home: Path) -> None:
    (home / "airflow.db").write_bytes(b"no database at all" * 100)
    assert ids(home) == ["take-over-database"]
    (home / "airflow.db").unlink()
    assert ids(home) == ["take-over-database"]
    assert not (home / "airflow.db").exists()


def test_writer_that_was_killed_left_a_journal(home: Path) -> None:
    """SQLite would have to write to read it: a copy is read, and the old one keeps its journal."""
    database = sqlite3.connect(home / "airflow.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("INSERT INTO variable (id, key, val) VALUES (77, 'late', '1')")
    database.commit()
    kept = {name: (home / name).read_bytes() for name in ("airflow.db", "airflow.db-wal")}
    database.close()
    for name, content in kept.items():
        (home / name).write_bytes(content)
    (home / "airflow.db-shm").unlink(missing_ok=True)
    before = old.contents(home)
    assert found(home).database.rows["variable"] == 2
    assert old.contents(home) == before


def test_database_in_wal_mode_gets_no_log_from_a_look(home: Path) -> None:
    """SQLite itself makes -wal and -shm beside such a file for every reader who may write there."""
    with contextlib.closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
    before = old.contents(home)
    assert found(home).database.rows["variable"] == 1
    assert old.contents(home) == before


@ROOT
def test_root_reads_it_with_its_owners_rights_alone() -> None:
    """A link of the owner's to what root alone may read leads nowhere."""
    with Folder() as place:
        home = old.make("2.2.2", place / "airflow")
        secret = place / "root-only"
        secret.write_text("[core]\nsql_alchemy_conn = sqlite:////etc/shadow\n")
        secret.chmod(0o600)
        old.own(home, NOBODY, NOBODY)
        assert found(home).owner == "nobody"
        (home / "airflow.cfg").unlink()
        (home / "airflow.cfg").symlink_to(secret)
        seen = look.look(home)
        assert (seen.old, "Permission denied" in seen.problem) == (None, True)


@ROOT
def test_owner_that_tells_of_another_home_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's own, for example, which root itself would pack."""
    with Folder() as place:
        home = old.make("2.2.2", place / "airflow")
        old.own(home, NOBODY, NOBODY)
        told = codec.dumps(look.Looked(replace(found(home), home="/root/airflow")))
        monkeypatch.setattr(accounts, "look_as", lambda *_, **__: told)
        seen = look.look(home)
        assert (seen.old, "could not read it" in seen.problem) == (None, True)


@ROOT
def test_root_believes_no_home_of_its_own_that_others_could_have_put_there(home: Path) -> None:
    home.parent.chmod(0o777)
    seen = look.look(home)
    assert seen.old is None
    assert "others could have put it there" in seen.problem


@ROOT
def test_hard_link_that_root_leaves_out_is_named(home: Path) -> None:
    before = found(home).dags.files
    file = next((home / "dags").rglob("*.py"))
    (home / "again").hardlink_to(file)
    seen = found(home)
    assert (seen.dags.files, seen.dags.links) == (before - 1, (f"{file} (hard link)",))
    assert f"link, not followed: {file} (hard link)" in take_over_extent.left(seen)


def test_links_are_named_and_not_followed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "common.py").write_text("x = 1")
    (home / "dags" / "shared").symlink_to(tmp_path / "shared")
    seen = found(home)
    assert seen.dags.files == 2
    assert any("shared" in line for line in take_over_extent.left(seen))
    assert ids(home) == ["take-over-left"]


def edit(home: Path, section: str, option: str, value: str) -> None:
    path = home / "airflow.cfg"
    config.write(path, config.edit(config.read(path), [Setting(section, option, value)]))


def sql(home: Path, statement: str, *values: str) -> None:
    database = sqlite3.connect(home / "airflow.db")
    database.execute(statement, values)
    database.commit()
    database.close()


def test_release_that_is_installed_beside_is_named(home: Path) -> None:
    packages = home / "venv" / "lib" / "python3.8" / "site-packages"
    (packages / "apache_airflow-2.2.2.dist-info").mkdir(parents=True)
    (packages / "apache_airflow-2.6.3.dist-info").mkdir()
    seen = old_airflow.collect(home)
    assert (seen.version, seen.environment) == ("2.2.2", str(packages))


@ROOT
def test_owner_needs_nothing_more_of_a_bundle_that_is_roots_alone(tmp_path: Path) -> None:
    """A bundle of mode 0600: what is imported or read from it as the owner would be refused."""
    archive_of_code = tmp_path / "code.zip"
    with zipfile.ZipFile(archive_of_code, "w") as packed:
        for package in ("bootstrap", "wheelhouse"):
            for path in sorted((PROJECT / package).rglob("*")):
                if path.suffix in (".py", ".json"):
                    packed.write(path, path.relative_to(PROJECT))
    archive_of_code.chmod(0o600)
    with Folder() as folder:
        there = old.make("2.2.2", folder / "airflow")
        old.own(there, NOBODY, NOBODY)
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
            " from bootstrap.takeover import look; assert look.__file__.startswith(sys.argv[1]);"
            " seen = look.look(Path(sys.argv[2])); print(seen.problem or seen.old.release)"
        )
        command = [sys.executable, "-c", code, str(archive_of_code), str(there)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    assert done.stdout.startswith("2.2.")
