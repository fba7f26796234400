"""What of an installation others could read or change."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit


def secrets_of(home: Path) -> dict[str, bytes]:
    """Every secret value, by where it is kept; 8 characters and more, so that none is found by chance.

    Of a URL and of a line of a password file it is the password.
    """
    found = {}
    for path in (home / "secrets").iterdir():
        for number, line in enumerate(path.read_bytes().split()):
            value = urlsplit(line).password if b"://" in line else line.rpartition(b":")[2]
            # the first and last line of PEM stand in every bundle of authorities
            if value and len(value) >= 8 and b"-----" not in value:
                found[f"{path.name} {number}"] = value
    return found


def writable(home: Path) -> list[str]:
    """What its group or everybody may write to."""
    found = []
    for path in home.rglob("*"):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and not stat.S_ISSOCK(mode) and mode & 0o022:
            found.append(str(path))
    return found


def holders(home: Path, secrets: Mapping[str, bytes]) -> dict[str, int]:
    """The files that hold a secret, relative, with their modes.

    Those in ``secrets`` do and are closed; a release's were there before any secret was.
    """
    found = {}
    for top in home.iterdir():
        if top.name in ("releases", "secrets"):
            continue
        for path in (top, *top.rglob("*")):
            # PostgreSQL may just remove one
            with contextlib.suppress(FileNotFoundError):
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode):
                    content = path.read_bytes()
                    if any(value in content for value in secrets.values()):
                        found[str(path.relative_to(home))] = stat.S_IMODE(mode)
    return found


def assert_closed(home: Path) -> set[str]:
    """Nobody else can write to anything, or read a secret; returns which files hold one, without backups."""
    loose = writable(home)
    assert not loose, loose
    secrets = secrets_of(home)
    assert len(secrets) >= 4, sorted(secrets)
    found = holders(home, secrets)
    assert "airflow.cfg" in found, found
    others = {name for name in found if not name.startswith("backups/")}
    assert others <= {"airflow.cfg", "airflow.cfg.bak"}, others
    readable = {name: oct(mode) for name, mode in found.items() if mode != 0o600}
    assert not readable, readable
    # not every home has a cluster or a backup
    places = [home / "secrets", home / "run", *home.glob("postgres"), *home.glob("backups")]
    for path in places:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (home / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    return others


def assert_no_process_shows(home: Path) -> None:
    """No secret is in a command line or an environment, while the processes of that home run."""
    secrets = secrets_of(home)
    ours = 0
    for entry in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                content = (entry / name).read_bytes()
            except OSError:
                continue
            ours += os.fsencode(home) in content
            assert not [key for key, value in secrets.items() if value in content], (entry, name)
    assert ours > 10
