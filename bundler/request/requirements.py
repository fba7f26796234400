"""What comes along beside Airflow: requirements, requirement files, local wheels and projects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from bundler.index.transport import without_credentials
from bundler.request import pipoptions

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash[=\s]\s*sha256:([0-9a-fA-F]{64})")
_LOGIN = re.compile(r"//[^/\s@]+@")
_SDIST = (".tar.gz", ".zip")


@dataclass(frozen=True)
class Wanted:
    """One requirement: `text` for the resolver, `record` for the manifest (no folder of this machine).

    `name` is normalised, and empty for a project's folder until it is built; `hashes` are the sha256 that a
    requirement file allows.
    """

    text: str
    record: str
    name: str
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gathered:
    """What was read; everything that is wrong or was passed over, as sentences; and what options named."""

    wanted: tuple[Wanted, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    index_url: str = field(default="", repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = ()


def gather(requirements: tuple[str, ...], requirement_files: tuple[Path, ...]) -> Gathered:
    """Parse requirements from the command line and from files; never raises."""
    wanted: list[Wanted] = []
    options = pipoptions.Found()
    for text in requirements:
        _one(text, Path(), "", wanted, options.problems)
    for path in requirement_files:
        _file(path, wanted, options, ())
    return Gathered(
        tuple(dict.fromkeys(wanted)),
        tuple(options.problems),
        tuple(options.warnings),
        options.index_url,
        tuple(dict.fromkeys(options.extra_index_urls)),
        tuple(dict.fromkeys(options.find_links)),
    )


def _file(path: Path, wanted: list[Wanted], options: pipoptions.Found, above: tuple[Path, ...]) -> None:
    problems = options.problems
    if path in above:
        problems.append(f"{path}: includes itself")
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"-r {path}: {getattr(error, 'strerror', None) or error}")
        return
    for number, written in _lines(text):
        where = f"{path}:{number}: "
        line = pipoptions.expand(written, where, problems)
        name, value = pipoptions.split(line) if line.startswith("-") else ("", "")
        if name == "--requirement":
            _file(path.parent / value, wanted, options, (*above, path))
        elif name:
            options.take(name, value, path.parent, where)
        else:
            hashes = tuple(found.lower() for found in _HASH.findall(line))
            _one(_HASH.sub("", line).strip(), path.parent, where, wanted, problems, hashes)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    joined, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        joined += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        stripped = _COMMENT.sub("", joined).strip()
        if stripped:
            yield start, stripped
        joined, start = "", 0


def _one(
    text: str,
    base: Path,
    where: str,
    wanted: list[Wanted],
    problems: list[str],
    hashes: tuple[str, ...] = (),
) -> None:
    path = base / Path(text).expanduser()
    if text.endswith((".whl", *_SDIST)) and "@" not in text and "://" not in text:
        _local_file(text, path, where, wanted, problems)
    elif text.startswith((".", "/", "~")):
        if not any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
            problems.append(f"{where}{text}: not a project (no pyproject.toml or setup.py there)")
        else:
            wanted.append(Wanted(str(path.resolve()), "", "", hashes))
    else:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            shown, reason = (_LOGIN.sub("//", item) for item in (text, str(error).splitlines()[0]))
            problems.append(f"{where}requirement {shown!r}: {reason}")
            return
        name = canonicalize_name(requirement.name)
        record = requirement
        if requirement.url:
            record = Requirement(text)
            record.url = without_credentials(requirement.url)
        wanted.append(Wanted(text, str(record), name, hashes))


def _local_file(text: str, path: Path, where: str, wanted: list[Wanted], problems: list[str]) -> None:
    if not path.is_file():
        problems.append(f"{where}{text}: no such file")
        return
    try:
        name, version = (
            parse_wheel_filename(path.name)[:2]
            if path.suffix == ".whl"
            else (canonicalize_name(path.name.rsplit("-", 1)[0]), _sdist_version(path.name))
        )
    except InvalidWheelFilename as error:
        problems.append(f"{where}{error}")
        return
    wanted.append(Wanted(f"{name} @ {path.resolve().as_uri()}", f"{name}=={version}", name))


def _sdist_version(filename: str) -> str:
    stem = next(filename.removesuffix(ending) for ending in _SDIST if filename.endswith(ending))
    return stem.rsplit("-", 1)[-1]
