"""What a unit starts: one script for all components, and the files with their environment.

The units name only these, so that an upgrade changes no unit, and root never writes what the account says.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, Mapping, Optional, Sequence, Tuple

from bootstrap.base import smallfile
from bootstrap.services.manager import KERBEROS, Program
from bootstrap.state.home import Home, ReleaseFolder

# Paths below the home.
SCRIPT = "etc/service.sh"
ENVIRONMENT = "etc/services.env"
OWN_ENVIRONMENT = "etc/local.env"
OWN_ENVIRONMENT_TEXT = """\
# Your own variables for every process of this installation, one NAME=value per line: AIRFLOW_CONN_..., ...
# A value is taken as it stands; $ expands nothing, quotes around it are taken off. Check it: airferry doctor
# airferry never changes this file; restart after an edit.
"""
_PARSER = "current/runtime/bootstrap/services/localenv.py"


def own_variables(home: str, python: str) -> str:
    """Lines of sh that export what the admin has in ``local.env``; paths as they are.

    A release that has no parser of its own, before a rollback, has it read by sh.
    """
    file, parser = shlex.quote(f"{home}/{OWN_ENVIRONMENT}"), shlex.quote(f"{home}/{_PARSER}")
    return (
        f"if [ -e {parser} ]; then\n"
        f'    eval "$({shlex.quote(python)} -I -S {parser} {file})"\n'
        f"elif [ -r {file} ]; then\n"
        f"    set -a; . {file}; set +a\n"
        "fi"
    )


@dataclass(frozen=True)
class Launcher:
    """The files in ``etc/``; `variables` are the environment of every component.

    Paths in `release` are written as paths below ``current``, and programs of it run from where that leads:
    Python keeps bytecode by the path that it was started with (PYTHONPYCACHEPREFIX), and what an install has
    compiled is in the release. `by_root` has root's process write the files, where they are root's.
    """

    home: Home
    release: ReleaseFolder
    python: str
    variables: Mapping[str, str]
    by_root: Optional[Callable[[], None]] = None

    def current(self, programs: Sequence[Program]) -> bool:
        """Whether every file is there as it should be."""
        own = self.home.path / OWN_ENVIRONMENT
        return own.exists() and all(
            path.is_file() and path.read_text(encoding="utf-8") == text
            for path, (text, _) in self.files(programs).items()
        )

    def write(self, programs: Sequence[Program]) -> None:
        """Write them, each in one step; the admin's own variables stay."""
        if self.by_root:
            self.by_root()
            return
        own = self.home.path / OWN_ENVIRONMENT
        if not own.exists():
            smallfile.write(own, OWN_ENVIRONMENT_TEXT, 0o600)
        for path, (text, mode) in self.files(programs).items():
            smallfile.write(path, text, mode)

    def files(self, programs: Sequence[Program]) -> Dict[Path, Tuple[str, int]]:
        """Their texts and modes."""
        variables = {name: self._lasting(value) for name, value in self.variables.items()}
        return {
            self.home.path / SCRIPT: (self.script(programs), 0o755),
            self.home.path / ENVIRONMENT: (environment(variables), 0o600),
        }

    def script(self, programs: Sequence[Program]) -> str:
        """The text of the script: ``sh service.sh COMPONENT``."""
        environment_file = shlex.quote(f"{self.home.path}/{ENVIRONMENT}")
        lines = [
            "#!/bin/sh",
            "# Runs one component of this installation in the foreground: sh service.sh COMPONENT.",
            f"# Its environment: {ENVIRONMENT} and {OWN_ENVIRONMENT}. Written by airferry.",
            "set -a",
            f". {environment_file}",
            "set +a",
            own_variables(str(self.home.path), self.python),
            f"home={shlex.quote(str(self.home.path))}",
            'release=$home/$(readlink "$home/current" || echo current)',
            f"python={shlex.quote(self.python)}",
            'relay() { exec "$python" -I -S "$home/current/runtime/bootstrap/services/relay.py" "$@"; }',
            # while an upgrade changes the database, also after a power failure
            "halted() {",
            '    [ ! -e "$home/run/halted" ] || { echo "kept stopped: see airferry status" >&2; exit 75; }',
            "}",
            # systemd names the server that it has started: one that has ended will never be ready
            "alive() {",
            '    [ -z "$MAINPID" ] || kill -0 "$MAINPID" 2>/dev/null || { echo "it has ended" >&2; exit 1; }',
            "}",
            "case $1 in",
        ]
        # always: whether tickets are renewed is not root's to know, who may write this
        log = self.home.own_logs / f"{KERBEROS}.log"
        tickets = Program(KERBEROS, (str(self.home.bin / "airflow"), KERBEROS), log)
        for program in [*(item for item in programs if item.name != KERBEROS), tickets]:
            words = [str(program.log), *self._direct(program.command)]
            wait = "" if program.ready else "halted; "
            lines.append(f"{program.name}) {wait}relay {self._quoted(words)} ;;")
            if program.ready:
                ready = self._quoted(program.ready)
                lines.append(f"{program.name}-ready) until {ready}; do alive; sleep 0.2; done ;;")
        lines += ['*) echo "no component $1" >&2; exit 2 ;;', "esac", ""]
        return "\n".join(lines)

    def _direct(self, command: Sequence[str]) -> Sequence[str]:
        # bin/airflow throws out AIRFLOW_* of whoever calls it, here the admin's own variables
        if command[0] == str(self.home.bin / "airflow"):
            return [str(self.release.python), "-m", "airflow", *command[1:]]
        return command

    def _lasting(self, value: str) -> str:
        return value.replace(f"{self.release.path}/", f"{self.home.current_link}/")

    def _quoted(self, words: Iterable[str]) -> str:
        return " ".join(map(self._word, words))

    def _word(self, word: str) -> str:
        top = f"{self.release.path}/"
        if word.startswith(top):
            return f'"$release"/{shlex.quote(word[len(top) :])}'
        return shlex.quote(self._lasting(word))


def environment(variables: Mapping[str, str]) -> str:
    """The variables as sh reads them, and systemd's EnvironmentFile of older units (systemd.exec(5))."""
    return "# Written by airferry; put your own into local.env.\n" + "".join(
        f'{name}="{_escaped(value)}"\n' for name, value in sorted(variables.items())
    )


def _escaped(value: str) -> str:
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, "\\" + special)
    return value
