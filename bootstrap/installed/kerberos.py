"""Tickets of an installation (Kerberos): what airflow.cfg says, and how kinit is run for it."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional

from bootstrap.airflow import config
from bootstrap.base import process
from bootstrap.installed import in_force
from bootstrap.state.home import Home

# below the home; /tmp is private to most components
KEYTAB, CACHE = "secrets/airflow.keytab", "run/krb5-tickets"
SYSTEM_CONFIG = Path("/etc/krb5.conf")


@dataclass(frozen=True)
class KerberosSettings:
    """Whose tickets are renewed, with which keytab, into which cache, and how often (seconds)."""

    principal: str
    keytab: str
    cache: str
    seconds: int = 3600

    @property
    def name(self) -> str:
        """The principal, with this host's name in the place of _HOST."""
        return self.principal.replace("_HOST", socket.getfqdn())


def settings(home: Home) -> Optional[KerberosSettings]:
    """What airflow.cfg says; None where it names no keytab, or tickets are not switched on."""
    text = in_force.text_of(home.airflow_cfg)

    def get(section: str, option: str) -> str:
        return (config.get(text, section, option) or "").strip()

    if get("core", "security").lower() != "kerberos" or not get("kerberos", "keytab"):
        return None
    seconds = get("kerberos", "reinit_frequency")
    return KerberosSettings(
        get("kerberos", "principal") or "airflow",
        get("kerberos", "keytab"),
        get("kerberos", "ccache") or "/tmp/airflow_krb5_ccache",  # noqa: S108  (Airflow's default)
        int(seconds) if seconds.isdigit() else 3600,
    )


def environment(home: Home) -> Dict[str, str]:
    """That of kinit: with the admin's own KRB5_CONFIG and the like, messages in English."""
    own = {name: value for name, value in in_force.variables(home).items() if name.startswith("KRB5")}
    return process.environment({**own, "LC_ALL": "C"})


def kinit(home: Home) -> str:
    """The program; "" where this host has none."""
    return shutil.which("kinit", path=environment(home)["PATH"]) or ""


def configuration(home: Home) -> Path:
    """The krb5.conf that holds for it."""
    return Path(environment(home).get("KRB5_CONFIG", str(SYSTEM_CONFIG)).partition(":")[0])
