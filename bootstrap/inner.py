"""The account's process of an install that root began: what it runs, and nothing else.

``python -I -S inner.py DESCRIPTOR`` parses no option and reads no variable: every choice stands in the
value on that descriptor (:class:`bootstrap.handoff.Handover`), and root has verified and judged already.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # an isolated Python does not look beside the script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bootstrap import handoff
from bootstrap import install as installing
from bootstrap.base import channel
from bootstrap.base.boundary import guard
from bootstrap.base.console import Console
from bootstrap.commands.installing import report
from wheelhouse.reader import Bundle


def main(descriptor: int) -> int:
    """Install as the value on the descriptor says, as the account that runs this."""
    handed = handoff.receive(descriptor)
    console = Console(quiet=handed.json)
    return guard(lambda: _install(handed, console), console, command="install", json=handed.json)


def _install(handed: handoff.Handover, console: Console) -> int:
    channel.connect(handed.channel)
    with Bundle(os.fdopen(handed.bundle, "rb"), Path(handed.bundle_name)) as bundle:
        outcome = installing.install(handed.receipt, bundle, handoff.secrets_of(handed), console)
    return report(outcome).show(console, "install", json=handed.json)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
