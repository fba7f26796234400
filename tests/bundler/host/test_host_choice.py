"""Knowing before the trip: facts of a host are judged for a bundle not made yet, and it is made for them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow.differences import NEWEST
from bootstrap.facts import saved
from bootstrap.facts.host import Facts
from bootstrap.facts.python import Interpreter
from bundler.host import host_choice
from tests.bundler.runner import Make, Run
from wheelhouse.errors import InvalidTarget
from wheelhouse.reader import Bundle

DATA = Path(__file__).parents[2] / "bootstrap" / "doctor" / "data"


def load(name: str) -> Facts:
    return saved.load(DATA / f"{name}.json")


def with_pythons(facts: Facts, *found: tuple[str, str]) -> Facts:
    """The host with sound interpreters of these versions and prefixes, in this order."""
    assert facts.pythons is not None
    sample = next(item for item in facts.pythons if item.asked)
    made = [
        replace(
            sample,
            path=f"{prefix}/bin/python{version[:4]}",
            resolved=f"{prefix}/bin/python{version}",
            version=version,
            base_prefix=prefix,
            modules=dict.fromkeys(sample.modules, ""),
        )
        for version, prefix in found
    ]
    return replace(facts, pythons=tuple(made))


@pytest.mark.parametrize(
    ("host", "airflow", "python", "platform", "postgres", "blockers"),
    [
        ("debian-12", "3.3.2", "3.11", "manylinux_2_36_x86_64", "18.6", set()),
        ("debian-12", "2.2.2", "3.9", "manylinux_2_36_x86_64", "18.6", {"python-missing"}),
        ("rhel-8", "3.3.2", "3.11", "manylinux_2_28_x86_64", "18.6", set()),
        ("rhel-8", "2.2.2", "3.9", "manylinux_2_28_x86_64", "18.6", {"python-missing"}),
        (
            "centos-7", "3.3.2", "3.11", "manylinux_2_17_x86_64", "16.2",
            {"python-ctypes-missing", "python-ssl-missing"},
        ),
        ("alpine-3.20", "3.3.2", "3.12", "musllinux_1_2_x86_64", "", set()),
        ("debian-11-minimal", "2.9.3", "3.9", "manylinux_2_31_aarch64", "18.6", {"python-minimal"}),
    ],
)  # fmt: skip
def test_the_choice_for_known_hosts(
    host: str, airflow: str, python: str, platform: str, postgres: str, blockers: set[str]
) -> None:
    found = host_choice.choose(load(host), airflow)
    assert (found.target.python, found.target.platform) == (python, platform)
    assert found.postgres == postgres
    assert {finding.id for finding in found.report.blockers} == blockers
    assert "check-crashed" not in {finding.id for finding in found.report.findings}
    assert found.made_for.libc_version in platform.replace("_", ".") or host == "alpine-3.20"


def test_the_distributions_own_python_comes_first_then_the_newest() -> None:
    host = load("debian-12")
    own = with_pythons(host, ("3.12.4", "/opt/python"), ("3.10.4", "/usr"), ("3.13.1", "/usr/local"))
    assert host_choice.choose(own, "3.3.2").target.python == "3.10"
    hand = with_pythons(host, ("3.12.4", "/opt/python"), ("3.13.1", "/usr/local"), ("3.9.9", "/usr"))
    assert host_choice.choose(hand, "3.3.2").target.python == "3.13"
    assert dict(host_choice.choose(hand, "3.3.2").reasons)["Python"].startswith(
        "3.13: /usr/local/bin/python3.1"
    )


def test_a_whole_python_comes_before_a_broken_one() -> None:
    host = with_pythons(load("debian-12"), ("3.11.2", "/usr"), ("3.12.4", "/opt/python"))
    assert host.pythons is not None
    broken = replace(host.pythons[0], modules={**host.pythons[0].modules, "ctypes": "ImportError: no"})
    found = host_choice.choose(replace(host, pythons=(broken, host.pythons[1])), "3.3.2")
    assert found.target.python == "3.12"
    assert not found.report.blocked


def test_what_the_user_names_is_judged_all_the_same() -> None:
    host = load("rhel-8")
    named = host_choice.choose(host, "3.3.2", pythons=["3.12"])
    assert [finding.id for finding in named.report.blockers] == ["python-missing"]
    assert named.report.blockers[0].commands == ("dnf install python3.12",)
    old = host_choice.choose(host, "3.3.2", pythons=["3.9"])
    assert {finding.id for finding in old.report.blockers} == {"python-missing", "python-unsupported"}
    newer = host_choice.choose(host, "3.3.2", platform="manylinux_2_34_x86_64")
    assert [finding.id for finding in newer.report.blockers] == ["libc-too-old"]
    assert "manylinux_2_28_x86_64" in newer.report.blockers[0].remedy
    other = host_choice.choose(host, "3.3.2", platform="musllinux_1_2_x86_64")
    assert [finding.id for finding in other.report.blockers] == ["libc-other"]
    with pytest.raises(InvalidTarget):
        host_choice.choose(host, "3.3.2", platform="windows")


def test_without_a_fitting_python_the_releases_that_fit_are_named() -> None:
    host = with_pythons(load("debian-12"), ("3.9.2", "/usr"))
    found = host_choice.choose(host, "3.3.2")
    assert found.interpreter is None
    assert (
        "Airflow from 2.2.2 until before 3.1.0 runs on the 3.9 that is there" in dict(found.reasons)["Python"]
    )


def test_a_carried_python_stands_in_for_one_that_is_not_there() -> None:
    minimal = load("debian-11-minimal")
    found = host_choice.choose(minimal, "3.3.2", carried=True)
    assert not found.report.blocked
    assert found.made_for.python == ""
    assert "carried in the bundle" in dict(found.reasons)["Python"]
    # one that fits there is taken all the same: nothing has to be kept secure beside the distribution's own
    sound = host_choice.choose(load("debian-12"), "3.3.2", carried=True)
    assert sound.interpreter is not None
    assert sound.target.python == "3.11"


def test_a_full_disk_is_told_before_anything_is_made() -> None:
    host = load("debian-12")
    assert host.home is not None
    full = host_choice.choose(replace(host, home=replace(host.home, free_bytes=100_000_000)), "3.3.2")
    assert [finding.id for finding in full.report.blockers] == ["disk-full"]


def test_facts_of_which_nothing_is_known() -> None:
    host = load("debian-12")
    found = host_choice.choose(Facts(host.schema, host.airferry, host.request), "3.3.2")
    assert found.target.platform == "manylinux_2_28_x86_64" or found.target.platform.endswith("aarch64")
    assert not found.report.blocked


def test_doctor_on_a_host_file(run: Run) -> None:
    path = str(DATA / "debian-12.json")
    status, out, err = run("doctor", "--host", path)
    assert (status, err) == (0, "")
    assert f"Doctor:  Airflow {NEWEST} for CPython 3.11, x86_64, glibc >= 2.36" in out
    assert "Nothing blocks" in out
    assert out.endswith(f"Next:\n    airferry bundle --for {path} --airflow {NEWEST}\n")
    status, out, _ = run("doctor", "--host", str(DATA / "centos-7.json"), "--airflow", "2.10.5", "--json")
    assert status == 3
    data = json.loads(out)["result"]
    assert data["blocked"] is True
    assert data["choice"]["python"] == "3.11"
    assert data["choice"]["platform"] == "manylinux_2_17_x86_64"
    assert run("doctor", "--host", str(DATA / "rhel-8.json"), "--strict")[0] == 4
    assert run("doctor", "--explain", "libc-rare")[0] == 0
    assert run("doctor", "--host", str(DATA / "none.json"))[0] == 2


def test_doctor_on_a_bundle_for_a_host_file(run: Run, make: Make) -> None:
    bundle = str(make(python="3.12", platform="manylinux_2_28_x86_64").path)
    status, out, _ = run("doctor", bundle, "--host", str(DATA / "debian-12.json"), "--json")
    assert status == 3
    found = {
        finding["id"] for finding in json.loads(out)["result"]["findings"] if finding["severity"] == "blocker"
    }
    assert found == {"python-missing"}


def test_a_bundle_is_made_for_a_host_and_says_so(run: Run, tmp_path: Path) -> None:
    command = ("bundle", "--airflow", "3.3.2", "--constraints", "release-date")
    status, out, err = run(*command, "--for", str(DATA / "debian-12.json"))
    assert status == 0, err
    assert "note: Python 3.11: /usr/bin/python3, the distribution's own" in err
    file = tmp_path / "dist" / "airflow-3.3.2-cp311-manylinux_2_36_x86_64.run"
    with Bundle.open(file) as bundle:
        assert bundle.manifest.made_for == host_choice.origin(load("debian-12"), "3.11")
    line = "Debian GNU/Linux 12 (bookworm), x86_64, glibc 2.36, CPython 3.11"
    assert line in out
    assert line in run("inspect", str(file))[1]


def test_a_bundle_that_cannot_work_is_refused_before_anything_is_fetched(run: Run, tmp_path: Path) -> None:
    command = ("bundle", "--airflow", "3.3.2", "--constraints", "release-date")
    centos = str(DATA / "centos-7.json")
    status, out, err = run(*command, "--for", centos, "--index-url", "http://127.0.0.1:9/")
    assert (status, out) == (55, "")
    assert "[host-unfit]" in err
    assert "python-ctypes-missing" in err
    assert "Resolve" not in err
    assert "To carry a Python: --with-python." in " ".join(err.split())
    assert not (tmp_path / "dist").exists()
    status, _, err = run(*command, "--for", str(DATA / "debian-12.json"), "--python", "3.12")
    assert status == 55
    assert "python-missing" in err
    status, _, err = run(
        *command, "--for", str(DATA / "debian-12.json"), "--python", "3.12", "--ignore", "python-missing"
    )
    assert status == 0, err
    status, _, err = run(*command, "--for", str(DATA / "debian-12.json"), "--ignore", "python-mising")
    assert status == 2
    assert "Did you mean python-missing" in err


def test_the_file_may_name_the_host(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "host.json").write_text((DATA / "debian-12.json").read_text())
    (folder / "airferry.toml").write_text(
        '[bundle]\nairflow = "3.3.2"\nfor = "host.json"\nconstraints = "release-date"\noutput = "out"\n'
    )
    status, _, err = run("bundle", "-f", str(folder / "airferry.toml"))
    assert status == 0, err
    assert [path.name for path in (folder / "out").glob("*.run")] == [
        "airflow-3.3.2-cp311-manylinux_2_36_x86_64.run"
    ]


def test_the_newest_release_is_looked_up_first(run: Run) -> None:
    status, out, err = run(
        "bundle", "--constraints", "release-date", "--for", str(DATA / "debian-12.json"), "--json"
    )
    assert status == 0, err
    assert json.loads(out)["result"]["airflow"] == "3.3.2"
    assert json.loads(out)["result"]["made_for"]["libc_version"] == "2.36"


def test_interpreters_that_were_not_asked_do_not_count() -> None:
    host = load("debian-12")
    unasked = Interpreter("/usr/bin/python3.12", "/usr/bin/python3.12", "folder", version="3.12")
    found = host_choice.choose(replace(host, pythons=(unasked,)), "3.3.2")
    assert [finding.id for finding in found.report.blockers] == ["python-missing"]
