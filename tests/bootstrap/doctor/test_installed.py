"""An installation that is there: made by hand as the installer makes it, then broken in one place."""

from __future__ import annotations

import base64
import hashlib
import os
import py_compile
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from bootstrap.base.account import current
from bootstrap.doctor.checks import installed as checks
from bootstrap.doctor.checks.configuration import CONFIG_OK
from bootstrap.doctor.checks.files import LINK_BROKEN
from bootstrap.doctor.checks.home import INSTALLATION_FOUND
from bootstrap.doctor.checks.storage import DISK_OK
from bootstrap.doctor.finding import Finding, Report
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, SEVERITIES, WARNING
from bootstrap.examination import installed
from bootstrap.examination.installed import ComponentState, Installed
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.state import change_record
from bootstrap.state import receipt as receipts
from bootstrap.state.change_record import Change
from bootstrap.state.home import Home
from bootstrap.state.receipt import Database, Receipt
from bootstrap.steps.packages import LinkStep
from bootstrap.steps.secrets import FoldersStep
from tests.support import bundles
from tests.support.commands import run
from wheelhouse import codec

BUNDLE = "3.3.2-cp311-0123456789"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """A home as an install leaves it, of a package of one file, with nothing running."""
    home = Home(tmp_path / "air flow")
    receipt = Receipt(
        schema=1, airferry="0", airflow="3.3.2", bundle_id=BUNDLE, bundle_file="airflow 3.3.2.run",
        bundle_sha256="0" * 64, python=sys.executable, home=str(home.path), account="me",
        web_host="127.0.0.1", web_port=1, log_port=2, trigger_log_port=3, parallelism=4, auth="fab",
        admin_user="admin", database=Database("127.0.0.1", 4, "airflow", "airflow", "18.6"),
        services="supervisor", completed=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )  # fmt: skip
    made = Installation(receipt)
    FoldersStep(home, None).apply()
    home.cluster.mkdir(mode=0o700)
    programs = made.release.postgres / "embedded" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    for name in ("initdb", "postgres", "psql", "pg_isready", "pg_dump", "pg_restore"):
        (programs / name).write_text('#!/bin/sh\n[ "$1" = --version ] || exit 2\n')
        (programs / name).chmod(0o755)
    tiny = bundles.package("tiny", "wheels/tiny-1-py3-none-any.whl")
    made.release.manifest.write_text(bundles.manifest(packages=(tiny,)).dumps())
    site = made.release.venv / "lib" / "python3.11" / "site-packages"
    (site / "tiny-1.dist-info").mkdir(parents=True)
    (site / "tiny.py").write_text("answer = 42\n")
    (site / "tiny-1.dist-info" / "METADATA").write_text("Name: tiny\nVersion: 1\n\nName: no more\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"answer = 42\n").digest()).decode().rstrip("=")
    rows = f"tiny.py,sha256={digest},12\ntiny-1.dist-info/METADATA,,\ntiny-1.dist-info/RECORD,,\n"
    (site / "tiny-1.dist-info" / "RECORD").write_text(rows)
    (made.release.venv / "bin").mkdir()
    (made.release.venv / "bin" / "python").symlink_to(sys.executable)
    made.release.complete.write_text(BUNDLE)
    LinkStep(made).apply()
    config.write(home.airflow_cfg, config.edit("", ManagedSettings(made).settings()))
    return made


def ids(findings: list[Finding]) -> dict[str, str]:
    return {finding.id: finding.severity for finding in findings}


def judge(installation: Installation) -> dict[str, str]:
    found = installed.collect(installation)
    assert found.failures == ()
    assert codec.loads(Installed, codec.dumps(found)) == found
    return ids(checks.check(found))


def text(installation: Installation, identifier: str) -> str:
    return next(item.found for item in checks.check(installed.collect(installation)) if item.id == identifier)


SOUND = {
    "installation-ok": OK,
    "config-ok": OK,
    "components-stopped": WARNING,
    "growth-ok": OK,
    "backup-none": NOTE,
}


def test_a_sound_installation_that_is_stopped(installation: Installation) -> None:
    assert judge(installation) == SOUND
    (stopped,) = (item for item in checks.check(installed.collect(installation)) if item.severity == WARNING)
    assert stopped.commands == (f"'{installation.home.path}/bin/airferry' start",)


def remove(path: Callable[[Installation], Path]) -> Callable[[Installation], None]:
    return lambda installation: path(installation).unlink()


def module(installation: Installation) -> Path:
    return installation.release.venv / "lib/python3.11/site-packages/tiny.py"


def end_link(installation: Installation) -> None:
    installation.home.current_link.unlink()
    installation.home.current_link.symlink_to("releases/other")


def end_python(installation: Installation) -> None:
    python = installation.release.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.11")


def cut_bytecode(installation: Installation) -> None:
    path = Path(py_compile.compile(str(module(installation)), doraise=True) or "")
    path.write_bytes(path.read_bytes()[:30])


@pytest.mark.parametrize(
    ("harm", "identifier"),
    [
        (remove(lambda made: made.release.complete), "installation-incomplete"),
        (remove(lambda made: made.home.current_link), "link-broken"),
        (end_link, "link-broken"),
        (end_python, "environment-broken"),
        (remove(module), "packages-damaged"),
        (lambda made: module(made).write_text("x"), "packages-damaged"),
        (lambda made: module(made).write_text("answer = 43\n"), "packages-damaged"),
        (cut_bytecode, "bytecode-damaged"),
    ],
)
def test_damage_on_disk(
    installation: Installation, harm: Callable[[Installation], None], identifier: str
) -> None:
    harm(installation)
    found = judge(installation)
    assert found == {**{key: SOUND[key] for key in SOUND if key != "installation-ok"}, identifier: BLOCKER}


def install_wheel(installation: Installation, name: str, version: str) -> None:
    """As pip does it by hand, with what that leaves on the disk."""
    site = module(installation).parent
    for old in site.glob(f"{name}-*.dist-info"):
        shutil.rmtree(old)
    (site / f"{name}.py").write_text(f"version = {version!r}\n")
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "INSTALLER").write_text("pip\n")
    (folder / "RECORD").write_text(
        f"{name}.py,,\n{folder.name}/METADATA,,\n{folder.name}/INSTALLER,,\n{folder.name}/RECORD,,\n"
    )


