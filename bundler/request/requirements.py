"""What comes along beside Airflow: requirements, requirement files, local wheels and projects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from bundler.base.digest import file_digest
from bundler.index.transport import recorded
from bundler.request import archives, pipoptions
from bundler.request.requirement_files import RequirementFile, Unreadable, lines

_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64})")
_ARCHIVES = (".whl", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar", ".zip")
_EXTRAS = re.compile(r"(.+?)\s*\[([A-Za-z0-9._,\s-]+)\]")
_REPOSITORY = re.compile(r"(git|hg|svn|bzr)\+", re.IGNORECASE)
_URL = re.compile(r"(https?|file|ftp|(git|hg|svn|bzr)\+\w+):", re.IGNORECASE)
_ONE_EQUALS = re.compile(r"[A-Za-z0-9._-]+(\[[^]]*\])?\s*=\s*[^=\s]+(=\S*)?")
# lines that other programs write into requirement files, and that no index can serve
_NO_HASH = "a folder has no hash: build a wheel of it, and name that"
_CLONE = "a repository has no hash to record: clone it, and name its folder; a wheel is built"
_NO_ADDRESS = "after @ stands an address (https://...); for a version write =="
_NO_FILE = "no such file here; conda writes its build folders; `pip list --format=freeze` writes versions"
_NEVER = {
    "pkg-resources": "Debian's pip writes this line, and no index has the package: remove it",
}


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
    options = pipoptions.FileOptions()
    for item in requirements:
        _one(item, Path(), "", wanted, options.problems)
    for path in requirement_files:
        _file(RequirementFile.named(path), wanted, options, ())
    options.settle()
    return Gathered(
        tuple(dict.fromkeys(wanted)),
        tuple(options.problems),
        tuple(options.warnings),
        options.index_url,
        tuple(dict.fromkeys(options.extra_index_urls)),
        tuple(dict.fromkeys(options.find_links)),
    )


def _file(
    file: RequirementFile,
    wanted: list[Wanted],
    options: pipoptions.FileOptions,
    above: tuple[RequirementFile, ...],
) -> None:
    problems = options.problems
    if file.location in [item.location for item in above]:
        problems.append(f"{file.shown}: includes itself")
        return
    try:
        content = file.read()
    except Unreadable as error:
        problems.append(f"-r {file.shown}: {error}")
        return
    for number, written, lost in lines(content):
        where = f"{file.shown}:{number}: "
        if lost:
            options.warnings.append(
                f"{where}the comment ends in a backslash, which joins the next line to it: "
                + pipoptions.shown(lost)
            )
        line = pipoptions.expand(written, where, problems)
        requirement, found = pipoptions.split(line, where, problems)
        hashes = [value for name, value in found if name == pipoptions.HASH]
        problems += [f"{where}{pipoptions.HASH} {value}: sha256:<64 hexadecimal digits> is needed"
                     for value in hashes if not _SHA256.fullmatch(value)]  # fmt: skip
        if requirement:
            allowed = tuple(value.partition(":")[2].lower() for value in hashes)
            _one(requirement, file.folder, where, wanted, problems, allowed)
        for name, value in pipoptions.in_force(requirement, found, where, options):
            if name == pipoptions.REQUIREMENT:
                _file(file.beside(value), wanted, options, (*above, file))
            else:
                options.take(name, value, file.folder, where)


def _one(
    text: str,
    base: Path,
    where: str,
    wanted: list[Wanted],
    problems: list[str],
    hashes: tuple[str, ...] = (),
) -> None:
    """Take one requirement, as pip reads it: a path, a URL, or a name (PEP 508)."""
    url = _URL.match(text)
    place, _, marker = (part.strip() for part in text.partition("; " if url else ";"))
    bracket = _EXTRAS.fullmatch(place)
    extras = f"[{bracket[2]}]" if bracket else ""
    place = bracket[1] if bracket else place
    path = _found(place, base)
    behind = f" ; {marker}" if marker else ""
    try:
        if behind:
            Requirement(f"x{behind}")
        if _REPOSITORY.match(place):
            problems.append(f"{where}{pipoptions.shown(text)}: {_CLONE}")
        elif url:
            _from_url(_absolute(place), extras, behind, hashes, wanted)
        elif _is_file(place, path):
            _local_file(place, path, extras, behind, where, wanted, problems, hashes)
        elif _looks_like_path(place, path):
            if hashes:
                problems.append(f"{where}{text}: {_NO_HASH}")
            elif any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
                wanted.append(Wanted(f"{path.resolve()}{extras}{behind}", "", "", hashes))
            else:
                problems.append(f"{where}{text}: not a project (no pyproject.toml or setup.py there)")
        else:
            _named(place + extras, behind, where, wanted, problems, hashes)
    except (InvalidRequirement, InvalidWheelFilename) as error:
        reason = pipoptions.shown(str(error).splitlines()[0])
        if _ONE_EQUALS.fullmatch(text):
            reason = "write == for a version; conda writes =, and `pip list --format=freeze` =="
        problems.append(f"{where}requirement {pipoptions.shown(text)!r}: {reason}")


def _found(place: str, base: Path) -> Path:
    """A path as pip takes it, from the working directory; else from the folder of the file that names it."""
    path = Path(place).expanduser()
    return path if path.exists() else base / path


def _absolute(url: str) -> str:
    """The URL with its scheme in small letters, and the path of a file in full (file:./x.whl)."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() == "file" and not rest.startswith("//"):
        address, mark, fragment = rest.partition("#")
        return Path(unquote(address)).resolve().as_uri() + mark + fragment
    return f"{scheme.lower()}:{rest}"


