"""What an admin may choose for an install, and how the rest is chosen: earlier choice, then the host."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, List, Optional, Set, Tuple

from bootstrap.airflow.executor import LOCAL, executor_of
from bootstrap.airflow.release import release_for
from bootstrap.base import account as accounts
from bootstrap.facts import resources
from bootstrap.installed import external, zone
from bootstrap.installed.external import DatabaseChoice
from bootstrap.installed.following import Following
from bootstrap.installed.taking import Taking
from bootstrap.postgres import embedded, host
from bootstrap.python import choice
from bootstrap.services import choice as services
from bootstrap.site.asked import SiteAsked
from bootstrap.state import neighbours
from bootstrap.state import receipt as receipts
from bootstrap.state.cluster import Join
from bootstrap.state.home import Home
from bootstrap.state.receipt import EXTERNAL, HEAD, PRIVATE, WORKER, Database, Receipt
from wheelhouse import __version__, timestamp
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

WEB_PORT = 8080
# Far from 5432, where a server of the distribution's may come up one day.
POSTGRES_PORT = 25432


class InvalidOption(AirferryError):
    """An option of the install that cannot be used."""

    reference = "invalid-option"
    exit_code = 2


@dataclass(frozen=True)
class Options:
    """The options as they were given; None means not given. `postgres` is carried, host, or not given.

    `patience` is how long running tasks may go on before an upgrade, in seconds; `site` is what it is told of
    its site. With `join` the host becomes a worker, for the `queues` that are named. `taking` is an old
    Airflow that is taken over, `following` what is done last.
    """

    home: Home
    name: Optional[str] = None
    service: Optional[str] = None
    python: Optional[str] = None
    account: Optional[str] = None
    host: Optional[str] = None
    port: Optional[int] = None
    postgres: str = ""
    external: Optional[DatabaseChoice] = None
    postgres_port: Optional[int] = None
    parallelism: Optional[int] = None
    timezone: Optional[str] = None
    auth: Optional[str] = None
    admin_user: Optional[str] = None
    admin_password_file: Optional[Path] = None
    patience: Optional[float] = None
    site: Optional[SiteAsked] = None
    join: Optional[Join] = None
    queues: Tuple[str, ...] = ()
    taking: Optional[Taking] = None
    following: Following = field(default_factory=Following)

    @property
    def account_name(self) -> str:
        """Who everything will run as."""
        if self.account:
            return self.account
        return accounts.DEFAULT if os.geteuid() == 0 else accounts.current().name


def choose(options: Options, bundle: Bundle) -> Receipt:
    """Settle every choice: an option, else the earlier install's choice, else what suits this host.

    ``python`` and ``python_from`` stay empty where nobody has chosen yet: the preflight looks.
    """
    _values(options)
    manifest = bundle.manifest
    earlier = receipts.find(options.home.receipt)
    _same_account(options, earlier)
    named = {port for port in (options.port, options.postgres_port) if port}
    taken = named | neighbours.reserved(options.home.path, named)
    if options.join or (earlier and earlier.role == WORKER):
        from bootstrap.installed import joining  # noqa: PLC0415  (it needs what stands here)

        return with_services(joining.choose(options, bundle, earlier), options, earlier)
    if earlier and earlier.removed:
        earlier = _taken_up(earlier, taken)
    same_bundle = earlier is not None and earlier.bundle_id == manifest.bundle_id
    python = choice.settle(options.python, bundle, options.home, earlier)
    executor = executor_of(earlier.executor) if earlier else LOCAL
    task_logs, trigger_logs = executor.log_servers
    fresh = Receipt(
        schema=receipts.SCHEMA,
        airferry=__version__,
        airflow=manifest.airflow,
        bundle_id=manifest.bundle_id,
        bundle_file=bundle.path.name,
        bundle_sha256="",  # known once it is verified
        bundle_seal=bundle.seal.sha256,
        python=python.path,
        python_from=python.origin,
        home=str(options.home.path),
        account=options.account_name,
        web_host=options.host or "0.0.0.0",  # noqa: S104 - as Airflow's own default
        web_port=options.port or (0 if earlier else free_port(WEB_PORT, taken)),
        log_port=0 if earlier else free_port(task_logs.usual, taken),
        trigger_log_port=0 if earlier else free_port(trigger_logs.usual, taken),
        parallelism=options.parallelism or parallelism(),
        auth=_auth(options, bundle),
        admin_user=options.admin_user or "admin",
        database=_database(options, bundle, earlier, taken),
        services="",
        library_path=os.environ.get("LD_LIBRARY_PATH", ""),
        started=timestamp.now(),
        name=neighbours.name(options.home.path, options.name or "", earlier.name if earlier else ""),
        role=earlier.role if earlier else HEAD,
        executor=executor.name,
        owner=receipts.ROOT if os.geteuid() == 0 else receipts.ACCOUNT,
        timezone=zone.choose(options.timezone, bundle, options.home, earlier),
    )
    if earlier is None:
        return _checked(with_services(fresh, options, None))
    settled = replace(
        fresh,
        account=options.account or earlier.account,
        web_host=options.host or earlier.web_host,
        web_port=options.port or earlier.web_port,
        log_port=earlier.log_port,
        trigger_log_port=earlier.trigger_log_port,
        parallelism=options.parallelism or earlier.parallelism,
        auth=earlier.auth,
        admin_user=options.admin_user or earlier.admin_user,
        library_path=fresh.library_path or earlier.library_path,
        ignored=earlier.ignored,
        started=earlier.started,
        completed=earlier.completed if same_bundle else "",
        added=earlier.added if same_bundle else (),
        previous=earlier.previous if same_bundle or earlier.removed else earlier.bundle_id,
    )
    return _checked(with_services(settled, options, earlier))


# Airflow's own separators, and what ends a value or is expanded in airflow.cfg
_NO_USER = re.compile(r"[\x00-\x1f\x7f:,$]|^[\s-]|\s$")
_LONGEST_USER = 46  # with @localhost.invalid behind it, 64 in 2.2
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def _values(options: Options) -> None:
    """Refuse what would mean something else in airflow.cfg or a URL; raises :class:`InvalidOption`."""
    user, host = options.admin_user, options.host
    if user is not None and (not user or len(user) > _LONGEST_USER or _NO_USER.search(user)):
        raise InvalidOption(
            f"--admin-user {user!r} cannot be the name of an account of Airflow's.",
            needed=f"at most {_LONGEST_USER} characters, none of them : , $ or a control character, no blank"
            " at either end and no dash first",
        )
    if host is not None and not is_host(host):
        raise InvalidOption(
            f"--host {host!r} is not an address.",
            needed="an address of this host (0.0.0.0 for all, ::1 without brackets), or its name;"
            " the port is --port",
        )


def is_host(text: str) -> bool:
    """Whether it can be a host's name, or is an address of one."""
    if _HOST.fullmatch(text):
        return ".." not in text and max(map(len, text.split("."))) < 64
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _same_account(options: Options, earlier: Optional[Receipt]) -> None:
    """As root, believe the owner of the home and not its receipt; raises AccountError where they differ."""
    if earlier is None or os.geteuid() != 0 or options.account:
        return
    owner = options.home.path.stat().st_uid
    found = accounts.find(earlier.account)
    same = found.uid == owner if found else not accounts.is_known(owner)
    if same or owner == 0:  # what root owns nobody else has changed
        return
    raise accounts.AccountError(
        f"{options.home.receipt} names another account than the one that {options.home.path} belongs to.",
        found=earlier.account,
        needed=f"the account of uid {owner}",
        hint="The receipt was changed. If the new value is right, name the account yourself: --account NAME",
    )


