"""The settings that a site changed, told from those that an old default file wrote out."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.airflow import config, old_options
from bootstrap.airflow.config import Setting
from tests.support import old_airflow


def test_what_an_old_file_says_by_default_is_no_choice(tmp_path: Path) -> None:
    """The file of 2.2.2 has every option; this one was changed in three places."""
    home = old_airflow.make("2.2.2", tmp_path / "airflow")
    text = config.read(home / "airflow.cfg")
    found = {place for place, _ in old_options.changed(text, str(home))}
    assert found - {("core", "fernet_key"), ("webserver", "secret_key")} == {
        ("core", "dagbag_import_timeout"),
        ("core", "load_examples"),
        ("core", "parallelism"),
    }
    text = config.edit(text, [Setting("smtp", "smtp_host", "mail.example")])
    assert (("smtp", "smtp_host"), "mail.example") in old_options.changed(text, str(home))


@pytest.mark.parametrize(
    ("option", "value", "missing"),
    [
        (
            "backend",
            "airflow.providers.hashicorp.secrets.vault.VaultBackend",
            "airflow.providers.hashicorp.secrets.vault",
        ),
        ("backend", "airflow.providers.here.secrets.Backend", ""),
        ("backend", "plugged.Backend", ""),
        ("backend", "", ""),
        ("xcom_backend", "nowhere.XCom", "nowhere"),
        ("logging_config_class", "log_config.LOGGING_CONFIG", "log_config"),
        ("hostname_callable", "socket.getfqdn", ""),
        ("smtp_host", "smtp.example.com", ""),
        ("result_backend", "db+postgresql://a@b/c", ""),
        ("remote_logging", "True", "airflow.providers.amazon"),
        ("remote_base_log_folder", "s3://logs", "airflow.providers.amazon"),
    ],
)
def test_option_that_names_what_the_bundle_does_not_have(
    option: str, value: str, missing: str, tmp_path: Path
) -> None:
    """Airflow would not start with it."""
    (tmp_path / "site" / "airflow" / "providers" / "here").mkdir(parents=True)
    (tmp_path / "site" / "airflow" / "providers" / "here" / "secrets.py").touch()
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "plugged.py").touch()
    folders = [tmp_path / "site", tmp_path / "plugins"]
    assert old_options.missing(("any", option), value, "s3://logs", folders) == missing


def test_where_task_logs_go() -> None:
    text = "[core]\nremote_logging = {}\nremote_base_log_folder = gs://logs\n"
    assert old_options.remote_logs(text.format("True")) == "gs://logs"
    assert old_options.remote_logs(text.format("False")) == ""
