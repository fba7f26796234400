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
from pathlib import Path
from typing import Iterator, List, Optional

from bootstrap import account as accounts
from bootstrap import registry, secret
from bootstrap.account import Account, AccountError
from bootstrap.home import Home
from bootstrap.options import InvalidOption, Options
from bootstrap.receipt import Receipt
from bootstrap.secret import Secret
from bootstrap.services import broker
from bootstrap.services.broker import Broker
from wheelhouse import layout
from wheelhouse.reader import Bundle

_BUNDLE = "AIRFERRY_BUNDLE_FD"
_NAME = "AIRFERRY_BUNDLE_NAME"
_PASSWORD = "AIRFERRY_PASSWORD_FD"  # noqa: S105 - the name of a variable


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


def password(path: Optional[Path]) -> Optional[Secret]:
    """The admin's password: from the descriptor that was handed over, else from the named file, if any."""
    if _PASSWORD in os.environ:
        with os.fdopen(int(os.environ[_PASSWORD]), encoding="utf-8") as stream:
            return Secret(stream.readline().rstrip("\r\n"))
    return _first_line(path) if path else None


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
    given = password(options.admin_password_file)
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
    given: Optional[Secret],
    arguments: List[str],
) -> None:
    """In the child: become the account, unpack the runtime, and start it on the open bundle."""
    try:
        accounts.become(account)
        _check(account, chosen.python, home.path)
        os.chdir(str(home.path))
        runtime = home.path / ".handoff"
        if runtime.exists():
            shutil.rmtree(str(runtime))
        runtime.mkdir(mode=0o700)
        opened.extract_folder(layout.RUNTIME, runtime)
        opened.extract(layout.STAGE0, runtime / "__main__.py")
        os.environ.update({_BUNDLE: str(opened.stream.fileno()), _NAME: str(opened.path)})
        os.environ["HOME"] = str(home.path)
        os.set_inheritable(opened.stream.fileno(), True)
        if given:
            reading, writing = os.pipe()
            os.write(writing, given.reveal().encode() + b"\n")
            os.close(writing)
            os.set_inheritable(reading, True)
            os.environ[_PASSWORD] = str(reading)
        python = chosen.python
        os.execv(python, [python, "-I", "-S", "-X", "utf8", str(runtime), *arguments])  # noqa: S606
    except (AccountError, OSError) as error:
        sys.stderr.write(f"airferry: {error}\n")
        sys.stderr.flush()
        os._exit(AccountError.exit_code)


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
    if any(home.iterdir()):
        raise AccountError(
            f"{home} is not empty and does not belong to {account.name}.",
            found=f"owner {owner}",
            needed=f"an empty folder, or one of {account.name}'s",
            hint=f"Choose another folder with --home, or give it away first: chown -R {account.name} {home}",
        )
    os.chown(str(home), account.uid, account.gid)


def _first_line(path: Path) -> Secret:
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
