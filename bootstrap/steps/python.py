"""The carried interpreter below ``HOME/python/``, where the installation runs on it."""

from __future__ import annotations

from typing import List

from bootstrap.base import channel
from bootstrap.installed.installation import Installation
from bootstrap.python.carried import Carried
from bootstrap.python.choice import CARRIED
from bootstrap.state.plan import Step
from wheelhouse.reader import Bundle


class PythonStep:
    """Unpack the carried interpreter; one that is there already is compared with it, byte for byte."""

    name = "python"

    def __init__(self, installation: Installation, bundle: Bundle) -> None:
        described = bundle.manifest.python
        assert described is not None, "the receipt names a carried interpreter"
        self.by_root = installation.receipt.is_roots
        self.carried = Carried(installation.home, described)
        self.bundle = bundle

    def describe(self) -> str:
        """One line for the admin."""
        return f"Unpack Python {self.carried.described.version} into {self.carried.path}"

    def done(self) -> bool:
        """Whether it is there and whole, and root's where the code is."""
        if self.by_root and not self.carried.is_roots:
            return False
        return not self.carried.problems(self.bundle)

    def apply(self) -> None:
        """Unpack it, or have root do it, where the code is root's."""
        if self.by_root and channel.available():
            channel.ask("python")
        else:
            self.carried.unpack(self.bundle)


def python_steps(installation: Installation, bundle: Bundle) -> List[Step]:
    """The step, where the installation runs on the carried interpreter."""
    return [PythonStep(installation, bundle)] if installation.receipt.python_from == CARRIED else []
