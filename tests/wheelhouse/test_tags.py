"""What a wheel's file name says about the hosts it runs on."""

from __future__ import annotations

import pytest

from wheelhouse.tags import WheelName, floor, parse_wheel_name, unfit
from wheelhouse.target import Platform


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        (
            "cryptography-45.0.1-cp311-abi3-manylinux_2_28_x86_64.whl",
            WheelName("cryptography", "45.0.1", ("cp311",), ("abi3",), ("manylinux_2_28_x86_64",)),
        ),
        (
            "six-1.16.0-py2.py3-none-any.whl",
            WheelName("six", "1.16.0", ("py2", "py3"), ("none",), ("any",)),
        ),
        (
            "built-1.0-2local-cp311-cp311-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
            WheelName(
                "built",
                "1.0",
                ("cp311",),
                ("cp311",),
                ("manylinux1_x86_64", "manylinux_2_5_x86_64"),
            ),
        ),
    ],
)
def test_wheel_names(filename: str, expected: WheelName) -> None:
    assert parse_wheel_name(filename) == expected


@pytest.mark.parametrize(
    "filename", ["x.tar.gz", "x.whl", "a-1-py3-none.whl", "a--py3-none-any.whl", "", "a-1-b-c-d-e-f.whl"]
)
def test_what_is_no_wheel(filename: str) -> None:
    with pytest.raises(ValueError, match="not a wheel's file name"):
        parse_wheel_name(filename)


def test_only_any_is_pure() -> None:
    assert parse_wheel_name("six-1.16.0-py2.py3-none-any.whl").pure
    assert not parse_wheel_name("a-1-cp311-cp311-linux_x86_64.whl").pure


@pytest.mark.parametrize(
    ("platforms", "libc", "expected"),
    [
        ("any", "glibc", None),
        ("manylinux_2_34_x86_64", "glibc", Platform("glibc", (2, 34), "x86_64")),
        # the least demanding of several counts, whatever their order
        ("manylinux_2_27_x86_64.manylinux_2_5_x86_64", "glibc", Platform("glibc", (2, 5), "x86_64")),
        ("manylinux1_x86_64.manylinux_2_28_x86_64", "glibc", Platform("glibc", (2, 5), "x86_64")),
        ("manylinux_2_17_x86_64.musllinux_1_1_x86_64", "musl", Platform("musl", (1, 1), "x86_64")),
        ("win_amd64", "glibc", Platform("win_amd64", (0, 0), "")),
        ("musllinux_1_1_x86_64", "glibc", Platform("musllinux_1_1_x86_64", (0, 0), "")),
    ],
)
def test_floor(platforms: str, libc: str, expected: Platform | None) -> None:
    assert floor(f"a-1-cp311-cp311-{platforms}.whl", libc) == expected


@pytest.mark.parametrize(
    ("platforms", "reason"),
    [
        ("any", ""),
        ("manylinux_2_28_x86_64", ""),
        ("manylinux_2_36_x86_64", ""),
        ("manylinux_2_37_x86_64", "needs glibc 2.37"),
        ("manylinux2014_x86_64.manylinux_2_39_x86_64", ""),
        ("manylinux_2_28_aarch64", "is for aarch64"),
        ("musllinux_1_2_x86_64", "is for musllinux_1_2_x86_64"),
        ("macosx_11_0_arm64", "is for macosx_11_0_arm64"),
    ],
)
def test_unfit_on_a_debian_12(platforms: str, reason: str) -> None:
    assert unfit(f"a-1-cp311-cp311-{platforms}.whl", "x86_64", "glibc", (2, 36)) == reason
