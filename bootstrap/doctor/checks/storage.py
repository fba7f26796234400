"""Room on the disks."""

from __future__ import annotations

from typing import Iterator, Optional

from bootstrap.base.console import size_text
from bootstrap.doctor import remedies
from bootstrap.doctor.access import service_user
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.account import User
from bootstrap.facts.disk import DiskPlace
from bootstrap.facts.host import Facts

DISK_OK = Entry("disk-ok", OK, "There is enough disk space")
DISK_FULL = Entry(
    "disk-full",
    BLOCKER,
    "Not enough disk space for the installation",
    "The install would stop half-way; a full disk later stops PostgreSQL and with it every task.",
)
DISK_LOW = Entry(
    "disk-low",
    WARNING,
    "Little disk space for growth",
    "Task logs and the database grow every day; a full disk stops PostgreSQL and with it every task.",
)
INODES_FEW = Entry(
    "inodes-few",
    BLOCKER,
    "Not enough inodes for the installation",
    "Packages are many small files: the disk is full for them although space is left.",
)
TMP_FULL = Entry(
    "tmp-full",
    WARNING,
    "The folder for temporary files is full",
    "Airflow's tasks and many libraries write there and fail without it.",
)
TMP_NOEXEC = Entry(
    "tmp-noexec",
    NOTE,
    "Programs in the folder for temporary files cannot be executed",
    "airferry runs no programs from there.",
)
TMP_CLOSED = Entry(
    "tmp-closed",
    WARNING,
    "Not every account may write temporary files",
    "Airflow's tasks and many libraries write there and fail without it.",
)

_TMP_LEAST = 50_000_000


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Room and inodes at the home, then the folder for temporary files."""
    if facts.home is not None:
        yield from _home(facts.home, needs)
    if facts.tmp is not None:
        yield from _tmp(facts.tmp, facts, needs)


def _home(home: DiskPlace, needs: Needs) -> Iterator[Finding]:
    where = f"{home.mount or home.base} ({home.filesystem})"
    found = f"{size_text(home.free_bytes)} free on {where}"
    wanted = f"{size_text(needs.room + needs.growth)}: {size_text(needs.room)} now, the rest for growth"
    ours = "releases" in home.entries
    larger = "Make room there, or choose a larger disk with --home."
    if home.free_bytes < needs.room and not ours:
        yield DISK_FULL.found(found, needed=wanted, remedy=larger)
    elif home.free_bytes < (0 if ours else needs.room) + needs.growth:
        yield DISK_LOW.found(found, needed=wanted, remedy=larger)
    else:
        yield DISK_OK.found(f"{found}, {size_text(needs.room)} needed")
    if 0 <= home.free_inodes < needs.inodes and not ours:
        yield INODES_FEW.found(
            f"{home.free_inodes:,} free on {where}",
            needed=f"{needs.inodes:,} files",
            remedy=larger,
        )


def _tmp(tmp: DiskPlace, facts: Facts, needs: Needs) -> Iterator[Finding]:
    if tmp.free_bytes < _TMP_LEAST or tmp.free_inodes == 0:
        yield TMP_FULL.found(
            f"{size_text(tmp.free_bytes)} free at {tmp.path}",
            needed=f"{size_text(_TMP_LEAST)} and more",
            remedy="Make room there, or set TMPDIR to another folder.",
        )
    other, user = service_user(facts, needs.account)
    if tmp.read_only or (other and not _may_write(tmp, user)) or not (other or tmp.writable):
        yield TMP_CLOSED.found(
            f"{tmp.path} (mode {tmp.mode:04o}, owner {tmp.uid})",
            needed="a folder for temporary files that every account may write",
            remedy="Open it, or set TMPDIR to another:",
            commands=(f"chmod 1777 {remedies.quoted(tmp.path)}",),
            needs_root=True,
        )
    if tmp.noexec:
        yield TMP_NOEXEC.found(f"{tmp.path} is mounted noexec")


def _may_write(tmp: DiskPlace, user: Optional[User]) -> bool:
    """Whether that account may make files there; None is one that will be made."""
    if user is not None and user.uid in (0, tmp.uid):
        return True
    if user is not None and tmp.gid in (user.gid, *user.groups) and tmp.mode & 0o020:
        return True
    return bool(tmp.mode & 0o002)
