"""Links, pipes and folders that the service account plants where root reads, writes or deletes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap import daily, removal
from bootstrap.base import smallfile
from bootstrap.base.account import AccountError
from bootstrap.installed import external
from bootstrap.services import units
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from tests.support import receipts as samples
from tests.support.accounts import NOBODY, Folder, in_process

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more to lose than the account")


@pytest.fixture
def home() -> Iterator[Home]:
    """A home of the account's, with a receipt in it."""
    with Folder() as folder:
        found = Home(folder / "home")
        found.secrets.mkdir(parents=True)
        receipts.save(found.receipt, replace(samples.sample(found.path), account="nobody"))
        for path in (found.path, found.secrets, found.receipt):
            os.chown(path, NOBODY, NOBODY)
        yield found


@pytest.fixture
def root_only(tmp_path: Path) -> Path:
    """A file that only root can read."""
    path = tmp_path / "root-only"
    path.write_text("r00t-0nly\n")
    path.chmod(0o600)
    return path


def test_saved_facts_follow_no_link(home: Home, root_only: Path) -> None:
    """``doctor --save HOME/host.json``: NAME.new was a link."""
    (home.path / "host.json.new").symlink_to(root_only)
    smallfile.write(home.path / "host.json", "facts")
    assert root_only.read_text() == "r00t-0nly\n"
    assert (home.path / "host.json").read_text() == "facts"
    assert not (home.path / "host.json").is_symlink()


def test_password_of_a_database_is_no_file_of_roots(home: Home, root_only: Path) -> None:
    """A server that the receipt names would get its first line as the password."""
    home.postgres_password.symlink_to(root_only)
    assert external.stored(home) is None
    home.postgres_password.unlink()
    home.secrets.rmdir()
    home.secrets.symlink_to(root_only.parent)
    root_only.rename(root_only.with_name("postgres-password"))
    assert external.stored(home) is None


def test_password_of_the_account_is_read(home: Home) -> None:
    home.postgres_password.write_text("theirs\n")
    os.chown(home.postgres_password, NOBODY, NOBODY)
    found = external.stored(home)
    assert found and found.reveal() == "theirs"


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_receipt_that_is_no_file_of_the_accounts(what: str, home: Home, root_only: Path) -> None:
    """A pipe would hold root's command for ever."""
    home.receipt.unlink()
    if what == "link":
        home.receipt.symlink_to(root_only)
    else:
        os.mkfifo(home.receipt)
        os.chown(home.receipt, NOBODY, NOBODY)
    code = "import sys, pathlib as p; from bootstrap.state import receipt; receipt.find(p.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, home.receipt], check=False, capture_output=True, text=True, timeout=20
    )
    assert done.returncode != 0
    assert "r00t-0nly" not in done.stderr
    assert "Error" in done.stderr


_READERS = {
    "journal.jsonl": "from bootstrap.state import journal as m; m.read(path)",
    "lock": "from bootstrap.base import lock as m; m.holder(path)",
    "backups/b/state/receipt.json": (
        "from bootstrap.state import receipt as m; broken = home / 'receipt.json';"
        " broken.write_text('{'); m.find(broken)"
    ),
    "receipt.json": (
        "from bootstrap.facts import airflows as m;"
        " (home / 'airflow.cfg').touch(); print(m.collect({}, homes=[str(home)], packages=[]))"
    ),
}


@pytest.mark.parametrize("what", ["link", "pipe", "endless"])
@pytest.mark.parametrize("name", _READERS)
def test_nothing_in_place_of_a_file_holds_root(what: str, name: str, home: Home, root_only: Path) -> None:
    """A pipe waits for ever, a link to /dev/zero takes all memory, one to a file of root's tells it."""
    path = home.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(root_only if what == "link" else "/dev/zero")
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    limit = "import resource as r; r.setrlimit(r.RLIMIT_AS, (2**29, 2**29))"
    code = f"{limit}; import pathlib, sys; home, path = map(pathlib.Path, sys.argv[1:]); {_READERS[name]}"
    done = subprocess.run(
        [sys.executable, "-c", code, home.path, path], check=False, capture_output=True, text=True, timeout=20
    )
    assert "MemoryError" not in done.stderr
    assert "r00t-0nly" not in done.stdout + done.stderr


def test_receipt_that_names_another_account(home: Home) -> None:
    """Root would run the programs of the home as that account."""
    found = receipts.load(home.receipt)
    home.receipt.write_text(home.receipt.read_text().replace('"nobody"', '"daemon"'))
    assert receipts.load(home.receipt) == replace(found, account="daemon")

    def use() -> None:  # it would give up root for good
        with pytest.raises(AccountError, match="names another account"):
            daily.enter_as_account(home)

    in_process(use, lambda: None)()


def test_units_have_process_1_open_nothing() -> None:
    """A link in etc/ brought a root-only file into the component's environment; a pipe froze the host."""
    layout = units.Layout("blue", "/srv/blue", "airflow", ("scheduler",), True)
    for text in units.render(layout).values():
        assert "EnvironmentFile" not in text
        assert "file:" not in text


_EXCHANGING = """
import os, sys, time
tree, outside = sys.argv[1:]
sub = os.open(tree + "/d/sub", os.O_RDONLY)
print("ready", flush=True)
while os.path.exists(tree + "/d/sub/0"):
    pass
os.rename(tree + "/d", tree + "/kept")
os.symlink(outside, tree + "/d")
for number in range(100000):
    os.close(os.open(f"new-{number}", os.O_CREAT | os.O_WRONLY, dir_fd=sub))
"""


def test_purge_leaves_what_a_link_leads_to(tmp_path: Path) -> None:
    """While root deletes a folder, it is filled again, and the one above exchanged for a link."""
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    outside.chmod(0o500)
    tree = tmp_path / "tree"
    (tree / "d" / "sub").mkdir(parents=True)
    for number in range(3000):
        (tree / "d" / "sub" / f"{number}").touch()
    command = [sys.executable, "-c", _EXCHANGING, str(tree), str(outside)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as attacker:
        assert attacker.stdout
        attacker.stdout.readline()
        removal._delete(tree)
        attacker.kill()
    assert (outside / "sub").is_dir()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o500


def test_purge_of_a_closed_folder_changes_no_mode_elsewhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o500)
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "closed" / "file").write_text("")
    (tree / "link").symlink_to(outside)
    (tree / "closed").chmod(0)
    removal._delete(tree)
    assert not tree.exists()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o500
