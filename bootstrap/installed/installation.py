"""One installation: where its parts lie and how its programs are run, all derived from the receipt.

What only a running installation needs is imported where it is: doctor in a bundle compiles what it imports.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple

from bootstrap.airflow.command import Airflow
from bootstrap.airflow.database import Urls, urls
from bootstrap.airflow.executor import Component, Executor, executor_of
from bootstrap.airflow.release import AirflowRelease, release_for
from bootstrap.airflow.webaddress import WebAddress
from bootstrap.base import account, channel, process, secret
from bootstrap.facts.network import address_for_others
from bootstrap.installed import external, folders, in_force, scripts
from bootstrap.installed.folders import Folders
from bootstrap.postgres import embedded
from bootstrap.postgres.server import MetadataServer
from bootstrap.services import broker
from bootstrap.services.control import SYSTEM_UNITS, Systemctl, user_units
from bootstrap.services.launcher import Launcher
from bootstrap.services.manager import (
    KERBEROS,
    NONE,
    POSTGRES,
    SYSTEMD,
    SYSTEMD_USER,
    WATCHDOG,
    Program,
    Services,
)
from bootstrap.services.units import Layout
from bootstrap.site import settings
from bootstrap.site.settings import Site
from bootstrap.state.cluster import joined, on_the_head
from bootstrap.state.home import Home, ReleaseFolder
from bootstrap.state.receipt import PRIVATE, WORKER, Receipt
from wheelhouse import codec

if TYPE_CHECKING:
    from bootstrap.postgres.external import External

__all__ = ["POSTGRES", "Installation"]


@dataclass(frozen=True)
class Installation:
    """What the steps of an install and the commands for daily use work on.

    `patience` is how long its tasks may run on when it is stopped, in seconds; None: the usual time.
    """

    receipt: Receipt
    patience: Optional[float] = None

    @property
    def home(self) -> Home:
        """Its paths."""
        return Home(Path(self.receipt.home))

    @property
    def release(self) -> ReleaseFolder:
        """The unpacked bundle that it runs from."""
        return self.home.release(self.receipt.bundle_id)

    @property
    def version(self) -> AirflowRelease:
        """What is particular to its Airflow version."""
        return release_for(self.receipt.airflow)

    @property
    def executor(self) -> Executor:
        """What runs its tasks."""
        return executor_of(self.receipt.executor)

    @cached_property
    def airflow(self) -> Airflow:
        """Airflow's own commands."""
        return Airflow(
            self.version, self.release.venv, self.home.path, self.home.install_log, self._interpreter_needs()
        )

    @cached_property
    def cluster(self) -> embedded.Cluster:
        """The private PostgreSQL cluster."""
        programs = self.receipt.database.programs
        return embedded.Cluster(
            bin=Path(programs) if programs else embedded.programs(self.release.postgres),
            data=self.home.cluster,
            port=self.receipt.database.port,
            secrets=self.home.secrets,
            log=self.home.install_log,
            env=process.environment(self._interpreter_needs()),
        )

    @property
    def is_worker(self) -> bool:
        """Whether this host runs nothing but tasks, for a head elsewhere."""
        return self.receipt.role == WORKER

    @property
    def database(self) -> MetadataServer:
        """The server of the metadata database; raises :class:`OnTheHead` on a worker."""
        if self.is_worker:
            raise on_the_head(self.home)
        return self.cluster if self.servers else self.external

    @cached_property
    def external(self) -> External:
        """The external server."""
        from bootstrap.postgres.external import External  # noqa: PLC0415

        carried = embedded.find(self.release.postgres)
        return External(
            external.connection_of(self.receipt.database, self.home),
            self.home.postgres_password,
            carried,
            process.environment(self._interpreter_needs()),
        )

    @property
    def servers(self) -> List[str]:
        """The servers of our own that run beside Airflow's components: PostgreSQL, unless it is another's."""
        return [POSTGRES] if self.receipt.database.kind == PRIVATE else []

    @property
    def services(self) -> Services:
        """Whatever keeps the components running."""
        return self.services_of(self.receipt.services)

    def stop(self, names: Sequence[str]) -> None:
        """Stop components in their order; their tasks may run on for as long as `patience` says.

        With all of Airflow's the watchdog ends, too.
        """
        helpers = self.helpers if set(names) >= set(self.components) else []
        self.services.stop([*helpers, *names], self.patience)

    def services_of(self, kind: str) -> Services:
        """A service manager of that kind for this installation, chosen or not."""
        env = process.environment({**self._interpreter_needs(), "AIRFERRY_HOME": self.receipt.home})
        if kind in (SYSTEMD, SYSTEMD_USER):
            from bootstrap.services.systemd import Systemd  # noqa: PLC0415

            return Systemd(self.control_of(kind), self.launcher, env)
        from bootstrap.services.supervisor import Supervisor  # noqa: PLC0415

        return Supervisor(
            self.release.supervisor / "bin" / "python",
            self.home.path,
            (self.home.run if self.receipt.is_roots else self.home.etc) / "supervisord.conf",
            self.home.own_logs / "supervisord.log",
            env,
            self.executor,
        )

    @property
    def launcher(self) -> Launcher:
        """What units name, and what others may start components with."""
        variables = {**self._variables(), **self._interpreter_needs()}
        return Launcher(self.home, self.release, self.receipt.python, variables, self.has_root_write())

    def has_root_write(self) -> Optional[Callable[[], None]]:
        """What has root write commands, scripts and their environment; None where this process does itself.

        Raises NeedsRoot when it is called, where they are root's and root does not serve this process.
        """
        if not self.receipt.is_roots or os.geteuid() == 0:
            return None

        def write() -> None:
            if not channel.available():
                raise channel.NeedsRoot(
                    f"The scripts in {self.home.path} have to be written anew, and belong to root.",
                    found=f"this command runs as {account.current().name}",
                    hint="Run the same command again as root.",
                )
            channel.ask("commands", receipt=codec.encode(self.receipt))

        return write

    def control_of(self, kind: str) -> Systemctl:
        """What may change the units: this process, or root's beside it."""
        layout = self.layout_of(kind)
        if kind == SYSTEMD_USER:
            return Systemctl(layout, user_units(), user=True)
        return broker.Remote(layout) if channel.available() else Systemctl(layout, SYSTEM_UNITS, user=False)

    def layout_of(self, kind: str) -> Layout:
        """What the units of that kind depend on."""
        return Layout(
            self.receipt.name,
            self.receipt.home,
            self.receipt.account if kind == SYSTEMD else "",
            (*self.components, *self.helpers),
            bool(self.servers),
            self.receipt.executor,
        )

    @property
    def components(self) -> List[str]:
        """Airflow's components on this host, the web server first."""
        return [component.name for component in self._components()]

    @property
    def helpers(self) -> List[str]:
        """What runs beside Airflow's components, for their sake: started last, and stopped first."""
        if self.receipt.services == NONE or self.is_worker:
            return []
        return [*([KERBEROS] if self.renews_tickets else []), WATCHDOG]

    @property
    def renews_tickets(self) -> bool:
        """Whether Airflow's renewer of Kerberos tickets runs here; root reads nothing of the account's."""
        from bootstrap.installed import kerberos  # noqa: PLC0415

        own = os.geteuid() != 0 or not self.receipt.is_roots
        return own and kerberos.settings(self.home) is not None

    def _components(self) -> Tuple[Component, ...]:
        return self.executor.components(self.version.numbers, self.receipt.role)

    @property
    def url(self) -> str:
        """The web address on this host; on a worker that of its head."""
        return joined(self.home).base if self.is_worker else self.web.url

    @property
    def url_for_others(self) -> str:
        """The web address for other machines; "" where the web server listens on this host alone."""
        if self.is_worker:
            return ""
        host, site = self.receipt.web_host, self.site
        if site.host not in ("", "localhost"):  # what 2.x has by default
            return site.url
        if host.startswith("127.") or host in ("localhost", "::1"):
            return ""
        everywhere = host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
        found = address_for_others() if everywhere else host
        return replace(self.web, host=found).url if found else ""

    @property
    def folders(self) -> Folders:
        """The folders of DAG files and logs, wherever airflow.cfg says that they are."""
        return folders.of(self.home, self.version.numbers, self.receipt.account)

    @property
    def site(self) -> Site:
        """What Airflow is told of the site now."""
        text, own = in_force.text_of(self.home.airflow_cfg), in_force.variables(self.home)
        return settings.read(lambda row: in_force.value(row, self.version.numbers, text, own))

    @property
    def web(self) -> WebAddress:
        """Where this host itself reaches the web server."""
        return self.site.web(self.receipt.web_host, self.receipt.web_port)

    def database_urls(self) -> Urls:
        """The SQLAlchemy URLs of the metadata database, password included."""
        password = secret.read(self.home.postgres_password)
        found = external.connection_of(self.receipt.database, self.home)
        return urls(self.version.numbers, found, password)

    def programs(self) -> List[Program]:
        """What the service manager runs: our own PostgreSQL first, if there is one, then the components."""
        logs = self.home.own_logs
        launcher = str(self.home.bin / "airflow")
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave
        found = [
            Program(name, self.cluster.command, logs / f"{name}.log", "INT", self.cluster.ready_command)
            for name in self.servers
        ]
        if self.is_worker:
            return [*found, self._worker()]
        for component in self._components():
            arguments = self.version.component_arguments(component, self.receipt.web_host)
            found.append(Program(component.name, (launcher, *arguments), logs / f"{component.name}.log"))
        script = str(self.release.path / "runtime" / "bootstrap" / "watchdog.py")
        command = (self.receipt.python, "-I", "-S", "-B", "-X", "utf8", script, self.receipt.home)
        for name in self.helpers:
            words = (launcher, KERBEROS) if name == KERBEROS else command
            found.append(Program(name, words, logs / f"{name}.log"))
        return found

    def _worker(self) -> Program:
        """What it is to do stands in a file that only the account can read."""
        name = self.executor.task_component
        script = str(self.release.path / "runtime" / "bootstrap" / "cluster" / "runner.py")
        command = (self.receipt.python, "-I", "-S", "-B", "-X", "utf8", script)
        given = (self.receipt.home, str(self.release.python), str(self.receipt.parallelism))
        return Program(name, (*command, *given), self.home.own_logs / f"{name}.log")

    def scripts(self) -> Dict[str, Tuple[str, int]]:
        """The commands in ``bin/`` and the environment they share: path below home -> (text, mode)."""
        return scripts.compose(self.receipt, self.own_python, self._variables())

    @property
    def own_python(self) -> str:
        """The interpreter that airferry's commands run on: root does not run one that is not root's."""
        try:
            return self.release.own_python.read_text(encoding="utf-8", errors="surrogateescape").strip()
        except OSError:
            return self.receipt.python

    def _variables(self) -> Dict[str, str]:
        """The environment of this installation, without what belongs to whoever runs a command."""
        variables = {**self.airflow.environment(), "AIRFERRY_HOME": self.receipt.home}
        for name in ("HOME", "USER", "LOGNAME", "TERM", "TMPDIR", "XDG_RUNTIME_DIR", "TZ"):
            variables.pop(name, None)
        if self.receipt.is_roots:
            # root writes it, and for every other reader it has to be the same
            variables.pop("LD_LIBRARY_PATH", None)
            variables.update(self._interpreter_needs())
            variables["PATH"] = f"{self.release.venv / 'bin'}:{account.SYSTEM_PATH}"
        return variables

    def _interpreter_needs(self) -> Dict[str, str]:
        """Where the interpreter finds its libraries, whom its OpenSSL trusts, and where its bytecode lies."""
        trusted = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), self.receipt.ca_file)
        bytecode = str(self.home.bytecode) if self.receipt.is_roots else ""
        found = {"LD_LIBRARY_PATH": self.receipt.library_path, "PYTHONPYCACHEPREFIX": bytecode, **trusted}
        return {name: value for name, value in found.items() if value}
