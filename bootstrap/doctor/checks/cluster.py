"""Several hosts: a worker's way to its head, and a head's workers."""

from __future__ import annotations

from typing import Iterable, Iterator

from bootstrap.base import duration
from bootstrap.cluster.broker import is_clear
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination.cluster import OfWorker
from bootstrap.examination.installed import Installed
from bootstrap.installed.crew import Crew
from bootstrap.installed.refusals import WorkerRefusal

HEAD_OK = Entry("head-ok", OK, "The head answers, and takes what this worker signs")
HEAD_UNKNOWN = Entry(
    "head-unknown",
    BLOCKER,
    "The head's name is not known on this host",
    "A worker asks its head for every task; nothing runs here without that.",
)
HEAD_SILENT = Entry(
    "head-silent",
    BLOCKER,
    "The head does not answer",
    "A worker asks its head for every task, and each task reports to it every few seconds. Cut off, a task"
    " ends itself after four minutes, before the head gives it to another worker.",
)
HEAD_REFUSES = Entry(
    "head-refuses",
    BLOCKER,
    "The head refuses this worker's key",
    "Both sides must have the same jwt-secret; after a change of it, every worker needs a new join file.",
)
HEAD_CLOCK = Entry(
    "head-clock",
    BLOCKER,
    "The clock differs from the head's",
    "What a worker signs holds for seconds: by a clock that is off, the head refuses it, and logs of tasks"
    " are out of order.",
)
HEAD_DIFFERS = Entry(
    "head-differs",
    BLOCKER,
    "This worker runs other versions than its head",
    "The head refuses a worker of another version.",
)
WORKER_DAGS_BROKEN = Entry(
    "worker-dags-broken",
    WARNING,
    "DAG files cannot be imported on this worker",
    "A task runs the file of its own host: what the head can import may lack a module, a folder or a right"
    " here. Such a task is tried again every minute, and fails after three times.",
)
WORKER_DAGS_OK = Entry("worker-dags-ok", OK, "Every DAG file can be imported on this worker")
CLUSTER_PORTS = Entry(
    "cluster-ports",
    NOTE,
    "What must be open between the hosts",
    "A firewall between them must let this through, in this direction, and nothing else.",
)
HEAD_DATABASE = Entry(
    "head-database",
    BLOCKER,
    "The head's database does not let this worker in",
    "A worker with Celery stores the results of its tasks there, and one of Airflow 2 everything.",
)
BROKER_SILENT = Entry(
    "broker-silent",
    BLOCKER,
    "The broker cannot be used from this host",
    "With Celery every task goes through it. While it is away tasks wait; what a broker without a store on"
    " disk has held is sent again after ten minutes.",
)
WORKER_LOGS = Entry(
    "worker-logs",
    WARNING,
    "The logs of a worker cannot be read from here",
    "With Celery a worker keeps the logs of its tasks and serves them to the head: it must know the worker's"
    " name, and reach that port.",
)
BROKER_CLEAR = Entry(
    "broker-clear",
    WARNING,
    "The way to the broker is not encrypted",
    "Others on that network can read which tasks run, with their parameters, and the broker's password, with"
    " which they can have workers run tasks.",
)
WORKERS_OK = Entry("workers-ok", OK, "The workers report to this head")
WORKER_LOST = Entry(
    "worker-lost",
    WARNING,
    "A worker has not been heard of",
    "Tasks that ran there count as running for five minutes more, then they are tried again elsewhere."
    " Airflow's own health says nothing of workers.",
)
WORKER_DIFFERS = Entry(
    "worker-differs",
    WARNING,
    "A worker runs other versions than this head",
    "It is refused, or tasks behave otherwise there.",
)
WORKER_DRIFTS = Entry(
    "worker-drifts",
    WARNING,
    "A worker has other DAG files, or another bundle",
    "A task runs the file of its own host. Where it is missing, the task is tried again every minute, and"
    " fails after three times.",
)
WORKER_REFUSED = Entry(
    "worker-refused",
    WARNING,
    "The head has refused a worker",
    "A worker is told that it is refused, and not why: that stands in the head's log alone. It is another"
    " key, or a clock that is off.",
)
QUEUE_STARVES = Entry(
    "queue-starves",
    WARNING,
    "Tasks wait in a queue that no worker serves",
    "Nothing fails for ten minutes; then Airflow takes them for lost and tries again.",
)


def check(installed: Installed) -> Iterator[Finding]:
    """Whichever of the two this host is."""
    found = installed.cluster
    if found is None:
        return
    if found.ways:
        yield CLUSTER_PORTS.found(
            "\n".join(f"{way.source} to {way.target}, port {way.port}: {way.purpose}" for way in found.ways)
        )
    if found.worker:
        yield from _worker(installed, found.worker)
    if found.head:
        yield from _refused(installed, found.refused)
        yield from _head(installed, found.head)


