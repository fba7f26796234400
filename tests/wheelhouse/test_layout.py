"""Names inside a bundle."""

from __future__ import annotations

from wheelhouse import layout


def test_safe() -> None:
    names = ["__main__.py", "wheels/a-1.0-py3-none-any.whl", "runtime/a/b/c.py", "dags/한글.py", "dags/..a",
             "a/...", ".x"]  # fmt: skip
    assert [name for name in names if not layout.is_safe(name)] == []


def test_unsafe() -> None:
    names = ["", "/etc/passwd", "../x", "dags/../../x", "dags/..", "dags//x", "dags/", "./x", "dags/./x",
             "//x", "dags\\..\\x", "dags/a\0b", "dags/a\nb", "dags/\x1b[2Jx"]  # fmt: skip
    assert [name for name in names if layout.is_safe(name)] == []


def test_bundle_name() -> None:
    name = layout.bundle_name("3.3.2", "cp311", "manylinux_2_28_x86_64")
    assert name == "airflow-3.3.2-cp311-manylinux_2_28_x86_64.run"
