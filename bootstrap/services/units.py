"""The text of systemd's units for one installation (systemd.unit(5), .service(5), .exec(5), .kill(5)).

They hold no secret, no path that changes with an upgrade, and nothing that the service account could choose
but its own home: root writes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

from bootstrap.airflow.executor import COMPONENTS, SERVING, Executor, executor_of
from bootstrap.services.launcher import SCRIPT
from bootstrap.services.manager import KERBEROS, POSTGRES, WATCHDOG, stop_seconds
from bootstrap.state.receipt import LOCAL_EXECUTOR

# The components that may be asked for, of every release.
KNOWN = (POSTGRES, *COMPONENTS, KERBEROS, WATCHDOG)
_HOMES = ("/home", "/root", "/run/user")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
# In EnvironmentFile these would be a pattern, in others the end of a word.
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f\\\"'*?\[\]{}]|^\s|\s$")


@dataclass(frozen=True)
class Layout:
    """What the units of an installation depend on.

    `account` is empty for units of the account's own manager. `components` are Airflow's, in the order in
    which they start, and the watchdog; with `postgres` the database server is ours as well. `executor` runs
    the tasks.
    """

    name: str
    home: str
    account: str
    components: Tuple[str, ...]
    postgres: bool
    executor: str = LOCAL_EXECUTOR

    @property
    def runs_tasks(self) -> Executor:
        """What runs the tasks."""
        return executor_of(self.executor)

    @property
    def target(self) -> str:
        """The unit that stands for all."""
        return f"airferry-{self.name}.target"

    @property
    def names(self) -> Tuple[str, ...]:
        """Every component, the server first."""
        return (*((POSTGRES,) if self.postgres else ()), *self.components)

    def unit(self, component: str) -> str:
        """The unit of a component."""
        return f"airferry-{self.name}-{component}.service"


def problem(layout: Layout) -> str:
    """Why units for this installation cannot be written; empty when they can."""
    if not _NAME.fullmatch(layout.name):
        return f"the name {layout.name!r} has characters other than small letters, digits, - and _"
    if not Path(layout.home).is_absolute() or _UNUSABLE.search(layout.home):
        return f"systemd cannot take the path {layout.home!r} in all places"
    if layout.account and not _ACCOUNT.fullmatch(layout.account):
        return f"systemd does not support the account name {layout.account!r}"
    unknown = [name for name in layout.components if name not in KNOWN[1:]]
    return f"no such component: {', '.join(unknown)}" if unknown else ""


def render(layout: Layout) -> Dict[str, str]:
    """The units by file name; `layout` has no :func:`problem`."""
    texts = {layout.target: _target(layout)}
    texts.update({layout.unit(name): _service(layout, name) for name in layout.names})
    return texts


def mark(home: str) -> str:
    """The line by which a unit is known to belong to the installation in `home`."""
    return f"# airferry: {home}"


def _target(layout: Layout) -> str:
    wanted = "multi-user.target" if layout.account else "default.target"
    return _text(
        layout,
        [
            "[Unit]",
            f"Description=Airflow ({layout.name}): all components",
            "",
            "[Install]",
            f"WantedBy={wanted}",
        ],
    )


def _service(layout: Layout, name: str) -> str:
    home = _value(layout.home)
    what = "PostgreSQL of Airflow" if name == POSTGRES else "Airflow"
    command = f"ExecStart=/bin/sh {_word(layout.home + '/' + SCRIPT)} "
    lines = [
        "[Unit]",
        f"Description={what} ({layout.name}): {name}",
        f"PartOf={layout.target}",
        *_order(layout, name),
        f"RequiresMountsFor={_path(layout.home)}",
        f"AssertPathExists={_value(layout.home)}/{SCRIPT}",
        "# A remote database may be unavailable for hours; components recover by themselves when it is back.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=simple",
        *([f"User={layout.account}"] if layout.account else []),
        f"WorkingDirectory={home}",
        "# The script reads its environment itself: process 1 opens nothing of the account's.",
        command + name,
    ]
    if name == POSTGRES:
        lines += [
            "# Started means that it accepts connections; after a power failure it recovers first.",
            command.replace("ExecStart=", "ExecStartPost=") + f"{name}-ready",
            "TimeoutStartSec=600",
            "# Fast shutdown: it does not wait for clients to disconnect.",
            "KillSignal=SIGINT",
        ]
    lines += [
        "# The stop signal goes to the component only; processes that are left when it has ended are killed.",
        "KillMode=mixed",
        f"TimeoutStopSec={stop_seconds(name, layout.runs_tasks)}",
        "# A component never exits by itself: a clean exit is a failure, too.",
        "Restart=on-failure",
        "RestartForceExitStatus=0 143 SIGTERM",
        "SuccessExitStatus=143",
        "RestartSec=2",
        "# A task that uses up the memory must not stop the component.",
        "OOMPolicy=continue",
        "LimitNOFILE=65536",
        "UMask=0027",
        "StandardOutput=journal",
        "StandardError=journal",
        f"SyslogIdentifier=airferry-{layout.name}-{name}",
        "NoNewPrivileges=yes",
        *(_hardening(layout, name) if layout.account else []),
        "",
        "[Install]",
        f"WantedBy={layout.target}",
    ]
    return _text(layout, lines)


def _order(layout: Layout, name: str) -> List[str]:
    # Begun after the target, a unit is ended before it: stopping the target waits for all of them. In the
    # same way what talks to the web server ends before it: a task that ends meanwhile can report.
    if name == WATCHDOG:
        before = [other for other in layout.components if other != name]
    else:
        before = [
            other for other in layout.components if other in SERVING and name not in (*SERVING, POSTGRES)
        ]
    after = [f"After={layout.unit(other)}" for other in before]
    return [f"After={layout.target}", *after, *_needs(layout, name)]


def _needs(layout: Layout, name: str) -> List[str]:
    if name != POSTGRES and layout.postgres:
        return [f"Wants={layout.unit(POSTGRES)}", f"After={layout.unit(POSTGRES)}"]
    if not layout.account:
        return []  # the account's manager has no targets for the network
    if name == POSTGRES:
        return ["After=network.target"]  # it listens on the loopback interface alone
    return ["Wants=network-online.target", "After=network-online.target"]


def _hardening(layout: Layout, name: str) -> List[str]:
    """Of system units only: an account's own manager may not change namespaces everywhere."""
    lines = [
        "ProtectSystem=full",
        f"ReadWritePaths={_path(layout.home)}",
        "ProtectControlGroups=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
    ]
    # tasks may use /tmp and home folders together with what runs outside
    if name == layout.runs_tasks.task_component:
        return lines
    lines.append("PrivateTmp=yes")
    below = any(layout.home == folder or layout.home.startswith(folder + "/") for folder in _HOMES)
    return lines if below else [*lines, "ProtectHome=read-only"]


def _text(layout: Layout, lines: List[str]) -> str:
    head = [mark(layout.home), "# Written by airferry. Make changes in a drop-in: systemctl edit UNIT."]
    return "\n".join([*head, *lines, ""])


def _value(text: str) -> str:
    return text.replace("%", "%%")


def _path(text: str) -> str:
    return f'"{_value(text)}"'


def _word(text: str) -> str:
    return _path(text).replace("$", "$$")
