"""A home that root has prepared is given to the account; preflight and install agree on which."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from bootstrap.base import adoption
from bootstrap.base.account import Account, AccountError
from bootstrap.doctor.checks import home as checks
from bootstrap.doctor.needs import Needs
from bootstrap.facts import disk
from bootstrap.facts.account import AccountFacts, User
from bootstrap.facts.host import Facts, Request
from bootstrap.state import ownership
from bootstrap.state.home import Home
from tests.support.examining import as_root

pytestmark = as_root
NOBODY = Account("nobody", pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
ACCOUNTS = AccountFacts(User("root", 0, 0), User("nobody", NOBODY.uid, NOBODY.gid))


def agreed(home: Path) -> bool:
    """Whether the install takes the home; doctor must have said the same before."""
    place = disk.collect(str(home), entries=True)
    facts = Facts(1, "", Request(str(home)), home=place, account=ACCOUNTS)
    needs = Needs("3.3.2", "", "3.11", "", "", "", (), 0, 0, 0, 0, 0, 4, str(home), account="nobody")
    said = {item.id for item in checks.check(facts, needs)}
    try:
        ownership.make(Home(home), NOBODY)
    except AccountError as error:
        assert "home-owner" in said
        assert error.found
        return False
    assert "home-owner" not in said
    return True


def test_what_root_has_put_there_is_given_to_the_account(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "dags" / "below").mkdir(parents=True)
    (home / "lost+found").mkdir()
    for name in ("airflow.cfg", "webserver_config.py", "dags/a.py", "dags/below/b.py", ".hidden"):
        (home / name).write_text("")
        (home / name).chmod(0o600)
    (home / "dags" / "link").symlink_to("/etc/shadow")
    before = Path("/etc/shadow").stat()
    assert agreed(home)
    owners = {str(path.relative_to(home)): path.lstat().st_uid for path in home.rglob("*")}
    left = {name for name, uid in owners.items() if uid == 0}
    assert (left, home.stat().st_uid) == ({".hidden", "lost+found", "dags/link"}, NOBODY.uid)
    assert Path("/etc/shadow").stat() == before
    assert agreed(home)  # it is the account's now


@pytest.mark.parametrize(
    "fault", ["unknown", "linked", "second name", "another's", "another's below", "open", "theirs", "fifo"]
)
def test_what_somebody_else_may_have_put_there_is_refused(tmp_path: Path, fault: str) -> None:
    home = tmp_path / "home"
    (home / "dags").mkdir(parents=True)
    cfg = home / "airflow.cfg"
    cfg.write_text("")
    if fault == "unknown":
        (home / "photos").mkdir()
    elif fault == "linked":
        cfg.unlink()
        cfg.symlink_to("/etc/shadow")
    elif fault == "second name":
        os.link(cfg, tmp_path / "other")
    elif fault == "another's":
        os.chown(cfg, 4711, 4711)
    elif fault == "another's below":
        (home / "dags" / "a.py").write_text("")
        os.chown(home / "dags" / "a.py", 4711, 4711)
    elif fault == "open":
        home.chmod(0o777)
    elif fault == "theirs":
        os.chown(home, 4711, 4711)
    else:
        cfg.unlink()
        os.mkfifo(cfg)
    before = {path: path.lstat().st_uid for path in (home, *home.rglob("*"))}
    assert not agreed(home)
    assert {path: path.lstat().st_uid for path in (home, *home.rglob("*"))} == before
    assert adoption.obstacles(home)


def test_an_empty_folder_of_anybodys_is_taken(tmp_path: Path) -> None:
    os.chown(tmp_path, 4711, 4711)
    assert agreed(tmp_path)
    assert tmp_path.stat().st_uid == NOBODY.uid
