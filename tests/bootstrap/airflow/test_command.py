"""Airflow's commands, against a small real package named airflow that writes down how it was called."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import bootstrap
import wheelhouse
from bootstrap.airflow.command import Airflow, UnknownLogin
from bootstrap.airflow.config import ConfigurationError
from bootstrap.airflow.release import SIMPLE_PASSWORDS, release_for
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret

PASSWORD = Secret("Pa%ss-word-7")

# It fails as FAILS says: "db migrate" -> SystemExit of that value, "raise" -> an exception.
STAND_IN = """
import json, os, pathlib, sys

HOME = pathlib.Path(os.environ["AIRFLOW_HOME"])
loaded = os.getpid()

def main():
    command = " ".join(sys.argv[1:3])
    arguments = pathlib.Path("/proc/self/cmdline").read_bytes().decode()
    record = {"argv": sys.argv[1:], "process": loaded, "cmdline": arguments, "env": dict(os.environ)}
    with (HOME / "calls").open("a") as stream:
        stream.write(json.dumps(record) + "\\n")
    print("ran", *sys.argv[1:])
    if command == "config update":  # as Airflow itself does
        print((HOME / "airflow.cfg").read_text(), file=sys.stderr)
    fails = json.loads((HOME / "fails").read_text()) if (HOME / "fails").exists() else {}
    if command in fails:
        if fails[command] == "raise":
            raise TimeoutError("no such database\\n\\n(Background on this error at: https://sqlalche.me/e)")
        sys.exit(fails[command])

if __name__ == "__main__":
    main()
"""

# As much of it as writes the default airflow.cfg: asked for it, or in old releases when it is imported.
CONFIGURATION = """
import os, pathlib
HOME = pathlib.Path(os.environ["AIRFLOW_HOME"])
def write_default_airflow_configuration_if_needed():
    assert os.environ["_AIRFLOW__AS_LIBRARY"], "all of Airflow would be imported"
    if not (HOME / "read-only").exists():
        (HOME / "airflow.cfg").write_text("[core]\\n")
"""
OLD_CONFIGURATION = CONFIGURATION.replace("def write_default_airflow_configuration_if_needed():", "if True:")

# As much of what Airflow's environment holds as a new password needs.
FAB = {
    "airflow/configuration.py": """
class conf:
    def get(section, option):
        assert (section, option) == ("{section}", "sql_alchemy_conn")
        return "{accounts}"
""",
    "werkzeug/__init__.py": "",
    "werkzeug/security.py": "def generate_password_hash(text): return 'hash of ' + text[::-1]\n",
    "sqlalchemy/__init__.py": """
import contextlib, sqlite3
text = str
class create_engine:
    def __init__(self, url): self.url = url
    @contextlib.contextmanager
    def begin(self):
        with contextlib.closing(sqlite3.connect(self.url)) as connection, connection:
            yield connection
""",
}


# As much of it as limits the time that a connection waits for a lock; FAB has its own.
SQLALCHEMY = {
    "event.py": """
def listens_for(kind, name):
    def register(function):
        (pathlib.Path(os.environ["AIRFLOW_HOME"]) / "listens").write_text(f"{kind.__name__} {name}")
        return function
    import os, pathlib
    return register
""",
    "pool.py": "class Pool: pass\n",
    "__init__.py": "",
}


class Home:
    """A home with a venv whose airflow is the stand-in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.venv = path / "venv"
        package = path / "packages" / "airflow"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(STAND_IN)
        (package / "configuration.py").write_text(CONFIGURATION)
        (path / "run").mkdir()
        for name, text in SQLALCHEMY.items():
            (path / "packages" / "sqlalchemy").mkdir(exist_ok=True)
            (path / "packages" / "sqlalchemy" / name).write_text(text)
        (self.venv / "bin").mkdir(parents=True)
        (self.venv / "bin" / "python").symlink_to(sys.executable)
        self.log = path / "install.log"

    def airflow(self, version: str = "3.3.2") -> Airflow:
        extra = {"PYTHONPATH": str(self.path / "packages")}
        return Airflow(release_for(version), self.venv, self.path, self.log, extra)

    def fail(self, command: str, failure: object) -> None:
        (self.path / "fails").write_text(json.dumps({command: failure}))

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "calls").read_text().splitlines()]

    @property
    def commands(self) -> list[str]:
        return [" ".join(call["argv"][:2]) for call in self.calls]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    path = tmp_path / "에어 flow"
    path.mkdir()
    return Home(path)


