"""What a release says of older options, read from its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.airflow import option_tables
from bootstrap.airflow.option_tables import Older, OptionMove
from tests.support.option_tables import put


@pytest.mark.parametrize("parser", ["configuration.py", "_shared/configuration/parser.py"])
def test_what_is_still_read_where_it_stood(tmp_path: Path, parser: str) -> None:
    put(tmp_path, parser=parser)
    tables = option_tables.of_environment(tmp_path)
    assert tables is not None
    assert tables.sections["api"] == {"port", "log_config"}
    assert tables.older == {
        ("webserver", "web_server_port"): Older(("api", "port"), read=True),
        # the parser looks one place back, and that place is an older one itself
        ("webserver", "access_logfile"): Older(("api", "access_logfile")),
        ("api", "access_logfile"): Older(("api", "log_config"), read=True),
        ("kubernetes", "namespace"): Older(("kubernetes_executor", "namespace"), read=True),
        ("webserver", "base_url"): Older(("api", "base_url")),
        ("core", "dag_concurrency"): Older(("core", "new")),
        ("core", "check_slas"): Older(None),
        ("webserver", "page_size"): Older(("api", "page_size")),
        ("api", "page_size"): Older(("api", "fallback_page_limit")),
        ("email", "email_backend"): Older(None),
    }
    assert option_tables.changes(tmp_path) == [
        OptionMove(("webserver", "web_server_port"), ("api", "port")),
        OptionMove(("core", "dag_concurrency"), ("core", "new")),
        OptionMove(("core", "check_slas")),
        OptionMove(("webserver", "base_url"), ("api", "base_url")),
        OptionMove(("webserver", "page_size"), ("api", "page_size")),
        OptionMove(("api", "page_size"), ("api", "fallback_page_limit")),
        OptionMove(("email", "email_backend"), only="x.send"),
    ]


def test_an_environment_without_airflow(tmp_path: Path) -> None:
    assert option_tables.of_environment(tmp_path) is None
