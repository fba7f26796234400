from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundler import bundle as making
from tests.bundler.runner import Run
from wheelhouse import __version__

BUNDLE = ("bundle", "--airflow", "3.3.2", "--python", "3.11", "--constraints", "release-date")
FILE = "airflow-3.3.2-cp311-manylinux_2_28_x86_64.run"
X86 = ("--platform", "manylinux_2_28_x86_64")


def test_the_summary_says_what_it_is_and_what_to_do_with_it(run: Run, tmp_path: Path) -> None:
    status, out, err = run(*BUNDLE, *X86)
    assert status == 0
    assert (tmp_path / "dist" / FILE).exists()
    assert "8 packages" in out
    assert "CPython 3.11, x86_64, glibc >= 2.28" in out
    assert "2026-01-02T04:04:05Z" in out
    digest = (tmp_path / "dist" / f"{FILE}.sha256").read_text().split()[0]
    assert digest in out
    assert f"\n    sh {FILE} install\n" in out
    assert "Resolve the packages" in err


def test_json_is_all_there_is_on_stdout(run: Run) -> None:
    status, out, err = run(*BUNDLE, *X86, "--json")
    assert status == 0
    assert err == ""
    data = json.loads(out)
    assert data["schema"] == 1
    assert data["ok"] is True
    assert data["command"] == "bundle"
    assert data["result"]["file"] == f"dist/{FILE}"
    assert data["result"]["packages"] == 8
    assert data["result"]["built"] == ["only-source"]
    assert data["result"]["constraints"]["source"] == "release-date"
    assert data["result"]["command"] == f"sh {FILE} install"


def test_quiet_says_nothing(run: Run) -> None:
    assert run(*BUNDLE, "--quiet") == (0, "", "")


def test_errors_as_sentences_and_as_json(run: Run) -> None:
    status, out, err = run("bundle", "--airflow", "9.9.9")
    assert (status, out) == (2, "")
    assert "error: The index has no Airflow 9.9.9. [invalid-request]" in err
    assert "Traceback" not in err
    status, out, err = run("bundle", "--airflow", "9.9.9", "--json")
    assert status == 2
    assert json.loads(out)["error"]["reference"] == "invalid-request"


def test_all_problems_of_a_request_are_told_together(run: Run) -> None:
    status, _, err = run(
        "bundle", "--airflow", "three", "--python", "2.7", "--extra", "a b", "--resolver", "conda"
    )  # fmt: skip
    assert status == 2
    for word in ("--airflow three", "'2.7'", "--extra a b", "--resolver conda"):
        assert word in err
    _, _, err = run("bundle", "--find-links", "no/such wheels")
    assert "--find-links no/such wheels: no such folder" in err
    status, _, err = run("bundle", "--platform", "windows")
    assert "'windows' is not a platform tag" in err


def test_other_spellings_of_a_release_and_a_python(run: Run, tmp_path: Path) -> None:
    (tmp_path / "airferry.toml").write_text('[bundle]\nairflow = "2.10.5"\n')
    for python in ("python3.11", "3.11.4"):
        status, out, _ = run(
            "bundle", "-f", str(tmp_path / "airferry.toml"), "--airflow", "latest", "--python", python,
            "--constraints", "release-date", "--json",
        )  # fmt: skip
        made = json.loads(out)["result"]
        assert (status, made["airflow"], made["python"]) == (0, "3.3.2", "3.11")


def test_a_mistyped_option_is_a_usage_error(run: Run) -> None:
    status, out, err = run("bundle", "--airfow", "3.3.2", "--json")
    assert status == 2
    assert "--airfow" in err
    data = json.loads(out)
    assert (data["ok"], data["command"], data["error"]["reference"]) == (False, "bundle", "usage")
    assert "--airfow" in data["error"]["message"]


def test_a_bug_leaves_a_log_and_says_where(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(making, "make_bundle", broken)
    (tmp_path / "state").mkdir(exist_ok=True)
    status, _, err = run(*BUNDLE, "--index-url", "https://kim:hidden@index.example/simple")
    assert status == 1
    assert "bug" in err
    assert "Traceback" not in err
    logs = [path for path in (tmp_path / "state").rglob("*.log") if "ZeroDivisionError" in path.read_text()]
    assert len(logs) == 1
    assert "--index-url https://***@index.example/simple" in logs[0].read_text()


def test_ctrl_c_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "make_bundle", interrupted)
    status, _, err = run(*BUNDLE)
    assert status == 130
    assert "Traceback" not in err


def test_help_and_version_as_a_module() -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TERM": "dumb"}
    for arguments, expected in (
        (["--version"], f"airferry {__version__}"),
        (["bundle", "-h"], "--constraints"),
    ):
        command = [sys.executable, "-m", "bundler", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_the_bundle_command_imports_no_more_than_it_needs() -> None:
    """What --from and --shape need takes as long to import as the command line itself."""
    listed = "import sys, json, bundler.commands.bundle; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", listed], check=True, capture_output=True, text=True)
    loaded = set(json.loads(done.stdout))
    assert loaded & {"bundler.approval.delta", "bundler.approval.shape", "bundler.inspection.whole"} == set()
