from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import pytest

from bundler.assembly import payload
from bundler.base.errors import NoFittingWheel
from tests.bundler.making import make_wheel
from wheelhouse.tags import parse_wheel_name
from wheelhouse.target import Target


@pytest.mark.parametrize(
    ("python", "platform", "pip", "postgres"),
    [
        ("3.8", "manylinux_2_28_x86_64", "25.0.1", "18.6"),
        ("3.9", "manylinux_2_27_x86_64", "26.0.1", "18.6"),
        ("3.14", "manylinux_2_34_aarch64", "26.3", "18.6"),
        ("3.11", "manylinux_2_17_x86_64", "26.3", "16.2"),
        ("3.13", "manylinux_2_26_x86_64", "26.3", "16.2"),
        ("3.11", "manylinux_2_17_aarch64", "26.3", ""),
        ("3.11", "musllinux_1_2_x86_64", "26.3", ""),
        ("3.12", "musllinux_1_2_aarch64", "26.3", ""),
    ],
)
def test_what_is_carried_is_chosen_for_the_target(
    python: str, platform: str, pip: str, postgres: str
) -> None:
    chosen = payload.choose(Target.parse(python, platform))
    versions = {item.name: item.version for item in chosen.tools}
    assert versions["pip"] == pip
    assert versions["uv"]
    assert chosen.postgres_version == postgres
    assert (chosen.postgres is None) == (postgres == "")
    machine = platform.rsplit("_", 1)[-1] if "aarch64" in platform else "x86_64"
    for item in chosen.whole:
        assert machine in item.artifact.filename or item.artifact.filename.endswith("-any.whl")


def test_a_platform_without_uv_is_told() -> None:
    with pytest.raises(NoFittingWheel, match="There is no uv for"):
        payload.choose(Target.parse("3.11", "manylinux_2_12_x86_64"))


def test_the_runtime_is_pure_and_pinned_by_hash() -> None:
    runtime = payload.choose(Target.parse("3.11", "manylinux_2_28_x86_64")).runtime
    assert {"typer", "rich", "click"} <= {item.name for item in runtime}
    for item in runtime:
        assert parse_wheel_name(item.artifact.filename).pure
        assert len(item.artifact.sha256) == 64


def test_libraries_keep_licences_and_lose_what_nobody_runs(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        "lib",
        "1.0",
        files={
            "lib/__init__.py": "",
            "lib/tests/test_lib.py": "",
            "lib/__pycache__/x.cpython-38.pyc": "",
            "lib-1.0.dist-info/licenses/LICENSE": "free",
            "lib-1.0.data/scripts/lib": "",
        },
    )
    names = {member.name for member in payload.libraries([wheel])}
    assert names == {
        "runtime/lib/__init__.py",
        "runtime/lib-1.0.dist-info/licenses/LICENSE",
        "runtime/lib-1.0.dist-info/METADATA",
        "runtime/lib-1.0.dist-info/WHEEL",
    }


def test_the_program_is_python_3_8_and_complete() -> None:
    members = {member.name: member for member in payload.program()}
    assert members["__main__.py"].content == Path(str(members["runtime/bootstrap/__main__.py"].content))
    for name, member in members.items():
        if name.endswith(".py"):
            assert isinstance(member.content, Path)
            ast.parse(member.content.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert not [name for name in members if "__pycache__" in name]


def test_example_dags_come_along(tmp_path: Path) -> None:
    names = [member.name for member in payload.dags()]
    assert all(name.startswith("dags/") for name in names)
    assert not [name for name in names if name.endswith(".pyc")]


def test_a_wheel_with_compiled_files_would_be_noticed(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "lib", "1.0", files={"lib/fast.so": "x"})
    with zipfile.ZipFile(wheel) as archive:
        assert "lib/fast.so" in archive.namelist()
    with pytest.raises(ValueError, match="compiled"):
        list(payload.libraries([wheel]))
