"""Uninstalling: what goes, what stays, and that a broken or half-removed installation is no obstacle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap import removal
from bootstrap.airflow.executor import EDGE_WORKER
from bootstrap.base import account as accounts
from bootstrap.base.account import current
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster, journal, registry
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.state.receipt import NO_DATABASE, WORKER
from tests.support.accounts import NOBODY, Folder, can_own_etc, in_process, own_etc, system_numbers
from tests.support.clusters import join
from tests.support.commands import CODE, PLAIN, ROOT
from tests.support.receipts import sample

DATA = {
    "airflow.cfg", "dags", "etc", "journal.jsonl", "logs", "plugins", "postgres", "receipt.json", "secrets",
    "notes.txt", "backups",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home as an install leaves it, but with nothing in it that runs: every program is missing."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    home = Home(tmp_path / "home")
    changed = replace(sample(home.path), account=current().name, removed="", name="removal-test")
    files = [
        "bin/airflow", "bin/airferry", "run/supervisord.pid", "etc/supervisord.conf", "etc/environment.sh",
        "etc/airflow-settings.json", "etc/local.env", "dags/mine.py", "logs/airferry/install.log",
        "plugins/mine.py", "postgres/PG_VERSION", "secrets/fernet-key", "backups/one/dump", "airflow.cfg",
        "notes.txt", f"releases/{changed.bundle_id}/runtime/bootstrap/cli.py", "python/3.11/bin/python3",
        ".handoff/x", "airflow.cfg.20260101-000000.bak", "webserver_config.py", ".removed-bin-1/old",
    ]  # fmt: skip
    for name in files:
        (home.path / name).parent.mkdir(parents=True, exist_ok=True)
        (home.path / name).write_text("")
    home.current_link.symlink_to(Path("releases") / changed.bundle_id)
    receipts.save(home.receipt, changed)
    return home


def names(home: Home) -> set[str]:
    return {path.name for path in home.path.iterdir()}


def run(home: Home, *options: str, code: str = CODE) -> Any:
    command = [sys.executable, "-c", code, "uninstall", "--home", str(home.path), "--json", *options]
    ran = subprocess.run(
        command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["ok"], said["command"]) == (True, "uninstall")
    return said["result"]


def test_data_stays_and_the_receipt_remembers_the_choices(home: Home) -> None:
    home.manual.symlink_to("current/runtime/doc")
    said = run(home, "--yes")
    assert names(home) == DATA | {"airflow.cfg.20260101-000000.bak", "webserver_config.py"}
    assert {path.name for path in home.etc.iterdir()} == {"airflow-settings.json", "local.env"}
    left = {Path(item["what"]).name: item["why"] for item in said["left"]}
    assert set(left) - {f"account {current().name}"} == names(home)
    assert left["postgres"] == "the database cluster"
    kept = receipts.load(home.receipt)
    assert (kept.completed, bool(kept.removed), kept.web_port) == ("", True, 8080)
    assert [(item.command, item.outcome) for item in journal.read(home.journal).entries] == [
        ("uninstall", "done")
    ]
    # and once more
    first = kept.removed
    run(home, "--yes")
    assert receipts.load(home.receipt).removed == first


def test_purge_leaves_only_what_is_not_ours(home: Home) -> None:
    said = run(home, "--yes", "--purge")
    assert names(home) == {"notes.txt"}
    assert said["purged"] is True
    assert [item["what"] for item in said["left"] if Path(item["what"]).name == "notes.txt"]


def test_purge_of_a_home_that_holds_nothing_else_removes_it(home: Home) -> None:
    (home.path / "notes.txt").unlink()
    run(home, "--yes", "--purge")
    assert not home.path.exists()


def test_nothing_goes_without_a_yes(home: Home) -> None:
    before = sorted(home.path.rglob("*"))
    command = [sys.executable, "-c", CODE, "uninstall", "--home", str(home.path)]
    ran = subprocess.run(
        command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (ran.returncode, "--yes" in ran.stderr) == (93, True)
    assert sorted(home.path.rglob("*")) == before


@pytest.mark.parametrize("fatal", range(1, 12))
def test_killed_anywhere_and_run_again(home: Home, monkeypatch: pytest.MonkeyPatch, fatal: int) -> None:
    installation = Installation(receipts.load(home.receipt))
    calls = 0

    def die_at(place: Home, path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == fatal:
            raise KeyboardInterrupt
        real(place, path)

    real = removal._discard
    monkeypatch.setattr(removal, "_discard", die_at)
    try:
        removal.remove_commands(installation, purge=True)
        removal.remove_code(home, purge=True)
        reached = False
    except KeyboardInterrupt:
        reached = True
    monkeypatch.setattr(removal, "_discard", real)
    assert home.receipt.exists() is reached  # it can be told to finish
    removal.remove_commands(installation, purge=True)
    removal.remove_code(home, purge=True)
    assert names(home) == {"notes.txt"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_the_right_to_write_is_no_obstacle(home: Home) -> None:
    closed = home.path / "releases" / "x" / "closed"
    closed.mkdir(parents=True)
    (closed / "file").write_text("")
    closed.chmod(0o500)
    run(home, "--yes")
    assert "releases" not in names(home)


def test_only_its_own_record_is_forgotten(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "SYSTEM", tmp_path / "system")
    other = Home(tmp_path / "other")
    other.path.mkdir()
    for place, name in ((home, "removal-test"), (other, "other")):
        receipts.save(place.receipt, replace(receipts.load(home.receipt), home=str(place.path), name=name))
        registry.save(registry.record_of(receipts.load(place.receipt)))
    assert len(registry.known()) == 2
    removal.remove_commands(Installation(receipts.load(home.receipt)), purge=False)
    assert [record.home for record in registry.known()] == [str(other.path)]


def _uninstall_as_root(purge: bool) -> None:
    with Folder() as folder:
        folder.chmod(0o755)
        home = Home(folder / "home")
        account = accounts.ensure("airferry-gone", home.path)
        (home.path / "releases").mkdir(parents=True)
        (home.path / "dags").mkdir()
        receipts.save(home.receipt, replace(sample(home.path), account=account.name, removed="", name="gone"))
        for path in (home.path, *home.path.iterdir()):
            os.chown(path, account.uid, account.gid)
        # what root left there, the account cannot remove
        (home.path / "releases" / "x" / "__pycache__").mkdir(parents=True)
        (home.path / "releases" / "x" / "__pycache__" / "a.pyc").write_text("")
        said = run(home, "--yes", *(["--purge"] if purge else []), code=PLAIN)
        assert (home.path.exists(), (home.path / "releases").exists()) == (not purge, False)
        left = {item["what"]: item["why"] for item in said["left"]}
        if purge:
            assert accounts.find(account.name) is None
            assert not [path for path in left if path.startswith(str(folder))]
        else:
            assert accounts.find(account.name) == account
            assert left["account airferry-gone"] == "the data is its own"
            assert (home.path / "dags").stat().st_uid == account.uid


@pytest.mark.skipif(not can_own_etc(), reason="making accounts needs root and mount namespaces")
@pytest.mark.parametrize("purge", [False, True])
def test_root_gives_itself_up_for_it_and_removes_what_the_account_cannot(purge: bool) -> None:
    in_process(_uninstall_as_root, own_etc)(purge)


def test_an_account_that_no_install_made_is_left(tmp_path: Path) -> None:
    assert removal.remove_account("no-such-account", tmp_path) == ""
    assert removal.remove_account("root", tmp_path) == "it was not created by this installation"
    assert removal.remove_account("daemon", tmp_path) == "it was not created by this installation"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start something as another")
def test_processes_that_are_ending_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    number = system_numbers()[-1]
    with subprocess.Popen(["sleep", "0.5"], user=number) as child:
        threading.Thread(target=child.wait).start()
        assert removal._await_end(number)
    monkeypatch.setattr(removal, "_ENDING_SECONDS", 0.1)
    with subprocess.Popen(["sleep", "1000"], user=number) as child:
        assert not removal._await_end(number)
        child.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_an_account_are_found_however_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gets its number next would own them."""
    monkeypatch.setattr(removal, "_SHARED", (str(tmp_path / "shared"),))
    deep = tmp_path / "shared" / "of-root" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "home").mkdir()
    assert removal._files_of(NOBODY, tmp_path / "home") == []
    (deep / "link").symlink_to("/")
    os.chown(deep / "link", NOBODY, NOBODY, follow_symlinks=False)
    assert removal._files_of(NOBODY, tmp_path / "home") == [str(deep / "link")]


