"""An airflow.cfg that is there: the folders and modules that it names, as the service account finds them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple


@dataclass(frozen=True)
class NamedFolder:
    """A folder that an option names, and what the account may do there.

    `value` is as it stands in the file, `path` what it means to the account. `kind` is folder, other, or
    empty when nothing is there: then `writable` says whether it can be made. `base` is the nearest part that
    exists, `owner` who has that.
    """

    section: str
    option: str
    value: str
    path: str
    kind: str
    readable: bool
    writable: bool
    base: str
    owner: int


@dataclass(frozen=True)
class CarriedSettings:
    """What airflow.cfg in `home` says that a host may not have; `services` will run the components.

    `account` has looked, whose number is `uid` (-1: it is still to be made).
    `closed` says why the account cannot read the file, `problem` why Airflow cannot; then the rest is empty.
    `folders` are the named ones outside of the home, `examples` where the example pipelines go. `bundles`
    says why no DAG of ``dags_folder`` would be read. `providers` are modules of providers and `modules` those
    of others that are not beside the file, each as ``[section] option = module``. `remote_logs` is where task
    logs are sent, `tls` the option that has the web server speak HTTPS.
    """

    path: str
    home: str
    account: str
    uid: int
    services: str
    closed: str = ""
    problem: str = ""
    folders: Tuple[NamedFolder, ...] = ()
    examples: Optional[NamedFolder] = None
    bundles: str = ""
    providers: Tuple[str, ...] = ()
    modules: Tuple[str, ...] = ()
    remote_logs: str = ""
    tls: str = ""


def look(section: str, option: str, value: str, path: str) -> NamedFolder:
    """Look at a folder as the account that runs this; nothing is made."""
    place, kind = Path(path), ""
    try:
        kind = "folder" if stat.S_ISDIR(place.stat().st_mode) else "other"
    except OSError:
        kind = "other" if os.path.lexists(path) and not place.exists() else ""
    base = place
    while not os.path.lexists(base) and base != base.parent:
        base = base.parent
    try:
        owner = base.stat().st_uid
    except OSError:
        owner = -1
    return NamedFolder(
        section,
        option,
        value,
        path,
        kind,
        readable=kind == "folder" and os.access(place, os.R_OK | os.X_OK),
        writable=os.access(base, os.W_OK | os.X_OK) and base.is_dir(),
        base=str(base),
        owner=owner,
    )
