"""Single options of airflow.cfg: shown, changed with care, and compared with Airflow's defaults."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from bootstrap.airflow import config
from bootstrap.airflow.command import Airflow
from bootstrap.airflow.config import Option, Setting
from bootstrap.airflow.differences import BASE_URL, DAGS_FOLDER, LOG_FOLDER, PLUGINS_FOLDER
from bootstrap.airflow.managed_options import (
    affected,
    in_connection,
    is_secret,
    managed_options,
    moved,
    shown,
)
from bootstrap.base.lock import held
from bootstrap.base.spelling import did_you_mean
from bootstrap.facts.carried import look
from bootstrap.installed.carried import EXAMPLES
from bootstrap.installed.configuration import ManagedSettings, written
from bootstrap.installed.installation import Installation
from bootstrap.state.journal import Journal
from wheelhouse.errors import AirferryError

# of an option that is in airflow.cfg all the same
UNKNOWN = "Airflow does not know it"
_FORCE = "--force sets it anyway: packages added later may read it."


class SettingRefused(AirferryError):
    """The option is not one to be changed by hand, or not in this way."""

    reference = "setting-refused"
    exit_code = 94


class OptionUnknown(AirferryError):
    """Airflow has no such option, or it is not set."""

    reference = "option-unknown"
    exit_code = 2


@dataclass(frozen=True)
class Found:
    """An option: its `value`, and whether the file sets it (else it is Airflow's default)."""

    section: str
    option: str
    value: str
    set: bool


@dataclass(frozen=True)
class Difference:
    """An option that differs from Airflow's default; `by` is airferry or hand. Secrets are masked."""

    section: str
    option: str
    value: Optional[str]
    default: Optional[str]
    by: str
    note: str = ""


def find(installation: Installation, section: str, option: str) -> Found:
    """The value that holds; raises :class:`SettingRefused` for a moved option, :class:`OptionUnknown`."""
    check_place(installation, section, option)
    text = config.read(installation.home.airflow_cfg)
    value = config.get(text, section, option)
    if value is not None:
        return Found(section, option, value, set=True)
    key = (section, option.lower())
    known = config.listed(text)
    if key not in known:
        known = _defaults(installation)
    if key not in known:
        raise _unknown(installation, section, option, known)
    return Found(section, option, known[key], set=False)


@dataclass(frozen=True)
class OptionChange:
    """What a change has led to: `components` have to be started again; none where nothing was changed.

    `also` are the options that were changed with it because they follow from it, and what else was done.
    """

    components: Tuple[str, ...] = ()
    also: Tuple[str, ...] = ()


def change(
    installation: Installation, section: str, option: str, value: Optional[str], *, force: bool = False
) -> OptionChange:
    """Set an option, or unset it (None), and keep the file as it was beside it as ``airflow.cfg.bak``.

    What is derived from it is changed with it. With `force` Airflow need not know the option.

    Raises :class:`SettingRefused`, :class:`OptionUnknown`, ConfigurationError.
    """
    home = installation.home
    check_place(installation, section, option)
    instead = managed_options(installation.version, installation.executor).get((section, option.lower()))
    if instead:
        raise SettingRefused(f"[{section}] {option} cannot be changed with this command.", hint=instead)
    if value is not None:
        _check_value(installation, (section, option.lower()), value)
    with held(home.lock):
        text, pipelines = config.read(home.airflow_cfg), installation.folders.pipelines
        before = config.get(text, section, option)
        if value == before and not text.startswith(config.BOM):
            return OptionChange()
        if value is not None and not force and (section, option.lower()) not in config.listed(text):
            known = _defaults(installation)
            if (section, option.lower()) not in known:
                raise _unknown(installation, section, option, known, _FORCE)
        details = {"set": f"[{section}] {option}", "to": shown(option, value), "was": shown(option, before)}
        with Journal(home.journal).recorded("config", **details):
            if value is None:
                changed = config.remove(text, section, option)
            else:
                changed = config.edit(text, [Setting(section, option, value, is_secret(option))])
            managed, was = ManagedSettings(installation), config.listed(text)
            settled = managed.following(changed)
            changed = managed.followed(changed)
            now = config.listed(changed)
            following = [
                item
                for item in settled
                if (item.section, item.option) != (section, option.lower())
                and now[item.section, item.option] != was.get((item.section, item.option))
            ]
            config.write(home.airflow_cfg.with_name("airflow.cfg.bak"), text)
            config.write(home.airflow_cfg, changed)
            managed.remember(settled)
    # what follows is read by others as well, and links in mails have that address
    wide = following or (section, option.lower()) == BASE_URL.at(installation.version.numbers)
    stale = affected(installation.version, installation.components, "core" if wide else section)
    also = [f"[{item.section}] {item.option} = {item.value}" for item in following]
    if not installation.is_worker:
        also += _carry_examples(pipelines, installation.folders.pipelines)
    return OptionChange(stale, tuple(also))


def _check_value(installation: Installation, place: Option, value: str) -> None:
    """Refuse a value with which Airflow would not start, or would do without; raises SettingRefused."""
    numbers = installation.version.numbers
    if place in (DAGS_FOLDER.at(numbers), PLUGINS_FOLDER.at(numbers), LOG_FOLDER.at(numbers)):
        _check_folder(installation, place, value)
    if place == BASE_URL.at(numbers):
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.query + parts.fragment
        if not whole or (numbers < (3, 0, 0) and value.endswith("/")):
            raise SettingRefused(
                f"{value} cannot be the address of the web pages.",
                needed="http:// or https://, host, port and path, as browsers have it; no / at its end:"
                " http://airflow.example:8080/airflow",
            )


def _check_folder(installation: Installation, place: Option, value: str) -> None:
    """Refuse a folder that is not there, or closed to this account; raises SettingRefused."""
    path, account = installation.folders.expanded(value), installation.receipt.account
    seen, logs = look(*place, value, path), place[1] == "base_log_folder"
    if not path.startswith("/"):
        raise SettingRefused(
            f"[{place[0]}] {place[1]} must name a folder by its whole path.",
            found=value,
            needed="a path that begins with /",
            hint="Another one is another folder for each command, by where that is run.",
        )
    if seen.kind == "folder" and seen.readable and (seen.writable or not logs):
        return
    if seen.kind == "" and logs and seen.writable:
        return  # Airflow makes it
    state = {"": "is not there", "other": "is not a folder", "folder": "is closed to this account"}[seen.kind]
    raise SettingRefused(
        f"{path} cannot be [{place[0]}] {place[1]}: it {state}.",
        needed=f"a folder that the account {account} may {'write to' if logs else 'read'}",
        hint=f"As root: install -d -o {account} {shlex.quote(path)}",
    )


def _carry_examples(before: Path, after: Path) -> Tuple[str, ...]:
    """Copy the example pipelines to where DAG files are read now; upgrades prove themselves with them."""
    source, target = before / EXAMPLES, after / EXAMPLES
    if before == after or target.exists() or not source.is_dir():
        return ()
    try:
        shutil.copytree(str(source), str(target), ignore=shutil.ignore_patterns("__pycache__"))
    except (OSError, shutil.Error):
        shutil.rmtree(str(target), ignore_errors=True)
        return (f"the example pipelines could not be copied: an upgrade needs {target}, writable",)
    return (f"the example pipelines are copied to {target}",)


def differences(installation: Installation) -> List[Difference]:
    """Every option that the file sets to something else than Airflow's default, and ours that it lacks."""
    text = config.read(installation.home.airflow_cfg)
    defaults, ours = _defaults(installation), written(installation)
    found = []
    for section, option in config.options(text):
        key = (section, option)
        value, default = config.get(text, section, option), defaults.get(key)
        if value == default and (key not in ours or ours[key] == value):
            continue
        by_hand = key not in ours or ours[key] not in ("***", value)
        note = f"airferry wrote {ours[key]}" if by_hand and key in ours else ""
        if key not in defaults and key not in ours:
            note = UNKNOWN
        found.append(_difference(key, value, default, by_hand, note))
    for key in ours:
        if config.get(text, *key) is None:
            found.append(_difference(key, None, defaults.get(key), True, f"airferry wrote {ours[key]}"))
    return found


def _difference(
    key: Option, value: Optional[str], default: Optional[str], by_hand: bool, note: str
) -> Difference:
    section, option = key
    by = "hand" if by_hand else "airferry"
    return Difference(section, option, shown(option, value), shown(option, default), by, note)


def check_place(installation: Installation, section: str, option: str) -> None:
    """Whether this release has such an option where it is asked for; raises :class:`SettingRefused`."""
    connection = in_connection(installation.version, section, option.lower())
    if connection:
        raise SettingRefused(
            f"[{section}] {option} is not an option of Airflow {installation.receipt.airflow}: user and"
            " password of the mail server are in a connection.",
            needed=f"the connection {connection}, or the one that [email] email_conn_id names",
            hint=f"This writes it, and tries it: {installation.home.bin}/airferry site mail --host HOST"
            " --from ADDRESS --user USER --password-file FILE",
        )
    elsewhere, now = moved(installation.version, section, option.lower())
    if elsewhere:
        release = installation.receipt.airflow
        raise SettingRefused(
            f"[{section}] {option} is not an option of Airflow {release}, but of others.",
            hint=f"In this release it is [{now[0]}] {now[1]}." if now else "The option was removed.",
        )


def _defaults(installation: Installation) -> Dict[Option, str]:
    """What Airflow writes into a new airflow.cfg, with this home's paths; takes it some seconds."""
    home = installation.home
    scratch = Path(tempfile.mkdtemp(prefix="defaults-", dir=str(home.run)))
    try:
        airflow = Airflow(installation.version, installation.release.venv, scratch, home.install_log)
        text = config.read(airflow.write_config())
    finally:
        shutil.rmtree(str(scratch), ignore_errors=True)
    return config.listed(text.replace(str(scratch), str(home.path)))


def _unknown(
    installation: Installation, section: str, option: str, known: Dict[Option, str], hint: str = ""
) -> OptionUnknown:
    same = sorted(f"[{place}] {name}" for place, name in known if name == option.lower())
    meant = (
        f"Did you mean {' or '.join(same[:3])}?"
        if same
        else did_you_mean(f"[{section}] {option}", [f"[{place}] {name}" for place, name in known], near=0.7)
    )
    return OptionUnknown(
        f"Airflow {installation.receipt.airflow} has no option [{section}] {option}.",
        hint=" ".join(filter(None, (meant, hint))),
    )
