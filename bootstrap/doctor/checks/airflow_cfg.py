"""An airflow.cfg that is there: what it names must be here, too, before anything is installed on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, AbstractSet, Iterator, List, Optional, Sequence, Tuple

from bootstrap.base.columns import listed
from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.severity import BLOCKER, WARNING
from bootstrap.facts.carried import CarriedSettings, NamedFolder
from bootstrap.facts.host import Facts
from bootstrap.services.manager import SYSTEMD

if TYPE_CHECKING:
    from bootstrap.examination.installed import Installed

AIRFLOW_CFG_CLOSED = Entry(
    "airflow-cfg-closed",
    BLOCKER,
    "The service account cannot read airflow.cfg",
    "Every command and every component of Airflow runs as that account and reads the file.",
    "In a home of root's own, a plain file of root's is given to the account by the install.",
)
AIRFLOW_CFG_BROKEN = Entry(
    "airflow-cfg-broken",
    BLOCKER,
    "Airflow cannot read airflow.cfg",
    "No command and no component of Airflow starts with it.",
)
FOLDER_UNCLEAR = Entry(
    "folder-unclear",
    BLOCKER,
    "airflow.cfg names a folder by a relative path",
    "It is another folder for each command, by where that is run.",
)
FOLDER_PERSONAL = Entry(
    "folder-personal",
    WARNING,
    "airflow.cfg names a folder by ~",
    "It is the home folder of whoever runs a command: components and commands may see different folders.",
)
FOLDER_MISSING = Entry(
    "folder-missing",
    BLOCKER,
    "airflow.cfg names a folder that is not there",
    "DAG files, plugins or task logs are looked for there, and nowhere else.",
    "A file of another host names that host's folders. A warning where the folder would be made, or is one"
    " that Airflow does without.",
)
FOLDER_CLOSED = Entry(
    "folder-closed",
    BLOCKER,
    "airflow.cfg names a folder that is closed to the service account",
    "DAG files and plugins must be readable, task logs written. The example pipelines need a folder of their"
    " own among the DAG files.",
    "A warning for plugins: what cannot be read is passed over.",
)
FOLDER_FOREIGN = Entry(
    "folder-foreign",
    WARNING,
    "airflow.cfg names a log folder of another account",
    "Another Airflow may write there as well; each account can keep the other from its files.",
)
DAG_BUNDLES_REMOTE = Entry(
    "dag-bundles-remote",
    BLOCKER,
    "No DAG file of a folder would be read",
    "[dag_processor] dag_bundle_config_list says where DAG files come from. The example pipeline, which"
    " proves the install, lies in a folder.",
)
PROVIDER_MISSING = Entry(
    "provider-missing",
    BLOCKER,
    "airflow.cfg names a provider that the bundle does not hold",
    "Airflow imports it when it starts, and stops where it is missing.",
)
MODULE_MISSING = Entry(
    "module-missing",
    WARNING,
    "airflow.cfg names a module that is not there",
    "Airflow imports it when it starts or when it is needed. Modules of your own lie in config/ or plugins/"
    " in the home, or where PYTHONPATH in etc/local.env says.",
)
REMOTE_LOGS = Entry(
    "remote-logs",
    BLOCKER,
    "airflow.cfg sends task logs to a service without its provider",
    "Airflow imports the provider when it starts, and stops where it is missing.",
)
WEB_TLS = Entry(
    "web-tls",
    BLOCKER,
    "airflow.cfg names a certificate that cannot be used",
    "The web server needs certificate and key, and does not start without one of them.",
)

# what a place for task logs needs, by its beginning
_LOG_PROVIDERS = {
    "s3:": "amazon", "cloudwatch:": "amazon", "gs:": "google", "stackdriver:": "google",
    "wasb": "microsoft-azure", "oss:": "alibaba", "hdfs:": "apache-hdfs",
}  # fmt: skip
_FAMILIES = ("apache", "atlassian", "cncf", "common", "dbt", "microsoft")
# what units close to the components that write logs (bootstrap.services.units)
_READ_ONLY = ("/usr", "/boot", "/efi", "/etc")
_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - compared, not used


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """The file itself, its folders and modules."""
    if facts.airflow_cfg is not None:
        yield from _readable(facts.airflow_cfg)
        yield from _named(facts.airflow_cfg)
        yield from _packages(facts.airflow_cfg, needs.wheels)


def of_installation(installed: Installed) -> Iterator[Finding]:
    """The same of an installation; whether the file itself can be read is said elsewhere."""
    if installed.airflow_cfg is not None:
        yield from _named(installed.airflow_cfg)


def _readable(found: CarriedSettings) -> Iterator[Finding]:
    if found.closed:
        yield AIRFLOW_CFG_CLOSED.found(
            f"{found.path}: {found.closed}",
            needed=f"a plain file that the account {found.account} may read",
            remedy="Give it to that account:",
            commands=(f"chown {found.account} {remedies.quoted(found.path)}",),
            needs_root=True,
        )
    if found.problem:
        yield AIRFLOW_CFG_BROKEN.found(
            f"{found.path}: {found.problem}",
            needed="a file in UTF-8 that Airflow can read",
            remedy="Correct it, or move it away: the install writes a new one. A % in a value is written %%.",
        )


def _named(found: CarriedSettings) -> Iterator[Finding]:
    for folder in found.folders:
        yield from _folder(folder, found)
        yield from _under_systemd(folder, found)
    yield from _examples(found)
    if found.bundles:
        yield DAG_BUNDLES_REMOTE.found(
            f"[dag_processor] dag_bundle_config_list: {found.bundles}",
            needed="a bundle of a local folder among them",
            remedy="Add this one to the list, or take the option out:",
            commands=(_BUNDLE,),
        )
    if found.tls:
        yield WEB_TLS.found(
            found.tls,
            needed="a certificate and its key, in files that the account can read",
            remedy=f"Correct both in {found.path}, or take them out; later: airferry site tls.",
        )
    if found.modules:
        yield MODULE_MISSING.found(
            listed(found.modules),
            needed=f"the module in {found.home}/config, or no such line",
            remedy=f"Copy the module there, or take the line out of {found.path}.",
            # with logging every command fails at once
            severity=BLOCKER if any("logging_config_class" in item for item in found.modules) else WARNING,
        )


_LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
_BUNDLE = f'{{"name": "dags-folder", "classpath": "{_LOCAL}", "kwargs": {{}}}}'


def _folder(folder: NamedFolder, found: CarriedSettings) -> Iterator[Finding]:
    said, logs = _said(folder), "log" in folder.option
    who = f"the account {found.account}"
    change = f"Correct the line in {found.path}; without it the folder in the home is used."
    if not folder.path.startswith("/"):
        needed = "a path that begins with /"
        yield FOLDER_UNCLEAR.found(said, needed=needed, remedy=change)
        return
    if folder.value.startswith("~"):
        yield FOLDER_PERSONAL.found(f"{said} ({folder.path})", needed="the path in full", remedy=change)
    makeable = folder.writable and folder.kind == ""
    if folder.kind == "":
        if logs and makeable:
            return  # Airflow makes it
        optional = makeable or folder.option == "plugins_folder"
        make = (f"install -d -o {found.account} {remedies.quoted(folder.path)}",)
        yield FOLDER_MISSING.found(
            f"{said}; {folder.base} is the last part that is there",
            needed="a folder with your files, or the folder in the home",
            remedy=f"{change} Or bring the folder here:",
            commands=make,
            needs_root=not makeable,
            severity=WARNING if optional else BLOCKER,
        )
    elif folder.kind == "other":
        yield FOLDER_MISSING.found(f"{said} is not a folder", needed="a folder", remedy=change)
    elif (logs and not (folder.writable and folder.readable)) or not folder.readable:
        may = "write to" if logs else "read"
        yield FOLDER_CLOSED.found(
            f"{said} (owner {folder.owner})",
            needed=f"a folder that {who} may {may}",
            remedy=f"{change} Or let the account {may} it, and enter each folder above it.",
            severity=WARNING if folder.option == "plugins_folder" else BLOCKER,
        )
    elif logs and found.uid not in (-1, folder.owner):
        yield FOLDER_FOREIGN.found(
            f"{said} (owner {folder.owner})", needed=f"a folder of {who}", remedy=change
        )


def _under_systemd(folder: NamedFolder, found: CarriedSettings) -> Iterator[Finding]:
    if found.services != SYSTEMD:
        return
    closed: Tuple[str, ...] = _TEMPORARY
    if "log" in folder.option:
        closed += _READ_ONLY if _below(found.home, _HOMES) else (*_READ_ONLY, *_HOMES)
    if _below(folder.path, closed):
        yield FOLDER_CLOSED.found(
            f"{_said(folder)}: systemd closes it to the components",
            needed="a folder that is not below " + ", ".join(closed),
            remedy=f"Name another in {found.path}, or take the line out.",
        )


def _examples(found: CarriedSettings) -> Iterator[Finding]:
    place = found.examples
    if place is None or place.writable or place.value in _failing(found.folders):
        return
    yield FOLDER_CLOSED.found(
        f"{place.value} (owner {place.owner})",
        needed=f"a folder {place.path} that the account {found.account} may write to",
        remedy="Have that folder made; everything else there stays as it is:",
        commands=(f"install -d -o {found.account} {remedies.quoted(place.path)}",),
        needs_root=True,
    )


def _failing(folders: Sequence[NamedFolder]) -> List[str]:
    """The folders of which something worse was said than that the examples find no place there."""
    return [item.path for item in folders if item.kind != "folder" or not item.readable]


def _packages(found: CarriedSettings, wheels: Sequence[str]) -> Iterator[Finding]:
    """Providers, against the packages of the bundle."""
    held = {re.sub(r"[-_.]+", "-", name.split("-")[0]).lower() for name in wheels}
    missing = [item for item in found.providers if not _held(item.rpartition(" ")[2], held)]
    if missing:
        names = sorted({_provider(item.rpartition(" ")[2]) for item in missing})
        yield PROVIDER_MISSING.found(
            listed(missing),
            needed=", ".join(f"apache-airflow-providers-{name}" for name in names),
            remedy=f"Take the lines out of {found.path}, or have a bundle made with the provider (outside:"
            f" airferry bundle {' '.join(f'apache-airflow-providers-{name}' for name in names)}).",
        )
    provider = _of_logs(found.remote_logs)
    if provider and f"apache-airflow-providers-{provider}" not in held:
        yield REMOTE_LOGS.found(
            found.remote_logs,
            needed=f"apache-airflow-providers-{provider}, which the bundle does not hold",
            remedy=f"Set remote_logging = False in {found.path}, or have a bundle made with the provider.",
        )


def _of_logs(place: str) -> Optional[str]:
    return next((name for start, name in _LOG_PROVIDERS.items() if place.startswith(start)), None)


def _held(module: str, held: AbstractSet[str]) -> bool:
    parts = module.lower().replace("_", "-").split(".")[2:]
    names = ("-".join(parts[:count]) for count in (1, 2, 3))
    return any(f"apache-airflow-providers-{name}" in held for name in names)


def _provider(module: str) -> str:
    parts = module.lower().replace("_", "-").split(".")[2:]
    return "-".join(parts[: 2 if parts[0] in _FAMILIES else 1])


def _said(folder: NamedFolder) -> str:
    meant = "" if folder.value == folder.path else f" ({folder.path})"
    return f"[{folder.section}] {folder.option} = {folder.value}{meant}"


def _below(path: str, tops: Sequence[str]) -> bool:
    return any(path == top or path.startswith(f"{top}/") for top in tops)
