"""The folder of the installation: its path, what is there, and who may use it."""

from __future__ import annotations

import re
from typing import Iterator

from bootstrap.doctor import remedies
from bootstrap.doctor.access import closed, service_user
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.disk import DiskPlace
from bootstrap.facts.host import Facts

HOME_OK = Entry("home-ok", OK, "The home can be used")
HOME_NOT_A_FOLDER = Entry(
    "home-not-a-folder", BLOCKER, "The home's path is not a folder", "A folder is needed there."
)
HOME_READ_ONLY = Entry(
    "home-read-only",
    BLOCKER,
    "The home is on a read-only filesystem",
    "Nothing can be written there, not even by root.",
)
HOME_NOT_WRITABLE = Entry(
    "home-not-writable",
    BLOCKER,
    "The home cannot be written",
    "The account that installs must be able to create folders there.",
)
HOME_NOEXEC = Entry(
    "home-noexec",
    BLOCKER,
    "Programs in the home cannot be executed",
    "uv, PostgreSQL and all compiled packages run from there ('failed to map segment from shared"
    " object' is how that looks later).",
)
HOME_FILESYSTEM = Entry(
    "home-filesystem",
    BLOCKER,
    "The home's filesystem cannot hold an installation",
    "PostgreSQL refuses a data folder whose owner and mode cannot be set, and the environment needs"
    " symbolic links.",
)
HOME_NETWORK = Entry(
    "home-network",
    WARNING,
    "The home is on a network filesystem",
    "A PostgreSQL cluster there is lost when the connection breaks at the wrong moment, and every"
    " import of Airflow is slow.",
)
HOME_VOLATILE = Entry(
    "home-volatile",
    WARNING,
    "The home is on a temporary filesystem",
    "Database, DAGs and logs would be gone after the next restart or clean-up.",
)
HOME_FOREIGN = Entry(
    "home-foreign",
    BLOCKER,
    "The home contains other files",
    "An installation owns its home: it makes folders such as bin, logs and releases there, and root"
    " gives all of it to the service account.",
    "A folder that holds an airflow.cfg, an earlier airferry installation, or nothing but dags, plugins"
    " and logs is fine.",
)
HOME_OWNER = Entry(
    "home-owner",
    BLOCKER,
    "The home belongs to another account",
    "Everything runs as the service account, which must own it.",
    "A home of root's is given to the account, with root's own airflow.cfg, webserver_config.py, dags,"
    " plugins, config and logs in it: plain files that nobody else could have put there.",
)
HOME_HIDDEN = Entry(
    "home-hidden",
    BLOCKER,
    "The service account cannot reach the home",
    "Everything runs as that account, because PostgreSQL refuses root.",
)
HOME_PATH = Entry(
    "home-path",
    BLOCKER,
    "The home's path cannot be used",
    "A colon ends a folder in PATH, Airflow expands % and $NAME in the paths that it writes into airflow.cfg,"
    " control characters end lines in configuration files, and uv creates"
    " no environment in a path that is not UTF-8. Spaces, Korean and other letters are fine.",
)
HOME_PATH_UNUSUAL = Entry(
    "home-path-unusual",
    NOTE,
    "The home's path has unusual characters",
    "airferry quotes them, but DAGs and scripts of your own may not.",
)
AIRFLOW_CFG_KEPT = Entry(
    "airflow-cfg-kept",
    NOTE,
    "There is an airflow.cfg already",
    "Only the settings that this installation needs are changed in it; the original is kept beside it.",
)
INSTALLATION_FOUND = Entry(
    "installation-found",
    NOTE,
    "There is an installation of airferry already",
    "Completed steps are kept; only missing ones run.",
)

# Filesystems without owners, modes or links, and those that live elsewhere (names as in /proc/mounts).
_POOR = ("vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "hfs", "iso9660", "udf", "squashfs")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs", "fuse.glusterfs", "ceph")
_VOLATILE = ("tmpfs", "ramfs", "devtmpfs")
_VOLATILE_FOLDERS = ("/tmp", "/var/tmp", "/run", "/dev")  # noqa: S108  (only compared)

_OURS = {"receipt.json", "journal.jsonl", "releases"}
_AIRFLOWS = {"airflow.cfg", "airflow.db", "webserver_config.py"}
_HARMLESS = {"dags", "logs", "plugins", "config", "lost+found"}

ELSEWHERE = "Choose another folder with --home."


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Path, contents, filesystem, rights; "ok" only when none of them blocks."""
    home = facts.home
    if home is None:
        return
    findings = [*_path(home), *_filesystem(home), *_rights(home, facts, needs), *_contents(home)]
    findings += _owner(home, facts, needs)
    yield from findings
    if not any(finding.severity == BLOCKER for finding in findings):
        state = "is there" if home.kind == "folder" else "will be made"
        yield HOME_OK.found(f"{home.path} {state}")


def _path(home: DiskPlace) -> Iterator[Finding]:
    plain = "a path without colons, %, $NAME and control characters, in UTF-8"
    try:
        home.path.encode("utf-8")
        readable = True
    except UnicodeEncodeError:
        readable = False
    if not readable or re.search(r"[:%\x00-\x1f\x7f]|\$[A-Za-z_{]", home.path):
        yield HOME_PATH.found(repr(home.path), needed=plain, remedy=ELSEWHERE)
    elif re.search(r"""["'\\`$;]""", home.path):
        yield HOME_PATH_UNUSUAL.found(home.path)


