"""The receipt: what was installed, for every later command to know. It holds no secrets."""

from __future__ import annotations

import contextlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

from bootstrap.base import account, channel, smallfile
from wheelhouse import codec
from wheelhouse.errors import AirferryError

SCHEMA = 4

# Whose server the metadata database is on: a cluster of our own, or an external one, given as a URL.
# A worker has none.
PRIVATE, EXTERNAL, NO_DATABASE = "private", "external", "none"

# The role of a host that runs everything but what an executor places elsewhere.
HEAD = "head"
# Whose the code of an installation is.
ROOT, ACCOUNT = "root", "account"
# The role of a host that runs nothing but tasks, for a head elsewhere.
WORKER = "worker"
# As `[core] executor` has it; receipts before schema 3 did not name it.
LOCAL_EXECUTOR = "LocalExecutor"


class NotInstalled(AirferryError):
    """There is no installation in this home, or it was made by a newer airferry."""

    reference = "not-installed"
    exit_code = 37


@dataclass(frozen=True)
class Database:
    """The metadata database of `server`, the version of PostgreSQL.

    `kind` is :data:`PRIVATE`, :data:`EXTERNAL` or :data:`NO_DATABASE`. `programs` is the folder of the host's
    own programs; empty for the carried ones. `sslmode` and `sslrootcert` are libpq's, for an external server;
    `adopted` says that the tables of another Airflow were there.
    """

    host: str
    port: int
    name: str
    role: str
    server: str
    programs: str = ""
    kind: str = PRIVATE
    sslmode: str = ""
    sslrootcert: str = ""
    adopted: bool = False


@dataclass(frozen=True)
class Added:
    """An add-on: its bundle id, file, the `packages` it brought (``name version``), and its base.

    `sha256` and `seal` are as those of a :class:`Receipt`.
    """

    bundle_id: str
    file: str
    sha256: str
    packages: Tuple[str, ...]
    time: str
    base: str = ""
    seal: str = ""


@dataclass(frozen=True)
class Receipt:
    """What an install decided and did; times are RFC 3339 in UTC.

    `bundle_sha256` is that of the whole file, as ``sha256sum`` and the approval have it, `bundle_seal` the
    digest that stands in it. Where that is empty, an airferry of before has written the seal as the sha256.
    ``completed`` stays empty until the example pipeline has run to success. `name` tells installations on
    one host apart (``airferry-NAME.target``), `services` is systemd, systemd-user, supervisor or none.
    `python_from` says where the interpreter came from (host, carried, named), `ca_file` which certificates
    the components trust, `ignored` which findings of doctor the admin overrode, `previous` the bundle id
    that the last upgrade left behind, `added` the add-ons of this release. `removed` is when it was
    uninstalled: only the data is left. `role` is this host's part, `executor` what runs the tasks (see
    ``bootstrap.airflow.executor``). `owner` is whose code and records are: root, or the account. `timezone`
    is the one that the install has put into airflow.cfg; empty where it has left that alone.
    """

    schema: int
    airferry: str
    airflow: str
    bundle_id: str
    bundle_file: str
    bundle_sha256: str
    python: str
    home: str
    account: str
    web_host: str
    web_port: int
    log_port: int
    trigger_log_port: int
    parallelism: int
    auth: str
    admin_user: str
    database: Database
    services: str
    library_path: str = ""
    started: str = ""
    completed: str = ""
    name: str = "airflow"
    python_from: str = "host"
    ca_file: str = ""
    ignored: Tuple[str, ...] = ()
    previous: str = ""
    added: Tuple[Added, ...] = ()
    removed: str = ""
    role: str = HEAD
    executor: str = LOCAL_EXECUTOR
    owner: str = ACCOUNT
    bundle_seal: str = ""
    timezone: str = ""

    @property
    def is_roots(self) -> bool:
        """Whether code and records are root's; the account owns the data alone."""
        return self.owner == ROOT

    @property
    def carried_python(self) -> Optional[Path]:
        """The folder of the interpreter that a bundle has brought; None where it is one of the host's."""
        return Path(self.python).parent.parent if self.python_from == "carried" else None


def save(path: Path, receipt: Receipt) -> None:
    """Write the receipt in one step, or have root write it where it is root's."""
    if receipt.is_roots and channel.available():
        channel.ask("receipt", receipt=codec.encode(receipt))
        return
    smallfile.write(path, codec.dumps(receipt), 0o640, errors="backslashreplace")


def find(path: Path) -> Optional[Receipt]:
    """Read the receipt; None when there is none. Raises :class:`NotInstalled` for one we cannot read.

    AccountError where only another account may read it.
    """
    text = None
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        try:
            text = _text(path)
        except PermissionError as error:
            raise account.foreign(path.parent) from error
    if text is None:
        return None
    try:
        data = codec.parse(text)
        schema = data.get("schema") if isinstance(data, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise NotInstalled(
                f"The receipt {path} was written by a newer airferry.",
                found=f"receipt schema {schema}",
                needed=f"receipt schema {SCHEMA} or older",
                hint="Use the bundle file that installed it, or a newer one.",
            )
        return codec.decode(Receipt, data)
    except codec.Malformed as error:
        raise NotInstalled(
            f"The receipt {path} cannot be read.",
            found="\n".join(error.problems[:5]),
            needed=f"a receipt of schema {SCHEMA}",
            hint="It was edited or damaged. " + _way_out(path),
        ) from error


def _text(path: Path) -> str:
    """The text of the receipt; root, who may read more than the account, follows nothing that it planted."""
    if os.geteuid() == 0:
        return smallfile.read(path, path.parent.stat().st_uid).decode("utf-8", "replace")
    return path.read_text(encoding="utf-8", errors="replace")


def _way_out(path: Path) -> str:
    """What to do about a receipt that cannot be read: a backup of the release in use has a copy of it."""
    in_use = (path.parent / "current").resolve().name
    for copy in sorted(path.parent.glob(f"backups/[!.]*/state/{path.name}"), reverse=True):
        with contextlib.suppress(OSError, codec.Malformed, AttributeError):
            if codec.parse(smallfile.text(copy, largest=1 << 20)).get("bundle_id") == in_use:
                return f"A backup has a copy of it: cp {shlex.quote(str(copy))} {shlex.quote(str(path))}"
    return "With the receipt moved away, an install starts from scratch; the database in postgres/ is kept."


def load(path: Path) -> Receipt:
    """Read the receipt; raises :class:`NotInstalled` when there is none."""
    receipt = find(path)
    if receipt is None:
        raise NotInstalled(
            f"There is no airferry installation in {path.parent}.",
            found=f"no {path.name}",
            hint="Name the right one with --home, or install: sh FILE install --home " + str(path.parent),
        )
    return receipt
