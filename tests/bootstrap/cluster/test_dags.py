from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from bootstrap.cluster import dags, sysinfo
from bootstrap.cluster.dags import DagTreeRefused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "head" / "dags"
    (found / "sub" / "__pycache__").mkdir(parents=True)
    (found / "one.py").write_text("one")
    (found / "sub" / "둘.py").write_text("two")
    (found / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (found / "sub" / "run.sh").chmod(0o755)
    (found / "sub" / "__pycache__" / "one.pyc").write_bytes(b"\0")
    dags.write_pinned(found, ["w1", "w2"], "EdgeExecutor")
    return found


def packed(folder: Path) -> io.BytesIO:
    stream = io.BytesIO()
    dags.pack(folder, stream)
    stream.seek(0)
    return stream


def test_a_tree_comes_across_whole(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "w1" / "tree"
    found = dags.unpack(packed(folder), target)
    assert found == dags.digest(folder) == dags.digest(target / "dags")
    assert (target / "dags" / "sub" / "둘.py").read_text() == "two"
    assert os.access(target / "dags" / "sub" / "run.sh", os.X_OK)
    assert not (target / "dags" / "sub" / "__pycache__").exists()
    assert (target / "dags" / "airferry" / "airferry_workers.py").exists()
    assert not (target / "dags" / "airferry" / "airferry_workers.json").exists()


def test_the_list_of_workers_makes_no_difference(folder: Path) -> None:
    before = dags.digest(folder)
    dags.write_pinned(folder, ["w1"], "EdgeExecutor")
    assert dags.digest(folder) == before
    (folder / "one.py").write_text("another")
    assert dags.digest(folder) != before


def test_a_file_that_was_cut_off_changes_nothing(folder: Path, tmp_path: Path) -> None:
    whole = packed(folder).getvalue()
    target = tmp_path / "tree"
    with pytest.raises(DagTreeRefused):
        dags.unpack(io.BytesIO(whole[: len(whole) // 2]), target)
    assert not target.exists()


def forged(*members: tuple[tarfile.TarInfo, bytes], mark: str = "0" * 12) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        told = json.dumps({"schema": 1, "digest": mark}).encode()
        first = tarfile.TarInfo("airferry-dags.json")
        for item, content in ((first, told), *members):
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    stream.seek(0)
    return stream


def link(name: str) -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type, item.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return item


@pytest.mark.parametrize(
    "item",
    [
        tarfile.TarInfo("dags/../../out.py"),
        tarfile.TarInfo("/etc/out.py"),
        link("dags/x.py"),
        tarfile.TarInfo("x.py"),
        tarfile.TarInfo("."),
        tarfile.TarInfo(""),
    ],
    ids=["above", "absolute", "link", "beside", "the folder", "nothing"],
)
def test_nothing_leaves_the_folder(item: tarfile.TarInfo, tmp_path: Path) -> None:
    target = tmp_path / "tree"
    with pytest.raises(DagTreeRefused, match="does not hold"):
        dags.unpack(forged((item, b"")), target)
    assert not target.exists()


def test_what_was_changed_on_the_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DagTreeRefused) as caught:
        dags.unpack(forged((tarfile.TarInfo("dags/x.py"), b"x")), tmp_path / "tree")
    assert "digest" in caught.value.found
    with pytest.raises(DagTreeRefused):
        dags.unpack(io.BytesIO(b"no archive"), tmp_path / "tree")


def test_a_switch_is_one_step_and_keeps_the_tree_before(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "own.py").write_text("own")
    dags.make_link(tmp_path)
    dags.make_link(tmp_path)
    assert (tmp_path / "dags").is_symlink()
    assert (tmp_path / "dags" / "own.py").read_text() == "own"
    for number in range(3):
        tree = dags.trees(tmp_path) / str(number)
        (tree / "dags").mkdir(parents=True)
        os.utime(tree, (number, number))
        dags.switch(tmp_path, tree / "dags")
    assert (tmp_path / "dags").resolve() == dags.trees(tmp_path) / "2" / "dags"
    assert {path.name for path in dags.old_trees(tmp_path)} == {"0", "1"}


def test_plugins_travel_with_the_dag_files(folder: Path, tmp_path: Path) -> None:
    plugins = tmp_path / "head" / "plugins"
    plugins.mkdir()
    assert dags.mark(folder, plugins) == dags.digest(folder)
    (plugins / "menu.py").write_text("menu")
    told = dags.mark(folder, plugins)
    assert told == f"{dags.digest(folder)}+{dags.digest(plugins)}"
    stream = io.BytesIO()
    assert dags.pack(folder, stream, plugins) == told
    stream.seek(0)
    target = tmp_path / "w1"
    assert dags.unpack(stream, target) == told
    assert (target / "plugins" / "menu.py").read_text() == "menu"
    assert not (target / "dags" / "menu.py").exists()


def test_a_digest_is_read_anew_only_after_a_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sysinfo.cached(folder)
    assert first == dags.digest(folder)
    monkeypatch.setattr(sysinfo, "digest", lambda folder: "anew")
    assert sysinfo.cached(folder) == first
    (folder / "one.py").write_text("longer than before")
    assert sysinfo.cached(folder) == "anew"
