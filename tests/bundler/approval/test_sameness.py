from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.bundler.making import make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex
from tests.support.bundles import reseal
from wheelhouse import agreement


def _compared(run: Run, one: Path, other: Path) -> tuple[int, dict[str, Any]]:
    status, out, _ = run("compare", str(one), str(other), "--json")
    found = json.loads(out)["result"]
    assert isinstance(found, dict)
    return status, found


def _kinds(found: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["kind"] for item in found["members"]}


def _repacked(path: Path, level: int) -> None:
    """The same wheel, compressed otherwise."""
    with zipfile.ZipFile(path) as wheel:
        contents = [(info, wheel.read(info)) for info in wheel.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as wheel:
        for info, content in contents:
            wheel.writestr(info, content, zipfile.ZIP_STORED if level == 0 else zipfile.ZIP_DEFLATED)


def test_two_builders_make_the_same_file(
    make: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(output=tmp_path / "one").path
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    other = make(output=tmp_path / "two").path
    status, found = _compared(run, one, other)
    assert (status, found["answer"], found["members"]) == (0, "same", [])


def test_wheel_that_was_only_packed_otherwise_is_told(
    make: Make, run: Run, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    wheel = make_wheel(files, "extra", "1.0", files={"extra.py": "x = 1\n" * 500})
    made = []
    for level in (9, 0):
        _repacked(wheel, level)
        airflow.add(wheel)
        made.append(make(output=tmp_path / str(level), requirements=("extra",), refresh=True).path)
    status, found = _compared(run, *made)
    assert (status, found["answer"]) == (5, "packed")
    assert _kinds(found) == {
        "wheels/extra-1.0-py3-none-any.whl": "packed",
        "manifest.json": "follows",
        "pylock.toml": "follows",
    }
    assert "Only the packing differs" in run("compare", *map(str, made))[1]


def test_wheel_with_other_content_is_told_with_what_is_inside(
    make: Make, run: Run, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    made = []
    for number in (1, 2):
        airflow.add(make_wheel(files, "extra", "1.0", files={"extra.py": f"x = {number}\n"}))
        made.append(make(output=tmp_path / str(number), requirements=("extra",), refresh=True).path)
    status, found = _compared(run, *made)
    assert (status, found["answer"]) == (5, "different")
    details = {item["name"]: item["detail"] for item in found["members"]}
    assert details["wheels/extra-1.0-py3-none-any.whl"].startswith("inside: extra")
    assert "other content" in run("compare", *map(str, made))[1]


def test_member_of_only_one_is_told(
    make: Make, run: Run, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    airflow.add(make_wheel(files, "extra", "1.0"))
    one = make(output=tmp_path / "one", requirements=("extra",)).path
    other = make(output=tmp_path / "two").path
    assert _kinds(_compared(run, one, other)[1])["wheels/extra-1.0-py3-none-any.whl"] == "missing"
    assert _kinds(_compared(run, other, one)[1])["wheels/extra-1.0-py3-none-any.whl"] == "added"


def test_program_that_was_compressed_otherwise_is_told(
    make: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another zlib, another Python: the same members, other bytes."""
    import zlib

    one = make(output=tmp_path / "one").path
    monkeypatch.setattr(zlib, "Z_DEFAULT_COMPRESSION", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    other = make(output=tmp_path / "two").path
    status, found = _compared(run, one, other)
    assert (status, found["answer"]) == (5, "packed")
    kinds = _kinds(found)
    assert set(kinds.values()) == {"packed"}
    assert "runtime/bootstrap/cli.py" in kinds and "bytes packed" in str(found["members"])


def test_changed_script_in_front_is_content(
    make: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of another airferry, whose script this one cannot compare with its own."""
    monkeypatch.setattr(agreement, "problems", lambda bundle: [])
    one = make(output=tmp_path / "one").path
    other = tmp_path / "two.run"
    content = one.read_bytes()
    place = content.index(b"installs; sh FILE")
    other.write_bytes(content[:place] + b"I" + content[place + 1 :])
    reseal(other)
    status, found = _compared(run, one, other)
    assert (status, found["answer"], _kinds(found)) == (5, "different", {"header": "content"})


def test_damaged_one_is_refused(make: Make, run: Run, tmp_path: Path) -> None:
    one = make(output=tmp_path / "one").path
    other = tmp_path / "two.run"
    other.write_bytes(one.read_bytes()[:-1])
    status, _, err = run("compare", str(one), str(other))
    assert status == 10 and "two.run" in err


def test_statement_names_all_that_the_bundle_was_made_from(
    make: Make, run: Run, airflow: LocalIndex, tmp_path: Path
) -> None:
    file = make().path
    status, out, _ = run("attest", str(file), "--builder", "mailto:kim@example.com", "--json")
    assert status == 0
    told = json.loads(out)["result"]
    found = json.loads(Path(told["statement"]).read_bytes())
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["subject"] == [{"name": file.name, "digest": {"sha256": told["sha256"]}}]
    assert found["predicate"]["runDetails"]["builder"]["id"] == "mailto:kim@example.com"
    parts = {item["name"]: item for item in found["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert parts["alpha-1.5-py3-none-any.whl"]["digest"]["sha256"] == airflow._sha256(
        "alpha-1.5-py3-none-any.whl"
    )
    source = parts["only_source-0.1.tar.gz"]
    assert source["digest"]["sha256"] == airflow._sha256("only_source-0.1.tar.gz")
    assert source["annotations"]["wheel"] == "only_source-0.1-py3-none-any.whl"
    assert f"  {Path(told['statement']).name}\n" in Path(told["release"]).read_text(encoding="utf-8")


def test_two_builders_state_the_same(
    make: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = []
    for name in ("one", "two"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache-{name}"))
        file = make(output=tmp_path / name).path
        run("attest", str(file))
        statements.append(Path(f"{file}.intoto.json").read_bytes())
    assert statements[0] == statements[1]


def test_builder_that_is_no_uri_is_refused(make: Make, run: Run) -> None:
    file = make().path
    for builder in ("Kim", "mailto: kim", "x:\u202e"):
        answer = json.loads(run("attest", str(file), "--builder", builder, "--json")[1])
        assert answer["error"]["reference"] == "invalid-request"
    assert not Path(f"{file}.intoto.json").exists()
