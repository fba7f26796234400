"""The whole report: on saved hosts, as text of 80 columns, as JSON, and what it is made from."""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Optional

import pytest

from bootstrap.base.console import Console
from bootstrap.commands import bundled
from bootstrap.commands.doctor_results import judgement
from bootstrap.doctor import preflight, remedies
from bootstrap.doctor.catalogue import UnknownFinding
from bootstrap.doctor.checks.storage import DISK_OK
from bootstrap.doctor.explain import render_entry
from bootstrap.doctor.finding import Report, ordered
from bootstrap.doctor.needs import Needs, WantedPort, needs_of
from bootstrap.doctor.render import render
from bootstrap.doctor.run import describe, diagnose
from bootstrap.doctor.severity import SEVERITIES
from bootstrap.facts.distribution import Distribution
from bootstrap.facts.host import Facts
from bundler.host import catalogue
from wheelhouse import codec
from wheelhouse.manifest import CarriedPostgres, Constraints, Manifest, Package, Tool
from wheelhouse.target import Target

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[3]


def load(name: str) -> Facts:
    return codec.loads(Facts, (DATA / f"{name}.json").read_text(encoding="utf-8"))


def judge(name: str, needs: Needs) -> Report:
    facts = load(name)
    return diagnose(facts, replace(needs, home=facts.request.home, account=facts.request.account))


class Terminal(io.StringIO):
    """One of 80 columns."""

    def isatty(self) -> bool:
        return True


def text_of(report: Report, environ: Optional[dict[str, str]] = None, **commands: str) -> str:
    out = Terminal()
    console = Console(io.StringIO(), out, environ={"LANG": "C", **(environ or {}), "TERM": "dumb"})
    render(report, console, **{"next_command": "", **commands})
    return out.getvalue()


# what each of these hosts is known for
HOSTS = {
    "debian-12": set(),
    "rhel-8": set(),
    "centos-7": {"python-ctypes-missing", "python-ssl-missing", "libc-too-old"},
    "alpine-3.20": {"python-missing", "libc-other"},
    "debian-11-minimal": {"python-missing", "machine-wrong"},
}


@pytest.mark.parametrize("name", HOSTS)
def test_saved_hosts_are_judged_like_this_one(name: str, needs: Needs) -> None:
    report = judge(name, needs)
    assert {finding.id for finding in report.blockers} == HOSTS[name]
    assert "check-crashed" not in {finding.id for finding in report.findings}


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: str(path.stem))
def test_saved_facts_come_back_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert codec.dumps(codec.loads(Facts, text)) == text


def test_a_minimal_debian_is_told_so(needs: Needs) -> None:
    host = load("debian-11-minimal")
    facts = replace(host, libc=replace(host.libc, machine="x86_64") if host.libc else None)
    report = diagnose(facts, replace(needs, python="3.9"))
    assert [finding.id for finding in report.blockers] == ["python-minimal"]
    assert report.blockers[0].commands == ("apt-get install python3.9",)


