"""The peer of the install: the same steps as an admin does them by hand, with venv, pip and a shell."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

WEB_PORT = 18080
DATABASE_PORT = 15432
DAG = "airferry_pipeline"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


class ByHand:
    """One installation by hand below `folder`, from a folder of wheels, as `account`."""

    def __init__(
        self, folder: Path, python: str, wheels: Path, manifest: dict[str, Any], account: pwd.struct_passwd
    ) -> None:
        self.folder = folder
        self.python = python
        self.wheels = wheels
        self.manifest = manifest
        self.account = account
        self.children: list[subprocess.Popen[bytes]] = []
        url = f"postgresql+psycopg2://airflow:by-hand@127.0.0.1:{DATABASE_PORT}/airflow"
        self.env = {
            "PATH": f"{folder}/venv/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__AUTH_MANAGER": FAB,
            "AIRFLOW__API__PORT": str(WEB_PORT),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{WEB_PORT}/execution/",
            "AIRFLOW__API_AUTH__JWT_SECRET": "by-hand-by-hand-by-hand-by-hand-by-hand",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "18793",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "18794",
        }

    def install(self) -> tuple[float, float]:
        """Do all of it; seconds of the package step, and of the whole."""
        self.folder.mkdir()
        os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        try:
            started = time.monotonic()
            self._packages()
            packages = time.monotonic() - started
            self._database()
            self._airflow()
            return packages, time.monotonic() - started
        finally:
            for child in reversed(self.children):
                child.terminate()
            for child in self.children:
                try:
                    child.wait(40)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def _packages(self) -> None:
        self._run(
            self.python, "-m", "venv", str(self.folder / "venv")
        ) if self._has_ensurepip() else self._bare()
        extras = ",".join(self.manifest["extras"])
        wanted = [f"apache-airflow[{extras}]=={self.manifest['airflow']}", "asyncpg", "psycopg2-binary"]
        pip = [f"{self.folder}/venv/bin/python", "-m", "pip", "install", "--quiet", "--no-index"]
        self._run(*pip, "--find-links", str(self.wheels / "wheels"), *wanted)

    def _has_ensurepip(self) -> bool:
        return subprocess.run([self.python, "-c", "import ensurepip"], check=False).returncode == 0

    def _bare(self) -> None:
        self._run(self.python, "-m", "venv", "--without-pip", str(self.folder / "venv"))
        pip = next((self.wheels / "tools").glob("pip-*.whl"))
        python = f"{self.folder}/venv/bin/python"
        self._run(python, f"{pip}/pip", "install", "--quiet", "--no-index", str(pip))

    def _database(self) -> None:
        with zipfile.ZipFile(next((self.wheels / "postgres").glob("*.whl"))) as archive:
            archive.extractall(self.folder / "programs")
        programs = next((self.folder / "programs").glob("*/pginstall/bin"))
        for program in programs.iterdir():
            program.chmod(0o755)
        data = self.folder / "data"
        password = self.folder / "password"
        password.write_text("by-hand\n")
        os.chown(password, self.account.pw_uid, self.account.pw_gid)
        self._run(
            f"{programs}/initdb", "-D", str(data), "-U", "airflow", "--auth", "scram-sha-256",
            "--pwfile", str(password), "--encoding", "UTF8", "--no-locale", "--data-checksums",
        )  # fmt: skip
        options = ["-p", str(DATABASE_PORT), "-c", "unix_socket_directories="]
        self._start("postgres", f"{programs}/postgres", "-D", str(data), *options)
        self.env["PGPASSWORD"] = "by-hand"
        address = ["-h", "127.0.0.1", "-p", str(DATABASE_PORT)]
        self._until(lambda: self._try(f"{programs}/pg_isready", *address))
        self._run(f"{programs}/createdb", *address, "-U", "airflow", "airflow")

    def _airflow(self) -> None:
        airflow = f"{self.folder}/venv/bin/airflow"
        self._run("cp", "-r", str(self.wheels / "dags"), str(self.folder / "dags"))
        self._run(airflow, "db", "migrate")
        self._run(
            airflow, "users", "create", "--username", "admin", "--password", "by-hand", "--role", "Admin",
            "--firstname", "a", "--lastname", "b", "--email", "admin@example.org",
        )  # fmt: skip
        for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
            self._start(component, airflow, component)
        self._until(self._healthy)
        self._until(lambda: self._try(airflow, "dags", "unpause", DAG, "--yes"))
        self._run(airflow, "dags", "trigger", DAG, "-l", "2026-01-01T00:00:00+00:00", "--run-id", "by-hand")
        self._until(self._succeeded)

    def _succeeded(self) -> bool:
        said = self._output(f"{self.folder}/venv/bin/airflow", "dags", "list-runs", DAG, "-o", "json")
        runs = json.loads(said[said.rindex("[{") :]) if "[{" in said else []  # log lines come first
        return any(item["run_id"] == "by-hand" and item["state"] == "success" for item in runs)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{WEB_PORT}/api/v2/monitor/health", timeout=5
            ) as answer:
                parts = json.load(answer)
        except OSError:
            return False
        return all(parts[name]["status"] == "healthy" for name in ("scheduler", "dag_processor", "triggerer"))

    def _until(self, condition: Any, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("the installation by hand did not get there")
            time.sleep(0.5)

    def _start(self, name: str, *command: str) -> None:
        with (self.folder.parent / f"{name}.log").open("wb") as log:
            self.children.append(
                subprocess.Popen(
                    command,
                    env=self.env,
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                    user=self.account.pw_uid,
                    group=self.account.pw_gid,
                )
            )

    def _try(self, *command: str) -> bool:
        return self._finished(*command).returncode == 0

    def _output(self, *command: str) -> str:
        return self._finished(*command).stdout.decode()

    def _run(self, *command: str) -> None:
        finished = self._finished(*command)
        if finished.returncode:
            raise SystemExit(f"{' '.join(command)}\n{finished.stdout.decode()}{finished.stderr.decode()}")

    def _finished(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, env=self.env, cwd=self.folder, capture_output=True, check=False,
            user=self.account.pw_uid, group=self.account.pw_gid,
        )  # fmt: skip
