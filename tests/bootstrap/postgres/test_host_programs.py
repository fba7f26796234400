"""The distribution's PostgreSQL programs: the newest that work, and why the others do not."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from bootstrap.postgres import host, programs
from bootstrap.postgres.embedded import PostgresFailed

SERVER = ("initdb", "postgres", "psql", "pg_dump")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /usr/lib/postgresql: what is put there is all that this host has."""

    found = functools.partial(programs.installed, [f"{tmp_path}/*/bin"], path="/nonexistent")
    monkeypatch.setattr(host, "installed", found)
    return tmp_path


def put(folder: Path, name: str, said: str, names: tuple[str, ...] = SERVER) -> Path:
    """Programs that say `said` when they are asked for their version; empty: that do not start."""
    place = folder / name / "bin"
    place.mkdir(parents=True)
    for program in names:
        text = f"#!/bin/sh\necho '{program} (PostgreSQL) {said}'\n" if said else "#!/nonexistent/ld.so\n"
        (place / program).write_text(text)
        (place / program).chmod(0o755)
    return place


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("12.22", "12.22"), ("13.16 (Ubuntu 13.16-1.pgdg20.04+1)", "13.16"), ("14.13", "14.13"),
        ("15.18 (Debian 15.18-0+deb12u1)", "15.18"), ("16.4", "16.4"), ("17beta1", "17"), ("18.0", "18.0"),
    ],
)  # fmt: skip
def test_versions(install: Path, said: str, version: str) -> None:
    place = put(install, "x", said)
    assert host.find() == host.Programs(place, version)
    assert host.clients(int(version.partition(".")[0])) == place
    assert host.clients(19) is None


def test_newest_that_is_whole(install: Path) -> None:
    put(install, "9.6", "9.6.24")
    place = put(install, "14", "14.13")
    put(install, "15", "15.1", ("psql", "pg_dump"))
    put(install, "16", "")
    assert host.find() == host.Programs(place, "14.13")
    # a client needs no server beside it
    assert host.clients(14) == install / "15" / "bin"


def test_why_none_can_be_used(install: Path) -> None:
    with pytest.raises(PostgresFailed, match="no PostgreSQL server programs") as none:
        host.find()
    assert "none in the usual folders" in none.value.found
    put(install, "11", "11.22")
    put(install, "15", "15.1", ("psql",))
    put(install, "16", "")
    with pytest.raises(PostgresFailed) as caught:
        host.find()
    old, part, broken = caught.value.found.splitlines()
    assert "11.22" in old
    assert part.endswith("lacks initdb, postgres")
    assert str(install / "16") in broken and len(broken) > len(str(install / "16" / "bin")) + 5
    assert caught.value.exit_code == 31
