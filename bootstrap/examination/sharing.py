"""What an installation shares with others on this host: its ports, and who has them."""

from __future__ import annotations

import glob
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from bootstrap.facts import airflows, ports
from bootstrap.facts.ports import PortState
from bootstrap.installed.installation import POSTGRES, Installation
from bootstrap.state.receipt import Receipt


@dataclass(frozen=True)
class Other:
    """Another installation of airferry's, by its receipt: the ports that it uses, by their purpose."""

    home: str
    ports: Dict[str, int]


@dataclass(frozen=True)
class Sharing:
    """`own` are this installation's ports by purpose, `held` who has each of them now.

    `holders` are the components that use them, by purpose.
    """

    own: Dict[str, int]
    held: Tuple[PortState, ...] = ()
    others: Tuple[Other, ...] = ()
    holders: Dict[str, str] = field(default_factory=dict)


def collect(installation: Installation, environ: Optional[Mapping[str, str]] = None) -> Sharing:
    """Read the receipts of the other homes in the usual places and beside this one."""
    environ = os.environ if environ is None else environ
    own = _ports(installation.receipt)
    patterns = [glob.escape(str(installation.home.path.parent)) + "/*", *airflows.HOMES]
    home = glob.escape(environ.get("HOME") or "/nonexistent")
    found: Dict[str, Other] = {}
    seen: List[str] = [os.path.realpath(installation.home.path)]
    for pattern in patterns:
        for path in glob.iglob(f"{pattern.replace('~', home, 1)}/receipt.json"):  # noqa: PTH207  (never raises)
            folder = os.path.realpath(Path(path).parent)
            if folder not in seen:
                seen.append(folder)
                other = _other(Path(path))
                if other:
                    found[folder] = other
    holders = {
        "web server": installation.version.web_component,
        "PostgreSQL": POSTGRES,
        **{server.purpose: server.component for server in installation.executor.log_servers},
    }
    return Sharing(own, ports.collect(list(own.values())), tuple(found.values()), holders)


def _ports(receipt: Receipt) -> Dict[str, int]:
    found = {
        "web server": receipt.web_port,
        "task logs": receipt.log_port,
        "trigger logs": receipt.trigger_log_port,
    }
    if receipt.database.kind == "private":
        found["PostgreSQL"] = receipt.database.port
    return found


def _other(path: Path) -> Optional[Other]:
    """Another version may have written it: only the ports are read, and only if they are there."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        numbers = {
            "web server": data["web_port"],
            "task logs": data["log_port"],
            "trigger logs": data["trigger_log_port"],
            "PostgreSQL": data["database"]["port"],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Other(str(path.parent), {name: int(number) for name, number in numbers.items()})
