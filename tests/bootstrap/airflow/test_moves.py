"""What Airflow 3 renamed in airflow.cfg: moved in place, with every comment kept."""

from __future__ import annotations

from bootstrap.airflow import moves
from bootstrap.airflow.moves import Move

SAID = """\
[2026-11-25T03:07:24Z] {base.py:305} WARNING - The option in [scheduler] has been moved
  - [Recommended] Renamed 'webserver/page_size' to 'api/page_size'.
  - [BREAKING] Removed 'logging/log_filename_template' from configuration.
  - [BREAKING] Renamed 'webserver/cookie_samesite' to 'fab/cookie_samesite'.
  - [Recommended] Updated default value of 'scheduler/catchup_by_default' from 'True' to 'False'.
  - [Recommended] Renamed 'webserver/workers' to 'api/workers'.
Dry-run mode is enabled. To apply above airflow.cfg run the command with `--fix`.
"""
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
[scheduler]
catchup_by_default = True
[fab]
cookie_samesite = Strict
"""


def test_read_from_what_airflow_says() -> None:
    assert moves.parse(SAID) == [
        Move(("webserver", "page_size"), ("api", "page_size")),
        Move(("logging", "log_filename_template")),
        Move(("webserver", "cookie_samesite"), ("fab", "cookie_samesite")),
        Move(("webserver", "workers"), ("api", "workers")),
    ]
    assert moves.parse("No updates needed. Your configuration is already up-to-date.") == []


def test_values_move_and_everything_else_stays() -> None:
    moved = moves.apply(TEXT, moves.parse(SAID))
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
[scheduler]
catchup_by_default = True
[fab]
cookie_samesite = Strict

[api]
page_size = 50
"""
    )
    assert moves.apply(moved, moves.parse(SAID)) == moved


def test_backends_that_airflow_3_does_not_have_are_left_behind() -> None:
    said = "  - [Recommended] Renamed 'api/auth_backends' to 'fab/auth_backends'."
    text = "[api]\nauth_backends = airflow.api.auth.backend.session\n"
    assert (
        moves.apply(text, moves.parse(said)) == "[api]\n# auth_backends = airflow.api.auth.backend.session\n"
    )


def test_a_number_of_workers_that_was_chosen_moves() -> None:
    moved = moves.apply("[webserver]\nworkers = 8\n", moves.parse(SAID))
    assert moved.endswith("[api]\nworkers = 8\n")


def test_an_address_for_browsers_moves_only_where_it_was_chosen() -> None:
    """Airflow 3 sends browsers there after the login: the default of 2.x names the host that looks."""
    move = [Move(("webserver", "base_url"), ("api", "base_url"))]
    for value in ("http://localhost:8080", "http://localhost:18211", "https://localhost/"):
        assert "[api]" not in moves.apply(f"[webserver]\nbase_url = {value}\n", move)
    for value in ("http://localhost:8080/airflow", "https://airflow.example"):
        assert f"[api]\nbase_url = {value}\n" in moves.apply(f"[webserver]\nbase_url = {value}\n", move)
