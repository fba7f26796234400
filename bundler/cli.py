"""The command line of the internet side: ``airferry COMMAND``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from bootstrap.commands.completion import completion
from bootstrap.commands.helpful import HelpfulCommand, offer
from bootstrap.commands.shared import ExplainingCommand, application, run
from bundler.commands.attest import attest
from bundler.commands.bundle import bundle, spelled_out
from bundler.commands.cache import cache
from bundler.commands.compare import compare
from bundler.commands.diff import diff
from bundler.commands.doctor import doctor
from bundler.commands.dossier import dossier
from bundler.commands.init import init
from bundler.commands.inspect import inspect
from bundler.commands.probe import probe
from bundler.commands.rehearse import rehearse
from bundler.commands.sign import admit_program, sign
from bundler.commands.split import split
from bundler.commands.verify import verify

app = application(
    "airferry", "Carries Apache Airflow across an air gap: one file made here, one command run inside."
)


MAKING, KNOWING, AROUND = "To make a bundle", "To know beforehand", "Around it"
APPROVAL = "For an approval"
# in the order of --help, with examples
COMMANDS: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
    (KNOWING, probe, ("probe > airferry-probe.py", "probe --sh > airferry-probe.sh")),
    (MAKING, init, ("init", "init site.toml --airflow 3.3.1 --python 3.12")),
    (
        MAKING,
        bundle,
        (
            "bundle",
            "bundle --airflow 3.3.1 --python 3.12 --like rhel8 --extra pandas",
            "bundle -f airferry.toml -r requirements.txt",
            "bundle --for host.json --with-python",
            "bundle --onto dist/airflow-3.3.1-cp312-manylinux_2_28_x86_64.run polars",
        ),
    ),
    (KNOWING, rehearse, ("rehearse FILE",)),
    (AROUND, inspect, ("inspect FILE", "inspect FILE --licences")),
    (AROUND, verify, ("verify FILE",)),
    (AROUND, diff, ("diff OLD NEW",)),
    (AROUND, compare, ("compare MINE THEIRS",)),
    (
        APPROVAL,
        dossier,
        (
            "dossier FILE",
            "dossier FILE --against OLD",
            "dossier FILE --osv all.zip --fail-on high --accepted accepted.toml",
        ),
    ),
    (APPROVAL, attest, ("attest FILE", "attest FILE --builder mailto:kim@example.com")),
    (APPROVAL, split, ("split FILE --size cd", "split FILE --size 100m --only 003")),
    (
        APPROVAL,
        sign,
        (
            "sign FILE.release --role builder --key ~/.ssh/id_ed25519.pub",
            "sign FILE.release --role approver --key lee@bank.example --gpg",
        ),
    ),
    (
        APPROVAL,
        admit_program,
        (
            "admit-program > airferry-admit",
            "admit-program --sheet",
            "admit-program --sshsig > airferry-sshsig",
        ),
    ),
    (AROUND, cache, ("cache", "cache --prune 90")),
    (AROUND, completion, ('eval "$({} completion bash)"',)),
    (KNOWING, doctor, ("doctor", "doctor --host host.json", "doctor --build")),
)
for group, command, examples in COMMANDS:
    kind = ExplainingCommand if command is doctor else HelpfulCommand
    offer(app, command, examples, group=group, kind=kind)


def main() -> int:
    """Run the command line and return its exit status."""
    return run(app, "airferry", spelled_out(sys.argv[1:]))
