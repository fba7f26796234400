"""Root's part of an install: the account and its home; everything else runs as that account.

One value crosses (:class:`Handover`), on a descriptor of its own. The bundle may lie where the account cannot
read (/root, a medium of mode 0600) and so may a password file: they cross as open descriptors, which the
value names. Nothing is told by an option, an argument or the environment, which any caller could set.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from bootstrap.base import account as accounts
from bootstrap.base import secret
from bootstrap.base.account import Account, AccountError
from bootstrap.base.secret import Secret
from bootstrap.installed import following
from bootstrap.installed.external import Handed
from bootstrap.installed.following import Following
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.installed.taking import Taking
from bootstrap.python.choice import CARRIED
from bootstrap.services import broker
from bootstrap.services.broker import Broker
from bootstrap.site import asked
from bootstrap.site.asked import SiteAsked
from bootstrap.state import ownership, registry
from bootstrap.state.cluster import Join
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse import codec
from wheelhouse.reader import Bundle

if TYPE_CHECKING:
    from bootstrap.custody import Custodian

SCHEMA = 1
# In the place of a descriptor that nothing crosses by.
NOTHING = -1
# Below the home: what the account's process is imported from.
RUNTIME = ".handoff"
# Below the runtime: what it runs (bootstrap.inner).
_ENTRY = "bootstrap/inner.py"


@dataclass(frozen=True)
class Handover:
    """All that crosses from root to the account's process: choices, and descriptors of what is open.

    `channel` leads to root's process (bootstrap.services.broker). Each password and the certificate have a
    descriptor of their own, :data:`NOTHING` where there is none; `administrator` makes role and database.
    `patience` is how long tasks may run on before an upgrade, `site` what it is told of its site, with a key,
    `join` what a worker is told. `archive` holds the Airflow at `old_place` that is to be taken over, and
    `following` what is done last, with secrets.
    """

    schema: int
    receipt: Receipt
    bundle: int
    bundle_name: str
    channel: int
    json: bool = False
    admin_password: int = NOTHING
    role_password: int = NOTHING
    administrator: str = ""
    administrator_password: int = NOTHING
    certificate: int = NOTHING
    patience: Optional[float] = None
    site: int = NOTHING
    join: int = NOTHING
    old_place: str = ""
    archive: int = NOTHING
    following: int = NOTHING


@dataclass(frozen=True)
class Given:
    """What an install is given beside its choices, and does not keep.

    The password of Airflow's admin, what an external database needs, and how long running tasks may go on
    before an upgrade, in seconds (None: the usual time), what it is told of its site, (`join`) what a
    worker is told, an old Airflow that is to be taken over, and what is done last.
    """

    admin_password: Optional[Secret] = None
    database: Handed = field(default_factory=Handed)
    patience: Optional[float] = None
    site: Optional[SiteAsked] = None
    join: Optional[Join] = None
    taking: Optional[Taking] = None
    following: Following = field(default_factory=Following)


def given(options: Options) -> Given:
    """What the options name, read where they name it."""
    return Given(
        password(options.admin_password_file),
        database(options),
        options.patience,
        options.site,
        _narrowed(options),
        options.taking,
        options.following,
    )


def _narrowed(options: Options) -> Optional[Join]:
    """The join file, with the queues that this host was asked to serve."""
    join = options.join
    if join is None or not options.queues:
        return join
    from bootstrap.cluster.engine import queues_of  # noqa: PLC0415  (doctor starts sooner without it)

    return replace(join, queues=queues_of(join.name, options.queues))


def password(path: Optional[Path]) -> Optional[Secret]:
    """The password in the named file, if any."""
    return first_line(path) if path else None


def database(options: Options) -> Handed:
    """What an external database needs, as it was given."""
    choice = options.external
    if choice is None:
        return Handed()
    certificate = None
    if choice.connection.sslrootcert:
        certificate = Path(choice.connection.sslrootcert).read_text(encoding="utf-8", errors="replace")
    return Handed(choice.passwords.role, choice.admin, choice.passwords.admin, certificate)


def receive(descriptor: int) -> Handover:
    """In the account's process: the value that root has written, whole. Raises Malformed."""
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        return codec.loads(Handover, stream.read())


def secrets_of(handed: Handover) -> Given:
    """In the account's process: what its descriptors hold, each read once."""
    role, administrator = _received(handed.role_password), _received(handed.administrator_password)
    certificate = None
    if handed.certificate != NOTHING:
        with os.fdopen(handed.certificate, encoding="utf-8", errors="replace") as stream:
            certificate = stream.read()
    found = Handed(role, handed.administrator, administrator, certificate)
    site = None
    if handed.site != NOTHING:
        with os.fdopen(handed.site, encoding="utf-8") as stream:
            site = asked.parse(Secret(stream.read()))
    told = _received(handed.join)
    join = codec.loads(Join, told.reveal()) if told else None
    taking = Taking(handed.old_place, handed.archive) if handed.archive != NOTHING else None
    last = Following()
    if handed.following != NOTHING:
        with os.fdopen(handed.following, encoding="utf-8") as stream:
            last = following.parse(Secret(stream.read()))
    return Given(_received(handed.admin_password), found, handed.patience, site, join, taking, last)


def _received(descriptor: int) -> Optional[Secret]:
    if descriptor == NOTHING:
        return None
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        return Secret(stream.readline().rstrip("\r\n"))


