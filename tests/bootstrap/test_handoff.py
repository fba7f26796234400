"""Root hands over: bundle and password as open files, the rest as the account, nothing of root's left."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap import handoff
from bootstrap.base import account as accounts
from bootstrap.base.account import AccountError
from bootstrap.base.boundary import Terminated
from bootstrap.base.secret import Secret
from bootstrap.facts.server import Passwords
from bootstrap.installed.external import DatabaseChoice, Handed
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.installed.taking import Taking
from bootstrap.postgres.connection import Connection
from bootstrap.state.home import Home
from tests.support import bundles, pythons, receipts
from tests.support.accounts import Folder, can_own_etc, in_process, own_etc
from wheelhouse import codec, writer
from wheelhouse.reader import Bundle
from wheelhouse.writer import Member

NAME = "airferry-test"
PASSWORD = "Tops3cret-비밀"

# What the account's process is here: it tells what it was given.
ENTRY = b"""
import json, os, signal, sys, time

def read(descriptor):
    return os.fdopen(descriptor, encoding="utf-8").read() if descriptor >= 0 else None

value = json.loads(read(int(sys.argv[1])))
seen = {"argv": sys.argv[2:], "ids": [os.getuid(), os.geteuid(), os.getgid()], "groups": os.getgroups(),
        "cwd": os.getcwd(), "env": dict(os.environ), "value": value,
        "command": open("/proc/self/cmdline").read()}
names = ("admin_password", "role_password", "administrator_password", "certificate", "archive")
secret = {name: read(value[name]) for name in names}
stream = os.fdopen(value["bundle"], "rb")
seen["mode"] = stream.mode
stream.seek(0)
seen["bundle"] = stream.read(9).decode()
os.write(1, (json.dumps([seen, secret]) + chr(10)).encode())
user = value["receipt"]["admin_user"]
if user == "sleep":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(77))
    time.sleep(20)
if user == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(5 if user == "five" else 0)
"""

needs_etc = pytest.mark.skipif(
    not can_own_etc(), reason="making accounts needs root and mount namespaces, to leave this machine's alone"
)


def on_own_etc(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a process whose /etc is a copy; afterwards no account is left."""
    return needs_etc(in_process(test, own_etc))  # type: ignore[no-any-return]


def public_python() -> str:
    """An interpreter that any account can run."""
    for path in (*(python.path for python in reversed(pythons.fitting())), Path("/usr/bin/python3")):
        if path.exists() and all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents):
            return str(path)
    pytest.skip("no interpreter here that other accounts can run")


class Handover:
    """Everything for one: a bundle that only root can read, a home that is not there, options."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        closed = folder / "root only"
        closed.mkdir(mode=0o700)
        self.bundle = closed / "airflow.run"
        entry = Member("runtime/bootstrap/inner.py", ENTRY)
        writer.write(self.bundle, bundles.manifest(), [*bundles.members(), entry], timestamp=bundles.STAMP)
        self.bundle.chmod(0o400)
        self.password = closed / "password"
        self.password.write_text(PASSWORD + "\n", encoding="utf-8")
        self.password.chmod(0o400)
        self.home = Home(folder / "srv" / "한글 홈")
        self.chosen = replace(receipts.sample(self.home.path), python=public_python(), account=NAME)
        self.output = folder / "output"

    def run(self, behaviour: str = "", **changes: Any) -> int:
        """Hand over; what the account's process prints goes to `output`."""
        options = Options(
            self.home,
            admin_password_file=changes.pop("password", None),
            external=changes.pop("external", None),
            taking=changes.pop("taking", None),
        )
        sys.stdout.flush()
        kept = os.dup(1)
        with self.output.open("wb") as stream:
            os.dup2(stream.fileno(), 1)
            try:
                with Bundle.open(self.bundle) as bundle:
                    chosen = replace(self.chosen, admin_user=behaviour, **changes)
                    return handoff.run(chosen, bundle, options)
            finally:
                os.dup2(kept, 1)

    def seen(self) -> dict[str, Any]:
        """What the account's process saw, but for the secrets."""
        found: dict[str, Any] = json.loads(self.output.read_text(encoding="utf-8"))[0]
        return found

    def secrets(self) -> dict[str, Any]:
        """What came over the descriptors of the secrets."""
        found: dict[str, Any] = json.loads(self.output.read_text(encoding="utf-8"))[1]
        return found


@pytest.fixture
def handover() -> Iterator[Handover]:
    if not can_own_etc():
        pytest.skip("needs root and mount namespaces")
    with Folder() as folder:
        os.chown(folder, 0, 0)  # in one of another account's, root makes no home
        yield Handover(folder)


