"""Memory, shared memory and limits."""

from __future__ import annotations

from typing import Iterator

from bootstrap.base.console import size_text
from bootstrap.doctor.access import closed, service_user
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.resources import WRITABLE, Resources

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
        yield Finding(
            "shared-memory-missing", BLOCKER, found, f"a writable /dev/shm of {size_text(_SHARED)} and more",
            "Mount it; a container gets it from its runtime (--shm-size).",
            ("mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm",), needs_root=True,
        )  # fmt: skip
    if resources.open_files is not None and resources.open_files < _OPEN_FILES:
        yield Finding(
            "open-files-low", WARNING, f"{resources.open_files} (ulimit -n)", f"{_OPEN_FILES}",
            "Raise nofile for the account in /etc/security/limits.conf.", needs_root=True,
        )  # fmt: skip
    least = _PROCESSES + 2 * needs.parallelism
    if resources.processes is not None and resources.processes < least:
        yield Finding(
            "processes-low", WARNING, f"{resources.processes} (ulimit -u)", f"{least}",
            "Raise nproc for the account in /etc/security/limits.conf.", needs_root=True,
        )  # fmt: skip
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
        yield Finding(
            "group-processes-low", WARNING, f"{resources.group_processes} (pids.max of the control group)",
            f"{least} processes and threads", "Raise it where this container or service is defined"
            " (--pids-limit, TasksMax=), or let fewer tasks run at the same time with --parallelism.",
            needs_root=True,
        )  # fmt: skip
    if resources.file_size is not None and resources.file_size < _FILE_BEST:
        yield Finding(
            "file-size-limited", BLOCKER if resources.file_size < _FILE_LEAST else WARNING,
            f"{size_text(resources.file_size)} (ulimit -f)", "files of any length",
            "Take the limit away for the account in /etc/security/limits.conf (fsize).", needs_root=True,
        )  # fmt: skip
    if resources.address_space is not None and resources.address_space < _ADDRESSES:
        yield Finding(
            "address-space-limited", WARNING, f"{size_text(resources.address_space)} (ulimit -v)",
            f"{size_text(_ADDRESSES)} and more for each process",
            "Take the limit away for the account in /etc/security/limits.conf (as).", needs_root=True,
        )  # fmt: skip
    if resources.usable_cpus < 2:
        yield Finding("cpu-single", NOTE, f"{resources.usable_cpus} CPU")


def _memory(resources: Resources, needs: Needs) -> Iterator[Finding]:
    usable = resources.usable_memory
    limited = " (limit of the control group)" if usable < resources.memory else ""
    found = f"{size_text(usable)}{limited}, {size_text(resources.available)} of the host's available"
    wanted = f"{size_text(needs.memory)} for {needs.parallelism} tasks at the same time"
    fewer = "Give the host more memory, or let fewer tasks run at the same time with --parallelism."
    if 0 < usable < needs.memory_least:
        yield Finding("memory-short", BLOCKER, found, wanted, "Give the host more memory.")
    elif 0 < usable < needs.memory or resources.available + resources.swap < needs.memory:
        yield Finding("memory-low", WARNING, found, wanted, fewer)
    else:
        cpus = resources.usable_cpus
        yield Finding(
            "resources-ok", OK, f"{size_text(usable)} of memory{limited}, {cpus} CPU{'s' if cpus > 1 else ''}"
        )
