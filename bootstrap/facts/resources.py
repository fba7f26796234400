"""Memory, processors and limits, with those of the control group that this process is in."""

from __future__ import annotations

import contextlib
import math
import os
import re
import resource
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, Optional

from bootstrap.facts.access import Gate

WRITABLE = 0o003  # what others need to make files in a folder
_UNLIMITED = 1 << 60  # control groups v1 write a number near 2**63 for "no limit"


@dataclass(frozen=True)
class Resources:
    """Sizes in bytes; a limit of None means that there is none. `cpus` is what this process may use.

    `shared_memory` is the size of /dev/shm, None when it is not there or not writable for this account;
    `shared_gate` is its mode and owner where others may not write to it.
    `processes` is ``ulimit -u``, `group_processes` the control group's limit (pids.max, threads count);
    `file_size` is how long a file may get (``ulimit -f``), `address_space` what one process may map
    (``ulimit -v``).
    """

    memory: int
    available: int
    swap: int
    cpus: int
    memory_limit: Optional[int] = None
    cpu_limit: Optional[float] = None
    open_files: Optional[int] = None
    processes: Optional[int] = None
    shared_memory: Optional[int] = None
    group_processes: Optional[int] = None
    file_size: Optional[int] = None
    address_space: Optional[int] = None
    shared_gate: Optional[Gate] = None

    @property
    def usable_memory(self) -> int:
        """Memory of the host, or of the control group when that is less."""
        return min(self.memory, self.memory_limit) if self.memory_limit else self.memory

    @property
    def usable_cpus(self) -> int:
        """Processors that can be busy at the same time, at least one."""
        limit = math.ceil(self.cpu_limit) if self.cpu_limit else self.cpus
        return max(1, min(self.cpus, limit))

    @property
    def default_parallelism(self) -> int:
        """Tasks at once: two a processor, and no more than half the memory carries (0.1 GB a worker)."""
        return max(2, min(2 * self.usable_cpus, int(self.usable_memory / 2 / 1e8), 32))


def collect() -> Resources:
    """Read /proc, the control groups and the limits of this process."""
    memory = _meminfo()
    shared = None
    with contextlib.suppress(OSError):
        room = os.statvfs("/dev/shm")  # noqa: S108  (only looked at)
        if os.access("/dev/shm", os.W_OK):  # noqa: S108
            shared = room.f_blocks * room.f_frsize
    return Resources(
        memory=memory.get("MemTotal", 0),
        available=memory.get("MemAvailable", memory.get("MemFree", 0)),
        swap=memory.get("SwapFree", 0),
        cpus=len(os.sched_getaffinity(0)),
        memory_limit=_memory_limit(),
        cpu_limit=_cpu_limit(),
        open_files=_limit(resource.RLIMIT_NOFILE),
        processes=_limit(resource.RLIMIT_NPROC),
        shared_memory=shared,
        group_processes=_process_limit(),
        file_size=_limit(resource.RLIMIT_FSIZE),
        address_space=_limit(resource.RLIMIT_AS),
        shared_gate=_shared_gate(),
    )


def _shared_gate() -> Optional[Gate]:
    with contextlib.suppress(OSError):
        status = os.stat("/dev/shm")  # noqa: PTH116, S108  (only looked at)
        if status.st_mode & WRITABLE != WRITABLE:
            return Gate("/dev/shm", stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)  # noqa: S108
    return None


def _meminfo() -> Dict[str, int]:
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    return {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}


def _limit(kind: int) -> Optional[int]:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the control group of this process and those above it (cgroups(7)), v2 or v1."""
    text = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            root = Path("/sys/fs/cgroup", controller)
        elif not controllers:
            root = Path("/sys/fs/cgroup")
        else:
            continue
        folder = root / path.lstrip("/")
        # inside a container the path is the host's and may not be there; the root then is the container's
        yield from (group for group in (folder, *folder.parents) if group == root or root in group.parents)


def _memory_limit() -> Optional[int]:
    found = []
    with contextlib.suppress(OSError):
        for group in _groups("memory"):
            for name in ("memory.max", "memory.limit_in_bytes"):
                with contextlib.suppress(OSError, ValueError):  # "max" is no number
                    found.append(int((group / name).read_text(encoding="ascii")))
    limit = min(found, default=_UNLIMITED)
    return limit if limit < _UNLIMITED else None


def _process_limit() -> Optional[int]:
    found = []
    with contextlib.suppress(OSError):
        for group in _groups("pids"):
            with contextlib.suppress(OSError, ValueError):  # "max" is no number
                found.append(int((group / "pids.max").read_text(encoding="ascii")))
    return min(found, default=None)


def _cpu_limit() -> Optional[float]:
    found = []
    with contextlib.suppress(OSError):
        for group in _groups("cpu"):
            with contextlib.suppress(OSError, ValueError):
                quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
                found.append(int(quota) / int(period))
            with contextlib.suppress(OSError, ValueError):
                quota, period = (
                    (group / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period")
                )
                if int(quota) > 0:
                    found.append(int(quota) / int(period))
    return min(found, default=None)
