"""Root's part of an install: the account and its home; everything else runs as that account.

The bundle may lie where the account cannot read (/root, a medium of mode 0600) and so may the password
file: both cross as open file descriptors, never by name, argument or environment.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Mapping, Optional

from bootstrap.base import account as accounts
from bootstrap.base import secret
from bootstrap.base.account import Account, AccountError
from bootstrap.base.secret import Secret
from bootstrap.installed.external import Handed
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.python.carried import TEMPORARY
from bootstrap.python.choice import CARRIED
from bootstrap.services import broker
from bootstrap.services.broker import Broker
from bootstrap.state import registry
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse import layout
from wheelhouse.reader import Bundle

_BUNDLE = "AIRFERRY_BUNDLE_FD"
_NAME = "AIRFERRY_BUNDLE_NAME"
_ORIGIN = "AIRFERRY_PYTHON_FROM"
_AUTHORITIES = "AIRFERRY_CA_FILE"
_PASSWORD = "AIRFERRY_PASSWORD_FD"  # noqa: S105 - the name of a variable
_ROLE = "AIRFERRY_POSTGRES_FD"
_ADMINISTRATOR = "AIRFERRY_POSTGRES_ADMIN_FD"
_CERTIFICATE = "AIRFERRY_POSTGRES_CERTIFICATE_FD"


def is_inner() -> bool:
    """Whether root handed over to this process: the bundle is verified and the host was judged."""
    return _BUNDLE in os.environ


@contextlib.contextmanager
def bundle(path: Path) -> Iterator[Bundle]:
    """Open the bundle: the descriptor that was handed over, else the file at `path`."""
    if not is_inner():
        with Bundle.open(path) as found:
            yield found
        return
    stream = os.fdopen(int(os.environ[_BUNDLE]), "rb")
    with Bundle(stream, Path(os.environ[_NAME])) as found:
        yield found


def with_origin(chosen: Receipt) -> Receipt:
    """What root found out of the interpreter, where it handed over."""
    if not is_inner():
        return chosen
    return replace(chosen, python_from=os.environ[_ORIGIN], ca_file=os.environ[_AUTHORITIES])


def password(path: Optional[Path]) -> Optional[Secret]:
    """The admin's password: from the descriptor that was handed over, else from the named file, if any."""
    return _received(_PASSWORD) or (first_line(path) if path else None)


def database(options: Options) -> Handed:
    """What somebody else's database needs: from descriptors that were handed over, else as it was given."""
    choice = options.external
    if choice is None:
        return Handed()
    role, administrator = choice.passwords.role, choice.passwords.admin
    certificate = None
    if _CERTIFICATE in os.environ:
        with os.fdopen(int(os.environ[_CERTIFICATE]), encoding="utf-8", errors="replace") as stream:
            certificate = stream.read()
    elif choice.connection.sslrootcert and not is_inner():
        path = Path(choice.connection.sslrootcert)
        certificate = path.read_text(encoding="utf-8", errors="replace")
    return Handed(
        _received(_ROLE) or role, choice.admin, _received(_ADMINISTRATOR) or administrator, certificate
    )


def _received(name: str) -> Optional[Secret]:
    if name not in os.environ:
        return None
    with os.fdopen(int(os.environ.pop(name)), encoding="utf-8") as stream:
        return Secret(stream.readline().rstrip("\r\n"))


