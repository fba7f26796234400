"""Single options: what may be changed, what is said of the rest, and that a later install keeps it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.airflow.executor import LOCAL
from bootstrap.airflow.managed_options import affected, is_secret, managed_options, moved, shown
from bootstrap.airflow.release import release_for
from bootstrap.commands.config import compared
from bootstrap.examination import configuration
from bootstrap.installed.installation import Installation
from bootstrap.state import journal
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.state.receipt import HEAD
from bootstrap.steps.airflow import PipelinesStep
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.upkeep import settings
from tests.support.commands import run
from tests.support.configured import configured


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A configured installation whose airflow is a stand-in."""
    return configured(tmp_path / "home")


@pytest.fixture
def installation(home: Home) -> Installation:
    return Installation(receipts.load(home.receipt))


def test_a_value_set_by_hand_outlives_another_install(installation: Installation, home: Home) -> None:
    stale = settings.change(installation, "core", "load_examples", "True").components
    assert stale == ("api-server", "scheduler", "dag-processor", "triggerer")
    step = ConfigurationStep(installation)
    assert step.done()
    # and one that intends something else than the last one did
    record = json.loads(step.managed.record.read_text())
    for key in ("[core] load_examples", "[api] port"):
        record[key] = "what an older airferry wanted"
    step.managed.record.write_text(json.dumps(record))
    assert not step.done()
    step.apply()
    text = config.read(home.airflow_cfg)
    assert config.get(text, "core", "load_examples") == "True"
    assert config.get(text, "api", "port") == "9"
    assert step.done()


def test_the_file_keeps_all_else_and_a_copy(installation: Installation, home: Home) -> None:
    before = home.airflow_cfg.read_text()
    settings.change(installation, "smtp", "smtp_host", "mail.example")
    after = home.airflow_cfg.read_text()
    assert after == before.replace("# smtp_host = localhost", "smtp_host = mail.example")
    assert home.airflow_cfg.with_name("airflow.cfg.bak").read_text() == before
    assert [path.stat().st_mode & 0o777 for path in home.path.glob("airflow.cfg*")] == [0o600, 0o600]
    assert settings.change(installation, "smtp", "smtp_host", "mail.example").components == ()
    settings.change(installation, "smtp", "smtp_host", None)
    assert "smtp_host" not in home.airflow_cfg.read_text()
    assert settings.find(installation, "smtp", "SMTP_HOST").value == "localhost"


def test_byte_order_mark_goes_and_the_keys_are_adopted(installation: Installation, home: Home) -> None:
    key = "cryptographically_worthless_key_of_another_host="
    home.airflow_cfg.write_bytes(f"\ufeff[core]\r\nfernet_key = {key}\r\n# kept\r\n".encode())
    text = config.read(home.airflow_cfg)
    assert config.get(text, "core", "fernet_key") == key
    assert ("core", "fernet_key") in config.options(text) and ("core", "fernet_key") in config.listed(text)
    assert "byte order mark" in configuration.collect(installation).problem
    step = ConfigurationStep(installation)
    assert not step.done() and "byte order mark" in step.describe()
    step.managed.record.unlink()  # as on the first install into a home that has the file
    step.apply()
    written = home.airflow_cfg.read_text(encoding="utf-8")
    assert written.startswith("[core]\n") and written.count("[core]") == 1
    assert (home.secrets / "fernet-key").read_text().strip() == key
    assert config.get(written, "core", "fernet_key") == key
    assert step.done() and "byte order mark" not in step.describe()
    [copy] = home.path.glob("airflow.cfg.*Z.bak")
    assert copy.read_bytes().startswith(b"\xef\xbb\xbf")
    # and one that an editor has put there later, by the next edit
    home.airflow_cfg.write_text("\ufeff" + written, encoding="utf-8")
    assert settings.find(installation, "core", "fernet_key").set
    settings.change(installation, "smtp", "smtp_host", "mail.example", force=True)
    assert not home.airflow_cfg.read_bytes().startswith(b"\xef\xbb\xbf")


