"""What Airflow reads for an option: a variable of etc/local.env, else airflow.cfg."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional

from bootstrap.airflow import config
from bootstrap.airflow.config import ConfigurationError, Option
from bootstrap.airflow.differences import OptionPlace, Row, Version, numbers
from bootstrap.services import localenv
from bootstrap.services.launcher import OWN_ENVIRONMENT
from bootstrap.state.home import Home


def variable(place: Option) -> str:
    """The environment variable that wins over an option of airflow.cfg."""
    return "__".join(("AIRFLOW", *place)).upper()


def variables(home: Home) -> Dict[str, str]:
    """The admin's own variables, which every component is started with; none when they cannot be read."""
    try:
        return localenv.parse((home.path / OWN_ENVIRONMENT).read_bytes()).variables
    except OSError:
        return {}


def text_of(path: Path) -> str:
    """The text of airflow.cfg; "" where it is missing or cannot be read."""
    try:
        return config.read(path)
    except (OSError, ConfigurationError):
        return ""


def value(row: Row[OptionPlace], version: Version, text: str, own: Mapping[str, str]) -> Optional[str]:
    """The value of an option whose older places this release still reads; None where its default holds."""
    now = row.at(version)
    if now is None:
        return None
    older = (place for first, place in row.since if place and numbers(first) <= version)
    places = list(dict.fromkeys([now, *older]))
    for place in places:
        if variable(place) in own:
            return own[variable(place)]
    found = (config.get(text, *place) for place in places)
    return next((item for item in found if item is not None), None)
