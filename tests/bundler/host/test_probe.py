"""The probe: what it writes is what a bundle's own doctor collects, on every Python from 2.7 on."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from bootstrap.facts import host, saved
from bootstrap.facts.firewall import Firewall
from bootstrap.facts.firewall import collect as collect_firewall
from bootstrap.facts.host import Facts, Request
from bootstrap.facts.processes import Process
from bootstrap.facts.processes import collect as collect_processes
from bundler.host import probe
from tests.bundler.runner import Run
from tests.support import pythons, surroundings
from tests.support.examining import as_root, control_group, memory_group
from wheelhouse import codec

# `here` is collected once, in this very environment: with the home that has the interpreters.
HERE = {**os.environ, "HOME": str(surroundings.pyenv().parent)}

OLDEST_AND_NEWEST = sorted({*pythons.found()[:4], *pythons.found()[-1:]}, key=lambda item: item.version)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe.py").write_text(probe.text(), encoding="utf-8")
    (folder / "probe.sh").write_text(probe.text(shell=True), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    home = tmp_path_factory.mktemp("home") / "new" / "airflow"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in HERE.items():
            environment.setenv(name, value)
        return host.collect(Request(str(home), ports=(8080, 25432), account="nobody"))


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120, env={**HERE, **environment}
    )


# with what runs here meanwhile
CHANGING = {"free_bytes", "free_inodes", "available", "swap", "now", "servers", "running"}


def check(theirs: Any, ours: Any, where: str) -> None:
    """All that the probe has collected is what the doctor's own collectors found, which look at more."""
    if isinstance(theirs, dict):
        for key in theirs.keys() - CHANGING:
            check(theirs[key], ours[key], f"{where}.{key}")
    elif isinstance(theirs, list) and theirs and isinstance(theirs[0], dict):
        assert len(theirs) == len(ours), where
        for index, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            check(one, other, f"{where}[{index}]")
    else:
        assert theirs == ours, where


def interpreters(facts: Any) -> dict[str, Any]:
    """The interpreters by their files; where each was found depends on which of them runs the probe."""
    shown = [
        {key: item[key] for key in item if key not in ("path", "origin", "executable")}
        for item in facts["pythons"]
    ]
    return {item["resolved"]: item for item in shown}


@pytest.mark.parametrize("python", OLDEST_AND_NEWEST, ids=lambda item: item.minor)
def test_facts_are_those_of_a_bundle(
    python: pythons.Python, programs: Path, here: Facts, tmp_path: Path
) -> None:
    path, home = tmp_path / "host.json", here.request.home
    run(str(python.path), programs / "probe.py", "-o", path, "--home", home, "--account", "nobody")
    assert saved.load(path).failures == ()
    found, ours = json.loads(path.read_text()), codec.encode(here)
    theirs, known = interpreters(found), interpreters(ours)
    assert len(theirs.keys() & known.keys()) >= len(known) - 1
    for resolved in theirs.keys() & known.keys():
        check(theirs[resolved], known[resolved], resolved)
    parts = {"request", "libc", "distribution", "home", "tmp", "resources", "account", "security", "ports",
             "environment", "region", "postgres", "services", "network", "airflows", "firewall"}  # fmt: skip
    assert set(found) == {"schema", "airferry", "pythons", "failures", *parts}
    for name in parts:
        check(found[name], ours[name], name)