@on_own_etc
def test_inner_process_is_the_account(handover: Handover) -> None:
    assert handover.run("five") == 5
    account = accounts.find(NAME)
    assert account
    seen = handover.seen()
    assert seen["ids"] == [account.uid, account.uid, account.gid]
    assert seen["groups"] == [account.gid]
    assert seen["argv"] == []
    assert seen["cwd"] == str(handover.home.path)
    assert seen["env"]["HOME"] == str(handover.home.path)
    assert (seen["env"]["USER"], seen["env"]["LOGNAME"]) == (NAME, NAME)
    assert seen["bundle"] == "#!/bin/sh"
    assert seen["mode"] == "rb"
    assert seen["value"]["bundle_name"] == str(handover.bundle)


@on_own_etc
def test_every_choice_crosses_as_one_value(handover: Handover) -> None:
    """The interpreter's origin, the authorities and the findings that were ignored, too."""
    odd: dict[str, Any] = {
        "ca_file": "/etc/한글.pem",
        "python_from": "named",
        "ignored": ("ports-taken",),
        "web_port": 65535,
    }
    assert handover.run(**odd) == 0
    value = handover.seen()["value"]
    chosen = replace(handover.chosen, admin_user="", **odd)
    assert codec.decode(type(chosen), value["receipt"]) == chosen


@on_own_etc
def test_nothing_of_roots_environment_is_left(handover: Handover, monkeypatch: pytest.MonkeyPatch) -> None:
    """Components would inherit root's pyenv from it, and programs its temporary folder."""
    for name in ("PATH", "TMPDIR", "XDG_RUNTIME_DIR", "PYENV_ROOT", "SSH_AUTH_SOCK", "AIRFLOW__CORE__X"):
        monkeypatch.setenv(name, f"/root/{name}:{os.environ['PATH']}")
    monkeypatch.setenv("TERM", "dumb")
    assert handover.run() == 0
    seen = handover.seen()["env"]
    assert "/root/" not in json.dumps(seen)
    assert seen["TERM"] == "dumb"


@on_own_etc
def test_password_crosses_as_an_open_file_only(handover: Handover) -> None:
    assert handover.run(password=handover.password) == 0
    assert handover.secrets()["admin_password"] == PASSWORD + "\n"
    assert PASSWORD not in json.dumps(handover.seen(), ensure_ascii=False)
    for path in handover.home.path.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


@on_own_etc
def test_old_airflow_crosses_as_an_open_file(handover: Handover) -> None:
    """Of root's, without a name: the account can neither find nor exchange it."""
    with tempfile.TemporaryFile() as stream:
        stream.write(b"the archive")
        stream.seek(0)
        assert handover.run(taking=Taking("/home/kim/airflow", stream.fileno())) == 0
    assert handover.secrets()["archive"] == "the archive"
    assert handover.seen()["value"]["old_place"] == "/home/kim/airflow"


@on_own_etc
def test_what_a_database_needs_crosses_as_open_files_only(handover: Handover) -> None:
    """Two passwords, and a root certificate that only root can read and that is longer than a pipe."""
    root = handover.bundle.parent / "ca.pem"
    root.write_text("-----BEGIN-----\n" * 10_000)
    root.chmod(0o400)
    choice = DatabaseChoice(
        Connection("db", 5432, "d", "r", "verify-full", str(root)),
        admin="dba",
        passwords=Passwords(Secret(PASSWORD), Secret("adm1n-비밀")),
    )
    assert handover.run(external=choice) == 0
    found = handover.secrets()
    assert found["administrator_password"] == "adm1n-비밀\n"
    assert found["role_password"] == PASSWORD + "\n"
    assert found["certificate"] == root.read_text()
    for secret in (PASSWORD, "adm1n-비밀"):
        assert secret not in json.dumps(handover.seen(), ensure_ascii=False)


def test_what_a_database_needs_without_root(tmp_path: Path) -> None:
    root = tmp_path / "ca.pem"
    root.write_text("pem")
    connection = Connection("db", 5432, "d", "r", "verify-full", str(root))
    given = DatabaseChoice(connection, "dba", passwords=Passwords(Secret("a"), Secret("b")))
    home = Home(tmp_path / "home")
    assert handoff.database(Options(home)) == Handed()
    assert handoff.database(Options(home, external=given)) == Handed(Secret("a"), "dba", Secret("b"), "pem")


