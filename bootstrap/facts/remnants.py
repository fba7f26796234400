"""What starts an old Airflow or tells it something: units, crontab lines, variables of a profile."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from bootstrap.base import account as accounts
from bootstrap.base import process
from bootstrap.base.process import CommandFailed

UNITS = (
    "/etc/systemd/system/*.service",
    "/usr/lib/systemd/system/*.service",
    "/lib/systemd/system/*.service",
    "~/.config/systemd/user/*.service",
)
# of accounts, on Debian and elsewhere
SPOOLS = ("/var/spool/cron/crontabs/*", "/var/spool/cron/*")
CRONTABS = ("/etc/crontab", "/etc/cron.d/*", *SPOOLS)
PROFILES = (
    "/etc/environment", "/etc/profile", "/etc/profile.d/*.sh", "/etc/bash.bashrc", "/etc/bashrc",
    "~/.profile", "~/.bash_profile", "~/.bash_login", "~/.bashrc", "~/.zshrc",
    "/etc/default/airflow*", "/etc/sysconfig/airflow*",
)  # fmt: skip
_LARGEST = 1 << 20
_COMMAND = re.compile(r"(^|[/\s;&|\"'])airflow\s+[a-z]|(?:-m)\s+airflow\b")
_ASSIGNED = re.compile(r"""^\s*(?:export\s+)?(AIRFLOW_[A-Z0-9_]+)=(.*)$""")
_OURS = "airferry"


@dataclass(frozen=True)
class Remnant:
    """A unit, crontab line or line of a profile (`kind`): `what` it says, and the `commands` that end it."""

    kind: str
    path: str
    what: str
    commands: Tuple[str, ...]


def collect(home: Path, person: str) -> Iterator[Remnant]:
    """Everything of the old home's, or of an Airflow whose home is not told; `person` is its owner's home."""
    yield from _units(home, person)
    yield from _crontabs(home, person)
    yield from _profiles(home, person)


def _units(home: Path, person: str) -> Iterator[Remnant]:
    seen = set()
    for path, text in _texts(UNITS, person):
        started = [line for line in _lines(text) if line.startswith("Exec")]
        if _OURS in text or not _concerns(text, home) or not any(map(_COMMAND.search, started)):
            continue
        if os.path.realpath(path) in seen:
            continue
        seen.add(os.path.realpath(path))
        user = "--user " if "/.config/systemd/user/" in path else ""
        name = shlex.quote(Path(path).name)
        every = name.replace("@.service", "@*.service")
        commands = (
            # of a template only its instances run
            *([f"systemctl {user}stop {shlex.quote(every)}"] if every != name else []),
            f"systemctl {user}disable {'--now ' if every == name else ''}{name}",
            f"rm {shlex.quote(path)}",
            f"systemctl {user}daemon-reload",
        )
        what = next((line for line in started if _COMMAND.search(line)), "")
        yield Remnant("unit", path, what, commands)


def _crontabs(home: Path, person: str) -> Iterator[Remnant]:
    for path, text in _texts(CRONTABS, person):
        for number, line in enumerate(text.splitlines(), 1):
            if _starts(line, home):
                spool = path.startswith("/var/spool/")
                edit = f"crontab -u {shlex.quote(Path(path).name)} -e" if spool else _without(path, number)
                yield Remnant("crontab", f"{path}:{number}", line.strip(), (edit,))

    yield from _own_crontab(home)


def _own_crontab(home: Path) -> Iterator[Remnant]:
    """The crontab of the account that looks: it cannot list the spool folder, crontab(1) can."""
    name = accounts.current().name
    if any(os.access(f"{pattern[:-1]}{name}", os.R_OK) for pattern in SPOOLS):
        return  # it was read there
    program = shutil.which("crontab", path=accounts.SYSTEM_PATH)
    if program is None:
        return
    with contextlib.suppress(CommandFailed):
        text = process.run([program, "-l"], what="read its crontab", timeout=10).stdout
        for number, line in enumerate(text.splitlines(), 1):
            if _starts(line, home):
                edit = f"crontab -u {shlex.quote(name)} -e"
                yield Remnant("crontab", f"crontab of {name}:{number}", line.strip(), (edit,))


def _starts(line: str, home: Path) -> bool:
    """Whether a line of a crontab has to do with that home."""
    if line.lstrip().startswith("#") or _OURS in line:
        return False
    return bool(_COMMAND.search(line) or str(home) in line or _ASSIGNED.match(line))


def _profiles(home: Path, person: str) -> Iterator[Remnant]:
    for path, text in _texts(PROFILES, person):
        for number, line in enumerate(text.splitlines(), 1):
            found = _ASSIGNED.match(line)
            if found and _OURS not in line and _is_of(found[1], _expanded(found[2], person), home, text):
                name = found[1]
                yield Remnant("profile", f"{path}:{number}", f"{name}=...", (_without(path, number),))


def variables_of(home: Path, person: str) -> Iterator[Tuple[str, str]]:
    """Variables of units and profiles that the old Airflow is started with: they win over its airflow.cfg."""
    for _, text in _texts(PROFILES, person):
        if _concerns(text, home):
            yield from _assigned(text.splitlines())
    for _, text in _texts(UNITS, person):
        lines = _lines(text)
        if _OURS in text or not _concerns(text, home) or not any(_COMMAND.search(line) for line in lines):
            continue
        for line in lines:
            key, _, value = line.partition("=")
            if key.strip() == "EnvironmentFile":
                name = value.strip().lstrip("-").replace("%h", person)
                for _, more in _texts((glob.escape(name),), person):
                    yield from _assigned(more.splitlines())
            elif key.strip() == "Environment":
                with contextlib.suppress(ValueError):
                    yield from _assigned(shlex.split(value.replace("%%", "%")))


def _assigned(lines: Sequence[str]) -> Iterator[Tuple[str, str]]:
    for line in lines:
        found = _ASSIGNED.match(line)
        if found:
            with contextlib.suppress(ValueError):
                words = shlex.split(found[2], comments=True)
                yield found[1], words[0] if words else ""


def _expanded(value: str, person: str) -> str:
    """A value as its owner's shell reads it: the quick start of Airflow has ``AIRFLOW_HOME=~/airflow``."""
    value = value.strip().strip("\"'")
    value = person + value[1:] if value.startswith("~/") else value
    return value.replace("${HOME}", person).replace("$HOME", person)


