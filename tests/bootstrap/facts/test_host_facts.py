"""All collectors together, and each of the small ones on files made for it."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bootstrap.facts import (
    access,
    account,
    disk,
    distribution,
    environment,
    host,
    libc,
    network,
    ports,
    postgres,
    region,
    resources,
    security,
    services,
)
from bootstrap.facts.host import Facts, Request, collect
from wheelhouse import codec


def test_facts_of_this_host_survive_a_round_trip(tmp_path: Path) -> None:
    request = Request(str(tmp_path), "3.99", None, (1, 65535), "nobody")
    facts = collect(request)
    assert facts.failures == ()
    assert facts.request == request
    # no server was asked for, and no airflow.cfg is there
    assert [name for name in Facts.__dataclass_fields__ if getattr(facts, name) is None] == [
        "server",
        "airflow_cfg",
    ]
    text = codec.dumps(facts)
    assert codec.loads(Facts, text) == facts


def test_nothing_is_changed(tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir()), tmp_path.stat().st_mtime_ns
    collect(Request(str(tmp_path), "3.99"))
    collect(Request(str(tmp_path / "new" / "home"), "3.99"))
    assert (sorted(tmp_path.iterdir()), tmp_path.stat().st_mtime_ns) == before


def test_collectors_that_fail_or_hang_are_facts_too() -> None:
    def fail() -> None:
        raise PermissionError("no")

    started = time.monotonic()
    found, failures = host.run({"a": lambda: 1, "b": fail, "c": lambda: time.sleep(30)}, 0.3)
    assert time.monotonic() - started < 5
    assert found == {"a": 1}
    assert [(item.name, item.error) for item in failures] == [
        ("b", "PermissionError: no"),
        ("c", "no answer within 0.3 s"),
    ]


def test_a_failing_collector_leaves_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr(distribution, "collect", broken)
    facts = collect(Request(str(tmp_path), "3.99"))
    assert facts.distribution is None
    assert facts.libc is not None
    assert [failure.name for failure in facts.failures] == ["distribution"]
    assert codec.loads(Facts, codec.dumps(facts)) == facts


# disk


def test_place_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("")
    place = disk.collect(str(tmp_path), entries=True)
    room = os.statvfs(tmp_path)
    assert (place.kind, place.base, place.problem) == ("folder", str(tmp_path), "")
    assert place.entries == ("a", "b")
    assert place.total_bytes == room.f_blocks * room.f_frsize
    assert 0 < place.free_bytes <= place.total_bytes
    assert place.writable
    assert place.uid == os.getuid()
    assert disk.collect(str(tmp_path)).entries == ()


def test_long_folders_still_tell_whose_they_are(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"dag{number:03}.py").write_text("")
    (tmp_path / "receipt.json").write_text("")
    entries = disk.collect(str(tmp_path), entries=True).entries
    assert len(entries) == 41
    assert entries[-1] == "receipt.json"


def test_place_that_is_to_be_made(tmp_path: Path) -> None:
    place = disk.collect(str(tmp_path / "a" / "b" / ".." / "c"))
    assert (place.path, place.kind, place.base) == (str(tmp_path / "a" / "c"), "", str(tmp_path))


def test_place_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    place = disk.collect(str(tmp_path / "link" / "new"))
    assert (place.base, place.real) == (str(tmp_path / "link"), os.path.realpath(tmp_path / "real"))


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("file", "file", "is not a folder"),
        ("file/below", "", "is not a folder"),
        ("dangling", "other", "is a broken link"),
        ("dangling/below", "", "is a broken link"),
        ("pipe", "other", "is not a folder"),
        ("x" * 300, "", "File name too long"),
    ],
)
def test_place_that_something_else_takes(tmp_path: Path, name: str, kind: str, problem: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    place = disk.collect(str(tmp_path / name))
    assert place.kind == kind
    assert problem in place.problem
    assert place.base == str(tmp_path)


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert disk.collect("~/airflow").path == str(tmp_path / "airflow")


def test_the_mount_is_named() -> None:
    place = disk.collect("/proc/self/fd")
    assert (place.filesystem, place.mount) == ("proc", "/proc")


def test_gates_are_what_others_cannot_pass(tmp_path: Path) -> None:
    inner = tmp_path / "open" / "closed" / "inner"
    inner.mkdir(parents=True)
    for folder, mode in ((tmp_path / "open", 0o711), (inner.parent, 0o750), (inner, 0o755)):
        folder.chmod(mode)
    (inner / "file").write_text("")
    (inner / "file").chmod(0o640)
    below = [
        gate for gate in access.gates(str(inner / "file")) if gate.path.startswith(str(tmp_path / "open"))
    ]
    assert [(gate.path, gate.mode) for gate in below] == [
        (str(inner.parent), 0o750),
        (str(inner / "file"), 0o640),
    ]
    assert below[0].uid == os.getuid()


# ports


def test_ports_once_each_in_order() -> None:
    assert [port.number for port in ports.collect([2, 1, 2])] == [1, 2]


def test_a_listening_socket_holds_its_port() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        number = server.getsockname()[1]
        (port,) = ports.collect([number])
        assert (port.state, port.loopback) == ("held", False)
        assert f"(pid {os.getpid()})" in port.process
        assert port.user == account.collect().me.name
    assert ports.collect([number])[0].state == "free"


def test_a_port_is_free_again_right_after_a_connection() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        number = server.getsockname()[1]
        client.connect(("127.0.0.1", number))
        accepted, _ = server.accept()
        accepted.close()  # the server closes first: TIME_WAIT is on its side
    assert ports.collect([number])[0].state == "free"


def test_a_number_that_is_no_port() -> None:
    assert ports.collect([70000])[0].state == "unknown"


# the rest


def test_libc_of_this_host() -> None:
    found = libc.collect()
    assert found.machine == os.uname().machine
    assert found.name in ("glibc", "musl")
    assert found.numbers >= (1, 0)


MUSL = """#!/bin/sh
echo 'musl libc (x86_64)
Version 1.2.5
Dynamic Program Loader
Usage: ld-musl-x86_64.so.1 [options] [--] pathname [args]' >&2
exit 1
"""


def test_musl_says_its_version_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(name: str) -> str:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", unknown)
    loader = tmp_path / "ld-musl-x86_64.so.1"
    loader.write_text(MUSL)
    loader.chmod(0o755)
    found = libc.collect((str(tmp_path / "none"), str(tmp_path)))
    assert (found.name, found.version, found.numbers) == ("musl", "1.2.5", (1, 2))
    assert libc.collect(()).numbers == (0, 0)


def test_os_release_is_read_as_the_shell_would(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text(
        '# comment\nNAME=\'Rocky Linux\'\nID="rocky"\nID_LIKE="rhel centos fedora"\n'
        'VERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n\nBROKEN\n'
    )
    found = distribution.collect((str(tmp_path / "none"), str(release)))
    assert (found.id, found.version) == ("rocky", "9.4")
    assert found.like == ("rhel", "centos", "fedora")
    assert found.name == "Rocky Linux 9.4 (Blue Onyx)"
    assert distribution.collect(()).id == ""


def test_resources_of_this_host() -> None:
    found = resources.collect()
    assert found.memory > found.available > 0
    assert 0 < found.usable_memory <= found.memory
    assert 1 <= found.usable_cpus <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("limit", "cpus", "expected"),
    [(None, None, (100, 4)), (50, 1.5, (50, 2)), (200, 0.1, (100, 1)), (1, 9.0, (1, 4))],
)
def test_limits_count_when_they_are_lower(
    limit: int | None, cpus: float | None, expected: tuple[int, int]
) -> None:
    found = resources.Resources(100, 50, 0, 4, limit, cpus)
    assert (found.usable_memory, found.usable_cpus) == expected


def test_account_that_asks_and_another() -> None:
    found = account.collect("root")
    assert found.me.uid == os.geteuid()
    assert found.service is not None
    assert (found.service.name, found.service.uid) == ("root", 0)
    assert account.collect("no-such-account").service is None
    assert account.collect().service is None


def test_umask_is_read_without_changing_it() -> None:
    before = os.umask(0o031)
    try:
        assert account.collect().umask == 0o031
        assert os.umask(0o031) == 0o031
    finally:
        os.umask(before)


def test_services_and_security_answer() -> None:
    assert services.collect().init == Path("/proc/1/comm").read_text().strip()
    assert services.collect().systemd == Path("/run/systemd/system").is_dir()
    assert security.collect().selinux in ("", "enforcing", "permissive")


def test_proxies_are_names_only() -> None:
    found = network.collect({"http_proxy": "http://u:secret@p:1", "HTTPS_PROXY": "x", "all_proxy": ""})
    assert found.proxies == ("HTTPS_PROXY", "http_proxy")
    assert "secret" not in codec.dumps(found)


@pytest.mark.parametrize(
    ("value", "local"),
    [
        ("", False),
        ("localhost", False),
        ("127.0.0.1,localhost", True),
        ("a, LOCALHOST , 127.0.0.1", True),
        ("*", True),
    ],
)
def test_no_proxy_for_this_host(value: str, local: bool) -> None:
    assert network.collect({"NO_PROXY": value}).no_proxy_local is local


def test_lookups_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(name: str, *_: Any, **__: Any) -> Any:
        if name == "localhost":
            return [(2, 1, 6, "", ("127.0.0.1", 0))]
        time.sleep(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    found = network.collect({}, seconds=0.2)
    assert time.monotonic() - started < 5
    assert found.own.timed_out
    assert found.own.error == "no answer within 0.2 s"
    assert found.localhost.addresses == ("127.0.0.1",)


def test_names_that_matter_and_no_others(tmp_path: Path) -> None:
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text("[global]\nindex-url = https://secret\n")
    names = ("PIP_X", "UV_X", "PYTHONPATH", "AIRFLOW__CORE__X", "AIRFLOW_HOME", "PGPASSWORD", "LD_PRELOAD")
    found = environment.collect(
        {**dict.fromkeys(names, "secret"), "HOME": str(tmp_path), "PGX": "", "EDITOR": "vi", "PATH": "/bin"}
    )
    assert found.names == tuple(sorted(names))
    assert str(tmp_path / ".pip" / "pip.conf") in found.files
    assert "secret" not in codec.dumps(found)


def test_region_of_given_variables() -> None:
    found = region.collect({"LANG": "ko_KR.EUC-KR", "TZ": ":Asia/Seoul", "HOME": "/h"})
    assert found.locale == {"LANG": "ko_KR.EUC-KR"}
    assert (found.charset, found.zone) == ("euc_kr", "Asia/Seoul")
    assert found.now.endswith("Z")
    assert region.collect({"TZ": "/usr/share/zoneinfo/Europe/Berlin"}).zone == "Europe/Berlin"


def test_postgres_programs_by_folder(tmp_path: Path) -> None:
    for name in ("pgsql-15/bin/initdb", "pgsql-15/bin/postgres", "pgsql-9.6/bin/psql", "other/bin/pg_config"):
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("")
        program.chmod(0o755)
    found = postgres.collect(
        (f"{tmp_path}/pgsql-*/bin", f"{tmp_path}/other/bin"), path=str(tmp_path / "pgsql-15/bin")
    )
    assert [(item.version, item.programs) for item in found.installed] == [
        ("15", ("initdb", "postgres")),
        ("9.6", ("psql",)),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="Unix sockets of a server")
def test_postgres_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "SOCKETS", (str(tmp_path), str(tmp_path / "none")))
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (tmp_path / name).write_text("")
    assert postgres.collect(()).sockets == (os.path.realpath(tmp_path / ".s.PGSQL.5432"),)
