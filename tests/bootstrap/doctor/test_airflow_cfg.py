"""An airflow.cfg of another host or release in the home: what it names must be here before the install."""

from __future__ import annotations

import configparser
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from bootstrap.base import account as accounts
from bootstrap.doctor.checks import airflow_cfg
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, WARNING
from bootstrap.facts.host import Facts
from bootstrap.installed import carried
from bootstrap.installed.installation import Installation
from bootstrap.state.home import Home
from tests.support.examining import as_root
from tests.support.faults import fault
from tests.support.receipts import sample
from wheelhouse import codec

DATA = Path(__file__).parents[1] / "airflow" / "data"


@pytest.fixture
def home() -> Iterator[Home]:
    """A home that every account can reach, which pytest's own folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="airferry-cfg-", dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    yield Home(folder / "home")
    shutil.rmtree(folder)


def found(
    home: Home,
    needs: Needs,
    facts: Facts,
    *lines: str,
    account: str = "",
    airflow: str = "3.3.2",
    **values: str,
) -> dict[str, Finding]:
    """The findings for an airflow.cfg with these lines, by id."""
    if lines:
        home.airflow_cfg.write_text("\n".join(lines) + "\n")
    chosen = replace(
        sample(home.path), account=account or accounts.current().name, airflow=airflow, **values  # type: ignore[arg-type]
    )  # fmt: skip
    collected = carried.collect(chosen)
    if collected is not None:
        collected = codec.loads(type(collected), codec.dumps(collected))  # as saved facts cross
    judged = airflow_cfg.check(replace(facts, airflow_cfg=collected), replace(needs, home=str(home.path)))
    return {item.id: item for item in judged}


def severities(found: dict[str, Finding]) -> dict[str, str]:
    return {name: item.severity for name, item in found.items()}


def test_without_a_file_nothing_is_said(home: Home, needs: Needs, facts: Facts) -> None:
    assert found(home, needs, facts) == {}


@pytest.mark.parametrize("release", ["2.2.2", "2.6.3", "2.10.4", "2.11.2", "3.0.6", "3.3.2"])
@pytest.mark.parametrize("target", ["2.11.2", "3.3.2"])
def test_a_default_file_of_this_home_is_no_finding(
    home: Home, needs: Needs, facts: Facts, release: str, target: str
) -> None:
    """Whatever stands in the file that a release writes, under 2.x and under 3.x."""
    text = (DATA / f"airflow-{release}.cfg").read_text()
    old = config.get(text, "core", "dags_folder") or next(
        value for (_, option), value in config.listed(text).items() if option == "dags_folder"
    )
    text = text.replace(old.removesuffix("/dags"), str(home.path))
    assert found(home, needs, facts, text, airflow=target) == {}


@fault("folder-missing", "an airflow.cfg whose folders are those of another host")
@as_root
def test_folders_of_another_host(home: Home, needs: Needs, facts: Facts) -> None:
    lines = (
        "[core]",
        "dags_folder = /srv/old/airflow/dags",
        "plugins_folder = /srv/old/airflow/plugins",
        "[logging]",
        "base_log_folder = /srv/old/airflow/logs",
    )
    chosen = found(home, needs, facts, *lines, account="nobody")
    assert severities(chosen) == {"folder-missing": BLOCKER}
    collected = carried.collect(replace(sample(home.path), account="nobody"))
    assert collected is not None
    said = list(airflow_cfg.check(replace(facts, airflow_cfg=collected), needs))
    assert [(item.severity, item.found.split(" = ")[0]) for item in said] == [
        (BLOCKER, "[core] dags_folder"),
        (WARNING, "[core] plugins_folder"),
        (BLOCKER, "[logging] base_log_folder"),
    ]
    assert all(item.commands == (f"install -d -o nobody {_path(item)}",) for item in said)
    # where the account can make it, it is a warning; logs are made by Airflow
    os.chown(home.path, pwd.getpwnam("nobody").pw_uid, -1)
    made = ("[core]", "dags_folder = $AIRFLOW_HOME/other", "[logging]", f"base_log_folder = {home.path}/l")
    assert severities(found(home, needs, facts, *made, account="nobody")) == {"folder-missing": WARNING}


def _path(item: Finding) -> str:
    return item.found.split(" = ")[1].split(";")[0]


@fault("folder-closed", "folders in airflow.cfg that only root may enter or write to")
@as_root
@pytest.mark.parametrize(
    ("mode", "option", "expected"),
    [
        (0o700, "[core]\ndags_folder", {"folder-closed": BLOCKER}),
        (0o700, "[core]\nplugins_folder", {"folder-closed": WARNING}),
        (0o755, "[logging]\nbase_log_folder", {"folder-closed": BLOCKER}),
        (0o777, "[logging]\nbase_log_folder", {"folder-foreign": WARNING}),
        (0o755, "[core]\nplugins_folder", {}),
        (0o777, "[core]\ndags_folder", {}),
    ],
)
def test_folders_that_are_closed(
    home: Home, needs: Needs, facts: Facts, mode: int, option: str, expected: dict[str, str]
) -> None:
    folder = home.path.parent / "theirs"
    folder.mkdir()
    folder.chmod(mode)
    assert severities(found(home, needs, facts, f"{option} = {folder}", account="nobody")) == expected


@as_root
def test_dag_files_of_root_need_one_folder_for_the_examples(home: Home, needs: Needs, facts: Facts) -> None:
    folder = home.path.parent / "dags"
    folder.mkdir(mode=0o755)
    lines = f"[core]\ndags_folder = {folder}"
    chosen = found(home, needs, facts, lines, account="nobody")
    assert severities(chosen) == {"folder-closed": BLOCKER}
    assert chosen["folder-closed"].commands == (f"install -d -o nobody {folder}/airferry_examples",)
    (folder / "airferry_examples").mkdir()
    os.chown(folder / "airferry_examples", pwd.getpwnam("nobody").pw_uid, -1)
    assert found(home, needs, facts, lines, account="nobody") == {}
    receipt = replace(sample(home.path), account="nobody")
    assert Installation(receipt).folders.dags == folder


@fault("folder-unclear", "a relative dags_folder in airflow.cfg")
@fault("folder-personal", "a dags_folder below ~ in airflow.cfg")
def test_folders_that_depend_on_who_asks(home: Home, needs: Needs, facts: Facts) -> None:
    for value in ("dags", "$NOWHERE/dags", "./dags"):
        assert severities(found(home, needs, facts, f"[core]\ndags_folder = {value}")) == {
            "folder-unclear": BLOCKER
        }
    said = found(home, needs, facts, "[core]\nplugins_folder = ~/nowhere/plugins")
    assert severities(said) == {"folder-personal": WARNING, "folder-missing": WARNING}
    assert pwd.getpwuid(os.geteuid()).pw_dir in said["folder-personal"].found
    for value in ("$AIRFLOW_HOME/dags", "${AIRFLOW_HOME}/dags/", f"{home.path}/dags"):
        assert found(home, needs, facts, f"[core]\ndags_folder = {value}") == {}


def test_a_variable_of_the_admins_wins(home: Home, needs: Needs, facts: Facts) -> None:
    (home.etc).mkdir()
    (home.etc / "local.env").write_text("AIRFLOW__CORE__DAGS_FOLDER=$AIRFLOW_HOME/own\nSITE=/srv\n")
    chosen = found(home, needs, facts, "[core]\ndags_folder = /nowhere")
    assert "[core] dags_folder = $AIRFLOW_HOME/own" in chosen["folder-missing"].found
    assert Installation(sample(home.path)).folders.dags == home.path / "own"


@fault("airflow-cfg-closed", "an airflow.cfg of root's, mode 0600, in the account's home")
@as_root
def test_a_file_that_the_account_cannot_read(home: Home, needs: Needs, facts: Facts) -> None:
    os.chown(home.path, pwd.getpwnam("nobody").pw_uid, -1)
    home.airflow_cfg.write_text("[core]\n")
    home.airflow_cfg.chmod(0o600)
    chosen = found(home, needs, facts, account="nobody")
    assert severities(chosen) == {"airflow-cfg-closed": BLOCKER}
    assert chosen["airflow-cfg-closed"].commands == (f"chown nobody {home.airflow_cfg}",)
    # in a home of root's it is given to the account; a link is not followed
    os.chown(home.path, 0, -1)
    assert found(home, needs, facts, account="nobody") == {}
    # an install by root that was broken off has given it away already
    os.chown(home.airflow_cfg, pwd.getpwnam("nobody").pw_uid, -1)
    assert found(home, needs, facts, account="nobody") == {}
    home.airflow_cfg.unlink()
    home.airflow_cfg.symlink_to("/etc/shadow")
    assert severities(found(home, needs, facts, account="nobody")) == {"airflow-cfg-closed": BLOCKER}


@fault("airflow-cfg-broken", "an airflow.cfg with a single % in a value, a line twice, in CP949 or UTF-16")
@pytest.mark.parametrize(
    "content",
    [
        b"[core]\nx = 100%\n", b"[core]\na = 1\na = 2\n", "[core]\n# 설정\nx = 1\n".encode("cp949"),
        *("[core]\nx = 1\n".encode(name) for name in ("utf-16", "utf-16-le", "utf-32")),
    ],
)  # fmt: skip
def test_a_file_that_airflow_cannot_read(home: Home, needs: Needs, facts: Facts, content: bytes) -> None:
    home.airflow_cfg.write_bytes(content)
    with pytest.raises((configparser.Error, UnicodeDecodeError)):
        parser = configparser.ConfigParser()
        parser.read(home.airflow_cfg, encoding="utf-8")
        dict(parser["core"])
    assert severities(found(home, needs, facts)) == {"airflow-cfg-broken": BLOCKER}


@fault("provider-missing", "a secrets backend of a provider that the bundle lacks")
@fault("remote-logs", "remote_logging to s3:// without the provider")
@fault("module-missing", "a logging_config_class that lies nowhere")
@fault("web-tls", "a certificate for the web server in airflow.cfg without its key, or not there")
@fault("dag-bundles-remote", "DAG bundles of a repository alone")
def test_what_the_bundle_or_the_home_does_not_hold(home: Home, needs: Needs, facts: Facts) -> None:
    backend = "airflow.providers.hashicorp.secrets.vault.VaultBackend"
    assert severities(found(home, needs, facts, f"[secrets]\nbackend = {backend}")) == {
        "provider-missing": BLOCKER
    }
    held = replace(needs, wheels=("apache_airflow_providers_hashicorp-4.0-py3-none-any.whl",))
    assert found(home, held, facts, f"[secrets]\nbackend = {backend}") == {}
    logs = "remote_logging = True\nremote_base_log_folder = s3://bucket/logs"
    assert severities(found(home, needs, facts, f"[logging]\n{logs}")) == {"remote-logs": BLOCKER}
    assert found(home, needs, facts, f"[logging]\n{logs}".replace("True", "False")) == {}
    own = "[logging]\nlogging_config_class = log_config.LOGGING_CONFIG"
    assert severities(found(home, needs, facts, own)) == {"module-missing": BLOCKER}
    (home.path / "config").mkdir()
    (home.path / "config" / "log_config.py").write_text("")
    assert found(home, needs, facts, own) == {}
    for section, release in (
        ("webserver]\nweb_server", "2.11.2"),
        ("webserver]\nweb_server", "3.3.2"),
        ("api]\n", "3.3.2"),
    ):
        option = f"[{section}_ssl_cert = /x.pem".replace("\n_", "\n")
        assert severities(found(home, needs, facts, option, airflow=release)) == {"web-tls": BLOCKER}
        both = f"{option}\n{option.partition(chr(10))[2].replace('_cert', '_key')}"
        assert severities(found(home, needs, facts, both, airflow=release)) == {"web-tls": BLOCKER}
        there = both.replace("/x.pem", str(home.airflow_cfg))
        assert found(home, needs, facts, there, airflow=release) == {}
    git = '[{"name": "g", "classpath": "airflow.dag_processing.bundles.GitDagBundle", "kwargs": {}}]'
    bundles = f"[dag_processor]\ndag_bundle_config_list = {git}"
    assert severities(found(home, needs, facts, bundles)) == {"dag-bundles-remote": BLOCKER}
    assert found(home, needs, facts, bundles, airflow="2.11.2") == {}


def test_local_dag_bundles_say_where_the_examples_go(home: Home) -> None:
    local = (
        '[{"name": "l", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": %s}]'
    )
    for kwargs, expected in (("{}", home.dags), ('{"path": "/data/dags"}', Path("/data/dags"))):
        home.airflow_cfg.write_text("")
        text = config.edit("", [Setting("dag_processor", "dag_bundle_config_list", local % kwargs)])
        home.airflow_cfg.write_text(text)
        assert Installation(sample(home.path)).folders.pipelines == expected


@pytest.mark.parametrize(
    ("folder", "services", "blocks"),
    [
        ("/home/logs", "systemd", True), ("/etc/logs", "systemd", True), ("/tmp/logs", "systemd", True),
        ("/home/logs", "supervisor", False), ("/data/logs", "systemd", False),
    ],
)  # fmt: skip
def test_what_units_close_to_the_components(
    home: Home, needs: Needs, facts: Facts, folder: str, services: str, blocks: bool
) -> None:
    said = found(home, needs, facts, f"[logging]\nbase_log_folder = {folder}", services=services)
    assert ("folder-closed" in said and "systemd" in said["folder-closed"].found) == blocks


@as_root
def test_a_worker_needs_no_place_for_examples_in_a_shared_folder(
    home: Home, needs: Needs, facts: Facts
) -> None:
    shared = Path(tempfile.mkdtemp(prefix="airferry-shared-", dir="/var/tmp"))
    try:
        shared.chmod(0o755)
        lines = ("[core]", f"dags_folder = {shared}")
        assert set(found(home, needs, facts, *lines, account="nobody")) == {"folder-closed"}
        assert found(home, needs, facts, *lines, account="nobody", role="worker") == {}
    finally:
        shared.rmdir()
