"""What starts and guards services here."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bootstrap.facts.account import SYSTEM_PATH


@dataclass(frozen=True)
class InitSystem:
    """`init` is the name of process 1; `systemd` whether it is systemd and answers (sd_booted(3)).

    `user_systemd` says whether this account has its own manager, `linger` whether that outlives its logins.
    """

    init: str = ""
    systemd: bool = False
    systemctl: str = ""
    user_systemd: bool = False
    linger: bool = False


def collect(user: str = "") -> InitSystem:
    """Look at process 1 and the folders of systemd; `user` is the name of the account that asks."""
    init = ""
    with contextlib.suppress(OSError):
        init = Path("/proc/1/comm").read_text(encoding="utf-8", errors="replace").strip()
    return InitSystem(
        init,
        Path("/run/systemd/system").is_dir(),
        shutil.which("systemctl", path=SYSTEM_PATH) or "",
        Path("/run/user", str(os.geteuid()), "systemd/private").exists(),
        bool(user) and Path("/var/lib/systemd/linger", user).exists(),
    )
