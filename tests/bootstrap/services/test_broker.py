"""Root's broker does a few verbs on its own installation's units, whatever it is asked."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base import channel, process
from bootstrap.base.channel import BrokerGone
from bootstrap.services import broker, units
from bootstrap.services.broker import Broker, Remote
from bootstrap.services.manager import ServiceError
from bootstrap.services.units import Layout
from bootstrap.state.registry import Record

RECORD = Record(1, "blue", "/srv/blue", "airflow", (8080,))
LAYOUT = Layout("blue", "/srv/blue", "airflow", ("api-server", "scheduler"), True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What systemctl was asked for; a real one would do it to this machine."""
    found: list[list[str]] = []

    def run(arguments: Sequence[str], **_: object) -> process.Completed:
        found.append([word for word in arguments if not word.startswith("--")])
        return process.Completed(0, "", "", 0.0)

    monkeypatch.setattr(process, "run", run)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for units, served by a broker."""
    place = tmp_path / "units"
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=Broker(RECORD, place).serve, args=(ours,))
    thread.start()
    monkeypatch.setattr(channel, "_ends", [theirs.fileno()])
    yield place
    theirs.close()
    thread.join()
    ours.close()


def test_account_has_root_write_and_start_the_units(folder: Path, asked: list[list[str]]) -> None:
    remote = Remote(LAYOUT, folder)
    assert not remote.installed()
    remote.configure()
    assert {path.name: path.read_text() for path in folder.iterdir()} == units.render(LAYOUT)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert remote.current()
    remote.start(["scheduler"], wait=True)
    remote.stop(["scheduler"])
    service = "airferry-blue-scheduler.service"
    assert ["systemctl", "start", service] in asked
    assert asked[-2:] == [["systemctl", "stop", service], ["systemctl", "reset-failed", service]]
    remote.remove()
    assert list(folder.iterdir()) == []


def test_units_follow_the_components(folder: Path, asked: list[list[str]]) -> None:
    """Airflow 2 has a webserver, Airflow 3 does not."""
    Remote(Layout("blue", "/srv/blue", "airflow", ("webserver",), True), folder).configure()
    Remote(LAYOUT, folder).configure()
    assert {path.name for path in folder.iterdir()} == set(units.render(LAYOUT))
    assert ["systemctl", "disable", "airferry-blue-webserver.service"] in asked
    asked.clear()
    Remote(LAYOUT, folder).configure()
    assert asked == []


def test_account_cannot_choose_what_root_writes(folder: Path, asked: list[list[str]]) -> None:
    """The units are of root's own record, whatever the receipt in the account's home says."""
    Remote(Layout("ssh", "/tmp/evil", "root", ("scheduler",), False), folder).configure()
    assert {path.name for path in folder.iterdir()} == {
        "airferry-blue.target",
        "airferry-blue-scheduler.service",
    }
    for path in folder.iterdir():
        assert "evil" not in path.read_text()
        assert "root" not in path.read_text()


def test_another_installations_units_stay(folder: Path, asked: list[list[str]]) -> None:
    folder.mkdir()
    theirs = units.render(Layout("blue", "/srv/other", "airflow", ("scheduler",), False))
    for name, text in theirs.items():
        (folder / name).write_text(text)
    remote = Remote(LAYOUT, folder)
    with pytest.raises(ServiceError, match="another installation") as caught:
        remote.configure()
    assert caught.value.found == "# airferry: /srv/other"
    remote.remove()
    assert {path.name: path.read_text() for path in folder.iterdir()} == theirs


@pytest.mark.parametrize(
    "request_",
    [
        {"verb": "start", "components": [], "names": ["sshd"]},
        {"verb": "start", "components": ["../../etc/passwd"], "names": []},
        {"verb": "start", "components": ["sshd.service"], "names": ["sshd.service"]},
        {"verb": "configure", "components": ["scheduler\nExecStart=/bin/evil"]},
        {"verb": "configure", "components": "scheduler"},
        {"verb": "run", "components": [], "names": ["id"]},
        {"verb": ["start"], "components": []},
        {"components": []},
        ["start"],
        None,
        "x" * 1000,
        7,
    ],
)
def test_what_is_no_request_changes_nothing(folder: Path, asked: list[list[str]], request_: Any) -> None:
    answer = Broker(RECORD, folder).answer(json.dumps(request_).encode())
    assert answer["ok"] is False
    assert asked == []
    assert not folder.exists()


def test_garbage_is_answered() -> None:
    assert Broker(RECORD).answer(b"\xff\xfe{[\n")["ok"] is False
    assert Broker(RECORD).answer(b"[" * 50_000)["ok"] is False


def test_endless_line_ends_the_service() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = threading.Thread(target=Broker(RECORD).serve, args=(ours,), daemon=True)
        thread.start()
        theirs.sendall(b"x" * (channel.LONGEST + 70_000))
        thread.join(10)
        assert not thread.is_alive()


def test_root_that_was_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        monkeypatch.setattr(channel, "_ends", [theirs.fileno()])
        with pytest.raises(BrokerGone):
            Remote(LAYOUT, tmp_path).configure()


@pytest.mark.parametrize(("code", "status"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", 137)])
def test_root_ends_as_the_account_does(code: str, status: int) -> None:
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        exec(code)
    theirs.close()
    with ours:
        assert broker.attend(child, ours, Broker(RECORD)) == status