def _named(
    named: str, behind: str, where: str, wanted: list[Wanted], problems: list[str], hashes: tuple[str, ...]
) -> None:
    # before the semicolon of an address a blank is needed, and pip does without it
    text = f"{named}{behind}" if "@" in named else named + behind.lstrip()
    requirement = Requirement(text)
    name = canonicalize_name(requirement.name)
    if name in _NEVER:
        problems.append(f"{where}{text}: {_NEVER[name]}")
        return
    record = requirement
    if requirement.url:
        if _REPOSITORY.match(requirement.url):
            problems.append(f"{where}{pipoptions.shown(text)}: {_CLONE}")
            return
        if not _URL.match(requirement.url):
            problems.append(f"{where}{pipoptions.shown(text)}: {_NO_ADDRESS}")
            return
        if requirement.url.startswith("file:") and not Path(unquote(urlsplit(requirement.url).path)).exists():
            problems.append(f"{where}{text}: {_NO_FILE}")
            return
        record = Requirement(text)
        record.url = recorded(requirement.url)
        if requirement.url.startswith("file:"):
            # no folder of this machine has a place in a bundle
            path = Path(unquote(urlsplit(requirement.url).path))
            problems += _mismatch(text, path, where, hashes)
            record.url = None
            if path.is_file():
                record.specifier = SpecifierSet(_exactly(_told(path)[1]))
    wanted.append(Wanted(text, str(record), name, hashes))


def _from_url(url: str, extras: str, behind: str, hashes: tuple[str, ...], wanted: list[Wanted]) -> None:
    """A bare URL of a wheel or a source distribution; its file's name tells the package's."""
    address, _, fragment = url.partition("#")
    name = dict(part.partition("=")[::2] for part in fragment.split("&")).get("egg", "")
    filename = unquote(urlsplit(address).path.rpartition("/")[2])
    local = Path(unquote(urlsplit(address).path)) if url.startswith("file:") else None
    if not name:
        if not filename.endswith(_ARCHIVES):
            raise InvalidRequirement(f"no wheel and no source distribution; write: name @ {url}")
        name = _told(local)[0] if local else _of_name(filename, url)[0]
    text = f"{name}{extras} @ {url}"
    record = f"{name}{extras} @ {recorded(url)}{behind}"
    if local:
        record = f"{name}{extras}{_exactly(_told(local)[1])}{behind}"
    wanted.append(Wanted(f"{text}{behind}", record, canonicalize_name(re.sub(r"\[.*", "", name)), hashes))


def _looks_like_path(text: str, path: Path) -> bool:
    """Whether pip would take it for one."""
    if text.startswith((".", "~")) or ("/" in text and path.is_dir()):
        return True
    return "/" in text.partition("@")[0]


def _is_file(text: str, path: Path) -> bool:
    if not text.endswith(_ARCHIVES):
        return False
    return path.is_file() or "@" not in text or _looks_like_path(text, path)


def _local_file(
    text: str,
    path: Path,
    extras: str,
    behind: str,
    where: str,
    wanted: list[Wanted],
    problems: list[str],
    hashes: tuple[str, ...],
) -> None:
    if not path.is_file():
        problems.append(f"{where}{text}: no such file")
        return
    problems += _mismatch(text, path, where, hashes)
    name, version = _told(path)
    url = f"{name}{extras} @ {path.resolve().as_uri()}{behind}"
    wanted.append(Wanted(url, f"{name}{extras}{_exactly(version)}{behind}", name, hashes))


def _mismatch(text: str, path: Path, where: str, hashes: tuple[str, ...]) -> Iterator[str]:
    if hashes and path.is_dir():
        yield f"{where}{text}: {_NO_HASH}"
    elif hashes and (found := file_digest(path)) not in hashes:
        yield f"{where}{text}: has the sha256 {found}, and not what --hash allows"


def _told(path: Path) -> tuple[str, str]:
    """Name and version of a local file, from its name or from what is in it; the version may be ""."""
    try:
        return _of_name(path.name, "")
    except InvalidRequirement:
        if not path.is_file():
            raise
        return archives.package(path)


def _of_name(filename: str, url: str) -> tuple[str, str]:
    """Name and version of a wheel, or of a source distribution; raises InvalidRequirement."""
    if filename.endswith(".whl"):
        name, version = parse_wheel_filename(filename)[:2]
        return name, str(version)
    stem = next(filename.removesuffix(ending) for ending in _ARCHIVES if filename.endswith(ending))
    found = archives.split(stem)
    if found is None:
        raise InvalidRequirement(f"{archives.NEEDED}{url or filename}")
    return found


def _exactly(version: str) -> str:
    return f"=={version}" if version else ""
