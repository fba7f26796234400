"""What Airflow 3 renamed in airflow.cfg: moved in place, with every comment kept."""

from __future__ import annotations

from pathlib import Path

from bootstrap.airflow import moves
from bootstrap.airflow.option_tables import OptionMove
from bootstrap.airflow.release import release_for
from tests.support.option_tables import put

CHANGES = [
    OptionMove(("webserver", "page_size"), ("api", "page_size")),
    OptionMove(("logging", "log_filename_template"), only="dag_id={{ ti.dag_id }}/\nrun_id={{ ti.run_id }}"),
    OptionMove(("logging", "log_format"), only="x"),
    OptionMove(("webserver", "cookie_samesite"), ("fab", "cookie_samesite")),
    OptionMove(("webserver", "workers"), ("api", "workers")),
]
TEXT = """\
# ours: do not touch
[webserver]
# how many on a page
page_size = 50
workers = 4
cookie_samesite = Lax
[logging]
log_filename_template = dag_id={{ ti.dag_id }}/
    run_id={{ ti.run_id }}
log_format = %%(message)s
[scheduler]
catchup_by_default = True
[fab]
cookie_samesite = Strict
"""


def test_values_move_and_everything_else_stays() -> None:
    moved = moves.apply(TEXT, CHANGES)
    assert (
        moved
        == """\
# ours: do not touch
[webserver]
# how many on a page
# page_size = 50
# workers = 4
# cookie_samesite = Lax
[logging]
# log_filename_template = dag_id={{ ti.dag_id }}/
#     run_id={{ ti.run_id }}
log_format = %%(message)s
[scheduler]
catchup_by_default = True
[fab]
cookie_samesite = Strict

[api]
page_size = 50
"""
    )
    assert moves.apply(moved, CHANGES) == moved


def test_backends_that_airflow_3_does_not_have_are_left_behind() -> None:
    text = "[api]\nauth_backends = airflow.api.auth.backend.session\n"
    change = OptionMove(("api", "auth_backends"), ("fab", "auth_backends"))
    oldest = OptionMove(("api", "auth_backend"), ("fab", "auth_backends"))
    assert "[fab]" not in moves.apply("[api]\nauth_backend = airflow.api.auth.backend.deny_all\n", [oldest])
    assert moves.apply(text, [change]) == "[api]\n# auth_backends = airflow.api.auth.backend.session\n"


def test_a_number_of_workers_that_was_chosen_moves() -> None:
    moved = moves.apply("[webserver]\nworkers = 8\n", CHANGES)
    assert moved.endswith("[api]\nworkers = 8\n")


def test_an_address_for_browsers_moves_only_where_it_was_chosen() -> None:
    """Airflow 3 sends browsers there after the login: the default of 2.x names the host that looks."""
    move = [OptionMove(("webserver", "base_url"), ("api", "base_url"))]
    for value in ("http://localhost:8080", "http://localhost:18211", "https://localhost/"):
        assert "[api]" not in moves.apply(f"[webserver]\nbase_url = {value}\n", move)
    for value in ("http://localhost:8080/airflow", "https://airflow.example"):
        assert f"[api]\nbase_url = {value}\n" in moves.apply(f"[webserver]\nbase_url = {value}\n", move)


def test_a_file_of_2_is_fitted_to_3_by_the_tables_of_the_release(tmp_path: Path) -> None:
    put(tmp_path)
    text = """\
[core]
dag_concurrency = 7
check_slas = False
[webserver]
web_server_port = 8081
base_url = http://localhost:8080
page_size = 50
[kubernetes]
namespace = jobs
[api]
tpyo = 1
[ours]
mine = 1
"""
    found = moves.fit(text, release_for("3.3.2"), tmp_path)
    assert found.moved == (
        "[webserver] web_server_port -> [api] port", "[core] dag_concurrency -> [core] new",
        "[webserver] page_size -> [api] fallback_page_limit",
    )  # fmt: skip
    assert found.gone == ("[core] check_slas", "[webserver] base_url")
    assert found.unknown == ("[api] tpyo",)  # and a section of the site's own
    assert "[api]\ntpyo = 1\nport = 8081\n" in found.text
    assert "# web_server_port = 8081\n" in found.text
    assert "[kubernetes]\nnamespace = jobs\n" in found.text  # it is read there still
    assert moves.fit(found.text, release_for("3.3.2"), tmp_path).text == found.text


def test_a_value_from_a_command_or_a_secret_moves_with_its_option(tmp_path: Path) -> None:
    put(tmp_path)
    text = "[webserver]\npage_size_cmd = cat /x\n[core]\ncheck_slas_secret = y\ndag_concurrency_secret = z\n"
    found = moves.fit(text, release_for("3.3.2"), tmp_path)
    assert "\nfallback_page_limit_cmd = cat /x\n" in found.text
    assert "\nnew_secret = z\n" in found.text
    assert found.gone == ("[core] check_slas_secret",)
    assert len(found.moved) == 2


def test_a_file_of_3_is_fitted_to_2(tmp_path: Path) -> None:
    put(
        tmp_path,
        "webserver: base_url secret_key",
        "core: auth_manager",
        "scheduler: dag_dir_list_interval parsing_processes",
    )
    text = """\
[core]
auth_manager = airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager
execution_api_server_url = http://localhost:8080/execution/
[api]
base_url = https://airflow.example/x
secret_key = 123
[dag_processor]
refresh_interval = 60
parsing_processes = 3
stale_dag_threshold = 50
"""
    found = moves.fit(text, release_for("2.11.2"), tmp_path)
    assert found.moved == (
        "[api] base_url -> [webserver] base_url",
        "[api] secret_key -> [webserver] secret_key",
        "[dag_processor] refresh_interval -> [scheduler] dag_dir_list_interval",
        "[dag_processor] parsing_processes -> [scheduler] parsing_processes",
    )
    assert found.gone == ("[core] auth_manager", "[core] execution_api_server_url")
    assert found.unknown == ("[dag_processor] stale_dag_threshold",)
    assert "[webserver]\nbase_url = https://airflow.example/x\nsecret_key = 123\n" in found.text


def test_an_environment_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    text = "[webserver]\nweb_server_port = 8081\n"
    assert moves.fit(text, release_for("3.3.2"), tmp_path) == moves.Fitted(text)
