"""Options of airflow.cfg that an installation depends on, that are secret, or that have moved."""

from __future__ import annotations

import re
from typing import Dict, Optional, Sequence, Tuple

from bootstrap.airflow import differences
from bootstrap.airflow.config import Option
from bootstrap.airflow.differences import OptionPlace, Row
from bootstrap.airflow.executor import Executor
from bootstrap.airflow.release import AirflowRelease

_SECRET = re.compile(
    r"pass(word|wd)?$|password|secret|token|fernet_key|private_key|_conn(_|$)|result_backend|broker_url"
    r"|credential|backend_kwargs|connection_string|dsn$|jwt"
)
_HARMLESS = re.compile(r"expir|time|leeway|issuer|audience|algorithm|_file$|_name$|_key_id$")
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]+@")

_BY_INSTALL: Tuple[Tuple[Row[OptionPlace], str], ...] = (
    (differences.DATABASE_URL, "The install sets the database: --postgres, --postgres-port."),
    (differences.ASYNC_DATABASE_URL, "It is derived from the database: sh FILE install --postgres."),
    (differences.WEB_PORT, "The install sets it: sh FILE install --port N."),
    (differences.WEB_HOST, "The install sets it: sh FILE install --host ADDRESS."),
    (
        differences.EXECUTION_API,
        "It follows from the web server's port (sh FILE install --port N) and the URL (airferry site url).",
    ),
    (differences.WEB_TLS, "Certificate and key are checked and changed together: airferry site tls."),
    (differences.WEB_TLS_KEY, "Certificate and key are checked and changed together: airferry site tls."),
    (differences.AUTH_MANAGER, "The install sets it: sh FILE install --auth fab or simple."),
    (differences.SECRET_KEY, "Every component and the file secrets/secret-key must have the same value."),
    (differences.JWT_SECRET, "Every component and the file secrets/jwt-secret must have the same value."),
    (differences.TRIGGER_LOG_PORT, "The install sets it to a free port."),
)
_ALWAYS: Dict[Option, str] = {
    (
        "core",
        "fernet_key",
    ): "With another key, stored passwords of connections are unreadable. To change the key:"
    " airflow rotate-fernet-key.",
    ("core", "simple_auth_manager_passwords_file"): "airferry passwd writes this file.",
    ("logging", "worker_log_server_port"): "The install sets it to a free port.",
}


_MAIL_LOGIN = (("smtp", "smtp_user"), ("smtp", "smtp_password"))


def managed_options(release: AirflowRelease, executor: Executor) -> Dict[Option, str]:
    """The options that a hand must not change, and what to do instead."""
    found = {**_ALWAYS, **executor.managed_options}
    for row, instead in _BY_INSTALL:
        place = row.at(release.numbers)
        if place is not None:
            found[place] = instead
    return found


def moved(release: AirflowRelease, section: str, option: str) -> Tuple[bool, OptionPlace]:
    """Whether the option is one of another release, and where it stands in this one (None: nowhere)."""
    for row in differences.PLACES:
        now = row.at(release.numbers)
        if now != (section, option) and (section, option) in [place for _, place in row.since]:
            return True, now
    return False, None


def in_connection(release: AirflowRelease, section: str, option: str) -> str:
    """The connection that holds what was an option before; empty for any other option.

    Airflow 3 takes the login of the mail server from there alone (airflow.utils.email); 2 read both.
    """
    if release.numbers >= (3, 0, 0) and (section, option) in _MAIL_LOGIN:
        return "smtp_default"
    return ""


def is_secret(option: str) -> bool:
    """Whether the value of an option of that name must not be shown."""
    return bool(_SECRET.search(option)) and not _HARMLESS.search(option)


def shown(option: str, value: Optional[str]) -> Optional[str]:
    """The value as it may be shown: ``***`` for a secret one, a password in an address masked."""
    if not value:
        return value
    return "***" if is_secret(option) else _URL_PASSWORD.sub(r"\1:***@", value)


def affected(release: AirflowRelease, components: Sequence[str], section: str) -> Tuple[str, ...]:
    """Those of the components that read a section at their start: a change has them started again."""
    names = tuple(components)
    own = {
        **dict.fromkeys(("webserver", "api", "fab", "ui"), (release.web_component,)),
        "triggerer": ("triggerer",),
        "dag_processor": tuple(name for name in names if name == "dag-processor") or ("scheduler",),
        "scheduler": tuple(name for name in names if name in ("scheduler", "dag-processor")),
    }
    return own.get(section, names)