def test_utf_16_is_refused_and_not_appended_to(installation: Installation, home: Home) -> None:
    before = home.airflow_cfg.read_text().encode("utf-16")
    home.airflow_cfg.write_bytes(before)
    with pytest.raises(config.ConfigurationError, match="is UTF-16") as caught:
        settings.change(installation, "smtp", "smtp_host", "mail.example", force=True)
    assert "iconv" in caught.value.hint
    assert "UTF-16" in configuration.collect(installation).problem
    assert home.airflow_cfg.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        (("core", "executor"), "LocalExecutor"),
        (("database", "sql_alchemy_conn"), "--postgres"),
        (("database", "sql_alchemy_conn_async"), "--postgres"),
        (("api", "port"), "--port"),
        (("api", "host"), "--host"),
        (("core", "Parallelism"), "--parallelism"),
        (("core", "fernet_key"), "rotate-fernet-key"),
        (("webserver", "web_server_port"), "[api] port"),
        (("core", "sql_alchemy_conn"), "[database] sql_alchemy_conn"),
        (("scheduler", "dag_dir_list_interval"), "[dag_processor] refresh_interval"),
        (("database", "load_default_connections"), "option was removed"),
    ],
)
def test_what_would_break_it_is_refused_with_the_way_to_go(
    installation: Installation, home: Home, place: tuple[str, str], hint: str
) -> None:
    before = home.airflow_cfg.read_text()
    with pytest.raises(settings.SettingRefused) as caught:
        settings.change(installation, *place, "1")
    assert hint in caught.value.hint
    assert home.airflow_cfg.read_text() == before


def test_what_follows_from_an_option_is_changed_with_it(installation: Installation, home: Home) -> None:
    """The path of base_url belongs to the address that tasks speak to, and to every address of ours."""
    own = f"http://127.0.0.1:{installation.receipt.web_port}"

    def task_api() -> str | None:
        return config.get(config.read(home.airflow_cfg), "core", "execution_api_server_url")

    assert (installation.url, task_api()) == (own, f"{own}/execution/")
    made = settings.change(installation, "api", "base_url", "https://proxy.example/air/flow")
    assert made.also == (
        f"[core] execution_api_server_url = {own}/air/flow/execution/",
        "[fab] cookie_secure = True",
        "[fab] enable_proxy_fix = True",
    )
    assert set(made.components) == set(installation.components)
    assert (installation.url, task_api()) == (f"{own}/air/flow", f"{own}/air/flow/execution/")
    assert ConfigurationStep(installation).done()
    # by an editor: the next install makes up for it
    home.airflow_cfg.write_text(home.airflow_cfg.read_text().replace("/air/flow\n", "/b/\n"))
    step = ConfigurationStep(installation)
    assert not step.done()
    step.apply()
    assert (installation.url, task_api()) == (f"{own}/b", f"{own}/b/execution/")
    made = settings.change(installation, "api", "base_url", None)
    assert made.also == (f"[core] execution_api_server_url = {own}/execution/",)
    assert task_api() == f"{own}/execution/"
    assert "cookie_secure" not in home.airflow_cfg.read_text()


def test_a_variable_of_the_admins_wins_over_the_file(installation: Installation, home: Home) -> None:
    (home.etc / "local.env").write_text('AIRFLOW__API__BASE_URL="http://proxy.example/env"\n')
    assert installation.url.endswith("/env")
    step = ConfigurationStep(installation)
    step.apply()
    text = config.read(home.airflow_cfg)
    assert (config.get(text, "core", "execution_api_server_url") or "").endswith("/env/execution/")
    assert config.get(text, "api", "base_url") is None


def test_another_folder_for_dag_files(installation: Installation, home: Home, tmp_path: Path) -> None:
    """It must be there; the example pipelines, by which upgrades prove themselves, go along."""
    data = tmp_path / "data"
    for value in (str(data), "dags", str(home.airflow_cfg)):
        with pytest.raises(settings.SettingRefused) as caught:
            settings.change(installation, "core", "dags_folder", value)
    (home.dags / "airferry_examples").mkdir(parents=True)
    (home.dags / "airferry_examples" / "a.py").write_text("x")
    data.mkdir()
    made = settings.change(installation, "core", "dags_folder", str(data))
    assert made.also == (f"the example pipelines are copied to {data}/airferry_examples",)
    assert (data / "airferry_examples" / "a.py").read_text() == "x"
    assert PipelinesStep(installation, None).folder == data / "airferry_examples"  # type: ignore[arg-type]
    assert settings.change(installation, "core", "dags_folder", f"{data}/").also == ()
    back = settings.change(installation, "core", "dags_folder", None)
    assert (back.also, installation.folders.dags) == ((), home.dags)
    with pytest.raises(settings.SettingRefused, match="is not a folder"):
        settings.change(installation, "logging", "base_log_folder", str(home.airflow_cfg))
    assert "the account" in caught.value.needed


@pytest.mark.parametrize("value", ["proxy/air", "ftp://proxy", "http://", "http://a/?x=1", "/air"])
def test_an_address_for_browsers_that_is_none(installation: Installation, value: str) -> None:
    with pytest.raises(settings.SettingRefused, match="cannot be the address"):
        settings.change(installation, "api", "base_url", value)


