from __future__ import annotations

import base64
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow import differences
from bootstrap.airflow.differences import NEWEST, UnsupportedAirflow
from bootstrap.airflow.executor import LOCAL
from bootstrap.airflow.release import Parameters, generate_fernet_key, release_for, settings
from bootstrap.base.secret import Secret
from bootstrap.state.receipt import HEAD


def parameters(**changes: Any) -> Parameters:
    values: dict[str, Any] = {
        "home": Path("/opt/airflow"),
        "database_url": Secret("postgresql+psycopg2://airflow:pw@127.0.0.1:5433/airflow"),
        "fernet_key": Secret("F"),
        "secret_key": Secret("S"),
        "jwt_secret": Secret("J"),
        "web_port": 8081,
    }
    return Parameters(**{**values, **changes})


def written(version: str, **changes: Any) -> dict[str, str]:
    found = settings(release_for(version), parameters(**changes))
    as_text = {f"[{item.section}] {item.option}": item.value for item in found}
    assert len(as_text) == len(found), "no option twice"
    return as_text


@pytest.mark.parametrize("version", ["2.2.1", "2.0.0", "1.10.15"])
def test_too_old(version: str) -> None:
    with pytest.raises(UnsupportedAirflow) as caught:
        release_for(version)
    assert (caught.value.reference, caught.value.exit_code) == ("unsupported-airflow", 45)
    assert caught.value.needed == "2.2.2 or newer"


@pytest.mark.parametrize("version", ["", "3", "3.3", "latest", "3.3.2.1", "v3.3.2", "3.3.2+local", "3.x.1"])
def test_no_version(version: str) -> None:
    with pytest.raises(UnsupportedAirflow):
        release_for(version)


def test_numbers_are_compared_as_numbers() -> None:
    assert release_for("2.10.5").initialise == ("db", "migrate")
    assert release_for("2.6.3").initialise == ("db", "init")


_MAJOR, _MINOR, _PATCH = differences.numbers(NEWEST)


@pytest.mark.parametrize(
    "version",
    [
        f"{_MAJOR}.{_MINOR}.{_PATCH + 1}", f"{_MAJOR}.{_MINOR + 1}.0", f"{_MAJOR + 1}.0.0",
        f"{_MAJOR}.{_MINOR + 1}.0b2",
    ],
)  # fmt: skip
def test_newer_than_known_is_like_the_newest(version: str) -> None:
    newer, newest = release_for(version), release_for(NEWEST)
    assert (newer.known, newest.known) == (False, True)
    assert LOCAL.components(newer.numbers, HEAD) == LOCAL.components(newest.numbers, HEAD)
    assert settings(newer, parameters()) == settings(newest, parameters())


def test_rows_are_in_order_and_cover_every_release() -> None:
    rows = [row for row in vars(differences).values() if isinstance(row, differences.Row)]
    assert len(rows) > 20
    for row in rows:
        versions = [differences.numbers(first) for first, _ in row.since]
        assert versions == sorted(set(versions)), row.what
        assert versions[0] == (2, 2, 2), row.what
        assert versions[-1] <= differences.numbers(NEWEST), row.what
        values = [value for _, value in row.since]
        assert all(values[i] != values[i - 1] for i in range(1, len(values))), row.what


def test_log_servers_are_left_out_where_one_address_was_asked_for() -> None:
    """They listen on all interfaces, and no setting of Airflow's changes that."""

    def skipping(version: str, host: str) -> list[str]:
        release = release_for(version)
        return [
            item.name
            for item in LOCAL.components(release.numbers, HEAD)
            if "--skip-serve-logs" in release.component_arguments(item, host)
        ]

    for version in ("2.2.2", "2.6.3", "3.3.2"):
        assert skipping(version, "0.0.0.0") == skipping(version, "::") == []
    assert skipping("2.2.2", "127.0.0.1") == ["scheduler"]
    assert skipping("2.6.3", "10.0.0.1") == skipping("3.3.2", "::1") == ["scheduler", "triggerer"]


def test_components() -> None:
    def names(version: str) -> list[str]:
        return [item.name for item in LOCAL.components(release_for(version).numbers, HEAD)]

    assert names("2.2.2") == names("2.11.2") == ["webserver", "scheduler", "triggerer"]
    assert names("3.0.0") == names("3.3.2") == ["api-server", "scheduler", "dag-processor", "triggerer"]


