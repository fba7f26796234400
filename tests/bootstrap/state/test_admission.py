"""A host with a policy of admission takes only what root's store has a record of."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.commands import add, bundled
from bootstrap.commands.shared import run
from bootstrap.doctor import preflight
from bootstrap.installed import options as choosing
from bootstrap.state import admission, receipt
from bootstrap.state.admission import NotAdmitted, OlderThanInstalled
from bootstrap.state.home import Home
from bootstrap.state.receipt import NotInstalled
from tests.support import bundles, receipts
from wheelhouse.manifest import Manifest
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
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    record = store / sha256 / "admitted"
    record.parent.mkdir(parents=True)
    listed = f"{sha256}  b.run\n{'6' * 64}  b.run.dossier.ko.html\n"
    (record.parent / "list").write_text(listed)
    record.write_text(
        f"file b.run\nsha256 {sha256}\nlist {hashlib.sha256(listed.encode()).hexdigest()}\n"
        "at 2026-11-28T10:00:00Z\nby kim\nbuilder kim SHA256:abc\napprover lee SHA256:def\n"
    )
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
    monkeypatch.setattr(choosing, "choose", lambda options, bundle: receipts.sample(Path("home")))
    status = run(bundled.app, "sh b.run", ["install", "--json", "--dry-run"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (status, error["reference"]) == (NotAdmitted.exit_code, "not-admitted"), error


@pytest.mark.skipif(os.geteuid() != 0, reason="a record that counts is root's")
def test_the_record_tells_who_has_signed_and_what(policy: Path, file: Path) -> None:
    record = admit(policy, file)
    found = admission.find(record.parent.name)
    assert found and (found.at, found.by, found.problem) == ("2026-11-28T10:00:00Z", "kim", "")
    assert [(item.role, item.name, item.key) for item in found.signers] == [
        ("builder", "kim", "SHA256:abc"),
        ("approver", "lee", "SHA256:def"),
    ]
    assert [item.name for item in found.listed] == ["b.run", "b.run.dossier.ko.html"]
    (record.parent / "list").write_text("another\n")
    found = admission.find(record.parent.name)
    assert found and "another file or list" in found.problem
    record.parent.chmod(0o777)
    found = admission.find(record.parent.name)
    assert found and "can write" in found.problem
    for other in ("0" * 64, "", "../" + record.parent.name):
        assert admission.find(other) is None


def test_an_older_bundle_needs_a_word(policy: Path, file: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    kept = receipts.sample(home.path)
    receipt.save(home.receipt, replace(kept, removed=""))
    assert admission.installed(home) is None
    with Bundle.open(file) as bundle:
        new = bundle.manifest
    there = home.release(kept.bundle_id).manifest
    there.parent.mkdir(parents=True)
    there.write_text(replace(new, created="2026-10-02T00:00:00Z").dumps())
    found = admission.installed(home)
    with pytest.raises(OlderThanInstalled, match="older than the one that is installed") as caught:
        admission.check_age(found, new)
    assert "--allow-older" in caught.value.hint
    admission.check_age(new, new)
    admission.check_age(new, replace(new, created="2027-01-01T00:00:00Z"))
    admission.check_age(replace(new, airflow="3.3.1", created="2027-01-01T00:00:00Z"), new)
    (tmp_path / "trust").rmdir()
    assert admission.installed(home) is None
    admission.check_age(found, new)


@pytest.mark.skipif(os.geteuid() != 0, reason="a record that counts is root's")
@pytest.mark.parametrize("word", [(), ("--allow-older",)], ids=["without", "with"])
def test_an_install_asks_how_old_it_is(
    policy: Path,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    word: tuple[str, ...],
) -> None:
    admit(policy, file)
    monkeypatch.setattr(bundled, "open_bundle", lambda: Bundle.open(file))
    monkeypatch.setattr(choosing, "choose", lambda options, bundle: receipts.sample(tmp_path))

    def newer(home: Home) -> Manifest:
        with Bundle.open(file) as bundle:
            return replace(bundle.manifest, created="2099-01-01T00:00:00Z")

    def stop(*_: object) -> None:
        raise NotInstalled("far enough")

    monkeypatch.setattr(admission, "installed", newer)
    monkeypatch.setattr(preflight, "judge", stop)
    run(bundled.app, "sh b.run", ["install", "--json", "--home", str(tmp_path / "home"), *word])
    reference = json.loads(capsys.readouterr().out)["error"]["reference"]
    assert reference == ("not-installed" if word else "older-than-installed")
