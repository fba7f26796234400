"""The installer's preflight: the same doctor, with the choices of this install."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from bootstrap.airflow import login_modules
from bootstrap.airflow.executor import executor_of
from bootstrap.airflow.release import release_for
from bootstrap.base import account
from bootstrap.doctor.checks import directory, login, tls
from bootstrap.doctor.checks.interpreter import choose, uses_carried
from bootstrap.doctor.finding import Entry, Finding, Report
from bootstrap.doctor.needs import Needs, WantedPort, WantedServer, needs_of
from bootstrap.doctor.run import diagnose
from bootstrap.doctor.severity import BLOCKER, OK
from bootstrap.facts import network
from bootstrap.facts.host import Facts, Failure, Request, collect
from bootstrap.facts.server import Passwords
from bootstrap.installed import carried, external
from bootstrap.installed.external import DatabaseChoice
from bootstrap.installed.options import POSTGRES_PORT, WEB_PORT, Options
from bootstrap.python import choice
from bootstrap.python.carried import Carried
from bootstrap.python.choice import CARRIED, HOST
from bootstrap.site import certificates, settings
from bootstrap.state import receipt
from bootstrap.state.home import Home
from bootstrap.state.receipt import EXTERNAL, WORKER, Receipt
from wheelhouse.errors import AirferryError, BundleDamaged
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify

BUNDLE_OK = Entry("bundle-ok", OK, "The file is intact")
BUNDLE_DAMAGED = Entry(
    "bundle-damaged",
    BLOCKER,
    "The file is damaged",
    "Any part of the installation may be affected; nothing from such a file is used.",
    "Found with --deep, which reads every byte; install always does so before it changes anything.",
)


class PreflightBlocked(AirferryError):
    """Doctor found what would make the install fail; nothing was changed."""

    reference = "preflight-blocked"
    exit_code = 3


@dataclass(frozen=True)
class Preflight:
    """Doctor's report, and the interpreter that it would take; its path is empty when none fits."""

    report: Report
    python: choice.PythonChoice


def judge(bundle: Bundle, chosen: Receipt, options: Options, facts: Optional[Facts] = None) -> Preflight:
    """Judge this host, or saved facts of another, for the bundle and the choices; changes nothing."""
    needs = needs_for(bundle.manifest, chosen, _ports(chosen, options), options.external)
    found = facts or _collected(needs, chosen, options)
    report = diagnose(found, needs)
    if facts is None:
        report = report.plus(login_findings(bundle.manifest, chosen))
        report = report.plus(certificate_findings(chosen, options))
        asked = options.following.directory
        if asked:
            from bootstrap.installed.certificates import known_authorities  # noqa: PLC0415  (as below)

            report = report.plus(directory.before(asked, known_authorities(chosen)))
    return Preflight(report, _interpreter(bundle.manifest, chosen, found, needs))


def login_findings(manifest: Manifest, chosen: Receipt) -> Iterator[Finding]:
    """What a webserver_config.py that is there already needs, and the bundle does not hold."""
    path = Path(chosen.home, login_modules.FILE)
    if chosen.auth != "fab" or not path.is_file():
        return
    names = [package.name for package in manifest.packages]
    if chosen.bundle_id == manifest.bundle_id:
        names += [name.split(" ", 1)[0] for item in chosen.added for name in item.packages]
    try:
        # in a home of root's the file is the account's
        theirs = path if path.parent.stat().st_uid == 0 else path.parent
        if os.geteuid() == 0 and theirs.lstat().st_uid != 0:
            text = account.look_as_owner(theirs, lambda: path.read_text(encoding="utf-8"), seconds=10)
            yield from login.before(str(path), (text or "").encode(), names)
        else:
            yield from login.before(str(path), path.read_bytes(), names)
    except OSError:
        return  # who cannot read it is another finding


def certificate_findings(chosen: Receipt, options: Options) -> Iterator[Finding]:
    """What is wrong with the certificate that the web server is to be given."""
    asked = options.site
    if not asked or not asked.key:
        return
    # a host without HTTPS starts sooner without it
    from bootstrap.installed.certificates import is_strict, known_authorities  # noqa: PLC0415

    found = certificates.examine(
        asked.certificate,
        asked.key,
        asked.authorities,
        known_authorities(chosen),
        strict=is_strict(chosen.bundle_id),
    )
    host = settings.hostname(asked.url)
    own = settings.own_host(found.names, host, chosen.web_host)
    tasks = release_for(chosen.airflow).numbers >= (3, 0, 0)
    wanted = tls.WantedTls(host, tasks, own, network.is_found(own) if tasks else None, whole=True)
    yield from tls.judge(found, asked.place, wanted)


def _interpreter(manifest: Manifest, chosen: Receipt, facts: Facts, needs: Needs) -> choice.PythonChoice:
    if manifest.python and uses_carried(facts, needs):
        return choice.PythonChoice(str(Carried(Home(Path(chosen.home)), manifest.python).program), CARRIED)
    found = choose(facts, needs)
    # the file itself: a link may be switched to another version, a shim depends on its user's settings
    return choice.PythonChoice(found.resolved if found else "", chosen.python_from or HOST)


