"""``sh FILE doctor``: whether this bundle will work on this host."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands import database, doctor_results, site_options
from bootstrap.commands.doctor_results import Explained, Judgement
from bootstrap.commands.shared import (
    ACCOUNT,
    EXPLAIN,
    HOME,
    JSON,
    NAME,
    PORT,
    PYTHON,
    STRICT,
    TAKE_OVER,
    TAKE_OVER_PASSWORD_FILE,
    asked,
    bundle_file,
    home_of,
    open_bundle,
)
from bootstrap.doctor import preflight
from bootstrap.facts import saved as facts
from bootstrap.installed import options as choosing
from bootstrap.installed.options import Options
from wheelhouse import addon


@dataclass(frozen=True)
class Saved:
    """The facts of this host were written to `file`."""

    file: str


def doctor(
    context: typer.Context,
    home: Optional[Path] = HOME,
    name: Optional[str] = NAME,
    python: Optional[str] = PYTHON,
    port: Optional[int] = PORT,
    account: Optional[str] = ACCOUNT,
    postgres: Optional[str] = database.POSTGRES,
    postgres_password_file: Optional[Path] = database.PASSWORD_FILE,
    postgres_admin_user: Optional[str] = database.ADMIN_USER,
    postgres_admin_password_file: Optional[Path] = database.ADMIN_PASSWORD_FILE,
    adopt_database: bool = database.ADOPT,
    url: Optional[str] = site_options.URL,
    tls_cert: Optional[Path] = site_options.TLS_CERT,
    tls_key: Optional[Path] = site_options.TLS_KEY,
    tls_ca: Optional[Path] = site_options.TLS_CA,
    tls_self_signed: bool = site_options.TLS_SELF_SIGNED,
    take_over: Optional[str] = TAKE_OVER,
    take_over_password_file: Optional[Path] = TAKE_OVER_PASSWORD_FILE,
    explain: Optional[str] = EXPLAIN,
    save: Optional[Path] = typer.Option(
        None, help="Write this host's facts to a file that can be carried out."
    ),
    redact: bool = typer.Option(False, "--redact", help="Leave host and account names out of that file."),
    saved: Optional[Path] = typer.Option(
        None, "--from", exists=True, dir_okay=False, help="Judge the facts in this file instead of this host."
    ),
    deep: bool = typer.Option(False, "--deep", help="Also verify every byte of this file."),
    strict: bool = STRICT,
    json: bool = JSON,
) -> Result[Union[Judgement, Explained, Saved]]:
    """Judge whether this bundle will work on this host; changes nothing."""
    console = Console(quiet=json)
    if explain is not None:
        return doctor_results.explained(explain)
    kind, external = database.whose(
        postgres, postgres_password_file, postgres_admin_user, postgres_admin_password_file,
        adopt=adopt_database,
    )  # fmt: skip
    site = site_options.asked_of(url, tls_cert, tls_key, tls_ca, self_signed=tls_self_signed)
    options = Options(
        home=home_of(home, name),
        name=name,
        python=python,
        port=site_options.port_of(site, port),
        account=account,
        postgres=kind,
        external=external,
        site=site,
    )
    options = database.with_passwords(options, ask=not (json or saved))
    with open_bundle() as bundle:
        addon.refuse(bundle.path.name, bundle.manifest)
        chosen = choosing.choose(options, bundle)
        if save:
            facts.save(preflight.facts_of(bundle, chosen, options), save, redacted=redact)
            return Result(
                Saved(str(save)), lambda console: console.print(f"The facts of this host are in {save}.")
            )
        report = preflight.judge(bundle, chosen, options, facts.load(saved) if saved else None).report
        if take_over:
            from bootstrap.commands import olds  # noqa: PLC0415

            report = report.plus(olds.findings(take_over, take_over_password_file, chosen))
        if deep:
            with console.progress(bundle.seal.size, "Verify the bundle") as advance:
                report = report.plus([preflight.whole(bundle, advance)])
    file = shlex.quote(bundle_file().name)
    return doctor_results.judged(
        report,
        strict=strict,
        next_command=f"sh {file} install{asked(context)}",
        again=f"sh {file} doctor{asked(context, 'saved', 'deep', 'strict')}",
    )
