"""Settings of the site: changed as a whole, or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.base.console import Console
from bootstrap.base.secret import Secret
from bootstrap.change import site as change
from bootstrap.change.site import SiteChangeFailed
from bootstrap.installed import status
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import Edit, url_edit
from bootstrap.site.settings import SiteSettingInvalid, checked
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from tests.support.commands import run
from tests.support.configured import configured

URL = "https://airflow.example.com/air/flow"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return configured(tmp_path / "home")


@pytest.fixture
def installation(home: Home) -> Installation:
    return Installation(receipts.load(home.receipt))


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """As if Airflow ran; what is restarted is noted."""
    restarted: list[tuple[str, ...]] = []
    monkeypatch.setattr(change, "airflow_runs", lambda _: True)
    monkeypatch.setattr(Installation, "stop", lambda _, names: restarted.append(tuple(names)))
    monkeypatch.setattr(change, "start", lambda *_: None)
    return restarted


def option(home: Home, section: str, name: str) -> str | None:
    return config.get(config.read(home.airflow_cfg), section, name)


def state(home: Home) -> dict[str, str]:
    """Every file of the installation that a change may touch."""
    files = [home.airflow_cfg, ManagedSettings(Installation(receipts.load(home.receipt))).record]
    return {str(path): path.read_text() for path in [*files, *home.secrets.iterdir()]}


def test_an_address_brings_all_that_follows_from_it(installation: Installation, home: Home) -> None:
    edit, notes = url_edit(installation, URL)
    made = change.change(installation, "url", edit, Console(quiet=True))
    assert (made.changed, made.proved) == (True, False)
    assert set(made.components) == set(installation.components)
    assert option(home, "api", "base_url") == URL
    assert option(home, "core", "execution_api_server_url") == "http://127.0.0.1:9/air/flow/execution/"
    assert (option(home, "fab", "enable_proxy_fix"), option(home, "fab", "cookie_secure")) == ("True", "True")
    assert installation.url == "http://127.0.0.1:9/air/flow"
    assert installation.url_for_others == URL
    assert "proxy" in notes[0]
    assert not change.change(installation, "url", edit, Console(quiet=True)).changed
    back = change.change(installation, "url", url_edit(installation, None)[0], Console(quiet=True))
    assert "[fab] cookie_secure = unset" in back.also
    assert option(home, "core", "execution_api_server_url") == "http://127.0.0.1:9/execution/"
    assert "proxy_fix" not in home.airflow_cfg.read_text() + ManagedSettings(installation).record.read_text()


def test_settings_that_do_not_work_leave_all_as_it_was(
    installation: Installation, home: Home, running: list[tuple[str, ...]]
) -> None:
    (home.secrets / "site-key").write_text("old\n")
    before = state(home)

    def fails(_: Installation) -> None:
        assert option(home, "api", "base_url") == URL
        assert (home.secrets / "site-key").read_text() == "new\n"
        raise SiteSettingInvalid("the pages did not open", found="HTTP 500", hint="look")

    files = {"secrets/site-key": Secret("new"), "secrets/site-more": Secret("x")}
    edit = Edit({("api", "base_url"): URL}, files)
    with pytest.raises(SiteChangeFailed, match="old ones again") as caught:
        change.change(installation, "url", edit, Console(quiet=True), proof=fails)
    assert "HTTP 500" in caught.value.found and caught.value.hint == "look"
    assert state(home) == before
    assert len(running) == 2  # with the new ones, and with the old ones
    assert not (home.run / "site-before").exists()


def test_files_are_private_and_what_is_taken_out_goes(installation: Installation, home: Home) -> None:
    name = "secrets/site-key"
    change.change(installation, "tls", Edit(files={name: Secret("a")}), Console(quiet=True))
    assert ((home.path / name).stat().st_mode & 0o777, (home.path / name).read_text()) == (0o600, "a\n")
    assert not change.change(
        installation, "tls", Edit(files={name: Secret("a")}), Console(quiet=True)
    ).changed
    change.change(installation, "tls", Edit(files={name: None}), Console(quiet=True))
    assert not (home.path / name).exists()


def test_only_what_reads_it_is_restarted(
    installation: Installation, home: Home, running: list[tuple[str, ...]]
) -> None:
    """Running tasks live in the scheduler: a change that they do not see must leave it alone."""
    edit = Edit(files={"secrets/site-key": Secret("a")}, components=("api-server",))
    made = change.change(installation, "tls", edit, Console(quiet=True), proof=lambda _: None)
    assert (running, made.proved) == ([("api-server",)], True)


class Killed(BaseException):
    """As a process ends that is killed: nothing of ours runs afterwards."""


@contextlib.contextmanager
def killed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(change, "_back", lambda *_: None)
        with pytest.raises(Killed):
            yield


def test_a_change_that_was_killed_is_undone(
    installation: Installation,
    home: Home,
    running: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = state(home)

    def die(_: Installation) -> None:
        raise Killed

    edit = Edit({("api", "base_url"): URL}, {"secrets/site-key": Secret("new")})
    with killed(monkeypatch):
        change.change(installation, "url", edit, Console(quiet=True), proof=die)
    assert option(home, "api", "base_url") == URL
    assert "airferry site undo" in status.unfinished(home)
    assert (home.run / "site-before").stat().st_mode & 0o777 == 0o700
    assert change.undo_unfinished(installation, Console(quiet=True))
    assert state(home) == before
    assert status.unfinished(home) == ""
    assert not change.undo_unfinished(installation, Console(quiet=True))
    # the next change begins from there as well
    with killed(monkeypatch):
        change.change(installation, "url", edit, Console(quiet=True), proof=die)
    change.change(
        installation, "x", Edit(files={"secrets/more": Secret("y")}), Console(quiet=True), lambda _: None
    )
    assert option(home, "api", "base_url") is None
    assert not (home.secrets / "site-key").exists()


def test_undo_does_not_speak_of_new_settings(installation: Installation, home: Home) -> None:
    """There are none, and Airflow runs again where it ran."""
    edit = Edit({("api", "base_url"): URL}, {})
    change._keep(home, ManagedSettings(installation), edit, Secret("{}"), running=False)
    undone = run(home, "site", "undo")
    assert (undone.returncode, "Changed: undo" in undone.stdout) == (0, True), undone.stderr
    assert "not proven" not in undone.stdout + undone.stderr
    assert "nothing was changed" in run(home, "site", "undo").stdout


@pytest.mark.parametrize(
    "text",
    [
        "airflow.example.com", "ftp://host", "https://", "https://a b/", "https://user:secret@host/",
        "https://host/?x=1", "https://host/a b", "https://host:99999", "https://host:0", "https://host//a",
        "https://host/a/../b", "http://localhost:8080", "https://-host", "https://host/%2e",
    ],
)  # fmt: skip
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(SiteSettingInvalid, match="cannot be the address") as caught:
        checked(text)
    assert "https://" in caught.value.needed


@pytest.mark.parametrize(
    "text",
    ["https://a.example.com", "http://10.0.0.1:8080/a", "https://[fd00::1]:8443", "http://host_1/a/b.c"],
)
def test_an_address_that_is_one(text: str) -> None:
    assert checked(f" {text}/ ") == text


def test_the_commands_show_and_change(home: Home) -> None:
    shown = run(home, "site")
    assert (shown.returncode, "url" in shown.stdout, "not set" in shown.stdout) == (0, True, True), (
        shown.stderr
    )
    made = run(home, "site", "url", f"{URL}/", "--json")
    assert made.returncode == 0, made.stderr
    data = json.loads(made.stdout)
    assert (data["command"], data["result"]["changed"], data["result"]["proved"]) == ("site url", True, False)
    assert json.loads(run(home, "site", "show", "--json").stdout)["result"]["groups"][0]["value"] == URL
    refused = run(home, "site", "url")
    assert (refused.returncode, "--none" in refused.stderr) == (2, True)
    assert "was so already" in run(home, "site", "url", URL).stdout
