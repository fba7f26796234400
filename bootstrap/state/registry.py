"""The installations of a host, as far as this account may know them: names and ports are not taken twice.

Root writes ``/etc/airferry/installations.d/NAME.json``, which everybody can read; anybody else writes below
the own state folder. A record holds no secret. For root it also is what the account cannot change.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Set, Tuple

from bootstrap.base import smallfile
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse import codec

SCHEMA = 1
SYSTEM = Path("/etc/airferry/installations.d")


@dataclass(frozen=True)
class Record:
    """An installation; it holds its `ports` also while it is stopped."""

    schema: int
    name: str
    home: str
    account: str
    ports: Tuple[int, ...]


def record_of(receipt: Receipt) -> Record:
    """What is to be known of an installation."""
    ports = [port for port in (receipt.web_port, receipt.log_port, receipt.trigger_log_port) if port]
    if receipt.database.kind == "private":
        ports.append(receipt.database.port)
    return Record(SCHEMA, receipt.name, receipt.home, receipt.account, tuple(ports))


def folder() -> Path:
    """Where this account writes."""
    if os.geteuid() == 0:
        return SYSTEM
    state = os.environ.get("XDG_STATE_HOME") or str(Path(os.environ.get("HOME") or "/", ".local", "state"))
    return Path(state) / "airferry" / "installations.d"


def known() -> List[Record]:
    """Every installation that this account can know of and that is still there."""
    return [record for record in _read() if _is_there(record)]


def others(home: Path) -> List[Record]:
    """The installations but for the one in `home`."""
    return [record for record in known() if record.home != str(home)]


def reserved_ports(home: Path) -> Set[int]:
    """The ports of the other installations."""
    return {port for record in others(home) for port in record.ports}


def of_system(home: Path) -> Optional[Record]:
    """Root's own record of the installation in `home`."""
    return next((record for record in _read((SYSTEM,)) if record.home == str(home)), None)


def save(record: Record) -> None:
    """Write the record in one step; those of installations that have gone are removed.

    An ordinary account without a state folder of its own (its home is /nonexistent) goes unrecorded: the
    record only keeps others off its ports. Raises OSError for root.
    """
    try:
        _save(record, folder())
    except OSError:
        if os.geteuid() == 0:
            raise


def _save(record: Record, place: Path) -> None:
    for old in _read((place,)):
        if not _is_there(old) or old.home == record.home:
            _remove(old)
    place.mkdir(parents=True, exist_ok=True)
    root = os.geteuid() == 0
    if root:
        for path in (place.parent, place):
            path.chmod(0o755)  # whatever root's umask is: others must see which ports are taken
    target = place / f"{record.name}.json"
    smallfile.write(target, codec.dumps(record), 0o644 if root else None, errors="backslashreplace")


def forget(record: Record) -> None:
    """Remove a record, and the folders once they are empty; one that is not there is fine."""
    _remove(record)
    with contextlib.suppress(OSError):
        folder().rmdir()
        folder().parent.rmdir()


def _remove(record: Record) -> None:
    with contextlib.suppress(FileNotFoundError):
        (folder() / f"{record.name}.json").unlink()


def _read(folders: Tuple[Path, ...] = ()) -> Iterator[Record]:
    for place in folders or dict.fromkeys((SYSTEM, folder())):
        for path in sorted(place.glob("*.json")):
            with contextlib.suppress(OSError, codec.Malformed):
                record = codec.decode(Record, codec.parse(path.read_text(encoding="utf-8")))
                # the file's name is what forget() goes by
                if record.name == path.stem:
                    yield record


def _is_there(record: Record) -> bool:
    home = Home(Path(record.home))
    return _exists(home.receipt) or _exists(home.lock)


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # it cannot be looked into
    return True
