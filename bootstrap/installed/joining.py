"""A host that becomes a worker: what it chooses, and whether its join file fits the bundle."""

from __future__ import annotations

import os
import time
from typing import Optional

from bootstrap.airflow.executor import CELERY_WORKER, EDGE_WORKER
from bootstrap.installed.options import InvalidOption, Options, parallelism
from bootstrap.python import choice
from bootstrap.state import neighbours, receipt
from bootstrap.state import receipt as receipts
from bootstrap.state.cluster import NAME, Join, JoinFileRefused
from bootstrap.state.receipt import NO_DATABASE, WORKER, Database, Receipt
from wheelhouse import __version__, timestamp
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle


def check(options: Options, manifest: Manifest) -> None:
    """Raise JoinFileRefused for a file that has ended or is for other versions, InvalidOption without one."""
    join = options.join
    if join is None:
        earlier = receipt.find(options.home.receipt)
        if options.queues and not (earlier and earlier.role == WORKER):
            raise InvalidOption("--queue is for a worker.", needed="--join FILE beside it")
        return
    bad = [name for name in options.queues if not NAME.fullmatch(name)]
    if bad:
        raise InvalidOption(f"--queue {bad[0]!r} is no queue.", needed="letters, digits, . _ and -")
    again = f"on {join.host}: bin/airferry workers invite {join.name} --out FILE"
    if timestamp.parse(join.until).timestamp() < time.time():
        raise JoinFileRefused(
            f"This join file of {join.host} has ended.",
            found=f"it was taken until {join.until}; here it is {timestamp.now()}",
            needed="a newer one, or a clock that is right",
            hint=f"Make it again {again}",
        )
    here = {package.name: package.version for package in manifest.packages}
    differing = [
        f"{name}: {version} on the head, {here.get(name) or 'missing'} in this file"
        for name, version in join.packages.items()
        if here.get(name) != version
    ]
    if join.airflow != manifest.airflow or differing:
        raise JoinFileRefused(
            f"This bundle is not what {join.host} runs.",
            found="\n".join(differing) or f"Airflow {join.airflow} there, {manifest.airflow} here",
            needed=f"the bundle file that the head was installed from ({join.bundle_id})",
            hint="Copy that file here. After an upgrade of the head, its workers follow with the new one.",
        )


def _same_role(options: Options, earlier: Optional[Receipt]) -> None:
    """A head does not become a worker, nor a worker a head; raises :class:`InvalidOption`."""
    if earlier is None or options.join is None or earlier.role == WORKER:
        return
    raise InvalidOption(
        f"{options.home.path} holds a whole Airflow, not a worker.",
        needed="a home of its own for a worker",
        hint="Name another one with --home (and --name), or uninstall this one first: bin/airferry uninstall"
        " --purge",
    )


def _executor(join: Optional[Join], earlier: Optional[Receipt]) -> str:
    """The row of what a worker runs."""
    if join is None:
        assert earlier is not None, "without a join file it was a worker before"
        return earlier.executor
    return CELERY_WORKER.name if join.engine == "celery" else EDGE_WORKER.name


def choose(options: Options, bundle: Bundle, earlier: Optional[Receipt]) -> Receipt:
    """The choices of a worker: it has no database, no pages and no ports of its own."""
    _same_role(options, earlier)
    manifest, join = bundle.manifest, options.join
    given = (
        (options.port, "--port"), (options.host, "--host"), (options.postgres_port, "--postgres-port"),
        (options.postgres or options.external, "--postgres"), (options.auth, "--auth"),
        (options.admin_user, "--admin-user"), (options.admin_password_file, "--admin-password-file"),
    )  # fmt: skip
    strange = [name for value, name in given if value]
    if strange:
        raise InvalidOption(
            f"A worker has no {', '.join(strange)}.",
            needed="--join with --concurrency, --queue, --home, --account and --service",
        )
    same_bundle = earlier is not None and earlier.bundle_id == manifest.bundle_id
    python = choice.settle(options.python, bundle, options.home, earlier)
    return Receipt(
        schema=receipts.SCHEMA,
        airferry=__version__,
        airflow=manifest.airflow,
        bundle_id=manifest.bundle_id,
        bundle_file=bundle.path.name,
        bundle_sha256=bundle.seal.sha256,
        python=python.path,
        python_from=python.origin,
        home=str(options.home.path),
        account=options.account or (earlier.account if earlier else options.account_name),
        web_host="",
        web_port=0,
        log_port=0,
        trigger_log_port=0,
        parallelism=options.parallelism or (earlier.parallelism if earlier else parallelism()),
        auth="",
        admin_user="",
        database=Database("", 0, "", "", "", kind=NO_DATABASE),
        services="",
        library_path=os.environ.get("LD_LIBRARY_PATH", "") or (earlier.library_path if earlier else ""),
        started=earlier.started if earlier else timestamp.now(),
        completed=earlier.completed if earlier and same_bundle and not join and not earlier.removed else "",
        name=neighbours.name(options.home.path, options.name or "", earlier.name if earlier else ""),
        role=WORKER,
        owner=receipts.ROOT if os.geteuid() == 0 else receipts.ACCOUNT,
        executor=_executor(join, earlier),
        ignored=earlier.ignored if earlier else (),
        added=earlier.added if earlier and same_bundle else (),
        previous=earlier.bundle_id if earlier and not same_bundle else earlier.previous if earlier else "",
    )
