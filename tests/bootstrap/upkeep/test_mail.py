"""The mail server of an installation: a real SMTP dialogue, and stand-ins for Airflow's own sending."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow import config
from bootstrap.base.console import Console
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret
from bootstrap.change import site
from bootstrap.change.site import SiteChangeFailed
from bootstrap.doctor.checks import installed as all_checks
from bootstrap.doctor.checks import mail as checks
from bootstrap.doctor.severity import OK, WARNING
from bootstrap.examination import mail as examination
from bootstrap.examination.installed import Installed
from bootstrap.facts.mail import MailServer
from bootstrap.installed import dag_secrets
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt as receipts
from bootstrap.upkeep import mail as mails
from bootstrap.upkeep.mail import MailAsked, MailNotSent, MailUnusable
from tests.support.commands import run
from tests.support.configured import configured
from tests.support.faults import fault
from tests.support.mail import Sink

SENDER = "airflow@corp.example"
# what Airflow reads, and how it sends
SENDING = """
import configparser, os, smtplib
def send_email(to, subject, html_content):
    found = configparser.ConfigParser()
    found.read(os.environ["AIRFLOW_HOME"] + "/airflow.cfg")
    smtp = found["smtp"]
    with smtplib.SMTP(smtp["smtp_host"], int(smtp["smtp_port"])) as client:
        client.sendmail(smtp["smtp_mail_from"], [to], f"Subject: {subject}\\n\\n{html_content}")
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()
    yield found
    found.close()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    home = configured(tmp_path / "home", airflow="3.1.8")
    found = Installation(receipts.load(home.receipt))
    package = found.release.venv / "lib" / "airflow" / "utils"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "email.py").write_text(SENDING)
    return found


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The connections that were written or put back, which a database would hold."""
    found: list[dict[str, Any]] = []
    kept = {"smtp_default": {"conn_id": "smtp_default", "password": "gAAA-encrypted"}}

    def write(*given: Any, overwrite: bool) -> None:
        assert overwrite
        found.append(json.loads(given[2].text.reveal()))

    monkeypatch.setattr(site, "database_running", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(dag_secrets, "rows", lambda *_: Secret(json.dumps(kept)))
    monkeypatch.setattr(dag_secrets, "write", write)
    monkeypatch.setattr(dag_secrets, "put_back", lambda _, rows: found.append(json.loads(rows.reveal())))
    return found


def findings(installation: Installation) -> dict[str, str]:
    receipt = installation.receipt
    seen = Installed(receipt.home, receipt.airflow, receipt.bundle_file, completed=True)
    found = replace(seen, mail=examination.collect(installation))
    return {item.id: item.severity for item in checks.check(found)}


def test_a_server_is_tried_set_and_proven(
    installation: Installation, sink: Sink, brought: list[dict[str, Any]]
) -> None:
    sink.login = ("kim", "Brief & 7")
    server = MailServer("127.0.0.1", sink.port, user="kim")
    asked = MailAsked(server, SENDER, Secret("Brief & 7"))
    mails.check(installation, asked)
    assert sink.logins == ["kim"]
    assert mails.set_up(installation, asked, Console(quiet=True)).changed
    connection = brought[0]["smtp_default"]
    assert (connection["login"], connection["password"]) == ("kim", "Brief & 7")
    assert connection["extra_dejson"] == {"from_email": SENDER, "disable_ssl": True, "disable_tls": True}
    text = config.read(installation.home.airflow_cfg)
    names = ("smtp_host", "smtp_port", "smtp_starttls", "smtp_ssl", "smtp_mail_from")
    values = [config.get(text, "smtp", name) for name in names]
    assert values == ["127.0.0.1", str(sink.port), "False", "False", SENDER]
    assert config.get(text, "email", "from_email") == SENDER
    files = [path for path in installation.home.path.rglob("*") if path.is_file()]
    assert [path for path in files if b"Brief" in path.read_bytes()] == []
    sink.login = None
    mails.test(installation, "night@corp.example")
    (mail,) = sink.mails
    assert (mail.sender, mail.to) == (SENDER, ["night@corp.example"])
    assert "Airflow 3.1.8" in mail.text
    with pytest.raises(MailNotSent, match="stay as they are") as error:
        mails.test(installation, "night@elsewhere")
    assert "no relay" in error.value.found
    assert findings(installation) == {"mail-ok": OK}
    assert str(sink.port) in run(installation.home, "site").stdout


def test_what_does_not_work_is_told_and_changes_nothing(installation: Installation, sink: Sink) -> None:
    before = installation.home.airflow_cfg.read_text()
    sink.login = ("kim", "right")
    good = MailServer("127.0.0.1", sink.port, user="kim")
    wrong = {
        "no such user or password": MailAsked(good, SENDER, Secret("wrong")),
        "refused": MailAsked(replace(good, port=1), SENDER),
        "is not known here": MailAsked(replace(good, host="no.invalid"), SENDER),
        "STARTTLS": MailAsked(replace(good, encryption="starttls"), SENDER),
        "SSL": MailAsked(replace(good, encryption="ssl"), SENDER),
    }
    shown = {}
    for words, asked in wrong.items():
        with pytest.raises(MailUnusable) as error:
            mails.check(installation, asked)
        shown[words] = error.value.found
    assert {words: said for words, said in shown.items() if words not in said} == {}
    with pytest.raises(MailUnusable, match="no mail address"):
        mails.check(installation, MailAsked(good, "airflow"))
    ran = run(installation.home, "site", "mail", "--host", "127.0.0.1", "--port", "1", "--from", SENDER)
    assert (ran.returncode, "cannot be used" in ran.stderr) == (MailUnusable.exit_code, True)
    assert run(installation.home, "site", "mail", "--host", "h").returncode == 2
    own = installation.home.etc / "local.env"
    own.write_text('AIRFLOW_CONN_SMTP_DEFAULT={"conn_type": "smtp"}\n')
    with pytest.raises(MailUnusable, match="AIRFLOW_CONN_SMTP_DEFAULT in "):
        mails.check(installation, MailAsked(good, SENDER))
    own.unlink()
    assert installation.home.airflow_cfg.read_text() == before


def test_components_that_do_not_start_have_the_old_connection_again(
    installation: Installation, sink: Sink, brought: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = installation.home.airflow_cfg.read_text()
    started: list[int] = []

    def start(*_: Any) -> None:
        started.append(1)
        if len(started) == 1:
            raise CommandFailed("the scheduler did not start")

    monkeypatch.setattr(site, "airflow_runs", lambda _: True)
    monkeypatch.setattr(Installation, "stop", lambda *_: None)
    monkeypatch.setattr(site, "start", start)
    asked = MailAsked(MailServer("127.0.0.1", sink.port), SENDER)
    with pytest.raises(SiteChangeFailed, match="old ones again"):
        mails.set_up(installation, asked, Console(quiet=True))
    (new, old) = brought
    assert new["smtp_default"]["port"] == sink.port
    assert old["smtp_default"]["password"] == "gAAA-encrypted"
    assert installation.home.airflow_cfg.read_text() == before
    assert not (installation.home.run / "site-before").exists()


@fault("mail-server-fails", "closes a real SMTP server that airflow.cfg names")
def test_a_server_that_is_away(installation: Installation, sink: Sink, brought: list[dict[str, Any]]) -> None:
    assert findings(installation) == {}
    mails.set_up(installation, MailAsked(MailServer("127.0.0.1", sink.port), SENDER), Console(quiet=True))
    assert "password" not in brought[0]["smtp_default"]
    sink.close()
    assert findings(installation) == {"mail-server-fails": WARNING}
    assert checks.check in all_checks.CHECKS


@fault("mail-provider-missing", "sets a mail server for 3.3.2 without its SMTP provider")
def test_an_airflow_that_needs_the_provider(
    installation: Installation, sink: Sink, brought: list[dict[str, Any]]
) -> None:
    newer = Installation(replace(installation.receipt, airflow="3.3.2"))
    asked = MailAsked(MailServer("127.0.0.1", sink.port), SENDER)
    with pytest.raises(MailUnusable, match="SMTP provider"):
        mails.check(newer, asked)
    mails.set_up(newer, asked, Console(quiet=True))
    assert brought
    assert findings(newer) == {"mail-ok": OK, "mail-provider-missing": WARNING}