def test_settings_of_the_oldest() -> None:
    assert written("2.2.2") == {
        "[core] executor": "LocalExecutor",
        "[core] parallelism": "4",
        "[core] load_examples": "False",
        "[core] hostname_callable": "socket.gethostname",
        "[core] fernet_key": "F",
        "[core] sql_alchemy_conn": "postgresql+psycopg2://airflow:pw@127.0.0.1:5433/airflow",
        "[core] load_default_connections": "False",
        "[webserver] web_server_host": "0.0.0.0",
        "[webserver] web_server_port": "8081",
        "[webserver] base_url": "http://localhost:8081",
        "[webserver] secret_key": "S",
        "[webserver] expose_hostname": "False",
        "[api] auth_backend": "airflow.api.auth.backend.basic_auth",
        "[scheduler] dag_dir_list_interval": "30",
    }


def test_settings_of_the_newest() -> None:
    assert written("3.3.2") == {
        "[core] executor": "LocalExecutor",
        "[core] parallelism": "4",
        "[core] load_examples": "False",
        "[core] hostname_callable": "socket.gethostname",
        "[core] fernet_key": "F",
        "[core] auth_manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "[core] execution_api_server_url": "http://127.0.0.1:8081/execution/",
        "[database] sql_alchemy_conn": "postgresql+psycopg2://airflow:pw@127.0.0.1:5433/airflow",
        "[api] host": "0.0.0.0",
        "[api] port": "8081",
        "[api] secret_key": "S",
        "[api] enable_swagger_ui": "False",
        "[api_auth] jwt_secret": "J",
        "[workers] max_failed_heartbeats": "30",
        "[workers] min_heartbeat_interval": "2",
        "[execution_api] jwt_expiration_time": "86400",
        "[workers] execution_api_retries": "30",
        "[workers] execution_api_retry_wait_max": "10",
        "[dag_processor] refresh_interval": "30",
        "[logging] file_task_handler_new_folder_permissions": "0o755",
        "[logging] file_task_handler_new_file_permissions": "0o644",
    }


def test_tasks_are_looked_at_often_where_they_are_few() -> None:
    """Each look is a request to the API server."""
    seconds = {
        many: written("3.3.2", parallelism=many)["[workers] min_heartbeat_interval"]
        for many in (2, 4, 16, 17, 32, 64)
    }
    assert seconds == {2: "2", 4: "2", 16: "2", 17: "3", 32: "4", 64: "5"}


# option -> versions before it, versions with it
MOVES = {
    "[database] sql_alchemy_conn": (["2.2.5"], ["2.3.0", "2.11.2", "3.0.0"]),
    "[database] load_default_connections": (["2.2.5", "3.0.0"], ["2.3.0", "2.11.2"]),
    "[api] auth_backends": (["2.2.5", "3.0.0"], ["2.3.0", "2.11.2"]),
    "[webserver] secret_key": (["3.0.2"], ["2.2.2", "2.11.2", "3.0.0", "3.0.1"]),
    "[api] secret_key": (["2.11.2", "3.0.1"], ["3.0.2", "3.3.2"]),
    "[api] enable_swagger_ui": (["2.11.2", "3.0.1"], ["3.0.2", "3.3.2"]),
    "[usage_data_collection] enabled": (["2.9.3", "2.10.5", "2.11.0", "3.0.0"], ["2.10.0", "2.10.4"]),
    "[webserver] expose_hostname": (["2.6.0", "2.11.2", "3.0.0"], ["2.2.2", "2.5.3"]),
    "[core] auth_manager": (["2.2.2", "2.11.2"], ["3.0.0", "3.3.2"]),
    "[webserver] web_server_port": (["3.0.0"], ["2.2.2", "2.11.2"]),
    "[api] port": (["2.11.2"], ["3.0.0"]),
    "[scheduler] dag_dir_list_interval": (["3.0.0"], ["2.11.2"]),
    "[workers] max_failed_heartbeats": (["2.11.2"], ["3.0.0", "3.3.2"]),
    "[workers] min_heartbeat_interval": (["2.11.2"], ["3.0.0", "3.3.2"]),
    "[workers] execution_api_retries": (["2.11.2"], ["3.0.0", "3.3.2"]),
    "[workers] execution_api_retry_wait_max": (["2.11.2"], ["3.0.0", "3.3.2"]),
    "[execution_api] jwt_expiration_time": (["2.11.2"], ["3.0.0", "3.3.2"]),
    "[dag_processor] refresh_interval": (["2.11.2"], ["3.0.0"]),
    "[logging] file_task_handler_new_folder_permissions": (["2.2.2", "2.5.3"], ["2.6.0", "3.3.2"]),
    "[logging] file_task_handler_new_file_permissions": (["2.2.2", "2.5.3"], ["2.6.0", "3.3.2"]),
}


