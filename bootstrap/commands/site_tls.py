"""``HOME/bin/airferry site tls``: the certificate of the web server."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple, Union

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.base.secret import Secret
from bootstrap.change import site as change
from bootstrap.change import tls as certificates
from bootstrap.change.site import SiteChange
from bootstrap.commands.shared import HOME, JSON, NOW, WAIT, home_of, patience
from bootstrap.commands.site_results import Authority, SiteChanged, changed, entered
from bootstrap.installed.certificates import authority, made_here
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.installed.site_edits import plain_edit
from bootstrap.site import settings


def tls(
    cert: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="The certificate in PEM, its intermediates after it."
    ),
    key: Optional[Path] = typer.Option(
        None, exists=True, dir_okay=False, help="Its key in PEM, without a password; it is copied."
    ),
    ca: Optional[Path] = typer.Option(
        None,
        exists=True,
        dir_okay=False,
        help="The root of its authority in PEM, where this host does not know it.",
    ),
    self_signed: bool = typer.Option(
        False, "--self-signed", help="Make one here, signed by an authority of this installation alone."
    ),
    url: Optional[str] = typer.Option(
        None, "--url", help="With it, a new address for browsers: https://host[:port][/path]"
    ),
    off: bool = typer.Option(False, "--off", help="Have the web server speak plain HTTP again."),
    show_ca: bool = typer.Option(
        False, "--show-ca", help="Print the certificate that browsers have to trust, and change nothing."
    ),
    wait: Optional[float] = WAIT,
    now: bool = NOW,
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Union[SiteChanged, Authority]]:
    """Have the web server speak HTTPS, or give it a new certificate.

    Certificate, key and chain are judged before anything is changed. Running tasks go on where the new
    certificate has the same root; else all components are started again, as with restart.
    """
    _one_way(cert, key, ca, self_signed=self_signed, off=off, show_ca=show_ca)
    address = settings.checked(url) if url else ""
    if address and not (address.startswith("https://") and (cert or self_signed)):
        raise InvalidOption("--url is for a new certificate.", needed="--url https://host[:port][/path]")
    # root reads them while it still may: they can lie where the account cannot
    given = _read(cert, key, ca)
    console = Console(quiet=json)
    installation = entered(home_of(home), patience(wait, now=now))
    if show_ca:
        return _shown(installation)
    notes: Tuple[str, ...] = ()
    if off:
        edit = plain_edit(installation)
    elif self_signed:
        with console.step("Make a certificate"):
            edit = made_here(installation, settings.hostname(address))
        edit = certificates.with_url(installation, edit, address)
        show = f"{installation.home.bin}/airferry site tls --show-ca"
        notes = (f"Browsers trust it once they have its authority: {show} > airflow-ca.pem",)
    else:
        edit, notes = certificates.given(
            installation, given[0], Secret(given[1]), given[2], str(cert), address
        )
    made: SiteChange = change.change(installation, "tls", edit, console)
    result = changed(installation, "tls", made, notes)
    return Result[Union[SiteChanged, Authority]](result.data, result.text)


def _one_way(
    cert: Optional[Path],
    key: Optional[Path],
    ca: Optional[Path],
    *,
    self_signed: bool,
    off: bool,
    show_ca: bool,
) -> None:
    ways = [bool(cert or key or ca), self_signed, off, show_ca]
    if sum(ways) != 1 or (ways[0] and not (cert and key)):
        raise InvalidOption(
            "One way is needed.",
            needed="--cert FILE --key FILE, or --self-signed, --off or --show-ca",
        )


def _read(*paths: Optional[Path]) -> Tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8", errors="replace") if path else "" for path in paths)


def _shown(installation: Installation) -> Result[Union[SiteChanged, Authority]]:
    found = authority(installation)
    if not found:
        raise InvalidOption(
            "The web server has no certificate.",
            hint=f"{installation.home.bin}/airferry site tls --self-signed",
        )
    lines = found.strip().splitlines()

    def show(console: Console) -> None:
        for line in lines:
            console.command(line, indent=0)

    return Result(Authority(found.strip() + "\n"), show)
