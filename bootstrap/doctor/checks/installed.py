"""An installation that is there: whole, rightly configured, alive, with room to grow."""

from __future__ import annotations

from typing import Callable, Iterator, List, Tuple

from bootstrap.doctor.checks import (
    airflow_cfg,
    cluster,
    components,
    configuration,
    directory,
    files,
    growth,
    kerberos,
    login,
    mail,
    metadata,
    tls,
)
from bootstrap.doctor.finding import Finding, gathered
from bootstrap.examination.installed import Installed

CHECKS: Tuple[Callable[[Installed], Iterator[Finding]], ...] = (
    files.unfinished,
    files.check,
    configuration.check,
    airflow_cfg.of_installation,
    login.check,
    tls.check,
    directory.check,
    mail.check,
    kerberos.check,
    components.check,
    components.running,
    components.ports,
    metadata.check,
    growth.check,
    growth.backups,
    cluster.check,
)


def check(
    installed: Installed, checks: Tuple[Callable[[Installed], Iterator[Finding]], ...] = CHECKS
) -> List[Finding]:
    """Everything about an installation; a check that fails is itself a finding."""
    return gathered([(one, (installed,)) for one in checks], installed.failures)