def _worker(installed: Installed, found: OfWorker) -> Iterator[Finding]:
    link = found.link
    if link.error and not link.resolved:
        yield HEAD_UNKNOWN.found(
            link.error,
            needed=f"an address for the name in {found.base}",
            remedy="Add a line to /etc/hosts: ADDRESS NAME",
            needs_root=True,
        )
    elif link.error:
        yield HEAD_SILENT.found(
            f"{link.error} ({', '.join(link.resolved)})",
            needed=f"an answer at {found.base}",
            remedy=f"On {found.host}: bin/airferry status. Is that port open for this host in every firewall"
            " between them?",
        )
    elif link.clock_off:
        yield HEAD_CLOCK.found(
            link.problem,
            needed="at most 10 s",
            remedy="Set this host's clock, or have both follow one source (chrony).",
            needs_root=True,
        )
    elif not link.accepted:
        yield HEAD_REFUSES.found(
            link.problem,
            needed=f"the same key as on {found.host}",
            remedy="Make a new join file there, bring it here, and install with it. The head's reason is told"
            f" by its doctor: bin/airferry doctor on {found.host}.",
            commands=(f"bin/airferry workers invite {found.name} --out {found.name}.join",),
        )
    else:
        past = f", past the proxy of {', '.join(found.proxies)}" if found.proxies else ""
        yield HEAD_OK.found(f"{found.host} ({found.base}){past}")
    if installed.dag_imports:
        yield WORKER_DAGS_BROKEN.found(
            "\n".join(item.text for item in installed.dag_imports),
            needed="files that this host can import, as the head can",
            remedy="Bring what is missing here: the head's DAG files (bin/airferry dags receive FILE), its"
            " add-ons (bin/airferry add FILE), or what the file reads on this host.",
        )
    elif installed.dag_imports is not None:
        yield WORKER_DAGS_OK.found(found.dags_folder)
    if link.database:
        yield HEAD_DATABASE.found(
            link.database,
            needed="a login there",
            remedy=f"On {found.host}: is this host on a network that it lets workers in from?",
            commands=("bin/airferry workers enable celery --network ADDRESS/BITS",),
        )
    if link.broker:
        yield BROKER_SILENT.found(
            link.broker,
            needed="an answer of the broker",
            remedy="Is it up, and is its port open for this host? After a change of its password this worker"
            f" needs a new join file of {found.host}.",
        )
    if found.differing:
        yield HEAD_DIFFERS.found(
            "\n".join(found.differing),
            needed=f"the bundle that {found.host} was installed from",
            remedy="Install here from that file: sh FILE install. Where this host was upgraded and the head"
            " has gone back: bin/airferry rollback.",
        )


def _refused(installed: Installed, refused: Iterable[WorkerRefusal]) -> Iterator[Finding]:
    for item in refused:
        clock = any(word in item.reason for word in ("clock", "future", "expired"))
        yield WORKER_REFUSED.found(
            f"{item.name}, {item.times} times within ten minutes, last at {item.time}: {item.reason}",
            needed="a clock that agrees to ten seconds" if clock else "the key that this head has",
            remedy="Set the clock on that host, or have both follow one source (chrony)."
            if clock
            else f"Bring a new join file there, and install with it. If {item.name} is no worker of yours,"
            " another host has this head's address.",
            commands=()
            if clock
            else (f"{command(installed)} workers invite {item.name} --out {item.name}.join",),
        )


def _head(installed: Installed, found: Crew) -> Iterator[Finding]:
    own = command(installed)
    lost = [item for item in found.workers if not item.good and not item.differing]
    for item in lost:
        yield WORKER_LOST.found(
            f"{item.name}: {item.state}, heard of {duration.text(round(max(item.age, 0)))} ago,"
            f" {item.running} tasks ran there",
            needed="a report every 10 s",
            remedy="Look on that host: bin/airferry doctor. If it is gone for good:"
            f" {own} workers remove {item.name}",
        )
    for item in found.workers:
        if item.differing:
            yield WORKER_DIFFERS.found(
                f"{item.name}: {', '.join(item.differing)}",
                needed="the same versions as here",
                remedy="Install on that host from this head's bundle file: sh FILE install.",
            )
        if item.alive and item.drifting:
            yield WORKER_DRIFTS.found(
                f"{item.name}: other {' and '.join(item.drifting)} than here",
                needed="the same on every host",
                remedy="Carry the DAG files there (there: bin/airferry dags receive FILE), and install from"
                " this head's bundle file where that differs.",
                commands=(f"{own} dags push --out dags.tar.gz",) if "DAG files" in item.drifting else (),
            )
    for item in found.workers:
        if item.logs:
            yield WORKER_LOGS.found(
                f"{item.name}: {item.logs}",
                needed="an open port, and an address for that name",
                remedy="A line in /etc/hosts here, ADDRESS NAME; the port open in every firewall between.",
                needs_root=True,
            )
    if found.broker_problem:
        yield BROKER_SILENT.found(
            found.broker_problem,
            needed=f"an answer at {found.broker}",
            remedy="Start it again, or open its port for this host. After a change of its password or place:",
            commands=(f"{own} workers enable celery --broker URL --broker-password-file FILE",),
        )
    elif is_clear(found.broker):
        yield BROKER_CLEAR.found(
            found.broker,
            needed="rediss:// or amqps://",
            remedy="Have the broker speak TLS, then enable it anew; every worker needs a new join file then.",
            commands=(f"{own} workers enable celery --broker URL",),
        )
    for waiting in found.starving:
        yield QUEUE_STARVES.found(
            f"{waiting.queue}: {waiting.tasks} tasks, the first for {duration.text(round(waiting.seconds))}",
            needed="a live worker for that queue",
            remedy=f"{own} workers shows who serves which. Start one, or correct the queue in its DAG file.",
        )
    if not lost and not found.starving and found.workers:
        yield WORKERS_OK.found(", ".join(f"{item.name} {item.state}" for item in found.workers))
