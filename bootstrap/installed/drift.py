"""What an install would change in airflow.cfg, and what an admin has changed there: shown beforehand."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Optional, Sequence

from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.state.outcome import Drift

_HIDDEN = "***"
_NEW = "*** (a new one)"


def of_configuration(installation: Installation) -> Optional[Drift]:
    """Compare airflow.cfg with what this installation would write; None when there is none yet.

    Raises ConfigurationError for a file that cannot be edited, OSError for one that cannot be read.
    """
    managed = ManagedSettings(installation)
    if not (managed.path.exists() and managed.found.exists()):
        return None
    return compare(config.read(managed.path), managed.changed(), managed.settings())


def compare(text: str, changed: Sequence[Setting], settings: Sequence[Setting]) -> Drift:
    """The same, of the file's text: `changed` would be written, the rest of `settings` stays as it is."""
    edited = config.edit(text, changed)
    before = _masked(text, settings, text)
    after = _masked(edited, settings, text)
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "airflow.cfg", "airflow.cfg (after)", n=1, lineterm=""
    )
    kept = []
    for item in settings:
        found = config.get(text, item.section, item.option)
        if item not in changed and found is not None and found != item.value:
            shown = "another value" if item.secret else f"{found} (it would be {item.value})"
            kept.append(f"[{item.section}] {item.option} = {shown}")
    return Drift(tuple(lines), tuple(kept))


def _masked(text: str, settings: Sequence[Setting], original: str) -> str:
    """The text without its secrets; one that differs from that in `original` shows that it does."""
    hidden = []
    for item in settings:
        found = config.get(text, item.section, item.option)
        if item.secret and found:
            same = found == config.get(original, item.section, item.option)
            hidden.append(replace(item, value=_HIDDEN if same else _NEW))
    return config.edit(text, hidden)
