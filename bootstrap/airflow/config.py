"""airflow.cfg edited in place: comments, order and every line that is not meant stay, byte for byte.

Airflow reads the file with Python's configparser, so the line rules here are those of
``RawConfigParser._read`` with its defaults: an option goes on over every deeper indented line, across blank
lines and comments; names of options are case-insensitive, names of sections are not; ``%`` is written ``%%``.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from wheelhouse.errors import AirferryError

Option = Tuple[str, str]  # section and option of airflow.cfg

BOM = "\ufeff"  # Notepad puts it in front; configparser takes it for a part of the first line
# byte order marks of UTF-16, as surrogateescape reads them
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")
_UTF32 = ("\udcff\udcfe\0\0", "\0\0\udcfe\udcff")
_SECTION = re.compile(r"\[(?P<header>.+)\]")
_OPTION = re.compile(r"(?P<option>.*?)\s*(?:(?P<delimiter>=|:)\s*(?P<value>.*))$")
_DEFAULT = re.compile(r"# (?P<option>[A-Za-z0-9_.-]+) = ?(?P<value>.*)$")
_COMMENTED = re.compile(r"#\s*(?P<option>[A-Za-z0-9_.-]+)\s*=")


class ConfigurationError(AirferryError):
    """airflow.cfg cannot be edited as it stands, or cannot hold the value."""

    reference = "configuration-error"
    exit_code = 32


@dataclass(frozen=True)
class Setting:
    """One option of airflow.cfg and the value it shall have, as Airflow reads it (``%`` single).

    ``secret`` says that the value must not be shown.
    """

    section: str
    option: str
    value: str
    secret: bool = False

    def __repr__(self) -> str:
        """The setting, with the value of a secret one masked."""
        shown = "***" if self.secret else self.value
        return f"Setting([{self.section}] {self.option} = {shown})"


@dataclass(frozen=True)
class _Entry:
    """A section header or an option: its lines are ``first`` up to, not including, ``end``."""

    section: str
    option: str  # "" for a header
    first: int
    end: int
    indent: int
    prefix: str = ""  # everything before the value on the first line
    value: str = ""


def read(path: Path) -> str:
    """Read a file so that :func:`write` gives back the same bytes, whatever its newlines and encoding.

    Raises :class:`ConfigurationError` for UTF-16 and UTF-32: no line there would look like an option.
    """
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        text = stream.read()
    if text.startswith((*_UTF16, *_UTF32)):
        kind = "UTF-32" if text.startswith(_UTF32) else "UTF-16"
        raise ConfigurationError(
            f"{path} is {kind}.",
            needed="UTF-8, or Airflow cannot read it",
            hint=f"Save it as UTF-8, or: iconv -f {kind} -t UTF-8 {path} > NEW, then put NEW in its place.",
        )
    return text


def write(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, with mode 0600 and the owner it had (or its folder's).

    A symbolic link stays one: the file that it names is replaced.
    """
    target = path.resolve()
    owner = (target if target.exists() else target.parent).stat()
    temporary = target.with_name(target.name + ".new")
    if temporary.exists():
        temporary.unlink()
    descriptor = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            if os.geteuid() == 0:
                os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink()
        raise


def get(text: str, section: str, option: str) -> Optional[str]:
    """The value that `option` has in `section`, ``%%`` undoubled; None when it is absent or commented out.

    The lines of a multi-line value are stripped and joined by newlines.
    """
    found = [entry for entry in _scan(_lines(text)) if _is(entry, section, option)]
    return found[-1].value.replace("%%", "%") if found else None


def edit(text: str, settings: Sequence[Setting]) -> str:
    """Give `text` the values of `settings` and change no other line; a byte order mark goes.

    An option that has the value already keeps its line as it is. A commented default ``# option = `` becomes
    the option in place; an option that is not there is added at the end of its section, and a section that is
    not there at the end of the file.

    Raises :class:`ConfigurationError` when an option stands twice in its section (Airflow refuses such a
    file) or its value cannot be written in this format.
    """
    lines = _lines(text)
    ends_open = bool(lines) and not lines[-1].endswith(("\n", "\r"))
    newline = next((ending for ending in map(_ending, lines) if ending), "\n")
    if ends_open:
        lines[-1] += newline
    for setting in settings:
        lines = _edit_one(lines, setting, newline)
    if ends_open:
        lines[-1] = lines[-1][: -len(_ending(lines[-1]))]
    return "".join(lines)


def remove(text: str, section: str, option: str) -> str:
    """Take `option` out of `section`, so that the default holds; every other line stays as it is."""
    lines = _lines(text)
    for entry in reversed([found for found in _scan(lines) if _is(found, section, option)]):
        del lines[entry.first : entry.end]
    return "".join(lines)


def listed(text: str) -> Dict[Tuple[str, str], str]:
    """Every option and its value, also the commented defaults (``# option = value``) that are not set."""
    lines, found = _lines(text), {}
    entries = _scan(lines)
    headers = {entry.first: entry.section for entry in entries if not entry.option}
    section = ""
    for number, line in enumerate(lines):
        section = headers.get(number, section)
        default = _DEFAULT.match(line.rstrip())
        if default:
            found[section, default["option"].lower()] = default["value"].replace("%%", "%")
    for entry in entries:
        if entry.option:
            found[entry.section, entry.option] = entry.value.replace("%%", "%")
    return found


def options(text: str) -> List[Tuple[str, str]]:
    """Section and name of every option that is set, in order."""
    return [(entry.section, entry.option) for entry in _scan(_lines(text)) if entry.option]


