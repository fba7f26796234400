"""A change of site settings as one step: written, restarted and proven, or all of it as it was before.

Beside airflow.cfg it may write files below the home, such as keys in ``secrets/``, and connections in the
database. What was there is kept in ``run/site-before`` until the new settings have answered, so that a change
that was killed is undone by the next one, by :func:`undo_unfinished` or by ``airferry site undo``.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from bootstrap.airflow import config
from bootstrap.airflow.config import Option
from bootstrap.airflow.managed_options import is_secret
from bootstrap.base import secret, smallfile
from bootstrap.base.lock import held
from bootstrap.base.secret import Secret
from bootstrap.installed import dag_secrets
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.dag_secrets import Document
from bootstrap.installed.database_running import airflow_runs, database_running
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import Edit, edited, is_written, text_of, write
from bootstrap.state import change_record
from bootstrap.state.home import Home, site_before
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress
from bootstrap.steps.airflow import prove, start
from wheelhouse.errors import AirferryError

_SECONDS = 180.0
# beside what is kept of files: rows of the database, encrypted as there
_CONNECTIONS = "connections.json"


class SiteChangeFailed(AirferryError):
    """New settings of the site did not work; the old ones are back."""

    reference = "site-change-failed"
    exit_code = 106


@dataclass(frozen=True)
class SiteChange:
    """What became of it. `changed` is false where all was so already, `proved` where Airflow does not run."""

    changed: bool
    proved: bool
    components: Tuple[str, ...] = ()
    also: Tuple[str, ...] = ()


def answers(installation: Installation) -> None:
    """The proof of new settings: a login, and a run of the example pipeline; raises what they raise."""
    prove(installation)


def change(
    installation: Installation,
    group: str,
    edit: Edit,
    progress: Progress,
    proof: Callable[[Installation], None] = answers,
) -> SiteChange:
    """Write new settings of a `group` (url, tls, ldap), restart what reads them, and see that they work.

    Where Airflow does not run they are written, and not proven. Raises :class:`SiteChangeFailed` when they
    did not work, ChangeUnfinished.
    """
    home = installation.home
    with Journal(home.journal).recorded("site", group=group), held(home.lock):
        change_record.refuse_unfinished(home)
        undo_unfinished(installation, progress)
        return apply(installation, edit, progress, proof)


def apply(
    installation: Installation,
    edit: Edit,
    progress: Progress,
    proof: Callable[[Installation], None] = answers,
) -> SiteChange:
    """As :func:`change`, for a caller that holds the lock and keeps the journal."""
    with database_running(installation) if edit.connections else contextlib.nullcontext():
        return _apply(installation, edit, progress, proof)


def _apply(
    installation: Installation, edit: Edit, progress: Progress, proof: Callable[[Installation], None]
) -> SiteChange:
    home, managed = installation.home, ManagedSettings(installation)
    text = config.read(home.airflow_cfg)
    same = is_written(home, edit.files) and edited(managed, text, edit.options) == text
    rows = dag_secrets.rows(installation, list(edit.connections)) if edit.connections else Secret("{}")
    if same and json.loads(rows.reveal()) == dict(edit.connections):  # none there, and none wanted
        return SiteChange(changed=False, proved=True)
    running, names = airflow_runs(installation), tuple(installation.components)
    _keep(home, managed, edit, rows, running=running)
    try:
        _write_connections(installation, edit)
        if same:  # tasks read a connection when they need it: nothing is started again
            _forget(home)
            return SiteChange(changed=True, proved=running)
        # first: what airflow.cfg has to say follows from what a certificate is for
        write(home, edit.files)
        wanted = edited(managed, text, edit.options)
        also = _also(text, wanted, edit.options)
        if edit.components is not None and not also:
            names = edit.components
        config.write(home.airflow_cfg.with_name("airflow.cfg.bak"), text)
        config.write(home.airflow_cfg, wanted)
        managed.remember(managed.following(wanted))
        if running:
            _restart(installation, names, progress)
            with progress.step("Prove the new settings with a login and a run of the example pipeline"):
                proof(installation)
    except BaseException as error:
        _back(installation, names, error, progress)
        raise
    _forget(home)
    return SiteChange(True, running, names, also)


def undo_unfinished(installation: Installation, progress: Progress) -> bool:
    """Bring back what was there before a change that was killed; whether there was one.

    For a caller that holds the lock. Airflow is started again where it ran before.
    """
    home = installation.home
    place = site_before(home).parent
    if not site_before(home).exists():
        shutil.rmtree(str(place), ignore_errors=True)
        return False
    with progress.step("Undo an interrupted change of site settings"):
        running = bool(json.loads(site_before(home).read_text(encoding="utf-8"))["running"])
        restore(installation)
        if running:
            installation.stop(installation.components)
            start(installation, _SECONDS)
    _forget(home)
    return True


def restore(installation: Installation) -> None:
    """Put every file that a change has kept back in its place; done again, it completes the work."""
    home = installation.home
    place = site_before(home).parent
    kept = json.loads(site_before(home).read_text(encoding="utf-8"))
    for name, there in kept["files"].items():
        target = home.path / name
        if there:
            secret.write(target, Secret((place / name).read_text(encoding="utf-8").rstrip("\n")))
        else:
            with contextlib.suppress(FileNotFoundError):
                target.unlink()
    config.write(home.airflow_cfg, config.read(place / "airflow.cfg"))
    ManagedSettings(installation).restore(kept["record"])
    if (place / _CONNECTIONS).exists():
        with database_running(installation):
            dag_secrets.put_back(installation, secret.read(place / _CONNECTIONS))


def _back(installation: Installation, names: Sequence[str], error: BaseException, progress: Progress) -> None:
    """Undo what was written, prove that the old settings answer, and raise what the admin should read."""
    home = installation.home
    kept = json.loads(site_before(home).read_text(encoding="utf-8"))
    said = f"{error}\n{getattr(error, 'found', '')}".strip()
    try:
        restore(installation)
        if kept["running"]:
            _restart(installation, names, progress)
    except (AirferryError, OSError) as second:
        raise SiteChangeFailed(
            f"The new settings did not work, and with the old ones Airflow did not start either: {second}",
            found=f"{said}\n{getattr(second, 'found', '')}".strip(),
            hint=f"The old settings are in their place again. See {home.bin}/airferry logs, then"
            f" {home.bin}/airferry start",
        ) from error
    _forget(home)
    if isinstance(error, (AirferryError, OSError)):
        after = "Airflow runs with the old ones again." if kept["running"] else "The old ones are back."
        raise SiteChangeFailed(
            f"The new settings did not work. {after}", found=said, hint=getattr(error, "hint", "")
        ) from error


def _restart(installation: Installation, names: Sequence[str], progress: Progress) -> None:
    with progress.step(f"Restart {', '.join(names)}"):
        installation.stop(names)
        start(installation, _SECONDS)


def _write_connections(installation: Installation, edit: Edit) -> None:
    gone = [name for name, text in edit.connections.items() if text is None]
    there = {name: json.loads(text.reveal()) for name, text in edit.connections.items() if text is not None}
    if gone:
        dag_secrets.remove(installation, gone)
    if there:
        named = f"the connection {', '.join(there)}"
        document = Document(named, "json", Secret(json.dumps(there)), exposed=False)
        dag_secrets.write(installation, dag_secrets.CONNECTIONS, document, overwrite=True)


def _keep(home: Home, managed: ManagedSettings, edit: Edit, rows: Secret, *, running: bool) -> None:
    """Keep what is about to be replaced; the list comes last, because it says that all of it is there."""
    place = site_before(home).parent
    shutil.rmtree(str(place), ignore_errors=True)
    place.mkdir(mode=0o700)
    there: Dict[str, bool] = {}
    for name in edit.files:
        found = text_of(home.path / name)
        there[name] = found is not None
        if found is not None:
            (place / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            secret.write(place / name, Secret(found))
    config.write(place / "airflow.cfg", config.read(home.airflow_cfg))
    if edit.connections:
        secret.write(place / _CONNECTIONS, rows)
    kept = {"files": there, "record": managed.known(), "running": running}
    smallfile.write(site_before(home), json.dumps(kept), 0o600)


def _forget(home: Home) -> None:
    place = site_before(home).parent
    with contextlib.suppress(FileNotFoundError):
        site_before(home).unlink()
    shutil.rmtree(str(place), ignore_errors=True)


def _also(before: str, after: str, asked: Mapping[Option, Optional[str]]) -> Tuple[str, ...]:
    """The options that were changed with those that were asked for, as they are now."""
    was, now = _set(before), _set(after)
    return tuple(f"[{place[0]}] {place[1]} = {value}" for place, value in _differing(was, now, asked))


def _differing(
    was: Dict[Option, Optional[str]],
    now: Dict[Option, Optional[str]],
    asked: Mapping[Option, Optional[str]],
) -> Iterator[Tuple[Option, str]]:
    places: List[Option] = [*now, *(place for place in was if place not in now)]
    for place in places:
        if place not in asked and was.get(place) != now.get(place):
            value = now.get(place)
            yield place, "unset" if value is None else "***" if is_secret(place[1]) else value


def _set(text: str) -> Dict[Option, Optional[str]]:
    return {place: config.get(text, *place) for place in config.options(text)}
