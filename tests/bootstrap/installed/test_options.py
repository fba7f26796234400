"""What is chosen for an install: the option, else the earlier choice, else what suits the host."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow.executor import LOCAL
from bootstrap.facts import resources
from bootstrap.facts.resources import Resources
from bootstrap.installed import options as choosing
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.state import receipt
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from tests.support import receipts
from wheelhouse.reader import Bundle

TASK_LOGS, TRIGGER_LOGS = LOCAL.log_servers


@contextlib.contextmanager
def listening(address: str = "127.0.0.1", port: int = 0, family: int = socket.AF_INET) -> Iterator[int]:
    """Another server; gives its port."""
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "airflow")


def choose(options: Options, tiny_bundle: Path) -> Receipt:
    with Bundle.open(tiny_bundle) as bundle:
        return choosing.choose(options, bundle)


def earlier(home: Home, **changes: object) -> Receipt:
    """Leave the receipt of an earlier install in `home`."""
    value = replace(receipts.sample(home.path), **{"removed": "", **changes})  # type: ignore[arg-type]
    home.path.mkdir()
    receipt.save(home.receipt, value)
    return value


def test_a_home_that_was_uninstalled_takes_its_choices_up_but_no_port_of_another(
    home: Home, tiny_bundle: Path
) -> None:
    with listening("0.0.0.0") as taken, listening("127.0.0.1") as held:
        value = replace(
            receipts.sample(home.path), web_port=taken, removed="2026-11-01T12:00:00Z", completed=""
        )
        value = replace(value, database=replace(value.database, port=held))
        earlier(home, web_port=taken, database=value.database, removed=value.removed, completed="")
        chosen = choose(Options(home), tiny_bundle)
        assert choosing.is_free(chosen.web_port)
        assert chosen.web_port > taken
        assert chosen.database.port != held
    assert (chosen.parallelism, chosen.admin_user) == (value.parallelism, value.admin_user)
    assert (chosen.removed, chosen.completed, chosen.previous) == ("", "", "")


def test_fresh_host(home: Home, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    chosen = choose(Options(home), tiny_bundle)
    with Bundle.open(tiny_bundle) as bundle:
        assert chosen.bundle_id == bundle.manifest.bundle_id
        assert (chosen.bundle_sha256, chosen.bundle_seal) == ("", bundle.seal.sha256)
    assert chosen.airflow == "3.3.2"
    assert chosen.home == str(home.path)
    assert chosen.database.server == "18.6"
    assert chosen.admin_user == "admin"
    assert chosen.completed == ""
    assert not home.path.exists()
    ports = [chosen.web_port, chosen.log_port, chosen.trigger_log_port, chosen.database.port]
    assert len(set(ports)) == 4
    assert all(map(choosing.is_free, ports))


def test_every_option_counts(home: Home, tiny_bundle: Path) -> None:
    options = Options(
        home,
        python="/opt/py/bin/python3",
        account="svc",
        host="10.0.0.1",
        port=9090,
        postgres_port=6543,
        parallelism=7,
        admin_user="boss",
    )
    chosen = choose(options, tiny_bundle)
    assert chosen.python == "/opt/py/bin/python3"
    assert chosen.account == "svc"
    assert (chosen.web_host, chosen.web_port, chosen.database.port) == ("10.0.0.1", 9090, 6543)
    assert (chosen.parallelism, chosen.admin_user) == (7, "boss")


def test_earlier_choice_stays(home: Home, tiny_bundle: Path) -> None:
    before = earlier(home, web_port=18080, parallelism=3, admin_user="kim", web_host="10.1.1.1")
    chosen = choose(Options(home), tiny_bundle)
    for name in ("web_port", "log_port", "trigger_log_port", "web_host", "parallelism", "admin_user"):
        assert getattr(chosen, name) == getattr(before, name), name
    assert chosen.database == before.database
    assert chosen.account == before.account
    assert chosen.started == before.started


def test_option_wins_over_the_earlier_choice(home: Home, tiny_bundle: Path) -> None:
    earlier(home, web_port=18080, admin_user="kim")
    chosen = choose(Options(home, port=28080, admin_user="lee"), tiny_bundle)
    assert (chosen.web_port, chosen.admin_user) == (28080, "lee")


def test_same_bundle_stays_completed_on_its_interpreter(home: Home, tiny_bundle: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle:
        before = earlier(home, bundle_id=bundle.manifest.bundle_id)
    chosen = choose(Options(home), tiny_bundle)
    assert (chosen.python, chosen.completed) == (before.python, before.completed)


def test_another_bundle_is_not_completed_and_looks_for_its_interpreter(home: Home, tiny_bundle: Path) -> None:
    earlier(home)
    chosen = choose(Options(home), tiny_bundle)
    assert (chosen.python, chosen.completed) == ("", "")


# ports


def test_port_in_use_is_passed_over(home: Home, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as port:
        monkeypatch.setattr(choosing, "WEB_PORT", port)
        assert choose(Options(home), tiny_bundle).web_port > port


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_server_on_any_address_occupies_a_port(address: str) -> None:
    with listening(address) as port:
        assert not choosing.is_free(port)
    assert choosing.is_free(port)


def test_server_on_ipv6_for_all_occupies_a_port() -> None:
    try:
        with listening("::", family=socket.AF_INET6) as port:
            assert not choosing.is_free(port)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


def test_named_port_is_taken_by_nothing_else(home: Home, tiny_bundle: Path) -> None:
    chosen = choose(Options(home, port=choosing.POSTGRES_PORT), tiny_bundle)
    assert chosen.database.port != choosing.POSTGRES_PORT
    chosen = choose(Options(home, postgres_port=TASK_LOGS.usual), tiny_bundle)
    assert chosen.log_port != TASK_LOGS.usual
    chosen = choose(Options(home, port=TRIGGER_LOGS.usual), tiny_bundle)
    assert chosen.trigger_log_port != TRIGGER_LOGS.usual


def test_one_port_for_two_servers_is_refused(home: Home, tiny_bundle: Path) -> None:
    with pytest.raises(InvalidOption, match="9090") as caught:
        choose(Options(home, port=9090, postgres_port=9090), tiny_bundle)
    assert caught.value.exit_code == 2


def test_named_port_that_an_earlier_choice_holds_is_refused(home: Home, tiny_bundle: Path) -> None:
    earlier(home)
    with pytest.raises(InvalidOption, match="25432"):
        choose(Options(home, port=25432), tiny_bundle)


def test_no_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidOption, match="No free TCP port between 9000 and 9199"):
        choosing.free_port(9000, set(range(9000, 9200)))


# the interpreter


def test_interpreter_named_like_a_command_is_looked_up(
    home: Home, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "python3.99"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert choose(Options(home, python="python3.99"), tiny_bundle).python == str(program)


@pytest.mark.parametrize(
    ("named", "expected"), [("./py", "{cwd}/py"), ("~/py", "{home}/py"), ("/opt/py", "/opt/py")]
)
def test_interpreter_named_by_a_path(
    home: Home, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/x")
    chosen = choose(Options(home, python=named), tiny_bundle)
    assert chosen.python == expected.format(cwd=tmp_path, home="/home/x")


# the host


def test_account_is_the_caller_or_a_system_account_for_root(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Options(home).account_name == "airflow"
    assert Options(home, account="svc").account_name == "svc"
    monkeypatch.setattr(os, "geteuid", lambda: 61234)
    assert Options(home).account_name == "61234"


@pytest.mark.parametrize(
    ("gigabytes", "cores", "limits", "expected"),
    [
        (0.25, 1, {}, 2), (1, 2, {}, 4), (1, 64, {}, 5), (16, 2, {}, 4), (16, 8, {}, 16),
        (1000, 128, {}, 32), (2, 1, {}, 2),
        (64, 16, {"memory_limit": 1 << 30}, 5), (64, 16, {"cpu_limit": 1.5}, 4),
    ],
)  # fmt: skip
def test_parallelism_by_memory_and_cores_and_the_control_group(
    home: Home,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    gigabytes: float,
    cores: int,
    limits: dict[str, Any],
    expected: int,
) -> None:
    here = Resources(int(gigabytes * 2**30), 0, 0, cores, **limits)
    monkeypatch.setattr(resources, "collect", lambda: here)
    assert choose(Options(home), tiny_bundle).parallelism == expected
