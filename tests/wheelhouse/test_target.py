"""Targets and platform tags: what is one, what is not, and what it says to people."""

from __future__ import annotations

import pytest

from wheelhouse.errors import InvalidTarget
from wheelhouse.target import Platform, Target, parse_platform


def test_platform_tags() -> None:
    expected = {
        "manylinux_2_28_x86_64": Platform("glibc", (2, 28), "x86_64"),
        "manylinux_2_5_i686": Platform("glibc", (2, 5), "i686"),
        "manylinux1_x86_64": Platform("glibc", (2, 5), "x86_64"),
        "manylinux2010_x86_64": Platform("glibc", (2, 12), "x86_64"),
        "manylinux2014_aarch64": Platform("glibc", (2, 17), "aarch64"),
        "musllinux_1_2_aarch64": Platform("musl", (1, 2), "aarch64"),
        "any": None,
        "linux_x86_64": None,
        "win_amd64": None,
        "macosx_11_0_arm64": None,
        "manylinux_2_28": None,
        "manylinux_2_28_x86_64\n": None,
        "xmanylinux_2_28_x86_64": None,
        "manylinux3_x86_64": None,
    }
    assert {tag: parse_platform(tag) for tag in expected} == expected


def test_versions_compare_as_numbers() -> None:
    old, new = parse_platform("manylinux_2_5_x86_64"), parse_platform("manylinux_2_28_x86_64")
    assert old
    assert new
    assert old.version < new.version


@pytest.mark.parametrize(
    ("python", "platform", "target", "tag", "label"),
    [
        (
            "3.11",
            "manylinux_2_28_x86_64",
            Target("3.11", "manylinux_2_28_x86_64"),
            "cp311",
            "CPython 3.11, x86_64, glibc >= 2.28",
        ),
        (
            "3.8.18",
            "manylinux2014_x86_64",
            Target("3.8", "manylinux_2_17_x86_64"),
            "cp38",
            "CPython 3.8, x86_64, glibc >= 2.17",
        ),
        (
            "3.13",
            "musllinux_1_2_aarch64",
            Target("3.13", "musllinux_1_2_aarch64"),
            "cp313",
            "CPython 3.13, aarch64, musl >= 1.2",
        ),
    ],
)
def test_target(python: str, platform: str, target: Target, tag: str, label: str) -> None:
    parsed = Target.parse(python, platform)
    assert parsed == target
    assert parsed.tag == tag
    assert parsed.label == label
    assert parsed.version == tuple(int(part) for part in parsed.python.split("."))


@pytest.mark.parametrize(
    "python", ["3.7", "2.7", "3", "", "3.x", "3.11rc1", "4.0", "cp311", "3.11 ", "-3.11"]
)
def test_python_that_is_none(python: str) -> None:
    with pytest.raises(InvalidTarget, match="is not a Python") as caught:
        Target.parse(python, "manylinux_2_28_x86_64")
    assert caught.value.exit_code == 12
    assert "3.8 at least" in caught.value.needed


@pytest.mark.parametrize("platform", ["linux_x86_64", "any", "", "win_amd64", "manylinux_2_28"])
def test_platform_that_is_none(platform: str) -> None:
    with pytest.raises(InvalidTarget, match="is not a platform tag"):
        Target.parse("3.11", platform)
