"""A cluster set aside and brought back, also when the one that moved it was killed in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bootstrap.state import clusters
from bootstrap.state.home import Home
from tests.support import receipts

RECEIPT = receipts.sample()


def cluster(home: Home, text: str) -> None:
    home.cluster.mkdir()
    (home.cluster / "PG_VERSION").write_text(text)


def left(home: Home) -> list[str]:
    return sorted(path.name for path in home.path.iterdir())


def test_only_another_major_version_of_our_own_crosses() -> None:
    other = replace(RECEIPT, database=replace(RECEIPT.database, server="16.2"))
    minor = replace(RECEIPT, database=replace(RECEIPT.database, server="18.9"))
    assert clusters.crosses(other, RECEIPT)
    assert not clusters.crosses(minor, RECEIPT)
    assert not clusters.crosses(replace(other, database=replace(other.database, kind="external")), RECEIPT)


def test_aside_and_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    cluster(home, "16")
    clusters.set_aside(home)
    cluster(home, "18")
    assert clusters.bring_back(home)
    assert (home.cluster / "PG_VERSION").read_text() == "16"
    assert left(home) == ["postgres"]
    assert not clusters.bring_back(home)
    assert left(home) == ["postgres"]


def test_back_before_a_new_one_was_made(tmp_path: Path) -> None:
    home = Home(tmp_path)
    cluster(home, "16")
    clusters.set_aside(home)
    assert clusters.bring_back(home)
    assert left(home) == ["postgres"]


def test_kept_for_good(tmp_path: Path) -> None:
    home = Home(tmp_path)
    cluster(home, "16")
    clusters.set_aside(home)
    cluster(home, "18")
    clusters.tidy(home)
    assert (home.cluster / "PG_VERSION").read_text() == "18"
    assert left(home) == ["postgres"]
