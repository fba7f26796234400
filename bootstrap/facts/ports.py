"""TCP ports: free, or held by whom."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Sequence, Tuple

from bootstrap.facts.processes import user_of

_LISTEN = "0A"


@dataclass(frozen=True)
class PortState:
    """`state` is free, held, denied (below 1024 for an ordinary account) or unknown.

    `loopback` says whether 127.0.0.1 alone is still to be had. `user` and `process` (``postgres (pid 812)``)
    name the holder as far as this account may see it.
    """

    number: int
    state: str
    loopback: bool
    user: str = ""
    process: str = ""


def collect(numbers: Sequence[int]) -> Tuple[PortState, ...]:
    """Try to take each port for a moment, as a server would, and ask /proc who holds it if that fails."""
    return tuple(_port(number) for number in sorted(set(numbers)))


def _port(number: int) -> PortState:
    everywhere, loopback = _bind("0.0.0.0", number), _bind("127.0.0.1", number)  # noqa: S104
    user, process = _holder(number) if "held" in (everywhere, loopback) else ("", "")
    return PortState(number, everywhere, loopback == "free", user, process)


def _bind(address: str, number: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: connections in TIME_WAIT do not count, a listening socket does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, number))
            # Another socket may be bound there with SO_REUSEADDR and listen: only listening shows it.
            probe.listen(1)
        except OSError as error:
            return {errno.EADDRINUSE: "held", errno.EACCES: "denied"}.get(error.errno or 0, "unknown")
        except OverflowError:
            return "unknown"
    return "free"


def _holder(number: int) -> Tuple[str, str]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == number:
                    return user_of(int(fields[7])), _process(fields[9])
    return "", ""


def _process(inode: str) -> str:
    """The process that has the socket `inode` open; others' processes show it only to root."""
    wanted = f"socket:[{inode}]"
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for descriptor in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) == wanted:
                        name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
                        return f"{name} (pid {folder.name})"
    return ""


def by_number(ports: Sequence[PortState]) -> Dict[int, PortState]:
    """The ports under their numbers."""
    return {port.number: port for port in ports}
