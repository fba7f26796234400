"""Nothing but loopback and the database is tried during install, migration, runs, backfill, start and stop.

The host has a default route and a name server, both leading to us (``watch.py``), knows no name but
localhost, and its environment is full of proxies and package indexes. Whatever leaves it is an attempt.
There is one, and it is wanted: the installer's own look at the host asks the C library once for the host's
name, which becomes a question to the name server only where /etc/hosts does not have it (as here).

The newest release is watched in CI; ``AIRFERRY_FULL=1 make e2e TESTS=tests/e2e/test_outbound.py`` watches
2.2.2 (the oldest) and 2.10.4 (usage data collection, which airferry switches off) as well, 2 to 5 minutes
each. Needs root and a TUN interface; the whole module is skipped, with the reason, where they are missing.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.airflow.differences import NEWEST
from tests.e2e.hosts import Host, hostile, wait_until
from tests.e2e.matrix import Unavailable, backfill, host_for, make_bundle
from tests.e2e.watch import NAME, Attempt, WatchedNamespace, parse
from tests.support.index import index_problem

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

IPV6 = Path("/proc/sys/net/ipv6").exists()
TELEMETRY = "2.10.4"
RELEASES = {NEWEST: "", "2.2.2": "3.8", TELEMETRY: "3.11"}  # the Python; "": that of the other e2e tests
# A look at the pages from this host; the status does not matter here, only what it sets off.
LOOK = """
import sys, urllib.error, urllib.request
for path in ("", "home", "login/", "auth/login", "health", "api/v2/version", "api/v1/version", "docs"):
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"http://127.0.0.1:{sys.argv[1]}/{path}", timeout=60).read()
    except urllib.error.HTTPError:
        pass
