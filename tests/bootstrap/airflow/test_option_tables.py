"""What a release says of older options, read from its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.airflow import option_tables
from bootstrap.airflow.option_tables import Older

CONFIG_YML = """---
api:
  description: x
  options:
    port:
      default: "8080"
    log_config:
      default: ~
kubernetes_executor:
  options:
    namespace:
      default: x
"""
PARSER = """
class Parser:
    deprecated_options: dict = {
        ("api", "port"): ("webserver", "web_server_port", "3.0"),
        ("api", "access_logfile"): ("webserver", "access_logfile", "3.0"),
        ("api", "log_config"): ("api", "access_logfile", "3.1"),
    }
    deprecated_sections = {"kubernetes_executor": ("kubernetes", "2.5.0")}
"""
LINTER = """
CHANGES = [
    ConfigChange(config=Place("webserver", "web_server_port"), renamed_to=Place("api", "port")),
    ConfigChange(config=Place("core", "dag_concurrency"), renamed_to=Place("core", "new")),
    ConfigChange(config=Place("core", "check_slas"), suggestion="..."),
    ConfigChange(config=Place("core", "executor"), was_removed=False),
]
"""


@pytest.mark.parametrize("parser", ["configuration.py", "_shared/configuration/parser.py"])
def test_what_is_still_read_where_it_stood(tmp_path: Path, parser: str) -> None:
    package = tmp_path / "lib/python3.11/site-packages/airflow"
    texts = {"config_templates/config.yml": CONFIG_YML, "cli/commands/config_command.py": LINTER}
    for name, text in {**texts, parser: PARSER}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    tables = option_tables.of_environment(tmp_path)
    assert tables is not None
    assert tables.sections["api"] == {"port", "log_config"}
    assert tables.older == {
        ("webserver", "web_server_port"): Older(("api", "port"), read=True),
        # the parser looks one place back, and that place is an older one itself
        ("webserver", "access_logfile"): Older(("api", "access_logfile")),
        ("api", "access_logfile"): Older(("api", "log_config"), read=True),
        ("kubernetes", "namespace"): Older(("kubernetes_executor", "namespace"), read=True),
        ("core", "dag_concurrency"): Older(("core", "new")),
        ("core", "check_slas"): Older(None),
    }


def test_an_environment_without_airflow(tmp_path: Path) -> None:
    assert option_tables.of_environment(tmp_path) is None
