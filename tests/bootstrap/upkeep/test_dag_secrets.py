"""Connections and variables from files, with a stand-in for Airflow's models and session."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.account import current
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret
from bootstrap.installed import dag_secrets as lower
from bootstrap.installed.dag_secrets import CONNECTIONS, VARIABLES, ImportRefused
from bootstrap.installed.installation import Installation
from bootstrap.state.home import Home
from bootstrap.steps.secrets import FoldersStep
from bootstrap.upkeep import dag_secrets
from tests.support.receipts import sample

# What the script takes of Airflow and SQLAlchemy, with a JSON file for a database.
STAND_IN = """
import contextlib, json, os, sys, types, urllib.parse
PLACE = os.path.join(os.environ["AIRFLOW_HOME"], "database.json")
class Row:
    def __init__(self, **values): self.__dict__.update(values)
class Connection(Row):
    key = "conn_id"
    def __init__(
        self, conn_id=None, conn_type=None, host=None, password=None, port=None, extra=None, uri=None
    ):
        if uri:
            parts = urllib.parse.urlparse(uri)
            conn_type, host, password, port = parts.scheme, parts.hostname, parts.password, parts.port
        super().__init__(
            conn_id=conn_id, conn_type=conn_type, host=host, password=password, port=port, extra=extra
        )
        print("read " + str(password))
class Variable(Row):
    key = "key"
class Query:
    def __init__(self, rows): self.rows = rows
    def filter_by(self, **wanted):
        return Query([row for row in self.rows if wanted.items() <= row.__dict__.items()])
    def first(self): return self.rows[0] if self.rows else None
class Session:
    def __init__(self, rows): self.rows = rows
    def query(self, kind): return Query([row for row in self.rows if isinstance(row, kind)])
    def add(self, row): self.rows.append(row)
@contextlib.contextmanager
def create_session():
    if os.path.exists(PLACE + ".away"):
        class OperationalError(Exception):
            orig = "server is away"
        raise OperationalError("INSERT password=" + open(PLACE + ".away").read())
    known = json.load(open(PLACE)) if os.path.exists(PLACE) else []
    rows = [(Connection if kind == "Connection" else Variable)(**values) for kind, values in known]
    yield Session(rows)
    json.dump([(type(row).__name__, row.__dict__) for row in rows], open(PLACE, "w"))
def inspect(kind):
    names = ("val", "description")
    if kind is Connection:
        names = ("conn_type", "host", "password", "port", "extra")
    attributes = [types.SimpleNamespace(key=name) for name in names]
    return types.SimpleNamespace(mapper=types.SimpleNamespace(column_attrs=attributes))
for name, values in {
    "airflow": {}, "airflow.models": {}, "airflow.models.connection": {"Connection": Connection},
    "airflow.models.variable": {"Variable": Variable}, "airflow.utils": {},
    "airflow.utils.session": {"create_session": create_session}, "sqlalchemy": {"inspect": inspect},
}.items():
    module = types.ModuleType(name)
    module.__dict__.update(values)
    sys.modules[name] = module
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    home = Home(tmp_path / "home")
    FoldersStep(home, Secret("x")).apply()
    receipt = replace(sample(home.path), account=current().name, library_path="", added=(), ca_file="")
    found = Installation(receipt)
    python = found.release.venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    (python.parent / "standin.py").write_text(STAND_IN)
    # -c CODE, as every interpreter takes it, after the stand-in
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH="{python.parent}" exec {sys.executable} -c "import standin\n$2"\n'
    )
    python.chmod(0o755)
    return found


def document(folder: Path, name: str, text: str) -> lower.Document:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return lower.read(path)


def database(installation: Installation) -> dict[str, dict[str, object]]:
    rows = json.loads((installation.home.path / "database.json").read_text())
    return {values.get("conn_id") or values["key"]: values for _, values in rows}


