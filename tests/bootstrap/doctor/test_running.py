"""Each check on an installation as a table: one thing is changed in a sound one, and one finding comes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.airflow.release import release_for
from bootstrap.doctor.catalogue import entries_of
from bootstrap.doctor.checks import components, configuration, files, growth, login, metadata
from bootstrap.doctor.checks.installed import check
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination.configuration import Configuration, Stray
from bootstrap.examination.files import Files
from bootstrap.examination.growth import Growth
from bootstrap.examination.installed import ComponentState, Installed
from bootstrap.examination.metadata import Heartbeat, Metadata, revision_tables
from bootstrap.examination.packages import Handmade
from bootstrap.examination.running import Running
from bootstrap.examination.sharing import Other, Sharing
from bootstrap.facts.disk import DiskPlace
from bootstrap.facts.host import Failure
from bootstrap.facts.ports import PortState
from wheelhouse import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[Installed], Installed]

HOME = "/srv/airflow"
URL = "postgresql+psycopg2://127.0.0.1:25432/airflow"
KEYS = {"fernet_key": "aaaaaaaa", "jwt_secret": "bbbbbbbb"}
PLACE = DiskPlace(
    path=f"{HOME}/logs", kind="folder", base=f"{HOME}/logs", real=f"{HOME}/logs", filesystem="ext4",
    mount="/", free_bytes=50_000_000_000, total_bytes=100_000_000_000, free_inodes=1_000_000,
    read_only=False, noexec=False, writable=True, mode=0o750, uid=900, gid=900,
)  # fmt: skip
HOLDERS = {
    "web server": "api-server", "PostgreSQL": "postgres",
    "task logs": "scheduler", "trigger logs": "triggerer",
}  # fmt: skip
SOUND = Installed(
    home=HOME,
    airflow="3.3.2",
    bundle_file="f.run",
    completed=True,
    files=Files(complete=True, linked=True),
    configuration=Configuration(f"{HOME}/airflow.cfg", written=1000.0),
    components=tuple(
        ComponentState(name, "RUNNING", "healthy")
        for name in ("postgres", "api-server", "scheduler", "dag-processor", "triggerer")
    ),
    running=(
        Running("api-server", 10, managed=True, started=2000.0),
        Running("scheduler", 11, True, 2000.0, True, HOME, (), URL, KEYS),
        Running("triggerer", 12, True, 2000.0, True, HOME, (), URL, KEYS),
    ),
    metadata=Metadata(
        version="18.6", size=20_000_000, connections=8, most=100,
        revisions={"alembic_version": "abc"}, heads={"alembic_version": "abc"},
        heartbeats=(Heartbeat("scheduler", "running", 3.0),),
    ),
    growth=Growth(PLACE, PLACE, 1_000_000, 100, 500_000, age=100.0, backups=3, backup_age=0.5),
    sharing=Sharing(
        {"web server": 8080, "PostgreSQL": 25432}, (PortState(8080, "held", loopback=False),), (), HOLDERS
    ),
)  # fmt: skip


def part(name: str, /, **values: Any) -> Change:
    """Change fields of one part."""
    return lambda found: replace(found, **{name: replace(getattr(found, name), **values)})


def component(name: str, **values: Any) -> Change:
    """Change one component."""
    return lambda found: replace(
        found,
        components=tuple(
            replace(item, **values) if item.name == name else item for item in found.components or ()
        ),
    )


def running(index: int, **values: Any) -> Change:
    """Change what one component runs with."""

    def change(found: Installed) -> Installed:
        items = list(found.running or ())
        items[index] = replace(items[index], **values)
        return replace(found, running=tuple(items))

    return change


def both(first: Change, second: Change) -> Change:
    """Two changes at once."""
    return lambda found: second(first(found))


FULL = replace(PLACE, free_bytes=1_000_000)
HUNG = (Heartbeat("scheduler", "running", 400.0),)

CASES: list[tuple[Change, str, str]] = [
    # files
    (part("files", manifest_error="no such file"), "manifest-damaged", WARNING),
    (part("files", supervisor_error="No module named 'supervisor'"), "supervisor-broken", BLOCKER),
    (part("files", postgres_error="/x lacks psql"), "postgres-broken", BLOCKER),
    (part("files", handmade=Handmade(changed=("a 2, in the bundle 1",))), "packages-changed", WARNING),
    (part("files", handmade=Handmade(removed=("a 1",))), "packages-changed", BLOCKER),
    (part("files", commands=(f"{HOME}/bin/airflow was changed",)), "commands-changed", WARNING),
    (part("files", foreign=(f"{HOME}/dags/a.py (owner 0)",)), "owner-wrong", WARNING),
    (part("files", foreign=(f"{HOME}/postgres/base/1 (owner 0)",)), "owner-wrong", BLOCKER),
    (part("files", unreadable=(f"{HOME}/dags/a.py (owner 0, mode 0600)",)), "files-unreadable", WARNING),
    (part("files", loose=(f"{HOME}/postgres (mode 0755)",)), "cluster-mode", BLOCKER),
    (part("files", loose=(f"{HOME}/dags (mode 0777)",)), "modes-open", WARNING),
    # airflow.cfg
    (
        part("configuration", strays=(Stray("secrets", "jwt_secret", "misplaced", "[api_auth]"),)),
        "config-section",
        WARNING,
    ),
    (part("configuration", strays=(Stray("core", "check_slas", "obsolete"),)), "config-obsolete", NOTE),
    (part("configuration", strays=(Stray("core", "executer", "unknown"),)), "config-unknown", NOTE),
    (part("configuration", code=("webserver_config.py, line 3",)), "settings-code-broken", BLOCKER),
    (part("configuration", own=("line 3: it is not NAME=value",)), "local-env-unused", WARNING),
    (part("configuration", own_over=("AIRFLOW__CORE__FERNET_KEY",)), "local-env-overrides", BLOCKER),
    (part("configuration", own_remarks=("line 3: $",)), "local-env-literal", NOTE),
    # components
    (running(1, managed=False), "component-stray", WARNING),
    (running(1, variables=("AIRFLOW__CORE__PARALLELISM",)), "component-variables", WARNING),
    (running(1, started=900.0), "component-stale", WARNING),
    (part("configuration", own_written=5000.0), "component-stale", WARNING),
    (running(1, database="sqlite:////x/airflow.db"), "component-database", BLOCKER),
    (running(1, keys={**KEYS, "jwt_secret": "cccccccc"}), "component-keys", BLOCKER),
    (part("sharing", others=(Other("/opt/airflow", {"PostgreSQL": 25432}),)), "port-shared", WARNING),
    # the database
    (part("metadata", problem="password authentication failed"), "database-refused", BLOCKER),
    (part("metadata", revisions={"alembic_version": "old"}), "schema-behind", BLOCKER),
    (part("metadata", revisions={}), "schema-behind", BLOCKER),
    (part("metadata", missing=("xcom",)), "tables-missing", BLOCKER),
    (part("metadata", checksums=False), "checksums-off", NOTE),
    (part("metadata", connections=96), "connections-many", WARNING),
    (both(part("metadata", heartbeats=HUNG), component("scheduler", health="")), "heartbeat-old", BLOCKER),
    (part("metadata", unread={"/x/a.py": "NameError: b"}), "dag-import-errors", WARNING),
    # room
    (part("growth", logs=replace(PLACE, writable=False)), "logs-closed", BLOCKER),
    (part("growth", logs=replace(PLACE, read_only=True)), "logs-closed", BLOCKER),
    (part("growth", logs=FULL), "logs-full", BLOCKER),
    (part("growth", logs=replace(PLACE, free_inodes=3)), "logs-full", BLOCKER),
    (part("growth", data=replace(PLACE, kind="")), "database-closed", BLOCKER),
    (part("growth", data=FULL), "database-full", BLOCKER),
    (part("growth", recent=20_000_000_000), "disk-filling", WARNING),
    # backups
    (part("growth", backup_age=None), "backup-none", WARNING),
    (part("growth", backup_age=None, age=2.0), "backup-none", NOTE),
    (part("growth", backup_age=30.0), "backup-old", WARNING),
    # doctor itself
    (lambda found: replace(found, failures=(Failure("files", "late"),)), "facts-incomplete", WARNING),
]


def judged(found: Installed) -> dict[str, Finding]:
    return {finding.id: finding for finding in check(found)}


def test_a_sound_installation_has_nothing_but_good_findings() -> None:
    findings = check(SOUND)
    assert {finding.severity for finding in findings} == {OK}
    assert [finding.id for finding in findings] == [
        "installation-ok", "config-ok", "components-ok", "database-ok", "growth-ok", "backup-ok",
    ]  # fmt: skip
    assert codec.loads(Installed, codec.dumps(SOUND)) == SOUND


def test_one_fault_is_one_finding() -> None:
    wrong = []
    for number, (change, identifier, severity) in enumerate(CASES):
        found = judged(change(SOUND))
        bad = {key: item.severity for key, item in found.items() if item.severity != OK}
        acts = severity in (BLOCKER, WARNING) and identifier != "facts-incomplete"
        item = found.get(identifier)
        told = item and {
            "what was found": bool(item.found),
            "a remedy": bool(item.remedy) or not acts,
            "no address": "://" not in " ".join([item.remedy, *item.commands]),
        }
        if bad != {identifier: severity} or not told or not all(told.values()):
            wrong.append((number, identifier, severity, bad, told))
    assert wrong == []


def test_every_id_of_the_catalogue_is_tried() -> None:
    elsewhere = {
        "installation-incomplete", "link-broken", "environment-broken", "packages-damaged",
        "bytecode-damaged", "secrets-open", "config-unreadable", "config-sqlite", "config-database",
        "config-executor", "config-port", "config-execution-api", "config-base-url", "config-keys",
        "components-stopped", "login-modules-missing", "component-down", "component-ill", "port-taken",
        "change-unfinished",
    }  # fmt: skip
    ids = {entry.id for entry in entries_of(components, configuration, files, growth, login, metadata)}
    fine = {identifier for identifier in ids if identifier.endswith("-ok")}
    assert ({case[1] for case in CASES} - {"facts-incomplete"}) | elsewhere | fine == ids


def test_port_of_a_component_that_is_down_is_held_by_a_stranger() -> None:
    held = PortState(8080, "held", loopback=False, user="kim", process="nginx (pid 7)")
    down = component("api-server", state="BACKOFF")(
        replace(SOUND, sharing=Sharing({"web server": 8080}, (held,), (), HOLDERS))
    )
    found = judged(down)
    assert {key for key, item in found.items() if item.severity == BLOCKER} == {
        "component-down",
        "port-taken",
    }
    assert "nginx (pid 7)" in found["port-taken"].found


def test_database_that_is_stopped_with_all_the_rest_is_one_finding() -> None:
    stopped = tuple(replace(item, state="STOPPED", health="") for item in SOUND.components or ())
    found = judged(
        replace(part("metadata", problem="refused")(SOUND), components=stopped, running=(), sharing=None)
    )
    assert {key for key, item in found.items() if item.severity != OK} == {"components-stopped"}


def test_web_server_that_does_not_answer_says_nothing_of_the_others() -> None:
    unreachable = tuple(replace(item, health="unreachable") for item in SOUND.components or ())
    found = judged(replace(SOUND, components=unreachable))
    assert {key for key, item in found.items() if item.severity != OK} == {"component-ill"}
    assert found["component-ill"].found == "api-server: running, unreachable"


def test_install_that_was_broken_off_names_what_runs_and_how_to_stop_it() -> None:
    found = judged(replace(SOUND, completed=False))["installation-incomplete"]
    assert "running all the same: postgres, api-server, scheduler, dag-processor, triggerer" in found.found
    assert found.commands == (f"sh f.run install --home {HOME}", f"{HOME}/bin/airferry stop")
    quiet = tuple(replace(item, state="STOPPED", health="") for item in SOUND.components or ())
    found = judged(replace(SOUND, completed=False, components=quiet, running=()))["installation-incomplete"]
    assert (found.found, len(found.commands)) == ("the last steps are not complete", 1)


def test_differing_keys_are_shown_as_fingerprints_with_who_has_them() -> None:
    found = judged(running(1, keys={**KEYS, "jwt_secret": "cccccccc"})(SOUND))
    assert found["component-keys"].found.splitlines() == [
        "jwt_secret cccccccc (scheduler)",
        "jwt_secret bbbbbbbb (triggerer)",
    ]


@pytest.mark.parametrize(
    "name", ["files", "configuration", "components", "running", "metadata", "growth", "sharing"]
)
def test_a_part_that_is_unknown_crashes_no_check(name: str) -> None:
    unknown: dict[str, Any] = {name: None}
    found = judged(replace(SOUND, **unknown))
    assert {item.severity for item in found.values()} == {OK}


def test_a_check_that_crashes_is_a_finding() -> None:
    def broken(found: Installed) -> Any:
        raise ZeroDivisionError("no")

    (finding,) = check(SOUND, (broken,))
    assert (finding.id, finding.severity) == ("check-crashed", WARNING)
    assert "ZeroDivisionError" in finding.found


@pytest.mark.parametrize(
    ("version", "auth", "tables"),
    [
        ("3.3.2", "fab", {"alembic_version", "alembic_version_fab"}),
        ("3.3.2", "simple", {"alembic_version"}),
        # the provider brings migration scripts, and Airflow 2 makes these tables in its own
        ("2.11.2", "fab", {"alembic_version"}),
    ],
)
def test_fab_has_revisions_of_its_own_from_3_on(version: str, auth: str, tables: set[str]) -> None:
    assert set(revision_tables(release_for(version).numbers, auth)) == tables