def run(chosen: Receipt, opened: Bundle, options: Options, arguments: List[str]) -> int:
    """Make account and home as root, run the install as the account, and return its exit status.

    `arguments` is the command line for the inner process. Raises :class:`AccountError`.
    """
    home = Home(Path(chosen.home))
    account = accounts.ensure(chosen.account, home.path)
    if account.uid == 0:
        raise AccountError(
            "Airflow and PostgreSQL are not run as root.",
            needed="an ordinary account",
            hint=f"Leave out --account: {accounts.DEFAULT} is made for you.",
        )
    _give(home.path, account)
    passwords = {_PASSWORD: password(options.admin_password_file)}
    certificate = ""
    if options.external:
        passwords[_ROLE], passwords[_ADMINISTRATOR] = (
            options.external.passwords.role, options.external.passwords.admin,
        )  # fmt: skip
        certificate = options.external.connection.sslrootcert
    given = {name: _pipe(value) for name, value in passwords.items() if value}
    if certificate:
        given[_CERTIFICATE] = os.open(certificate, os.O_RDONLY)
    registry.save(registry.record_of(chosen))
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        os.set_inheritable(theirs.fileno(), True)
        os.environ[broker.VARIABLE] = str(theirs.fileno())
        _inner(account, home, chosen, opened, given, arguments)
    theirs.close()
    with ours:
        return broker.attend(child, ours, Broker(registry.record_of(chosen)))


def _inner(
    account: Account,
    home: Home,
    chosen: Receipt,
    opened: Bundle,
    given: Mapping[str, int],
    arguments: List[str],
) -> None:
    """In the child: become the account, unpack the runtime, and start it on the open bundle.

    `given` are the descriptors that cross, by the variables that name them.
    """
    try:
        accounts.become(account)
        # the carried interpreter is not unpacked yet: the account does that, on the one that runs this
        python = sys.executable if chosen.python_from == CARRIED else chosen.python
        _check(account, python, home.path)
        os.chdir(str(home.path))
        runtime = home.path / ".handoff"
        if runtime.exists():
            shutil.rmtree(str(runtime))
        runtime.mkdir(mode=0o700)
        opened.extract_folder(layout.RUNTIME, runtime)
        opened.extract(layout.STAGE0, runtime / "__main__.py")
        os.environ.update({_BUNDLE: str(opened.stream.fileno()), _NAME: str(opened.path)})
        os.environ.update({_ORIGIN: chosen.python_from, _AUTHORITIES: chosen.ca_file})
        os.environ["HOME"] = str(home.path)
        os.set_inheritable(opened.stream.fileno(), True)
        for name, descriptor in given.items():
            os.set_inheritable(descriptor, True)
            os.environ[name] = str(descriptor)
        os.execv(python, [python, "-I", "-S", "-X", "utf8", str(runtime), *arguments])  # noqa: S606
    except (AccountError, OSError) as error:
        sys.stderr.write(f"airferry: {error}\n")
        sys.stderr.flush()
        os._exit(AccountError.exit_code)


def _pipe(value: Secret) -> int:
    """A descriptor from which a secret can be read, once."""
    reading, writing = os.pipe()
    os.write(writing, value.reveal().encode() + b"\n")
    os.close(writing)
    return reading


def clean_up_at_exit(home: Home) -> None:
    """Remove the runtime that the inner process runs from when it ends: until then it may import from it."""
    if is_inner():
        atexit.register(shutil.rmtree, str(home.path / ".handoff"), ignore_errors=True)


def _give(home: Path, account: Account) -> None:
    """Make the home and give it to the account; a folder that holds something of another's is left alone."""
    for folder in (*reversed(home.parents), home):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)  # whatever root's umask is: the account must get through
    owner = home.stat().st_uid
    if owner == account.uid:
        return
    if any(not entry.name.startswith(TEMPORARY) for entry in home.iterdir()):
        raise AccountError(
            f"{home} is not empty and does not belong to {account.name}.",
            found=f"owner {owner}",
            needed=f"an empty folder, or one of {account.name}'s",
            hint=f"Choose another folder with --home, or give it away first: chown -R {account.name} {home}",
        )
    os.chown(str(home), account.uid, account.gid)


def first_line(path: Path) -> Secret:
    """The password in a file; raises :class:`InvalidOption` when there is none."""
    try:
        found = secret.read(path)
    except UnicodeDecodeError as error:
        raise InvalidOption(
            f"{path} is not text in UTF-8.", needed="the password in its first line"
        ) from error
    if not found.reveal():
        raise InvalidOption(f"{path} holds no password.", needed="the password in its first line")
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
