"""Whether Airflow can read an airflow.cfg."""

from __future__ import annotations

import configparser
import re

from bootstrap.airflow.config import BOM

# bytes that are no UTF-8, as surrogateescape reads them
_NO_UTF8 = re.compile("[\udc80-\udcff]")


def problem(text: str) -> str:
    """Why Airflow cannot read the file: it parses strictly and expands ``%`` in every value."""
    if text.startswith(BOM):
        return "begins with a byte order mark (Notepad writes one), which Airflow cannot read"
    for number, line in enumerate(text.split("\n"), 1):
        if _NO_UTF8.search(line):  # of another encoding, such as CP949
            return f"line {number} is not UTF-8"
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text, "airflow.cfg")
    except configparser.ParsingError as error:
        # the message would show the lines, and with them perhaps a password
        lines = [error.lineno] if hasattr(error, "lineno") else [number for number, _ in error.errors]
        why = " (NUL characters, as in UTF-16)" if "\0" in text else ""
        return f"cannot be parsed: line {', '.join(map(str, lines))}{why}"
    except configparser.Error as error:
        return " ".join(str(error).split())
    for section in parser.sections():
        for option in parser.options(section):
            try:
                parser.get(section, option)
            except configparser.InterpolationMissingOptionError:
                continue  # %(name)s of something that Airflow fills in
            except configparser.InterpolationError:
                # the message would show the value, which may be a password
                return f"[{section}] {option}: a single % in its value"
    return ""
