"""An interpreter that the service account placed where root looks for one: root must not run it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.base import account, trust
from bootstrap.base.account import AccountError
from bootstrap.postgres.programs import NEEDED
from bundler.host import probe
from tests.support import bundles
from tests.support.accounts import NOBODY, Folder, can_own_etc, in_process, own_etc

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more to lose than the account")

_PLANTED = "#!/bin/sh\nid -u >{marker}\nexit 1\n"
_LOOK = """
import sys
from bootstrap.base import process
getattr(process, "distrust", lambda: None)()
from bootstrap.facts import python
from bootstrap.postgres import host
for item in python.collect("3.99", sys.argv[1], folders=()):
    print(item.path, item.error)
try:
    host.find()
except Exception as error:
    print(error)
"""


@pytest.fixture
def account_folder() -> Iterator[Path]:
    with Folder() as folder:
        os.chown(folder, NOBODY, -1)
        yield folder


def planted(folder: Path, name: str, marker: Path) -> Path:
    """A program of the account's that says who ran it."""
    program = folder / name
    program.write_text(_PLANTED.format(marker=marker))
    program.chmod(0o755)
    os.chown(program, NOBODY, -1)
    return program


@pytest.mark.parametrize("way", ["PATH", "--python", "a link of root's"])
def test_header_runs_none_of_the_accounts(way: str, account_folder: Path, tmp_path: Path) -> None:
    bundle = bundles.write(tmp_path / "airflow.run", "3.99")
    marker = tmp_path / "marker"
    program = planted(account_folder, "python3.99", marker)
    if way == "a link of root's":
        (tmp_path / "python3.99").symlink_to(program)
        program = tmp_path / "python3.99"
    options: list[str | Path] = ["--python", program] if way == "--python" else []
    subprocess.run(
        ["sh", bundle, "doctor", *options],
        env={"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": "/nonexistent"},
        check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    assert not marker.exists()


_OPT = """mount -t tmpfs none /opt && mkdir -p /opt/airflow/bin && cp -p "$1/python3.99" /opt/airflow/bin/ &&
chown -R "$2" /opt/airflow && shift 2 && exec "$@"
"""


@pytest.mark.skipif(not can_own_etc(), reason="no mount namespaces")
@pytest.mark.parametrize("command", ["doctor", "install", "install --dry-run"])
def test_nothing_in_the_accounts_home_below_opt_is_run(
    command: str, account_folder: Path, tmp_path: Path
) -> None:
    """Interpreters are searched in /opt/*/bin, and /opt/airflow was the account's."""
    bundle = bundles.write(tmp_path / "airflow.run", "3.99")
    marker = tmp_path / "marker"
    planted(account_folder, "python3.99", marker)
    for owner in (NOBODY, 0):
        inside: list[str | Path] = [
            "sh",
            "-c",
            _OPT,
            "sh",
            account_folder,
            str(owner),
            "sh",
            bundle,
            *command.split(),
        ]
        subprocess.run(
            ["unshare", "-m", *inside],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            check=False, capture_output=True, timeout=120,
        )  # fmt: skip
        # root's own is run: the control
        assert marker.exists() == (owner == 0)


def test_header_says_what_it_passed_over(account_folder: Path, tmp_path: Path) -> None:
    bundle = bundles.write(tmp_path / "airflow.run", "3.99")
    program = planted(account_folder, "python3.99", tmp_path / "marker")
    done = subprocess.run(
        ["sh", bundle, "doctor", "--python", program], check=False, capture_output=True, text=True
    )
    assert f"{program} is not run as root: {account_folder} belongs to the account {NOBODY}" in done.stderr


def test_doctor_runs_none_of_the_accounts(account_folder: Path, tmp_path: Path) -> None:
    """Neither an interpreter nor the PostgreSQL beside pg_config."""
    marker = tmp_path / "marker"
    program = planted(account_folder, "python3.99", marker)
    for name in (*NEEDED, "pg_config"):
        planted(account_folder, name, marker)
    path = f"{account_folder}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, program], env={**os.environ, "PATH": path},
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert not marker.exists()
    assert f"{account_folder} belongs to nobody" in done.stdout


@pytest.mark.parametrize(
    ("mode", "group", "trusted"),
    [(0o755, 0, True), (0o775, 0, True), (0o775, NOBODY, False), (0o777, 0, False), (0o1777, 0, True)],
)
def test_folder_that_others_can_write_to(mode: int, group: int, trusted: bool, tmp_path: Path) -> None:
    """For sh and for Python alike."""
    folder = tmp_path / "bin"
    folder.mkdir()
    os.chown(folder, 0, group)
    folder.chmod(mode)
    program = folder / "program"
    program.write_text("")
    program.chmod(0o755)
    header = Path(trust.__file__).parents[2] / "wheelhouse" / "header.sh"
    function = header.read_text(encoding="utf-8").partition("stranger() (\n")[2].partition("\n)\n")[0]
    script = f'stranger() (\n{function}\n)\nstranger "$1"'
    said = subprocess.run(["sh", "-c", script, "sh", program], check=True, capture_output=True, text=True)
    assert (said.stdout == "") == trusted
    assert (trust.stranger(str(program)) == "") == trusted


def test_library_beside_an_interpreter_counts(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    python = tmp_path / "bin" / "python3.11"
    python.write_text("")
    assert trust.untrusted(str(python)) == ""
    os.chown(tmp_path / "lib", NOBODY, -1)
    assert "belongs to nobody" in trust.untrusted(str(python))


@pytest.mark.skipif(not can_own_etc(), reason="no mount namespaces")
@pytest.mark.parametrize("name", ["-R/tmp/x", "--help", "-D"])
def test_name_of_an_account_is_no_option(name: str) -> None:
    def make() -> None:
        before = stat.S_IMODE(Path("/etc/passwd").stat().st_mode), Path("/etc/passwd").read_text()
        with pytest.raises(AccountError, match="cannot be the name"):
            account.ensure(name, Path("/opt/x"))
        assert (stat.S_IMODE(Path("/etc/passwd").stat().st_mode), Path("/etc/passwd").read_text()) == before

    in_process(make, own_etc)()


@pytest.mark.skipif(not can_own_etc(), reason="no mount namespaces")
@pytest.mark.parametrize("shell", [False, True], ids=["python", "sh"])
def test_probe_runs_none_of_the_accounts(shell: bool, account_folder: Path, tmp_path: Path) -> None:
    """It is run by root as well, before there is any bundle."""
    program = tmp_path / "probe"
    program.write_text(probe.text(shell=shell))
    command: list[str | Path] = ["sh", program] if shell else [sys.executable, program]
    marker = tmp_path / "marker"
    planted(account_folder, "python3.99", marker)
    for owner in (NOBODY, 0):
        (tmp_path / "host.json").unlink(missing_ok=True)
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", _OPT, "sh", account_folder, str(owner), *command],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path,
        )  # fmt: skip
        text = done.stdout if shell else (tmp_path / "host.json").read_text()
        (found,) = [
            item for item in json.loads(text)["pythons"] if item["path"] == "/opt/airflow/bin/python3.99"
        ]
        assert ("root runs only what nobody else can exchange" in found.get("error", "")) == (owner != 0)
        # root's own is run: the control
        assert marker.exists() == (owner == 0)
