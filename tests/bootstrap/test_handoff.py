"""Root hands over: bundle and password as open files, the rest as the account, nothing of root's left."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
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
from bootstrap.installed.external import Choice, Handed
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.postgres.connection import Connection
from bootstrap.state.home import Home
from tests.support import bundles, pythons, receipts
from tests.support.accounts import Folder, can_own_etc, in_process, own_etc
from wheelhouse import writer
from wheelhouse.reader import Bundle

NAME = "airferry-test"
PASSWORD = "Tops3cret-비밀"

# The inner process: what it is, and what it was given.
CLI = b"""
import json, os, signal, sys, time

def main():
    seen = {"argv": sys.argv[1:], "file": sys.argv[0], "ids": [os.getuid(), os.geteuid(), os.getgid()],
            "groups": os.getgroups(), "cwd": os.getcwd(), "env": dict(os.environ), "name": None}
    handed = {name: int(os.environ[name]) for name in os.environ if name.endswith("_FD")}
    if "AIRFERRY_PASSWORD_FD" in handed:
        seen["password"] = os.fdopen(handed["AIRFERRY_PASSWORD_FD"], encoding="utf-8").read()
    seen["database"] = [os.fdopen(handed[name], encoding="utf-8").read()
                        for name in sorted(handed) if "POSTGRES" in name]
    stream = os.fdopen(handed["AIRFERRY_BUNDLE_FD"], "rb")
    seen["mode"] = stream.mode
    stream.seek(0)
    seen["bundle"] = stream.read(9).decode()
    os.write(1, (json.dumps(seen) + chr(10)).encode())
    if "--sleep" in sys.argv:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(77))
        time.sleep(20)
    if "--die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return int(sys.argv[-1]) if "--exit" in sys.argv else 0
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
        writer.write(self.bundle, bundles.manifest(), bundles.members(CLI), timestamp=bundles.STAMP)
        self.bundle.chmod(0o400)
        self.password = closed / "password"
        self.password.write_text(PASSWORD + "\n", encoding="utf-8")
        self.password.chmod(0o400)
        self.home = Home(folder / "srv" / "한글 홈")
        self.chosen = replace(receipts.sample(self.home.path), python=public_python(), account=NAME)
        self.output = folder / "output"

    def run(self, *arguments: str, **changes: Any) -> int:
        """Hand over; what the inner process prints goes to `output`."""
        options = Options(
            self.home,
            admin_password_file=changes.pop("password", None),
            external=changes.pop("external", None),
        )
        sys.stdout.flush()
        kept = os.dup(1)
        with self.output.open("wb") as stream:
            os.dup2(stream.fileno(), 1)
            try:
                with Bundle.open(self.bundle) as bundle:
                    return handoff.run(replace(self.chosen, **changes), bundle, options, list(arguments))
            finally:
                os.dup2(kept, 1)

    def seen(self) -> dict[str, Any]:
        """What the inner process saw."""
        found = json.loads(self.output.read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found


@pytest.fixture
def handover() -> Iterator[Handover]:
    if not can_own_etc():
        pytest.skip("needs root and mount namespaces")
    with Folder() as folder:
        yield Handover(folder)


@on_own_etc
def test_inner_process_is_the_account(handover: Handover) -> None:
    assert handover.run("install", "--port", "8080", "--exit", "5", password=handover.password) == 5
    account = accounts.find(NAME)
    assert account
    seen = handover.seen()
    assert seen["ids"] == [account.uid, account.uid, account.gid]
    assert seen["groups"] == [account.gid]
    assert seen["argv"] == ["install", "--port", "8080", "--exit", "5"]
    assert seen["cwd"] == str(handover.home.path)
    assert seen["env"]["HOME"] == str(handover.home.path)
    assert (seen["env"]["USER"], seen["env"]["LOGNAME"]) == (NAME, NAME)
    assert seen["bundle"] == "#!/bin/sh"
    assert seen["mode"] == "rb"
    assert seen["env"]["AIRFERRY_BUNDLE_NAME"] == str(handover.bundle)


@on_own_etc
def test_password_crosses_as_an_open_file_only(handover: Handover) -> None:
    assert handover.run("install", password=handover.password) == 0
    seen = handover.seen()
    assert seen.pop("password") == PASSWORD + "\n"
    assert PASSWORD not in json.dumps(seen, ensure_ascii=False)
    for path in handover.home.path.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


@on_own_etc
def test_what_a_database_needs_crosses_as_open_files_only(handover: Handover) -> None:
    """Two passwords, and a root certificate that only root can read and that is longer than a pipe."""
    root = handover.bundle.parent / "ca.pem"
    root.write_text("-----BEGIN-----\n" * 10_000)
    root.chmod(0o400)
    choice = Choice(
        Connection("db", 5432, "d", "r", "verify-full", str(root)),
        admin="dba",
        passwords=Passwords(Secret(PASSWORD), Secret("adm1n-비밀")),
    )
    assert handover.run("install", external=choice) == 0
    seen = handover.seen()
    administrator, certificate, role = seen.pop("database")
    assert (administrator, role) == ("adm1n-비밀\n", PASSWORD + "\n")
    assert certificate == root.read_text()
    for secret in (PASSWORD, "adm1n-비밀"):
        assert secret not in json.dumps(seen, ensure_ascii=False)


def test_what_was_handed_over_for_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root, everything is read where it was named; with it, from what is open."""
    root = tmp_path / "ca.pem"
    root.write_text("pem")
    connection = Connection("db", 5432, "d", "r", "verify-full", str(root))
    given = Choice(connection, "dba", passwords=Passwords(Secret("a"), Secret("b")))
    home = Home(tmp_path / "home")
    expected = Handed(Secret("a"), "dba", Secret("b"), "pem")
    assert handoff.database(Options(home)) == Handed()
    assert handoff.database(Options(home, external=given)) == expected
    inner = Options(home, external=Choice(replace(connection, sslrootcert="/root/ca.pem"), "dba"))
    for name, text in (("", "a\n"), ("_ADMIN", "b\n"), ("_CERTIFICATE", "pem")):
        reading, writing = os.pipe()
        os.write(writing, text.encode())
        os.close(writing)
        monkeypatch.setenv(f"AIRFERRY_POSTGRES{name}_FD", str(reading))
    monkeypatch.setenv("AIRFERRY_BUNDLE_FD", "0")
    assert handoff.database(inner) == expected


@on_own_etc
def test_without_a_password(handover: Handover) -> None:
    assert handover.run("install") == 0
    assert "password" not in handover.seen()
    assert "AIRFERRY_PASSWORD_FD" not in handover.seen()["env"]


@on_own_etc
def test_home_belongs_to_the_account_and_nothing_of_roots_is_in_it(handover: Handover) -> None:
    os.umask(0o077)
    assert handover.run("install") == 0
    account = accounts.find(NAME)
    assert account
    assert handover.home.path.stat().st_uid == account.uid
    assert {path.lstat().st_uid for path in handover.home.path.rglob("*")} == {account.uid}
    # folders above it that had to be made let the account through, whatever root's umask is
    assert stat.S_IMODE(handover.home.path.parent.stat().st_mode) == 0o755
    runtime = handover.home.path / ".handoff"
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700


@on_own_etc
def test_again(handover: Handover) -> None:
    """The runtime of a run that was killed lies there still."""
    for _ in range(2):
        assert handover.run("install") == 0
    assert handover.seen()["argv"] == ["install"]


@on_own_etc
def test_death_of_the_inner_process_shows(handover: Handover) -> None:
    assert handover.run("install", "--die") == 128 + signal.SIGKILL


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
    assert handover.run("install", "--sleep") == 77
    assert time.monotonic() - started < 15


@on_own_etc
def test_root_is_no_account_for_it(handover: Handover) -> None:
    with pytest.raises(AccountError, match="not run as root"):
        handover.run("install", account="root")
    assert not handover.home.path.exists()


@on_own_etc
def test_folder_of_somebody_else_is_left_alone(handover: Handover) -> None:
    handover.home.path.mkdir(parents=True)
    (handover.home.path / "data").write_text("theirs")
    with pytest.raises(AccountError, match="not empty and does not belong") as caught:
        handover.run("install")
    assert "chown -R" in caught.value.hint
    assert handover.home.path.stat().st_uid == 0
    assert [path.name for path in handover.home.path.iterdir()] == ["data"]


@on_own_etc
def test_empty_folder_of_somebody_else_is_given(handover: Handover) -> None:
    handover.home.path.mkdir(parents=True)
    assert handover.run("install") == 0


def failing(handover: Handover, **changes: Any) -> str:
    """Hand over what cannot work; gives what the inner process said on stderr."""
    errors = handover.folder / "errors"
    with errors.open("w", encoding="utf-8") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        assert handover.run("install", **changes) == AccountError.exit_code == 36
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


def test_bundle_of_the_inner_process(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not handoff.is_inner()
    descriptor = os.open(tiny_bundle, os.O_RDONLY)
    monkeypatch.setenv("AIRFERRY_BUNDLE_FD", str(descriptor))
    monkeypatch.setenv("AIRFERRY_BUNDLE_NAME", "/root/airflow.run")
    assert handoff.is_inner()
    with handoff.bundle(Path("/nonexistent")) as bundle:
        assert bundle.path == Path("/root/airflow.run")
        assert bundle.manifest.airflow == "3.3.2"


def test_bundle_by_its_name(tiny_bundle: Path) -> None:
    with handoff.bundle(tiny_bundle) as bundle:
        assert bundle.path == tiny_bundle


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


CLEANED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from bootstrap import handoff
from bootstrap.state.home import Home
os.environ["AIRFERRY_BUNDLE_FD"] = "0"
folder = Path(sys.argv[1])
handoff.clean_up_at_exit(Home(folder))
sys.path.insert(0, str(folder / ".handoff"))
import late_module
"""


def test_runtime_of_the_inner_process_is_there_until_it_ends(tmp_path: Path) -> None:
    """Errors are shown last, and what shows them is imported then."""
    runtime = tmp_path / ".handoff"
    runtime.mkdir()
    (runtime / "late_module.py").write_text("print('imported')\n")
    script = CLEANED.format(root=str(Path(__file__).parents[2]))
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], check=True, capture_output=True, text=True
    )
    assert done.stdout == "imported\n"
    assert not runtime.exists()
