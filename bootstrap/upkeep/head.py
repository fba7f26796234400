"""A host that becomes the head of workers, or no longer is one: its settings, its keys, a restart."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Tuple

from bootstrap.airflow import config
from bootstrap.airflow.executor import LOCAL
from bootstrap.base import channel, secret
from bootstrap.base.lock import held
from bootstrap.cluster import dags
from bootstrap.cluster.celery import CELERY
from bootstrap.cluster.engine import EngineUnusable, Way, of_cluster, row, usable
from bootstrap.facts.network import address_for_others
from bootstrap.installed import crew, meeting
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import is_host
from bootstrap.site import certificates
from bootstrap.state import cluster as clusters
from bootstrap.state import plan, receipt
from bootstrap.state.cluster import HeadRecord, Invited
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress, Step
from bootstrap.state.receipt import HEAD, Receipt
from bootstrap.steps.airflow import StartStep
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.database import ClusterStep, DatabaseStep
from bootstrap.steps.meeting import MeetingStep
from bootstrap.steps.services import ServicesStep
from bootstrap.upkeep import meetings
from bootstrap.upkeep.meetings import NO_BROKER, BrokerAsked
from bootstrap.upkeep.workers import WorkerRefused, base_of, join_of

# A key of HS512 is as long as its hash (RFC 7518, 3.2).
_KEY_LENGTH = 64


@dataclass(frozen=True)
class Enabled:
    """Workers may join: `base` is the head's web address for them, `ways` what must be open between hosts."""

    engine: str
    base: str
    executors: str
    done: Tuple[str, ...]
    ways: Tuple[Way, ...] = ()


@dataclass(frozen=True)
class Rotated:
    """The `keys` are new; the `workers` need a new join file each."""

    keys: Tuple[str, ...]
    workers: Tuple[str, ...]


def enable(
    installation: Installation,
    name: str,
    progress: Progress,
    *,
    address: str = "",
    spread: bool = False,
    shared: Optional[Path] = None,
    broker: BrokerAsked = NO_BROKER,
) -> Enabled:
    """Let workers join: settings, a restart, and the address asked as a worker would ask it.

    `shared` is a folder of DAG files that lies on all hosts at the same path. Raises EngineUnusable,
    BrokerUnusable, :class:`WorkerRefused`, and whatever a step raises; the same again continues.
    """
    if installation.receipt.role != HEAD:
        raise WorkerRefused("This host is a worker itself.", hint="Give this command on its head.")
    engine = usable(name, installation.version, crew.packages(installation))
    executors = row(engine, installation.version, spread=spread)
    earlier = clusters.find(installation.home)
    reached = address or (earlier.address if earlier else "") or _own_address(installation)
    _check_address(reached)
    _check_certificate(installation, reached)
    if shared:
        _check_shared(installation, shared)
    home, found = installation.home, installation.receipt
    with held(home.lock), Journal(home.journal).recorded("workers", do="enable", engine=name):
        before = clusters.find(home)
        if before and before.engine != name:
            # what one engine has opened and keeps is closed and removed before another begins
            raise WorkerRefused(
                f"The workers here run with {before.engine}.",
                found=", ".join(crew.names(before)) or "no worker",
                hint="bin/airferry workers remove NAME for each, then bin/airferry workers disable, then this"
                " command again.",
            )
        kept = before or HeadRecord(clusters.SCHEMA, uuid.uuid4().hex[:12], name, reached, found.web_port)
        changed = replace(kept, engine=name, address=reached, port=found.web_port, spread=spread)
        if shared:
            changed = replace(changed, dags=str(shared))
        if name == CELERY.name:
            changed = meetings.settle(installation, changed, broker, progress)
        if changed != before:
            clusters.save(home, changed)
        chosen = replace(found, executor=executors)
        if chosen != found:
            _choose_executor(chosen)
        here = replace(installation, receipt=chosen)
        done = plan.execute(_steps(here, changed), progress, Journal(home.journal))
        dags.write_pinned(here.folders.pipelines, crew.names(changed), engine.executor)
        with progress.step(f"Ask the head at {reached} as a worker would"):
            _ask(here, changed)
    names = tuple(item.name for item in done)
    return Enabled(name, base_of(here, changed), chosen.executor, names, meeting.ways(here, changed))


