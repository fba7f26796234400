"""A closed host with a way out that leads to us: whatever leaves it is caught, and nothing gets further.

In namespaces of their own (network, mounts, host name): a TUN interface holds the default route and the name
server's address, so that every packet not for this host is handed to this program, tun(4) in the kernel's
Documentation/networking/tuntap.rst. Addresses are those for documentation, RFC 5737 and RFC 3849. The host
knows no name but localhost, and its own only on request; it asks the name server for every other.

A route is needed: without one a name is never asked for and connect(2) fails before any packet exists.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.e2e.hosts import Namespace

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000

NAME = "closed-host"
_INTERFACE = "way-out"
_NAME_SERVER = "192.0.2.53"
_FILES = {
    "/etc/resolv.conf": f"nameserver {_NAME_SERVER}\noptions timeout:1 attempts:1\n",
    # no daemon outside may answer for the name server
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
}
_CACHES = ("/run/nscd", "/run/dbus", "/run/systemd/resolve")

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}
_IGMP = 2
# MLD, router and neighbour discovery: the kernel's own, RFC 4861 and RFC 3810.
_DISCOVERY = (*range(130, 138), 143)
_EXTENSIONS = (0, 43, 60)


@dataclass(frozen=True)
class Attempt:
    """Something that a process tried to reach; ``process`` is empty when it had ended already."""

    protocol: str
    address: str
    port: int
    name: str = ""  # asked for, if it is a question to a name server
    process: str = ""

    def __str__(self) -> str:
        asked = f" for the name {self.name}" if self.name else ""
        return (
            f"{self.protocol} {self.address}:{self.port}{asked} by {self.process or 'a process gone by now'}"
        )


class WatchedNamespace(Namespace):
    """Namespaces whose only way out is watched; root only."""

    def __init__(self, *, knows_itself: bool = False) -> None:
        kinds = {"net": _CLONE_NEWNET, "mnt": _CLONE_NEWNS, "uts": _CLONE_NEWUTS}
        hosts = [f"127.0.1.1 {NAME}"] if knows_itself else []
        super().__init__([sys.executable, "-m", "tests.e2e.watch", *hosts], kinds)

    def attempts(self) -> list[Attempt]:
        """All that has been tried since the start, in order, each once."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.write("list\n")
        self._holder.stdin.flush()
        return [Attempt(**item) for item in json.loads(self._holder.stdout.readline())]


def parse(packet: bytes) -> tuple[Attempt, int] | None:
    """What an IP packet tries to reach and its source port; None for the kernel's own discovery."""
    if packet[0] >> 4 == 4:
        number, rest, address = packet[9], packet[(packet[0] & 15) * 4 :], packet[16:20]
    else:
        number, rest, address = packet[6], packet[40:], packet[24:40]
        while number in _EXTENSIONS:
            number, rest = rest[0], rest[rest[1] * 8 + 8 :]
    protocol = _PROTOCOLS.get(number, str(number))
    if number == _IGMP or (protocol == "icmp6" and rest[0] in _DISCOVERY):
        return None
    source = port = 0
    name = ""
    if protocol in ("tcp", "udp"):
        source, port = struct.unpack_from("!HH", rest)
    if protocol == "udp" and port == 53:
        name = question(rest[8:])
    return Attempt(protocol, str(ipaddress.ip_address(address)), port, name), source


def question(message: bytes) -> str:
    """The name that a DNS message asks for, RFC 1035 section 4.1; "" if it is none."""
    labels, rest = [], message[12:]
    while rest and 0 < rest[0] < 64:
        labels.append(rest[1 : rest[0] + 1].decode("ascii", "replace"))
        rest = rest[rest[0] + 1 :]
    return ".".join(labels)


def owner(protocol: str, port: int) -> str:
    """The command line of the process in this network namespace that sends from a port; "" if it is gone."""
    for table in (protocol, f"{protocol}6"):
        path = Path("/proc/self/net", table)
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[9] != "0":
                return holder_of(f"socket:[{fields[9]}]")
    return ""


def holder_of(link: str) -> str:
    """The command lines of the processes that have an open file of that name."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(entry.readlink()) == link for entry in (process / "fd").iterdir()):
                words = (process / "cmdline").read_text(errors="replace").split("\0")
                found.append(" ".join(word for word in words if word)[:300])
        except OSError:
            continue
    return " and ".join(found)


def way_out(hosts: Sequence[str]) -> int:
    """Make the namespaces and the interface; the file from which to read what leaves."""
    files = {**_FILES, "/etc/hosts": "\n".join(("127.0.0.1 localhost", "::1 localhost", *hosts, ""))}
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS | _CLONE_NEWUTS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    socket.sethostname(NAME)
    command("mount", "--make-rprivate", "/")
    with tempfile.TemporaryDirectory() as folder:
        for number, (target, content) in enumerate(files.items()):
            source = Path(folder, str(number))
            source.write_text(content)
            source.chmod(0o644)
            if Path(target).exists():
                command("mount", "--bind", str(source), target)
    for cache in _CACHES:
        if Path(cache).exists():
            command("mount", "-t", "tmpfs", "none", cache)
    wire = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(wire, _TUNSETIFF, struct.pack("16sH22x", _INTERFACE.encode(), _IFF_TUN | _IFF_NO_PI))
    command("ip", "link", "set", "lo", "up")
    command("ip", "address", "add", "192.0.2.2/24", "dev", _INTERFACE)
    command("ip", "link", "set", _INTERFACE, "up")
    command("ip", "route", "add", "default", "dev", _INTERFACE)
    if Path("/proc/sys/net/ipv6").exists():
        command("ip", "-6", "address", "add", "2001:db8::2/64", "dev", _INTERFACE, "nodad")
        command("ip", "-6", "route", "add", "default", "dev", _INTERFACE)
    return wire


def command(*arguments: str) -> None:
    """Run a command; OSError with what it said if it fails."""
    ran = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise OSError(f"{' '.join(arguments)}: {ran.stderr.strip()}")


def main() -> None:
    """Watch until standard input ends; a line there asks for the list, as JSON on one line.

    Arguments are more lines for /etc/hosts.
    """
    try:
        wire = way_out(sys.argv[1:])
    except OSError as error:
        raise SystemExit(str(error)) from error
    print("up", flush=True)
    seen: set[tuple[Attempt, int]] = set()
    attempts: dict[Attempt, None] = {}
    while True:
        ready, _, _ = select.select([wire, sys.stdin], [], [])
        if wire in ready:  # first, so that a list holds all that came before the question
            found = parse(os.read(wire, 65536))
            if found is not None and found not in seen:
                seen.add(found)
                attempt, source = found
                process = owner(attempt.protocol, source) if source else ""
                attempts[replace(attempt, process=process)] = None
        elif not os.read(sys.stdin.fileno(), 4096):
            return
        else:
            print(json.dumps([asdict(attempt) for attempt in attempts]), flush=True)


if __name__ == "__main__":
    main()
