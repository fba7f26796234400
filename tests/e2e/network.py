"""Several closed hosts on this machine: network namespaces on one bridge, with names and no route out."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.hosts import Host, Namespace

# TEST-NET-1 (RFC 5737)
_PREFIX = "192.0.2"


class Network:
    """A bridge in a namespace of its own, and a namespace on it for each name; needs root and ``ip``."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.label = f"af{os.getpid()}"
        self.problem = "not root" if os.geteuid() else "" if shutil.which("ip") else "no program ip"
        if not self.problem:
            try:
                self._make()
            except subprocess.CalledProcessError as error:
                self.problem = str(error.stderr or error)
                self.close()

    def _make(self) -> None:
        bridge = self.space("switch")
        _ip("netns", "add", bridge)
        _ip("-n", bridge, "link", "add", "br0", "type", "bridge")
        _ip("-n", bridge, "link", "set", "br0", "up")
        hosts = "127.0.0.1 localhost\n" + "".join(f"{self.address(name)} {name}\n" for name in self.names)
        for name in self.names:
            space = self.space(name)
            _ip("netns", "add", space)
            pair = ("type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("-n", bridge, "link", "add", f"v-{name}", *pair)
            _ip("-n", bridge, "link", "set", f"v-{name}", "master", "br0", "up")
            for device in ("lo", "eth0"):
                _ip("-n", space, "link", "set", device, "up")
            _ip("-n", space, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            folder = Path("/etc/netns", space)
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(hosts)
            (folder / "resolv.conf").write_text("")

    def space(self, name: str) -> str:
        """The namespace of a host."""
        return f"{self.label}-{name}"

    def address(self, name: str) -> str:
        """The address of a host."""
        return f"{_PREFIX}.{11 + self.names.index(name)}"

    def cut(self, name: str) -> None:
        """Take a host off the network; what is open hangs."""
        _ip("-n", self.space("switch"), "link", "set", f"v-{name}", "down")

    def heal(self, name: str) -> None:
        """Put it back."""
        _ip("-n", self.space("switch"), "link", "set", f"v-{name}", "up")

    def kill(self, name: str) -> None:
        """The power of a host fails: every process there is killed at once."""
        asked = ["ip", "netns", "pids", self.space(name)]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
        subprocess.run(["kill", "-9", *found.stdout.split()], check=False, capture_output=True)

    def close(self) -> None:
        """End what runs there, and remove it."""
        for name in (*self.names, "switch"):
            self.kill(name)
            subprocess.run(["ip", "netns", "del", self.space(name)], check=False, capture_output=True)
            shutil.rmtree(Path("/etc/netns", self.space(name)), ignore_errors=True)


@dataclass
class Member(Host):
    """A host on a network, as one ordinary account sees it."""

    network: Network | None = None
    name: str = ""

    def command(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command there."""
        assert self.network is not None
        enter = ["ip", "netns", "exec", self.network.space(self.name), "unshare", "--uts", "sh", "-c"]
        become = 'exec setpriv --reuid="$uid" --regid="$gid" --clear-groups -- "$@"'
        words = [
            *enter,
            f'name=$0; uid=$1; gid=$2; shift 2; hostname "$name" && {become}',
            self.name,
            str(self.uid),
            str(self.gid),
            *(str(argument) for argument in arguments),
        ]
        return subprocess.Popen(
            words,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environment},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def members(network: Network, python: str, folder: Path, environment: dict[str, str]) -> dict[str, Member]:
    """The hosts of a network, each with a folder of its own, as the account nobody."""
    nobody = pwd.getpwnam("nobody")
    found = {}
    for name in network.names:
        place = folder / name
        place.mkdir(exist_ok=True)
        os.chown(place, nobody.pw_uid, nobody.pw_gid)
        namespace = _unused()
        found[name] = Member(
            place, python, nobody.pw_uid, nobody.pw_gid, namespace, environment, network=network, name=name
        )
    return found


def _unused() -> Namespace:
    # a member enters its own by ip(8)
    return Namespace.__new__(Namespace)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
