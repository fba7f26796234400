"""Names and proxies: what a program here finds when it looks for its own host."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Tuple

RESOLVE_SECONDS = 1.0  # a healthy lookup takes milliseconds; doctor has 1.5 s in all
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")


@dataclass(frozen=True)
class Lookup:
    """A name and the addresses that it resolves to; `error` when it does not, or not in time."""

    name: str
    addresses: Tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""
    timed_out: bool = False


@dataclass(frozen=True)
class Network:
    """`own` is this host's own name, `proxies` the names of the proxy variables that are set (no values).

    `no_proxy_local` says whether NO_PROXY exempts 127.0.0.1 and localhost; `loopback` why a connection from
    127.0.0.1 to itself fails, empty when it does not.
    """

    own: Lookup
    localhost: Lookup
    nameservers: int = 0
    proxies: Tuple[str, ...] = ()
    no_proxy_local: bool = False
    loopback: str = ""


def collect(environ: Optional[Mapping[str, str]] = None, seconds: float = RESOLVE_SECONDS) -> Network:
    """Look up this host's name and localhost, for at most `seconds`, and read the proxy variables."""
    environ = os.environ if environ is None else environ
    own, localhost = _lookups((socket.gethostname(), "localhost"), seconds)
    exempt = {
        item.strip().lower().rpartition("://")[2]
        for name in ("no_proxy", "NO_PROXY")
        for item in environ.get(name, "").split(",")
    }
    return Network(
        own,
        localhost,
        _nameservers(),
        tuple(sorted(name for name in environ if name.lower() in PROXIES and environ[name])),
        "*" in exempt or {"127.0.0.1", "localhost"} <= exempt,
        _loopback(),
    )


def _lookups(names: Tuple[str, ...], seconds: float) -> List[Lookup]:
    """Look the names up at the same time.

    The C library has no time limit of ours (10 s and more where DNS is a black hole), and cannot be stopped:
    the threads are left behind, and do not keep the process alive.
    """
    answers: List[Optional[Lookup]] = [None] * len(names)

    def ask(index: int, name: str) -> None:
        started = time.monotonic()
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            addresses = tuple(sorted({str(item[4][0]) for item in found}))
            answers[index] = Lookup(name, addresses, round(time.monotonic() - started, 3))
        except (OSError, UnicodeError) as error:
            answers[index] = Lookup(name, (), round(time.monotonic() - started, 3), str(error))

    threads = [
        threading.Thread(target=ask, args=(index, name), daemon=True) for index, name in enumerate(names)
    ]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {seconds:g} s"
    return [
        answer or Lookup(name, (), seconds, late, timed_out=True)
        for name, answer in zip(names, list(answers))
    ]


def is_found(name: str, seconds: float = RESOLVE_SECONDS) -> bool:
    """Whether this host finds an address for a name in time; an address is one."""
    return bool(_lookups((name,), seconds)[0].addresses)


def _nameservers() -> int:
    try:
        text = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return sum(line.split()[:1] == ["nameserver"] for line in text.splitlines())


def _loopback() -> str:
    try:
        with socket.socket() as server, socket.socket() as client:
            server.bind(("127.0.0.1", 0))
            server.listen(1)
            client.settimeout(RESOLVE_SECONDS)
            client.connect(server.getsockname())
    except OSError as error:
        return str(error)
    return ""


def address_for_others(fib: Path = Path("/proc/net/fib_trie"), hosts: Path = Path("/etc/hosts")) -> str:
    """An IPv4 address of this host at which other machines may reach it; empty when it has none.

    What /etc/hosts has for its own name comes first, then the kernel's list of local addresses. Nothing
    is sent, no DNS server is asked.
    """
    found: List[str] = []
    with contextlib.suppress(OSError):
        words = [line.partition("#")[0].split() for line in hosts.read_text("utf-8", "replace").splitlines()]
        found += [line[0] for line in words if socket.gethostname() in line[1:] and "." in line[0]]
    with contextlib.suppress(OSError):
        lines = [line.split() for line in fib.read_text(encoding="ascii").splitlines()]
        found += [before[1] for before, line in zip(lines, lines[1:]) if line == ["/32", "host", "LOCAL"]]
    return next((address for address in found if not address.startswith(("127.", "0."))), "")