def _filesystem(home: DiskPlace) -> Iterator[Finding]:
    where = f"{home.mount or home.base} is {home.filesystem}"
    if home.read_only:
        yield HOME_READ_ONLY.found(
            f"{home.mount or home.base} is mounted read-only",
            needed="a writable filesystem",
            remedy=ELSEWHERE,
        )
    if home.noexec:
        yield HOME_NOEXEC.found(
            f"{home.mount or home.base} is mounted noexec",
            needed="a filesystem that programs can be executed from",
            remedy=f"{ELSEWHERE} Or allow it for as long as Airflow is to run there:",
            commands=(f"mount -o remount,exec {remedies.quoted(home.mount or home.base)}",),
            needs_root=True,
        )
    if home.filesystem in _POOR:
        yield HOME_FILESYSTEM.found(
            where,
            needed="a filesystem of Linux (ext4, xfs, btrfs)",
            remedy=ELSEWHERE,
        )
    elif home.filesystem in _NETWORK:
        yield HOME_NETWORK.found(where, needed="a disk of this host", remedy=ELSEWHERE)
    elif home.filesystem in _VOLATILE or any(
        home.path == folder or home.path.startswith(folder + "/") for folder in _VOLATILE_FOLDERS
    ):
        yield HOME_VOLATILE.found(f"{home.path} ({home.filesystem})", needed="a disk", remedy=ELSEWHERE)


def _rights(home: DiskPlace, facts: Facts, needs: Needs) -> Iterator[Finding]:
    other, user = service_user(facts, needs.account)
    me = (facts.account.me.name if facts.account else "") or "this account"
    if not home.writable and not home.read_only:
        owner = needs.account or (facts.account.me.name if facts.account else "")
        folder = remedies.quoted(home.path)
        yield HOME_NOT_WRITABLE.found(
            f"{home.base} (mode {home.mode:04o}, owner {home.uid}) is closed to {me}",
            needed=f"a folder that {me} may write",
            remedy=f"{ELSEWHERE} Or have the folder created:",
            commands=(f"install -d -o {owner} {folder}",) if owner else (f"mkdir -p {folder}",),
            needs_root=True,
        )
    gate = closed(home.gates, user) if other else None
    if gate and not (home.kind == "folder" and gate.path == home.real):
        yield HOME_HIDDEN.found(
            f"{gate.path} (mode {gate.mode:04o}) hides {home.path} from {needs.account}",
            needed=f"a folder that the account {needs.account} can reach",
            remedy=f"{ELSEWHERE} Or allow access through that folder:",
            commands=(f"chmod o+x {remedies.quoted(gate.path)}",),
            needs_root=True,
            severity=WARNING if gate.acl else BLOCKER,
        )


def _owner(home: DiskPlace, facts: Facts, needs: Needs) -> Iterator[Finding]:
    """What root's part of an install would refuse to give to the account."""
    other, user = service_user(facts, needs.account)
    if other and home.obstacles and (user is None or user.uid != home.uid):
        yield HOME_OWNER.found(
            "\n".join(home.obstacles),
            needed=f"a folder of the account {needs.account}, or one with nothing but root's own files in it",
            remedy=f"{ELSEWHERE} Or, where all of it is yours to give:",
            commands=(f"chown -R {needs.account} {remedies.quoted(home.path)}",),
            needs_root=True,
        )


def _contents(home: DiskPlace) -> Iterator[Finding]:
    if home.problem or home.kind in ("file", "other"):
        yield HOME_NOT_A_FOLDER.found(
            home.problem or f"{home.path} is not a folder",
            needed="a folder",
            remedy=f"Move it away, or: {ELSEWHERE}",
        )
        return
    entries = set(home.entries)
    if entries & _OURS:
        yield INSTALLATION_FOUND.found(home.path)
    elif entries & _AIRFLOWS:
        if "airflow.cfg" in entries:
            yield AIRFLOW_CFG_KEPT.found(f"{home.path}/airflow.cfg")
    else:
        foreign = sorted(name for name in entries - _HARMLESS if not name.startswith("."))
        if foreign:
            shown = ", ".join(foreign[:6]) + (", ..." if len(foreign) > 6 else "")
            yield HOME_FOREIGN.found(
                f"{home.path} holds {shown}",
                needed="an empty folder, or one of Airflow's",
                remedy=ELSEWHERE,
            )
