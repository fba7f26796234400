from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag

from bundler.base.errors import ResolutionFailed
from bundler.lock import lockfile
from bundler.lock.lockfile import Artifact, Locked
from bundler.resolver import uv
from wheelhouse.manifest import Package
from wheelhouse.target import Target


def chosen(target: Target, *tags: str) -> str:
    wheels = [Artifact(f"name-1.0-{tag}.whl", "", "0") for tag in tags]
    found = lockfile.choose(wheels, lockfile.target_tags(target))
    return found.filename.removeprefix("name-1.0-").removesuffix(".whl") if found else ""


RHEL8 = Target.parse("3.11", "manylinux_2_28_x86_64")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["py3-none-any", "cp311-cp311-manylinux_2_28_x86_64"], "cp311-cp311-manylinux_2_28_x86_64"),
        (["cp311-cp311-manylinux_2_34_x86_64", "cp39-abi3-manylinux_2_17_x86_64"],
         "cp39-abi3-manylinux_2_17_x86_64"),
        (["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_28_x86_64"],
         "cp311-cp311-manylinux_2_28_x86_64"),
        (["cp311-cp311-manylinux2014_x86_64"], "cp311-cp311-manylinux2014_x86_64"),
        (["cp311-cp311-manylinux1_x86_64"], "cp311-cp311-manylinux1_x86_64"),
        (["py2.py3-none-any"], "py2.py3-none-any"),
        (["1-py3-none-any", "2-py3-none-any", "py3-none-any"], "2-py3-none-any"),
        (["cp312-cp312-manylinux_2_28_x86_64"], ""),
        (["cp312-abi3-manylinux_2_28_x86_64"], ""),
        (["cp311-cp311-manylinux_2_28_aarch64"], ""),
        (["cp311-cp311-manylinux_2_29_x86_64"], ""),
        (["cp311-cp311-musllinux_1_2_x86_64"], ""),
        (["cp311-cp311-linux_x86_64"], ""),
        (["cp311-cp311-win_amd64", "cp311-cp311-macosx_11_0_arm64"], ""),
        (["py2-none-any"], ""),
    ],
)  # fmt: skip
def test_the_best_wheel_for_the_target(tags: list[str], expected: str) -> None:
    assert chosen(RHEL8, *tags) == expected


def test_the_building_machine_does_not_matter() -> None:
    alpine = Target.parse("3.8", "musllinux_1_2_aarch64")
    assert chosen(alpine, "cp38-cp38-musllinux_1_1_aarch64", "cp38-cp38-manylinux_2_17_aarch64").startswith(
        "cp38-cp38-musl"
    )
    assert chosen(alpine, "cp38-cp38-musllinux_1_3_aarch64") == ""
    assert Tag("cp38", "cp38", "linux_x86_64") not in lockfile.target_tags(alpine)


@given(st.integers(5, 40), st.integers(5, 40))
def test_a_wheel_fits_exactly_from_its_own_glibc_on(needed: int, there: int) -> None:
    target = Target.parse("3.11", f"manylinux_2_{there}_x86_64")
    assert bool(chosen(target, f"cp311-cp311-manylinux_2_{needed}_x86_64")) == (needed <= there)


def package(name: str) -> Package:
    return Package(name, "1.0", f"wheels/{name}-1.0-py3-none-any.whl", 10, "ab" * 32, "https://index.test/x")


def test_the_bundles_own_lock_has_paths_and_no_addresses() -> None:
    text = lockfile.write([package("beta"), package("alpha")], RHEL8)
    assert "index.test" not in text
    assert text.index("alpha") < text.index("beta")
    read = lockfile.read(text, Path("/bundle"))
    assert read[0].wheels[0].path == Path("/bundle/wheels/alpha-1.0-py3-none-any.whl")
    assert read[0].wheels[0].sha256 == "ab" * 32


def test_a_dumped_lock_reads_back() -> None:
    wheel = Artifact(
        "a-1.0-py3-none-any.whl",
        "https://x.test/a-1.0-py3-none-any.whl",
        "cd" * 32,
        7,
        "2026-01-02T03:04:05Z",
    )
    packages = (Locked("a", "1.0", (wheel,), requires_python=">=3.8"),)
    assert lockfile.read(lockfile.dump(packages, "two\nlines")) == packages


ONE_PACKAGE = 'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "a"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("not toml", "Expected"),
        ('lock-version = "1.0"', "created-by"),
        (ONE_PACKAGE + 'sdist = { url = "https://x/a-1.tar.gz", hashes = {} }', "hash"),
    ],
)
def test_a_lock_that_is_none(text: str, problem: str) -> None:
    with pytest.raises(ResolutionFailed) as caught:
        lockfile.read(text)
    assert problem in caught.value.found


def test_a_file_without_sha256_and_a_repository_are_refused() -> None:
    with pytest.raises(ResolutionFailed, match="no sha256"):
        lockfile.read(ONE_PACKAGE + 'sdist = { url = "https://x/a-1.tar.gz", hashes = { md5 = "00" } }')
    with pytest.raises(ResolutionFailed, match="repository"):
        lockfile.read(ONE_PACKAGE + 'vcs = { type = "git", url = "https://x/a", commit-id = "0" }')


@pytest.mark.parametrize(
    ("glibc", "asked"),
    [("2_17", "2_17"), ("2_24", "2_28"), ("2_28", "2_28"), ("2_34", "2_34"), ("2_99", "2_40")],
)
def test_uv_is_asked_for_all_that_may_fit(glibc: str, asked: str) -> None:
    """For a C library between those that it knows it would leave out wheels that the target takes."""
    target = Target.parse("3.11", f"manylinux_{glibc}_x86_64")
    assert uv.platform_name(target) == f"x86_64-manylinux_{asked}"
