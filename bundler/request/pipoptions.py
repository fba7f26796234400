"""Options inside requirement files: what is honoured as pip does, what is passed over, what is refused."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from bundler.index.transport import without_credentials

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_LONG = {"-i": "--index-url", "--pypi-url": "--index-url", "-f": "--find-links", "-c": "--constraint",
         "-r": "--requirement", "-e": "--editable"}  # fmt: skip
_PASSED_OVER = {
    # Files for use with Airflow often name its constraints; two sets would contradict each other.
    "--constraint": "--constraints says which constraints hold",
    "--prefer-binary": "wheels are taken wherever they fit",
    "--require-hashes": "every file is recorded and checked by its sha256, and lines with --hash must agree",
}
_REFUSED = {
    "--no-index": "Airflow itself comes from an index: give your own wheels with --find-links, and --offline "
    "to make a bundle again without a network",
    "--editable": "a bundle holds wheels: name the folder without it, and a wheel is built",
    "--pre": "name the early release itself: package==1.0b1",
    "--trusted-host": "an index is known by its certificate: PIP_CERT or SSL_CERT_FILE names its authority",
    "--no-binary": "what exists only as source is built, all else is taken as published",
    "--only-binary": "what exists only as source is built, and named before it is",
    "--global-option": "wheels are built as their projects say",
    "--config-settings": "wheels are built as their projects say",
}


@dataclass
class Found:
    """What options said, across all files; `problems` and `warnings` are sentences, without credentials."""

    index_url: str = field(default="", repr=False)
    extra_index_urls: list[str] = field(default_factory=list, repr=False)
    find_links: list[str] = field(default_factory=list, repr=False)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, name: str, value: str, folder: Path, where: str) -> None:
        """Take an option of a file in `folder`; `name` is as :func:`split` gives it."""
        if name in ("--index-url", "--extra-index-url", "--find-links") and not value:
            self.problems.append(f"{where}{name} names nothing")
        elif name == "--index-url":
            if self.index_url not in ("", value):
                self.problems.append(
                    f"{where}{name}: another one was named before; --index-url on the command line decides"
                )
            self.index_url = value
            self.warnings.append(
                f"{where}{name} {without_credentials(value)} holds for everything in the bundle, Airflow too."
            )
        elif name == "--extra-index-url":
            self.extra_index_urls.append(value)
        elif name == "--find-links":
            near = folder / Path(value).expanduser()
            self.find_links.append(str(near) if "://" not in value and near.exists() else value)
        elif name in _PASSED_OVER:
            shown = f"{name} {without_credentials(value)}".rstrip()
            self.warnings.append(f"{where}{shown} is passed over: {_PASSED_OVER[name]}.")
        else:
            reason = _REFUSED.get(name, "airferry bundle does not know it")
            self.problems.append(f"{where}{name} has no place in a bundle's file: {reason}")


def split(line: str) -> tuple[str, str]:
    """An option's line as its long name and its value."""
    match = re.match(r"(--?[A-Za-z][A-Za-z-]*)[\s=]*(.*)", line)
    if match is None:
        return line, ""
    name, value = match.groups()
    if not name.startswith("--") and len(name) > 2:
        name, value = name[:2], (name[2:] + line[match.end(1) :]).strip()
    return _LONG.get(name, name), value.strip().strip("\"'")


def expand(line: str, where: str, problems: list[str]) -> str:
    """The line with ``${NAME}`` replaced from the environment, as pip does; for credentials above all."""
    for name in _VARIABLE.findall(line):
        if name not in os.environ:
            problems.append(f"{where}${{{name}}} is not set in the environment")
    return _VARIABLE.sub(lambda match: os.environ.get(match.group(1), match.group(0)), line)
