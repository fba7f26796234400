from __future__ import annotations

import codecs
import hashlib
import socket
import time
from pathlib import Path

import pytest

from bundler.base.errors import ConstraintsUnavailable
from bundler.index import constraints
from tests.bundler.runner import AIRFLOW, Make
from tests.bundler.server import LocalIndex

TEXT = """
# This constraints file was automatically generated on 2026-08-12T08:36:03.248024
Alpha==1.0
native==1.0
"""
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()
OFFICIAL = "/constraints/constraints-{airflow}/constraints-{python}.txt"


def find(choice: str, airflow: str = AIRFLOW, python: str = "3.11") -> constraints.ConstraintSet:
    return constraints.find(
        choice, airflow, python, index_url="https://u:p@index.test/simple", as_of="2026-01-02T04:04:05Z"
    )


@pytest.fixture
def official(index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    """The official address, with files for 3.11 and 3.12."""
    monkeypatch.setattr(constraints, "OFFICIAL", index.base + OFFICIAL)
    for python in ("3.11", "3.12"):
        index.put(OFFICIAL.replace("{airflow}", AIRFLOW).replace("{python}", python), TEXT)
    return index


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An official address that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(constraints, "OFFICIAL", f"http://127.0.0.1:{port}{OFFICIAL}")


@pytest.mark.parametrize("choice", ["auto", "official"])
def test_official(official: LocalIndex, choice: str) -> None:
    found = find(choice)
    assert found.text == TEXT
    assert found.warning == ""
    assert found.record.source == "official"
    assert found.record.url.endswith("constraints-3.3.2/constraints-3.11.txt")
    assert found.record.sha256 == DIGEST
    assert found.record.generated_on == "2026-08-12T08:36:03.248024"


def test_auto_falls_back_to_the_day_of_the_release_quickly(unreachable: None) -> None:
    started = time.monotonic()
    found = find("auto")
    assert time.monotonic() - started < 2
    assert found.exclude_newer == "2026-01-02T04:04:05Z"
    assert found.record.source == "release-date"
    assert found.record.url == "https://index.test/simple"
    assert "Connection refused" in found.warning
    assert "2026-01-02" in found.warning


def test_a_black_hole_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constraints, "_TIMEOUT", (0.3, 0.3))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(constraints, "OFFICIAL", f"http://127.0.0.1:{silent.getsockname()[1]}{OFFICIAL}")
        started = time.monotonic()
        assert find("auto").record.source == "release-date"
        assert time.monotonic() - started < 4


def test_a_portal_that_answers_for_everybody_is_not_taken_for_the_file(
    official: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constraints, "OFFICIAL", official.put("/login", "<html>Please log in</html>"))
    assert "not a constraint file" in find("auto").warning


def test_official_never_falls_back(unreachable: None) -> None:
    with pytest.raises(ConstraintsUnavailable, match="is not available") as caught:
        find("official")
    assert "Connection refused" in caught.value.found
    assert caught.value.exit_code == 20


@pytest.mark.parametrize("choice", ["auto", "official"])
def test_a_python_without_a_file_names_those_that_have_one(official: LocalIndex, choice: str) -> None:
    with pytest.raises(
        ConstraintsUnavailable, match=r"no official constraint file for Python 3\.8"
    ) as caught:
        find(choice, python="3.8")
    assert caught.value.needed.endswith("3.11, 3.12")


def test_a_file_is_recorded_by_name_and_hash_not_by_folder(tmp_path: Path) -> None:
    path = tmp_path / "constraints-3.3.2.txt"
    path.write_text(TEXT)
    found = find(str(tmp_path / "constraints-{airflow}.txt"))
    assert found.record.source == "file"
    assert found.record.url == "constraints-3.3.2.txt"
    assert found.record.sha256 == DIGEST


def test_a_file_of_another_encoding_is_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_bytes(codecs.BOM_UTF16_LE + "alpha==1.0\r\n".encode("utf-16-le"))
    assert "alpha==1.0" in find(str(path)).text
    path.write_bytes("# 왜\nalpha==1.0\n".encode("cp949"))
    with pytest.raises(ConstraintsUnavailable) as caught:
        find(str(path))
    assert "constraints.txt: line 1 is not text in utf-8; save the file as UTF-8" in caught.value.found


def test_a_url_with_places_for_the_versions(official: LocalIndex) -> None:
    found = find(official.base.replace("http://", "http://me:secret@") + OFFICIAL)
    assert found.record.source == "url"
    assert "secret" not in found.record.url
    with pytest.raises(ConstraintsUnavailable, match="cannot be fetched") as caught:
        find(official.base + OFFICIAL, airflow="9.9.9")
    assert "HTTP 404" in caught.value.found


@pytest.mark.parametrize("content", ["", "<html>\n", "# nothing\n"])
def test_a_file_that_pins_nothing_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(content)
    with pytest.raises(ConstraintsUnavailable, match="pins nothing"):
        find(str(path))
    with pytest.raises(ConstraintsUnavailable, match="cannot be read"):
        find(str(tmp_path / "missing.txt"))


def test_release_date_needs_upload_times() -> None:
    with pytest.raises(ConstraintsUnavailable, match="upload times"):
        constraints.find("release-date", AIRFLOW, "3.11", index_url="https://index.test/simple", as_of="")


def test_the_bundle_is_resolved_under_them(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text(TEXT)
    manifest = make(constraints=str(path)).manifest
    assert {package.name: package.version for package in manifest.packages}["alpha"] == "1.0"
    assert manifest.constraints.sha256 == DIGEST


def test_the_bundle_is_resolved_as_of_the_release(make: Make) -> None:
    manifest = make(constraints="release-date").manifest
    versions = {package.name: package.version for package in manifest.packages}
    assert versions["alpha"] == "1.5"  # 2.0 came out later
    assert manifest.constraints.as_of == "2026-01-02T04:04:05Z"
    assert manifest.constraints.sha256 == constraints.pins_digest(versions)


def test_the_warning_is_told_and_the_file_stays_the_same_whatever_the_reason(
    make: Make, unreachable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(constraints="auto")
    assert "Connection refused" in first.warnings[0]
    monkeypatch.setattr(constraints, "OFFICIAL", "http://nowhere.invalid/{airflow}-{python}")
    assert make(constraints="auto").sha256 == first.sha256
