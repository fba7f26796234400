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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.commands.doctor_results import judgement
from bootstrap.doctor.needs import Needs, WantedPort
from bootstrap.doctor.run import diagnose
from bootstrap.facts import python
from bootstrap.facts.host import collect
from tests.support.examining import (
    as_root,
    asked,
    being,
    blockers,
    examine,
    examine_apart,
    found,
    ids,
    memory_group,
)
from tests.support.faults import fault
from wheelhouse import codec

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
BASE = os.path.realpath(sys.executable)


def test_nothing_blocks_here(here: Needs) -> None:
    report = examine(here)
    assert blockers(report) == set()
    assert {"python-ok", "machine-ok", "home-ok", "disk-ok"} <= ids(report)
    assert not Path(here.home).exists()


# Pythons


@pytest.mark.parametrize(
    ("modules", "expected", "blocks", "text"),
    [
        pytest.param(
            ["_ctypes"],
            "python-ctypes-missing",
            True,
            "No module named '_ctypes'",
            marks=fault("python-ctypes-missing", "a real Python from which _ctypes was taken away"),
        ),
        pytest.param(
            ["_ssl"],
            "python-ssl-missing",
            True,
            "No module named '_ssl'",
            marks=fault("python-ssl-missing", "a real Python from which _ssl was taken away"),
        ),
        pytest.param(
            ["zlib"],
            "python-zlib-missing",
            True,
            "No module named 'zlib'",
            marks=fault("python-zlib-missing", "a real Python from which zlib was taken away"),
        ),
        pytest.param(
            ["_sqlite3"],
            "python-sqlite3-missing",
            False,
            "No module named '_sqlite3'",
            marks=fault("python-sqlite3-missing", "a real Python from which _sqlite3 was taken away"),
        ),
        pytest.param(
            ["_bz2", "_lzma"],
            "python-compression-missing",
            False,
            "No module named '_lzma'",
            marks=fault(
                "python-compression-missing", "a real Python from which _bz2 and _lzma were taken away"
            ),
        ),
        pytest.param(
            ["_multiprocessing"],
            "python-semaphores-missing",
            True,
            "No module named '_multiprocessing'",
            marks=fault("python-semaphores-missing", "a real Python without _multiprocessing"),
        ),
        pytest.param(
            ["json"],
            "python-minimal",
            True,
            "No module named 'json'",
            marks=fault("python-minimal", "a real Python without json, as Debian's python3-minimal"),
        ),
        pytest.param(
            ["_uuid"],
            "python-optional-missing",
            False,
            "_uuid",
            marks=fault("python-optional-missing", "a real Python from which _uuid was taken away"),
        ),
        pytest.param(
            ["readline"],
            "python-optional-missing",
            False,
            "readline",
            marks=fault("python-optional-missing", "a real Python from which readline was taken away"),
        ),
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


@fault("python-broken", "a program named python3 that never answers")
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


@fault("python-broken", "a script, an unknown interpreter and a text file named python3")
@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 0\n", "#!/nowhere/python\n", "no program"])
def test_file_that_is_no_python(here: Needs, tmp_path: Path, content: str) -> None:
    path = tmp_path / "python3"
    path.write_text(content)
    path.chmod(0o755)
    assert blockers(examine(replace(here, interpreter=str(path)))) == {"python-broken"}


@fault("python-broken", "--python with a path where nothing is")
def test_python_that_is_not_there(here: Needs, tmp_path: Path) -> None:
    assert blockers(examine(replace(here, interpreter=str(tmp_path / "none")))) == {"python-broken"}


@fault("python-version", "--python with a real Python of another minor version")
def test_named_python_of_another_minor_version(here: Needs) -> None:
    report = examine(replace(here, python="3.99", interpreter=BASE))
    assert blockers(report) == {"python-version"}
    assert platform.python_version() in found(report, "python-version")


@fault("python-missing", "a bundle for a Python that this machine does not have")
def test_no_python_of_that_version(here: Needs) -> None:
    report = examine(replace(here, python="3.99"))
    assert blockers(report) == {"python-missing"}
    assert f"{BASE} is Python {MINOR}" in found(report, "python-missing")


# the machine


@fault("machine-wrong", "a process whose kernel says i686 (setarch)")
@pytest.mark.skipif(not shutil.which("setarch"), reason="needs setarch")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs a machine with a 32-bit personality")
def test_another_machine(here: Needs) -> None:
    report = examine_apart(here, ["setarch", "i686"])
    assert blockers(report) == {"machine-wrong"}


@fault("libc-too-old", "a wheel for a glibc that does not exist yet")
def test_wheel_for_a_newer_libc(here: Needs) -> None:
    name = f"new-1-cp3-abi3-manylinux_2_99_{here.machine}.whl"
    report = examine(replace(here, libc="glibc", wheels=(*here.wheels, name)))
    assert blockers(report) == {"libc-too-old" if here.libc == "glibc" else "libc-other"}


# disks


@as_root
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param("size=64k", "disk-full", marks=fault("disk-full", "the home on a tmpfs of 64 kB")),
        pytest.param(
            "size=100m,nr_inodes=8",
            "inodes-few",
            marks=fault("inodes-few", "the home on a tmpfs with 8 inodes"),
        ),
        pytest.param(
            "size=100m,ro", "home-read-only", marks=fault("home-read-only", "the home on a read-only mount")
        ),
        pytest.param(
            "size=100m,noexec", "home-noexec", marks=fault("home-noexec", "the home on a noexec mount")
        ),
    ],
)
def test_filesystems(here: Needs, mounted: Callable[[str], Path], options: str, expected: str) -> None:
    point = mounted(options)
    report = examine(replace(here, home=str(point / "a folder" / "airflow")))
    assert blockers(report) == {expected}
    assert str(point) in found(report, expected)


