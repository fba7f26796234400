"""Room on the disks."""

from __future__ import annotations

from typing import Iterator, Optional

from bootstrap.base.console import size_text
from bootstrap.doctor import remedies
from bootstrap.doctor.access import service_user
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.account import User
from bootstrap.facts.disk import DiskPlace
from bootstrap.facts.host import Facts

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
    wanted = f"{size_text(needs.room + needs.growth)}: {size_text(needs.room)} now, the rest to grow"
    ours = "releases" in home.entries
    larger = "Make room there, or choose a larger disk with --home."
    if home.free_bytes < needs.room and not ours:
        yield Finding("disk-full", BLOCKER, found, wanted, larger)
    elif home.free_bytes < (0 if ours else needs.room) + needs.growth:
        yield Finding("disk-low", WARNING, found, wanted, larger)
    else:
        yield Finding("disk-ok", OK, f"{found}, {size_text(needs.room)} needed")
    if 0 <= home.free_inodes < needs.inodes and not ours:
        yield Finding(
            "inodes-few", BLOCKER, f"{home.free_inodes:,} free on {where}", f"{needs.inodes:,} files", larger
        )


def _tmp(tmp: DiskPlace, facts: Facts, needs: Needs) -> Iterator[Finding]:
    if tmp.free_bytes < _TMP_LEAST or tmp.free_inodes == 0:
        yield Finding(
            "tmp-full", WARNING, f"{size_text(tmp.free_bytes)} free at {tmp.path}",
            f"{size_text(_TMP_LEAST)} and more", "Make room there, or set TMPDIR to another folder.",
        )  # fmt: skip
    other, user = service_user(facts, needs.account)
    if tmp.read_only or (other and not _may_write(tmp, user)) or not (other or tmp.writable):
        yield Finding(
            "tmp-closed", WARNING, f"{tmp.path} (mode {tmp.mode:04o}, owner {tmp.uid})",
            "a folder for temporary files that every account may write", "Open it, or set TMPDIR to another:",
            (f"chmod 1777 {remedies.quoted(tmp.path)}",), needs_root=True,
        )  # fmt: skip
    if tmp.noexec:
        yield Finding("tmp-noexec", NOTE, f"{tmp.path} is mounted noexec")


def _may_write(tmp: DiskPlace, user: Optional[User]) -> bool:
    """Whether that account may make files there; None is one that will be made."""
    if user is not None and user.uid in (0, tmp.uid):
        return True
    if user is not None and tmp.gid in (user.gid, *user.groups) and tmp.mode & 0o020:
        return True
    return bool(tmp.mode & 0o002)
