"""Several installations on one host: names and ports are taken once, also by one that is stopped."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.installed import options
from bootstrap.installed.options import Options
from bootstrap.state import home as homes
from bootstrap.state import neighbours, registry
from bootstrap.state.home import ROOT_HOMES, Home
from bootstrap.state.neighbours import NeighbourConflict
from bootstrap.state.registry import Record
from tests.support import bundles, receipts
from wheelhouse.reader import Bundle


@pytest.fixture(autouse=True)
def own_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records of this test's own; root's folder is another one."""
    monkeypatch.setattr(registry, "SYSTEM", tmp_path / "etc" / "installations.d")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / ("etc" if os.geteuid() == 0 else "state/airferry") / "installations.d"


def installed(home: Path, name: str, *ports: int) -> Record:
    """An installation that is stopped: its receipt is there, and its record."""
    home.mkdir(parents=True)
    (home / "receipt.json").touch()
    record = Record(1, name, str(home), "airflow", ports)
    registry.save(record)
    return record


def test_records_are_for_everybody_and_hold_no_secret(own_records: Path, tmp_path: Path) -> None:
    receipt = replace(receipts.sample(tmp_path / "home"), name="blue")
    Path(receipt.home).mkdir()
    Path(receipt.home, "receipt.json").touch()
    earlier = os.umask(0o077)
    registry.save(registry.record_of(receipt))
    os.umask(earlier)
    assert registry.known() == [Record(1, "blue", receipt.home, "airflow", (8080, 8793, 8794, 25432))]
    if os.geteuid() == 0:
        assert (own_records / "blue.json").stat().st_mode & 0o777 == 0o644
        assert own_records.stat().st_mode & 0o777 == 0o755
        assert registry.of_system(Path(receipt.home)) == registry.known()[0]


def test_external_database_takes_no_port_of_ours() -> None:
    receipt = receipts.sample()
    external = replace(receipt, database=replace(receipt.database, kind="external", port=5432))
    assert 5432 not in registry.record_of(external).ports


def test_an_installation_that_has_gone_holds_nothing(tmp_path: Path, own_records: Path) -> None:
    record = installed(tmp_path / "gone", "airflow", 8080)
    (tmp_path / "gone" / "receipt.json").unlink()
    assert registry.known() == []
    registry.save(replace(record, home=str(tmp_path), name="other"))
    assert [path.name for path in own_records.iterdir()] == ["other.json"]


def test_the_last_one_takes_the_folders_with_it(tmp_path: Path, own_records: Path) -> None:
    first, last = (installed(tmp_path / name, name, port) for name, port in (("one", 8080), ("two", 8081)))
    registry.forget(first)
    assert registry.known() == [last]
    registry.forget(last)
    assert not own_records.exists()
    registry.forget(last)


def test_damaged_and_misplaced_records_are_passed_over(tmp_path: Path, own_records: Path) -> None:
    record = installed(tmp_path / "one", "one", 8080)
    (own_records / "two.json").write_text("{")
    (own_records / "three.json").write_text((own_records / "one.json").read_text())
    assert registry.known() == [record]


def test_a_name_for_each(tmp_path: Path) -> None:
    assert neighbours.name(tmp_path / "one", "", "") == "airflow"
    installed(tmp_path / "one", "airflow", 8080)
    assert neighbours.name(tmp_path / "one", "", "airflow") == "airflow"
    assert neighbours.name(tmp_path / "Two 2", "", "") == "two-2"
    installed(tmp_path / "two-2", "two-2", 8081)
    assert neighbours.name(tmp_path / "Two 2", "", "") == "two-2-2"
    assert neighbours.name(tmp_path / "낱말", "", "") == "airflow-2"
    with pytest.raises(NeighbourConflict, match="is called airflow"):
        neighbours.name(tmp_path / "three", "airflow", "")
    with pytest.raises(NeighbourConflict, match="is called airflow"):
        neighbours.name(tmp_path / "one", "blue", "airflow")
    for bad in ("Blue", "../x", "a b", "-x"):
        with pytest.raises(NeighbourConflict, match="cannot be the name"):
            neighbours.name(tmp_path / "three", bad, "")


def test_ports_of_a_stopped_installation_are_left_alone(tmp_path: Path) -> None:
    first = 20_000 + os.getpid() % 5_000
    installed(tmp_path / "one", "airflow", first, first + 1)
    taken = neighbours.reserved(tmp_path / "two", [])
    assert options.free_port(first, set(taken)) > first + 1
    assert neighbours.reserved(tmp_path / "one", [first]) == set()
    with pytest.raises(NeighbourConflict, match=f"Port {first} belongs") as caught:
        neighbours.reserved(tmp_path / "two", [first])
    assert str(tmp_path / "one") in caught.value.found


def test_second_installation_gets_all_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "bundle.run"
    bundles.write(file)
    with Bundle.open(file) as bundle:
        one = options.choose(Options(home=Home(tmp_path / "one"), service="supervisor"), bundle)
        installed(tmp_path / "one", one.name, *registry.record_of(one).ports)
        two = options.choose(Options(home=Home(tmp_path / "two"), name="two", service="none"), bundle)
    ports = registry.record_of(one).ports + registry.record_of(two).ports
    assert len(set(ports)) == 8
    assert (one.name, one.services, two.name, two.services) == ("airflow", "supervisor", "two", "none")


def test_homes_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/srv/a")
    monkeypatch.setenv("HOME", "/home/kim")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert Home.default("blue").path == Path("/home/kim/blue")
    assert Home.default().path == Path("/srv/a")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert Home.default("blue").path == homes.ROOT_HOMES / "blue"
    assert Path("/opt") == ROOT_HOMES


def test_account_without_a_home_goes_unrecorded(
    own_records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nobody has it: /nonexistent. For root the record counts, and its loss stops the install."""
    (tmp_path / "file").touch()
    blocked = tmp_path / "file" / "installations.d"
    monkeypatch.setattr(registry, "SYSTEM", blocked)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    record = Record(1, "blue", str(tmp_path), "nobody", (8080,))
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    registry.save(record)
    assert registry.known() == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(OSError):
        registry.save(record)
