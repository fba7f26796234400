"""``HOME/bin/airferry site``: how the installation fits into its site, shown and changed in groups."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import typer

from bootstrap.base.console import Console
from bootstrap.base.lock import held
from bootstrap.base.result import Result
from bootstrap.change import site as change
from bootstrap.change.site import SiteChange
from bootstrap.change.tls import for_address
from bootstrap.commands import site_kerberos, site_ldap, site_mail
from bootstrap.commands.helpful import offer
from bootstrap.commands.shared import HOME, JSON, NOW, WAIT, application, home_of, patience
from bootstrap.commands.site_proxy import proxy
from bootstrap.commands.site_results import UNDO, SiteChanged, changed, entered
from bootstrap.commands.site_tls import tls
from bootstrap.examination import tls as tls_facts
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.installed.site_edits import url_edit
from bootstrap.site import settings

app = application(
    "site", "Show and change how this installation fits into its site: addresses, HTTPS, a proxy.", alone=True
)


@dataclass(frozen=True)
class Group:
    """One group of the settings: its `name`, which is the command that changes it, and what it is now."""

    name: str
    value: str


@dataclass(frozen=True)
class SiteSettings:
    """The settings of the site, a group each."""

    groups: Tuple[Group, ...]


def _url(installation: Installation) -> str:
    site = installation.site
    if site.chosen:
        return site.url
    return f"not set; browsers on this host: {installation.url}"


def _tls(installation: Installation) -> str:
    found = tls_facts.collect(installation)
    if not found.examined:
        secure = installation.site.secure
        return "at a proxy in front" if secure else "none: the web server speaks plain HTTP"
    if found.examined.problem:
        return found.examined.problem
    last = time.strftime("%Y-%m-%d", time.gmtime(found.examined.ends))
    return f"{', '.join(found.examined.names)}; signed by {found.examined.issuer}, ends {last}"


def _proxy(installation: Installation) -> str:
    if installation.site.proxied:
        return f"trusted on this host, for {installation.site.url}"
    return "none"


# What `site` shows, in its order: the name of a group, and its value in words. A module that brings a group
# adds its row here, and its command below.
ROWS: List[Tuple[str, Callable[[Installation], str]]] = [
    ("url", _url),
    ("tls", _tls),
    ("proxy", _proxy),
    ("ldap", site_ldap.row),
    ("mail", site_mail.row),
    ("kerberos", site_kerberos.row),
]


@app.callback()
def site(
    context: typer.Context, home: Optional[Path] = HOME, json: bool = JSON
) -> Optional[Result[SiteSettings]]:
    """Show and change how this installation fits into its site: addresses, HTTPS, a proxy.

    Without a command it shows all of it. A change is one step: new settings are written, what reads them is
    started again, and a login and a run of the example pipeline must work; else the old ones are put back.
    """
    return show(home, json) if context.invoked_subcommand is None else None


def show(home: Optional[Path] = HOME, json: bool = JSON) -> Result[SiteSettings]:
    """Show the settings of the site, a line for each group."""
    installation = entered(home_of(home))
    found = SiteSettings(tuple(Group(name, value(installation)) for name, value in ROWS))
    return Result(found, lambda console: console.summary([(item.name, item.value) for item in found.groups]))


def url(
    url: Optional[str] = typer.Argument(
        None, metavar="URL", help="As browsers have it: https://airflow.example.com:8443/airflow"
    ),
    none: bool = typer.Option(False, "--none", help="Forget the address that was set."),
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[SiteChanged]:
    """Set the address by which browsers reach Airflow; all that follows from it is changed with it.

    With https:// and no certificate of Airflow's own (site tls), it trusts a proxy in front of it.
    """
    if (url is None) != none:
        raise InvalidOption("One address is needed.", needed="URL, or --none")
    wanted = settings.checked(url) if url is not None else None
    console = Console(quiet=json)
    installation = entered(home_of(home), patience(wait, now=now))
    edit, notes = url_edit(installation, wanted)
    if wanted:
        edit = for_address(installation, wanted, edit)
    return changed(installation, "url", change.change(installation, "url", edit, console), notes)


def undo(home: Optional[Path] = HOME, json: bool = JSON) -> Result[SiteChanged]:
    """Undo a change of site settings that was interrupted before it was proven."""
    console = Console(quiet=json)
    installation = entered(home_of(home))
    with held(installation.home.lock):
        undone = change.undo_unfinished(installation, console)
    return changed(installation, UNDO, SiteChange(undone, proved=False), ())


offer(app, show, ("site", "site show --json"))
offer(app, url, ("site url https://airflow.example.com:8443", "site url https://portal.example.com/airflow"))
offer(
    app,
    tls,
    ("site tls --cert airflow.pem --key airflow.key", "site tls --self-signed", "site tls --show-ca"),
)
offer(app, proxy, ("site proxy nginx > airflow.conf", "site proxy apache"))
offer(
    app,
    site_ldap.ldap,
    (
        "site ldap --url ldaps://dc.corp.example --base dc=corp,dc=example --bind-user DN ...",
        "site ldap --look-up kim",
    ),
)
offer(
    app,
    site_mail.mail,
    ("site mail --host mail.example --from airflow@example.org --test kim@example.org", "site mail --off"),
)
offer(
    app,
    site_kerberos.kerberos,
    ("site kerberos --principal airflow@CORP.EXAMPLE --keytab airflow.keytab", "site kerberos"),
)
offer(app, undo)
