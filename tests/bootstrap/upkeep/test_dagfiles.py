"""DAG files brought in and checked, with a stand-in for Airflow's own reading of them."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.account import current
from bootstrap.base.secret import Secret
from bootstrap.installed.carried import EXAMPLES
from bootstrap.installed.installation import Installation
from bootstrap.state.home import Home
from bootstrap.steps.secrets import FoldersStep
from bootstrap.upkeep import dagfiles
from bootstrap.upkeep.dagfiles import DagRefused, DagsBroken, Incoming
from tests.support.accounts import ordinary
from tests.support.receipts import sample

ROOT = Path(__file__).parents[3]
GOOD = b"from airflow import DAG\ndag = DAG('nightly')\n"
BAD = b"from airflow import DAG\n\nimport nothere\ndag = DAG('x')\n"

# Compiles and runs what DagBag would; its DAGs are the texts between quotes.
STAND_IN = '''
import pathlib, re, traceback
class Dag:
    def __init__(self, file): self.fileloc = file
class DagBag:
    def __init__(self, folder):
        print("a log line on standard output")
        self.dags, self.import_errors = {}, {}
        for path in sorted(pathlib.Path(folder).rglob("*.py")):
            text = path.read_text()
            try:
                for line in re.findall("(?m)^import nothere", text):
                    exec(compile(text.replace("from airflow import DAG", ""), str(path), "exec"))
                compile(text, str(path), "exec")
            except Exception:
                self.import_errors[str(path)] = traceback.format_exc()
            else:
                names = re.findall("""DAG(?:_ID = |\\\\()["'](.+?)["']""", text)
                self.dags.update({name: Dag(str(path)) for name in names})
'''


def build(folder: Path) -> Installation:
    home = Home(folder / "home")
    FoldersStep(home, Secret("x")).apply()
    receipt = replace(
        sample(home.path), account=current().name, library_path="", web_port=9, added=(), ca_file=""
    )
    installation = Installation(receipt)
    package = installation.release.venv / "lib" / "airflow" / "dag_processing"
    package.mkdir(parents=True)
    for place in (package.parent, package):
        (place / "__init__.py").write_text("")
    (package / "dagbag.py").write_text(STAND_IN)
    python = installation.release.venv / "bin" / "python"
    python.parent.mkdir()
    path = package.parent.parent
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    shutil.copytree(str(ROOT / "dags_example"), str(home.dags / EXAMPLES))
    return installation


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return build(tmp_path)


def test_a_file_is_tried_and_copied(installation: Installation) -> None:
    added = dagfiles.add(installation, [Incoming("nightly.py", GOOD)])
    target = installation.home.dags / "nightly.py"
    assert (added.files, added.dags, added.seconds) == ((str(target),), ("nightly",), 300)
    assert target.read_bytes() == GOOD
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    with pytest.raises(DagRefused, match="is there already"):
        dagfiles.add(installation, [Incoming("nightly.py", GOOD)])
    dagfiles.add(installation, [Incoming("nightly.py", GOOD + b"# new\n")], replace=True)
    assert target.read_bytes().endswith(b"# new\n")
    assert not list(installation.home.run.iterdir())


def test_what_cannot_be_imported_stays_out(installation: Installation) -> None:
    before = sorted(installation.home.dags.rglob("*"))
    with pytest.raises(DagsBroken) as caught:
        dagfiles.add(installation, [Incoming("bad.py", BAD)])
    assert caught.value.found == "bad.py:3: ModuleNotFoundError: No module named 'nothere'"
    with pytest.raises(DagsBroken) as caught:
        dagfiles.add(installation, [Incoming("bad.py", b"# airflow dag\nx = (\n")])
    assert caught.value.found.startswith("bad.py:2: SyntaxError")
    with pytest.raises(DagRefused, match="There is no DAG"):
        dagfiles.add(installation, [Incoming("none.py", b"x = 1\n")])
    assert sorted(installation.home.dags.rglob("*")) == before


def test_scripts_become_a_dag_in_their_order(installation: Installation) -> None:
    scripts = [Incoming(f"{name}.sh", f"echo {name} $1\n".encode()) for name in ("collect", "report", "tidy")]
    with pytest.raises(DagRefused, match="needs a name"):
        dagfiles.add(installation, scripts)
    added = dagfiles.add(installation, scripts, name="nightly")
    assert "nightly" in added.dags
    folder = installation.home.dags / "nightly"
    assert (folder / "scripts.csv").read_text() == (
        'name,script,after\ncollect,"scripts/collect.sh",\nreport,"scripts/report.sh",collect\n'
        'tidy,"scripts/tidy.sh",report\n'
    )
    assert (folder / "scripts" / "tidy.sh").read_bytes() == b"echo tidy $1\n"
    assert 'DAG_ID = "nightly"' in (folder / "nightly.py").read_text(encoding="utf-8")


def test_check_names_file_and_line(installation: Installation) -> None:
    dags = installation.home.dags
    (dags / "bad.py").write_bytes(BAD)
    found = dagfiles.check(installation)
    assert {"airferry_pipeline", "airferry_scripts"} <= set(found.dags)
    said = [item.text for item in found.problems]
    assert said == [f"{dags}/bad.py:3: ModuleNotFoundError: No module named 'nothere'"]


@ordinary
def test_a_file_that_the_account_cannot_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        dags, linked = Path(folder) / "dags", Path(folder) / "linked"
        for place in (dags, linked, dags / "shut"):
            place.mkdir()
        (linked / "closed.py").touch(mode=0)
        (dags / "open.py").touch(mode=0o600)
        (dags / "repo").symlink_to(linked)  # as git-sync leaves it
        (dags / "shut").chmod(0)
        found = [item.text for item in dagfiles.unreadable(dags, "airflow")]
        (dags / "shut").chmod(0o700)
    said = f"airflow cannot read it (owner {current().name}, mode 0000)"
    assert found == [f"{dags}/repo/closed.py: {said}", f"{dags}/shut: {said}"]
