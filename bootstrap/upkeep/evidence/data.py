"""What evidence holds. It is data for people and other programs, versioned by its schema; no secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

from bootstrap.examination.packages import Handmade
from bootstrap.examination.records import Recorded
from bootstrap.state.admission import Admission
from bootstrap.upkeep.settings import Difference

SCHEMA = 1


@dataclass(frozen=True)
class InstalledFile:
    """A file that was installed, and what ``airferry-admit`` has recorded of it.

    `sha256` is that of the whole file, as the approval has it; empty where an airferry of before has
    installed it, which noted the `seal` alone. `packages` are those of an add-on.
    """

    name: str
    sha256: str
    seal: str
    bundle_id: str
    admission: Optional[Admission] = None
    packages: Tuple[str, ...] = ()


@dataclass(frozen=True)
class EvidencedComponent:
    """A component: its state, Airflow's own word on its health, and its unit of systemd.

    `unit_sha256` is that of the unit's file; `as_written` whether it is what airferry writes. Both are empty
    and true where there is no unit.
    """

    name: str
    state: str
    health: str
    unit: str = ""
    unit_sha256: str = ""
    as_written: bool = True


@dataclass(frozen=True)
class Port:
    """A port of the installation: `state` is free, held or unknown, by which account's process."""

    number: int
    use: str
    address: str
    state: str
    user: str = ""


@dataclass(frozen=True)
class HostAccount:
    """The account of the host that everything runs as; `locked` is None where only root may know."""

    name: str
    uid: int
    groups: Tuple[str, ...]
    home: str
    shell: str
    locked: Optional[bool]


@dataclass(frozen=True)
class AirflowAccount:
    """An account of Airflow's own pages."""

    name: str
    active: bool
    roles: str


@dataclass(frozen=True)
class EvidencedFinding:
    """A finding of doctor that is not ok."""

    id: str
    severity: str
    title: str
    found: str


@dataclass(frozen=True)
class EvidencedCommand:
    """A command of the history."""

    time: str
    command: str
    outcome: str
    by: str
    account: str
    details: str


@dataclass(frozen=True)
class Evidence:
    """All of it; times are RFC 3339 in UTC, `unknown` says what could not be looked at and why.

    `variables` are the names in etc/local.env, whose values are not looked at. `recorded` compares the files
    with the RECORD of their package, `handmade` the packages with the bundle's manifest.
    """

    schema: int
    written: str
    airferry: str
    host: str
    system: str
    name: str
    home: str
    airflow: str
    python: str
    database: str
    installed: str
    file: InstalledFile
    added: Tuple[InstalledFile, ...] = ()
    recorded: Recorded = field(default_factory=Recorded)
    handmade: Handmade = field(default_factory=Handmade)
    configuration: Tuple[Difference, ...] = ()
    variables: Tuple[str, ...] = ()
    services: str = ""
    components: Tuple[EvidencedComponent, ...] = ()
    ports: Tuple[Port, ...] = ()
    account: Optional[HostAccount] = None
    accounts: Tuple[AirflowAccount, ...] = ()
    findings: Tuple[EvidencedFinding, ...] = ()
    checked: int = 0
    history: Tuple[EvidencedCommand, ...] = ()
    unknown: Tuple[str, ...] = ()