def run(chosen: Receipt, opened: Bundle, options: Options, *, json: bool = False) -> int:
    """Make account and home as root, run the install as the account, and return its exit status.

    Raises :class:`AccountError`.
    """
    from bootstrap.custody import Custodian, extract_runtime  # noqa: PLC0415  (doctor starts sooner without it)

    home = Home(Path(chosen.home))
    ownership.check_place(home)
    account = accounts.ensure(chosen.account, home.path)
    if account.uid == 0:
        raise AccountError(
            "Airflow and PostgreSQL are not run as root.",
            needed="an ordinary account",
            hint=f"Leave out --account: {accounts.DEFAULT} is created for you.",
        )
    ownership.make(home, account)
    custodian = Custodian(home, account, chosen=chosen, bundle=opened)
    chosen = custodian.begin()
    runtime = home.path / RUNTIME
    extract_runtime(opened, runtime)
    try:
        return _attended(chosen, opened, options, account, custodian, json=json)
    finally:
        shutil.rmtree(str(runtime), ignore_errors=True)


def _attended(
    chosen: Receipt, opened: Bundle, options: Options, account: Account, custodian: Custodian, *, json: bool
) -> int:
    home = custodian.home
    external = options.external
    certificate = external.connection.sslrootcert if external else ""
    ours, theirs = socket.socketpair()
    handed = Handover(
        SCHEMA,
        chosen,
        # with a place of its own in it: both processes read
        os.open(f"/proc/self/fd/{opened.stream.fileno()}", os.O_RDONLY),
        str(opened.path),
        theirs.fileno(),
        json,
        _pipe(password(options.admin_password_file)),
        _pipe(external.passwords.role if external else None),
        external.admin if external else "",
        _pipe(external.passwords.admin if external else None),
        os.open(certificate, os.O_RDONLY) if certificate else NOTHING,
        options.patience,
        _memory(options.site.whole) if options.site else NOTHING,
        _pipe(_told(options)),
        options.taking.place if options.taking else "",
        options.taking.archive if options.taking else NOTHING,
        _memory(options.following.whole) if options.following != Following() else NOTHING,
    )
    registry.save(registry.record_of(chosen))
    child = os.fork()
    if child == 0:
        ours.close()
        _inner(account, home, handed)
    theirs.close()
    # what root writes must not depend on its own environment, which the account's process does not have
    accounts.leave_environment()
    with ours:
        return broker.attend(child, ours, Broker(registry.record_of(chosen), actions=custodian.actions()))


def _inner(account: Account, home: Home, handed: Handover) -> None:
    """In the child: become the account, and start airferry with the value on a descriptor."""
    try:
        accounts.become(account)
        chosen = handed.receipt
        # the carried interpreter is not unpacked yet: the account does that, on the one that runs this
        python = sys.executable if chosen.python_from == CARRIED else chosen.python
        _check(account, python, home.path)
        os.chdir(str(home.path))
        os.environ["HOME"] = str(home.path)
        value = _written(codec.dumps(handed))
        for descriptor in (
            value,
            handed.bundle,
            handed.channel,
            handed.admin_password,
            handed.role_password,
            handed.administrator_password,
            handed.certificate,
            handed.site,
            handed.join,
            handed.archive,
            handed.following,
        ):
            if descriptor != NOTHING:
                os.set_inheritable(descriptor, True)
        command = [python, "-I", "-S", "-X", "utf8", str(home.path / RUNTIME / _ENTRY), str(value)]
        os.execv(python, command)  # noqa: S606
    except (AccountError, OSError) as error:
        sys.stderr.write(f"airferry: {error}\n")
        sys.stderr.flush()
        os._exit(AccountError.exit_code)


def _told(options: Options) -> Optional[Secret]:
    join = _narrowed(options)
    return Secret(codec.compact(codec.encode(join))) if join else None


def _written(text: str) -> int:
    """A descriptor from which a text of any length can be read; it has no name."""
    with tempfile.TemporaryFile(dir=os.curdir) as stream:
        stream.write(text.encode("utf-8", "surrogateescape"))
        stream.seek(0)
        return os.dup(stream.fileno())


def _memory(value: Secret) -> int:
    """A descriptor from which a secret of any length can be read; it lies in a file without a name."""
    with tempfile.TemporaryFile() as stream:
        stream.write(value.reveal().encode("utf-8", "surrogateescape"))
        stream.seek(0)
        return os.dup(stream.fileno())


def _pipe(value: Optional[Secret]) -> int:
    """A descriptor from which a secret can be read, once."""
    if value is None:
        return NOTHING
    reading, writing = os.pipe()
    os.write(writing, value.reveal().encode() + b"\n")
    os.close(writing)
    return reading


def first_line(path: Path) -> Secret:
    """The password in a file; raises :class:`InvalidOption` when there is none."""
    try:
        found = secret.read(path)
    except UnicodeDecodeError as error:
        raise InvalidOption(
            f"{path} is not text in UTF-8.", needed="the password in its first line"
        ) from error
    if not found.reveal():
        raise InvalidOption(f"{path} contains no password.", needed="the password in its first line")
    return found


def _check(account: Account, python: str, home: Path) -> None:
    if not os.access(str(home), os.X_OK):
        raise AccountError(
            f"The account {account.name} cannot enter {home}: a folder above it is closed (mode 0700)."
            " Choose another folder: --home PATH"
        )
    if not os.access(python, os.X_OK):
        raise AccountError(
            f"The account {account.name} cannot run {python}: a folder above it is closed (mode 0700)."
            " Use an interpreter outside of a private home folder: --python PATH"
        )
