"""Taking an installation off a host: its services, its programs, and only on request its data."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Tuple

from bootstrap.base import account, process
from bootstrap.installed.installation import Installation
from bootstrap.services import strays, supervisor, systemd
from bootstrap.services.control import user_units
from bootstrap.services.manager import SUPERVISOR, SYSTEMD, SYSTEMD_USER
from bootstrap.state import ownership, receipt, registry, shortcut
from bootstrap.state.home import Home
from bootstrap.state.receipt import WORKER
from wheelhouse import codec, timestamp

# An installation imports these when it needs them; once its releases are gone, nothing can be imported.
_MANAGERS = (supervisor, systemd)

_DOOMED = ".removed-"
# What an install makes anew. The interpreter and the releases come last: this very process may run from them.
_COMMANDS = ("bin", "current", "current.new", "run")
_CODE = ("releases", "python", ".handoff")
# What an admin may have changed, and what says which of our settings were changed by hand.
_KEPT_SETTINGS = ("airflow-settings.json", "local.env", "receipts.jsonl")
_DATA: Dict[str, str] = {
    "postgres": "the database cluster",
    "dags": "DAG files",
    "dag-trees": "DAG files that a head has sent",
    "plugins": "plugins",
    "logs": "logs of tasks, components and installs",
    "backups": "backups",
    "secrets": "passwords and keys",
    "etc": "settings that were changed by hand",
    "airflow.cfg": "Airflow's configuration",
    "webserver_config.py": "Airflow's login configuration",
    "journal.jsonl": "the history of commands",
    "receipt.json": "the options of the install, used again by an install into this home",
}
# What Airflow, the cluster and the installer leave beside these.
_TRACES = (
    "airflow.cfg.*",
    "postgres.new-*",
    "postgres.before*",
    "postgres.discarded-*",
    "airflow-*.pid",
    "*.new",
    "*.json.generated",
)


# Files of an account that are named, and entries that are looked at for them.
_SHOWN, _MOST = 5, 500_000
_ENDING_SECONDS = 5.0
_SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/var/spool/cron", "/var/spool/at", "/var/mail")  # noqa: S108


def left(home: Home) -> List[Tuple[str, str]]:
    """What lies in the home: each path, and what it is where that is known."""
    if not home.path.is_dir():
        return []
    names = sorted(path.name for path in home.path.iterdir() if not path.name.startswith(_DOOMED))
    return [(str(home.path / name), _DATA.get(name, "")) for name in names if name != home.lock.name]


def stop(installation: Installation) -> None:
    """End every component and take the services off the host, whichever manager knows them.

    Raises ServiceError when they are the system's and this is not root.
    """
    kinds = [SYSTEMD, SYSTEMD_USER, SUPERVISOR]
    try:
        user_units()
    except KeyError:  # a number without a name has no units
        kinds.remove(SYSTEMD_USER)
    for kind in kinds:
        services = installation.services_of(kind)
        if services.installed() or kind == SUPERVISOR:
            services.remove()
    # what a killed installer or a task has left
    strays.end(installation.home.path)
    strays.kill_users(installation.home.path / "releases")


def remove_commands(installation: Installation, *, purge: bool) -> None:
    """Remove what airferry made but the code that runs; with `purge` the data as well, and note it."""
    home = installation.home
    found = receipt.find(home.receipt)
    if found and not purge:
        now = timestamp.now()
        gone = replace(found, completed="", added=(), removed=found.removed or now)
        owner = account.find(found.account)
        if os.geteuid() == 0 and home.is_roots and owner:
            ownership.put(home, home.receipt, codec.dumps(gone), owner)
        else:
            receipt.save(home.receipt, gone)
    for name in _COMMANDS:
        _discard(home, home.path / name)
    if home.manual.is_symlink():
        _discard(home, home.manual)
    if not purge and home.etc.is_dir() and not home.etc.is_symlink():
        for path in home.etc.iterdir():
            if path.name not in _KEPT_SETTINGS:
                _discard(home, path)
        with contextlib.suppress(OSError):
            home.etc.rmdir()
    if purge:
        for name in [name for name in _DATA if name != home.receipt.name]:
            _discard(home, home.path / name)
        for pattern in _TRACES:
            for path in home.path.glob(pattern):
                _discard(home, path)
        if found and found.role == WORKER:
            for path in home.path.glob("airflow.db*"):  # without tables: its commands have made it
                _discard(home, path)
        _remove_modules(home)
    _forget(installation)


def _remove_modules(home: Home) -> None:
    """The modules that head and workers share; what an admin has put beside them stays, or behind a link."""
    folder = home.path / "config"
    ours = ("airferry_sysinfo.py", "airferry_celery.py")
    if folder.is_symlink() or not any((folder / name).exists() for name in ours):
        return
    for name in (*ours, "__pycache__"):
        _discard(home, folder / name)
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_code(home: Home, *, purge: bool) -> List[str]:
    """Remove releases and the carried Python; nothing can be imported from them any more. What resists.

    A receipt that goes as well goes last: what was killed before can be told to finish.
    """
    for name in _CODE:
        _discard(home, home.path / name)
    if purge:
        _discard(home, home.receipt)
    return sweep(home)


def sweep(home: Home) -> List[str]:
    """Delete what was moved aside; the paths that are still there: another account's files."""
    for path in home.path.glob(f"{_DOOMED}*"):
        _delete(path)
    return sorted(str(path) for path in home.path.glob(f"{_DOOMED}*"))


