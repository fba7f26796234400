"""Whose Python an installation runs on: the host's, one that was named, or the carried one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from bootstrap.facts.security import authorities
from bootstrap.python.carried import Carried
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

HOST = "host"
CARRIED = "carried"
NAMED = "named"


class NoCarriedPython(AirferryError):
    """An interpreter was asked for that the bundle does not carry."""

    reference = "python-not-carried"
    exit_code = 68


@dataclass(frozen=True)
class PythonChoice:
    """An interpreter's `path`, and whose it is; both are empty as long as the preflight has to look."""

    path: str
    origin: str


UNDECIDED = PythonChoice("", "")


def settle(named: Optional[str], bundle: Bundle, home: Home, earlier: Optional[Receipt]) -> PythonChoice:
    """What is settled before the host is looked at: by the option ``--python``, else by an earlier install.

    A carried interpreter stays the choice for another bundle that carries one. Raises
    :class:`NoCarriedPython`.
    """
    described = bundle.manifest.python
    if named is None and earlier and earlier.bundle_id == bundle.manifest.bundle_id:
        return PythonChoice(earlier.python, earlier.python_from if earlier.python else "")
    if named is None and earlier and earlier.python_from == CARRIED and described:
        named = CARRIED
    if named == CARRIED:
        if described is None:
            raise NoCarriedPython(
                f"{bundle.path.name} carries no Python.",
                needed="a bundle that was made with --with-python",
                hint="Use one of this host: --python host, or --python PATH.",
            )
        return PythonChoice(str(Carried(home, described).program), CARRIED)
    if named == HOST:
        return PythonChoice("", HOST)
    if named is None:
        return UNDECIDED
    found = None if "/" in named else shutil.which(named)
    return PythonChoice(str(Path(found or named).expanduser().absolute()), NAMED)


def decided(receipt: Receipt, choice: PythonChoice) -> Receipt:
    """The receipt with the choice in it, and with what the carried interpreter needs of this host."""
    # a relocatable interpreter's OpenSSL looks in folders of the machine that built it
    ca_file = authorities() if choice.origin == CARRIED else ""
    return replace(receipt, python=choice.path, python_from=choice.origin, ca_file=ca_file)


def option(receipt: Receipt) -> str:
    """The value of ``--python`` that leads to this choice again."""
    return CARRIED if receipt.python_from == CARRIED else receipt.python


def reason(receipt: Receipt) -> str:
    """For people: which interpreter it is, and why."""
    why = {
        HOST: "this host's own, which passes doctor",
        NAMED: "named with --python",
        CARRIED: "the one that the bundle carries",
    }
    return f"{receipt.python} ({why.get(receipt.python_from, receipt.python_from)})"
