"""What an installation asks of its host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

from bootstrap.airflow.executor import LOCAL, Executor
from wheelhouse.manifest import CarriedPython, MadeFor, Manifest, Package

# Measured on Airflow 3.3.2, 2.10.5 and 2.2.2 with PostgreSQL 18: an environment takes 10 to 15 % more on
# disk than its files are long, a file is 17 to 20 kB, bytecode written later adds up to a quarter, a new
# cluster is 72 MB.
_BLOCKS = 1.15
_BYTECODE = 0.25
_CLUSTER = 100_000_000
_BYTES_PER_FILE = 12_000
_OTHER_FILES = 5_000
_GROWTH = 1_000_000_000


@dataclass(frozen=True)
class WantedPort:
    """A port that will be listened on; `named` when the user asked for that very one."""

    number: int
    purpose: str
    named: bool = False


@dataclass(frozen=True)
class WantedServer:
    """An external server: `connections` are wanted, with fewer than `least` nothing works.

    `own` says that this installation's tables are there already, `adopt` that those of another may be taken
    over.
    """

    connections: int
    least: int
    own: bool = False
    adopt: bool = False


@dataclass(frozen=True)
class Needs:
    """What a bundle and the choices of its user need; sizes in bytes.

    `room` must be free for the install, `growth` more is wanted for the time after. `memory` is enough for
    `parallelism` tasks, below `memory_least` nothing works. `wheels` are the file names of everything
    compiled or not that the bundle holds. `account` will run everything (empty: whoever asks);
    `interpreter` is the one that the user named. `created` is when the bundle was made (RFC 3339). `server`
    is None when the installation runs a PostgreSQL of its own.
    `postgres` is the carried server's file name in `wheels`, `programs` the folder of the host's own server
    that is taken instead (both empty: neither). `notes` are the bundle's own warnings,
    `made_for` is the kind of host that it was made for. `carried` is the interpreter that may be taken from
    the bundle, `carried_only` that it shall be.
    """

    airflow: str
    label: str
    python: str
    machine: str
    libc: str
    libc_label: str
    wheels: Tuple[str, ...]
    room: int
    growth: int
    inodes: int
    memory: int
    memory_least: int
    parallelism: int
    home: str
    ports: Tuple[WantedPort, ...] = ()
    account: str = ""
    interpreter: Optional[str] = None
    created: str = ""
    server: Optional[WantedServer] = None
    postgres: str = ""
    programs: str = ""
    notes: Tuple[str, ...] = ()
    made_for: Optional[MadeFor] = None
    carried: Optional[CarriedPython] = None
    carried_only: bool = False


def needs_of(
    manifest: Manifest,
    *,
    home: str,
    ports: Sequence[WantedPort] = (),
    executor: Executor = LOCAL,
    parallelism: int = 4,
    account: str = "",
    python: Optional[str] = None,
    programs: str = "",
    carried: Optional[CarriedPython] = None,
    carried_only: bool = False,
) -> Needs:
    """What the bundle of `manifest` needs, installed with these choices."""
    packages = _carried(manifest)
    packed = sum(package.size for package in packages)
    # a manifest that does not know how long its files are when unpacked: wheels shrink to about a third
    unpacked = max(manifest.unpacked, packed if manifest.unpacked else 3 * packed)
    host = manifest.target.host
    python_size = carried.unpacked if carried else 0
    memory = executor.memory(parallelism)
    return Needs(
        airflow=manifest.airflow,
        label=manifest.target.label,
        python=manifest.target.python,
        machine=host.machine,
        libc=host.libc,
        libc_label=manifest.floor or host.libc_label,
        wheels=tuple(package.filename for package in packages),
        room=int((unpacked + python_size) * _BLOCKS + packed + _CLUSTER),
        growth=int(unpacked * _BYTECODE + _GROWTH),
        inodes=unpacked // _BYTES_PER_FILE + _OTHER_FILES,
        memory=memory.enough,
        memory_least=memory.least,
        parallelism=parallelism,
        home=home,
        ports=tuple(ports),
        account=account,
        interpreter=python,
        created=manifest.created,
        postgres=manifest.postgres.package.filename if manifest.postgres else "",
        programs=programs,
        notes=manifest.notes,
        made_for=manifest.made_for,
        carried=carried,
        carried_only=carried_only,
    )


def _carried(manifest: Manifest) -> Tuple[Package, ...]:
    postgres = (manifest.postgres.package,) if manifest.postgres else ()
    return (*manifest.packages, *manifest.tools, *manifest.services, *postgres)