def _steps(here: Installation, cluster: HeadRecord) -> List[Step]:
    """The steps of a head: with Celery its PostgreSQL listens for workers, and has a table for them."""
    steps: List[Step] = [ServicesStep(here)]
    if cluster.engine == CELERY.name:
        dags.write_modules(here.home.path)
        if here.servers:
            steps += [ClusterStep(here), DatabaseStep(here)]
        steps += [MeetingStep(here)]
    return [*steps, ConfigurationStep(here), StartStep(here)]


def _choose_executor(chosen: Receipt) -> None:
    """Save the receipt with its other executor, or have root do it where it is root's."""
    if chosen.is_roots and channel.available():
        channel.ask("executor", executor=chosen.executor)
    else:
        receipt.save(Home(Path(chosen.home)).receipt, chosen)


def _own_address(installation: Installation) -> str:
    """An address of this host that workers can use; raises :class:`WorkerRefused` where there is none."""
    host = installation.receipt.web_host
    if host.startswith("127.") or host in ("localhost", "::1"):
        raise WorkerRefused(
            "The web server listens on this host alone; workers could not reach it.",
            found=f"--host {host}",
            needed="an address that other hosts reach",
            hint=f"sh {installation.receipt.bundle_file} install --home {installation.receipt.home}"
            " --host 0.0.0.0, then this command again.",
        )
    everywhere = host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
    found = address_for_others() if everywhere else host
    if not found:
        raise WorkerRefused(
            "This host has no address that others could use.",
            hint="Name the one that workers reach: bin/airferry workers enable edge --address NAME",
        )
    return found


def _check_address(reached: str) -> None:
    """See that it is a name or an address, and not of each host itself; raises :class:`WorkerRefused`."""
    here = reached.startswith("127.") or reached in ("localhost", "::1")
    if is_host(reached) and not here:
        return
    raise WorkerRefused(
        f"Workers cannot reach this host at {reached}.",
        found="on each worker that is the worker itself" if here else "no name and no address of a host",
        needed="--address with a name or an address alone, such as head.example: no http://, no port",
    )


def _check_certificate(installation: Installation, reached: str) -> None:
    """See that the certificate is for the address that workers use; raises :class:`WorkerRefused`."""
    path = installation.web.certificate
    if not path:
        return
    known = certificates.names(path)
    if known and not certificates.covers(known, reached):
        raise WorkerRefused(
            f"The web server's certificate is not for {reached}: workers would refuse it.",
            found=f"it is for {', '.join(known)}",
            needed=f"one that names {reached}, or an address that it names",
            hint="Give one of those names with --address. Or name this one first:"
            f" {installation.home.bin}/airferry site url https://{reached}:{installation.receipt.web_port},"
            " and then site tls --self-signed, or site tls with a certificate of yours.",
        )


def _check_shared(installation: Installation, folder: Path) -> None:
    """See that the account can write DAG files there; raises :class:`WorkerRefused`."""
    if folder.is_dir() and os.access(str(folder), os.R_OK | os.W_OK | os.X_OK):
        return
    raise WorkerRefused(
        f"{folder} cannot be the folder of DAG files.",
        found="it cannot be written" if folder.is_dir() else "no such folder",
        needed=f"a folder that {installation.receipt.account} can write, which each worker has at this path",
        hint="Mount it on this host and on every worker first.",
    )


