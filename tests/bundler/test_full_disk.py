"""A disk that is really full, beneath the cache and beneath the output."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bundler.making import make_wheel
from tests.bundler.runner import Run
from tests.bundler.server import LocalIndex
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify

COMMON = ("bundle", "--airflow", "3.3.2", "--python", "3.11", "--constraints", "release-date", "--json")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """A disk of 1 MiB, and what makes another size of it, in bytes."""
    if os.geteuid() != 0:
        pytest.skip("not root: no disk can be mounted to be filled")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "airferry-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)

    yield folder, resize
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def large(airflow: LocalIndex, files: Path) -> None:
    """An alpha of 3 MB."""
    airflow.add(make_wheel(files, "alpha", "1.5", files={"alpha.bin": os.urandom(3_000_000).hex()}))


@pytest.mark.usefixtures("large")
def test_the_cache_is_on_a_full_disk(
    run: Run, disk: tuple[Path, Callable[[int], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, resize = disk
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    status, out, err = run(*COMMON)
    assert status == 26, err
    error = json.loads(out)["error"]
    assert error["reference"] == "output-failed"
    assert "No space left on device" in error["message"] + error["found"]
    assert "XDG_CACHE_HOME" in error["hint"]
    assert not Path("dist").exists()
    for path in (folder / "airferry/files").iterdir():
        assert path.suffix == ".part" or path.stat().st_size < 3_000_000
    resize(100_000_000)
    assert run(*COMMON)[0] == 0


def test_the_resolvers_own_cache_is_on_a_full_disk(
    run: Run, disk: tuple[Path, Callable[[int], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, resize = disk
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    resize(16_384)
    status, out, err = run(*COMMON)
    assert status == 26, err
    assert "XDG_CACHE_HOME" in json.loads(out)["error"]["hint"]
    resize(100_000_000)
    assert run(*COMMON)[0] == 0


@pytest.mark.usefixtures("large")
def test_the_output_is_on_a_full_disk(run: Run, disk: tuple[Path, Callable[[int], None]]) -> None:
    folder, resize = disk
    output = ("--output", str(folder))
    status, out, err = run(*COMMON, *output)
    assert status == 26, err
    error = json.loads(out)["error"]
    assert "No space left on device" in error["message"]
    assert "--output" in error["hint"]
    assert list(folder.iterdir()) == []
    resize(100_000_000)
    status, out, _ = run(*COMMON, *output)
    assert status == 0
    path = Path(json.loads(out)["result"]["file"])
    content = path.read_bytes()
    # Full again with a bundle there: it stays as it is.
    resize(sum(item.stat().st_blocks * 512 for item in folder.iterdir()) + 8192)
    status, _, err = run(*COMMON, *output, "arm-only")
    assert status == 26, err
    assert path.read_bytes() == content
    assert sorted(item.name for item in folder.iterdir()) == [path.name, f"{path.name}.sha256"]
    with Bundle.open(path) as bundle:
        verify(bundle)