def close(home: Home) -> None:
    """Remove the lock file, root's link to the command, and the home itself when it is empty."""
    shortcut.remove(home)
    with contextlib.suppress(OSError):
        home.lock.unlink()
        home.path.rmdir()


def remove_account(name: str, home: Path) -> str:
    """As root, remove an account that an install made for this home; why not, or empty.

    It is known by what an install gives it: this home and no login.
    """
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return ""
    if Path(found.pw_dir) != home or not found.pw_shell.endswith("nologin") or found.pw_uid == 0:
        return "it was not created by this installation"
    if not _await_end(found.pw_uid):
        return "processes run as it"
    files = _files_of(found.pw_uid, home)
    if files:  # whoever gets that number next would own them
        return f"files of it are left: {', '.join(files)}"
    if any(record.account == name for record in registry.others(home)):
        return "another installation uses it"
    for program in ("userdel", "deluser"):
        path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
        if path:
            process.run([path, "--", name], what=f"remove the account {name}")
            return ""
    return "this host has neither userdel nor deluser"


def _forget(installation: Installation) -> None:
    for record in registry.known():
        if record.home == installation.receipt.home:
            registry.forget(record)


def _discard(home: Home, path: Path) -> None:
    """Take it out of its place in one step, then delete it; one that is not there is fine."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return
    target = home.path / f"{_DOOMED}{path.name}-{time.time_ns()}"
    path.replace(target)
    _delete(target)


def _delete(path: Path) -> None:
    """Delete a tree by descriptors: a folder that is exchanged for a link meanwhile leads nowhere else."""
    with contextlib.suppress(OSError):
        parent = os.open(str(path.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _delete_entry(parent, path.name)
        finally:
            os.close(parent)


def _delete_entry(parent: int, name: str) -> None:
    """Delete what `name` is in the open folder `parent`; what resists stays. No link is followed."""
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except PermissionError:
        folder = _opened(parent, name)
    except OSError:
        folder = -1
    if folder < 0:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=parent)
        return
    try:
        with contextlib.suppress(OSError):
            # a folder without the right to write in it
            os.fchmod(folder, stat.S_IMODE(os.fstat(folder).st_mode) | stat.S_IRWXU)
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
        for entry in names:
            _delete_entry(folder, entry)
    finally:
        os.close(folder)
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=parent)


def _opened(parent: int, name: str) -> int:
    """A folder of ours that its mode closes even to us: opened without a right to it, then read; or -1."""
    try:
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        return -1
    try:
        # fchmod(2) takes no such descriptor; its name below /proc leads to that very folder
        Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    except OSError:
        return -1
    finally:
        os.close(handle)


def _files_of(uid: int, home: Path) -> List[str]:
    """Some files of that number below the home and where every account may leave files."""
    found: List[str] = []
    waiting, seen = [str(home), *_SHARED], 0
    while waiting and len(found) < _SHOWN and seen < _MOST:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen += 1
                if entry.stat(follow_symlinks=False).st_uid == uid:
                    found.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return sorted(found)[:_SHOWN]


def _await_end(uid: int) -> bool:
    """Whether no process of that number is left; what was just ended may take a moment on a busy host."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while _has_processes(uid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _has_processes(uid: int) -> bool:
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                return True
    return False
