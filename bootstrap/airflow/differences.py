"""What differs between Airflow releases, as data.

Every row was read from the releases' own default configuration and command line, and run. A value holds from
the version beside it until the next one; ``None`` means that the release has no such thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, Optional, Tuple, TypeVar

from wheelhouse.errors import AirferryError

OLDEST = "2.2.2"
NEWEST = "3.3.2"

Version = Tuple[int, int, int]
Command = Tuple[str, ...]
OptionPlace = Optional[Tuple[str, str]]  # section and option of airflow.cfg
T = TypeVar("T")


class UnsupportedAirflow(AirferryError):
    """An Airflow version that this tool cannot install."""

    reference = "unsupported-airflow"
    exit_code = 45


def numbers(version: str) -> Version:
    """The three numbers of a version; a pre-release counts as the release it leads to.

    Raises :class:`UnsupportedAirflow` for a text that is no version.
    """
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:(?:a|b|rc)\d+)?", version.strip())
    if match is None:
        raise UnsupportedAirflow(
            f"{version!r} is not an Airflow version.",
            needed="three numbers",
            hint=f"Give the exact version, for example {NEWEST}.",
        )
    return int(match[1]), int(match[2]), int(match[3])


@dataclass(frozen=True)
class Row(Generic[T]):
    """One difference: what it is, and its value from each version on, oldest first."""

    what: str
    since: Tuple[Tuple[str, T], ...]

    def at(self, version: Version) -> T:
        """The value that holds for `version`."""
        return [value for first, value in self.since if numbers(first) <= version][-1]


def _row(what: str, *since: Tuple[str, T]) -> Row[T]:
    return Row(what, since)


_BASIC_AUTH = "airflow.api.auth.backend.basic_auth"
_FAB_BASIC_AUTH = "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth"
_SESSION = "airflow.api.auth.backend.session"

COMPONENTS: Row[Tuple[str, ...]] = _row(
    "components",
    ("2.2.2", ("webserver", "scheduler", "triggerer")),
    ("3.0.0", ("api-server", "scheduler", "dag-processor", "triggerer")),
)
# What the migration, the components and a task import; the first are needed first.
IMPORTS: Row[Tuple[str, ...]] = _row(
    "modules that the components import",
    (
        "2.2.2",
        (
            "airflow.__main__",
            "airflow.cli.commands.db_command",
            "airflow.utils.db",
            "airflow.www.app",
            "airflow.cli.commands.webserver_command",
            "airflow.cli.commands.scheduler_command",
            "airflow.cli.commands.triggerer_command",
            "airflow.dag_processing.manager",
            "airflow.executors.local_executor",
            "airflow.jobs.local_task_job",
            "airflow.jobs.local_task_job_runner",
            "airflow.operators.bash",
        ),
    ),
    (
        "3.0.0",
        (
            "airflow.__main__",
            "airflow.cli.commands.db_command",
            "airflow.providers.fab.auth_manager.models.db",
            "airflow.providers.fab.auth_manager.fab_auth_manager",
            "airflow.providers.fab.auth_manager.cli_commands.user_command",
            "airflow.cli.commands.api_server_command",
            "airflow.api_fastapi.core_api.routes.ui",
            "airflow.api_fastapi.core_api.routes.public",
            "airflow.api_fastapi.execution_api.routes",
            "airflow.providers.fab.www.app",
            "airflow.cli.commands.scheduler_command",
            "airflow.cli.commands.dag_processor_command",
            "airflow.cli.commands.triggerer_command",
            "airflow.executors.local_executor",
            "airflow.sdk.execution_time.task_runner",
            "airflow.providers.standard.operators.bash",
            "asyncpg",
        ),
    ),
)
LOG_SERVERS: Row[Tuple[str, ...]] = _row(
    "serve logs of running tasks, on all interfaces, unless --skip-serve-logs",
    ("2.2.2", ("scheduler",)),
    ("2.6.0", ("scheduler", "triggerer")),
)
INITIALISE: Row[Command] = _row(
    "create or upgrade the schema", ("2.2.2", ("db", "init")), ("2.7.0", ("db", "migrate"))
)
DATABASE_CLEAN: Row[Optional[Command]] = _row(
    "removal of old rows",
    ("2.2.2", None),
    ("2.3.0", ("db", "clean", "--yes")),
    ("2.4.0", ("db", "clean", "--yes", "--skip-archive")),
)
TRIGGER_DATE = _row("option for the date of a run (`dags trigger`)", ("2.2.2", "-e"), ("3.0.0", "-l"))
BACKFILL: Row[Command] = _row(
    "backfill of a date range",
    ("2.2.2", ("dags", "backfill", "--start-date", "{first}", "--end-date", "{last}", "{dag}")),
    ("3.0.0", ("backfill", "create", "--dag-id", "{dag}", "--from-date", "{first}", "--to-date", "{last}")),
)
CONFIG_LINT: Row[Optional[Command]] = _row(
    "check of airflow.cfg", ("2.2.2", None), ("3.0.0", ("config", "lint"))
)
HEALTH_PATH = _row("health address", ("2.2.2", "/health"), ("3.0.0", "/api/v2/monitor/health"))
HEALTH_KEYS: Row[Tuple[str, ...]] = _row(
    "must be healthy there",
    ("2.2.2", ("metadatabase", "scheduler")),
    ("2.6.2", ("metadatabase", "scheduler", "triggerer")),
    ("3.0.0", ("metadatabase", "scheduler", "triggerer", "dag_processor")),
)
LOGIN = _row(
    "login of the REST API: HTTP basic, or a token from /auth/token", ("2.2.2", "basic"), ("3.0.0", "token")
)
API_PATH = _row("REST API", ("2.2.2", "/api/v1"), ("3.0.0", "/api/v2"))
DRIVERS: Row[Tuple[str, ...]] = _row(
    "database drivers", ("2.2.2", ("psycopg2-binary",)), ("3.0.0", ("psycopg2-binary", "asyncpg"))
)
AUTH_MANAGERS: Row[Tuple[str, ...]] = _row("`--auth`", ("2.2.2", ("fab",)), ("3.0.0", ("fab", "simple")))
DAG_IMPORT = _row(
    "import in DAG files", ("2.2.2", "from airflow import DAG"), ("3.0.0", "from airflow.sdk import DAG")
)
SCHEDULE = _row(
    "schedule argument of a DAG",
    ("2.2.2", "schedule_interval"),
    ("2.4.0", "schedule, schedule_interval"),
    ("3.0.0", "schedule"),
)
DAILY_DATE = _row(
    "date of a scheduled @daily run",
    ("2.2.2", "the day before it starts"),
    ("3.0.0", "the day on which it starts"),
)
CATCHUP = _row("catchup unless the DAG says otherwise", ("2.2.2", "on"), ("3.0.0", "off"))
# What the newest patch of each line declares; earlier patches declared the newest Python later.
PYTHONS: Row[Tuple[str, ...]] = _row(
    "Python",
    ("2.2.2", ("3.6", "3.7", "3.8", "3.9")),
    ("2.3.0", ("3.7", "3.8", "3.9")),
    ("2.3.1", ("3.7", "3.8", "3.9", "3.10")),
    ("2.6.2", ("3.7", "3.8", "3.9", "3.10", "3.11")),
    ("2.7.0", ("3.8", "3.9", "3.10", "3.11")),
    ("2.9.0", ("3.8", "3.9", "3.10", "3.11", "3.12")),
    ("2.11.0", ("3.9", "3.10", "3.11", "3.12")),
    ("2.11.1", ("3.10", "3.11", "3.12")),
    ("3.0.0", ("3.9", "3.10", "3.11", "3.12")),
    ("3.1.0", ("3.10", "3.11", "3.12", "3.13")),
    ("3.2.0", ("3.10", "3.11", "3.12", "3.13", "3.14")),
)

DATABASE_URL: Row[OptionPlace] = _row(
    "database", ("2.2.2", ("core", "sql_alchemy_conn")), ("2.3.0", ("database", "sql_alchemy_conn"))
)
ASYNC_DATABASE_URL: Row[OptionPlace] = _row(
    "database of the asynchronous driver", ("2.2.2", None), ("3.1.0", ("database", "sql_alchemy_conn_async"))
)
DEFAULT_CONNECTIONS: Row[OptionPlace] = _row(
    "example connections",
    ("2.2.2", ("core", "load_default_connections")),
    ("2.3.0", ("database", "load_default_connections")),
    ("3.0.0", None),
)
WEB_PORT: Row[OptionPlace] = _row(
    "web port", ("2.2.2", ("webserver", "web_server_port")), ("3.0.0", ("api", "port"))
)
WEB_HOST: Row[OptionPlace] = _row(
    "web address", ("2.2.2", ("webserver", "web_server_host")), ("3.0.0", ("api", "host"))
)
BASE_URL: Row[OptionPlace] = _row(
    "address in links and e-mails", ("2.2.2", ("webserver", "base_url")), ("3.0.0", ("api", "base_url"))
)
SECRET_KEY: Row[OptionPlace] = _row(
    "key of web sessions", ("2.2.2", ("webserver", "secret_key")), ("3.0.2", ("api", "secret_key"))
)
JWT_SECRET: Row[OptionPlace] = _row(
    "key of API tokens", ("2.2.2", None), ("3.0.0", ("api_auth", "jwt_secret"))
)
AUTH_MANAGER: Row[OptionPlace] = _row("auth manager", ("2.2.2", None), ("3.0.0", ("core", "auth_manager")))
AUTH_BACKENDS: Row[OptionPlace] = _row(
    "allowed logins of the REST API",
    ("2.2.2", ("api", "auth_backend")),
    ("2.3.0", ("api", "auth_backends")),
    ("3.0.0", None),
)
# The session backend is what the pages themselves use from 2.3 on.
AUTH_BACKENDS_VALUE = _row(
    "allowed logins of the REST API",
    ("2.2.2", _BASIC_AUTH),
    ("2.3.0", f"{_BASIC_AUTH},{_SESSION}"),
    ("2.9.0", f"{_FAB_BASIC_AUTH},{_SESSION}"),
)
EXECUTION_API: Row[OptionPlace] = _row(
    "task API address", ("2.2.2", None), ("3.0.0", ("core", "execution_api_server_url"))
)
# The defaults are 3 and 600: a restart of the API server would end running tasks, and a task that waited for
# ten minutes would not be let in.
TASK_HEARTBEATS: Row[OptionPlace] = _row(
    "heartbeats that a task may miss", ("2.2.2", None), ("3.0.0", ("workers", "max_failed_heartbeats"))
)
# The default is 5: for so long a worker may miss that its task has ended, as nothing wakes it when the task
# has closed its pipes. It is not free for another task then, and a stop waits for it.
TASK_INTERVAL: Row[OptionPlace] = _row(
    "seconds between looks at a task", ("2.2.2", None), ("3.0.0", ("workers", "min_heartbeat_interval"))
)
TASK_TOKEN_LIFE: Row[OptionPlace] = _row(
    "life of a task's token, in seconds", ("2.2.2", None), ("3.0.0", ("execution_api", "jwt_expiration_time"))
)
# The defaults are 5 and 90, ten seconds in all: a task that starts while the API server does would fail.
TASK_RETRIES: Row[OptionPlace] = _row(
    "calls of the API server that a task tries again",
    ("2.2.2", None),
    ("3.0.0", ("workers", "execution_api_retries")),
)
TASK_RETRY_WAIT: Row[OptionPlace] = _row(
    "longest wait before a task calls the API server again, in seconds",
    ("2.2.2", None),
    ("3.0.0", ("workers", "execution_api_retry_wait_max")),
)
DAG_SCAN: Row[OptionPlace] = _row(
    "seconds between scans for new DAG files",
    ("2.2.2", ("scheduler", "dag_dir_list_interval")),
    ("3.0.0", ("dag_processor", "refresh_interval")),
)
TELEMETRY: Row[OptionPlace] = _row(
    "telemetry switch", ("2.2.2", None), ("2.10.0", ("usage_data_collection", "enabled")), ("2.10.5", None)
)
# While it is on, every web worker asks the resolver for the host's full name; later releases have it off.
EXPOSE_HOSTNAME: Row[OptionPlace] = _row(
    "host name on the web pages", ("2.2.2", ("webserver", "expose_hostname")), ("2.6.0", None)
)
# The Swagger page loads its scripts from the internet.
SWAGGER: Row[OptionPlace] = _row(
    "Swagger page of the REST API", ("2.2.2", None), ("3.0.2", ("api", "enable_swagger_ui"))
)
TRIGGER_LOG_PORT: Row[OptionPlace] = _row(
    "port for logs of running triggers", ("2.2.2", None), ("2.6.0", ("logging", "trigger_log_server_port"))
)

# Group-writable by default, for tasks of other accounts (run_as_user); before, everybody may write to a log.
LOG_FOLDER_MODE: Row[OptionPlace] = _row(
    "mode of folders with task logs",
    ("2.2.2", None),
    ("2.6.0", ("logging", "file_task_handler_new_folder_permissions")),
)
LOG_FILE_MODE: Row[OptionPlace] = _row(
    "mode of task logs", ("2.2.2", None), ("2.6.0", ("logging", "file_task_handler_new_file_permissions"))
)

WEB_TLS: Row[OptionPlace] = _row(
    "certificate of the web server",
    ("2.2.2", ("webserver", "web_server_ssl_cert")),
    ("3.0.0", ("api", "ssl_cert")),
)
WEB_TLS_KEY: Row[OptionPlace] = _row(
    "key of that certificate", ("2.2.2", ("webserver", "web_server_ssl_key")), ("3.0.0", ("api", "ssl_key"))
)
COOKIE_SECURE: Row[OptionPlace] = _row(
    "cookies over HTTPS alone", ("2.2.2", ("webserver", "cookie_secure")), ("3.0.0", ("fab", "cookie_secure"))
)
PROXY_FIX: Row[OptionPlace] = _row(
    "trust in what a proxy says of the browser",
    ("2.2.2", ("webserver", "enable_proxy_fix")),
    ("3.0.0", ("fab", "enable_proxy_fix")),
)
# The pages of 3.x are in UTC until another zone is chosen there; each browser remembers its own.
UI_TIMEZONE: Row[OptionPlace] = _row(
    "time zone of the pages", ("2.2.2", ("webserver", "default_ui_timezone")), ("3.0.0", None)
)
FILE_INTERVAL: Row[OptionPlace] = _row(
    "seconds after which a DAG file is read again",
    ("2.2.2", ("scheduler", "min_file_process_interval")),
    ("3.0.0", ("dag_processor", "min_file_process_interval")),
)
# Folders; without the option each lies in the home.
DAGS_FOLDER: Row[OptionPlace] = _row("DAG files", ("2.2.2", ("core", "dags_folder")))
PLUGINS_FOLDER: Row[OptionPlace] = _row("plugins", ("2.2.2", ("core", "plugins_folder")))
LOG_FOLDER: Row[OptionPlace] = _row("task logs", ("2.2.2", ("logging", "base_log_folder")))
PARSER_LOG_FOLDER: Row[OptionPlace] = _row(
    "logs of reading DAG files",
    ("2.2.2", ("scheduler", "child_process_log_directory")),
    ("3.0.0", ("logging", "dag_processor_child_process_log_directory")),
)
DAG_BUNDLES: Row[OptionPlace] = _row(
    "places of DAG files", ("2.2.2", None), ("3.0.0", ("dag_processor", "dag_bundle_config_list"))
)

PLACES: Tuple[Row[OptionPlace], ...] = (
    DATABASE_URL, ASYNC_DATABASE_URL, WEB_HOST, WEB_PORT, BASE_URL, EXECUTION_API, SECRET_KEY, JWT_SECRET,
    AUTH_MANAGER, AUTH_BACKENDS, DEFAULT_CONNECTIONS, DAG_SCAN, TRIGGER_LOG_PORT, EXPOSE_HOSTNAME, SWAGGER,
    TELEMETRY, LOG_FOLDER_MODE, LOG_FILE_MODE, TASK_HEARTBEATS, TASK_INTERVAL, TASK_TOKEN_LIFE, WEB_TLS,
    WEB_TLS_KEY, COOKIE_SECURE, PROXY_FIX, DAGS_FOLDER, PLUGINS_FOLDER, LOG_FOLDER, PARSER_LOG_FOLDER,
    DAG_BUNDLES, TASK_RETRIES, TASK_RETRY_WAIT, UI_TIMEZONE, FILE_INTERVAL,
)  # fmt: skip

# Every table that was there after the migration of each release from 2.2.2 to 3.3.2.
TABLES = ("alembic_version", "connection", "dag", "dag_run", "job", "log", "serialized_dag", "slot_pool",
          "task_instance", "variable", "xcom")  # fmt: skip
FAB_TABLES = ("ab_permission", "ab_role", "ab_user")
