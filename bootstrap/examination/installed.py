"""An installation as it is: its files, its configuration and its components. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

from bootstrap.base import lock
from bootstrap.examination import (
    cluster,
    configuration,
    directory,
    files,
    growth,
    kerberos,
    login,
    mail,
    metadata,
    running,
    sharing,
    tls,
)
from bootstrap.examination.cluster import ClusterFacts
from bootstrap.examination.configuration import Configuration
from bootstrap.examination.directory import DirectoryFacts
from bootstrap.examination.files import Files
from bootstrap.examination.growth import Growth
from bootstrap.examination.kerberos import KerberosFacts
from bootstrap.examination.login import Login
from bootstrap.examination.mail import MailFacts
from bootstrap.examination.metadata import Metadata
from bootstrap.examination.running import Running
from bootstrap.examination.sharing import Sharing
from bootstrap.examination.tls import Tls
from bootstrap.facts.carried import CarriedSettings
from bootstrap.facts.host import SECONDS, Failure, run
from bootstrap.installed import carried, status
from bootstrap.installed.dagimports import DagProblem
from bootstrap.installed.installation import Installation
from bootstrap.state import change_record

# Airflow itself takes seconds to import, on a busy host many.
_IMPORT_SECONDS = 60.0


@dataclass(frozen=True)
class ComponentState:
    """A component: its state (RUNNING, STOPPED, ...), Airflow's own word on its health, and a remark."""

    name: str
    state: str
    health: str = ""
    note: str = ""


@dataclass(frozen=True)
class Unfinished:
    """A change that was interrupted, and the commands that finish or undo it."""

    title: str
    commands: Tuple[str, ...]


@dataclass(frozen=True)
class Installed:
    """An installation. A part is None when it could not be looked at, which then is in `failures`."""

    home: str
    airflow: str
    bundle_file: str
    completed: bool
    files: Optional[Files] = None
    configuration: Optional[Configuration] = None
    components: Optional[Tuple[ComponentState, ...]] = None
    running: Optional[Tuple[Running, ...]] = None
    metadata: Optional[Metadata] = None
    growth: Optional[Growth] = None
    sharing: Optional[Sharing] = None
    login: Optional[Login] = None
    tls: Optional[Tls] = None
    directory: Optional[DirectoryFacts] = None
    mail: Optional[MailFacts] = None
    kerberos: Optional[KerberosFacts] = None
    airflow_cfg: Optional[CarriedSettings] = None
    unfinished: Optional[Unfinished] = None
    cluster: Optional[ClusterFacts] = None
    dag_imports: Optional[Tuple[DagProblem, ...]] = None
    failures: Tuple[Failure, ...] = ()


def collect(installation: Installation, *, seconds: float = SECONDS) -> Installed:
    """Look at everything; never raises, and ends after `seconds`."""
    receipt = installation.receipt
    everywhere: Dict[str, Callable[[], object]] = {
        "files": lambda: files.collect(installation),
        "components": lambda: components(installation),
        "cluster": lambda: cluster.collect(installation),
        "unfinished": lambda: unfinished(installation),
    }
    if installation.is_worker:
        everywhere["dag_imports"] = lambda: cluster.dag_imports(installation)
        seconds = max(seconds, _IMPORT_SECONDS)
    found, failures = run(
        everywhere
        if installation.is_worker
        else {
            **everywhere,
            "configuration": lambda: configuration.collect(installation),
            "running": lambda: running.collect(installation),
            "metadata": lambda: metadata.collect(installation),
            "growth": lambda: growth.collect(installation),
            "sharing": lambda: sharing.collect(installation),
            "airflow_cfg": lambda: carried.collect(receipt),
            "login": lambda: login.collect(installation),
            "tls": lambda: tls.collect(installation),
            "directory": lambda: directory.collect(installation),
            "mail": lambda: mail.collect(installation),
            "kerberos": lambda: kerberos.collect(installation),
        },
        seconds,
    )
    return Installed(
        receipt.home,
        receipt.airflow,
        receipt.bundle_file,
        bool(receipt.completed),
        **found,
        failures=failures,
    )


def unfinished(installation: Installation) -> Optional[Unfinished]:
    """The change that is under way, if any."""
    change = change_record.find(installation.home)
    if change is None or lock.holder(installation.home.lock):
        return None
    return Unfinished(change.title, tuple(change_record.commands(installation.home, change)))


def components(installation: Installation) -> Tuple[ComponentState, ...]:
    """What runs, and how it is."""
    found = status.look(installation).components
    if installation.is_worker:
        # what its head says of it is a finding of its own
        return tuple(ComponentState(item.name, item.state, "", item.note) for item in found)
    return tuple(ComponentState(item.name, item.state, item.health, item.note) for item in found)
