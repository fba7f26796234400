"""Options inside requirement files: what is honoured as pip does, what is passed over, what is refused.

The options are parsed as pip parses them (pip docs, "Requirements File Format"): what stands before the first
one is the requirement, the rest is split as a shell would and may hold several.
"""

from __future__ import annotations

import optparse
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from bundler.index.transport import without_credentials

HASH, REQUIREMENT, CONSTRAINT, LINKS = "--hash", "--requirement", "--constraint", "--find-links"
# what belongs to the requirement before it
OWN = (HASH, "--config-settings", "--global-option")

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
# what pip knows in a requirement file
_WITH_VALUE = (
    ("-i", "--index-url", "--pypi-url"), ("--extra-index-url",), ("-f", "--find-links"),
    ("-c", "--constraint"), ("-r", REQUIREMENT), ("-e", "--editable"), ("--trusted-host",), ("--no-binary",),
    ("--only-binary",), ("--use-feature",), ("--global-option",), (HASH,), ("-C", "--config-settings"),
    ("--all-releases",), ("--only-final",),
)  # fmt: skip
_FLAGS = (
    "--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre",
)  # fmt: skip
PASSED_OVER = {
    # Files for use with Airflow often name its constraints; two sets would contradict each other.
    "--constraint": "--constraints says which constraints hold",
    "--prefer-binary": "wheels are taken wherever they fit",
    "--require-hashes": "every file is recorded and checked by its sha256, and lines with --hash must agree",
    "--no-require-hashes": "every file is recorded and checked by its sha256 anyway",
    "--only-final": "pre-releases are used only where they are named",
}
REFUSED = {
    "--no-index": "Airflow itself comes from an index: give your own wheels with --find-links, and --offline "
    "to make a bundle again without a network",
    "--pre": "name the pre-release itself: package==1.0b1",
    "--all-releases": "name the pre-release itself: package==1.0b1",
    "--no-binary": "what exists only as source is built, all else is taken as published",
    "--only-binary": "what exists only as source is built, and named before it is",
    "--global-option": "wheels are built as their projects say",
    "--config-settings": "wheels are built as their projects say",
    "--use-feature": "it is a feature of pip, which does not resolve here",
}
_VCS = re.compile(r"(git|hg|svn|bzr)\+")
_LOGIN = re.compile(r"//[^/\s@]+@")


@dataclass
class FileOptions:
    """What options said, across all files; `problems` and `warnings` are sentences, without credentials."""

    index_url: str = field(default="", repr=False)
    extra_index_urls: list[str] = field(default_factory=list, repr=False)
    find_links: list[str] = field(default_factory=list, repr=False)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    trusted: list[tuple[str, str]] = field(default_factory=list)

    def take(self, name: str, value: str, folder: Path, where: str) -> None:
        """Take an option of a file in `folder`; `name` is as :func:`split` gives it."""
        if name in ("--index-url", "--extra-index-url", "--find-links") and not value:
            self.problems.append(f"{where}{name} has no value")
        elif name == "--index-url":
            if self.index_url not in ("", value):
                self.problems.append(
                    f"{where}{name}: another one was named before; --index-url on the command line decides"
                )
            self.index_url = value
            self.warnings.append(
                f"{where}{name} {without_credentials(value)} applies to everything in the "
                "bundle, Airflow too."
            )
        elif name == "--extra-index-url":
            self.extra_index_urls.append(value)
        elif name == "--find-links":
            near = folder / Path(value).expanduser()
            self.find_links.append(str(near) if "://" not in value and near.exists() else value)
        elif name == "--editable":
            advice = "name the folder without it, and a wheel is built"
            if _VCS.match(value):
                advice = "clone it, and name the folder without -e; a wheel is built"
            self.problems.append(f"{where}{name} is not supported in a bundle's requirement file: {advice}")
        elif name == "--trusted-host":
            self.trusted.append((where, value))
        elif name in PASSED_OVER:
            shown = f"{name} {without_credentials(value)}".rstrip()
            self.warnings.append(f"{where}{shown} is ignored: {PASSED_OVER[name]}.")
        else:
            self.problems.append(
                f"{where}{name} is not supported in a bundle's requirement file: {REFUSED[name]}"
            )

    def settle(self) -> None:
        """Judge what can be judged only when everything is known: the hosts that shall be trusted."""
        places = [self.index_url, *self.extra_index_urls, *self.find_links]
        secure = {urlsplit(place).hostname for place in places if place.lower().startswith("https:")}
        for where, host in self.trusted:
            name = host.partition("//")[2] or host
            if urlsplit(f"//{name}").hostname in secure:
                self.problems.append(
                    f"{where}--trusted-host {host} is not supported in a bundle's requirement file: an index"
                    " is known by its certificate: PIP_CERT or SSL_CERT_FILE names its authority"
                )
            else:
                self.warnings.append(
                    f"{where}--trusted-host {host} is ignored: where an index has a certificate, PIP_CERT or"
                    " SSL_CERT_FILE names its authority."
                )


