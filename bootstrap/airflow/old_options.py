"""The options of an old airflow.cfg: those that a site has changed, and what they need to work."""

from __future__ import annotations

import json
import pkgutil
import re
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Tuple

from bootstrap.airflow import config
from bootstrap.airflow.config import Option

# Options whose value Airflow imports.
_IMPORTED = re.compile(r"(.*_)?(backend|class)|hostname_callable|statsd_custom_client_path")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# Where task logs may lie, and the package that reads them (airflow_local_settings.py of all releases).
_REMOTE = {
    "s3": "amazon", "cloudwatch": "amazon", "gs": "google", "stackdriver": "google",
    "wasb": "microsoft/azure", "oss": "alibaba", "hdfs": "apache/hdfs",
}  # fmt: skip


@lru_cache(maxsize=None)
def defaults() -> Dict[str, List[str]]:
    """The values of each `section.option` in the files that old releases wrote; read once."""
    found: Dict[str, List[str]] = json.loads(
        pkgutil.get_data("bootstrap.airflow", "old_defaults.json") or b"{}"
    )
    return found


def changed(text: str, home: str) -> List[Tuple[Option, str]]:
    """The options of an airflow.cfg that are not at a default of an old release.

    Before 2.7 the file had every option; the values are those that 2.2.2, 2.6.3, 2.10.5 and 3.0.6 write.
    """
    known = defaults()
    found = []
    for section, option in dict.fromkeys(config.options(text)):
        value = config.get(text, section, option) or ""
        if value.replace(home, "{AIRFLOW_HOME}") not in known.get(f"{section}.{option}", ()):
            found.append(((section, option), value))
    return found


def remote_logs(text: str) -> str:
    """Where task logs go when they do not stay on the host; "" when they do."""
    sections = ("logging", "core")
    if not any((config.get(text, name, "remote_logging") or "").lower() in _TRUE for name in sections):
        return ""
    found = (config.get(text, name, "remote_base_log_folder") for name in sections)
    return next((item for item in found if item), "a server of its own")


_TRUE = ("true", "1", "t", "yes", "on")


def missing(place: Option, value: str, logs: str, folders: List[Path]) -> str:
    """The module that this option needs and none of the folders has; "" when nothing is missing.

    `logs` is what :func:`remote_logs` says, `folders` those that Airflow imports from.
    """
    option = place[1]
    if option in ("remote_logging", "remote_base_log_folder"):
        provider = _REMOTE.get(logs.partition(":")[0], "") if logs else ""
        module = f"airflow/providers/{provider}" if provider else ""
    elif _IMPORTED.fullmatch(option) and _DOTTED.fullmatch(value.strip()):
        module = value.strip().rpartition(".")[0].replace(".", "/")
    else:
        return ""
    known = not module or any(
        Path(folder, f"{module}{ending}").exists() for folder in folders for ending in ("", ".py")
    )
    return "" if known or _is_standard(module) else module.replace("/", ".")


def _is_standard(module: str) -> bool:
    # hostname_callable = socket.getfqdn
    return module in ("socket", "platform", "os")