def _ask(installation: Installation, cluster: HeadRecord) -> None:
    """The question that only the right key may ask, at the address that workers are told."""
    found = meeting.look(installation, join_of(installation, cluster, Invited("nobody", ("nobody",), "")))
    if found.accepted and (found.database or found.broker):
        raise EngineUnusable(
            f"Workers would not get through: {found.problem}.",
            hint="Is it an address of this host that its own firewall lets through? From which networks"
            " workers come is said with --network ADDRESS/BITS.",
        )
    if not found.accepted or found.error:
        raise EngineUnusable(
            f"The web server does not serve workers at {base_of(installation, cluster)}: {found.problem}.",
            needed="an answer for workers",
            hint="Is it an address of this host that its own firewall lets through? Name another with"
            f" --address. Its log: {installation.home.own_logs}/api-server.log",
        )


def rotate_keys(installation: Installation, progress: Progress) -> Rotated:
    """Give the head new keys of those that workers have; raises :class:`WorkerRefused` while one runs a task.

    Every token ends with the old key: whoever is logged in has to do so again.
    """
    home = installation.home
    if clusters.load(home).engine != "edge":
        raise WorkerRefused(
            "The keys of workers with Celery are not changed by this command yet.",
            found="the broker's password is the site's; the others are in secrets/",
            needed="a change by hand",
            hint="Change the broker's password there, then bin/airferry workers enable celery --broker URL,"
            " and invite every worker again.",
        )
    found = crew.look(installation)
    busy = [f"{item.name} ({item.running})" for item in found.workers if item.alive and item.running]
    if busy:
        raise WorkerRefused(
            f"Tasks run on workers: {', '.join(busy)}. With another key they could not report their end.",
            hint="bin/airferry workers drain NAME waits for them.",
        )
    with held(home.lock), Journal(home.journal).recorded("workers", do="rotate-keys"):
        cluster = clusters.load(home)
        found_keys = of_cluster(cluster).keys(installation.version.numbers, own_server=True)
        keys = tuple(found_keys.values())
        # first: interrupted after the new keys, nothing would write them to airflow.cfg
        ManagedSettings(installation).forget(*(name.replace("-", "_") for name in keys))
        for name in keys:
            secret.write(home.secrets / name, secret.generate(_KEY_LENGTH))
        steps: List[Step] = [ConfigurationStep(installation), StartStep(installation)]
        plan.execute(steps, progress, Journal(home.journal))
    return Rotated(keys, tuple(item.name for item in found.workers))


def disable(installation: Installation, progress: Progress) -> Enabled:
    """Back to tasks on this host alone; raises :class:`WorkerRefused` while a worker lives."""
    home, found = installation.home, installation.receipt
    alive = [item.name for item in crew.look(installation).workers if item.alive]
    if alive:
        raise WorkerRefused(
            f"Workers still run: {', '.join(alive)}.",
            hint="End them first: on each of those hosts bin/airferry uninstall",
        )
    with held(home.lock), Journal(home.journal).recorded("workers", do="disable"):
        before = clusters.load(home)
        chosen = replace(found, executor=LOCAL.name)
        _choose_executor(chosen)
        here = replace(installation, receipt=chosen)
        _close(here)
        steps: List[Step] = [ServicesStep(here)]
        if before.engine == CELERY.name and here.servers:
            clusters.save(home, replace(before, networks=()))  # PostgreSQL listens on this host alone again
            steps += [ClusterStep(here), DatabaseStep(here)]
        steps += [ConfigurationStep(here), StartStep(here)]
        done = plan.execute(steps, progress, Journal(home.journal))
        for path in sorted(dags.pinned_folder(here.folders.pipelines).glob("airferry_workers.*")):
            path.unlink()
        clusters.head_file(home).unlink()
        for path in (clusters.broker_file(home), clusters.broker_authorities_file(home)):
            path.unlink(missing_ok=True)
    return Enabled("", "", chosen.executor, tuple(item.name for item in done))


def _close(installation: Installation) -> None:
    """Take what was for workers out of airflow.cfg: their API is served no longer."""
    path, cluster = installation.home.airflow_cfg, clusters.load(installation.home)
    text = config.read(path)
    met = meeting.of_head(installation, cluster)
    for item in of_cluster(cluster).head_settings(base_of(installation, cluster), cluster, *met):
        text = config.remove(text, item.section, item.option)
    config.write(path, text)