def test_packages_that_were_changed_by_hand_are_named(installation: Installation) -> None:
    install_wheel(installation, "tiny", "0.8.10")
    install_wheel(installation, "Tabulate_x", "0.9")
    (module(installation).parent / "helpers.py").write_text("")
    found = text(installation, "packages-changed").splitlines()
    assert found == [
        "changed: tiny 0.8.10, in the bundle 1.0",
        "added: Tabulate_x 0.9",
        f"added: {module(installation).parent / 'helpers.py'}",
    ]
    (item,) = (
        item for item in checks.check(installed.collect(installation)) if item.id == "packages-changed"
    )
    assert (item.severity, "upgrade drops them" in item.why) == (WARNING, True)
    assert "airferry' add ADDON" in item.remedy


def test_package_that_is_gone_blocks(installation: Installation) -> None:
    shutil.rmtree(module(installation).parent / "tiny-1.dist-info")
    module(installation).unlink()
    assert judge(installation)["packages-changed"] == BLOCKER
    assert text(installation, "packages-changed") == "removed: tiny 1.0"


def test_what_a_venv_and_add_ons_have_beside_the_packages_is_no_change(installation: Installation) -> None:
    for name in ("_virtualenv.py", "_virtualenv.pth", "airferry-added.pth"):
        (module(installation).parent / name).write_text("")
    py_compile.compile(str(module(installation)), doraise=True)
    assert "packages-changed" not in judge(installation)


def test_file_that_was_edited_before_the_release_was_complete_is_compared_by_size_alone(
    installation: Installation,
) -> None:
    module(installation).write_text("answer = 43\n")
    later = time.time() + 5
    os.utime(installation.release.complete, (later, later))
    assert "packages-damaged" not in judge(installation)


