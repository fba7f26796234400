"""A host with a policy of admission takes only what root's store has a record of."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from bootstrap.commands import add, bundled
from bootstrap.commands.shared import run
from bootstrap.installed import options as choosing
from bootstrap.state import admission
from bootstrap.state.admission import NotAdmitted
from tests.support import bundles
from wheelhouse.reader import Bundle


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host that admits; its store."""
    monkeypatch.setattr(admission, "TRUST", tmp_path / "trust")
    monkeypatch.setattr(admission, "STORE", tmp_path / "store")
    (tmp_path / "trust").mkdir()
    return tmp_path / "store"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return bundles.write(tmp_path / "b.run")


def admit(store: Path, file: Path) -> Path:
    record = store / hashlib.sha256(file.read_bytes()).hexdigest() / "admitted"
    record.parent.mkdir(parents=True)
    record.write_text("file b.run\n")
    return record


def check(file: Path) -> None:
    with file.open("rb") as stream:
        stream.seek(7)
        admission.check(stream, file.name)
        assert stream.tell() == 7


def test_without_a_policy_every_file_is_taken(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(admission, "TRUST", tmp_path / "trust")
    check(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="a record that counts is root's")
def test_what_was_admitted_is_taken(policy: Path, file: Path) -> None:
    with pytest.raises(NotAdmitted, match=r"b\.run was not admitted"):
        check(file)
    record = admit(policy, file)
    check(file)
    record.parent.chmod(0o777)
    with pytest.raises(NotAdmitted) as caught:
        check(file)
    assert "can write" in caught.value.found
    record.parent.chmod(0o755)
    os.chown(record, 1000, 1000)
    with pytest.raises(NotAdmitted):
        check(file)


def test_a_changed_file_is_another_one(policy: Path, file: Path) -> None:
    admit(policy, file)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(NotAdmitted) as caught:
        check(file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in caught.value.found
    assert "airferry-admit b.run.release" in caught.value.hint


def test_an_add_on_is_asked_for(
    policy: Path, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(NotAdmitted):
        add.add(str(file), remove=False, restart=False, home=tmp_path, json=True)
    seen = []
    monkeypatch.setattr(admission, "check", lambda stream, name: seen.append(name))
    with pytest.raises(Exception) as caught:
        add.add(str(file), remove=False, restart=False, home=tmp_path, json=True)
    assert (seen, isinstance(caught.value, NotAdmitted)) == (["b.run"], False)


def test_an_install_asks_before_it_looks_further(
    policy: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundled, "open_bundle", lambda: Bundle.open(file))
    monkeypatch.setattr(choosing, "choose", lambda options, bundle: None)
    status = run(bundled.app, "sh b.run", ["install", "--json", "--dry-run"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (status, error["reference"]) == (NotAdmitted.exit_code, "not-admitted"), error
