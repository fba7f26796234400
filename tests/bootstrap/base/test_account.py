"""The service account: made on a copy of /etc that ends with the test, found, and become for good."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.base import account as accounts
from bootstrap.base.account import Account, AccountError
from bootstrap.base.process import CommandFailed
from tests.support.accounts import NOBODY, can_own_etc, in_process, ordinary, own_etc, system_numbers

NAME = "airferry-test"

needs_etc = pytest.mark.skipif(
    not can_own_etc(), reason="making accounts needs root and mount namespaces, to leave this machine's alone"
)


def on_own_etc(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a process whose /etc is a copy; afterwards no account is left."""
    return needs_etc(in_process(test, own_etc))  # type: ignore[no-any-return]


@on_own_etc
def test_account_is_made_once() -> None:
    home = Path("/opt/한글 홈")
    made = accounts.ensure(NAME, home)
    entry = pwd.getpwnam(NAME)
    assert made == Account(NAME, entry.pw_uid, entry.pw_gid)
    assert made.uid in system_numbers()
    assert grp.getgrgid(made.gid).gr_name == NAME
    assert entry.pw_dir == str(home)
    assert entry.pw_shell.endswith("nologin")
    assert not home.exists()
    assert accounts.ensure(NAME, Path("/elsewhere")) == made
    assert pwd.getpwnam(NAME).pw_dir == str(home)


@on_own_etc
def test_programs_are_found_although_path_is_that_of_an_ordinary_user() -> None:
    """As after su without a dash."""
    os.environ["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    assert accounts.ensure(NAME, Path("/opt/x")).uid > 0


BUSYBOX = shutil.which("busybox") or ""


def _applets() -> list[str]:
    if not BUSYBOX:
        return []
    return subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.skipif("adduser" not in _applets(), reason="no busybox with adduser on this machine")
@on_own_etc
def test_busybox_makes_it_with_a_group_of_its_own(tmp_path: Path) -> None:
    """Alpine has no useradd, and its adduser puts system accounts into nogroup unless told."""
    for name in ("adduser", "addgroup"):
        (tmp_path / name).symlink_to(BUSYBOX)
    found = {"adduser": str(tmp_path / "adduser"), "addgroup": str(tmp_path / "addgroup")}
    accounts._program = found.get  # type: ignore[assignment]
    made = accounts.ensure(NAME, Path("/opt/x"))
    assert grp.getgrgid(made.gid).gr_name == NAME
    assert pwd.getpwnam(NAME).pw_shell == "/sbin/nologin"


@on_own_etc
def test_no_program_to_make_it() -> None:
    accounts._program = lambda name: None
    with pytest.raises(AccountError, match="neither useradd nor adduser") as caught:
        accounts.ensure(NAME, Path("/opt/x"))
    assert caught.value.exit_code == 36
    assert NAME in caught.value.hint


@on_own_etc
def test_name_that_cannot_be_one() -> None:
    with pytest.raises(AccountError, match="cannot be the name of an account"):
        accounts.ensure("no such:name", Path("/opt/x"))


@on_own_etc
def test_read_only_etc() -> None:
    subprocess.run(["mount", "-o", "remount,bind,ro", "/etc"], check=True)
    with pytest.raises(CommandFailed, match="Could not create the account"):
        accounts.ensure(NAME, Path("/opt/x"))


@on_own_etc
def test_become_it_for_good_with_its_groups() -> None:
    made = accounts.ensure(NAME, Path("/opt/x"))
    subprocess.run(["usermod", "-a", "-G", "mail", NAME], check=True)
    accounts.become(made)
    assert (os.getuid(), os.geteuid(), os.getgid(), os.getegid()) == (made.uid, made.uid, made.gid, made.gid)
    assert set(os.getgroups()) == {made.gid, grp.getgrnam("mail").gr_gid}
    assert (os.environ["USER"], os.environ["LOGNAME"]) == (NAME, NAME)
    with pytest.raises(PermissionError):
        os.setuid(0)
    assert accounts.current() == made
    assert made.is_current


@on_own_etc
def test_become_a_number_without_a_name() -> None:
    """A container's account: root looks after the installation of user 61234."""
    accounts.become(Account("61234", 61234, 61234))
    assert (os.getuid(), os.getgid(), os.getgroups()) == (61234, 61234, [61234])
    assert accounts.current() == Account("61234", 61234, 61234)


@on_own_etc
def test_root_continues_as_the_owner(tmp_path: Path) -> None:
    made = accounts.ensure(NAME, tmp_path)
    accounts.run_as(made, tmp_path)
    assert os.getuid() == made.uid
    assert os.environ["HOME"] == str(tmp_path)
    accounts.run_as(made, tmp_path)  # already


@ordinary
def test_another_account_is_refused() -> None:
    me = accounts.current()
    accounts.run_as(me, Path("/opt/x"))
    with pytest.raises(AccountError, match="belongs to the account root") as caught:
        accounts.run_as(Account("root", 0, 0), Path("/opt/x"))
    assert me.name in caught.value.found
    assert "as root" in caught.value.hint


def test_no_account_was_left_on_this_machine() -> None:
    assert accounts.find(NAME) is None
    found = accounts.find("nobody")
    assert found
    assert found.uid == NOBODY


def test_root_leaves_the_account_its_language(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"LC_MESSAGES": "ko_KR.UTF-8", "LANGUAGE": "ko:en", "AIRFERRY_LANG": "ko"}
    monkeypatch.setattr(os, "environ", {**kept, "PYTHONPATH": "/tmp"})
    accounts.leave_environment()
    assert {name: os.environ.get(name) for name in (*kept, "PYTHONPATH")} == {**kept, "PYTHONPATH": None}