def _taken_up(earlier: Receipt, taken: Set[int]) -> Receipt:
    """The choices of a home that was uninstalled: its ports may be another's now, its releases are gone."""
    database = earlier.database
    if database.kind == PRIVATE:
        database = replace(database, port=free_port(database.port, taken))
    return replace(
        earlier,
        web_port=free_port(earlier.web_port, taken),
        log_port=free_port(earlier.log_port, taken),
        trigger_log_port=free_port(earlier.trigger_log_port, taken),
        database=database,
        previous="",
    )


def with_services(chosen: Receipt, options: Options, earlier: Optional[Receipt]) -> Receipt:
    """The choices with the service manager: as asked for, else the earlier one, else what this host has."""
    before = earlier.services if earlier else ""
    return replace(chosen, services=services.choose(options.service, before, services.layout_of(chosen)))


def _checked(chosen: Receipt) -> Receipt:
    """Refuse one port for two servers; raises :class:`InvalidOption`."""
    task_logs, trigger_logs = executor_of(chosen.executor).log_servers
    ports = {
        "the web server": chosen.web_port,
        f"the {task_logs.component}'s task logs": chosen.log_port,
        f"the {trigger_logs.component}'s task logs": chosen.trigger_log_port,
    }
    if chosen.database.kind == PRIVATE:
        ports["PostgreSQL"] = chosen.database.port
    holders: Dict[int, List[str]] = {}
    for name, port in ports.items():
        holders.setdefault(port, []).append(name)
    for port, names in holders.items():
        if len(names) > 1:
            raise InvalidOption(
                f"Port {port} would serve {' and '.join(names)}.",
                needed="a port for each",
                hint="Name others with --port and --postgres-port.",
            )
    return chosen