def test_every_form_is_read_and_what_is_there_is_kept(installation: Installation, tmp_path: Path) -> None:
    given = {
        "one": {"conn_type": "http", "port": "80", "extra_dejson": {"a": 1}},
        "two": "ftp://u:zebra@h:2121",
    }
    added = dag_secrets.bring_in(installation, CONNECTIONS, document(tmp_path, "c.json", json.dumps(given)))
    assert (added.added, added.kept, added.replaced) == (("one", "two"), (), ())
    assert database(installation)["one"]["port"] == 80
    assert database(installation)["one"]["extra"] == '{"a": 1}'
    text = '# a comment\n\ntwo=ssh://u:other@h\nthree={"conn_type": "ssh", "password": "zebra3"}\n'
    lines = document(tmp_path, "c.env", text)
    done = dag_secrets.bring_in(installation, CONNECTIONS, lines)
    assert (done.added, done.kept) == (("three",), ("two",))
    assert database(installation)["two"]["password"] == "zebra"
    done = dag_secrets.bring_in(installation, CONNECTIONS, lines, overwrite=True)
    assert done.replaced == ("three", "two")
    assert (database(installation)["two"]["password"], database(installation)["two"]["port"]) == (
        "other",
        None,
    )


def test_variables_with_objects_and_descriptions(installation: Installation, tmp_path: Path) -> None:
    given = {"text": "1", "object": {"value": 1}, "told": {"value": "x", "description": "why"}}
    dag_secrets.bring_in(installation, VARIABLES, document(tmp_path, "v.json", json.dumps(given)))
    found = database(installation)
    assert (found["text"]["val"], found["object"]["val"]) == ("1", '{\n  "value": 1\n}')
    assert (found["told"]["val"], found["told"]["description"]) == ("x", "why")


WRONG = {
    "a.json": ('{"x": {"conn_type": "ssh", "passwort": "zebra"}}', "x: unknown: passwort"),
    "b.json": ('{"x": "ssh://u:zebra@h",\n "x": "ssh://u:zebra@h"}', "there twice: x"),
    "c.json": ('{"x":\n "zebra', "line 2 is no JSON"),
    "d.json": ('["zebra"]', "it is no object"),
    "e.json": ('{"x": 7}', "x: neither a URI nor an object"),
    "f.json": ('{"x": {"host": "zebra"}}', "x: it has no type"),
    "g.json": ('{"x": {"conn_type": "ssh", "port": "zebra"}}', "x: its port is no number"),
    "h.env": ("x=ssh://u:p@h:zebra", "x: Airflow cannot read it (ValueError)"),
    "i.env": ("x=ssh://h\nzebra", "line 2 is not NAME=VALUE"),
    "j.env": ("x=ssh://h\nx=ssh://u:zebra@h", "line 2: x is there twice"),
    "k.env": ('x={"password": "zebra', "x: its value begins as JSON and is none"),
    "l.json": (json.dumps({"y" * 251: "ssh://u:zebra@h"}), "a name has 1 to 250 characters"),
}


def test_what_is_wrong_is_told_without_a_value(installation: Installation, tmp_path: Path) -> None:
    shown = {}
    for name, (text, _) in WRONG.items():
        with pytest.raises(ImportRefused) as error:
            dag_secrets.bring_in(installation, CONNECTIONS, document(tmp_path, name, text))
        shown[name] = str(error.value.found)
        assert "zebra" not in f"{error.value}{error.value.found}{error.value.hint}"
    assert {name: said for name, said in shown.items() if WRONG[name][1] not in said} == {}
    assert not (installation.home.path / "database.json").exists()


def test_no_value_is_left_anywhere(installation: Installation, tmp_path: Path) -> None:
    """Not in the journal, the log of the install or an error: not even of a database that is away."""
    given = document(tmp_path, "c.env", "x=ssh://u:zebra@h\n")
    assert "zebra" not in repr(given)
    dag_secrets.bring_in(installation, CONNECTIONS, given)
    (installation.home.path / "database.json.away").write_text("zebra")
    with pytest.raises(CommandFailed, match="Could not bring in the connections") as error:
        dag_secrets.bring_in(installation, CONNECTIONS, given)
    assert "server is away" in error.value.found
    assert "zebra" not in f"{error.value}{error.value.found}"
    (installation.home.path / "database.json.away").unlink()
    holding = [
        path.name
        for path in installation.home.path.rglob("*")
        if path.is_file() and b"zebra" in path.read_bytes()
    ]
    assert holding == ["database.json"]


def test_a_file_that_others_can_read_is_told_and_one_without_a_form_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    path.chmod(0o640)
    assert (lower.read(path).exposed, lower.read(path).text.reveal()) == (True, "{}")
    path.chmod(0o600)
    assert not lower.read(path).exposed
    with pytest.raises(ImportRefused, match="does not tell what is in it"):
        lower.read(path.rename(tmp_path / "connections.txt"))
    path.write_bytes(b"\xff")
    with pytest.raises(ImportRefused, match="UTF-8"):
        lower.read(path)
