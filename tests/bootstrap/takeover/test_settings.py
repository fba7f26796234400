"""The settings that a site changed, told from those that an old default file wrote out."""

from __future__ import annotations

from pathlib import Path

from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from bootstrap.takeover import settings
from tests.support import old_airflow


def test_what_an_old_file_says_by_default_is_no_choice(tmp_path: Path) -> None:
    """The file of 2.2.2 has every option; this one was changed in three places."""
    home = old_airflow.make("2.2.2", tmp_path / "airflow")
    text = config.read(home / "airflow.cfg")
    found = {place for place, _ in settings.changed(text, str(home))}
    assert found - {("core", "fernet_key"), ("webserver", "secret_key")} == {
        ("core", "dagbag_import_timeout"),
        ("core", "load_examples"),
        ("core", "parallelism"),
    }
    text = config.edit(text, [Setting("smtp", "smtp_host", "mail.example")])
    assert (("smtp", "smtp_host"), "mail.example") in settings.changed(text, str(home))
