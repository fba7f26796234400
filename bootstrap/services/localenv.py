"""etc/local.env: the admin's own variables, by one set of rules for every reader.

It is a script of its own, too, so that sh needs no rules for it; it prints what sh then runs::

    eval "$(python -I -S localenv.py FILE)"

A line is ``NAME=value``. The value is taken as it stands: nothing is expanded and no program is run. Quotes
round it are taken off. A line that is nothing of the kind is left out and named, and the others count.
"""

from __future__ import annotations

import codecs
import re
import shlex
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple

_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*')(?:[ \t]+\#.*)?""", re.DOTALL)
_COMMENT = re.compile(r"(?:^|[ \t])#.*", re.DOTALL)
_ESCAPED = re.compile(r'\\([\\"$`])')
_EXPANSION = re.compile(r"\$[A-Za-z_{(]|`")
# What the installation sets itself, and what a shell refuses to have set or needs for itself.
_OURS = ("AIRFLOW_HOME", "AIRFERRY_HOME")
_OF_THE_SHELL = ("BASHOPTS", "BASH_VERSINFO", "EUID", "IFS", "PPID", "SHELLOPTS", "UID")


class Parsed(NamedTuple):
    """The variables; lines that are not used, and lines that perhaps mean something else, with the reason.

    No line shows a value.
    """

    variables: Dict[str, str]
    problems: Tuple[str, ...]
    remarks: Tuple[str, ...]


def parse(data: bytes) -> Parsed:
    """Read the contents: UTF-8, or UTF-16 with its mark; bytes of another encoding stay as they are."""
    variables: Dict[str, str] = {}
    problems: List[str] = []
    remarks: List[str] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", _decoded(data)), 1):
        text = line.strip(" \t\f\v")
        if not text or text.startswith("#"):
            continue
        name, value, problem = _assignment(text)
        if value is None:
            problems.append(f"line {number}: {problem}")
            continue
        if problem:
            remarks.append(f"line {number}: {problem}")
        if name in variables:
            remarks.append(f"line {number}: {name} stands there twice, this one counts")
        variables[name] = value
    return Parsed(variables, tuple(problems), tuple(remarks))


def _decoded(data: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    return data.decode("utf-8", "surrogateescape")


def _assignment(text: str) -> Tuple[str, Optional[str], str]:
    """Name, value and a remark; without a value the reason why the line cannot be used."""
    found = _LINE.fullmatch(text)
    if "\0" in text:
        return "", None, "it has a NUL byte; save the file as UTF-8"
    if not found:
        return "", None, "it is not NAME=value"
    name, written = found.groups()
    if name in _OURS:
        return name, None, f"{name} belongs to the installation"
    if name in _OF_THE_SHELL:
        return name, None, f"{name} belongs to the shell"
    value = _value(written)
    if value is None:
        return name, None, f"the quote that the value of {name} begins with does not end it"
    remark = ""
    if not written.startswith("'") and _EXPANSION.search(re.sub(r"\\.", "", written)):
        remark = f"the value of {name} is taken as it stands: $ and ` expand nothing"
    elif value.endswith("\\") and not _QUOTED.fullmatch(written):
        remark = f"the value of {name} ends in a backslash: a line goes on nowhere"
    elif written[:1] not in ('"', "'") and re.search("[\"'}]", written[len(value) :]):
        remark = f"what follows the # in the value of {name} is a comment; quotes keep it"
    elif any("\udc80" <= char <= "\udcff" for char in value):
        remark = f"the value of {name} is not UTF-8"
    return name, value, remark


def _value(written: str) -> Optional[str]:
    if written[:1] not in ('"', "'"):
        return _COMMENT.sub("", written, 1).rstrip(" \t")
    quote = written[0]
    quoted = _QUOTED.fullmatch(written)
    if quoted:
        inner = quoted.group(1)[1:-1]
        return _ESCAPED.sub(r"\1", inner) if quote == '"' else inner
    if len(written) > 1 and written.endswith(quote):
        # quotes of JSON or an apostrophe within it; between single quotes sh writes one as '\\''
        return written[1:-1] if quote == '"' else written[1:-1].replace("'\\''", "'")
    return None


def script(parsed: Parsed) -> str:
    """What sh runs to have the variables, and nothing else."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in parsed.variables.items())


def main(path: str) -> None:
    """Print the script for a file; what cannot be used is told on standard error."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - no pathlib here: every command waits for it
            parsed = parse(stream.read())
    except FileNotFoundError:
        return
    except OSError as error:
        sys.stderr.write(f"airferry: {path}: {error.strerror}\n")
        return
    for problem in parsed.problems:
        sys.stderr.write(f"airferry: {path}, {problem}: not used\n")
    sys.stdout.buffer.write(script(parsed).encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main(sys.argv[1])
