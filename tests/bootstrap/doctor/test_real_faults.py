"""Faults made for real on this host: the facts are collected, judged, and exactly that finding comes."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.doctor.finding import Report
from bootstrap.doctor.needs import Needs, Port
from bootstrap.doctor.run import diagnose
from bootstrap.facts import libc, python
from bootstrap.facts.host import Facts, Request, collect
from wheelhouse import codec

ROOT = Path(__file__).parents[3]
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
BASE = os.path.realpath(sys.executable)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts, accounts, namespaces")


@pytest.fixture
def here(needs: Needs, tmp_path: Path) -> Needs:
    """Needs that this very host meets, for a home that can be made, without another account."""
    host = libc.collect()
    return replace(
        needs,
        python=MINOR,
        machine=host.machine,
        libc=host.name,
        libc_label=f"{host.name} {host.version}",
        wheels=("pure-1-py3-none-any.whl",),
        interpreter=None,
        account="",
        ports=(),
        room=1_000_000,
        growth=1_000_000,
        inodes=10,
        memory=2,
        memory_least=1,
        home=str(tmp_path / "airflow"),
        created="",
    )


def asked(needs: Needs) -> Request:
    ports = tuple(port.number for port in needs.ports)
    return Request(needs.home, needs.python, needs.interpreter, ports, needs.account)


def examine(needs: Needs) -> Report:
    """Collect this host's facts and judge them."""
    facts = collect(asked(needs))
    assert facts.failures == ()
    return diagnose(facts, needs)


def blockers(report: Report) -> set[str]:
    # the tests may well run as root without a service account, on which they do not depend
    return {finding.id for finding in report.blockers} - {"account-root", "account-unnamed"}


def ids(report: Report) -> set[str]:
    return {finding.id for finding in report.findings}


def found(report: Report, identifier: str) -> str:
    return next(finding.found for finding in report.findings if finding.id == identifier)


def test_nothing_blocks_here(here: Needs) -> None:
    report = examine(here)
    assert blockers(report) == set()
    assert {"python-ok", "machine-ok", "home-ok", "disk-ok"} <= ids(report)
    assert not Path(here.home).exists()


# Pythons


