"""The folder of the installation: its path, what is there, and who may use it."""

from __future__ import annotations

import re
from typing import Iterator

from bootstrap.doctor import remedies
from bootstrap.doctor.access import closed, service_user
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.disk import DiskPlace
from bootstrap.facts.host import Facts

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
    yield from findings
    if not any(finding.severity == BLOCKER for finding in findings):
        state = "is there" if home.kind == "folder" else "will be made"
        yield Finding("home-ok", OK, f"{home.path} {state}")


def _path(home: DiskPlace) -> Iterator[Finding]:
    plain = "a path without colons and control characters, in UTF-8"
    try:
        home.path.encode("utf-8")
        readable = True
    except UnicodeEncodeError:
        readable = False
    if not readable or re.search(r"[:\x00-\x1f\x7f]", home.path):
        yield Finding("home-path", BLOCKER, repr(home.path), plain, ELSEWHERE)
    elif re.search(r"""["'\\`$;]""", home.path):
        yield Finding("home-path-unusual", NOTE, home.path)


def _filesystem(home: DiskPlace) -> Iterator[Finding]:
    where = f"{home.mount or home.base} is {home.filesystem}"
    if home.read_only:
        yield Finding(
            "home-read-only", BLOCKER, f"{home.mount or home.base} is mounted read-only",
            "a writable filesystem", ELSEWHERE,
        )  # fmt: skip
    if home.noexec:
        yield Finding(
            "home-noexec", BLOCKER, f"{home.mount or home.base} is mounted noexec",
            "a filesystem that programs can be executed from",
            f"{ELSEWHERE} Or allow it for as long as Airflow is to run there:",
            (f"mount -o remount,exec {remedies.quoted(home.mount or home.base)}",), needs_root=True,
        )  # fmt: skip
    if home.filesystem in _POOR:
        yield Finding(
            "home-filesystem", BLOCKER, where, "a filesystem of Linux (ext4, xfs, btrfs)", ELSEWHERE
        )
    elif home.filesystem in _NETWORK:
        yield Finding("home-network", WARNING, where, "a disk of this host", ELSEWHERE)
    elif home.filesystem in _VOLATILE or any(
        home.path == folder or home.path.startswith(folder + "/") for folder in _VOLATILE_FOLDERS
    ):
        yield Finding("home-volatile", WARNING, f"{home.path} ({home.filesystem})", "a disk", ELSEWHERE)


def _rights(home: DiskPlace, facts: Facts, needs: Needs) -> Iterator[Finding]:
    other, user = service_user(facts, needs.account)
    me = (facts.account.me.name if facts.account else "") or "this account"
    if not home.writable and not home.read_only:
        owner = needs.account or (facts.account.me.name if facts.account else "")
        folder = remedies.quoted(home.path)
        yield Finding(
            "home-not-writable",
            BLOCKER,
            f"{home.base} (mode {home.mode:04o}, owner {home.uid}) is closed to {me}",
            f"a folder that {me} may write",
            f"{ELSEWHERE} Or have the folder made:",
            (f"install -d -o {owner} {folder}",) if owner else (f"mkdir -p {folder}",),
            needs_root=True,
        )
    gate = closed(home.gates, user) if other else None
    if gate and not (home.kind == "folder" and gate.path == home.real):
        yield Finding(
            "home-hidden",
            WARNING if gate.acl else BLOCKER,
            f"{gate.path} (mode {gate.mode:04o}) hides {home.path} from {needs.account}",
            f"a folder that the account {needs.account} can reach",
            f"{ELSEWHERE} Or open that folder for passing through:",
            (f"chmod o+x {remedies.quoted(gate.path)}",),
            needs_root=True,
        )


def _contents(home: DiskPlace) -> Iterator[Finding]:
    if home.problem or home.kind in ("file", "other"):
        yield Finding(
            "home-not-a-folder", BLOCKER, home.problem or f"{home.path} is not a folder", "a folder",
            f"Move it away, or: {ELSEWHERE}",
        )  # fmt: skip
        return
    entries = set(home.entries)
    if entries & _OURS:
        yield Finding("installation-found", NOTE, home.path)
    elif entries & _AIRFLOWS:
        if "airflow.cfg" in entries:
            yield Finding("airflow-cfg-kept", NOTE, f"{home.path}/airflow.cfg")
    else:
        foreign = sorted(name for name in entries - _HARMLESS if not name.startswith("."))
        if foreign:
            shown = ", ".join(foreign[:6]) + (", ..." if len(foreign) > 6 else "")
            yield Finding(
                "home-foreign", BLOCKER, f"{home.path} holds {shown}", "an empty folder, or one of Airflow's",
                ELSEWHERE,
            )  # fmt: skip
