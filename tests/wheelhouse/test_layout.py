"""Names inside a bundle."""

from __future__ import annotations

import pytest

from wheelhouse import layout


@pytest.mark.parametrize(
    "name",
    [
        "__main__.py",
        "wheels/a-1.0-py3-none-any.whl",
        "runtime/a/b/c.py",
        "dags/한글.py",
        "dags/..a",
        "a/...",
        ".x",
    ],
)
def test_safe(name: str) -> None:
    assert layout.is_safe(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "dags/../../x",
        "dags/..",
        "dags//x",
        "dags/",
        "./x",
        "dags/./x",
        "//x",
        "dags\\..\\x",
        "dags/a\0b",
        "dags/a\nb",
        "dags/\x1b[2Jx",
    ],
)
def test_unsafe(name: str) -> None:
    assert not layout.is_safe(name)


def test_bundle_name() -> None:
    name = layout.bundle_name("3.3.2", "cp311", "manylinux_2_28_x86_64")
    assert name == "airflow-3.3.2-cp311-manylinux_2_28_x86_64.run"
