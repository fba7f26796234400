"""A real Airflow on a machine that boots with systemd: kills, stops, power cuts; two side by side.

The machine has no network. Root's installation runs as system units, the one of kim under kim's own manager.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import machines
from tests.support.machines import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

HOME = "/opt/airflow"
KIM = "/home/kim/blue"
TARGET = "airferry-airflow.target"
COMPONENTS = ("postgres", "api-server", "scheduler", "dag-processor", "triggerer")
UNITS = (*COMPONENTS, "watchdog")
AIRFERRY = f"{HOME}/bin/airferry"


def unit(component: str, name: str = "airflow") -> str:
    return f"airferry-{name}-{component}.service"


@pytest.fixture(scope="module")
def machine(bundle: Path, scratch: Path) -> Iterator[Machine]:
    """A booted machine that can read the bundle."""
    trouble = machines.problem()
    if trouble:
        pytest.skip(trouble)
    made = Machine("airferry-test", scratch / "machine", [bundle])
    try:
        made.boot()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def installed(machine: Machine, bundle: Path) -> dict[str, Any]:
    """Root's installation, made with the command that an admin types."""
    ran = machine.run("sh", bundle, "install", "--parallelism", "2", "--host", "127.0.0.1", "--json")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)["result"]
    return found


def wait_until(what: str, condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition, and return how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return time.monotonic() - started


def healthy(machine: Machine, airferry: str = AIRFERRY, account: str = "") -> bool:
    return machine.run(airferry, "status", "--json", account=account).returncode == 0


def main_pid(machine: Machine, component: str) -> str:
    return machine.check("systemctl", "show", "--property=MainPID", "--value", unit(component))


def component_pid(machine: Machine, component: str) -> str:
    """The component itself, below its relay; it may be on its way back just now."""

    found: list[str] = []

    def runs() -> bool:
        found[:] = machine.run("pgrep", "-P", main_pid(machine, component)).stdout.split()
        return bool(found)

    wait_until(f"{component} runs", runs, 30)
    return found[0]


def kill(machine: Machine, component: str, signal: str) -> str:
    """Send it to the component itself, and return the main process that its unit had.

    The component may end in between: without its database it does.
    """
    struck: list[str] = []

    def hit() -> bool:
        struck[:] = [main_pid(machine, component)]
        return machine.run("kill", f"-{signal}", component_pid(machine, component)).returncode == 0

    wait_until(f"{component} is struck", hit, 60)
    return struck[0]


def test_everything_is_active_under_the_account(machine: Machine, installed: dict[str, Any]) -> None:
    assert installed["receipt"]["services"] == "systemd"
    for name in (TARGET, *map(unit, UNITS)):
        assert machine.run("systemctl", "is-active", name).stdout == "active\n", name
        assert machine.run("systemctl", "is-enabled", name).stdout == "enabled\n", name
    assert machine.check("systemctl", "is-system-running") == "running"
    assert healthy(machine)
    for component in COMPONENTS:
        group = machine.check("systemctl", "show", "--property=ControlGroup", "--value", unit(component))
        files = " ".join(f"/sys/fs/cgroup{folder}{group}/cgroup.procs" for folder in ("/systemd", ""))
        processes = machine.run("sh", "-c", f"cat {files} 2>/dev/null").stdout.split()
        assert len(processes) > 1
        owners = machine.check("ps", "-o", "user=", "-p", ",".join(processes))
        assert set(owners.split()) == {"airflow"}


def test_roots_command_is_on_the_path(machine: Machine, installed: dict[str, Any]) -> None:
    assert machine.check("readlink", "/usr/local/bin/airferry") == AIRFERRY
    assert json.loads(machine.check("airferry", "status", "--json"))["result"]["home"] == HOME


def test_systemd_finds_nothing_in_the_units(machine: Machine, installed: dict[str, Any]) -> None:
    units = machine.check("sh", "-c", "echo /etc/systemd/system/airferry-*").split()
    assert len(units) == 1 + len(UNITS) + 1  # the target's folder of wants is one of them
    files = [path for path in units if not path.endswith(".wants")]
    said = machine.run("systemd-analyze", "--man=no", "verify", *files)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    for path in files:
        assert machine.check("stat", "-c", "%U:%a", path) == "root:644"


def test_servers_listen_where_they_were_told_to(machine: Machine, installed: dict[str, Any]) -> None:
    """One address was asked for: nothing listens anywhere else, Airflow's log servers included."""
    receipt = installed["receipt"]
    listening = {line.split()[3] for line in machine.check("ss", "-Hltn").splitlines()}
    assert {f"127.0.0.1:{receipt['web_port']}", f"127.0.0.1:{receipt['database']['port']}"} <= listening
    assert {address for address in listening if not address.startswith("127.0.0.1:")} == set()


def test_no_secret_in_units_journal_or_processes(machine: Machine, installed: dict[str, Any]) -> None:
    names = machine.check("ls", f"{HOME}/secrets").split()
    secrets = {name: machine.check("cat", f"{HOME}/secrets/{name}") for name in names if name != "pgpass"}
    assert len(secrets) > 4
    places = {
        "units": machine.check(
            "sh", "-c", "cat /etc/systemd/system/airferry-*.service /etc/systemd/system/airferry-*.target"
        ),
        "journal": machine.check("journalctl", "--no-pager", "-o", "verbose"),
        "environments": machine.check(
            "sh", "-c", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'"
        ),
        "record": machine.check("cat", "/etc/airferry/installations.d/airflow.json"),
        "files": machine.check("sh", "-c", f"cat {HOME}/etc/* {HOME}/logs/airferry/* {HOME}/receipt.json"),
    }
    assert "airferry-airflow-scheduler" in places["journal"]
    found = [
        (name, place) for place, text in places.items() for name, value in secrets.items() if value in text
    ]
    assert found == []


def test_evidence_names_the_units_as_they_were_written(machine: Machine, installed: dict[str, Any]) -> None:
    """Asked by root, found by the account, written by root."""
    made = json.loads(machine.check("airferry", "evidence", "--output", "/root", "--json"))["result"]
    assert machine.check("stat", "-c", "%U", made["data"], made["page"]).split() == ["root", "root"]
    found = json.loads(machine.check("cat", made["data"]))
    units = {item["unit"]: item["as_written"] for item in found["components"]}
    assert units == {unit(name): True for name in UNITS}
    assert (found["account"]["name"], found["unknown"]) == ("airflow", [])
    assert found["file"]["sha256"] == installed["receipt"]["bundle_sha256"]
    machine.check("rm", made["data"], made["page"])


def test_only_what_may_be_read_can_be_read(machine: Machine, installed: dict[str, Any]) -> None:
    loose = machine.check("find", HOME, "-mindepth", "1", "-not", "-type", "l", "-perm", "/022")
    assert loose == ""
    # the account may make files in it, and exchange none of root's
    assert machine.check("stat", "-c", "%U:%a", HOME) == "root:1775"
    assert machine.check("stat", "-c", "%U:%a", f"{HOME}/airflow.cfg") == "airflow:600"
    for path in (f"{HOME}/etc/services.env", f"{HOME}/etc/local.env"):
        assert machine.check("stat", "-c", "%U:%a", path) == "root:640"
    machine.check("useradd", "--create-home", "--shell", "/bin/bash", "kim")
    private = (f"{HOME}/secrets/admin-password", f"{HOME}/airflow.cfg", f"{HOME}/logs/airferry/scheduler.log")
    for path in private:
        assert machine.run("cat", path, account="kim").returncode != 0
    pid = main_pid(machine, "scheduler")
    assert machine.run("cat", f"/proc/{pid}/environ", account="kim").returncode != 0


def test_output_is_in_the_journal_and_in_a_file(machine: Machine, installed: dict[str, Any]) -> None:
    words = "database system is ready to accept connections"
    assert words in machine.check("journalctl", "--no-pager", "-u", unit("postgres"))
    assert words in machine.check("cat", f"{HOME}/logs/airferry/postgres.log")
    assert "scheduler" in machine.check("tail", "-n", "50", f"{HOME}/logs/airferry/scheduler.log")


def test_a_variable_of_the_admins_reaches_components_and_commands(
    machine: Machine, installed: dict[str, Any]
) -> None:
    value = '{"it\'s": "two  words 100% $HOME ; # 한글"}'
    line = f'it is "nothing\nAIRFLOW_VAR_TEST="{value}"\r'
    machine.check("sh", "-c", 'printf "%s\\n" "$1" >> "$2"', "sh", line, f"{HOME}/etc/local.env")
    machine.check(AIRFERRY, "restart", "triggerer")
    child = component_pid(machine, "triggerer")
    wanted = f"AIRFLOW_VAR_TEST={value}"
    assert wanted in machine.check("cat", f"/proc/{child}/environ").split("\0")
    said = machine.check(f"{HOME}/bin/airferry", "run", "--", "sh", "-c", f". {HOME}/etc/environment.sh; env")
    assert wanted in said.splitlines()


@pytest.mark.parametrize("component", COMPONENTS)
def test_killed_component_comes_back_within_seconds(
    machine: Machine, installed: dict[str, Any], component: str
) -> None:
    before = kill(machine, component, "KILL")

    def back() -> bool:
        return main_pid(machine, component) not in ("0", before)

    wait_until(f"{component} is started again", back, 30)  # 2 to 3 s where nothing else runs


def test_all_is_healthy_after_the_kills(machine: Machine, installed: dict[str, Any]) -> None:
    wait_until("healthy", lambda: healthy(machine), 120)


@pytest.mark.skipif(not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: takes minutes")
def test_what_hangs_is_started_again(machine: Machine, installed: dict[str, Any]) -> None:
    """All of Airflow's components at once, then PostgreSQL, each stopped as a hanging process is."""
    own = f"{HOME}/etc/local.env"
    machine.check("sh", "-c", f"cp -p {own} {own}.kept; echo AIRFERRY_WATCHDOG_SECONDS=25 >> {own}")
    machine.check(AIRFERRY, "restart", "watchdog")
    time.sleep(25)  # a few looks: it has seen everybody well
    for names in (COMPONENTS[1:], COMPONENTS[:1]):
        before = {name: kill(machine, name, "STOP") for name in names}

        def renewed(before: dict[str, str] = before) -> bool:
            return all(main_pid(machine, name) not in ("0", pid) for name, pid in before.items())

        wait_until(f"{names} are started again", renewed, 240)
        wait_until("healthy", lambda: healthy(machine), 240)
    entries = json.loads(machine.check(AIRFERRY, "history", "-n", "0", "--json"))["result"]["entries"]
    struck = {item["details"]["component"] for item in entries if item["command"] == "watchdog"}
    assert set(COMPONENTS) <= struck
    machine.check("mv", f"{own}.kept", own)
    machine.check(AIRFERRY, "restart", "watchdog")


def test_component_that_ends_by_itself_comes_back(machine: Machine, installed: dict[str, Any]) -> None:
    before = kill(machine, "triggerer", "TERM")
    wait_until("the triggerer is back", lambda: main_pid(machine, "triggerer") not in ("0", before), 40)


def test_stopping_the_target_leaves_no_process(machine: Machine, installed: dict[str, Any]) -> None:
    machine.check("systemctl", "stop", TARGET)
    assert machine.run("ps", "-u", "airflow").returncode == 1
    assert machine.run("ss", "-Hltn").stdout == ""
    # each has ended in its time; with which status is Airflow's affair
    results = [
        machine.check("systemctl", "show", "--property=Result", "--value", unit(name)) for name in COMPONENTS
    ]
    assert set(results) <= {"success", "exit-code"}
    status = json.loads(machine.run(AIRFERRY, "status", "--json").stdout)["result"]
    assert {item["state"] for item in status["components"]} == {"STOPPED"}


def test_server_that_cannot_start_is_told_at_once_and_tried_again(
    machine: Machine, installed: dict[str, Any]
) -> None:
    machine.check("chmod", "755", f"{HOME}/postgres")  # PostgreSQL refuses
    assert machine.run("systemctl", "start", unit("postgres"), timeout=60).returncode != 0
    machine.check("chmod", "700", f"{HOME}/postgres")
    active = ("systemctl", "is-active", unit("postgres"))
    wait_until("it is started again", lambda: machine.run(*active).stdout == "active\n", 30)
    machine.check("systemctl", "stop", unit("postgres"))


def test_account_without_root_is_told_what_to_type(machine: Machine, installed: dict[str, Any]) -> None:
    ran = machine.run(AIRFERRY, "start", account="airflow")
    assert ran.returncode == 38
    assert f"systemctl start {TARGET}" in ran.stderr


@pytest.fixture(scope="module")
def second(machine: Machine, installed: dict[str, Any], bundle: Path) -> dict[str, Any]:
    """Another installation, by an ordinary account, while the first one is stopped."""
    machine.check("loginctl", "enable-linger", "kim")
    wait_until(
        "kim's manager", lambda: machine.run("systemctl", "is-active", "user@1000").stdout == "active\n", 30
    )
    ran = machine.run(
        "sh", bundle, "install", "--name", "blue", "--parallelism", "2", "--json", account="kim"
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)["result"]
    return found


def test_second_installation_takes_nothing_of_the_first(
    machine: Machine, installed: dict[str, Any], second: dict[str, Any], bundle: Path
) -> None:
    one, two = installed["receipt"], second["receipt"]
    assert (two["services"], two["name"], two["home"]) == ("systemd-user", "blue", KIM)
    ports = [
        [found["web_port"], found["log_port"], found["trigger_log_port"], found["database"]["port"]]
        for found in (one, two)
    ]
    assert len({*ports[0], *ports[1]}) == 8
    third = ["--home", "/home/kim/third", "--port", str(one["web_port"]), "--dry-run"]
    refused = machine.run("sh", bundle, "install", *third, account="kim")
    assert refused.returncode == 72
    assert HOME in refused.stderr


def test_root_starts_it_and_after_a_power_cut_both_come_back(
    machine: Machine, installed: dict[str, Any], second: dict[str, Any]
) -> None:
    machine.check(AIRFERRY, "start")
    assert machine.run("systemctl", "is-active", TARGET).stdout == "active\n"
    machine.check(AIRFERRY, "stop", "triggerer")
    assert machine.run("systemctl", "is-active", unit("triggerer")).stdout == "inactive\n"
    machine.cut_power()
    machine.boot()
    wait_until("root's is healthy", lambda: healthy(machine), 180)
    airferry = f"{KIM}/bin/airferry"
    wait_until("kim's is healthy", lambda: healthy(machine, airferry, "kim"), 180)
    # what the first life wrote is still there
    journal = machine.check("journalctl", "--no-pager", "-u", unit("scheduler"))
    assert "airferry-airflow-scheduler" in journal
    machine.check(airferry, "stop", account="kim")
    assert machine.run("pgrep", "-u", "kim", "-f", KIM).returncode == 1


def test_backup_and_restore_go_through_the_units(
    machine: Machine, installed: dict[str, Any], second: dict[str, Any]
) -> None:
    made = json.loads(machine.check(AIRFERRY, "backup", "--json"))["result"]
    assert machine.check("find", made["path"], "-perm", "/077") == ""
    machine.check(f"{HOME}/bin/airflow", "variables", "set", "afterwards", "x")
    machine.check(AIRFERRY, "config", "set", "core", "max_active_runs_per_dag", "3")
    back = json.loads(machine.check(AIRFERRY, "restore", made["backup"]["id"], "--yes", "--json"))["result"]
    assert back["receipt"]["services"] == "systemd"
    assert machine.run(f"{HOME}/bin/airflow", "variables", "get", "afterwards").returncode != 0
    assert machine.check(AIRFERRY, "config", "get", "core", "max_active_runs_per_dag") != "3"
    for name in (TARGET, *map(unit, UNITS)):
        assert machine.run("systemctl", "is-active", name).stdout == "active\n", name
    assert healthy(machine)
    assert machine.check("find", HOME, "-mindepth", "1", "-not", "-type", "l", "-perm", "/022") == ""
    told = json.loads(machine.check(AIRFERRY, "history", "--json"))["result"]["entries"][-1]
    assert (told["command"], told["outcome"]) == ("restore", "done")


def test_uninstalled_it_leaves_the_other_alone(
    machine: Machine, installed: dict[str, Any], second: dict[str, Any]
) -> None:
    said = json.loads(
        machine.check(f"{KIM}/bin/airferry", "uninstall", "--purge", "--yes", "--json", account="kim")
    )["result"]
    assert machine.run("test", "-e", KIM).returncode == 1
    assert machine.check("sh", "-c", "ls -A /home/kim/.config/systemd/user | grep airferry || true") == ""
    assert KIM not in {item["what"] for item in said["left"]}
    assert healthy(machine)


@pytest.mark.skipif(not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: a third install")
def test_roots_second_installation_shares_the_account_and_nothing_else(
    machine: Machine, installed: dict[str, Any], second: dict[str, Any], bundle: Path
) -> None:
    made = json.loads(
        machine.check("sh", bundle, "install", "--name", "green", "--parallelism", "2", "--json")
    )["result"]["receipt"]
    assert (made["services"], made["account"], made["home"]) == ("systemd", "airflow", "/opt/green")
    green = "/opt/green/bin/airferry"
    before = {component: main_pid(machine, component) for component in COMPONENTS}
    machine.check("kill", "-KILL", machine.check("pgrep", "-f", "/opt/green/.*triggerer").split()[0])
    wait_until("root's second is healthy", lambda: healthy(machine, green), 90)
    machine.check(green, "stop")
    assert machine.run("pgrep", "-f", "/opt/green").returncode == 1
    assert machine.run("systemctl", "is-active", "airferry-green.target").stdout == "inactive\n"
    assert {component: main_pid(machine, component) for component in COMPONENTS} == before
    machine.check(AIRFERRY, "stop")
    machine.check(green, "start")
    assert healthy(machine, green)
    assert not healthy(machine)
    machine.check(AIRFERRY, "start")
    said = json.loads(machine.check(green, "uninstall", "--purge", "--yes", "--json"))["result"]
    # the account's home is the first one
    assert [item["what"] for item in said["left"]] == ["account airflow"]
    assert machine.run("test", "-e", "/opt/green").returncode == 1
    assert machine.check("ls", "/etc/airferry/installations.d") == "airflow.json"
    assert machine.check("sh", "-c", "ls /etc/systemd/system | grep airferry-green || true") == ""
    assert healthy(machine)


def test_another_service_manager_takes_over(
    machine: Machine, installed: dict[str, Any], bundle: Path
) -> None:
    again = json.loads(machine.check("sh", bundle, "install", "--service", "none", "--json"))["result"]
    assert again["receipt"]["services"] == "none"
    assert again["steps"][-1]["name"] == "rest"
    assert machine.check("sh", "-c", "ls /etc/systemd/system | grep airferry || true") == ""
    assert machine.run("ps", "-u", "airflow").returncode == 1
    # for whatever else may run it
    script = f"{HOME}/etc/service.sh"
    start = f"setpriv --reuid airflow --regid airflow --clear-groups sh {script} postgres"
    machine.check("sh", "-c", f"{start} >/dev/null 2>&1 &")
    machine.check("timeout", "30", "sh", script, "postgres-ready")
    machine.check("pkill", "-INT", "-u", "airflow", "-f", "relay.py")
    wait_until("nothing runs", lambda: machine.run("ps", "-u", "airflow").returncode == 1, 20)


def test_purged_nothing_is_left(machine: Machine, installed: dict[str, Any]) -> None:
    said = json.loads(machine.check(AIRFERRY, "uninstall", "--purge", "--yes", "--json"))["result"]
    assert said["left"] == []
    assert machine.run("getent", "passwd", "airflow").returncode == 2
    assert machine.run("test", "-e", HOME).returncode == 1
    assert machine.run("test", "-e", "/etc/airferry").returncode == 1
    assert machine.run("test", "-L", "/usr/local/bin/airferry").returncode == 1
    assert machine.check("systemctl", "list-units", "--all", "--no-legend", "airferry*") == ""
