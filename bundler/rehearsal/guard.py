"""The guard of a rehearsal where no network namespace is to be had: loopback alone, for Python.

Runs on the closed side's Python (3.8 or newer), by itself: as a program it guards itself and runs a bundle,
and puts a copy of itself into every virtual environment that the bundle makes. It is weaker than a namespace:
what compiled code connects to by itself, it does not see.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import runpy
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

_MODULE = "airferry_rehearsal_guard"
_VENVS = "releases/*/*/lib/python3*/site-packages"


def arm() -> None:
    """Refuse from now on, in this process and those it forks: as a host without a network does."""
    sys.addaudithook(_audit)


def is_near(host: object) -> bool:
    """Whether a host, as sockets take it, is this machine's loopback or nothing at all."""
    address = _address(host)
    if address is None:
        return host in (None, "", b"", "localhost", b"localhost")
    return address.is_loopback or address.is_unspecified


def _address(host: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        # the address of a Unix socket is text or bytes, and None stands for one that is connected
        address = arguments[1]
        if isinstance(address, tuple) and not is_near(address[0]):
            raise OSError(errno.ENETUNREACH, f"{os.strerror(errno.ENETUNREACH)} (rehearsal)")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
        # a host without a network knows its own name, and no other; an address has not to be looked up
        if not is_near(host) and _address(host) is None and host != socket.gethostname():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution (rehearsal)")


def _plant(home: Path) -> None:
    """Put the guard into every virtual environment below `home`; site(3) runs the line in a .pth file."""
    for folder in home.glob(_VENVS):
        path = folder / f"{_MODULE}.pth"
        if not path.exists():
            shutil.copyfile(__file__, str(folder / f"{_MODULE}.py"))
            path.write_text(f"import {_MODULE}; {_MODULE}.arm()\n", encoding="ascii")


def main(arguments: list[str]) -> None:
    """``guard.py HOME FILE ARGUMENT...``: run a bundle that installs to HOME."""
    home, file = arguments[:2]

    def watch(event: str, _: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            _plant(Path(home))

    sys.addaudithook(watch)
    arm()
    sys.argv = [file, *arguments[2:]]
    runpy.run_path(file, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
