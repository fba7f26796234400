"""What airflow.cfg must say for an installation, and what was written into it last.

What was written is remembered (secrets as ``***``), so that a later run writes only settings whose intended
value has changed since, and an admin's own edits stay.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from bootstrap.airflow import config, release
from bootstrap.airflow.config import Option, Setting
from bootstrap.airflow.differences import (
    BASE_URL,
    COOKIE_SECURE,
    EXECUTION_API,
    PROXY_FIX,
    WEB_TLS,
    WEB_TLS_KEY,
)
from bootstrap.airflow.executor import LOCAL
from bootstrap.airflow.managed_options import managed_options
from bootstrap.airflow.webaddress import NO_ADDRESS
from bootstrap.base import channel, secret, smallfile
from bootstrap.cluster.engine import engine_of
from bootstrap.installed import in_force, meeting
from bootstrap.installed.installation import Installation
from bootstrap.site.settings import read
from bootstrap.state import cluster as clusters
from bootstrap.state.home import FERNET, JWT, SECRET_KEY


class ManagedSettings:
    """The settings of an installation in airflow.cfg, and the record of what was written."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.path = installation.home.airflow_cfg
        name, home = "airflow-settings.json", installation.home
        # etc/ is root's, and the account changes options without root
        self.record = (home.secrets if installation.receipt.is_roots else home.etc) / name
        # an earlier airferry kept it in etc/ everywhere
        self.found = self.record if self.record.exists() else home.etc / name

    def settings(self, text: Optional[str] = None) -> List[Setting]:
        """Every setting that this installation intends, some of which follow from what airflow.cfg says.

        `text` is that of the file as it shall be; None for the file as it is.
        """
        if self.installation.is_worker:
            return self._worker_settings()
        receipt, secrets = self.installation.receipt, self.installation.home.secrets
        text = in_force.text_of(self.path) if text is None else text
        numbers, own = self.installation.version.numbers, in_force.variables(self.installation.home)
        urls, shown = self.installation.database_urls(), text
        site = read(lambda row: in_force.value(row, numbers, shown, own))
        parameters = release.Parameters(
            home=self.installation.home.path,
            database_url=urls.sync,
            async_url=urls.async_,
            fernet_key=secret.read(secrets / FERNET),
            secret_key=secret.read(secrets / SECRET_KEY),
            jwt_secret=secret.read(secrets / JWT),
            web_port=receipt.web_port,
            web_host=receipt.web_host,
            log_port=receipt.log_port,
            trigger_log_port=receipt.trigger_log_port,
            executor=self.installation.executor,
            parallelism=receipt.parallelism,
            auth=receipt.auth,
            admin_user=receipt.admin_user,
            timezone=receipt.timezone,
            base_url=self._base_url(text),
            web_path=site.path,
            own_host=site.own_host(receipt.web_host),
            certificate=site.certificate if site.tls else "",
            key=site.key if site.tls else "",
            secure=site.secure if site.tls or site.chosen else None,
        )
        found = list(release.settings(self.installation.version, parameters))
        cluster = clusters.find(self.installation.home)
        if cluster and self.installation.executor is not LOCAL:
            web = replace(self.installation.web, host=cluster.address)
            found += engine_of(cluster.engine).head_settings(
                web.url, cluster, *meeting.of_head(self.installation, cluster)
            )
            found += _shared(cluster.dags)
        return found

    def _worker_settings(self) -> List[Setting]:
        """What a worker must have in common with its head, and little else."""
        receipt, join = self.installation.receipt, clusters.joined(self.installation.home)
        engine = engine_of(join.engine)
        return [
            Setting("core", "load_examples", "False"),
            Setting("core", "hostname_callable", "socket.gethostname"),
            *([Setting("core", "default_timezone", join.timezone)] if join.timezone else []),
            *engine.worker_settings(self.installation.version, join, receipt.parallelism),
            *_shared(join.dags),
        ]

    def _base_url(self, text: str) -> str:
        """The address that an admin has chosen for browsers; "" for none, or a default, Airflow's or ours."""
        numbers = self.installation.version.numbers
        found = in_force.value(BASE_URL, numbers, text, {}) or ""
        if NO_ADDRESS.fullmatch(found):
            return ""
        # the web server of 2.x does not start with a slash at its end
        return found.rstrip("/") if numbers < (3, 0, 0) else found

    def following(self, text: str) -> List[Setting]:
        """What an admin may choose of our settings, as `text` has it, and what is derived from that."""
        places = self._followed()
        return [item for item in self.settings(text) if (item.section, item.option) in places]

    def followed(self, text: str) -> str:
        """The text with all that is derived from what it says; what we derived before and no more goes."""
        settled = self.following(text)
        places, known = {(item.section, item.option) for item in settled}, self.known()
        for place in self._followed():
            if place not in places and _named(place) in known:
                text = config.remove(text, *place)
        return config.edit(text, settled)

    def _followed(self) -> List[Option]:
        rows = (BASE_URL, EXECUTION_API, COOKIE_SECURE, PROXY_FIX, WEB_TLS, WEB_TLS_KEY)
        places = [row.at(self.installation.version.numbers) for row in rows]
        return [place for place in places if place]

    def changed(self) -> List[Setting]:
        """The settings to write: their intended value is not what was written last, nor set by hand since."""
        known = self.known()
        changed = [item for item in self.settings() if known.get(_key(item)) != _shown(item)]
        return [item for item in changed if not self._by_hand(item, known)]

    def _by_hand(self, item: Setting, known: Dict[str, str]) -> bool:
        """Whether an admin has changed what was written here, and may: it stays, whatever is intended now."""
        place = (item.section, item.option)
        managed = managed_options(self.installation.version, self.installation.executor)
        if item.secret or _key(item) not in known or place in managed:
            return False
        return config.get(config.read(self.path), *place) != known[_key(item)]

    def known(self) -> Dict[str, str]:
        """The record: ``[section] option`` -> value."""
        try:
            found: Dict[str, str] = json.loads(self.found.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def remember_all(self) -> None:
        """Record every intended value as written."""
        self._remember({_key(item): _shown(item) for item in self.settings()})

    def remember(self, settings: Sequence[Setting]) -> None:
        """Record these as written, beside what is recorded; what is derived no more is forgotten."""
        gone = [_named(place) for place in self._followed()]
        kept = {key: value for key, value in self.known().items() if key not in gone}
        self._remember({**kept, **{_key(item): _shown(item) for item in settings}})

    def restore(self, known: Dict[str, str]) -> None:
        """Have the record say again what it said before a change."""
        self._remember(known)

    def forget(self, *options: str) -> None:
        """Have these options written anew: their secret values have changed, which the record cannot show."""
        known = self.known()
        left = {key: shown for key, shown in known.items() if key.rpartition(" ")[2] not in options}
        if left != known:
            self._remember(left)

    def _remember(self, settings: Dict[str, str]) -> None:
        smallfile.write(
            self.record,
            json.dumps(settings, indent=2) + "\n",
            0o600 if self.installation.receipt.is_roots else None,
        )
        self.found = self.record


def keep(installation: Installation, path: Path, text: str) -> None:
    """Write a certificate to ``etc/``, or have root write it, where the folder is root's."""
    if installation.receipt.is_roots and channel.available():
        channel.ask("keep", name=path.name, text=text)
    else:
        smallfile.write(path, text)


def written(installation: Installation) -> Dict[Tuple[str, str], str]:
    """What the last install wrote: section and option -> value, ``***`` for a secret one."""
    record = ManagedSettings(installation).known()
    pairs = ((key[1:].split("] ", 1), value) for key, value in record.items())
    return {(section, option): value for (section, option), value in pairs}


def _key(item: Setting) -> str:
    return _named((item.section, item.option))


def _named(place: Option) -> str:
    return "[{}] {}".format(*place)


def _shown(item: Setting) -> str:
    return "***" if item.secret else item.value


def _shared(dags: str) -> List[Setting]:
    """The folder of DAG files, where all hosts of a cluster share one."""
    return [Setting("core", "dags_folder", dags)] if dags else []