@pytest.mark.parametrize("as_json", [True, False])
def test_what_blocks_an_install_is_shown_beside_its_json(
    needs: Needs, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    with pytest.raises(preflight.PreflightBlocked):
        bundled._stop_where_blocked(judge("centos-7", needs), [], "sh FILE doctor", json=as_json)
    shown = capsys.readouterr()
    told, silent = (shown.err, shown.out) if as_json else (shown.out, shown.err)
    assert "blocker" in told
    assert silent == ""


def test_report_reads_well_on_a_terminal(needs: Needs) -> None:
    shown = text_of(judge("centos-7", needs), next_command="sh FILE install", again="sh FILE doctor")
    assert shown.startswith(
        textwrap.dedent("""\
        Doctor:  Airflow 3.3.2 for CPython 3.11, x86_64, glibc >= 2.28
        Host:    CentOS Linux 7 (Core), x86_64, glibc 2.17, 4 CPUs, 8.0 GB of memory

        blocker: This Python lacks the module ctypes [python-ctypes-missing]
          found:   /usr/local/bin/python3.11: ModuleNotFoundError: No module named
                   '_ctypes'
          needed:  a CPython 3.11 that can import ctypes
          why:     The install would succeed and 'airflow version' would answer, but the
                   scheduler, the dag-processor, the triggerer and the web server would
                   exit at once.
          remedy:  This Python was built without the headers (libffi-devel): install
                   them and build it again, or name another interpreter with --python.
          as root: yum install libffi-devel

        blocker: This Python lacks the module ssl [python-ssl-missing]
        """)
    )
    assert shown.endswith(
        textwrap.dedent("""\
        ok:      Airflow is started after a restart of the host: systemd

        3 blockers, 3 notes. Nothing was changed.
        Next: follow the remedy of each blocker, then run doctor again:
            sh FILE doctor
        """)
    )


def test_lines_fit_80_columns_in_every_locale(needs: Needs) -> None:
    from rich.cells import cell_len

    wrong = [
        (name, locale, line)
        for name in HOSTS
        for locale in ("C", "ko_KR.EUC-KR", "en_US.UTF-8")
        for line in text_of(judge(name, needs), {"LANG": locale}).splitlines()
        if (cell_len(line) > 80 and "/" not in line)
        or line != line.rstrip()
        or "\x1b" in line
        or not (line.isascii() or locale.startswith("ko"))
    ]
    assert wrong == []


def test_report_ends_with_the_next_command_when_nothing_blocks(needs: Needs) -> None:
    shown = text_of(judge("rhel-8", needs), next_command="sh FILE install", again="sh FILE doctor")
    assert shown.endswith("Nothing blocks (1 warning, 15 notes).\nNext:\n    sh FILE install\n")


def test_gravest_first_otherwise_in_order() -> None:
    findings = [
        DISK_OK.found(str(index), severity=severity) for index, severity in enumerate(SEVERITIES[::-1] * 2)
    ]
    assert [finding.found for finding in ordered(findings)] == ["3", "7", "2", "6", "1", "5", "0", "4"]


def test_json_has_everything_and_survives_a_round_trip(needs: Needs) -> None:
    report = judge("centos-7", needs)
    data = codec.encode(judgement(report))
    assert json.loads(json.dumps(data)) == data
    assert data["blocked"] is True
    assert data["counts"] == {"blocker": 3, "warning": 0, "note": 3, "ok": 6}
    assert set(data["findings"][0]) == {
        "id", "severity", "title", "found", "needed", "why", "remedy", "commands", "needs_root",
    }  # fmt: skip


def test_host_is_described_in_a_line() -> None:
    assert describe(load("alpine-3.20")) == (
        "Alpine Linux v3.20, x86_64, musl 1.2.5, 4 CPUs, 8.0 GB of memory"
    )


# the catalogue


_FINDINGS = re.compile(r'^([A-Z0-9_]+) = Entry\(\s*"([^"]+)"', re.MULTILINE)


def test_every_entry_has_an_id_of_its_own_and_is_in_the_catalogue() -> None:
    """Each is a constant of that name, in one module, and is used there or where it is imported."""
    code = [
        path.read_text(encoding="utf-8")
        for side in ("bootstrap", "bundler")
        for path in (ROOT / side).rglob("*.py")
    ]
    found = [pair for text in code for pair in _FINDINGS.findall(text)]
    assert [identifier for identifier, count in Counter(pair[1] for pair in found).items() if count > 1] == []
    assert {pair[1] for pair in found} == set(catalogue.CATALOGUE.entries)
    assert [pair for pair in found if pair[0] != pair[1].upper().replace("-", "_")] == []
    used = Counter(word for text in code for word in re.findall(r"\b[A-Z0-9_]{4,}\b", text))
    assert [name for name, _ in found if used[name] < 2] == []
    subjects = catalogue.CATALOGUE.subjects.values()
    assert sum(len(entries) for entries in subjects) == len(found)


def test_entries_are_sentences() -> None:
    for identifier, entry in catalogue.CATALOGUE.entries.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", identifier)
        assert entry.severity in SEVERITIES
        assert not entry.title.endswith("."), identifier
        assert identifier.endswith("-ok") or entry.why, identifier
        for text in filter(None, (entry.why, entry.more)):
            assert text.endswith((".", ").")), identifier
            assert "://" not in text
            assert "  " not in text


def test_explaining_an_id() -> None:
    out = io.StringIO()
    render_entry("python-ctypes-missing", Console(io.StringIO(), out, environ={"LANG": "C"}))
    assert out.getvalue().startswith(
        "python-ctypes-missing (blocker): This Python lacks the module ctypes.\n\nThe install"
    )
    assert "libffi-devel" in out.getvalue()
    with pytest.raises(UnknownFinding) as caught:
        render_entry("python-ctype-missing", Console(io.StringIO(), out))
    assert "python-ctypes-missing" in caught.value.hint
    with pytest.raises(UnknownFinding) as caught:
        render_entry("0", Console(io.StringIO(), out))
    assert "doctor --explain" in caught.value.hint


# needs


def package(name: str, size: int, unpacked: int) -> Package:
    filename = f"{name}-1-cp311-cp311-manylinux_2_17_x86_64.whl"
    return Package(name, "1", f"wheels/{filename}", size, "0" * 64, "https://example.org/", unpacked)


def manifest(unpacked: int) -> Manifest:
    return Manifest(
        schema=1, airferry="0", airflow="3.3.2", target=Target("3.11", "manylinux_2_28_x86_64"),
        floor="glibc 2.17", extras=(), requirements=(), constraints=Constraints("file", "x", "0"),
        resolver=Tool("uv", "1"), created="2026-11-17T09:44:01Z",
        packages=(package("a", 40_000_000, unpacked),), tools=(package("uv", 10_000_000, unpacked),),
        services=(package("supervisor", 5_000_000, unpacked),),
        postgres=CarriedPostgres("18.1", package("pg", 15_000_000, unpacked)), files=(),
    )  # fmt: skip


def test_needs_count_everything_that_is_carried() -> None:
    needs = needs_of(
        manifest(60_000_000),
        home="/h",
        ports=[WantedPort(8080, "web server")],
        parallelism=8,
        account="airflow",
    )
    assert [name.split("-")[0] for name in needs.wheels] == ["a", "uv", "supervisor", "pg"]
    # 240 MB unpacked and rounded up to blocks, 70 MB of wheels, 100 MB of a new cluster
    assert needs.room == 276_000_000 + 70_000_000 + 100_000_000
    assert needs.growth > 1_000_000_000
    assert needs.inodes == 25_000
    assert (needs.libc, needs.libc_label, needs.machine) == ("glibc", "glibc 2.17", "x86_64")
    assert (needs.home, needs.account, needs.parallelism) == ("/h", "airflow", 8)
    assert needs.memory > needs_of(manifest(1), home="/h", parallelism=4).memory > needs.memory_least


def test_needs_of_a_manifest_that_does_not_know_its_unpacked_size() -> None:
    assert needs_of(manifest(0), home="/h").room == 241_500_000 + 70_000_000 + 100_000_000


# remedies


ROCKY = Distribution("rocky", ("rhel", "centos", "fedora"), "9.4", "", ("dnf", "yum"))


@pytest.mark.parametrize(
    ("distribution", "minor", "command"),
    [
        (Distribution("debian", (), "12", "", ("apt-get",)), "3.11", "apt-get install python3.11"),
        (Distribution("debian", (), "11", "", ("apt-get",)), "3.11", ""),
        (Distribution("ubuntu", ("debian",), "24.04"), "3.12", "apt-get install python3.12"),
        (ROCKY, "3.11", "dnf install python3.11"),
        (ROCKY, "3.9", "dnf install python3"),
        (Distribution("rhel", ("fedora",), "8.10", "", ("dnf", "yum")), "3.9", "dnf install python39"),
        (Distribution("rhel", ("fedora",), "8.10", "", ("dnf", "yum")), "3.12", "dnf install python3.12"),
        (Distribution("centos", ("rhel", "fedora"), "7", "", ("yum",)), "3.11", ""),
        (Distribution("sles", ("suse",), "15.6", "", ("zypper",)), "3.11", "zypper install python311"),
        (Distribution("alpine", (), "3.20.3", "", ("apk",)), "3.12", "apk add python3"),
        (Distribution("alpine", (), "3.20.3", "", ("apk",)), "3.11", ""),
        (Distribution("nobody-knows"), "3.11", ""),
        (None, "3.11", ""),
    ],
)  # fmt: skip
def test_python_is_installed_as_this_distribution_does(
    distribution: Optional[Distribution], minor: str, command: str
) -> None:
    assert remedies.install_python(distribution, minor) == ((command,) if command else ())


def test_headers_are_named_as_this_distribution_does() -> None:
    assert remedies.headers(Distribution("x", (), "", "", ("dnf",)), "ctypes", "zlib") == (
        "libffi-devel",
        "zlib-devel",
    )
    assert remedies.headers(Distribution("suse"), "ssl", "sqlite3") == ("libopenssl-devel", "sqlite3-devel")
    assert remedies.headers(None, "bz2", "lzma") == ("libbz2-dev", "liblzma-dev")


def test_a_missing_library_is_told_from_a_missing_module(facts: Facts, needs: Needs) -> None:
    error = "ImportError: libffi.so.7: cannot open shared object file: No such file or directory"
    only = (facts.pythons or ())[0]
    facts = replace(
        facts,
        pythons=(replace(only, modules={**only.modules, "ctypes": error}),),
        distribution=Distribution("rhel", ("fedora",), "9.4", "", ("dnf",)),
    )
    finding = diagnose(facts, needs).blockers[0]
    assert finding.id == "python-ctypes-missing"
    assert "libffi.so.7" in finding.remedy
    assert finding.commands == ("dnf install '*/libffi.so.7'",)


def test_paths_in_commands_are_quoted(facts: Facts, needs: Needs) -> None:
    home = facts.home
    assert home is not None
    facts = replace(facts, home=replace(home, path="/srv/a b", writable=False))
    assert diagnose(facts, needs).blockers[0].commands == ("install -d -o airflow '/srv/a b'",)
