"""The files in which a release of Airflow tells of its options, as far as they are read."""

from __future__ import annotations

from pathlib import Path

CONFIG_YML = """---
api:
  description: x
  options:
    port:
      default: "8080"
    log_config:
      default: ~
core:
  options:
    fernet_key:
      default: x
    new:
      default: x
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
    ConfigChange(config=Place("webserver", "base_url"), renamed_to=Place("api", "base_url")),
    ConfigChange(config=Place("webserver", "page_size"), renamed_to=Place("api", "page_size")),
    ConfigChange(config=Place("api", "page_size"), renamed_to=Place("api", "fallback_page_limit")),
    ConfigChange(config=Place("email", "email_backend"), was_removed=True, remove_if_equals="x.send"),
]
"""


def put(venv: Path, *sections: str, parser: str = "configuration.py") -> None:
    """Write them into an environment; with `sections` ("name: option option") those, and no older places."""
    package = venv / "lib/python3.11/site-packages/airflow"
    texts = {"config_templates/config.yml": CONFIG_YML, "cli/commands/config_command.py": LINTER}
    texts[parser] = PARSER
    if sections:
        lines = ["---"]
        for section in sections:
            name, _, options = section.partition(": ")
            lines += [f"{name}:", "  options:", *(f"    {option}:" for option in options.split())]
        texts = {"config_templates/config.yml": "\n".join(lines) + "\n"}
    for name, text in texts.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
