"""The bundle kept for a later delta: whole, or not at all."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.state import kept_bundle
from bootstrap.state.home import Home
from bootstrap.state.kept_bundle import BundleNotKept
from bootstrap.state.receipt import Receipt
from tests.support import bundles, receipts
from wheelhouse.reader import Bundle


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return bundles.write(tmp_path / "a b.run")


@pytest.fixture
def chosen(file: Path, tmp_path: Path) -> Receipt:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    made = replace(receipts.sample(tmp_path / "home"), bundle_sha256=sha256)
    Home(Path(made.home)).release(made.bundle_id).path.mkdir(parents=True)
    return made


def keep(file: Path, chosen: Receipt) -> Path:
    with Bundle.open(file) as bundle:
        bundle.stream.seek(99)
        return kept_bundle.keep(bundle, chosen)


def test_it_lies_in_its_release_byte_for_byte(file: Path, chosen: Receipt) -> None:
    kept = keep(file, chosen)
    assert kept.read_bytes() == file.read_bytes()
    assert keep(file, chosen) == kept
    assert [path.name for path in kept.parent.iterdir()] == [file.name]


def test_what_was_changed_meanwhile_is_not_kept(file: Path, chosen: Receipt) -> None:
    with pytest.raises(BundleNotKept, match="was not kept"):
        keep(file, replace(chosen, bundle_sha256="0" * 64))
    assert list(Home(Path(chosen.home)).release(chosen.bundle_id).path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="what root does not write to needs root")
def test_root_writes_only_where_nobody_else_can(file: Path, chosen: Receipt) -> None:
    folder = Home(Path(chosen.home)).release(chosen.bundle_id).path
    os.chown(folder.parent, 1000, 1000)
    with pytest.raises(BundleNotKept) as caught:
        keep(file, chosen)
    assert "belongs to" in caught.value.found
    assert list(folder.iterdir()) == []
