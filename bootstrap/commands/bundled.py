"""``sh FILE COMMAND``: install, doctor, verify."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import List, Optional, Sequence, Union

import typer

from bootstrap.base import question
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands import (
    bundle_options,
    database,
    directory_options,
    site_options,
    worker_options,
)
from bootstrap.commands.bundle_doctor import doctor
from bootstrap.commands.helpful import offer
from bootstrap.commands.manual import show_help
from bootstrap.commands.shared import (
    ACCOUNT,
    ADMINISTRATOR,
    DATABASE,
    HOME,
    JSON,
    NAME,
    NOW,
    PORT,
    PYTHON,
    TAKE_OVER,
    TAKE_OVER_PASSWORD_FILE,
    WAIT,
    WHERE,
    ExplainingCommand,
    application,
    asked,
    bundle_file,
    home_of,
    open_bundle,
    patience,
)
from bootstrap.commands.uninstall import uninstall
from bootstrap.commands.verifying import verify_command
from bootstrap.doctor import preflight
from bootstrap.doctor.finding import Report
from bootstrap.doctor.render import render
from bootstrap.installed import options as choosing
from bootstrap.installed.following import Following
from bootstrap.installed.options import Options
from bootstrap.python import choice
from bootstrap.services import choice as services
from bootstrap.state import admission, kept_bundle, shortcut
from bootstrap.state.cluster import read_join
from bootstrap.state.outcome import Outcome, Planned
from wheelhouse import addon
from wheelhouse.verify import structure
from wheelhouse.verify import verify as verify_bundle

app = application(
    "sh FILE", "Apache Airflow for a host without a network: everything it needs is in this one file."
)


def install(
    context: typer.Context,
    home: Optional[Path] = HOME,
    name: Optional[str] = NAME,
    python: Optional[str] = PYTHON,
    port: Optional[int] = PORT,
    host: Optional[str] = typer.Option(
        None, help="The address the web server listens on (default: 0.0.0.0).", rich_help_panel=WHERE
    ),
    postgres: Optional[str] = database.POSTGRES,
    postgres_password_file: Optional[Path] = database.PASSWORD_FILE,
    postgres_admin_user: Optional[str] = database.ADMIN_USER,
    postgres_admin_password_file: Optional[Path] = database.ADMIN_PASSWORD_FILE,
    adopt_database: bool = database.ADOPT,
    postgres_port: Optional[int] = typer.Option(
        None,
        min=1,
        max=65535,
        help="The port of its private PostgreSQL on 127.0.0.1.",
        rich_help_panel=DATABASE,
    ),
    account: Optional[str] = ACCOUNT,
    service: Optional[str] = typer.Option(
        None,
        help="The service manager: auto (default), systemd, supervisor, or none.",
        rich_help_panel=WHERE,
    ),
    auth: Optional[str] = typer.Option(
        None,
        help="fab (default; Airflow's own accounts), ldap (fab, with logins from a directory), or simple"
        " (Airflow 3; one account, no roles).",
        rich_help_panel=ADMINISTRATOR,
    ),
    admin_user: Optional[str] = typer.Option(
        None, help="Airflow's first account (default: admin).", rich_help_panel=ADMINISTRATOR
    ),
    admin_password_file: Optional[Path] = typer.Option(
        None,
        exists=True,
        dir_okay=False,
        help="A file whose first line is its password (default: generated).",
        rich_help_panel=ADMINISTRATOR,
    ),
    url: Optional[str] = site_options.URL,
    tls_cert: Optional[Path] = site_options.TLS_CERT,
    tls_key: Optional[Path] = site_options.TLS_KEY,
    tls_ca: Optional[Path] = site_options.TLS_CA,
    tls_self_signed: bool = site_options.TLS_SELF_SIGNED,
    ldap_url: Optional[str] = directory_options.URL,
    ldap_type: Optional[str] = directory_options.TYPE,
    ldap_base: Optional[str] = directory_options.BASE,
    ldap_bind_user: Optional[str] = directory_options.BIND_USER,
    ldap_bind_password_file: Optional[Path] = directory_options.BIND_PASSWORD_FILE,
    ldap_group_admin: Optional[List[str]] = directory_options.GROUP_ADMIN,
    ldap_group_op: Optional[List[str]] = directory_options.GROUP_OP,
    ldap_group_user: Optional[List[str]] = directory_options.GROUP_USER,
    ldap_group_viewer: Optional[List[str]] = directory_options.GROUP_VIEWER,
    ldap_others: Optional[str] = directory_options.OTHERS,
    ldap_uid: Optional[str] = directory_options.UID,
    ldap_filter: Optional[str] = directory_options.FILTER,
    ldap_start_tls: bool = directory_options.START_TLS,
    ldap_ca_file: Optional[Path] = directory_options.CA_FILE,
    connections: Optional[Path] = bundle_options.CONNECTIONS_FILE,
    variables: Optional[Path] = bundle_options.VARIABLES_FILE,
    parallelism: Optional[int] = typer.Option(
        None,
        min=1,
        help="The number of tasks that run at once (default: by cores and memory).",
        rich_help_panel=WHERE,
    ),
    timezone: Optional[str] = typer.Option(
        None,
        metavar="ZONE",
        help="The time zone of schedules that name none, such as Asia/Seoul (default: this host's; an"
        " airflow.cfg that is there keeps its own).",
        rich_help_panel=WHERE,
    ),
    join: Optional[Path] = worker_options.JOIN,
    queue: Optional[List[str]] = worker_options.QUEUE,
    concurrency: Optional[int] = worker_options.CONCURRENCY,
    take_over: Optional[str] = TAKE_OVER,
    take_over_password_file: Optional[Path] = TAKE_OVER_PASSWORD_FILE,
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be done; change nothing."),
    ignore: Optional[List[str]] = typer.Option(
        None, metavar="ID", help="Continue despite this finding of doctor."
    ),
    allow_older: bool = bundle_options.ALLOW_OLDER,
    keep_bundle: bool = bundle_options.KEEP,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask; without a terminal it never does."),
    json: bool = JSON,
) -> Result[Union[Outcome, Planned]]:
    """Install and start Airflow, and run the example pipeline as proof. Safe to run again."""
    from bootstrap import handoff  # noqa: PLC0415  (it and the next ones: doctor compiles what it imports)
    from bootstrap import install as installing  # noqa: PLC0415
    from bootstrap.commands import olds  # noqa: PLC0415
    from bootstrap.commands.installing import in_short, preview, report  # noqa: PLC0415
    from bootstrap.doctor.catalogue import CATALOGUE  # noqa: PLC0415  (imports every check)
    from bootstrap.installed import joining  # noqa: PLC0415
    from bootstrap.upkeep import addons  # noqa: PLC0415  (doctor starts sooner without it)

    for identifier in ignore or []:
        CATALOGUE.explain(identifier)
    console = Console(quiet=json)
    kind, external = database.whose(
        postgres, postgres_password_file, postgres_admin_user, postgres_admin_password_file,
        adopt=adopt_database,
    )  # fmt: skip
    site = site_options.asked_of(url, tls_cert, tls_key, tls_ca, self_signed=tls_self_signed)
    groups = (
        ("Admin", ldap_group_admin), ("Op", ldap_group_op), ("User", ldap_group_user),
        ("Viewer", ldap_group_viewer),
    )  # fmt: skip
    directory = directory_options.asked_of(
        auth, ldap_url, ldap_type, ldap_base, ldap_bind_user, ldap_bind_password_file, groups, ldap_others,
        ldap_uid, ldap_filter, ldap_ca_file, start_tls=ldap_start_tls,
    )  # fmt: skip
    following = Following(bundle_options.documents(connections, variables, console), directory)
    options = Options(
        home=home_of(home, name),
        name=name,
        service=bundle_options.one_of("--service", service, services.ASKED) if service else None,
        python=python,
        account=account,
        host=host,
        port=site_options.port_of(site, port),
        postgres=kind,
        external=external,
        postgres_port=postgres_port,
        parallelism=concurrency or parallelism,
        timezone=timezone,
        auth=auth,
        admin_user=admin_user,
        admin_password_file=admin_password_file.absolute() if admin_password_file else None,
        patience=patience(wait, now=now),
        site=site,
        join=read_join(join) if join else None,
        queues=tuple(queue or ()),
        following=following,
    )
    with open_bundle() as bundle:
        structure(bundle)
        addon.refuse(bundle.path.name, bundle.manifest)
        joining.check(options, bundle.manifest)
        chosen = choosing.choose(options, bundle)
        directory_options.fits(following, bundle.manifest, chosen)
        options = database.with_passwords(options, ask=not json)
        with console.progress(bundle.seal.size, "Verify the bundle") as advance:
            verify_bundle(bundle, advance)
        sha256 = admission.check(bundle.stream, bundle_file().name)
        if not allow_older:
            admission.check_age(admission.installed(options.home), bundle.manifest)
        judgement = preflight.judge(bundle, chosen, options)
        old, judgement = olds.judged(take_over, take_over_password_file, chosen, judgement)
        again = f"sh {shlex.quote(bundle_file().name)} doctor{asked(context)}"
        _stop_where_blocked(judgement.report, ignore or [], again, json=json)
        chosen = choice.decided(chosen, judgement.python)
        lost = addons.left_behind(options.home, bundle.manifest)
        if lost:
            console.warning(f"{lost} DAGs that need them fail after the upgrade.")
        ignored = tuple(sorted({*chosen.ignored, *(ignore or ())}))
        chosen = olds.adopting(old, replace(chosen, ignored=ignored, bundle_sha256=sha256))
        if dry_run:
            return preview(olds.planned(old, installing.planned(chosen, bundle, olds.asked(old, options))))
        olds.tell(old, console)
        if not yes and not json and question.is_asked():
            for line in in_short(chosen, installing.other_bundle(options.home, chosen), bundle.manifest):
                console.print(line)
            question.confirm()
        options = olds.packed(old, options)
        if os.geteuid() == 0:
            # it has said all that there is to say
            status = handoff.run(chosen, bundle, options, json=json)
            if status == 0 and keep_bundle:
                console.note(f"The bundle is kept: {kept_bundle.keep(bundle, chosen)}")
            link = shortcut.make(options.home, chosen.name) if status == 0 else None
            if link:
                console.note(f"{link.name} is on root's PATH now: {link}")
            raise SystemExit(status)
        outcome = installing.install(chosen, bundle, handoff.given(options), console)
        if keep_bundle:
            console.note(f"The bundle is kept: {kept_bundle.keep(bundle, chosen)}")
    return report(outcome)


offer(
    app,
    install,
    (
        "install --dry-run",
        "install",
        "install --home /srv/airflow --port 8081 --parallelism 8",
        "install --postgres postgresql://airflow@db.example/airflow",
        "install --home /opt/airflow --take-over /home/kim/airflow",
        "install --url https://airflow.example.com:8443 --tls-cert airflow.pem --tls-key airflow.key",
        "install --auth ldap --ldap-url ldaps://dc.corp.example --ldap-base dc=corp,dc=example ...",
        "install --connections connections.json --variables variables.json",
        "install --join w1.join --concurrency 4",
    ),
)
offer(
    app,
    doctor,
    (
        "doctor",
        "doctor --url https://airflow.example.com:8443 --tls-cert airflow.pem --tls-key airflow.key",
        "doctor --save facts.json",
        "doctor --explain disk-full",
    ),
    name="doctor",
    kind=ExplainingCommand,
)
offer(app, verify_command, name="verify")
offer(app, show_help, ("help install", "help services"), name="help")
# for an installation that can no longer run its own
offer(app, uninstall, ("uninstall --home /opt/airflow",))


def _stop_where_blocked(found: Report, ignored: Sequence[str], again: str, *, json: bool) -> None:
    """Show what doctor found where it blocks, beside the JSON of the error; raises PreflightBlocked."""
    try:
        preflight.check(found, ignored)
    except preflight.PreflightBlocked:
        render(found, Console(out=sys.stderr if json else None), next_command="", again=again)
        raise
