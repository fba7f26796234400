"""The receipt: round trip, old versions kept as data, newer or broken ones refused, one step to write."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.account import AccountError
from bootstrap.state import receipt
from bootstrap.state.receipt import SCHEMA, NotInstalled
from tests.support import receipts
from tests.support.accounts import ordinary

OLD = sorted(Path(__file__).with_name("data").glob("receipt-*.json"))


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    receipt.save(path, receipts.sample())
    assert receipt.load(path) == receipts.sample()
    assert receipt.find(path) == receipts.sample()
    assert [item.name for item in tmp_path.iterdir()] == ["receipt.json"]


def test_sample_sets_every_field() -> None:
    sample = receipts.sample()
    for value in (sample, sample.database):
        assert [field.name for field in dataclasses.fields(value) if not getattr(value, field.name)] == []


def test_every_schema_so_far_has_its_data() -> None:
    assert [path.name for path in OLD] == [f"receipt-{number}.json" for number in range(1, SCHEMA + 1)]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_old_receipts_stay_readable(path: Path) -> None:
    read = receipt.load(path)
    assert (read.airflow, read.web_port, read.database.port) == ("3.3.2", 8080, 25432)
    assert read.home == "/home/사용자/airflow"


def test_newest_schema_is_written_as_it_was(tmp_path: Path) -> None:
    receipt.save(tmp_path / "receipt.json", receipts.sample())
    assert (tmp_path / "receipt.json").read_bytes() == OLD[-1].read_bytes()


def test_none_there(tmp_path: Path) -> None:
    assert receipt.find(tmp_path / "receipt.json") is None
    assert receipt.find(tmp_path / "no" / "receipt.json") is None
    (tmp_path / "file").touch()
    assert receipt.find(tmp_path / "file" / "receipt.json") is None
    with pytest.raises(NotInstalled, match="no airferry installation") as caught:
        receipt.load(tmp_path / "receipt.json")
    assert caught.value.exit_code == 37
    assert str(tmp_path) in caught.value.hint


def test_newer_schema_is_refused_although_it_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    receipt.save(path, replace(receipts.sample(), schema=SCHEMA + 1))
    with pytest.raises(NotInstalled, match="newer airferry") as caught:
        receipt.find(path)
    assert caught.value.found == f"receipt schema {SCHEMA + 1}"


def test_newer_schema_with_unknown_fields_is_said_to_be_newer(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    receipt.save(path, receipts.sample())
    data = json.loads(path.read_text(encoding="utf-8"))
    data.update(schema=SCHEMA + 1, fresh="field")
    path.write_text(json.dumps(data))
    with pytest.raises(NotInstalled, match="newer airferry"):
        receipt.find(path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"{}", b'{"schema": "1"}', b"\xff\xfe", b"\0" * 4096]
)
def test_broken_receipt(tmp_path: Path, content: bytes) -> None:
    """Among them what a power cut leaves: a file of the right length full of zeros."""
    path = tmp_path / "receipt.json"
    path.write_bytes(content)
    with pytest.raises(NotInstalled, match="cannot be read") as caught:
        receipt.find(path)
    assert caught.value.found
    assert "With the receipt moved away" in caught.value.hint


def test_broken_receipt_of_which_a_backup_has_a_copy(tmp_path: Path) -> None:
    """The command that the hint names brings the installation back; no copy of another release does."""
    home = tmp_path / "a home"
    release = home / "releases" / receipts.sample().bundle_id
    release.mkdir(parents=True)
    (home / "current").symlink_to(release)
    for name, bundle_id in (
        ("20260101T000000Z", release.name),
        ("20260102T000000Z", release.name),
        ("20260103T000000Z", "another"),
        (".20260104T000000Z", release.name),
    ):
        folder = home / "backups" / name / "state"
        folder.mkdir(parents=True)
        saved = replace(receipts.sample(), bundle_id=bundle_id, started=name)
        receipt.save(folder / "receipt.json", saved)
    (home / "backups" / "20260105T000000Z" / "state").mkdir(parents=True)
    (home / "backups" / "20260105T000000Z" / "state" / "receipt.json").write_bytes(b"[]")
    (home / "receipt.json").write_bytes(b"\0" * 4096)
    with pytest.raises(NotInstalled, match="cannot be read") as caught:
        receipt.find(home / "receipt.json")
    _, found, command = caught.value.hint.partition(": ")
    assert found, caught.value.hint
    subprocess.run(["sh", "-c", command], check=True)
    assert receipt.load(home / "receipt.json").started == "20260102T000000Z"


def test_every_problem_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    receipt.save(path, receipts.sample())
    data = json.loads(path.read_text(encoding="utf-8"))
    data["web_port"] = "8080"
    del data["database"]["role"]
    path.write_text(json.dumps(data))
    with pytest.raises(NotInstalled) as caught:
        receipt.find(path)
    assert sorted(caught.value.found.splitlines()) == [
        "receipt.database.role: missing",
        "receipt.web_port: int is needed, found str",
    ]


def test_home_that_is_not_utf8_survives(tmp_path: Path) -> None:
    value = receipts.sample(Path(os.fsdecode(b"/home/\xc7\xd1")))
    receipt.save(tmp_path / "receipt.json", value)
    assert receipt.load(tmp_path / "receipt.json") == value


@ordinary
def test_one_that_only_another_account_may_read() -> None:
    path = Path(tempfile.mkdtemp()) / "receipt.json"
    receipt.save(path, receipts.sample(path.parent))
    path.chmod(0)
    try:
        with pytest.raises(AccountError, match=r"belongs to .* cannot read it") as caught:
            receipt.load(path)
        assert "as root" in caught.value.hint
    finally:
        shutil.rmtree(path.parent)
