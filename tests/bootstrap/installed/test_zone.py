"""The time zone of an installation: asked for, kept, or the host's; always one that Airflow will know."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.facts import region
from bootstrap.installed import zone
from bootstrap.installed.zone import UnknownTimeZone
from bootstrap.state.home import Home
from tests.support import receipts
from wheelhouse.reader import Bundle


class Carrying(Bundle):
    """A bundle that carries a library of zones; only its manifest is real."""

    def __init__(self, path: Path, library: str) -> None:
        with Bundle.open(path) as found:
            package = replace(found.manifest.packages[0], name=library)
            self.manifest = replace(found.manifest, packages=(package,))
        self.library = library

    def read(self, name: str) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as wheel:
            for member in ("Asia/Seoul", "Europe/Paris", "UTC"):
                wheel.writestr(f"{self.library}/zoneinfo/{member}", b"TZif2")
        return content.getvalue()


@pytest.fixture(params=["tzdata", "pytzdata"])
def bundle(request: pytest.FixtureRequest, tiny_bundle: Path) -> Bundle:
    return Carrying(tiny_bundle, request.param)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "airflow")


@pytest.mark.parametrize(
    ("host", "chosen"),
    [
        ("Asia/Seoul", "Asia/Seoul"),
        (":Asia/Seoul", "Asia/Seoul"),
        ("Etc/UTC", "UTC"),
        ("KST-9", ""),  # a rule, which Airflow does not read
        ("Mars/Olympus", ""),
    ],
)
def test_the_default_is_the_zone_of_the_host(
    home: Home, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, host: str, chosen: str
) -> None:
    monkeypatch.setenv("TZ", host)
    assert zone.choose(None, bundle, home, None) == chosen


def test_an_airflow_that_is_there_keeps_its_zone(
    home: Home, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")
    for kept in ("", "Europe/Paris"):
        assert zone.choose(None, bundle, home, replace(receipts.sample(), timezone=kept)) == kept
    home.path.mkdir()
    home.airflow_cfg.touch()
    assert zone.choose(None, bundle, home, None) == ""
    assert zone.choose("Europe/Paris", bundle, home, None) == "Europe/Paris"


def test_what_airflow_would_not_know_is_refused(home: Home, bundle: Bundle) -> None:
    for wrong in ("Asia/Seul", "asia/seoul"):
        with pytest.raises(UnknownTimeZone) as caught:
            zone.choose(wrong, bundle, home, None)
        assert caught.value.hint == "Did you mean Asia/Seoul?"
    for wrong in ("", "KST-9", "../../etc/passwd", "Asia", "Asia/Seoul\n[core]"):
        with pytest.raises(UnknownTimeZone):
            zone.choose(wrong, bundle, home, None)
    assert zone.choose("utc", bundle, home, None) == "UTC"


def test_a_bundle_without_zones_asks_the_host(
    home: Home, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zoneinfo" / "Asia").mkdir(parents=True)
    (tmp_path / "zoneinfo" / "Asia" / "Seoul").touch()
    monkeypatch.setattr(region, "ZONES", (str(tmp_path / "gone"), str(tmp_path / "zoneinfo")))
    with Bundle.open(tiny_bundle) as bundle:
        assert zone.choose("Asia/Seoul", bundle, home, None) == "Asia/Seoul"
        with pytest.raises(UnknownTimeZone):
            zone.choose("Asia/Busan", bundle, home, None)
        monkeypatch.setattr(region, "ZONES", ())
        assert zone.choose("Asia/Busan", bundle, home, None) == "Asia/Busan"
