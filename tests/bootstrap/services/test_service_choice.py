"""Which service manager an installation gets on which host, and who may change over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap import daily
from bootstrap.base import channel, process
from bootstrap.base.account import AccountError
from bootstrap.services import choice
from bootstrap.services.choice import ServicesUnavailable
from bootstrap.services.units import Layout
from bootstrap.state import receipt, registry
from bootstrap.state.home import Home
from tests.support import receipts

LAYOUT = Layout("airflow", "/opt/airflow", "kim", ("scheduler",), True)
ROOT, KIM = 0, 1000

Host = Callable[..., None]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host as it looks to an account: booted by systemd or not, with linger or not."""

    def make(
        uid: int,
        *,
        booted: bool = True,
        shared: bool = True,
        manager: bool = True,
        linger: bool = True,
        may: bool = False,
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        monkeypatch.setattr(choice, "_BOOTED", tmp_path if booted else tmp_path / "none")
        monkeypatch.setattr(choice, "_has_manager", lambda: manager)
        monkeypatch.setattr(choice, "_shares_network", lambda: shared)
        monkeypatch.setattr(choice, "_LINGER", tmp_path / "linger")
        monkeypatch.setattr(choice, "_may_linger", lambda: may)
        monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
        (tmp_path / "linger").mkdir()
        if linger:
            (tmp_path / "linger" / "kim").touch()

    return make


@pytest.mark.parametrize(
    ("uid", "there", "chosen"),
    [
        (ROOT, {}, "systemd"),
        (ROOT, {"booted": False}, "supervisor"),
        (ROOT, {"shared": False}, "supervisor"),
        (KIM, {}, "systemd-user"),
        (KIM, {"booted": False}, "supervisor"),
        (KIM, {"manager": False}, "supervisor"),
        (KIM, {"linger": False}, "supervisor"),
        (KIM, {"linger": False, "may": True}, "systemd-user"),
    ],
)
def test_auto_takes_what_the_host_has(host: Host, uid: int, there: dict[str, bool], chosen: str) -> None:
    host(uid, **there)
    assert choice.choose(None, "", LAYOUT) == chosen
    assert choice.choose("auto", "supervisor", LAYOUT) == chosen


@pytest.mark.skipif(os.geteuid() != 0, reason="giving folders to another account needs root")
@pytest.mark.parametrize("uid", [ROOT, KIM])
def test_systemd_of_another_network_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int
) -> None:
    """A rehearsal has no network, and must not start services that have one."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    manager = "1" if uid == ROOT else "7"
    parents = {"self": 1, manager: 1 if uid else 0, "8": 7, "9": 1}
    for number, parent in parents.items():
        (tmp_path / number / "ns").mkdir(parents=True)
        name = "bash" if number == "9" else "systemd"
        (tmp_path / number / "stat").write_text(f"{number} ({name}) S {parent} 1 1")
        # one in a container, and a process of anybody
        (tmp_path / number / "ns" / "net").symlink_to("net:[2]" if number in "89" else "net:[1]")
        os.chown(tmp_path / number, uid, -1)
    assert choice._shares_network(tmp_path)
    (tmp_path / manager / "ns" / "net").unlink()
    (tmp_path / manager / "ns" / "net").symlink_to("net:[2]")
    assert not choice._shares_network(tmp_path)


def test_earlier_choice_stays_and_a_named_one_wins(host: Host) -> None:
    host(ROOT)
    assert choice.choose(None, "supervisor", LAYOUT) == "supervisor"
    assert choice.choose("none", "systemd", LAYOUT) == "none"
    assert choice.choose("systemd", "supervisor", LAYOUT) == "systemd"


def test_a_path_that_systemd_cannot_take_is_no_reason_to_fail(host: Host) -> None:
    host(ROOT)
    odd = replace(LAYOUT, home="/opt/a*")
    assert choice.choose(None, "", odd) == "supervisor"
    with pytest.raises(ServicesUnavailable, match="systemd cannot run") as caught:
        choice.choose("systemd", "", odd)
    assert "/opt/a*" in caught.value.found


def test_account_behind_root_gets_the_systems(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host(KIM, manager=False)
    monkeypatch.setattr(channel, "_ends", [9])
    assert choice.choose("systemd", "", LAYOUT) == "systemd"


def test_linger_that_cannot_be_turned_on_says_who_can(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host(KIM, linger=False)

    def refuse(*_: object, **__: object) -> process.Completed:
        raise process.CommandFailed("Could not enable linger: Access denied")

    assert choice.choose("systemd", "", LAYOUT) == "systemd-user"
    monkeypatch.setattr(process, "run", refuse)
    with pytest.raises(ServicesUnavailable) as caught:
        choice.enable_linger("kim")
    assert "As root: loginctl enable-linger kim" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="root's record can be made by root only")
def test_root_believes_its_record_and_not_the_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that writes another one's name into its receipt gains nothing."""
    monkeypatch.setattr(registry, "SYSTEM", tmp_path / "records")
    home = Home(tmp_path / "home")
    home.path.mkdir()
    found = replace(receipts.sample(home.path), account="nobody")
    receipt.save(home.receipt, found)
    registry.save(registry.record_of(replace(found, account="airflow")))
    with pytest.raises(AccountError, match="a different account") as caught:
        daily.enter_as_account(home)
    assert (caught.value.found, caught.value.needed) == ("nobody", "airflow")
