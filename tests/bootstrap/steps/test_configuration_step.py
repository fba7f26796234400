"""An airflow.cfg of another release, carried into the home of a first install."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bootstrap.airflow import config
from bootstrap.airflow.executor import CELERY_SPREAD
from bootstrap.base.secret import Secret, write
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster
from bootstrap.state.cluster import HeadRecord
from bootstrap.steps.configuration import ConfigurationStep
from tests.support.configured import unconfigured
from tests.support.option_tables import put

KEY = "cIz7AHQLxLgLrNbWCDvzbNpcg6dMv0wKJ3p0bRQ4hZE="


def test_options_of_another_release_are_moved_and_told_and_the_file_is_kept(tmp_path: Path) -> None:
    step = unconfigured(tmp_path / "home")
    put(step.installation.release.venv)
    carried = f"""\
[core]
fernet_key = {KEY}
# our limit
dag_concurrency = 7
check_slas = True
[webserver]
web_server_port = 8081
base_url = https://airflow.example/x
"""
    step.path.write_text(carried)
    assert "options of other releases get their places, and the file is kept as it was" in step.describe()
    step.apply()
    text = config.read(step.path)
    assert "# our limit\n# dag_concurrency = 7\n# check_slas = True\n" in text
    assert config.get(text, "core", "new") == "7"
    assert config.get(text, "api", "base_url") == "https://airflow.example/x"
    assert config.get(text, "api", "port") == "9"  # the install's, as ever
    assert config.get(text, "core", "fernet_key") == KEY
    assert len(step.notes) == 3, step.notes
    moved, gone, kept = step.notes
    assert moved == (
        "Moved in airflow.cfg for Airflow 3.3.2: [webserver] web_server_port -> [api] port,"
        " [core] dag_concurrency -> [core] new, [webserver] base_url -> [api] base_url"
    )
    assert gone == "Commented out in airflow.cfg, Airflow 3.3.2 does not need it: [core] check_slas"
    (copy,) = step.path.parent.glob("airflow.cfg.*.bak")
    assert kept == f"airflow.cfg as it was is kept: {copy}"
    assert copy.read_text() == carried
    assert step.done() and "other releases" not in step.describe()


def test_a_file_of_our_own_is_told_of_nothing(tmp_path: Path) -> None:
    step = unconfigured(tmp_path / "home")
    put(step.installation.release.venv)
    step.apply()
    assert step.notes == ()
    assert not list(step.path.parent.glob("airflow.cfg.*.bak"))


def test_a_file_from_a_backup_names_the_database_as_it_is_now_for_celery_too(tmp_path: Path) -> None:
    step = unconfigured(tmp_path / "home", "2.11.2")
    home, found = step.installation.home, step.installation.receipt
    cluster.save(home, HeadRecord(1, "0a1b2c3d4e5f", "celery", "head", 8080, True, broker="database"))
    write(cluster.broker_file(home), Secret("database"))
    write(home.postgres_password, Secret("pw"))
    there = replace(found.database, kind="private", port=25999)
    moved = Installation(replace(found, executor=CELERY_SPREAD.name, database=there))
    step.path.write_text(
        "[database]\nsql_alchemy_conn = postgresql+psycopg2://airflow:pw@127.0.0.1:25432/airflow\n"
        "[celery]\nresult_backend = db+postgresql://airflow:pw@127.0.0.1:25432/airflow\n"
        "broker_url = sqla+postgresql://airflow:pw@127.0.0.1:25432/airflow\n"
    )
    ConfigurationStep(moved).correct_database()
    text = config.read(step.path)
    assert "25432" not in text
    assert text.count("airflow:pw@127.0.0.1:25999/airflow") == 3