def in_force(
    requirement: str, found: list[tuple[str, str]], where: str, options: FileOptions
) -> Iterator[tuple[str, str]]:
    """The options of a line that count for pip; what it drops without a word is told.

    Behind a requirement these are its own alone, beside ``-r`` or ``-c`` only that, and of several
    ``--find-links`` the first.
    """
    nested = [item for item in found if item[0] in (REQUIREMENT, CONSTRAINT)]
    # of both pip takes -r
    first = sorted(nested, key=lambda item: item[0] != REQUIREMENT)[:1]
    links = [item for item in found if item[0] == LINKS]
    for item in found:
        name, value = item
        why = ""
        if requirement:
            if name in OWN:
                if name != HASH:
                    yield item
                continue
            why = "options behind a requirement do not count; put it on a line of its own"
        elif name == HASH:
            why = "there is no requirement before it"
        elif nested and item is not first[0]:
            why = f"beside {first[0][0]} it does not count; put it on a line of its own"
        elif name == LINKS and item is not links[0]:
            why = f"only the first {LINKS} of a line counts; put it on a line of its own"
        if why:
            told = f"{where}{name} {without_credentials(value)}".rstrip()
            options.warnings.append(f"{told} is ignored: {why}.")
        else:
            yield item


def split(line: str, where: str, problems: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """A line's requirement (or "") and its options, each with its long name and its value ("" for a flag)."""
    words = line.split(" ")
    at = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    found: list[tuple[str, str]] = []
    try:
        _, rest = _parser(found).parse_args(shlex.split(" ".join(words[at:])))
    except ValueError as error:  # of shlex, or of the parser
        problems.append(f"{where}{shown(str(error))}")
        return "", []
    if rest:
        problems.append(f"{where}{shown(' '.join(rest))}: after an option, and not an option itself")
    return " ".join(words[:at]).strip(), found


class _Parser(optparse.OptionParser):
    def error(self, msg: str) -> NoReturn:
        raise ValueError(shown(msg))


def _parser(found: list[tuple[str, str]]) -> optparse.OptionParser:
    def note(option: optparse.Option, name: str, value: str | None, parser: Any) -> None:
        del name, parser
        found.append((option.get_opt_string(), value or ""))

    parser = _Parser(add_help_option=False)
    for names in _WITH_VALUE:
        parser.add_option(*names, action="callback", type="string", callback=note)
    for name in _FLAGS:
        parser.add_option(name, action="callback", callback=note)
    return parser


def shown(text: str) -> str:
    """A text without the credentials of the URLs in it."""
    return _LOGIN.sub("//", text)


def expand(line: str, where: str, problems: list[str]) -> str:
    """The line with ``${NAME}`` replaced from the environment, as pip does; for credentials above all."""
    for name in _VARIABLE.findall(line):
        if not os.environ.get(name):
            problems.append(f"{where}${{{name}}} is not set in the environment, or empty")
    return _VARIABLE.sub(lambda match: os.environ.get(match.group(1)) or match.group(0), line)