FAB = "flask_appbuilder.security.manager"
LDAP = f"from {FAB} import AUTH_LDAP\nAUTH_TYPE = AUTH_LDAP\n"


def login(installation: Installation, text: str) -> list[str]:
    (installation.home.path / "webserver_config.py").write_text(text)
    found = [item for item in checks.check(installed.collect(installation)) if item.id.startswith("login-")]
    return [line.partition("webserver_config.py, ")[2] for item in found for line in item.found.splitlines()]


def test_login_that_nobody_can_use(installation: Installation) -> None:
    assert login(installation, LDAP) == [
        f"line 1, import {FAB}: No module named '{FAB}'",
        "line 2, AUTH_TYPE = AUTH_LDAP: No module named 'ldap'",
    ]
    (item,) = (item for item in checks.check(installed.collect(installation)) if item.severity == BLOCKER)
    assert (item.id, "--extra ldap" in item.remedy) == ("login-modules-missing", True)
    # with the simple auth manager the file is not read at all
    simple = Installation(replace(installation.receipt, auth="simple"))
    assert login(simple, LDAP) == []


def test_login_modules_are_really_imported(installation: Installation) -> None:
    """By the release's own Python, and what is not its own is looked for alone."""
    home = installation.home.path
    (home / "plugins").mkdir(exist_ok=True)
    (home / "plugins" / "corp").mkdir()
    (home / "plugins" / "corp" / "roles.py").write_text(f"open({str(home / 'ran')!r}, 'w')")
    fine = "import json.decoder\nimport corp.roles\nfrom xml.etree import ElementTree\nAUTH_TYPE = 1\n"
    assert login(installation, fine) == []
    assert not (home / "ran").exists()
    assert login(installation, "import corp.other\n") == [
        "line 1, import corp.other: No module named 'corp.other'"
    ]
    # a compiled module whose library is missing says so when it is imported
    base = Path(os.path.realpath(sys.executable)).parent
    (installation.release.venv / "pyvenv.cfg").write_text(f"home = {base}\n")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = installation.release.venv / "lib" / version / "site-packages"
    site.mkdir(parents=True, exist_ok=True)
    (site / "ldap.py").write_text("raise ImportError('libldap-2.5.so.0: cannot open shared object file')\n")
    assert login(installation, "AUTH_TYPE = 2\n") == [
        "line 1, AUTH_TYPE = 2: libldap-2.5.so.0: cannot open shared object file"
    ]


def test_report_ends_with_the_command_as_it_was_typed(installation: Installation) -> None:
    home = installation.home.path
    receipts.save(installation.home.receipt, replace(installation.receipt, account=current().name))
    own, named = f"'{home}/bin/airferry'", f"--home '{home}'"
    installation.home.current_link.unlink()
    ran = run(installation.home, "doctor", "--strict")
    assert ran.stdout.rstrip().endswith(f"run doctor again:\n    {own} doctor {named} --strict"), ran.stdout


def test_an_install_whose_proof_failed(installation: Installation) -> None:
    unproven = Installation(replace(installation.receipt, completed=""))
    assert judge(unproven)["installation-incomplete"] == BLOCKER
    (finding,) = (item for item in checks.check(installed.collect(unproven)) if item.severity == BLOCKER)
    assert finding.commands == (f"sh 'airflow 3.3.2.run' install --home '{installation.home.path}'",)


def test_damaged_files_are_named(installation: Installation) -> None:
    module(installation).unlink()
    assert "tiny.py is missing" in text(installation, "packages-damaged")


def test_secrets_that_others_can_read(installation: Installation) -> None:
    secret = installation.home.postgres_password
    secret.chmod(0o640)
    installation.home.airflow_cfg.chmod(0o644)
    assert judge(installation) == {**SOUND, "secrets-open": WARNING}
    shown = text(installation, "secrets-open")
    assert shown.splitlines() == [f"{secret} (mode 0640)", f"{installation.home.airflow_cfg} (mode 0644)"]


# airflow.cfg


def change(installation: Installation, section: str, option: str, value: str) -> None:
    path = installation.home.airflow_cfg
    config.write(path, config.edit(config.read(path), [Setting(section, option, value)]))