def test_a_held_port_is_seen_without_opening_one(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        number = server.getsockname()[1]
        program = tmp_path / "probe.py"
        program.write_text(probe.text().replace("PORTS = (8080,", f"PORTS = ({number},"), encoding="utf-8")
        text = run("python3", program, "-o", "-").stdout
    ports = {port["number"]: port for port in json.loads(text)["ports"]}
    assert ports[number]["state"] == "held"
    assert ports[number]["user"]


ZONE = '<zone><!-- <port port="1"/> --><port port="8000-8099" protocol="tcp"/><service name="https"/></zone>'
RULE = "### tuple ### allow tcp 22,8000:8099 0.0.0.0/0 any 0.0.0.0/0 in"


@pytest.mark.parametrize(
    ("firewall", "expected"),
    [
        (
            {"firewalld/firewalld.conf": "DefaultZone=office", "firewalld/zones/office.xml": ZONE,
             "firewalld/services/https.xml": '<service><port protocol="tcp" port="443"/></service>'},
            Firewall("firewalld", "office", ports=("8000-8099", "443")),
        ),
        ({}, Firewall("firewalld")),
        (
            {"firewalld/firewalld.conf": "", "firewalld/zones/public.xml": '<zone target="ACCEPT"></zone>'},
            Firewall("firewalld", "public", closed=False, ports=()),
        ),
        (
            {"ufw/ufw.conf": "ENABLED=yes", "ufw/user.rules": RULE},
            Firewall("ufw", ports=("22", "8000-8099")),
        ),
        (
            {"ufw/ufw.conf": "ENABLED=yes", "default/ufw": 'DEFAULT_INPUT_POLICY="ACCEPT"'},
            Firewall("ufw", closed=False),
        ),
    ],
)  # fmt: skip
def test_firewall_is_read_as_a_bundle_reads_it(
    firewall: dict[str, str], expected: Firewall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe on a root of its own, with firewalld among the processes unless ufw is there."""
    etc = tmp_path / "etc"
    for name, content in firewall.items():
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text(content)
    daemon = not (etc / "ufw").exists()
    text = probe.text().replace('"/etc/', f'"{etc}/').replace('"/usr/lib/firewalld', f'"{tmp_path}/none')
    spoken: dict[str, Any] = {"__name__": "probe"}
    exec(compile(text, "probe.py", "exec"), spoken)
    spoken["processes"] = lambda kind: [{"kind": kind}] if daemon else []
    assert codec.decode(Firewall, spoken["firewall"]()) == expected
    monkeypatch.setattr(
        "bootstrap.facts.firewall.processes", lambda: (Process("firewalld", 1, "root"),) if daemon else ()
    )
    assert collect_firewall(tmp_path) == expected


@pytest.fixture
def pretenders(tmp_path: Path) -> Iterator[set[int]]:
    """A PostgreSQL and a scheduler by what they were started with; they only sleep."""
    sleep = ["-c", "sleep 60; :"]
    commands = (["postgres", *sleep, "-D", "/srv/data"], ["sh", *sleep, "/srv/bin/airflow", "scheduler"])
    children = [
        subprocess.Popen(
            command, executable="/bin/sh", start_new_session=True, env={**HERE, "AIRFLOW_HOME": str(tmp_path)}
        )
        for command in commands
    ]
    try:
        yield {child.pid for child in children}
    finally:
        for child in children:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def test_running_servers_are_seen(programs: Path, pretenders: set[int]) -> None:
    facts = json.loads(run("python3", programs / "probe.py", "-o", "-").stdout)
    listed = [*facts["postgres"]["servers"], *facts["airflows"]["running"]]
    theirs = {item["pid"]: codec.decode(Process, item) for item in listed if item["pid"] in pretenders}
    assert theirs == {item.pid: item for item in collect_processes() if item.pid in pretenders}
    assert len(theirs) == 2


@as_root
@pytest.mark.parametrize(
    ("group_of", "limit", "fact"),
    [
        (lambda limit: control_group("pids", "pids.max", limit), 64, "group_processes"),
        (memory_group, 500 << 20, "memory_limit"),
    ],
)
def test_limits_of_a_control_group_are_seen(
    programs: Path, group_of: Callable[[int], AbstractContextManager[Path]], limit: int, fact: str
) -> None:
    with group_of(limit) as group:
        script = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        said = run("sh", "-c", script, "sh", "python3", programs / "probe.py", "-o", "-").stdout
    assert json.loads(said)["resources"][fact] == limit


def test_names_are_left_out_when_asked(programs: Path) -> None:
    name = os.uname().nodename
    command = ("python3", programs / "probe.py", "-o", "-", "--home", f"/srv/{name}/airflow")
    assert f"/srv/{name}/airflow" in run(*command).stdout
    assert json.loads(run(*command, "--redact").stdout)["request"]["home"] == "/srv/HOST/airflow"


def test_a_korean_locale_and_no_home(programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "폴더"
    folder.mkdir()
    command = ("python3", programs / "probe.py", "-o", folder / "host.json", "--home", folder)
    run(*command, LC_ALL="ko_KR.EUC-KR", HOME="")
    found = saved.load(folder / "host.json")
    assert found.region is not None
    assert found.region.charset == "euc_kr"
    assert found.home is not None
    assert found.home.path == str(folder)
    assert found.home.entries == ()


def test_nothing_else_is_written(programs: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**HERE, "HOME": str(scratch), "TMPDIR": str(scratch)}
    command = ["python3", str(programs / "probe.py"), "-o", "-"]
    subprocess.run(command, check=True, capture_output=True, cwd=scratch, env=environment)
    assert list(scratch.iterdir()) == []


def test_it_is_printed_whole_in_80_columns(run: Run) -> None:
    for option, text in (((), probe.text()), (("--sh",), probe.text(shell=True))):
        status, out, err = run("probe", *option)
        assert (status, out, err) == (0, text, "")
        assert [line for line in text.splitlines() if len(line) > 80] == []
        assert "@" not in text.replace("$@", "").replace('"@"', "")


def test_it_has_the_syntax_of_3_4() -> None:
    ast.parse(probe.text(), feature_version=(3, 4))
    assert not [node for node in ast.walk(ast.parse(probe.text())) if isinstance(node, ast.JoinedStr)]


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_without_python_the_basics_are_the_same(shell: str, programs: Path, here: Facts) -> None:
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"{shell} is not installed")
    command: list[str | Path] = [program, *(["sh"] if shell == "busybox" else []), programs / "probe.sh"]
    text = run(*command, here.request.home, TMPDIR="/tmp").stdout
    found, ours = codec.loads(Facts, text), codec.encode(here)
    for name in ("libc", "distribution", "home", "resources"):
        check(json.loads(text)[name], ours[name], name)
    system = os.path.realpath("/usr/bin/python3")
    assert system in {item.resolved for item in found.pythons or ()}


def test_shellcheck_has_nothing_to_say(programs: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    run("shellcheck", programs / "probe.sh")
