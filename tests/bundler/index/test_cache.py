from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from bundler.base.errors import DownloadFailed, OutputFailed
from bundler.index.cache import Cache
from bundler.resolver import resolution_cache
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex


def asked(index: LocalIndex) -> int:
    return sum(index.requests.values())


def test_the_same_request_again_asks_nobody(make: Make, airflow: LocalIndex) -> None:
    first = make()
    content, before = first.path.read_bytes(), asked(airflow)
    assert make().path.read_bytes() == content
    assert asked(airflow) == before
    make(refresh=True)
    assert asked(airflow) > before


def test_another_request_is_resolved(make: Make, airflow: LocalIndex, tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("alpha==1.0\n")
    make(constraints=str(constraints))
    constraints.write_text("alpha==1.5\n")
    versions = {item.name: item.version for item in make(constraints=str(constraints)).manifest.packages}
    assert versions["alpha"] == "1.5"
    before = asked(airflow)
    make(constraints=str(constraints), no_default_extras=True)
    assert asked(airflow) > before


def test_an_answer_grows_old(make: Make, airflow: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    before = asked(airflow)
    monkeypatch.setattr(resolution_cache, "FRESH", 0.0)
    monkeypatch.setattr("bundler.resolver.resolution.FRESH", 0.0)
    make()
    assert asked(airflow) > before


def test_offline_makes_the_same_bundle_without_an_index(make: Make, airflow: LocalIndex) -> None:
    content = make().path.read_bytes()
    airflow.stop()
    result = make(offline=True)
    assert result.path.read_bytes() == content
    with pytest.raises(DownloadFailed, match="not in the cache"):
        make(offline=True, no_default_extras=True)


def test_offline_with_a_pruned_file_names_it(make: Make) -> None:
    result = make()
    alpha = next(item for item in result.manifest.packages if item.name == "alpha")
    (Cache.default().files / alpha.sha256).unlink()
    with pytest.raises(DownloadFailed, match=r"alpha-1\.5-py3-none-any\.whl is not in the cache"):
        make(offline=True)


def test_what_lies_in_folders_is_never_remembered(make: Make, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "own", "1.0")
    make(requirements=(str(wheel),))
    make_wheel(tmp_path, "own", "1.0", files={"other.py": ""})
    own = next(item for item in make(requirements=(str(wheel),)).manifest.packages if item.name == "own")
    assert own.size == wheel.stat().st_size


@pytest.mark.parametrize("content", ["", "{", '{"time": 1e12}', "[]", '{"time": 1e12, "release": 3}'])
def test_a_damaged_memory_is_none(make: Make, content: str) -> None:
    make()
    [path] = Cache.default().locks.iterdir()
    path.write_text(content)
    assert make().manifest.airflow == "3.3.2"


def test_warnings_are_remembered_too(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("# generated on 2020-01-01T00:00:00\nalpha==1.0\n")
    first = make(constraints=str(path))
    assert first.warnings
    assert make(constraints=str(path)).warnings == first.warnings


def test_the_command_shows_and_prunes(run: Run, make: Make) -> None:
    make()
    status, out, _ = run("cache")
    assert status == 0
    assert "files" in out
    data = json.loads(run("cache", "--json")[1])["result"]
    sizes = {part["name"]: part["size"] for part in data["parts"]}
    assert sizes["files"] > 0
    assert sizes["wheels"] > 0
    old = next(Cache.default().files.iterdir())
    count = len(list(Cache.default().files.iterdir()))
    os.utime(old, (time.time() - 40 * 86400,) * 2)
    run("cache", "--prune", "30")
    assert not old.exists()
    assert len(list(Cache.default().files.iterdir())) == count - 1
    status, out, _ = run("cache", "--prune", "0")
    assert "freed" in out
    assert json.loads(run("cache", "--json")[1])["result"]["parts"][0]["entries"] == 0
    assert make().manifest.airflow == "3.3.2"


def test_use_keeps_a_file_from_being_pruned(make: Make) -> None:
    make()
    for entry in Cache.default().files.iterdir():
        os.utime(entry, (time.time() - 40 * 86400,) * 2)
    make()
    Cache.default().prune(30 * 86400)
    assert make(offline=True)


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFailed, match="cannot be made") as caught:
        _ = Cache(tmp_path / "file").files
    assert "XDG_CACHE_HOME" in caught.value.hint
