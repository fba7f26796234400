"""Evidence: what was approved and what is here, for people: no secret in it, and a signature over it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap import daily
from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from bootstrap.commands import evidence as command
from bootstrap.examination import records
from bootstrap.installed.installation import Installation
from bootstrap.services import control, units
from bootstrap.state import admission
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.upkeep.evidence import comparison, gathering, page
from bootstrap.upkeep.evidence.comparison import EvidenceUnreadable
from bootstrap.upkeep.evidence.data import Evidence
from tests.support.commands import run
from tests.support.configured import configured
from wheelhouse import codec

SHA256 = "5" * 64


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = configured(tmp_path / "home")
    with Journal(made.journal).recorded("install", airflow="3.3.2", bundle="b"):
        pass
    return made


def installation(home: Home) -> Installation:
    return Installation(receipts.load(home.receipt))


def install(home: Home, name: str, files: dict[str, str]) -> Path:
    """Packages as an installer leaves them, with their RECORD."""
    site = installation(home).release.venv / "lib" / "python3.11" / "site-packages"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    rows = []
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}")
    (info / "RECORD").write_text("\n".join([*rows, f"{info.name}/RECORD,,", ""]))
    return site


def test_what_is_not_as_it_was_installed_is_named(home: Home) -> None:
    site = install(
        home, "alpha", {"alpha/__init__.py": "x = 1\n", "alpha/data.txt": "y", "../../../bin/alpha": "s"}
    )
    install(home, "beta", {"beta.py": "z = 1\n"})
    found = records.compare(site)
    assert (found.packages, found.files, found.sound) == (2, 4, True)
    (site / "alpha/__init__.py").write_text("x = 2\n")
    (site / "beta.py").unlink()
    (site / "alpha/planted.py").write_text("")
    (site / "alpha/__pycache__").mkdir()
    (site / "alpha/__pycache__/x.pyc").write_text("")
    (site / "airferry-added.pth").write_text("")
    found = records.compare(site)
    assert (found.changed, found.missing) == (("alpha/__init__.py",), ("beta.py",))
    assert found.unlisted == ("alpha/planted.py",)
    os.mkfifo(site / "beta.py")  # nothing waits for a writer
    assert records.compare(site).changed == ("alpha/__init__.py", "beta.py")


def test_the_file_is_told_as_the_approval_has_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(admission, "find", asked.append)
    kept = replace(receipts.load(home.receipt), bundle_sha256=SHA256, bundle_seal="7" * 64)
    receipts.save(home.receipt, kept)
    found = gathering.gather(installation(home)).file
    assert (found.sha256, found.seal) == (SHA256, "7" * 64)
    receipts.save(home.receipt, replace(kept, bundle_seal=""))
    older = gathering.gather(installation(home)).file
    assert (older.sha256, older.seal) == ("", SHA256)
    assert asked == [SHA256, ""]


def test_no_secret_is_in_it(home: Home) -> None:
    """Secrets are planted wherever an admin, a program or an attacker may have left them."""
    planted = {
        name: f"Geheim{number}{name.title()}Wort"
        for number, name in enumerate(
            (
                "admin",
                "smtp",
                "unknown",
                "variable",
                "connection",
                "journal",
                "url",
                "pair",
                "role",
                "section",
            )
        )
    }
    place = installation(home)
    for path in home.secrets.iterdir():
        if path.name in ("admin-password", "postgres-password"):
            path.write_text(planted["admin" if "admin" in path.name else "role"] + "\n")
    settings = [
        Setting("smtp", "smtp_password", planted["smtp"]),
        Setting("smtp", "smtp_host", f"mail.example ({planted['smtp']})"),
        Setting("core", "apikey", planted["unknown"]),
        Setting("logging", "base_log_folder", f"s3://kim:{planted['url']}@bucket/logs"),
        Setting("our_own", "login", planted["section"]),
    ]
    text = config.edit(config.read(home.airflow_cfg), settings)
    config.write(home.airflow_cfg, text)
    (home.etc / "local.env").write_text(
        f"AIRFLOW_CONN_DB=postgresql://u:{planted['connection']}@h/d\nMY_PASSWORD={planted['variable']}\n"
    )
    journal = Journal(home.journal)
    with journal.recorded("config", set="[core] x", to=f"password={planted['pair']}", was=planted["smtp"]):
        pass
    with journal.recorded("passwd", user=f"x://kim:{planted['journal']}@host"):
        pass
    install(home, "alpha", {f"alpha-{planted['admin']}.py": ""})
    for path in place.release.venv.rglob(f"alpha-{planted['admin']}.py"):
        path.unlink()  # which is named as missing
    found = gathering.gather(place)
    data = codec.dumps(found)
    shown = page.render(found, "data.json", SHA256).decode()
    for text in (data, html.unescape(shown)):
        assert [name for name, value in planted.items() if value in text] == []
        for path in home.secrets.iterdir():
            value = path.read_text().strip()
            assert len(value) < 6 or value not in text, path
    assert "[our_own] login" in shown and "smtp_password" in shown
    assert found.variables == ("AIRFLOW_CONN_DB", "MY_PASSWORD")


def test_the_page_runs_nothing_and_opens_nothing(home: Home) -> None:
    receipt = receipts.load(home.receipt)
    strange = '<script src="http://x.example/a.js"></script><img src=x onerror=alert(1)>\u202e'
    receipts.save(home.receipt, replace(receipt, bundle_file=strange, admin_user=strange))
    with Journal(home.journal).recorded("config", set=strange):
        pass
    found = gathering.gather(installation(home))
    text = page.render(found, "data.json", SHA256).decode()
    tags = {name.lower() for name in re.findall(r"<([a-zA-Z0-9]+)", text)}
    assert tags <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "table", "thead", "tbody", "tr",
        "th", "td", "b", "code", "span", "div", "p", "ul", "li",
    }  # fmt: skip
    assert "&lt;script" in text and "\u202e" not in text
    assert "default-src 'none'" in text and "size: A4" in text
    assert "설치 증적" in text and "Evidence of an installation" in text
    assert codec.loads(Evidence, codec.dumps(found)) == found


def test_the_command_writes_and_signs(home: Home, tmp_path: Path) -> None:
    if not shutil.which("ssh-keygen"):
        pytest.skip("no ssh-keygen is here")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=60)
    ran = run(home, "evidence", "--output", str(tmp_path), "--key", str(key), "--json")
    assert ran.returncode == 0, ran
    made: dict[str, Any] = json.loads(ran.stdout)["result"]
    data = Path(made["data"])
    assert hashlib.sha256(data.read_bytes()).hexdigest() == made["sha256"]
    assert " ".join(re.findall(".{8}", made["sha256"])) in Path(made["page"]).read_text()
    (tmp_path / "signers").write_text(f"host {' '.join((tmp_path / 'key.pub').read_text().split()[:2])}\n")
    for path in (data, Path(made["page"])):
        verify: list[str | Path] = ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "signers", "-I", "host"]
        verify += ["-n", command.NAMESPACE, "-s", f"{path}.sig"]
        assert subprocess.run(verify, input=path.read_bytes(), check=False).returncode == 0
        assert subprocess.run(verify, input=path.read_bytes() + b" ", check=False).returncode != 0
    ran = run(home, "evidence", "--output", str(tmp_path), "--key", str(tmp_path / "none"))
    assert (ran.returncode, "evidence-not-signed" in ran.stderr) == (108, True), ran
    assert run(home, "evidence", "--output", str(tmp_path / "gone")).returncode not in (0, 1)


def test_two_are_compared(home: Home, tmp_path: Path) -> None:
    before = gathering.gather(installation(home))
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(codec.dumps(before))
    new.write_text(codec.dumps(replace(before, written="2099-01-01T00:00:00Z")))
    same = run(home, "evidence", "--compare", str(old), str(new))
    assert (same.returncode, "Nothing has changed" in same.stdout) == (0, True), same
    config.write(
        home.airflow_cfg, config.edit(config.read(home.airflow_cfg), [Setting("core", "parallelism", "3")])
    )
    new.write_text(codec.dumps(gathering.gather(installation(home))))
    ran = run(home, "evidence", "--compare", str(old), str(new))
    assert ran.returncode == command.DIFFERENT, ran
    assert "configuration[core parallelism].value: " in ran.stdout and "-> 3" in ran.stdout


def test_units_are_compared_with_what_airferry_writes(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SYSTEM_UNITS", tmp_path)
    receipts.save(home.receipt, replace(receipts.load(home.receipt), services="systemd"))
    layout = installation(home).layout_of("systemd")
    for name, text in units.render(layout).items():
        (tmp_path / name).write_text(text)
    found = {item.name: item for item in gathering.gather(installation(home)).components}
    assert {item.as_written for item in found.values()} == {True}
    assert found["scheduler"].unit == "airferry-airflow-scheduler.service"
    unit = tmp_path / found["scheduler"].unit
    assert found["scheduler"].unit_sha256 == hashlib.sha256(unit.read_bytes()).hexdigest()
    unit.write_text(unit.read_text() + "ExecStartPre=/tmp/x\n")
    (tmp_path / found["triggerer"].unit).unlink()
    found = {item.name: item for item in gathering.gather(installation(home)).components}
    assert [name for name, item in found.items() if not item.as_written] == ["scheduler", "triggerer"]


@pytest.mark.parametrize("said", ["", "{}", '{"schema": 1, "more": 1}'])
def test_what_the_account_says_is_looked_at_first(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily, "look_as_account", lambda home, look: said)
    with pytest.raises(EvidenceUnreadable):
        command.evidence(output=tmp_path, key=None, compare=None, home=tmp_path, json=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schema": 9}', b"\xff", b"[" * 100_000, b'{"schema": 1}'])
def test_a_file_that_is_no_evidence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(EvidenceUnreadable):
        comparison.read(path)