def test_an_option_that_airflow_does_not_know(installation: Installation) -> None:
    with pytest.raises(settings.OptionUnknown) as caught:
        settings.change(installation, "core", "load_example", "False")
    assert caught.value.hint.startswith("Did you mean [core] load_examples? --force sets it")
    with pytest.raises(settings.OptionUnknown) as caught:
        settings.find(installation, "mail", "smtp_host")
    assert (caught.value.hint, caught.value.exit_code) == ("Did you mean [smtp] smtp_host?", 2)
    settings.change(installation, "mine", "own", "1", force=True)
    assert settings.find(installation, "mine", "own").value == "1"


def test_differences_say_who_wrote_what(installation: Installation) -> None:
    settings.change(installation, "core", "load_examples", "True")
    settings.change(installation, "smtp", "smtp_host", "mail.example")
    found = {(item.section, item.option): item for item in settings.differences(installation)}
    assert ("core", "dags_folder") not in found
    assert found["core", "load_examples"].note == "airferry wrote False"
    assert (found["smtp", "smtp_host"].by, found["smtp", "smtp_host"].default) == ("hand", "localhost")
    assert (found["core", "parallelism"].by, found["core", "parallelism"].default) == ("airferry", "32")
    assert found["database", "sql_alchemy_conn"].value == "***"
    lines = [compared(item) for item in found.values()]
    assert "[smtp] smtp_host = mail.example (default: localhost; by hand)" in lines
    assert all("\n" not in line for line in lines)


def test_secrets_are_neither_shown_nor_taken_from_the_command_line(home: Home, tmp_path: Path) -> None:
    # of Airflow 2: in 3 they are in a connection
    receipts.save(home.receipt, replace(receipts.load(home.receipt), airflow="2.11.2"))
    refused = run(home, "config", "set", "smtp", "smtp_password", "Tops3cret")
    assert (refused.returncode, "--value-file" in refused.stderr) == (94, True)
    file = tmp_path / "value"
    file.write_text("Tops3cret%\n")
    done = run(home, "config", "set", "smtp", "smtp_password", "--value-file", str(file))
    assert (done.returncode, "Tops3cret" in done.stdout + done.stderr) == (0, False), done.stderr
    assert run(home, "config", "get", "smtp", "smtp_password").stdout == "***\n"
    assert run(home, "config", "get", "smtp", "smtp_password", "--show-secret").stdout == "Tops3cret%\n"
    assert "Tops3cret" not in home.journal.read_text()
    entry = journal.read(home.journal).entries[-1]
    assert entry.details == {"set": "[smtp] smtp_password", "to": "***", "was": None}


def test_login_of_the_mail_server_is_a_connection_in_airflow_3(home: Home, tmp_path: Path) -> None:
    before = home.airflow_cfg.read_text()
    file = tmp_path / "value"
    file.write_text("Tops3cret\n")
    for words in (
        ("set", "smtp", "smtp_password", "Tops3cret"),
        ("set", "smtp", "smtp_password", "--value-file", str(file)),
        ("set", "smtp", "SMTP_USER", "kim"),
        ("get", "smtp", "smtp_password"),
    ):
        refused = run(home, "config", *words)
        said = " ".join(refused.stderr.split())
        assert refused.returncode == 94, (words, said)
        assert "user and password of the mail server are in a connection" in said
        assert "airferry site mail --host HOST" in said
        assert "Tops3cret" not in said
    assert home.airflow_cfg.read_text() == before


def test_what_is_secret() -> None:
    for name in (
        "smtp_password",
        "fernet_key",
        "secret_key",
        "sql_alchemy_conn",
        "backend_kwargs",
        "sql_alchemy_conn_async",
        "jwt_secret",
    ):
        assert is_secret(name), name
    for name in ("parallelism", "jwt_expiration_time", "password_file_name", "token_timeout", "dags_folder"):
        assert not is_secret(name), name
    assert shown("proxy", "http://kim:Tops3cret@proxy.example:80") == "http://kim:***@proxy.example:80"


@pytest.mark.parametrize("version", ["2.2.2", "2.6.3", "2.10.4", "3.3.2"])
def test_what_is_reserved_is_where_the_release_has_it(version: str) -> None:
    release = release_for(version)
    names = tuple(item.name for item in LOCAL.components(release.numbers, HEAD))
    assert not [place for place in managed_options(release, LOCAL) if moved(release, *place)[0]]
    assert affected(release, names, "webserver") == (release.web_component,)
    assert "scheduler" in affected(release, names, "scheduler")
    assert affected(release, names, "logging") == names
