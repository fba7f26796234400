"""What keeps connections from other hosts out: firewalld, ufw or nftables, as far as this account may see."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from bootstrap.base import process
from bootstrap.facts.account import SYSTEM_PATH
from bootstrap.facts.processes import collect as processes
from wheelhouse.errors import AirferryError


@dataclass(frozen=True)
class Firewall:
    """`kind` is firewalld, ufw, nftables or empty (none that is known); `zone` is firewalld's default one.

    `closed` says that it refuses what nobody opened, `ports` are the TCP ports that are open then, as
    ``8080`` or ``8000-8099``; None when this account may not read them.
    """

    kind: str = ""
    zone: str = ""
    closed: bool = True
    ports: Optional[Tuple[str, ...]] = None


def collect(root: Path = Path("/")) -> Firewall:
    """Read the rules of the first firewall that is on; configuration files only, but for nft (as root)."""
    if any(item.kind == "firewalld" for item in processes()):
        return _firewalld(root)
    if re.search(r"^ENABLED=yes", _read(root / "etc/ufw/ufw.conf"), re.MULTILINE | re.IGNORECASE):
        return _ufw(root)
    return _nftables()


def _firewalld(root: Path) -> Firewall:
    try:
        main = (root / "etc/firewalld/firewalld.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Firewall("firewalld")  # the folder is root's
    match = re.search(r"^DefaultZone=(\S+)", main, re.MULTILINE)
    zone = match.group(1) if match else "public"
    text = _first(root, f"zones/{zone}.xml")
    if not text:
        return Firewall("firewalld", zone)
    target = re.search(r"<zone\b[^>]*\btarget=[\"']ACCEPT", text)
    ports = _ports(text)
    for service in _elements(text, "service"):
        ports += _ports(_first(root, f"services/{service.get('name', '')}.xml"))
    return Firewall("firewalld", zone, not target, tuple(ports))


def _first(root: Path, name: str) -> str:
    return _read(root / "etc/firewalld" / name) or _read(root / "usr/lib/firewalld" / name)


def _elements(text: str, name: str) -> List[Dict[str, str]]:
    # firewalld's files are flat; a parser of XML may be missing from a Python compiled by hand
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    found = re.findall(rf"<{name}\s([^>]*?)/?>", text)
    return [dict(re.findall(r"([\w-]+)\s*=\s*[\"']([^\"']*)[\"']", attributes)) for attributes in found]


def _ports(text: str) -> List[str]:
    elements = _elements(text, "port")
    return [item["port"] for item in elements if item.get("port") and item.get("protocol", "tcp") == "tcp"]


def _ufw(root: Path) -> Firewall:
    policy = re.search(r'^DEFAULT_INPUT_POLICY="?(\w+)', _read(root / "etc/default/ufw"), re.MULTILINE)
    closed = not policy or policy.group(1) != "ACCEPT"
    try:
        rules = (root / "etc/ufw/user.rules").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Firewall("ufw", closed=closed)
    # ### tuple ### allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in
    found = re.findall(r"^### tuple ### allow (?:tcp|any) ([\d:,]+|any) .* in", rules, re.MULTILINE)
    ports = [part.replace(":", "-") for item in found for part in item.split(",")]
    return Firewall("ufw", "", closed, tuple("1-65535" if part == "any" else part for part in ports))


def _nftables() -> Firewall:
    program = shutil.which("nft", path=SYSTEM_PATH)
    if not program or os.geteuid() != 0:
        return Firewall(closed=False)
    try:
        said = process.run(
            [program, "list", "ruleset"], what="ask nft for the rules", ok=range(256), timeout=2
        ).stdout
    except AirferryError:
        return Firewall(closed=False)
    if not re.search(r"hook input [^\n]*policy drop", said):
        return Firewall(closed=False)
    ports: List[str] = []
    for item in re.findall(r"tcp dport (\{[^}]*\}|\S+)[^\n]*accept", said):
        ports += [part.strip() for part in item.strip("{} ").split(",")]
    return Firewall("nftables", "", closed=True, ports=tuple(ports))


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""
