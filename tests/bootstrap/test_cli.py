"""The command line of the closed side: what it imports, and what it refuses at once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap import cli, steps
from bootstrap.doctor.catalogue import CATALOGUE
from bootstrap.installed import early, installation

# what only an installation, or an install, needs
_ELSEWHERE = (
    "bootstrap.commands.installed",
    "bootstrap.backups",
    "bootstrap.install",
    "bootstrap.steps.packages",
)
# what explaining a finding of an installation needs as well
_OF_AN_INSTALLATION = (
    "bootstrap.handoff",
    "bootstrap.installed.installation",
    "bootstrap.services.control",
    "bootstrap.airflow.moves",
    "bootstrap.cluster.engine",
    "bootstrap.examination.installed",
    "bootstrap.installed.configuration",
    "bootstrap.postgres.wire",
)
_LISTED = """
import json, sys
from bootstrap import cli
from bootstrap.doctor.catalogue import CATALOGUE
sys.argv = [sys.argv[1], "doctor", "--explain", "disk-full"]
cli.main()
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def test_doctor_of_a_bundle_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    """Inside a ZIP every module is compiled anew, and doctor has 1.5 seconds."""
    (tmp_path / "FILE").write_text("")
    command = [sys.executable, "-c", _LISTED, str(tmp_path / "FILE")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "disk-full (blocker)" in done.stdout
    loaded = set(json.loads(done.stderr))
    assert "bootstrap.doctor.preflight" in loaded
    assert loaded & set(_ELSEWHERE) == set()


def test_commands_of_a_bundle_import_nothing_of_an_installation() -> None:
    code = "import json, sys, bootstrap.commands.bundled; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(json.loads(done.stdout))
    assert "bootstrap.doctor.preflight" in loaded
    assert loaded & {*_ELSEWHERE, *_OF_AN_INSTALLATION} == set()


@pytest.mark.parametrize("arguments", [["--explain"], ["--explain", "--strict"]])
def test_explaining_without_an_id_lists_every_finding(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    (tmp_path / "FILE").write_text("")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "FILE"), "doctor", *arguments])
    assert cli.main() == 0
    shown = capsys.readouterr().out
    assert "\nThe interpreter that Airflow's environment would be made from\n" in shown
    assert [
        name for name in CATALOGUE.entries if f"  {name} ({CATALOGUE.entries[name].severity}): " not in shown
    ] == []


def test_ignoring_what_is_no_finding_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "FILE").write_text("")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "FILE"), "install", "--ignore", "disk-ful"])
    assert cli.main() == 2
    assert "Did you mean disk-full" in capsys.readouterr().err


def test_a_plan_made_as_another_account_imports_nothing_more() -> None:
    """A bundle may be root's alone: what the owner's process imports from it would be refused."""
    places = [Path(installation.__file__), *sorted(Path(steps.__path__[0]).glob("*.py"))]
    late = re.compile(r"^ +from (bootstrap[.\w]*) import (\w+).*# noqa: PLC0415", re.MULTILINE)
    found = [pair for path in places for pair in late.findall(path.read_text(encoding="utf-8"))]
    assert len(found) > 3
    assert [pair for pair in found if not {pair[0], ".".join(pair)} & set(early.IMPORTED_LATE)] == []