def _auth(options: Options, bundle: Bundle) -> str:
    """The auth manager: FAB where the bundle can, which in Airflow 3 is a package of its own."""
    managers = release_for(bundle.manifest.airflow).auth_managers
    carried = {package.name for package in bundle.manifest.packages}
    if len(managers) > 1 and "apache-airflow-providers-fab" not in carried:
        managers = tuple(name for name in managers if name != "fab")
    # the directory is FAB's: the same auth manager, told where to look
    asked = "fab" if options.auth == "ldap" else options.auth
    if asked and asked not in managers:
        raise InvalidOption(
            f"This bundle of Airflow {bundle.manifest.airflow} does not offer --auth {options.auth}.",
            needed="--auth " + " or ".join([*managers, *(["ldap"] if "fab" in managers else [])]),
            hint="fab, and ldap with it, need the extra fab in the bundle: airferry bundle --extra postgres"
            " --extra fab",
        )
    return asked or managers[0]


def _database(options: Options, bundle: Bundle, earlier: Optional[Receipt], taken: Set[int]) -> Database:
    """Whose PostgreSQL; an earlier install's stays, and a cluster stays with whose it was made by."""
    kind = EXTERNAL if options.external else PRIVATE if options.postgres else ""
    keeps = earlier is not None and external.settled(earlier, kind, options.external)
    if options.external:
        server = earlier.database.server if earlier and earlier.database.kind == EXTERNAL else ""
        return external.database_of(options.external, options.home, server)
    if earlier and keeps and earlier.database.kind == EXTERNAL:
        return earlier.database
    before = earlier.database if earlier and earlier.database.kind == PRIVATE else None
    if before and (options.home.cluster.exists() or not options.postgres):
        return _kept(replace(before, port=options.postgres_port or before.port), bundle)
    carried = bundle.manifest.postgres
    if options.postgres == "host" or carried is None:
        found = host.find()
        version, programs = found.version, str(found.folder)
    else:
        version, programs = carried.version, ""
    port = options.postgres_port or free_port(POSTGRES_PORT, taken)
    return Database(embedded.ADDRESS, port, embedded.DATABASE, embedded.ROLE, version, programs)


def _kept(before: Database, bundle: Bundle) -> Database:
    """The private database of an earlier install, run by what this bundle carries if that one was carried."""
    carried = bundle.manifest.postgres
    if before.programs:
        return before
    if carried:
        return replace(before, server=carried.version)
    found = host.find()
    return replace(before, server=found.version, programs=str(found.folder))


def parallelism() -> int:
    """What suits this host; a few tasks where it does not tell (no /proc)."""
    try:
        return resources.collect().default_parallelism
    except (OSError, ValueError):
        return 4


def free_port(first: int, taken: Set[int]) -> int:
    """The first TCP port from `first` on that nobody holds; added to `taken`."""
    for port in range(first, first + 200):
        if port not in taken and is_free(port):
            taken.add(port)
            return port
    raise InvalidOption(f"No free TCP port between {first} and {first + 199}.", hint="Name one with --port.")


def is_free(port: int) -> bool:
    """Whether a server could listen on that TCP port on all addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
            probe.listen(1)
        except OSError:
            return False
    return True
