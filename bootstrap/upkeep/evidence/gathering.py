"""Gathering evidence: what was approved, and what is here now. It holds no secret.

It is what the account's own process found. Who has taken the account over can have it say anything; what root
knows on its own is the admission.
"""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import hashlib
import platform
import re
import socket
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, TypeVar

from bootstrap.airflow import config
from bootstrap.airflow.managed_options import is_secret
from bootstrap.base import secret, smallfile
from bootstrap.doctor import checkup
from bootstrap.examination import packages, records
from bootstrap.examination.records import Recorded
from bootstrap.facts import account, distribution, ports
from bootstrap.installed import status
from bootstrap.installed.installation import Installation
from bootstrap.services import control, units
from bootstrap.services.localenv import parse
from bootstrap.services.manager import SYSTEMD, SYSTEMD_USER
from bootstrap.state import admission, journal
from bootstrap.upkeep import settings
from bootstrap.upkeep.evidence.data import (
    SCHEMA,
    AirflowAccount,
    Evidence,
    EvidencedCommand,
    EvidencedComponent,
    EvidencedFinding,
    HostAccount,
    InstalledFile,
    Port,
)
from bootstrap.upkeep.settings import Difference
from wheelhouse import __version__, timestamp
from wheelhouse.errors import AirferryError

HIDDEN = "***"
# a shorter secret would hide half of all text
_SHORTEST_SECRET = 6
_ACCOUNTS = (
    "SELECT u.username, u.active, coalesce(string_agg(r.name, ', ' ORDER BY r.name), '') FROM ab_user u"
    " LEFT JOIN ab_user_role x ON x.user_id = u.id LEFT JOIN ab_role r ON r.id = x.role_id"
    " GROUP BY u.username, u.active ORDER BY u.username"
)
# in a value that is shown otherwise, such as a path that was made of it
_URL_PASSWORD = re.compile(r"://[^:/@\s]*:([^@\s]+)@")
T = TypeVar("T")


def gather(installation: Installation) -> Evidence:
    """Look at everything as the installation's account; what cannot be looked at is named, and stops none."""
    receipt = installation.receipt
    unknown: List[str] = []

    def asked(what: str, look: Callable[[], T], otherwise: T) -> T:
        try:
            return look()
        except (AirferryError, OSError, ValueError) as error:
            unknown.append(f"{what}: {error}")
            return otherwise

    report = checkup.judge(installation)
    system = distribution.collect()
    database = receipt.database
    found = Evidence(
        schema=SCHEMA,
        written=timestamp.now(),
        airferry=__version__,
        host=socket.gethostname(),
        system=f"{system.name}, {platform.machine()}, Linux {platform.release()}",
        name=receipt.name,
        home=receipt.home,
        airflow=receipt.airflow,
        python=receipt.python,
        database=f"PostgreSQL {database.server} ({database.kind}) on {database.host}:{database.port}",
        installed=receipt.completed,
        file=_file(receipt.bundle_file, receipt.bundle_sha256, receipt.bundle_seal, receipt.bundle_id),
        added=tuple(
            dataclasses.replace(
                _file(item.file, item.sha256, item.seal, item.bundle_id), packages=item.packages
            )
            for item in receipt.added
        ),
        recorded=asked("packages", lambda: _recorded(installation), Recorded()),
        handmade=packages.compare(installation.release),
        configuration=asked("airflow.cfg", lambda: _configuration(installation), ()),
        variables=asked("etc/local.env", lambda: _variables(installation), ()),
        services=receipt.services,
        components=asked("components", lambda: tuple(_components(installation)), ()),
        ports=asked("ports", lambda: tuple(_ports(installation)), ()),
        account=asked("account", lambda: _account(receipt.account), None),
        accounts=asked("Airflow's accounts", lambda: tuple(_accounts(installation)), ()),
        findings=tuple(
            EvidencedFinding(item.id, item.severity, item.title, item.found)
            for item in report.findings
            if item.severity != "ok"
        ),
        checked=len(report.findings),
        history=tuple(_entry(item) for item in journal.read(installation.home.journal).entries),
    )
    found = dataclasses.replace(found, unknown=tuple(unknown))
    hidden: Evidence = _without(found, tuple(_secrets(installation)))
    return hidden


def _file(name: str, sha256: str, seal: str, bundle_id: str) -> InstalledFile:
    if not seal:  # an airferry of before has written the one in the place of the other
        sha256, seal = "", sha256
    return InstalledFile(name, sha256, seal, bundle_id, admission.find(sha256))


def _recorded(installation: Installation) -> Recorded:
    folders = sorted(installation.release.venv.glob("lib/python3*/site-packages"))[:1]
    added = installation.release.added
    sites = {"": folders[0]} if folders else {}
    sites.update({item.bundle_id: added / item.bundle_id for item in installation.receipt.added})
    return records.together({name: records.compare(path) for name, path in sites.items()})


