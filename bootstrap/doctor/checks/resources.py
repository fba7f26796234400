"""Memory, shared memory and limits."""

from __future__ import annotations

from typing import Iterator

from bootstrap.base.console import size_text
from bootstrap.doctor.access import closed, service_user
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.resources import WRITABLE, Resources

RESOURCES_OK = Entry("resources-ok", OK, "There is enough memory")
MEMORY_SHORT = Entry(
    "memory-short",
    BLOCKER,
    "Too little memory",
    "The kernel kills processes of Airflow or PostgreSQL as soon as a task runs.",
)
MEMORY_LOW = Entry(
    "memory-low",
    WARNING,
    "Little memory",
    "With LocalExecutor each task that runs at the same time is a process of its own.",
)
SHARED_MEMORY_MISSING = Entry(
    "shared-memory-missing",
    BLOCKER,
    "There is no shared memory",
    "PostgreSQL and LocalExecutor keep queues and semaphores in /dev/shm.",
)
OPEN_FILES_LOW = Entry(
    "open-files-low",
    WARNING,
    "Few files may be open at the same time",
    "The web server and PostgreSQL need several hundred.",
)
PROCESSES_LOW = Entry(
    "processes-low",
    WARNING,
    "Few processes may run at the same time",
    "Airflow's components, its workers and PostgreSQL's connections are a process each.",
)
CPU_SINGLE = Entry(
    "cpu-single",
    NOTE,
    "There is only one processor",
    "Scheduler, web server, PostgreSQL and tasks share it: the start takes a minute, not seconds.",
)
GROUP_PROCESSES_LOW = Entry(
    "group-processes-low",
    WARNING,
    "A control group allows few processes",
    "Components, workers and PostgreSQL's connections are processes, and threads count too: at the limit"
    " tasks fail with 'can't start new thread' or 'Resource temporarily unavailable'.",
)
FILE_SIZE_LIMITED = Entry(
    "file-size-limited",
    BLOCKER,
    "The size of files is limited",
    "A longer file is truncated and its program killed (SIGXFSZ): libraries do not unpack, PostgreSQL stops"
    " at a large table, logs end.",
)
ADDRESS_SPACE_LIMITED = Entry(
    "address-space-limited",
    WARNING,
    "The memory that a process may map is limited",
    "Airflow maps more than it uses: 'Cannot allocate memory' comes long before memory is short.",
)

_OPEN_FILES = 1024
_PROCESSES = 100
_SHARED = 16_000_000
_THREADS = 200  # of a running installation without tasks, threads counted
_FILE_LEAST = 100_000_000  # the longest file of a bundle is a library of 60 MB
_FILE_BEST = 1 << 30  # PostgreSQL keeps a table in files of 1 GiB
_ADDRESSES = 4_000_000_000


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Memory of the host or of the control group, then the limits."""
    resources = facts.resources
    if resources is None:
        return
    yield from _memory(resources, needs)
    found = _shared(facts, resources, needs)
    if found:
        yield SHARED_MEMORY_MISSING.found(
            found,
            needed=f"a writable /dev/shm of {size_text(_SHARED)} and more",
            remedy="Mount it; a container gets it from its runtime (--shm-size).",
            commands=("mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm",),
            needs_root=True,
        )
    if resources.open_files is not None and resources.open_files < _OPEN_FILES:
        yield OPEN_FILES_LOW.found(
            f"{resources.open_files} (ulimit -n)",
            needed=f"{_OPEN_FILES}",
            remedy="Raise nofile for the account in /etc/security/limits.conf.",
            needs_root=True,
        )
    least = _PROCESSES + 2 * needs.parallelism
    if resources.processes is not None and resources.processes < least:
        yield PROCESSES_LOW.found(
            f"{resources.processes} (ulimit -u)",
            needed=f"{least}",
            remedy="Raise nproc for the account in /etc/security/limits.conf.",
            needs_root=True,
        )
    yield from _limits(resources, needs)


def _shared(facts: Facts, resources: Resources, needs: Needs) -> str:
    """What is wrong with /dev/shm for the account that runs everything; empty when nothing is."""
    if resources.shared_memory is None:
        return "no /dev/shm that can be written to"
    if resources.shared_memory < _SHARED:
        return size_text(resources.shared_memory)
    gate, (_, user) = resources.shared_gate, service_user(facts, needs.account)
    if gate and closed([gate], user, WRITABLE):
        return f"{gate.path} (mode {gate.mode:04o}), which {needs.account} cannot write to"
    return ""


def _limits(resources: Resources, needs: Needs) -> Iterator[Finding]:
    """Limits that nobody expects: they are set by a container, or by a login."""
    least = _THREADS + 4 * needs.parallelism
    if resources.group_processes is not None and resources.group_processes < least:
        yield GROUP_PROCESSES_LOW.found(
            f"{resources.group_processes} (pids.max of the control group)",
            needed=f"{least} processes and threads",
            remedy="Raise it where this container or service is defined"
            " (--pids-limit, TasksMax=), or let fewer tasks run at the same time with --parallelism.",
            needs_root=True,
        )
    if resources.file_size is not None and resources.file_size < _FILE_BEST:
        yield FILE_SIZE_LIMITED.found(
            f"{size_text(resources.file_size)} (ulimit -f)",
            needed="files of any length",
            remedy="Remove the limit for the account in /etc/security/limits.conf (fsize).",
            needs_root=True,
            severity=BLOCKER if resources.file_size < _FILE_LEAST else WARNING,
        )
    if resources.address_space is not None and resources.address_space < _ADDRESSES:
        yield ADDRESS_SPACE_LIMITED.found(
            f"{size_text(resources.address_space)} (ulimit -v)",
            needed=f"{size_text(_ADDRESSES)} and more for each process",
            remedy="Remove the limit for the account in /etc/security/limits.conf (as).",
            needs_root=True,
        )
    if resources.usable_cpus < 2:
        yield CPU_SINGLE.found(f"{resources.usable_cpus} CPU")


def _memory(resources: Resources, needs: Needs) -> Iterator[Finding]:
    usable = resources.usable_memory
    limited = " (limit of the control group)" if usable < resources.memory else ""
    found = f"{size_text(usable)}{limited}, {size_text(resources.available)} of the host's available"
    wanted = f"{size_text(needs.memory)} for {needs.parallelism} tasks at the same time"
    fewer = "Give the host more memory, or let fewer tasks run at the same time with --parallelism."
    if 0 < usable < needs.memory_least:
        yield MEMORY_SHORT.found(found, needed=wanted, remedy="Give the host more memory.")
    elif 0 < usable < needs.memory or resources.available + resources.swap < needs.memory:
        yield MEMORY_LOW.found(found, needed=wanted, remedy=fewer)
    else:
        cpus = resources.usable_cpus
        yield RESOURCES_OK.found(
            f"{size_text(usable)} of memory{limited}, {cpus} CPU{'s' if cpus > 1 else ''}"
        )
