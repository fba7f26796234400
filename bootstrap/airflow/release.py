"""One Airflow release: its processes, commands and addresses, and the settings of an offline installation."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import List, Optional, Tuple
from urllib.parse import urlsplit

from bootstrap.airflow import differences
from bootstrap.airflow.config import Setting
from bootstrap.airflow.differences import (
    NEWEST,
    OLDEST,
    Command,
    OptionPlace,
    Row,
    UnsupportedAirflow,
    Version,
)
from bootstrap.airflow.executor import LOCAL, Component, Executor
from bootstrap.airflow.webaddress import WebAddress, reachable
from bootstrap.base.secret import Secret

# Seconds between two looks at a running task. Each is a heartbeat, 27 ms of the API server: at most eight
# of them in a second, and not fewer than Airflow's own every 5.
_SHORTEST_LOOK, _USUAL_LOOK, _LOOKS = 2, 5, 8
_FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
_SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"

# Where the simple auth manager's accounts lie below HOME: JSON, user -> password.
SIMPLE_PASSWORDS = Path("secrets", "simple-auth-passwords.json")


@dataclass(frozen=True)
class AirflowRelease:
    """One exact Airflow version; ``known`` is False when it is newer than every one that was tried."""

    version: str
    numbers: Version
    known: bool

    @property
    def web_component(self) -> str:
        """The component that serves the pages."""
        return differences.COMPONENTS.at(self.numbers)[0]

    def component_arguments(self, component: Component, web_host: str) -> Command:
        """What a component is started with when the web server listens at `web_host`.

        The web server of 3.x takes the word of a proxy on this host for how browsers reached it, and of no
        other (uvicorn's FORWARDED_ALLOW_IPS); 2.x has an option for that.

        Airflow has no setting for the address of its log servers: they listen on all interfaces. Where one
        address was asked for they are left out; on one host the web server reads the files themselves.
        """
        if component.name == self.web_component and self.numbers >= (3, 0, 0):
            return (*component.arguments, "--proxy-headers")
        everywhere = web_host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
        if everywhere or component.name not in differences.LOG_SERVERS.at(self.numbers):
            return component.arguments
        return (*component.arguments, "--skip-serve-logs")

    @property
    def initialise(self) -> Command:
        """Creates the schema, or brings an older one up to date; safe to repeat."""
        return differences.INITIALISE.at(self.numbers)

    @property
    def check_schema(self) -> Command:
        """Fails within a second or two when the schema's revision is not that of the code."""
        return ("db", "check-migrations", "--migration-wait-timeout", "1")

    @property
    def lint(self) -> Optional[Command]:
        """Airflow's own check of airflow.cfg, where it has one."""
        return differences.CONFIG_LINT.at(self.numbers)

    @property
    def opens_logs(self) -> bool:
        """Whether it lets everybody write to its task logs, so that the folder of them all must be closed."""
        return differences.LOG_FILE_MODE.at(self.numbers) is None

    @property
    def pythons(self) -> Tuple[str, ...]:
        """The Python versions that its packages declare."""
        return differences.PYTHONS.at(self.numbers)

    @property
    def drivers(self) -> Tuple[str, ...]:
        """The database drivers that have to be in the bundle."""
        return differences.DRIVERS.at(self.numbers)

    @property
    def auth_managers(self) -> Tuple[str, ...]:
        """The kinds of login that can be installed, the default first."""
        return differences.AUTH_MANAGERS.at(self.numbers)

    @property
    def health_path(self) -> str:
        """Where the web server tells the health of all components."""
        return differences.HEALTH_PATH.at(self.numbers)

    @property
    def health_keys(self) -> Tuple[str, ...]:
        """The parts that must be ``healthy`` there; others may be null."""
        return differences.HEALTH_KEYS.at(self.numbers)

    @property
    def login(self) -> str:
        """``basic`` (HTTP basic authentication) or ``token`` (a JWT from ``/auth/token``)."""
        return differences.LOGIN.at(self.numbers)

    @property
    def api_path(self) -> str:
        """Where the REST API begins."""
        return differences.API_PATH.at(self.numbers)

    def create_admin(self, user: str, password: str) -> Command:
        """Creates an account with the role Admin; an account of that name is left as it is."""
        name = ("--firstname", "Airflow", "--lastname", "Admin", f"--email={user}@localhost.invalid")
        # with =, so that one that begins with a dash is no option
        return ("users", "create", f"--username={user}", *name, "--role", "Admin", f"--password={password}")

    def trigger(self, dag_id: str, run_id: str, logical_date: datetime) -> Command:
        """Starts a run for `logical_date` (with a time zone)."""
        option = differences.TRIGGER_DATE.at(self.numbers)
        return ("dags", "trigger", "--run-id", run_id, option, logical_date.isoformat(), dag_id)

    def backfill(self, dag_id: str, first: date, last: date) -> Command:
        """Runs every scheduled date from `first` to `last`, both included."""
        values = {"dag": dag_id, "first": first.isoformat(), "last": last.isoformat()}
        return tuple(part.format(**values) for part in differences.BACKFILL.at(self.numbers))


@dataclass(frozen=True)
class Parameters:
    """What an installation decides for itself.

    ``database_url`` is ``postgresql+psycopg2://user:password@host:port/name``, user and password quoted as in
    a URL, and ``async_url`` the same for asyncpg where Airflow must not derive it; the keys come from
    :func:`generate_fernet_key` and ``bootstrap.base.secret.generate``. ``base_url`` is how browsers reach the
    server ("": not known), ``web_path`` the path below which it serves (:func:`web_path`), ``own_host`` the
    host by which tasks reach it ("": the address that it listens on). With ``certificate`` and ``key``, PEM
    files, it speaks HTTPS; ``secure`` says whether browsers do, to it or to a proxy (None: not known). The
    log ports are left as they are when None, and the time zone of schedules when "".
    """

    home: Path
    database_url: Secret
    fernet_key: Secret
    secret_key: Secret
    jwt_secret: Secret
    web_host: str = "0.0.0.0"  # noqa: S104  # an Airflow is there to be reached by its users
    web_port: int = 8080
    executor: Executor = LOCAL
    parallelism: int = 4
    auth: str = "fab"
    admin_user: str = "admin"
    dag_scan_seconds: int = 30
    base_url: str = ""
    web_path: str = ""
    own_host: str = ""
    certificate: str = ""
    key: str = ""
    secure: Optional[bool] = None
    log_port: Optional[int] = None
    trigger_log_port: Optional[int] = None
    async_url: Optional[Secret] = None
    timezone: str = ""


def release_for(version: str) -> AirflowRelease:
    """The release of that version; one newer than all known is taken to be like the newest known.

    Raises :class:`UnsupportedAirflow` for a text that is no version, or one below :data:`OLDEST`.
    """
    numbers = differences.numbers(version)
    if numbers < differences.numbers(OLDEST):
        raise UnsupportedAirflow(
            f"Airflow {version} cannot be installed.",
            found=version,
            needed=f"{OLDEST} or newer",
            hint=f"Older releases are not tested without a network; choose one from {OLDEST} to {NEWEST}.",
        )
    return AirflowRelease(version, numbers, numbers <= differences.numbers(NEWEST))


def generate_fernet_key() -> Secret:
    """A new key for the passwords of connections and variables (32 random bytes, URL-safe base 64)."""
    return Secret(base64.urlsafe_b64encode(os.urandom(32)).decode("ascii"))


def _look_seconds(parallelism: int) -> int:
    return min(_USUAL_LOOK, max(_SHORTEST_LOOK, -(-parallelism // _LOOKS)))


def settings(release: AirflowRelease, parameters: Parameters) -> List[Setting]:
    """Everything that airflow.cfg must say before the first migration of an offline installation.

    All of it belongs into one edit: an executor of parallel tasks beside SQLite stops every command of
    2.x, and an auth manager set after the migration of 3.x has no tables. The keys of an installation that
    has run before must be the ones it has (`config.get`), or its stored passwords cannot be read any more.

    Raises :class:`UnsupportedAirflow` for a kind of login that the release does not have.
    """
    if parameters.auth not in release.auth_managers:
        raise UnsupportedAirflow(
            f"Airflow {release.version} does not support --auth {parameters.auth!r}.",
            needed=" or ".join(release.auth_managers),
        )
    numbers = release.numbers
    chosen = [
        *parameters.executor.settings(parameters.parallelism),
        Setting("core", "load_examples", "False"),
        # The default asks the resolver for the host's full name: where DNS swallows questions, that hangs.
        Setting("core", "hostname_callable", "socket.gethostname"),
        Setting("core", "fernet_key", parameters.fernet_key.reveal(), secret=True),
    ]

    def put(row: Row[OptionPlace], value: str, *, secret: bool = False) -> None:
        place = row.at(numbers)
        if place is not None:
            chosen.append(Setting(*place, value, secret))

    put(differences.DATABASE_URL, parameters.database_url.reveal(), secret=True)
    if parameters.async_url:
        put(differences.ASYNC_DATABASE_URL, parameters.async_url.reveal(), secret=True)
    put(differences.DEFAULT_CONNECTIONS, "False")
    put(differences.WEB_HOST, parameters.web_host)
    put(differences.WEB_PORT, str(parameters.web_port))
    put(differences.SECRET_KEY, parameters.secret_key.reveal(), secret=True)
    put(differences.JWT_SECRET, parameters.jwt_secret.reveal(), secret=True)
    put(differences.AUTH_BACKENDS, differences.AUTH_BACKENDS_VALUE.at(numbers))
    put(differences.AUTH_MANAGER, _SIMPLE if parameters.auth == "simple" else _FAB)
    # Without it tasks look for port 8080 of "localhost", whatever the port is, and all of them fail.
    own = WebAddress(
        parameters.own_host or reachable(parameters.web_host),
        parameters.web_port,
        parameters.web_path,
        parameters.certificate,
    )
    put(differences.EXECUTION_API, f"{own.url}/execution/")
    put(differences.TASK_HEARTBEATS, "30")
    put(differences.TASK_INTERVAL, str(_look_seconds(parameters.parallelism)))
    put(differences.TASK_TOKEN_LIFE, "86400")
    put(differences.TASK_RETRIES, "30")
    put(differences.TASK_RETRY_WAIT, "10")
    put(differences.DAG_SCAN, str(parameters.dag_scan_seconds))
    put(differences.EXPOSE_HOSTNAME, "False")
    put(differences.SWAGGER, "False")
    put(differences.TELEMETRY, "False")
    put(differences.LOG_FOLDER_MODE, "0o755")
    put(differences.LOG_FILE_MODE, "0o644")
    if parameters.base_url:
        put(differences.BASE_URL, parameters.base_url)
    elif numbers < (3, 0, 0):
        # Only mails use it. 3.x sends browsers there after the login, so there it stays unset: relative.
        put(differences.BASE_URL, f"{own.scheme}://localhost:{parameters.web_port}")
    if parameters.certificate:
        put(differences.WEB_TLS, parameters.certificate)
        put(differences.WEB_TLS_KEY, parameters.key)
    if parameters.secure is not None and (numbers < (3, 0, 0) or parameters.auth == "fab"):
        put(differences.COOKIE_SECURE, str(parameters.secure))
        put(differences.PROXY_FIX, str(parameters.secure and not parameters.certificate))
    if parameters.timezone:
        chosen.append(Setting("core", "default_timezone", parameters.timezone))
        put(differences.UI_TIMEZONE, parameters.timezone)
    if parameters.log_port is not None:
        chosen.append(Setting("logging", "worker_log_server_port", str(parameters.log_port)))
    if parameters.trigger_log_port is not None:
        put(differences.TRIGGER_LOG_PORT, str(parameters.trigger_log_port))
    if parameters.auth == "simple":
        chosen.append(Setting("core", "simple_auth_manager_users", f"{parameters.admin_user}:admin"))
        passwords = parameters.home / SIMPLE_PASSWORDS
        chosen.append(Setting("core", "simple_auth_manager_passwords_file", str(passwords)))
    return chosen


def web_path(base_url: str) -> str:
    """The path below which the web server serves pages and API when it is told that `base_url`.

    Without a slash at its end; "" for the root, and for a text that is no URL.
    """
    try:
        path = urlsplit(base_url.strip()).path.rstrip("/")
    except ValueError:
        return ""
    return path if path.startswith("/") else ""