@pytest.mark.parametrize("option", MOVES)
def test_options_that_come_and_go(option: str) -> None:
    without, within = MOVES[option]
    assert [version for version in without if option in written(version)] == []
    assert [version for version in within if option not in written(version)] == []


def test_the_time_zone_of_schedules_and_pages() -> None:
    assert [item for item in written("2.11.2") if "timezone" in item] == []
    for version, options in (
        ("2.2.2", ["[core] default_timezone", "[webserver] default_ui_timezone"]),
        ("2.11.2", ["[core] default_timezone", "[webserver] default_ui_timezone"]),
        ("3.3.2", ["[core] default_timezone"]),
    ):
        found = written(version, timezone="Asia/Seoul")
        assert {item: value for item, value in found.items() if "timezone" in item} == dict.fromkeys(
            options, "Asia/Seoul"
        )


def test_basic_authentication_of_the_rest_api() -> None:
    assert written("2.6.3")["[api] auth_backends"].split(",") == [
        "airflow.api.auth.backend.basic_auth",
        "airflow.api.auth.backend.session",
    ]
    first = written("2.10.5")["[api] auth_backends"].split(",")[0]
    assert first == "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth"


def test_simple_login() -> None:
    found = written("3.3.2", auth="simple", admin_user="kim")
    assert found["[core] auth_manager"].endswith("SimpleAuthManager")
    assert found["[core] simple_auth_manager_users"] == "kim:admin"
    expected = "/opt/airflow/secrets/simple-auth-passwords.json"
    assert found["[core] simple_auth_manager_passwords_file"] == expected
    with pytest.raises(UnsupportedAirflow):
        written("2.11.2", auth="simple")


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("::", "[::1]"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd::1", "[fd::1]"),
    ],
)
def test_tasks_reach_the_server_where_it_listens(host: str, reached: str) -> None:
    url = written("3.3.2", web_host=host)["[core] execution_api_server_url"]
    assert url == f"http://{reached}:8081/execution/"


def test_base_url_and_log_ports_only_when_given() -> None:
    asked = {"base_url": "https://airflow.corp", "log_port": 18793, "trigger_log_port": 18794}
    assert written("3.3.2", **asked)["[api] base_url"] == "https://airflow.corp"
    assert written("2.2.2", **asked)["[webserver] base_url"] == "https://airflow.corp"
    assert written("2.2.2", **asked)["[logging] worker_log_server_port"] == "18793"
    assert written("3.3.2", **asked)["[logging] trigger_log_server_port"] == "18794"
    assert "[logging] trigger_log_server_port" not in written("2.5.3", **asked)


def test_secrets_are_marked() -> None:
    found = settings(release_for("3.3.2"), parameters())
    options = {item.option for item in found if item.secret}
    assert options == {"fernet_key", "sql_alchemy_conn", "secret_key", "jwt_secret"}


def test_commands() -> None:
    moment = datetime(2026, 11, 20, 1, 2, 3, tzinfo=timezone.utc)
    old, new = release_for("2.2.2"), release_for("3.3.2")
    assert old.trigger("d", "r", moment) == (
        *("dags", "trigger", "--run-id", "r", "-e", "2026-11-20T01:02:03+00:00", "d"),
    )
    assert new.trigger("d", "r", moment)[4:6] == ("-l", "2026-11-20T01:02:03+00:00")
    days = date(2026, 11, 1), date(2026, 11, 3)
    assert old.backfill("d", *days) == (
        *("dags", "backfill", "--start-date", "2026-11-01", "--end-date", "2026-11-03", "d"),
    )
    assert new.backfill("d", *days) == (
        *("backfill", "create", "--dag-id", "d", "--from-date", "2026-11-01", "--to-date", "2026-11-03"),
    )
    assert old.create_admin("kim", "pw")[-1] == "--password=pw"
    assert old.lint is None
    assert new.lint == ("config", "lint")


def test_fernet_key() -> None:
    first, second = generate_fernet_key(), generate_fernet_key()
    assert first != second
    assert len(base64.urlsafe_b64decode(first.reveal())) == 32