def test_a_worker_leaves_nothing_of_its_own(home: Home) -> None:
    """The module for Airflow's worker lies in a folder that may be the admin's as well."""
    found = receipts.load(home.receipt)
    database = replace(found.database, kind=NO_DATABASE)
    worker = replace(found, role=WORKER, executor=EDGE_WORKER.name, database=database, completed="")
    receipts.save(home.receipt, worker)
    cluster.keep_join(home, join())
    for name in (
        "config/airferry_sysinfo.py",
        "config/airferry_celery.py",
        "config/mine.py",
        "airflow.db",
        "airflow.db-wal",
    ):
        (home.path / name).parent.mkdir(exist_ok=True)
        (home.path / name).write_text("")
    run(home, "--purge", "--yes")
    assert names(home) == {"notes.txt", "config"}
    assert [path.name for path in (home.path / "config").iterdir()] == ["mine.py"]


def test_modules_of_workers_are_not_looked_for_behind_a_link(home: Home, tmp_path: Path) -> None:
    """The account makes the folder, and root removes it."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "__pycache__").mkdir(parents=True)
    (elsewhere / "airferry_sysinfo.py").write_text("")
    (home.path / "config").symlink_to(elsewhere)
    run(home, "--purge", "--yes")
    assert {path.name for path in elsewhere.iterdir()} == {"__pycache__", "airferry_sysinfo.py"}
