"""``airferry.toml``: the settings of a bundle in a file to be kept under version control."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from bootstrap.base.spelling import did_you_mean
from bundler.base import toml
from bundler.base.errors import InvalidRequest
from bundler.base.text import NotText, decode
from bundler.index.transport import credentials
from bundler.request import platforms
from bundler.request.settings import PUBLISHED, Declared, Settings, declared

_TEMPLATE = "airferry.toml"
# what is a word of Python's own has another name here than in the file
_KEYS = {"host": "for"}


def read(path: Path) -> Settings:
    """Read a file; raises :class:`InvalidRequest` with every problem in it."""
    try:
        data = toml.loads(decode(path.read_bytes()))
    except OSError as error:
        raise InvalidRequest(
            f"{path} cannot be read: {error.strerror}.", hint="airferry init writes one."
        ) from error
    except (toml.TOMLError, NotText) as error:
        raise InvalidRequest(f"{path} is not a TOML file.", found=str(error)) from error
    problems = [f"[{name}]: unknown; everything is in [bundle]" for name in data if name != "bundle"]
    table = data.get("bundle", {})
    values = _values(table if isinstance(table, dict) else {}, path.parent, problems)
    if problems:
        raise InvalidRequest(f"{path} has invalid settings.", found="\n".join(problems))
    return Settings(**values)


def keys() -> dict[str, Declared]:
    """What a file may hold, by its name there."""
    return {_KEYS.get(item.name, item.name.replace("_", "-")): item for item in declared() if item.in_file}


def template(airflow: str, python: str) -> str:
    """A commented file to begin with; without `airflow` it asks for the newest release."""
    text = files("bundler.resources").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    if not airflow:
        text, airflow = text.replace("airflow = ", "# airflow = "), "X.Y.Z"
    for name, value in (("AIRFLOW", airflow), ("PYTHON", python), ("MACHINE", platforms.this_machine())):
        text = text.replace(f"@{name}@", value)
    return text


def _values(table: dict[str, Any], folder: Path, problems: list[str]) -> dict[str, Any]:
    known = keys()
    values: dict[str, Any] = {}
    for key, given in table.items():
        value: Any = PUBLISHED if key == "with-python" and given is True else given
        if key not in known:
            problems.append(f"{key}: unknown. {did_you_mean(key, known)}".rstrip())
            continue
        item = known[key]
        if item.many and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            problems.append(f"{key}: a list of texts is needed")
        elif item.kind is bool:
            if isinstance(value, bool):
                values[item.name] = value
            else:
                problems.append(f"{key}: true or false is needed")
        elif not item.many and not isinstance(value, str):
            problems.append(f'{key}: a text is needed, such as "{value}"')
        else:
            texts = value if item.many else [value]
            taken = tuple(item.kind(folder / text if item.is_path(text) else text) for text in texts)
            values[item.name] = taken if item.many else taken[0]
            problems += _passwords(key, texts)
    return values


def _passwords(key: str, urls: list[str]) -> list[str]:
    found = (credentials(url) for url in urls if "://" in url)
    if any(pair and pair[1] for pair in found):
        return [f"{key}: holds a password; put it into netrc or keyring, or give the URL on the command line"]
    return []