@pytest.mark.parametrize(
    ("section", "option", "value", "identifier", "severity"),
    [
        ("database", "sql_alchemy_conn", "sqlite:////x/airflow.db", "config-sqlite", BLOCKER),
        ("database", "sql_alchemy_conn", "", "config-sqlite", BLOCKER),
        ("database", "sql_alchemy_conn", "mysql://u:topsecret@db:3306/a", "config-database", WARNING),
        ("core", "executor", "SequentialExecutor", "config-executor", WARNING),
        (
            "core",
            "execution_api_server_url",
            "http://127.0.0.1:8080/execution/",
            "config-execution-api",
            BLOCKER,
        ),
        (
            "core",
            "execution_api_server_url",
            "http://127.0.0.1:11/execution/",
            "config-execution-api",
            BLOCKER,
        ),
        ("api", "base_url", "http://proxy/air", "config-execution-api", BLOCKER),
        ("core", "execution_api_server_url", "http://name:1/execution", "config-execution-api", WARNING),
        ("api", "base_url", "airflow.example", "config-base-url", BLOCKER),
        ("core", "fernet_key", "topsecret", "config-keys", NOTE),
        ("api_auth", "jwt_secret", "", "config-keys", WARNING),
    ],
)
def test_settings_that_matter(
    installation: Installation, section: str, option: str, value: str, identifier: str, severity: str
) -> None:
    change(installation, section, option, value)
    expected = {**{key: SOUND[key] for key in SOUND if key != "config-ok"}, identifier: severity}
    assert judge(installation) == expected
    assert "topsecret" not in text(installation, identifier)


def test_a_port_that_was_changed_in_one_place(installation: Installation) -> None:
    change(installation, "api", "port", "9090")
    found = judge(installation)
    assert (found["config-port"], found["config-execution-api"]) == (WARNING, BLOCKER)
    change(installation, "core", "execution_api_server_url", "http://127.0.0.1:9090/execution/")
    found = judge(installation)
    assert found["config-port"] == WARNING
    assert "config-execution-api" not in found


def test_addresses_are_compared_as_a_whole(installation: Installation) -> None:
    """Host, port and path; another spelling of this host is none of our business."""
    own = ManagedSettings(installation).settings()
    wanted = next(item.value for item in own if item.option == "execution_api_server_url")
    for same in (wanted.rstrip("/"), wanted.replace("127.0.0.1", "localhost")):
        change(installation, "core", "execution_api_server_url", same)
        assert judge(installation) == SOUND
    change(installation, "core", "execution_api_server_url", wanted.replace("127.0.0.1", "head.example"))
    assert judge(installation)["config-execution-api"] == WARNING
    change(installation, "api", "base_url", "http://proxy.example/air/")
    assert judge(installation)["config-execution-api"] == BLOCKER
    change(installation, "core", "execution_api_server_url", wanted.replace("/execution", "/air/execution"))
    assert judge(installation) == SOUND


def test_settings_of_the_admins_own_are_no_finding(installation: Installation) -> None:
    change(installation, "core", "parallelism", "64")
    change(installation, "core", "load_examples", "True")
    change(installation, "email", "from_email", "etl@example.com")
    change(installation, "logging", "log_format", "%(asctime)s %(message)s")
    assert judge(installation) == SOUND


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[core]\nexecutor = LocalExecutor\n", "section 'core' already exists"),
        ("[smtp]\nsmtp_host = a\nsmtp_host = b\n", "option 'smtp_host' in section 'smtp' already exists"),
        ("[smtp]\nsmtp_password = top%secret\n", "[smtp] smtp_password: a single % in its value"),
        ("[smtp]\nsmtp_password topsecret\n", "cannot be parsed: line "),
    ],
)
def test_a_file_that_airflow_cannot_read(installation: Installation, line: str, words: str) -> None:
    path = installation.home.airflow_cfg
    path.write_text(path.read_text() + line)
    assert judge(installation)["config-unreadable"] == BLOCKER
    assert words in text(installation, "config-unreadable")
    assert "secret" not in text(installation, "config-unreadable")


