"""Letting doctor look at this machine, as it is or as a command makes it, and reading what it says."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bootstrap.doctor.finding import Report
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.run import diagnose
from bootstrap.facts.host import Facts, Request, collect
from wheelhouse import codec

ROOT = Path(__file__).resolve().parents[2]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts, accounts, namespaces")


def asked(needs: Needs) -> Request:
    ports = tuple(port.number for port in needs.ports)
    return Request(needs.home, needs.python, needs.interpreter, ports, needs.account)


def examine(needs: Needs) -> Report:
    """Collect this host's facts and judge them."""
    facts = collect(asked(needs))
    assert facts.failures == ()
    return diagnose(facts, needs)


def blockers(report: Report) -> set[str]:
    # the tests may well run as root without a service account, on which they do not depend
    return {finding.id for finding in report.blockers} - {"account-root", "account-unnamed"}


def ids(report: Report) -> set[str]:
    return {finding.id for finding in report.findings}


def found(report: Report, identifier: str) -> str:
    return next(finding.found for finding in report.findings if finding.id == identifier)


_APART = """
import json, sys
from bootstrap.facts import host
from wheelhouse import codec
request = codec.loads(host.Request, sys.argv[1])
sys.stdout.write(codec.dumps(host.collect(request)))
"""


def examine_apart(needs: Needs, command: Sequence[str]) -> Report:
    """Collect the facts in a process that `command` starts, and judge them."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [*command, sys.executable, "-X", "utf8", "-c", _APART, codec.dumps(asked(needs))],
        capture_output=True, text=True, env=environment, check=False, timeout=60,
    )  # fmt: skip
    if result.returncode != 0 and "not permitted" in result.stderr:
        pytest.skip(f"no namespaces here: {result.stderr.strip()}")
    assert result.returncode == 0, result.stderr
    facts = codec.loads(Facts, result.stdout)
    assert facts.failures == ()
    return diagnose(facts, needs)


@contextlib.contextmanager
def being(uid: int) -> Iterator[None]:
    """Be another user for a while."""
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(uid, uid, 0)
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


def memory_group(limit: int) -> contextlib.AbstractContextManager[Path]:
    """A control group of its own, of version 2 or 1, with that much memory."""
    return control_group("memory", "memory.max", limit, "memory.limit_in_bytes")


@contextlib.contextmanager
def control_group(controller: str, setting: str, limit: int, old_setting: str = "") -> Iterator[Path]:
    """A control group of its own, of version 2 or 1, in which a setting has that value."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        old = controller in controllers.split(",")
        if controllers and not old:
            continue
        root = Path("/sys/fs/cgroup", controller if old else "")
        group = Path(f"{root}{path.rstrip('/')}", f"airferry-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        with contextlib.suppress(OSError):
            (group / (old_setting or setting if old else setting)).write_text(str(limit))
            if (group / "cgroup.procs").exists():
                yield group
                group.rmdir()
                return
        with contextlib.suppress(OSError):
            group.rmdir()
    pytest.skip(f"no control group for {controller} can be made here")
