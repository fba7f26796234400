"""Daily use of an installation: status, start, stop."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, ContextManager, Dict, List, Mapping, Optional, Sequence

from bootstrap import custody
from bootstrap.airflow import health, metadata
from bootstrap.base import account, channel, process
from bootstrap.base.lock import held
from bootstrap.cluster.engine import of_cluster
from bootstrap.custody import Custodian
from bootstrap.installed import bytecode
from bootstrap.installed.installation import Installation
from bootstrap.services import broker, strays
from bootstrap.services.broker import Action
from bootstrap.services.manager import NONE, check_components
from bootstrap.state import change_record, receipt, registry
from bootstrap.state import cluster as clusters
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.receipt import Receipt
from bootstrap.state.registry import Record
from bootstrap.steps.airflow import start as start_all
from wheelhouse.errors import AirferryError

# of what an account says to root
_LARGEST_LOOK = 64 << 20


def enter_as_account(
    home: Home,
    patience: Optional[float] = None,
    *,
    changes: bool = False,
    more: Optional[Callable[[Custodian], Mapping[str, Action]]] = None,
) -> Installation:
    """Load an installation and continue as its account; raises NotInstalled, AccountError, NeedsRoot.

    `patience` is how long its tasks may run on where it is stopped, in seconds. A command with `changes`
    replaces what is root's in an installation by root, and so does one that has root do `more`.
    """
    _readable(home)
    found = receipt.load(home.receipt)
    place = home.path.stat()
    theirs = home.secrets.lstat() if home.is_roots and home.secrets.exists() else place
    # an account without a name is named by its number
    owner = account.find(found.account) or account.Account(found.account, theirs.st_uid, theirs.st_gid)
    if owner.uid == 0 and found.is_roots:
        raise account.AccountError(
            f"There is no account {found.account}, which the installation in {home.path} runs as.",
            needed=f"an ordinary account {found.account}",
            hint="As root, run the install again: it makes the account.",
        )
    if os.geteuid() == 0 and place.st_uid not in (0, owner.uid):
        raise account.AccountError(
            f"{home.receipt} names another account than the one that {home.path} belongs to.",
            found=owner.name,
            needed=f"the account of uid {place.st_uid}",
            hint="The receipt was changed. As root, run the install again with the right --account.",
        )
    known = registry.of_system(home.path) if os.geteuid() == 0 else None
    if known and known.account != owner.name:
        raise account.AccountError(
            f"{home.receipt} names a different account than root's own record of this installation.",
            found=owner.name,
            needed=known.account,
            hint="The receipt was changed. As root, run the install again with the right --account.",
        )
    if os.geteuid() == 0:
        custodian = custody.custodian_of(home, found, changes=changes)
        known = known or (registry.record_of(found) if custodian else None)
        if known:
            actions = custodian.actions() if custodian else {}
            _stay_behind(known, {**actions, **(more(custodian) if custodian and more else {})})
    elif found.is_roots and (changes or more) and not channel.available():
        _refuse_without_root(found)
    account.run_as(owner, home.path)
    return Installation(found, patience)


def look_as_account(home: Home, look: Callable[[Installation], str]) -> str:
    """What `look` finds as the installation's account, back in this process, which stays root's if it is.

    Raises as :func:`enter_as_account`, whatever `look` raises, and SystemExit where that was said already.
    """
    if os.geteuid() != 0:
        return look(enter_as_account(home))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(look(enter_as_account(home)))
        raise SystemExit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
        found = stream.read(_LARGEST_LOOK)
    status = account.attend(child)
    if status:
        raise SystemExit(status)
    return found


def _refuse_without_root(found: Receipt) -> None:
    words = [f"{found.home}/bin/airferry", *sys.argv[1:]]
    raise channel.NeedsRoot(
        f"The code of the installation in {found.home} belongs to root, and this command changes it.",
        found=f"this command runs as {account.current().name}",
        hint=f"As root: {' '.join(map(shlex.quote, words))}",
    )


def _stay_behind(record: Record, actions: Mapping[str, Action]) -> None:
    """Go on in a new process; as root, this one does what only root may, and ends as it ends."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child:
        theirs.close()
        account.leave_environment()
        raise SystemExit(broker.attend(child, ours, broker.Broker(record, actions=actions)))
    ours.close()
    channel.connect(theirs.detach())


def start(installation: Installation, names: Sequence[str] = ()) -> None:
    """Start all components or only `names`, and wait until Airflow calls them healthy."""
    _check(installation, names)
    with _recorded(installation, "start", names), held(installation.home.lock):
        change_record.refuse_unfinished(installation.home)
        if not names:
            start_all(installation)
            return
        bytecode.mend(installation)
        installation.services.configure(installation.programs())
        installation.services.launch()
        since = datetime.now(timezone.utc)
        installation.services.start(list(names))
        _answer(installation, names, since)


def stop(installation: Installation, names: Sequence[str] = ()) -> None:
    """Stop all components and the manager, Airflow before PostgreSQL; or stop only `names`."""
    _check(installation, names)
    with _recorded(installation, "stop", names), held(installation.home.lock):
        if names:
            installation.stop(names)
            return
        installation.stop([*installation.components, *installation.servers])
        installation.services.shut_down()
        if installation.receipt.services != NONE:  # then what runs is for others to stop
            # an installer that was killed leaves what it was running, such as a migration
            strays.kill_users(installation.home.path / "releases", programs_only=True)


def _answer(installation: Installation, names: Sequence[str], since: datetime) -> None:
    """Wait until these components are healthy, as far as the web server runs that can tell."""
    if installation.is_worker:
        return
    web = installation.version.web_component
    state = installation.services.states().get(web)
    if not (state and state.pid):
        return
    health.wait(
        installation.version,
        installation.web,
        300,
        since=since,
        only=names,
    )


def waited_for(installation: Installation, names: Sequence[str] = ()) -> List[str]:
    """The running tasks that a stop of these components (none: of all) will wait for; never fails.

    Those that run on workers are none: they go on while the head is away.
    """
    if installation.is_worker:
        return []
    component = installation.executor.task_component
    state = installation.services.states().get(component)
    if (names and component not in names) or not (state and state.pid):
        return []
    try:
        query = installation.database.query
        cluster = clusters.find(installation.home)
        away = of_cluster(cluster).running(query) if cluster else []
        here = metadata.running_tasks(query)
        for task in away:  # of a mapped task there are several by one name
            if task in here:
                here.remove(task)
        return here
    except (AirferryError, OSError):
        return []


def exec_as_account(installation: Installation, command: List[str]) -> None:
    """Replace this process by `command`, as the installation's account; raises CommandFailed."""
    channel.disconnect()
    try:
        os.execvpe(command[0], command, {**os.environ, "HOME": installation.receipt.home})  # noqa: S606
    except OSError as error:
        raise process.CommandFailed(f"{command[0]} did not start: {error.strerror}.") from error


def _recorded(
    installation: Installation, command: str, names: Sequence[str]
) -> ContextManager[Dict[str, object]]:
    details = {"components": list(names)} if names else {}
    return Journal(installation.home.journal).recorded(command, **details)


def _check(installation: Installation, names: Sequence[str]) -> None:
    known = [*installation.servers, *installation.components, *installation.helpers]
    check_components(names, known)


def _readable(home: Home) -> None:
    if Path(home.path).exists() and not os.access(str(home.path), os.X_OK):
        raise account.foreign(home.path)