def test_nothing_of_the_host_leaks_in(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONFIG", "http_proxy", "HTTPS_PROXY", "PYTHONHOME"):
        monkeypatch.setenv(name, "/nowhere")
    home.airflow().run("version", what="ask")
    env = home.calls[0]["env"]
    assert not [name for name, value in env.items() if value == "/nowhere"]
    assert env["AIRFLOW_HOME"] == str(home.path)
    assert env["PATH"].split(":")[0] == str(home.venv / "bin")
    assert env["PYTHONUTF8"] == "1"
    for name in ("NO_PROXY", "no_proxy"):
        assert {"127.0.0.1", "localhost", "::1"} < set(env[name].split(","))


def test_together_is_one_process_in_order(home: Home) -> None:
    result = home.airflow().run_batch([["db", "migrate"], ["dags", "list", "한 글"]], what="do both")
    assert [call["argv"] for call in home.calls] == [["db", "migrate"], ["dags", "list", "한 글"]]
    assert len({call["process"] for call in home.calls}) == 1
    assert result.stdout == "ran db migrate\nran dags list 한 글\n"
    assert not (home.path / "listens").exists()
    home.airflow().run_batch([["db", "migrate"]], what="migrate", lock_seconds=120)
    assert (home.path / "listens").read_text() == "Pool connect"


def test_a_password_is_in_no_argument_list_and_in_no_log(home: Home) -> None:
    home.airflow().initialise_and_create_admin("admin", PASSWORD)
    assert home.commands == ["db migrate", "db check-migrations", "config lint", "users create"]
    create = home.calls[-1]
    assert create["argv"][-1] == f"--password={PASSWORD.reveal()}"
    assert PASSWORD.reveal() not in create["cmdline"]
    assert PASSWORD.reveal() not in str(create["env"])
    assert "--password=***" in home.log.read_text()
    assert PASSWORD.reveal() not in home.log.read_text()


def test_the_oldest_initialises_in_its_own_way(home: Home) -> None:
    home.airflow("2.2.2").initialise_and_create_admin("admin", PASSWORD)
    assert home.commands == ["db init", "db check-migrations", "users create"]


@pytest.mark.parametrize(("failure", "status"), [(3, 3), ("no such role", 1), ("raise", 1)])
def test_together_stops_at_the_first_failure_and_names_it(home: Home, failure: object, status: int) -> None:
    home.fail("db migrate", failure)
    with pytest.raises(CommandFailed) as caught:
        home.airflow().initialise_and_create_admin("admin", PASSWORD)
    assert home.commands == ["db migrate"]
    assert caught.value.found.splitlines()[-1] == f"airflow db migrate (command 1 of 4) failed: {status}"
    assert PASSWORD.reveal() not in str(caught.value.as_dict())


def test_an_exit_status_of_0_goes_on(home: Home) -> None:
    home.fail("db migrate", 0)
    home.airflow().initialise_and_create_admin("admin", PASSWORD)
    assert len(home.commands) == 4


def test_together_from_inside_an_archive(home: Home, tmp_path: Path) -> None:
    archive = tmp_path / "bundle"
    with zipfile.ZipFile(archive, "w") as stream:
        for package in (bootstrap, wheelhouse):
            root = Path(str(package.__file__)).parent
            for path in root.rglob("*.py"):
                stream.write(path, path.relative_to(root.parent).as_posix())
    script = (
        "import sys; sys.path[:0] = sys.argv[1:2]\n"
        "from pathlib import Path\n"
        "from bootstrap.airflow.command import Airflow\n"
        "from bootstrap.airflow.release import release_for\n"
        "home = Path(sys.argv[2])\n"
        "extra = {'PYTHONPATH': str(home / 'packages')}\n"
        "airflow = Airflow(release_for('3.3.2'), home / 'venv', home, None, extra)\n"
        "airflow.run_batch([['db', 'migrate']], what='migrate')\n"
    )
    subprocess.run([sys.executable, "-I", "-c", script, str(archive), str(home.path)], check=True)
    assert home.commands == ["db migrate"]


@pytest.mark.parametrize("configuration", [CONFIGURATION, OLD_CONFIGURATION])
def test_write_config(home: Home, configuration: str) -> None:
    (home.path / "packages" / "airflow" / "configuration.py").write_text(configuration)
    assert home.airflow().write_config() == home.path / "airflow.cfg"
    assert (home.path / "airflow.cfg").read_text() == "[core]\n"
    (home.path / "airflow.cfg").write_text("[core]\nparallelism = 8\n")
    home.airflow().write_config()
    assert (home.path / "airflow.cfg").read_text() == "[core]\nparallelism = 8\n"


def test_warm_up_leaves_bytecode_and_nothing_else(home: Home) -> None:
    package = home.path / "packages" / "airflow"
    for name, text in {
        "utils/db.py": "",
        "www/app.py": "raise SystemExit(3)",
        "operators/bash.py": "",
    }.items():
        (package / name).parent.mkdir()
        (package / name).write_text(text)
    before = {path.name for path in home.path.iterdir()}
    assert home.airflow("2.11.2").warm_up().wait() == 0
    compiled = {path.name.partition(".")[0] for path in package.rglob("*.pyc")}
    assert {"db", "bash", "app"} <= compiled  # what fails is passed over
    assert {path.name for path in home.path.iterdir()} == before
    assert list((home.path / "run").iterdir()) == []


def test_warm_up_can_be_ended(home: Home) -> None:
    package = home.path / "packages" / "airflow"
    (package / "utils").mkdir()
    (package / "utils" / "db.py").write_text("import time\ntime.sleep(300)\n")
    airflow = home.airflow("2.11.2")
    begun = airflow.warm_up()
    assert airflow.warm_up() is begun
    airflow.end_warm_up()
    assert begun.wait() == -signal.SIGKILL
    assert list((home.path / "run").iterdir()) == []
    airflow.end_warm_up()


def test_warm_up_ends_with_whoever_has_started_it(home: Home) -> None:
    package = home.path / "packages" / "airflow"
    (package / "utils").mkdir()
    # its parent is gone when this has been imported
    (package / "utils" / "db.py").write_text(
        "import os, time\nwhile os.getppid() == PARENT: time.sleep(0.05)\n"
    )
    (package / "operators").mkdir()
    (package / "operators" / "bash.py").write_text("")
    script = (
        "import os, sys, pathlib\n"
        "from bootstrap.airflow.command import Airflow\n"
        "from bootstrap.airflow.release import release_for\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "module = home / 'packages' / 'airflow' / 'utils' / 'db.py'\n"
        "module.write_text(module.read_text().replace('PARENT', str(os.getpid())))\n"
        "extra = {'PYTHONPATH': str(home / 'packages')}\n"
        "Airflow(release_for('2.11.2'), home / 'venv', home, None, extra).warm_up()\n"
    )
    subprocess.run([sys.executable, "-c", script, str(home.path)], check=True, cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 20
    while list((home.path / "run").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list((home.path / "run").iterdir()) == []
    assert not (package / "operators" / "__pycache__").exists()


def test_write_config_notices_that_there_is_none(home: Home) -> None:
    (home.path / "read-only").write_text("")
    with pytest.raises(ConfigurationError):
        home.airflow().write_config()


def test_simple_accounts_lie_in_a_private_file(home: Home) -> None:
    airflow, path = home.airflow(), home.path / SIMPLE_PASSWORDS
    airflow.initialise_and_create_admin("kim", PASSWORD, "simple")
    assert home.commands == ["db migrate", "db check-migrations", "config lint"]
    assert json.loads(path.read_text()) == {"kim": PASSWORD.reveal()}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    airflow.initialise_and_create_admin("kim", Secret("other"), "simple")
    assert json.loads(path.read_text()) == {"kim": PASSWORD.reveal()}
    airflow.set_password("kim", Secret("other"), "simple")
    airflow.set_password("lee", PASSWORD, "simple")
    assert json.loads(path.read_text()) == {"kim": "other", "lee": PASSWORD.reveal()}


@pytest.mark.parametrize(("version", "section"), [("2.2.2", "core"), ("3.3.2", "database")])
def test_set_password_is_a_hash_in_the_row_of_the_account(home: Home, version: str, section: str) -> None:
    accounts = home.path / "accounts.db"
    with sqlite3.connect(accounts) as database:
        database.execute("CREATE TABLE ab_user (username TEXT, password TEXT)")
        database.executemany("INSERT INTO ab_user VALUES (?, 'old')", [("admin",), ("o'kim",)])
    database.close()
    for name, text in FAB.items():
        path = home.path / "packages" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.format(section=section, accounts=accounts))
    airflow = home.airflow(version)
    airflow.set_password("o'kim", PASSWORD)
    with pytest.raises(UnknownLogin) as caught:
        airflow.set_password("Admin", PASSWORD)
    assert caught.value.found == "accounts: admin, o'kim"
    with sqlite3.connect(accounts) as database:
        rows = dict(database.execute("SELECT * FROM ab_user"))
    database.close()
    assert rows == {"admin": "old", "o'kim": f"hash of {PASSWORD.reveal()[::-1]}"}
    assert PASSWORD.reveal() not in home.log.read_text()


def test_schema_problem(home: Home) -> None:
    assert home.airflow().schema_problem() is None
    home.fail("db check-migrations", "raise")
    assert home.airflow().schema_problem() == "TimeoutError: no such database"


def test_unpause_and_trigger(home: Home) -> None:
    moment = datetime(2026, 11, 20, tzinfo=timezone.utc)
    home.airflow("2.6.3").unpause_and_trigger("d", "r", moment)
    home.airflow().unpause("d")
    home.airflow().trigger("d", "r", moment)
    assert [call["argv"] for call in home.calls] == [
        ["dags", "unpause", "d"],
        ["dags", "trigger", "--run-id", "r", "-e", "2026-11-20T00:00:00+00:00", "d"],
        ["dags", "unpause", "d"],
        ["dags", "trigger", "--run-id", "r", "-l", "2026-11-20T00:00:00+00:00", "d"],
    ]