"""


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[WatchedNamespace]:
    """A way out that is watched, for a host that knows its own name when the parameter says so."""
    if os.geteuid() != 0:
        pytest.skip("not root: a way out that is watched cannot be made")
    made = WatchedNamespace(knows_itself=getattr(request, "param", False))
    if made.problem:
        pytest.skip(f"this machine allows no way out that is watched: {made.problem}")
    yield made
    made.close()


def is_look_at_the_host(attempt: Attempt, bundle: Path) -> bool:
    """Whether it is the installer's question for the host's own name, which no part of Airflow may ask."""
    return (attempt.port, attempt.name) == (53, NAME) and str(bundle) in attempt.process


@pytest.fixture
def folder(scratch: Path) -> Iterator[Path]:
    """Where one watched host keeps its files."""
    made = scratch / "watched"
    made.mkdir()
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("airflow", RELEASES)
def test_nothing_outside_is_tried(
    airflow: str, scratch: Path, folder: Path, minor: str, watched: WatchedNamespace
) -> None:
    if airflow != NEWEST and not os.environ.get("AIRFERRY_FULL"):
        pytest.skip("only with AIRFERRY_FULL=1")
    if index_problem():
        pytest.skip(index_problem())
    minor = RELEASES[airflow] or minor
    try:
        host = host_for(minor, folder, watched)
    except Unavailable as reason:
        pytest.skip(str(reason))
    host.environment = {**hostile(), **host.environment}
    bundle = make_bundle(airflow, minor, scratch)
    home = host.folder / "airflow"
    airferry = home / "bin" / "airferry"
    tried: dict[str, list[Attempt]] = {}

    def done(phase: str) -> None:
        known = [attempt for attempts in tried.values() for attempt in attempts]
        tried[phase] = [attempt for attempt in watched.attempts() if attempt not in known]

    try:
        receipt = host.json("sh", bundle, "install", "--home", home, "--python", host.python, "--json")
        done("install")
        assert host.run(airferry, "status").returncode == 0
        assert host.run(host.python, "-c", LOOK, str(receipt["receipt"]["web_port"])).returncode == 0
        done("pages and status")
        backfill(host, home, airflow)
        done("backfill")
        for action in ("stop", "start", "status", "stop"):
            assert host.run(airferry, action).returncode == 0
        done("stop and start")
        if airflow == TELEMETRY:
            assert_telemetry_would_be_seen(host, home, watched)
    finally:
        host.run("sh", airferry, "stop")
    tried["install"] = [item for item in tried["install"] if not is_look_at_the_host(item, bundle)]
    assert {phase: [str(attempt) for attempt in found] for phase, found in tried.items() if found} == {}
    assert host.processes(home) == []


def assert_telemetry_would_be_seen(host: Host, home: Path, watched: WatchedNamespace) -> None:
    """The control: with its default, this release calls home within seconds of its start."""
    config = home / "airflow.cfg"
    text = config.read_text()
    section = text.index("[usage_data_collection]")
    config.write_text(text[:section] + text[section:].replace("\nenabled = False", "\nenabled = True", 1))
    started = time.monotonic()
    assert host.run(home / "bin" / "airferry", "start").returncode == 0
    wait_until(
        "a question for the address of the telemetry",
        lambda: any("scarf" in attempt.name for attempt in watched.attempts()),
        120,
    )
    print(f"telemetry after {time.monotonic() - started:.1f} s: {[str(a) for a in watched.attempts()]}")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "socket.create_connection(('192.0.2.99', 443), 1)",
            Attempt("tcp", "192.0.2.99", 443),
        ),
        (
            "s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'x', ('192.0.2.99', 8125)); time.sleep(1)",
            Attempt("udp", "192.0.2.99", 8125),
        ),
        (
            "socket.getaddrinfo('telemetry.example', 443)",
            Attempt("udp", "192.0.2.53", 53, "telemetry.example"),
        ),
        (
            "socket.getfqdn(); socket.gethostbyname(socket.gethostname())",
            Attempt("udp", "192.0.2.53", 53, NAME),
        ),
        (
            "socket.create_connection(('2001:db8:1::99', 443), 1)",
            Attempt("tcp", "2001:db8:1::99", 443),
        ),
    ],
)
def test_the_watch_sees_attempts(
    code: str, expected: Attempt, folder: Path, minor: str, watched: WatchedNamespace
) -> None:
    """The control of the test above, from an account as ordinary as there."""
    if ":" in expected.address and not IPV6:
        pytest.skip("no IPv6 on this machine")
    host = host_for(minor, folder, watched)
    assert watched.attempts() == []
    host.run(host.python, "-c", f"import socket, time; {code}")
    found = watched.attempts()
    assert {(item.protocol, item.address, item.port, item.name) for item in found} == {
        (expected.protocol, expected.address, expected.port, expected.name)
    }
    assert host.python in found[0].process


@pytest.mark.parametrize(
    ("watched", "asked"),
    [pytest.param(True, [], id="known"), pytest.param(False, [True], id="unknown")],
    indirect=["watched"],
)
def test_a_look_at_the_host_asks_for_nothing_but_its_name(
    watched: WatchedNamespace, asked: list[bool], scratch: Path, folder: Path, minor: str
) -> None:
    """And that only where /etc/hosts lacks it."""
    if index_problem():
        pytest.skip(index_problem())
    bundle = make_bundle(NEWEST, minor, scratch)
    host = host_for(minor, folder, watched)
    host.environment = {**hostile(), **host.environment}
    home = host.folder / "airflow"
    ran = host.run("sh", bundle, "install", "--dry-run", "--home", home, "--python", host.python)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [is_look_at_the_host(item, bundle) for item in watched.attempts()] == asked


def test_loopback_is_no_attempt(folder: Path, minor: str, watched: WatchedNamespace) -> None:
    """Nor are localhost and the host's own address."""
    host = host_for(minor, folder, watched)
    code = (
        "import socket, sys\n"
        "for address in sys.argv[1:]:\n"
        "    family = socket.AF_INET6 if ':' in address else socket.AF_INET\n"
        "    with socket.create_server((address, 0), family=family) as server:\n"
        "        socket.create_connection(server.getsockname()[:2], 5).close()\n"
    )
    own = ["localhost", "127.0.0.1", "192.0.2.2", *(["::1"] if IPV6 else [])]
    ran = host.run(host.python, "-c", code, *own)
    assert ran.returncode == 0, ran.stderr
    assert watched.attempts() == []


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(bytes.fromhex("46c00020000040000102") + bytes(22), id="IGMP"),
        pytest.param(bytes.fromhex("600000000024 0001".replace(" ", "")) + bytes(32) + bytes.fromhex(
            "3a00050200000000 8f00".replace(" ", "")) + bytes(26), id="MLD"),
        pytest.param(bytes.fromhex("6000000000083aff") + bytes(32) + b"\x85" + bytes(7), id="router"),
    ],
)  # fmt: skip
def test_the_kernels_own_discovery_is_no_attempt(packet: bytes) -> None:
    assert parse(packet) is None
