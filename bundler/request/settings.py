"""``airferry.toml``: a request that is a file under version control."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from bundler.base import toml
from bundler.base.errors import InvalidRequest
from bundler.base.text import NotText, decode
from bundler.index.transport import credentials
from bundler.request import platforms
from bundler.request.spec import PUBLISHED

_TEMPLATE = "airferry.toml"
# what is a word of Python's own has another name here than in the file
_KEYS = {"host": "for"}


@dataclass(frozen=True)
class Settings:
    """What a file or a command line says; an empty value says nothing. Paths are absolute or as typed."""

    airflow: str = ""
    python: str = ""
    platform: str = ""
    glibc: str = ""
    like: str = ""
    machine: str = ""
    extras: tuple[str, ...] = ()
    constraints: str = ""
    requirements: tuple[str, ...] = ()
    requirement_files: tuple[Path, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    resolver: str = ""
    build_constraints: Path | None = None
    with_python: str = ""
    python_sha256: str = ""
    python_mirror: str = ""
    output: Path | None = None
    onto: tuple[Path, ...] = ()
    host: Path | None = None

    def over(self, below: Settings) -> Settings:
        """These settings, and those `below` where these say nothing."""
        values = {item.name: getattr(self, item.name) or getattr(below, item.name) for item in fields(self)}
        if self.platform or self.glibc or self.like:
            # They say the same thing in three ways: one of them replaces whichever the file has.
            values.update({name: getattr(self, name) for name in ("platform", "glibc", "like")})
        if self.with_python:
            values["python_sha256"] = self.python_sha256  # the file's belongs to another archive
        return Settings(**values)


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
        raise InvalidRequest(f"{path} holds what cannot be understood.", found="\n".join(problems))
    return Settings(**values)


def key_of(field: str) -> str:
    """The name in the file of a field of :class:`Settings`."""
    return _KEYS.get(field, field.replace("_", "-"))


def template(airflow: str, python: str) -> str:
    """A commented file to begin with; without `airflow` it asks for the newest release."""
    text = files("bundler.resources").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    if not airflow:
        text, airflow = text.replace("airflow = ", "# airflow = "), "X.Y.Z"
    for name, value in (("AIRFLOW", airflow), ("PYTHON", python), ("MACHINE", platforms.this_machine())):
        text = text.replace(f"@{name}@", value)
    return text


def _values(table: dict[str, Any], folder: Path, problems: list[str]) -> dict[str, Any]:
    known = {key_of(item.name): item for item in fields(Settings)}
    values: dict[str, Any] = {}
    for key, given in table.items():
        value: Any = PUBLISHED if key == "with-python" and given is True else given
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            problems.append(f"{key}: unknown" + (f"; {near[0]} is meant?" if near else ""))
            continue
        field = known[key]
        many = str(field.type).startswith("tuple")
        if many and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            problems.append(f"{key}: a list of texts is needed")
        elif not many and not isinstance(value, str):
            problems.append(f'{key}: a text is needed, such as "{value}"')
        else:
            values[field.name] = _taken(field.name, value, folder)
            problems += _passwords(key, value if many else [value])
    return values


def _passwords(key: str, urls: list[str]) -> list[str]:
    if any(credentials(url) for url in urls if "://" in url):
        return [f"{key}: holds a password; put it into netrc, or give the URL on the command line"]
    return []


def _taken(name: str, value: Any, folder: Path) -> Any:
    """The value with its paths taken from the file's folder."""
    if name in ("output", "build_constraints", "host"):
        return folder / value
    if name == "with_python" and value != PUBLISHED and "://" not in value:
        return str(folder / value)
    if name in ("requirement_files", "onto"):
        return tuple(folder / item for item in value)
    if name == "find_links":
        return tuple(item if "://" in item else str(folder / item) for item in value)
    if name == "requirements":
        return tuple(str(folder / item) if _is_path(item) else item for item in value)
    if name == "constraints" and value not in ("auto", "official", "release-date") and "://" not in value:
        return str(folder / value)
    return tuple(value) if isinstance(value, list) else value


def _is_path(text: str) -> bool:
    return "@" not in text and (text.startswith(".") or text.endswith((".whl", ".tar.gz", ".zip")))