@as_root
@fault("disk-full", "a disk that had room, filled with a file")
def test_disk_that_was_filled(here: Needs, mounted: Callable[[str], Path]) -> None:
    point = mounted("size=40m")
    home = replace(here, home=str(point / "airflow"), room=20_000_000)
    assert "disk-full" not in ids(examine(home))
    (point / "filler").write_bytes(b"x" * 30_000_000)
    assert blockers(examine(home)) == {"disk-full"}


@as_root
@fault("tmp-noexec", "temporary files on a noexec mount")
@fault("tmp-full", "temporary files on a tmpfs of 1 MB")
def test_temporary_files(
    here: Needs, mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    point = mounted("size=1m,noexec")
    monkeypatch.setattr("tempfile.tempdir", str(point))
    report = examine(here)
    assert {"tmp-noexec", "tmp-full"} <= ids(report)
    assert blockers(report) == set()


# the home


@fault(
    "home-path",
    "a home with a colon, %, a line end, a tab, or bytes that are no UTF-8 in its path",
)
@pytest.mark.parametrize("name", ["a:b", "100%", "new\nline", "tab\there", os.fsdecode(b"\xff")])
def test_paths_that_cannot_be_used(here: Needs, tmp_path: Path, name: str) -> None:
    assert blockers(examine(replace(here, home=str(tmp_path / name)))) == {"home-path"}


@pytest.mark.parametrize("name", ["with blank", "한국어 폴더", "x" * 200, "a,b=(c)&d#e@f+g!~"])
def test_paths_that_look_odd_but_work(here: Needs, tmp_path: Path, name: str) -> None:
    report = examine(replace(here, home=str(tmp_path / name)))
    assert blockers(report) == set()
    assert "home-path-unusual" not in ids(report)


@fault("home-not-a-folder", "a file, and a link to nothing, in the home's place and above it")
def test_something_else_in_the_way(here: Needs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "file/airflow", "link", "link/airflow"):
        report = examine(replace(here, home=str(tmp_path / name)))
        assert blockers(report) == {"home-not-a-folder"}, name


@fault("home-foreign", "a home that holds photos")
@fault("airflow-cfg-kept", "a home with an airflow.cfg")
@fault("installation-found", "a home with a receipt")
def test_home_that_is_in_use(here: Needs, tmp_path: Path) -> None:
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


@as_root
@fault("home-not-writable", "an ordinary account and a home below /usr/local")
def test_home_that_is_not_ours(here: Needs) -> None:
    with being(65534):
        report = examine(replace(here, python="3.99", home="/usr/local/airferry-test"))
    assert blockers(report) == {"python-missing", "home-not-writable"}
    assert "/usr/local (mode 0755, owner 0)" in found(report, "home-not-writable")


@as_root
@fault("account-unnamed", "a process of a user id that is in no password file")
def test_account_that_nobody_knows(here: Needs) -> None:
    with being(54321):
        report = examine(replace(here, python="3.99", home="/var/tmp/airferry-test"))
    assert "account-unnamed" in {finding.id for finding in report.blockers}


@as_root
@fault("home-hidden", "a home below a folder of mode 0700")
@fault("python-hidden", "a real Python below a folder of mode 0700")
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


def holding(server: socket.socket) -> set[int]:
    """The processes that have this socket open."""
    wanted = f"socket:[{os.fstat(server.fileno()).st_ino}]"
    pids = set()
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(path.readlink()) == wanted:
                pids.add(int(path.parts[2]))
    return pids


@fault("port-in-use", "a socket that listens on the port that was named")
@fault("port-other", "a socket that listens on the usual port")
def test_port_that_is_really_held(here: Needs) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        number = server.getsockname()[1]
        # bound, but not yet listening: still nobody else can have it
        server.listen(1)
        holders = holding(server)
        report = examine(replace(here, ports=(WantedPort(number, "web server", named=True),)))
        assert blockers(report) == {"port-in-use"}
        said = found(report, "port-in-use")
        # what this process has just forked holds it as well
        assert any(f"(pid {pid})" in said for pid in {os.getpid(), *holders, *holding(server)}), said
        report = examine(replace(here, ports=(WantedPort(number, "web server"),)))
        assert blockers(report) == set()
        assert "port-other" in ids(report)
    assert blockers(examine(replace(here, ports=(WantedPort(number, "web server", named=True),)))) == set()


@fault("port-in-use", "a socket that listens on the port on IPv6 alone")
def test_port_held_on_ipv6_counts(here: Needs) -> None:
    with socket.socket(socket.AF_INET6) as server:
        try:
            server.bind(("::", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        server.listen(1)
        number = server.getsockname()[1]
        assert blockers(examine(replace(here, ports=(WantedPort(number, "web server", named=True),)))) == {
            "port-in-use"
        }


@as_root
@fault("port-privileged", "an ordinary account and port 81")
def test_port_that_an_ordinary_account_may_not_have(here: Needs) -> None:
    setting = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if int(setting.read_text()) <= 81:
        pytest.skip("ports below 1024 are not reserved here")
    wanted = replace(
        here, python="3.99", home="/var/tmp/airferry-test", ports=(WantedPort(81, "web server"),)
    )
    with being(65534):
        report = examine(wanted)
    assert blockers(report) == {"python-missing", "port-privileged"}


# in a world of its own


@as_root
@fault("loopback-down", "a network namespace whose loopback is down")
def test_loopback_that_is_down(here: Needs) -> None:
    assert blockers(examine_apart(here, ["unshare", "-n"])) == {"loopback-down"}


@as_root
@fault("shared-memory-missing", "a /dev/shm of 1 MB, as in a container")
def test_small_shared_memory(here: Needs) -> None:
    script = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
    report = examine_apart(here, ["unshare", "-m", "sh", "-c", script, "sh"])
    assert blockers(report) == {"shared-memory-missing"}


@as_root
@fault("shared-memory-missing", "a /dev/shm that only root may write to")
def test_closed_shared_memory(here: Needs) -> None:
    script = 'mount -t tmpfs -o size=64m,mode=0755 tmpfs /dev/shm && exec "$@"'
    report = examine_apart(replace(here, account="nobody"), ["unshare", "-m", "sh", "-c", script, "sh"])
    assert blockers(report) - {"python-hidden", "home-hidden"} == {"shared-memory-missing"}
    assert "cannot write to" in found(report, "shared-memory-missing")


@as_root
@fault("hostname-slow", "a name server that drops every question, in a namespace")
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
@fault("hostname-unknown", "a host name that nobody knows, in a namespace without a name server")
def test_hostname_that_is_unknown(here: Needs) -> None:
    script = 'ip link set lo up && hostname no-such-name && exec "$@"'
    report = examine_apart(here, ["unshare", "-n", "-u", "sh", "-c", script, "sh"])
    assert blockers(report) == set()
    assert "hostname-unknown" in ids(report)


@as_root
@fault("memory-short", "a memory control group of 200 MB")
def test_memory_that_a_control_group_limits(here: Needs) -> None:
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(memory_group(200_000_000))
        script = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        report = examine_apart(replace(here, memory_least=300_000_000), ["sh", "-c", script, "sh"])
    assert blockers(report) == {"memory-short"}
    assert "limit of the control group" in found(report, "memory-short")


# settings


@fault("airflow-variables", "AIRFLOW__CORE__FERNET_KEY in the environment")
@fault("environment-ignored", "PIP_INDEX_URL in the environment")
@fault("proxy-set", "HTTPS_PROXY in the environment")
@fault("locale-other", "LANG=ko_KR.EUC-KR")
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
    assert "very-secret" not in json.dumps(codec.encode(judgement(report)))


@fault("open-files-low", "ulimit -n 256")
@fault("umask-strict", "umask 077")
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


@fault("clock-behind", "a bundle from the year 2099")
def test_clock_that_is_behind(here: Needs) -> None:
    assert "clock-behind" in ids(examine(replace(here, created="2099-01-01T00:00:00Z")))
