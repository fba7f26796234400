"""Where the interpreter to carry comes from: uv's own list and checksums, mirrors, addresses, files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bootstrap.base import process
from bundler.base.errors import DownloadFailed, HashMismatch, InvalidRequest, PythonUnavailable
from bundler.bundle import BundleResult
from bundler.index.cache import Cache
from bundler.resolver.uv import Uv
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex
from tests.support import relocatable
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify


@pytest.fixture(scope="module")
def archive() -> Path:
    """A relocatable interpreter; its own version is the target's."""
    return relocatable.archive(small=True)


@pytest.fixture
def wanted(archive: Path) -> dict[str, str]:
    """The options of a bundle for that interpreter."""
    _, version, machine, *_ = archive.name.split("-")
    return {"python": ".".join(version.split(".")[:2]), "platform": f"manylinux_2_39_{machine}"}


def published(wanted: dict[str, str]) -> str:
    """The address that uv has for the newest release of the target."""
    uv = Uv(Cache.default())
    request = f"cpython-{wanted['python']}-linux-x86_64-gnu"
    said = process.run(
        [uv.program, "python", "list", "--no-config", "--only-downloads", "--all-platforms",
         "--output-format", "json", request],
        what="ask uv",
    )  # fmt: skip
    return str(json.loads(said.stdout)[0]["url"])


def served(index: LocalIndex, archive: Path, folder: Path, url: str) -> str:
    """Serve the archive as the published file of that address; returns the mirror's own."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    shutil.copy(archive, folder / name)
    index.add(folder / name)
    return index.mirror(urlsplit(url).path.split("/")[-2])


def carried_by(result: BundleResult, archive: Path) -> None:
    """The bundle holds the very file, at the place where sh looks."""
    python = result.manifest.python
    assert python
    content = archive.read_bytes()
    assert python.sha256 == hashlib.sha256(content).hexdigest()
    with Bundle.open(result.path) as bundle:
        verify(bundle)
        assert bundle.read(python.path) == content
    whole = result.path.read_bytes()
    offset = re.search(rb"^# airferry-python: 0*(\d+)$", whole, re.MULTILINE)
    assert offset
    assert whole[int(offset.group(1)) :][: len(content)] == content


def test_file_is_carried_and_told(
    make: Make, archive: Path, wanted: dict[str, str], run: Run, tmp_path: Path
) -> None:
    result = make(**wanted, with_python=str(archive))
    carried_by(result, archive)
    assert result.manifest.python
    assert result.manifest.python.url == ""
    assert str(archive.parent) not in result.manifest.dumps()
    status, out, _ = run("inspect", str(result.path))
    assert status == 0
    assert archive.name in "".join(out.split())
    plain = make(**wanted, output=tmp_path / "plain")
    said = json.loads(run("diff", str(plain.path), str(result.path), "--json")[1])["result"]
    assert [item["kind"] for item in said["settings"] if item["name"] == "carried python"] == ["added"]
    again = make(**wanted, with_python=str(archive), output=tmp_path / "again")
    assert again.sha256 == result.sha256


def test_checksum_of_a_file(make: Make, archive: Path, wanted: dict[str, str]) -> None:
    with pytest.raises(HashMismatch):
        make(**wanted, with_python=str(archive), python_sha256="0" * 64)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    make(**wanted, with_python=str(archive), python_sha256=sha256.upper())


def test_published_one_is_compared_with_the_checksum_that_uv_has(
    make: Make, archive: Path, wanted: dict[str, str], airflow: LocalIndex, tmp_path: Path
) -> None:
    """A stand-in at the published file's place is not the published file."""
    mirror = served(airflow, archive, tmp_path, published(wanted))
    with pytest.raises(HashMismatch) as caught:
        make(**wanted, with_python="auto", python_mirror=mirror)
    needed = caught.value.needed.removeprefix("sha256 ")
    assert re.fullmatch("[0-9a-f]{64}", needed)
    assert needed != hashlib.sha256(archive.read_bytes()).hexdigest()


@pytest.mark.parametrize("way", ["option", "environment", "folder"])
def test_mirror_with_a_checksum_that_was_given(
    way: str,
    make: Make,
    archive: Path,
    wanted: dict[str, str],
    airflow: LocalIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = published(wanted)
    mirror = served(airflow, archive, tmp_path, url)
    if way == "folder":
        place = tmp_path / "mirror" / urlsplit(url).path.split("/")[-2]
        place.mkdir(parents=True)
        shutil.copy(archive, place / unquote(urlsplit(url).path.rpartition("/")[2]))
        mirror = (tmp_path / "mirror").as_uri()
    if way == "environment":
        monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", mirror)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    option = {} if way == "environment" else {"python_mirror": mirror}
    result = make(**wanted, with_python="auto", python_sha256=sha256, **option)
    carried_by(result, archive)


def test_address_that_does_not_answer(make: Make, wanted: dict[str, str], airflow: LocalIndex) -> None:
    """What to fetch, where from, and where to put it."""
    with pytest.raises(PythonUnavailable) as caught:
        make(**wanted, with_python="auto", python_mirror=airflow.mirror("x").rpartition("/")[0])
    name = unquote(urlsplit(published(wanted)).path.rpartition("/")[2])
    assert caught.value.exit_code == 65
    assert name in caught.value.needed
    assert f"--with-python PATH/{name} --python-sha256 " in caught.value.hint


@pytest.mark.parametrize("sums", ["SHA256SUMS", "{}.sha256", ""])
def test_address_with_a_checksum_beside_it(
    sums: str, make: Make, archive: Path, wanted: dict[str, str], airflow: LocalIndex
) -> None:
    airflow.add(archive)
    url = f"{airflow.base}/files/{archive.name.replace('+', '%2B')}"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if not sums:
        with pytest.raises(PythonUnavailable, match="no checksum"):
            make(**wanted, with_python=url)
        return
    line = f"{digest}  {archive.name}\n" if sums == "SHA256SUMS" else f"{digest}\n"
    airflow.put(f"/files/{sums.format(archive.name)}", line)
    result = make(**wanted, with_python=url)
    carried_by(result, archive)
    assert result.manifest.python
    assert result.manifest.python.url == url


def test_offline_it_comes_from_the_cache(
    make: Make, archive: Path, wanted: dict[str, str], airflow: LocalIndex, tmp_path: Path
) -> None:
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    mirror = served(airflow, archive, tmp_path, published(wanted))
    asked = {**wanted, "with_python": "auto", "python_sha256": sha256, "python_mirror": mirror}
    with pytest.raises(DownloadFailed, match="not in the cache"):
        make(**asked, offline=True)
    first = make(**asked)
    assert make(**asked, offline=True, output=tmp_path / "again").sha256 == first.sha256


@pytest.mark.parametrize(
    "options",
    [
        {"with_python": "/nowhere/x.tar.gz"},
        {"with_python": "auto", "python_sha256": "abc"},
        {"python_sha256": "0" * 64},
        {"python_mirror": "https://mirror.example/"},
    ],
    ids=["no such file", "no digest", "no archive", "nothing to mirror"],
)
def test_requests_that_make_no_sense(options: dict[str, str], make: Make) -> None:
    with pytest.raises(InvalidRequest):
        make(**options)
