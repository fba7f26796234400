"""What a resolver that gave up has met: its words without options of its own, and what helps here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files

from packaging.utils import canonicalize_name

from bootstrap.base import process
from bootstrap.base.spelling import did_you_mean
from bundler.base.errors import OutputFailed, ResolutionFailed
from bundler.index.constraints import PIN
from bundler.resolver import Question

CONSTRAINED = (
    "With constraints every version is fixed by them: drop the requirement that disagrees, choose another "
    "Airflow release, or another constraint file."
)
_FULL = ("No space left on device", "Disk quota exceeded")
# what uv's hints advise: options and settings that a bundle does not have
_FOREIGN = re.compile(r"--[a-z]|exclude-newer|pre-releases")
_FILTERED = re.compile(
    r"`([A-Za-z0-9._-]+)` was filtered by `exclude-newer`(?:.*?published at ([0-9TZ:.+-]+))?"
)
_UNKNOWN = re.compile(
    r"([A-Za-z0-9._-]+) was not found in the package registry"
    r"|requirement ([A-Za-z0-9._-]+)[^\n]*\(from versions: none\)"
)
_SECOND = re.compile(r"`([A-Za-z0-9._-]+)` was found on (\S+), but not at the requested version")
_PYTHON = re.compile(r"requires Python|matching Python|requires a different Python|Requires-Python")
_NO_VERSION = re.compile(r"there is no version of ([A-Za-z0-9._-]+)|Because only ([A-Za-z0-9._-]+)[=<>]")


def failure(words: str, question: Question) -> OutputFailed | ResolutionFailed:
    """The error for what a resolver said of a question."""
    if any(sign in words for sign in _FULL):
        return OutputFailed(
            "The resolver cannot write: the disk is full.",
            found=words,
            hint="Free space there, or set XDG_CACHE_HOME (for temporary files TMPDIR) to another folder.",
        )
    said, *hints = re.split(r"(?m)^(?=hint: )", words)
    left_out = tuple(
        (found[1], (found[2] or "").rstrip("."))
        for item in hints
        if (found := _FILTERED.search(" ".join(item.split())))
    )
    kept = [item for item in hints if not _FOREIGN.search(item)]
    error = ResolutionFailed(
        "No set of packages meets all requirements.",
        found="".join((said, *kept)).strip(),
        hint=_hint(words, question, left_out),
    )
    error.left_out = left_out
    return error


def stopped(error: process.CommandFailed, building: str, chosen: str) -> process.CommandFailed:
    """The error of a resolver that did not come to its end, with what it did last, as far as it is known."""
    if not building and not chosen:
        return error
    doing = f"It was building {building} from source, to know what that needs." if building else ""
    return process.CommandFailed(
        error.message,
        found=doing or f"It was choosing versions; the last was {chosen}.",
        hint="Run it again: what was built and fetched is kept. A constraint file (--constraints) leaves "
        "less to choose, and a version with a wheel is not built.",
    )


def _hint(words: str, question: Question, left_out: tuple[tuple[str, str], ...]) -> str:
    flat = " ".join(words.split())
    unknown, second, version = _UNKNOWN.search(words), _SECOND.search(flat), _NO_VERSION.search(flat)
    if "authentication credentials" in flat:
        return "Give the index its user and password: in netrc, in its URL, or in keyring for the URL's user."
    if unknown:
        return _name_hint(unknown[1] or unknown[2], PIN.findall(question.constraints))
    if left_out:
        return _date_hint(left_out, question.exclude_newer[:10])
    if "upload-time" in flat:
        return "An index tells no upload times: name a constraint file with --constraints."
    if second:
        return (
            f"Of {second[1]} the first index that has it counts alone, which is {second[2]}: put the version "
            "there. Extra indexes are asked before --index-url."
        )
    if _PYTHON.search(flat):
        return "Choose another --python, or a version of the package that supports this one."
    # what keeps from broken versions (of advisories) is in there, too
    pinned = PIN.search(question.constraints)
    if version and not pinned:
        return (
            f"Ask for a version of {version[1] or version[2]} that the index has, or name the index that has "
            "this one: --extra-index-url."
        )
    if not pinned:
        return "Drop or change one of the requirements that disagree, or choose another Airflow release."
    return CONSTRAINED


def _name_hint(name: str, pins: Iterable[tuple[str, str, str]]) -> str:
    known = {*(canonicalize_name(pin[0]) for pin in pins), *_usual_names()}
    meant = did_you_mean(canonicalize_name(name), known, near=0.8)
    return (
        f"{meant + ' Else check' if meant else 'Check'} how {name} is written, or name where it is: "
        "--extra-index-url for an index, --find-links for a folder with its wheel."
    )


def _usual_names() -> list[str]:
    text = files("bundler.resources").joinpath("names.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _date_hint(left_out: tuple[tuple[str, str], ...], day: str) -> str:
    timeless = [name for name, came in left_out if not came]
    if timeless:
        return (
            f"Packages count as of {day}, and the index that has {', '.join(timeless)} tells no upload "
            "times: name a constraint file with --constraints, then no date is needed."
        )
    late = ", ".join(f"{name} came out on {came[:10]}" for name, came in left_out)
    return (
        f"Packages count as of {day}, and {late}: ask for an earlier version, or name a constraint file with "
        "--constraints."
    )