def _configuration(installation: Installation) -> Tuple[Difference, ...]:
    """As ``config diff``; of an option that nobody knows the value is not shown, whatever its name."""
    return tuple(
        dataclasses.replace(
            item, value=HIDDEN if item.note == settings.UNKNOWN and item.value else item.value
        )
        for item in settings.differences(installation)
    )


def _variables(installation: Installation) -> Tuple[str, ...]:
    path = installation.home.etc / "local.env"
    return tuple(sorted(parse(path.read_bytes()).variables)) if path.exists() else ()


def _components(installation: Installation) -> Iterator[EvidencedComponent]:
    found = [(item.name, item.state, item.health) for item in status.look(installation).components]
    states = installation.services.states()
    found += [(name, states[name].state, "") for name in installation.helpers if name in states]
    kind = installation.receipt.services
    folder = {SYSTEMD: control.SYSTEM_UNITS, SYSTEMD_USER: control.user_units()}.get(kind)
    layout = installation.layout_of(kind)
    wanted = units.render(layout) if folder else {}
    for name, state, health in found:
        unit, text = layout.unit(name), ""
        if not folder or unit not in wanted:
            yield EvidencedComponent(name, state, health)
            continue
        with contextlib.suppress(OSError):
            text = smallfile.text(folder / unit, largest=1 << 20)
        digest = hashlib.sha256(text.encode()).hexdigest() if text else ""
        yield EvidencedComponent(name, state, health, unit, digest, text == wanted[unit])


def _ports(installation: Installation) -> Iterator[Port]:
    receipt = installation.receipt
    task_logs, trigger_logs = installation.executor.log_servers
    uses = {
        receipt.web_port: ("web server", receipt.web_host),
        receipt.log_port: (f"task logs of the {task_logs.component}", "0.0.0.0"),  # noqa: S104
        receipt.trigger_log_port: (f"task logs of the {trigger_logs.component}", "0.0.0.0"),  # noqa: S104
    }
    if installation.servers:
        uses[receipt.database.port] = ("PostgreSQL", receipt.database.host)
    for state in ports.collect(tuple(uses)):
        use, address = uses[state.number]
        yield Port(state.number, use, address, state.state, state.user)


def _account(name: str) -> Optional[HostAccount]:
    found = account.collect(name).service
    if found is None:
        return None
    names = []
    for number in found.groups:
        with contextlib.suppress(KeyError):
            names.append(grp.getgrgid(number).gr_name)
    return HostAccount(found.name, found.uid, tuple(sorted(names)), found.home, found.shell, found.locked)


def _accounts(installation: Installation) -> Iterator[AirflowAccount]:
    if installation.receipt.auth == "simple":
        found = settings.find(installation, "core", "simple_auth_manager_users").value
        for item in filter(None, (part.strip() for part in found.split(","))):
            name, _, role = item.partition(":")
            yield AirflowAccount(name, True, role)
        return
    for row in installation.database.query(_ACCOUNTS).split("\n"):
        cells = row.split("\t")
        if len(cells) == 3:
            yield AirflowAccount(cells[0], cells[1] in ("t", "true", "True"), cells[2])


def _entry(item: journal.JournalEntry) -> EvidencedCommand:
    details = ", ".join(
        f"{name} {_words(value)}" for name, value in item.details.items() if value is not None
    )
    text = ", ".join(filter(None, (item.error, details)))
    return EvidencedCommand(item.time, item.command, item.outcome, item.by, item.account, text)


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _secrets(installation: Installation) -> Iterator[str]:
    """What is secret here: in secrets/, in airflow.cfg and in etc/local.env, by the names of the options."""
    found: List[str] = []
    for path in sorted(installation.home.secrets.glob("*")):
        with contextlib.suppress(OSError):
            found.append(smallfile.text(path, largest=1 << 16).split("\n")[0].strip())
    with contextlib.suppress(AirferryError, OSError):
        listed = config.listed(config.read(installation.home.airflow_cfg))
        found += [value for (_, option), value in listed.items() if is_secret(option)]
        found += [password for value in listed.values() for password in _URL_PASSWORD.findall(value)]
    with contextlib.suppress(OSError):
        variables = parse((installation.home.etc / "local.env").read_bytes()).variables
        found += [value for name, value in variables.items() if is_secret(name.lower())]
    # the longest first: one may be a part of another
    yield from sorted({item for item in found if len(item) >= _SHORTEST_SECRET}, key=len, reverse=True)


def _without(value: Any, hidden: Tuple[str, ...]) -> Any:
    """The value with no secret in any of its texts; the places that hold one by accident, too."""
    if isinstance(value, str):
        for item in hidden:
            value = value.replace(item, HIDDEN)
        return secret.masked(value)
    if isinstance(value, tuple):
        return tuple(_without(item, hidden) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed: Dict[str, Any] = {
            item.name: _without(getattr(value, item.name), hidden) for item in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **changed)
    return value
