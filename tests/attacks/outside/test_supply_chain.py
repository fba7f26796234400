"""What comes in on the internet host: the index that was meant, the file that was allowed, builds cut off."""

from __future__ import annotations

import hashlib
import socket
import sys
from pathlib import Path

import pytest

from bundler.base import isolation
from bundler.base.errors import BuildFailed, HashMismatch, InvalidRequest
from bundler.index.cache import Cache
from bundler.index.transport import recorded
from bundler.request.settings import Settings
from bundler.request.spec import BundleRequest
from tests.bundler.making import OWN_BACKEND, make_sdist, make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex

EARLY = "2026-01-01T00:00:00Z"


def backend(name: str, first: str) -> dict[str, str]:
    """A build backend of its own that runs some lines first."""
    return {"own_backend.py": first + OWN_BACKEND.format(name=name, module=name, version="1.0")}


def test_a_resolver_without_an_order_of_indexes_is_refused() -> None:
    settings = Settings(
        resolver="pip-tools",
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        extra_index_urls=("https://private.example/simple",),
    )
    with pytest.raises(InvalidRequest) as caught:
        BundleRequest.parse(settings)
    assert "no order of indexes" in caught.value.found


def listed(tmp_path: Path, line: str) -> tuple[Path, ...]:
    path = tmp_path / "requirements.txt"
    path.write_text(line + "\n", encoding="utf-8")
    return (path,)


@pytest.mark.parametrize("form", ["path", "url", "named"])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_hash_of_a_local_file_is_compared(
    make: Make, tmp_path: Path, files: Path, form: str, kind: str
) -> None:
    file = make_wheel(files, "own", "1.0") if kind == "wheel" else make_sdist(files, "own", "1.0")
    place = {"path": str(file), "url": file.as_uri(), "named": f"own @ {file.as_uri()}"}[form]
    wrong = listed(tmp_path, f"{place} --hash=sha256:{'0' * 64}")
    with pytest.raises((InvalidRequest, HashMismatch)) as caught:
        make(requirement_files=wrong)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in caught.value.found
    right = listed(tmp_path, f"{place} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")
    manifest = make(requirement_files=right).manifest
    assert "own==1.0" in manifest.requirements
    assert str(tmp_path) not in manifest.dumps()
    assert "file:" not in manifest.dumps()


def test_the_hash_of_a_source_on_the_index_is_compared(make: Make, tmp_path: Path) -> None:
    with pytest.raises(HashMismatch, match="only"):
        make(requirement_files=listed(tmp_path, f"only-source==0.1 --hash=sha256:{'0' * 64}"))


@pytest.mark.parametrize("form", ["path", "named"])
def test_a_folder_has_no_hash(make: Make, tmp_path: Path, form: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[project]\nname = 'own'\nversion = '1.0'\n")
    place = str(project) if form == "path" else f"own @ {project.as_uri()}"
    with pytest.raises(InvalidRequest) as caught:
        make(requirement_files=listed(tmp_path, f"{place} --hash=sha256:{'0' * 64}"))
    assert "a folder has no hash" in caught.value.found


@pytest.mark.skipif(bool(isolation.unavailable()), reason="this machine allows no network namespace")
def test_a_build_has_no_network(make: Make, airflow: LocalIndex, files: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        call = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\n"
        airflow.add(make_sdist(files, "caller", "1.0", files=backend("caller", call)), uploaded=EARLY)
        with pytest.raises(BuildFailed) as caught:
            make(requirements=("caller",))
        with pytest.raises(TimeoutError):
            listener.accept()
    assert "refused" in caught.value.found


def test_a_build_requirement_is_fetched_by_its_hash(make: Make, airflow: LocalIndex, files: Path) -> None:
    table = '[build-system]\nrequires = ["helper"]\nbuild-backend = "own_backend"\nbackend-path = ["."]\n'
    source = {**backend("needy", "import helper\n"), "pyproject.toml": table}
    airflow.add(make_sdist(files, "needy", "1.0", files=source), uploaded=EARLY)
    airflow.add(make_wheel(files, "helper", "1.0"), uploaded=EARLY)
    airflow.fault("helper-").lie = True
    with pytest.raises(HashMismatch, match="helper"):
        make(requirements=("needy",))
    airflow.fault("helper-").lie = False
    built = next(item for item in make(requirements=("needy",)).manifest.packages if item.name == "needy")
    assert built.built_from
    assert built.built_from.build_requires == ("helper==1.0",)


def test_a_changed_wheel_in_the_cache_is_built_again(make: Make) -> None:
    first = make()
    content = first.path.read_bytes()
    (wheel,) = Cache.default().wheels.glob("*/*.whl")
    wheel.write_bytes(b"evil" + wheel.read_bytes()[4:])
    again = make()
    assert again.path.read_bytes() == content


def test_a_changed_program_in_the_cache_is_packed_again(make: Make) -> None:
    content = make().path.read_bytes()
    (packed,) = Cache.default().packed.iterdir()
    head, _, rest = packed.read_bytes().partition(b"\n")
    other = bytes([rest[0] ^ 1]) + rest[1:]
    old, new = (hashlib.sha256(part).hexdigest().encode() for part in (rest, other))
    packed.write_bytes(head.replace(old, new) + b"\n" + other)
    assert make().path.read_bytes() == content
    packed.write_bytes(head.replace(b'["__main__.py", ', b'["__main__.py", 1') + b"\n" + rest)
    assert make().path.read_bytes() == content


def test_no_secret_of_an_address_is_recorded() -> None:
    assert (
        recorded("https://me:pw@files.example/a.whl?X-Sig=abc#sha256=1")
        == "https://files.example/a.whl#sha256=1"
    )