def whole(bundle: Bundle, advance: Callable[[int], None]) -> Finding:
    """Read every byte of the bundle; `advance` gets their numbers."""
    try:
        verify(bundle, advance)
    except BundleDamaged as error:
        return BUNDLE_DAMAGED.found(
            error.found,
            needed=error.needed,
            remedy="Copy it again from the medium, and check:",
            commands=(f"sha256sum -c {shlex.quote(bundle.path.name)}.sha256",),
        )
    return BUNDLE_OK.found(f"{bundle.path.name}: {len(bundle.manifest.files)} members")


def facts_of(bundle: Bundle, chosen: Receipt, options: Options) -> Facts:
    """This host's facts, of every interpreter, to be judged elsewhere."""
    needs = needs_for(bundle.manifest, chosen, _ports(chosen, options), options.external)
    return _collected(replace(needs, python=""), chosen, options)


def needs_for(
    manifest: Manifest,
    chosen: Receipt,
    ports: Tuple[WantedPort, ...],
    choice: Optional[DatabaseChoice] = None,
    *,
    installed: bool = False,
) -> Needs:
    """What the bundle of `manifest` asks of a host, installed with these choices."""
    earlier = receipt.find(Home(Path(chosen.home)).receipt)
    # an interpreter that is to be unpacked cannot be looked at yet; that of an installation is a named one
    offered = manifest.python if chosen.python_from in ("", CARRIED) and not installed else None
    needs = needs_of(
        manifest,
        home=chosen.home,
        ports=ports,
        executor=executor_of(chosen.executor),
        parallelism=chosen.parallelism,
        account=chosen.account,
        python=None if offered else chosen.python or None,
        carried=offered,
        carried_only=chosen.python_from == CARRIED,
        programs=chosen.database.programs,
    )
    return replace(needs, server=_server(chosen, earlier, choice))


def _server(
    chosen: Receipt, earlier: Optional[Receipt], choice: Optional[DatabaseChoice]
) -> Optional[WantedServer]:
    """What doctor wants there; None for a database of our own."""
    if chosen.database.kind != EXTERNAL:
        return None
    connections = executor_of(chosen.executor).connections(chosen.parallelism)
    return WantedServer(
        connections=connections.enough,
        least=connections.least,
        own=earlier is not None and external.place(earlier.database) == external.place(chosen.database),
        adopt=bool(choice and choice.adopt),
    )


def request_for(needs: Needs) -> Request:
    """What to look at for these needs."""
    return Request(
        home=needs.home,
        wanted_python=needs.python,
        python=needs.interpreter,
        ports=tuple(port.number for port in needs.ports),
        account=needs.account,
    )


def _collected(needs: Needs, chosen: Receipt, options: Options) -> Facts:
    """This host's facts, and those of an external database server."""
    choice = options.external
    passwords = choice.passwords if choice else Passwords(external.stored(options.home))
    request = replace(request_for(needs), server=external.asked(chosen.database, choice))
    facts = collect(request, passwords=passwords)
    try:
        return replace(facts, airflow_cfg=carried.collect(chosen))
    except (AirferryError, OSError, ValueError) as error:
        return replace(facts, failures=(*facts.failures, Failure("airflow_cfg", str(error))))


def _ports(chosen: Receipt, options: Options) -> Tuple[WantedPort, ...]:
    if chosen.role == WORKER:
        return ()  # it listens nowhere
    earlier = receipt.find(Home(Path(chosen.home)).receipt)
    wanted: Tuple[Tuple[int, object, int, str, Optional[int]], ...] = (
        (chosen.web_port, earlier and earlier.web_port, WEB_PORT, "web server", options.port),
        (
            chosen.database.port, earlier and earlier.database.port, POSTGRES_PORT, "PostgreSQL",
            options.postgres_port,
        ),
    )  # fmt: skip
    if chosen.database.kind == EXTERNAL:
        wanted = wanted[:1]
    ports: List[WantedPort] = []
    for number, held, usual, purpose, named in wanted:
        # an installation of ours holds its own ports
        if number == held:
            continue
        if number != usual and named is None:
            ports.append(WantedPort(usual, purpose))
        ports.append(WantedPort(number, purpose, named=named is not None))
    return tuple(ports)


def check(report: Report, ignored: Sequence[str]) -> None:
    """Stop for a blocker that was not ignored; raises :class:`PreflightBlocked`."""
    blockers = [finding for finding in report.blockers if finding.id not in ignored]
    if not blockers:
        return
    raise PreflightBlocked(
        f"{len(blockers)} finding{'s' if len(blockers) > 1 else ''} would make the install fail;"
        " nothing was changed.",
        found=", ".join(finding.id for finding in blockers),
        hint="Follow these remedies and run the same command again, or continue despite them with "
        + " ".join(f"--ignore {finding.id}" for finding in blockers),
    )