def test_what_crossed_is_read_once(tmp_path: Path) -> None:
    """The account's side of it: the value whole, each secret from its own descriptor."""
    descriptors = []
    for text in ("a\n", "b\n", "c\n", "pem\npem\n"):
        reading, writing = os.pipe()
        os.write(writing, text.encode())
        os.close(writing)
        descriptors.append(reading)
    value = handoff.Handover(
        handoff.SCHEMA, receipts.sample(tmp_path), 9, "/root/한글.run", 8, json=True,
        admin_password=descriptors[0], role_password=descriptors[1], administrator="dba",
        administrator_password=descriptors[2], certificate=descriptors[3],
    )  # fmt: skip
    reading, writing = os.pipe()
    os.write(writing, codec.dumps(value).encode())
    os.close(writing)
    assert handoff.receive(reading) == value
    found = handoff.secrets_of(value)
    assert found.admin_password == Secret("a")
    assert found.database == Handed(Secret("b"), "dba", Secret("c"), "pem\npem\n")


@on_own_etc
def test_without_a_password(handover: Handover) -> None:
    assert handover.run() == 0
    assert set(handover.secrets().values()) == {None}


@on_own_etc
def test_home_is_roots_and_the_account_can_make_files_in_it(handover: Handover) -> None:
    os.umask(0o077)
    assert handover.run() == 0
    account = accounts.find(NAME)
    assert account
    assert {path.lstat().st_uid for path in (handover.home.path, *handover.home.path.rglob("*"))} == {0}
    assert handover.home.path.stat().st_mode & stat.S_ISVTX
    for name in ("bin", "etc", "releases", "python"):
        assert stat.S_IMODE((handover.home.path / name).stat().st_mode) == 0o755
    # folders above it that had to be made let the account through, whatever root's umask is
    assert stat.S_IMODE(handover.home.path.parent.stat().st_mode) == 0o755
    # what the account's process was imported from
    assert not (handover.home.path / ".handoff").exists()

    def write() -> None:
        (handover.home.path / "airflow.cfg").write_text("")

    in_process(write, lambda: accounts.become(account))()


@on_own_etc
def test_again(handover: Handover) -> None:
    """The runtime of a run that was killed lies there still."""
    for _ in range(2):
        assert handover.run() == 0
    assert handover.seen()["argv"] == []


@on_own_etc
def test_death_of_the_inner_process_shows(handover: Handover) -> None:
    assert handover.run("die") == 128 + signal.SIGKILL


@on_own_etc
def test_kill_of_root_s_process_reaches_the_inner_one(handover: Handover) -> None:
    def interrupt(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, interrupt)

    def kill() -> None:
        deadline = time.monotonic() + 10
        while (
            not (handover.output.exists() and handover.output.stat().st_size) and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=kill).start()
    started = time.monotonic()
    assert handover.run("sleep") == 77
    assert time.monotonic() - started < 15


@on_own_etc
def test_root_is_no_account_for_it(handover: Handover) -> None:
    with pytest.raises(AccountError, match="not run as root"):
        handover.run(account="root")
    assert not handover.home.path.exists()


@on_own_etc
def test_folder_of_another_account_is_left_alone(handover: Handover) -> None:
    handover.home.path.mkdir(parents=True)
    (handover.home.path / "data").write_text("theirs")
    with pytest.raises(AccountError, match="not empty and does not belong") as caught:
        handover.run()
    assert "chown -R" in caught.value.hint
    assert handover.home.path.stat().st_uid == 0
    assert [path.name for path in handover.home.path.iterdir()] == ["data"]


@on_own_etc
def test_empty_folder_of_another_account_is_given(handover: Handover) -> None:
    handover.home.path.mkdir(parents=True)
    assert handover.run() == 0


def failing(handover: Handover, **changes: Any) -> str:
    """Hand over what cannot work; gives what the inner process said on stderr."""
    errors = handover.folder / "errors"
    with errors.open("w", encoding="utf-8") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        assert handover.run(**changes) == AccountError.exit_code == 36
    return errors.read_text(encoding="utf-8")


@on_own_etc
def test_interpreter_that_the_account_cannot_run(handover: Handover) -> None:
    python = handover.folder / "root only" / "python3"
    python.symlink_to(public_python())
    said = failing(handover, python=str(python))
    assert f"cannot run {python}" in said
    assert "--python PATH" in said


@on_own_etc
def test_home_that_the_account_cannot_enter(handover: Handover) -> None:
    handover.chosen = replace(handover.chosen, home=str(handover.folder / "root only" / "home"))
    said = failing(handover)
    assert "cannot enter" in said
    assert "--home PATH" in said


# the other side


@pytest.mark.parametrize("content", ["pass word\n", "pass word", "pass word\r\nmore\n"])
def test_password_from_a_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "password").write_bytes(content.encode())
    assert handoff.password(tmp_path / "password") == Secret("pass word")
    assert handoff.password(None) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\nsecond line\n", b"\xff\xfe\n"])
def test_file_that_holds_no_password(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(InvalidOption, match="password") as caught:
        handoff.password(tmp_path / "password")
    assert caught.value.exit_code == 2