def test_no_file_at_all(installation: Installation) -> None:
    installation.home.airflow_cfg.unlink()
    assert judge(installation)["config-unreadable"] == BLOCKER


def test_a_secret_that_is_gone_is_said(installation: Installation) -> None:
    installation.home.postgres_password.unlink()
    found = installed.collect(installation)
    assert [failure.name for failure in found.failures] == ["configuration"]
    assert ids(checks.check(found))["facts-incomplete"] == WARNING


# components

UP = tuple(ComponentState(name, "RUNNING", "healthy") for name in ("postgres", "api-server", "scheduler"))


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (UP, {"components-ok": OK}),
        ((*UP, ComponentState("triggerer", "RUNNING")), {"components-ok": OK}),
        ((*UP, ComponentState("triggerer", "FATAL", "", "exited too quickly")), {"component-down": BLOCKER}),
        ((*UP, ComponentState("triggerer", "RUNNING", "unhealthy")), {"component-ill": BLOCKER}),
        ((*UP, ComponentState("triggerer", "RUNNING", "never started")), {"component-ill": BLOCKER}),
        (tuple(replace(item, state="STOPPED", health="") for item in UP), {"components-stopped": WARNING}),
    ],
)
def test_components(components: tuple[ComponentState, ...], expected: dict[str, str]) -> None:
    found = Installed("/srv/airflow", "3.3.2", "f.run", completed=True, components=components)
    findings = checks.check(found)
    assert ids(findings) == expected
    for finding in findings:
        if finding.severity == BLOCKER:
            assert "triggerer" in finding.found
            assert finding.commands[0].endswith(" triggerer")
            assert "/srv/airflow/logs/airferry/triggerer.log" in finding.remedy


def test_every_id_is_in_the_catalogue_with_its_severity(installation: Installation) -> None:
    installation.home.airflow_cfg.chmod(0o644)
    for finding in checks.check(installed.collect(installation)):
        assert SEVERITIES.index(finding.severity) >= SEVERITIES.index(finding.entry.severity)


def test_findings_are_added_to_a_report_in_order() -> None:
    report = Report("s", "h", (INSTALLATION_FOUND.found("x"), DISK_OK.found("x")))
    more = report.plus([LINK_BROKEN.found("x"), CONFIG_OK.found("x")],
                       without=["installation-found"])  # fmt: skip
    assert [finding.id for finding in more.findings] == ["link-broken", "config-ok", "disk-ok"]


def test_interrupted_upgrade(installation: Installation) -> None:
    old = replace(installation.receipt, airflow="3.3.1", bundle_id="3.3.1-cp311-0123456789")
    change = Change(1, "upgrade", old, installation.receipt, "2026-10-01T12:00:00Z", running=True)
    change_record.begin(installation.home, change)
    (found,) = [item for item in checks.check(installed.collect(installation)) if "change" in item.id]
    assert (found.id, found.severity) == ("change-unfinished", "blocker")
    assert "from Airflow 3.3.1 to 3.3.2" in found.found
    assert [command.split()[-1] for command in found.commands] == [
        shlex.quote(str(installation.home.path)).split()[-1],
        "rollback",
    ]


def test_variables_that_override_what_the_installation_set(installation: Installation) -> None:
    own = installation.home.etc / "local.env"
    own.write_text("AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE=no\nAIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=2\n")
    assert judge(installation) == SOUND  # options of the admin's own, or of the same value
    own.write_text(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql://elsewhere:s3cret@db/x\n"
        "AIRFLOW__CORE__FERNET_KEY_CMD=cat /etc/key\nAIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=9\n"
    )
    assert judge(installation) == {**SOUND, "local-env-overrides": BLOCKER}
    said = text(installation, "local-env-overrides")
    assert "s3cret" not in said
    for name in ("CORE__FERNET_KEY_CMD", "DATABASE__SQL_ALCHEMY_CONN", "LOGGING__WORKER_LOG_SERVER_PORT"):
        assert f"AIRFLOW__{name}" in said
