"""Where an installation lies by default, and that its paths do not collide."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.state.home import Home, ReleaseFolder

ROOT = Path(__file__).parents[3]
NOBODY = 61234


def default_for(uid: int, env: dict[str, str]) -> str:
    """What Home.default says in a process of its own."""
    # the interpreter may lie where that account cannot read
    script = f"import os; from bootstrap.state.home import Home; os.setuid({uid}); print(Home.default().path)"
    command = [sys.executable, "-X", "utf8", "-B", "-c", script]
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_airflow_home_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/srv/한 글")
    assert Home.default().path == Path("/srv/한 글")
    monkeypatch.setenv("AIRFLOW_HOME", "~/af")
    monkeypatch.setenv("HOME", "/home/x")
    assert Home.default().path == Path("/home/x/af")


def test_relative_airflow_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", "af")
    assert Home.default().path == tmp_path / "af"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another account")
@pytest.mark.parametrize(
    ("uid", "env", "expected"),
    [
        (0, {}, "/opt/airflow"),
        (0, {"HOME": "/root"}, "/opt/airflow"),
        (NOBODY, {"HOME": "/home/x y"}, "/home/x y/airflow"),
        # in containers there are numbers without a name
        (NOBODY, {}, "/airflow"),
        (NOBODY, {"HOME": ""}, "/airflow"),
    ],
)
def test_by_account(uid: int, env: dict[str, str], expected: str) -> None:
    assert default_for(uid, env) == expected


def test_without_home_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: pwd.getpwnam("nobody").pw_uid)
    assert Home.default().path == Path(pwd.getpwnam("nobody").pw_dir, "airflow")


def test_paths_do_not_collide_and_lie_inside() -> None:
    for value in (Home(Path("/srv/af")), ReleaseFolder(Path("/srv/af/releases/x"))):
        names = [name for name, item in vars(type(value)).items() if isinstance(item, property)]
        paths = [getattr(value, name) for name in names if name not in ("id", "is_roots")]
        assert len(set(paths)) == len(paths)
        assert all(value.path in path.parents for path in paths)


def test_release_is_named_after_its_bundle() -> None:
    release = Home(Path("/srv/af")).release("3.3.2-cp311-0a1b2c3d4e")
    assert release.id == "3.3.2-cp311-0a1b2c3d4e"
    assert release.path == Path("/srv/af/releases/3.3.2-cp311-0a1b2c3d4e")