def comment_out(text: str, section: str, option: str) -> str:
    """Turn every line of `option` into a comment; its value stays readable, and nothing else changes."""
    lines = _lines(text)
    for entry in _scan(lines):
        if _is(entry, section, option):
            for number in range(entry.first, entry.end):
                lines[number] = f"# {lines[number]}"
    return "".join(lines)


def _edit_one(lines: List[str], setting: Setting, newline: str) -> List[str]:
    entries = _scan(lines)
    same = [entry for entry in entries if _is(entry, setting.section, setting.option)]
    if len(same) > 1:
        raise ConfigurationError(
            f"airflow.cfg sets [{setting.section}] {setting.option} {len(same)} times.",
            found="lines " + ", ".join(str(entry.first + 1) for entry in same),
            needed="one line, or Airflow refuses the file",
            hint="Delete all but one of these lines, then run this again.",
        )
    raw = setting.value.replace("%", "%%")
    if same:
        entry = same[0]
        if entry.value == raw:
            return lines
        newline = _ending(lines[entry.end - 1])
        first, end, prefix, indent = entry.first, entry.end, entry.prefix, entry.indent
    else:
        first, end = _place(lines, entries, setting)
        indent = _indent_at(entries, end)
        prefix = f"{' ' * indent}{setting.option} = "
    written = _formatted(prefix, raw, indent, newline)
    if first == end and not any(_is_header(entry, setting.section) for entry in entries):
        gap = [newline] if lines and lines[-1].strip() else []
        written = [*gap, f"{' ' * indent}[{setting.section}]{newline}", *written]
    edited = [*lines[:first], *written, *lines[end:]]
    edited = _lines("".join(edited))  # a carriage return in a value has made more lines
    _check(entries, _scan(edited), setting, raw)
    return edited


def _place(lines: Sequence[str], entries: Sequence[_Entry], setting: Setting) -> Tuple[int, int]:
    """The lines to be replaced by an option that is not set: a commented default, or none (first == end)."""
    inside = {number for entry in entries for number in range(entry.first, entry.end)}
    header = next((entry for entry in reversed(entries) if _is_header(entry, setting.section)), None)
    if header is None:
        return len(lines), len(lines)
    later = (entry.first for entry in entries if not entry.option and entry.first > header.first)
    stop = next(later, len(lines))
    for number in reversed(range(header.end, stop)):
        commented = _COMMENTED.match(lines[number].strip())
        if number not in inside and commented and commented["option"].lower() == setting.option.lower():
            return number, number + 1
    while stop > header.end and not lines[stop - 1].strip():
        stop -= 1
    return stop, stop


def _indent_at(entries: Sequence[_Entry], number: int) -> int:
    """The indentation at which a new option at line `number` neither continues nor is continued."""
    after = [entry.indent for entry in entries if entry.first >= number]
    before = [entry.indent for entry in entries if entry.first < number]
    return after[0] if after else before[-1] if before else 0


def _formatted(prefix: str, raw: str, indent: int, newline: str) -> List[str]:
    first, *more = raw.split("\n")
    if first and prefix.endswith(("=", ":")) and prefix[-2:-1].isspace():
        prefix += " "  # "option =" with nothing behind it
    continuation = " " * (indent + 4)
    return [
        (prefix + first).rstrip(" ") + newline if not first else prefix + first + newline,
        *((continuation + line if line else "") + newline for line in more),
    ]


def _check(before: Sequence[_Entry], after: Sequence[_Entry], setting: Setting, raw: str) -> None:
    """Refuse an edit that does not read back, or that moved another option's value."""

    def values(entries: Sequence[_Entry]) -> Dict[Tuple[str, str], str]:
        return {(entry.section, entry.option): entry.value for entry in entries if entry.option}

    wanted = {**values(before), (setting.section, setting.option.lower()): raw}
    if values(after) != wanted:
        raise ConfigurationError(
            f"airflow.cfg cannot hold the value wanted for [{setting.section}] {setting.option}.",
            needed="text without leading or trailing spaces, and no line that begins with # or ;",
        )


def _scan(lines: Sequence[str]) -> List[_Entry]:
    """Find every header and option, as configparser would."""
    entries: List[_Entry] = []
    section: Optional[str] = None
    option, indent = "", 0
    values: List[str] = []
    blanks = 0
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith(("#", ";")):
            continue
        if not text:
            blanks += 1
            continue
        depth = len(line) - len(line.lstrip())
        if section is not None and option and depth > indent:
            values += [""] * blanks + [text]
            entries[-1] = replace(entries[-1], end=number + 1, value="\n".join(values))
            blanks = 0
            continue
        indent, blanks = depth, 0
        header = _SECTION.match(text)
        if header:
            section, option = header["header"], ""
            entries.append(_Entry(section, "", number, number + 1, indent))
            continue
        match = _OPTION.match(text)
        option = ""
        if section is not None and match and match["option"]:
            option = match["option"].lower()
            values = [match["value"].strip()]
            prefix = line[: depth + match.start("value")]
            entries.append(_Entry(section, option, number, number + 1, indent, prefix, values[0]))
    return entries


def _lines(text: str) -> List[str]:
    # Not str.splitlines: that also splits at form feeds and other characters that configparser keeps.
    return list(io.StringIO(text[len(BOM) :] if text.startswith(BOM) else text, newline=""))


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _is(entry: _Entry, section: str, option: str) -> bool:
    return entry.section == section and entry.option == option.lower()


def _is_header(entry: _Entry, section: str) -> bool:
    return entry.section == section and not entry.option