@pytest.mark.parametrize(
    ("modules", "expected", "blocks", "text"),
    [
        (["_ctypes"], "python-ctypes-missing", True, "No module named '_ctypes'"),
        (["_ssl"], "python-ssl-missing", True, "No module named '_ssl'"),
        (["zlib"], "python-zlib-missing", True, "No module named 'zlib'"),
        (["_sqlite3"], "python-sqlite3-missing", False, "No module named '_sqlite3'"),
        (["_bz2", "_lzma"], "python-compression-missing", False, "No module named '_lzma'"),
        (["_multiprocessing"], "python-semaphores-missing", True, "No module named '_multiprocessing'"),
        (["json"], "python-minimal", True, "No module named 'json'"),
        ([], "python-ok", False, ""),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_python_that_lacks_modules(
    here: Needs,
    broken_python: Callable[..., Path],
    modules: list[str],
    expected: str,
    blocks: bool,
    text: str,
) -> None:
    path = broken_python(*modules)
    report = examine(replace(here, interpreter=str(path)))
    assert blockers(report) == ({expected} if blocks else set())
    assert str(path) in found(report, expected)
    assert text in found(report, expected)


def test_python_that_hangs_is_left_behind(
    here: Needs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python, "PROBE_SECONDS", 0.3)
    path = tmp_path / "python3"
    path.write_text("#!/bin/sh\nsleep 60\n")
    path.chmod(0o755)
    report = examine(replace(here, interpreter=str(path)))
    assert blockers(report) == {"python-broken"}
    assert "still running" in found(report, "python-broken")


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 0\n", "#!/nowhere/python\n", "no program"])
def test_file_that_is_no_python(here: Needs, tmp_path: Path, content: str) -> None:
    path = tmp_path / "python3"
    path.write_text(content)
    path.chmod(0o755)
    assert blockers(examine(replace(here, interpreter=str(path)))) == {"python-broken"}


def test_python_that_is_not_there(here: Needs, tmp_path: Path) -> None:
    assert blockers(examine(replace(here, interpreter=str(tmp_path / "none")))) == {"python-broken"}


def test_named_python_of_another_minor_version(here: Needs) -> None:
    report = examine(replace(here, python="3.99", interpreter=BASE))
    assert blockers(report) == {"python-version"}
    assert platform.python_version() in found(report, "python-version")


def test_no_python_of_that_version(here: Needs) -> None:
    report = examine(replace(here, python="3.99"))
    assert blockers(report) == {"python-missing"}
    assert f"{BASE} is Python {MINOR}" in found(report, "python-missing")


# the machine


@pytest.mark.skipif(not shutil.which("setarch"), reason="needs setarch")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs a machine with a 32-bit personality")
def test_another_machine(here: Needs) -> None:
    report = examine_apart(here, ["setarch", "i686"])
    assert blockers(report) == {"machine-wrong"}


def test_wheel_for_a_newer_libc(here: Needs) -> None:
    name = f"new-1-cp3-abi3-manylinux_2_99_{here.machine}.whl"
    report = examine(replace(here, libc="glibc", wheels=(*here.wheels, name)))
    assert blockers(report) == {"libc-too-old" if here.libc == "glibc" else "libc-other"}


# disks


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small filesystem of its own with these options."""
    point = tmp_path / "mount"
    point.mkdir()

    def mount(options: str) -> Path:
        result = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)], capture_output=True, check=False
        )
        if result.returncode != 0:
            pytest.skip(f"cannot mount here: {result.stderr.decode().strip()}")
        return point

    yield mount
    subprocess.run(["umount", "-l", str(point)], capture_output=True, check=False)


@as_root
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("size=64k", "disk-full"),
        ("size=100m,nr_inodes=8", "inodes-few"),
        ("size=100m,ro", "home-read-only"),
        ("size=100m,noexec", "home-noexec"),
    ],
)
def test_filesystems(here: Needs, mounted: Callable[[str], Path], options: str, expected: str) -> None:
    point = mounted(options)
    report = examine(replace(here, home=str(point / "a folder" / "airflow")))
    assert blockers(report) == {expected}
    assert str(point) in found(report, expected)


@as_root
def test_disk_that_somebody_filled(here: Needs, mounted: Callable[[str], Path]) -> None:
    point = mounted("size=40m")
    home = replace(here, home=str(point / "airflow"), room=20_000_000)
    assert "disk-full" not in ids(examine(home))
    (point / "filler").write_bytes(b"x" * 30_000_000)
    assert blockers(examine(home)) == {"disk-full"}


@as_root
def test_temporary_files(
    here: Needs, mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    point = mounted("size=1m,noexec")
    monkeypatch.setattr("tempfile.tempdir", str(point))
    report = examine(here)
    assert {"tmp-noexec", "tmp-full"} <= ids(report)
    assert blockers(report) == set()


# the home


@pytest.mark.parametrize("name", ["a:b", "new\nline", "tab\there", os.fsdecode(b"\xff")])
def test_paths_that_cannot_be_used(here: Needs, tmp_path: Path, name: str) -> None:
    assert blockers(examine(replace(here, home=str(tmp_path / name)))) == {"home-path"}


@pytest.mark.parametrize("name", ["with blank", "한국어 폴더", "100%", "x" * 200, "a,b=(c)&d#e@f+g!~"])
def test_paths_that_look_odd_but_work(here: Needs, tmp_path: Path, name: str) -> None:
    report = examine(replace(here, home=str(tmp_path / name)))
    assert blockers(report) == set()
    assert "home-path-unusual" not in ids(report)


def test_something_else_in_the_way(here: Needs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "file/airflow", "link", "link/airflow"):
        report = examine(replace(here, home=str(tmp_path / name)))
        assert blockers(report) == {"home-not-a-folder"}, name


def test_home_of_somebody_else(here: Needs, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    home.mkdir()
    assert blockers(examine(here)) == set()
    for name in ("dags", "logs", ".bashrc"):
        (home / name).mkdir()
    assert blockers(examine(here)) == set()
    (home / "photos").mkdir()
    report = examine(here)
    assert blockers(report) == {"home-foreign"}
    assert found(report, "home-foreign").endswith("holds photos")
    (home / "airflow.cfg").write_text("[core]\n")
    report = examine(here)
    assert blockers(report) == set()
    assert "airflow-cfg-kept" in ids(report)
    (home / "receipt.json").write_text("{}")
    assert "installation-found" in ids(examine(here))


@contextlib.contextmanager
def being(uid: int) -> Iterator[None]:
    """Be another user for a while."""
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(uid, uid, 0)
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


@as_root
def test_home_that_is_not_ours(here: Needs) -> None:
    with being(65534):
        report = examine(replace(here, python="3.99", home="/usr/local/airferry-test"))
    assert blockers(report) == {"python-missing", "home-not-writable"}
    assert "/usr/local (mode 0755, owner 0)" in found(report, "home-not-writable")


@as_root
def test_account_that_nobody_knows(here: Needs) -> None:
    with being(54321):
        report = examine(replace(here, python="3.99", home="/var/tmp/airferry-test"))
    assert "account-unnamed" in {finding.id for finding in report.blockers}


@as_root
@pytest.mark.parametrize("account", ["nobody", "airferry-no-such-account"])
def test_closed_folder_hides_home_and_python(
    here: Needs, tmp_path: Path, broken_python: Callable[..., Path], account: str
) -> None:
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    open_home = replace(here, account=account, interpreter=str(broken_python()))
    assert blockers(examine(open_home)) == set()
    tmp_path.chmod(0o700)
    report = examine(open_home)
    assert blockers(report) == {"home-hidden", "python-hidden"}
    assert f"{tmp_path} (mode 0700) hides" in found(report, "python-hidden")


# ports


def test_port_that_is_really_held(here: Needs) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        number = server.getsockname()[1]
        # bound, but not yet listening: still nobody else can have it
        server.listen(1)
        report = examine(replace(here, ports=(Port(number, "web server", named=True),)))
        assert blockers(report) == {"port-in-use"}
        assert f"pid {os.getpid()}" in found(report, "port-in-use")
        report = examine(replace(here, ports=(Port(number, "web server"),)))
        assert blockers(report) == set()
        assert "port-other" in ids(report)
    assert blockers(examine(replace(here, ports=(Port(number, "web server", named=True),)))) == set()


def test_port_held_on_ipv6_counts(here: Needs) -> None:
    with socket.socket(socket.AF_INET6) as server:
        try:
            server.bind(("::", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        server.listen(1)
        number = server.getsockname()[1]
        assert blockers(examine(replace(here, ports=(Port(number, "web server", named=True),)))) == {
            "port-in-use"
        }


@as_root
def test_port_that_an_ordinary_account_may_not_have(here: Needs) -> None:
    setting = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if int(setting.read_text()) <= 81:
        pytest.skip("ports below 1024 are not reserved here")
    wanted = replace(here, python="3.99", home="/var/tmp/airferry-test", ports=(Port(81, "web server"),))
    with being(65534):
        report = examine(wanted)
    assert blockers(report) == {"python-missing", "port-privileged"}


# in a world of its own

_APART = """
import json, sys
from bootstrap.facts import host
from wheelhouse import codec
request = codec.loads(host.Request, sys.argv[1])
sys.stdout.write(codec.dumps(host.collect(request)))
"""


def examine_apart(needs: Needs, command: list[str]) -> Report:
    """Collect the facts in a process that `command` starts, and judge them."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [*command, sys.executable, "-X", "utf8", "-c", _APART, codec.dumps(asked(needs))],
        capture_output=True, text=True, env=environment, check=False, timeout=60,
    )  # fmt: skip
    if result.returncode != 0 and "not permitted" in result.stderr:
        pytest.skip(f"no namespaces here: {result.stderr.strip()}")
    assert result.returncode == 0, result.stderr
    facts = codec.loads(Facts, result.stdout)
    assert facts.failures == ()
    return diagnose(facts, needs)


@as_root
def test_loopback_that_is_down(here: Needs) -> None:
    assert blockers(examine_apart(here, ["unshare", "-n"])) == {"loopback-down"}


@as_root
def test_small_shared_memory(here: Needs) -> None:
    script = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
    report = examine_apart(here, ["unshare", "-m", "sh", "-c", script, "sh"])
    assert blockers(report) == {"shared-memory-missing"}


@as_root
def test_dns_that_never_answers(here: Needs, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    script = f"""
        ip link set lo up && ip link add hole type veth peer name end && ip link set end up &&
        ip link set hole up && ip address add 192.0.2.2/24 dev hole &&
        ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev hole &&
        hostname no-such-name && mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"
    """
    probe = subprocess.run(
        ["unshare", "-n", "sh", "-c", "ip link add hole type veth peer name end"],
        capture_output=True,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip(f"no virtual network here: {probe.stderr.decode().strip()}")
    report = examine_apart(here, ["unshare", "-n", "-m", "-u", "sh", "-c", script, "sh"])
    assert blockers(report) == set()
    assert found(report, "hostname-slow") == "no-such-name: no answer within 1 s"


@as_root
def test_hostname_that_is_unknown(here: Needs) -> None:
    script = 'ip link set lo up && hostname no-such-name && exec "$@"'
    report = examine_apart(here, ["unshare", "-n", "-u", "sh", "-c", script, "sh"])
    assert blockers(report) == set()
    assert "hostname-unknown" in ids(report)


@as_root
def test_memory_that_a_control_group_limits(here: Needs) -> None:
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(memory_group(200_000_000))
        script = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        report = examine_apart(replace(here, memory_least=300_000_000), ["sh", "-c", script, "sh"])
    assert blockers(report) == {"memory-short"}
    assert "limit of the control group" in found(report, "memory-short")


@contextlib.contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """A control group of its own, of version 2 or 1, with that much memory."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        old = "memory" in controllers.split(",")
        if controllers and not old:
            continue
        root = Path("/sys/fs/cgroup", "memory" if old else "")
        group = Path(f"{root}{path.rstrip('/')}", f"airferry-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        with contextlib.suppress(OSError):
            (group / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(limit))
            if (group / "cgroup.procs").exists():
                yield group
                group.rmdir()
                return
        shutil.rmtree(group, ignore_errors=True)
        with contextlib.suppress(OSError):
            group.rmdir()
    pytest.skip("no control group for memory can be made here")


# settings


def test_settings_of_the_host(here: Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "very-secret")
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:very-secret@mirror.example/")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:very-secret@proxy.example:3128")
    monkeypatch.setenv("LANG", "ko_KR.EUC-KR")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_CTYPE", raising=False)
    facts = collect(asked(here))
    report = diagnose(facts, here)
    assert {"airflow-variables", "environment-ignored", "proxy-set", "locale-other"} <= ids(report)
    assert "HTTPS_PROXY" in found(report, "proxy-set")
    # names, never values
    assert "very-secret" not in codec.dumps(facts)
    assert "very-secret" not in json.dumps(report.as_dict())


def test_limits_of_this_process(here: Needs) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    mask = os.umask(0o077)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        report = examine(here)
    finally:
        os.umask(mask)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {"open-files-low", "umask-strict"} <= ids(report)


def test_clock_that_is_behind(here: Needs) -> None:
    assert "clock-behind" in ids(examine(replace(here, created="2099-01-01T00:00:00Z")))
