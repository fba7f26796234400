"""Components under supervisor (supervisord.org), for hosts where systemd is not ours to use.

Configuration file and XML-RPC API: supervisor's manual, "Configuration File" and "XML-RPC API".
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import socket
import stat
import time
import xmlrpc.client
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from bootstrap.airflow.executor import Executor
from bootstrap.base import process, smallfile
from bootstrap.base.duration import LONGEST_WAIT
from bootstrap.services import manager, strays
from bootstrap.services.ending import TASK_SECONDS, Ending
from bootstrap.services.manager import POSTGRES, Program, ServiceError, State

# sockaddr_un.sun_path holds 108 bytes on Linux (unix(7)).
_LONGEST_SOCKET = 100
_TEMPORARY = Path("/tmp")  # noqa: S108 - a private folder is made in it, and checked to be ours
# How long supervisord may take to kill what did not end in its time.
_KILL_SECONDS = 20
# Supervisor waits a second longer before each further try: 15 s for these.
_TRIES = 5


class Supervisor:
    """supervisord of one installation; `python` is its venv's, `run` a private folder below `home`."""

    def __init__(
        self,
        python: Path,
        home: Path,
        configuration: Path,
        log: Path,
        env: Mapping[str, str],
        executor: Executor,
    ) -> None:
        self.python = python
        self.home = home
        self.run = home / "run"
        self.configuration = configuration
        self.log = log
        self.env = env
        self.executor = executor

    @property
    def socket(self) -> Path:
        """The control socket; below the temporary folder when the home's path is too long for one."""
        inside = self.run / "supervisor.sock"
        if len(os.fsencode(str(inside))) <= _LONGEST_SOCKET:
            return inside
        digest = hashlib.sha256(os.fsencode(str(self.run))).hexdigest()[:12]
        # not $TMPDIR, which another session may not have
        return _TEMPORARY / f"airferry-{os.getuid()}-{digest}" / "supervisor.sock"

    def configure(self, programs: Sequence[Program]) -> None:
        """Write the configuration file for `programs`, in the order in which they start."""
        text = [
            "; Written by airferry; changes are overwritten by the next install.",
            "[unix_http_server]",
            f"file = {self._path(self.socket)}",
            "chmod = 0600",
            "",
            "[supervisord]",
            f"logfile = {self._path(self.log)}",
            "logfile_maxbytes = 10MB",
            "logfile_backups = 3",
            f"pidfile = {self._path(self.run / 'supervisord.pid')}",
            f"childlogdir = {self._path(self.log.parent)}",
            "umask = 027",
            "",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
            "",
        ]
        for priority, program in enumerate(programs, 1):
            text += [
                f"[program:{program.name}]",
                "command = " + _escape(" ".join(_quote(word) for word in program.command)),
                f"priority = {priority}",
                "autostart = false",
                "autorestart = true",
                "startsecs = 1",
                f"startretries = {_TRIES}",
                f"stopsignal = {program.stop_signal}",
                f"stopwaitsecs = {self._longest(program.name)}",
                "killasgroup = true",
                "redirect_stderr = true",
                f"stdout_logfile = {self._path(program.log)}",
                "stdout_logfile_maxbytes = 20MB",
                "stdout_logfile_backups = 5",
                "",
            ]
        smallfile.write(self.configuration, "\n".join(text), 0o600)

    def running(self) -> bool:
        """Whether our supervisord answers."""
        try:
            return bool(self._call("getState")["statecode"] == 1)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False

    def launch(self, seconds: float = 20) -> None:
        """Start supervisord, or have a running one read a changed configuration."""
        if self.running():
            # whoever started it may have been killed before it could note that
            strays.remember(self.home, int(self._call("getPID")))
            self._reload()
            return
        strays.end(self.home)
        _private_folder(self.socket.parent)
        process.run(
            [self.python, "-m", "supervisor.supervisord", "-c", self.configuration],
            what="start supervisord",
            env={**self.env, strays.MARK: str(self.home)},
            cwd=self.home,
            timeout=60,
            hint=f"Its log is {self.log}.",
        )
        deadline = time.monotonic() + seconds
        while not self.running():
            if time.monotonic() > deadline:
                raise ServiceError("supervisord did not answer.", hint=f"Its log is {self.log}.")
            time.sleep(0.05)
        strays.remember(self.home, int(self._call("getPID")))

    def shut_down(self) -> None:
        """Stop every component and supervisord itself; no process stays."""
        if not self.running():
            strays.end(self.home)
            return
        self.stop(list(self.states()))
        seconds = sum(manager.stop_seconds(name, self.executor) for name in self.states()) + _KILL_SECONDS
        self._call("shutdown")
        deadline = time.monotonic() + seconds
        while self.running() or self.socket.exists():
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"supervisord still runs after {seconds} seconds.", hint=f"Its log is {self.log}."
                )
            time.sleep(0.1)
        strays.end(self.home)
        if self.socket.parent != self.run:
            with contextlib.suppress(OSError):
                self.socket.parent.rmdir()

    def installed(self) -> bool:
        """Whether it was configured here, or runs; the folder of the release holds the program itself."""
        return self.configuration.exists() or self.running()

    def remove(self) -> None:
        """Stop everything and forget the configuration."""
        self.shut_down()
        with contextlib.suppress(FileNotFoundError):
            self.configuration.unlink()

    def states(self) -> Dict[str, State]:
        """All components by name; empty when supervisord does not run."""
        try:
            found = self._call("getAllProcessInfo")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return {}
        return {
            item["name"]: State(
                item["name"], item["statename"], int(item["pid"]), item["spawnerr"] or _described(item)
            )
            for item in found
        }

    def start(self, names: Sequence[str], *, settle: bool = True) -> None:
        """Start components together, and wait until each has stayed up a second unless `settle` is false.

        Raises :class:`ServiceError` for one that does not stay up.
        """
        waiting: List[str] = []
        for name in names:
            try:
                self._call("startProcess", name, False)
                waiting.append(name)
            except xmlrpc.client.Fault as fault:
                if "SPAWN_ERROR" in fault.faultString:
                    waiting.append(name)  # ended before supervisord answered: it is tried again all the same
                elif "ALREADY_STARTED" not in fault.faultString:
                    raise self._failed(name, fault.faultString) from None
        while waiting and settle:
            time.sleep(0.1)
            states = self.states()
            for name in list(waiting):
                state = states.get(name)
                if state is None or state.state in ("FATAL", "EXITED"):
                    raise self._failed(name, state.note if state else "supervisord has gone")
                if state.state == "RUNNING":
                    waiting.remove(name)

    def stop(self, names: Sequence[str], seconds: Optional[float] = None) -> None:
        """Stop components in their order, and wait until each is down; one that does not run is fine.

        For `seconds` see :meth:`Services.stop <bootstrap.services.manager.Services.stop>`. What a component
        leaves behind in its process group is killed (as systemd's KillMode=mixed does): Airflow's scheduler
        may end without its log server.
        """
        for group in manager.stop_order(names):
            self._stop_together(group, seconds)

    def _stop_together(self, names: Sequence[str], seconds: Optional[float]) -> None:
        running = {name: state.pid for name, state in self.states().items() if name in names and state.pid}
        usual = float(self.executor.stop_seconds(self.executor.task_component))
        limit = usual if seconds is None else seconds
        endings = [Ending(pid, limit) for name, pid in running.items() if name != POSTGRES]
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault, OSError):
                self._call("stopProcess", name, False)
        allowed = max((manager.stop_seconds(name, self.executor) for name in names), default=0)
        waits = self.executor.task_component in running
        deadline = time.monotonic() + max(allowed, limit + TASK_SECONDS if waits else 0) + _KILL_SECONDS
        while any(state.pid for name, state in self.states().items() if name in names):
            if time.monotonic() > deadline:
                raise ServiceError(f"{', '.join(names)}: still running.", hint=f"The log is {self.log}.")
            for ending in endings:
                ending.look()
            time.sleep(0.1)
        for group in running.values():
            process.kill_group(group)

    def _longest(self, name: str) -> int:
        """After how long supervisor itself kills; tasks get as long as whoever stops them says."""
        waits = name == self.executor.task_component
        return LONGEST_WAIT + int(TASK_SECONDS) if waits else manager.stop_seconds(name, self.executor)

    def _path(self, path: Path) -> str:
        # Relative to supervisord's own folder, so that nothing in the home's path is taken for an expansion
        # (% counts twice in stdout_logfile) or for a comment.
        return str(path.relative_to(self.home)) if self.home in path.parents else str(path)

    def _failed(self, name: str, note: str) -> ServiceError:
        log = self.log.with_name(f"{name}.log")
        tail = ""
        with contextlib.suppress(OSError):
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
        return ServiceError(
            f"The component {name} does not stay up.", found=f"{note}\n{tail}", hint=f"Its log is {log}."
        )

    def _reload(self) -> None:
        added, changed, removed = self._call("reloadConfig")[0]
        self.stop([*removed, *changed])
        for name in (*removed, *changed):
            self._call("removeProcessGroup", name)
        for name in (*changed, *added):
            self._call("addProcessGroup", name)

    def _call(self, method: str, *arguments: object) -> Any:
        with xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(self.socket)) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=150)  # a call may wait for the end of a component
        self._path = path

    def connect(self) -> None:
        unconnected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            unconnected.settimeout(self.timeout)
            unconnected.connect(self._path)
        except OSError:
            unconnected.close()
            raise
        self.sock = unconnected


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = str(path)

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = str(host), connection  # which close() closes
        return connection


def _private_folder(folder: Path) -> None:
    """Make a folder that only we can enter; raises :class:`ServiceError` for another account's."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ServiceError(
            f"{folder} is not a private folder of this account.",
            found=f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}",
            needed=f"owner {os.getuid()}, mode 0700",
            hint="Remove it, or choose a home with a shorter path.",
        )


def _quote(word: str) -> str:
    # Supervisor splits commands as shlex does, but expands nothing inside quotes. Before that, a blank and
    # one of ; and # begin a comment even there: they stand between two quoted parts.
    word = word.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub("([;#])", r'"\1"', word) + '"'


def _escape(value: str) -> str:
    # ConfigParser-like expansion of %(here)s and the like
    return value.replace("%", "%%")


def _described(item: Dict[str, Any]) -> str:
    """Its own words, but for the time of a stop, which it tells by a 12-hour clock."""
    stopped = item["statename"] == "STOPPED" and item.get("stop")
    return time.strftime("since %F %H:%M", time.localtime(stopped)) if stopped else str(item["description"])