def _is_of(name: str, value: str, home: Path, text: str) -> bool:
    return str(home) in value if name == "AIRFLOW_HOME" else _concerns(text, home)


def _concerns(text: str, home: Path) -> bool:
    """Whether it names this home, or no other one."""
    named = re.findall(r"AIRFLOW_HOME=[\"']?([^\s\"']+)", text)
    return str(home) in text or not named or any("$" in item or item.startswith("~") for item in named)


def _without(path: str, number: int) -> str:
    return f"sed -i.bak '{number}d' {shlex.quote(path)}"


def _lines(text: str) -> List[str]:
    """The lines of a unit, continued ones joined."""
    return [
        line.strip()
        for line in text.replace("\\\n", " ").splitlines()
        if not line.strip().startswith(("#", ";"))
    ]


def _texts(patterns: Sequence[str], person: str) -> Iterator[Tuple[str, str]]:
    for pattern in patterns:
        named = pattern.replace("~", glob.escape(person), 1) if pattern.startswith("~") else pattern
        for path in sorted(glob.glob(named)):  # noqa: PTH207
            with contextlib.suppress(OSError):
                if os.stat(path).st_size <= _LARGEST and os.path.isfile(path):  # noqa: PTH113, PTH116
                    yield path, Path(path).read_text(encoding="utf-8", errors="replace")
