"""``HOME/bin/airferry evidence``: what was approved and what is here, to carry out."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple, Union

import typer

from bootstrap import daily
from bootstrap.base import process, smallfile
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.installed.installation import Installation
from bootstrap.upkeep.evidence import comparison, gathering
from bootstrap.upkeep.evidence import page as pages
from bootstrap.upkeep.evidence.comparison import EvidenceChange, EvidenceUnreadable
from bootstrap.upkeep.evidence.data import Evidence
from wheelhouse import codec
from wheelhouse.errors import AirferryError

NAMESPACE = "airferry-evidence"
DIFFERENT = 5


class EvidenceNotSigned(AirferryError):
    """The evidence was written, and the key has made no signature of it."""

    reference = "evidence-not-signed"
    exit_code = 108


@dataclass(frozen=True)
class EvidenceWritten:
    """The files that were written; `sha256` is that of `data`, `remarks` say what an auditor should see."""

    data: str
    page: str
    sha256: str
    signatures: Tuple[str, ...]
    remarks: Tuple[str, ...]


@dataclass(frozen=True)
class EvidenceCompared:
    """What differs between two evidences, but for the time of writing."""

    changes: Tuple[EvidenceChange, ...]


def evidence(
    output: Path = typer.Option(
        Path(), "--output", "-o", file_okay=False, help="The folder to write to (default: this one)."
    ),
    key: Optional[Path] = typer.Option(
        None, "--key", help="Sign with this key of SSH, such as /etc/ssh/ssh_host_ed25519_key."
    ),
    compare: Optional[Tuple[Path, Path]] = typer.Option(
        None, "--compare", metavar="A B", help="Compare two that were written; do nothing else."
    ),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[Union[EvidenceWritten, EvidenceCompared]]:
    """Write what was approved and what is here now, for an audit: a page for print, and data.

    The file with its sha256, the signed list and who has signed it, when it was admitted, packages against
    their RECORD, changes in airflow.cfg, units, ports, accounts, doctor and history. It holds no secret.
    """
    if compare:
        return _compared(*compare)
    console = Console(quiet=json)

    def look(installation: Installation) -> str:
        with console.step("Look at the installation"):
            return codec.dumps(gathering.gather(installation))

    found = _believed(daily.look_as_account(home_of(home), look))
    text = codec.dumps(found)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    stamp = re.sub(r"[^0-9TZ]", "", found.written)
    name = re.sub(r"[^A-Za-z0-9._-]", "-", f"airferry-evidence-{found.name}-{stamp}")
    data, page = output / f"{name}.json", output / f"{name}.html"
    smallfile.write(data, text)
    smallfile.write(page, pages.render(found, data.name, sha256).decode())
    signatures = [_sign(path, key) for path in (data, page)] if key else []
    remarks = tuple(_remarks(found))
    made = EvidenceWritten(str(data), str(page), sha256, tuple(map(str, signatures)), remarks)
    return Result(made, lambda console: _show(made, console))


def _believed(text: str) -> Evidence:
    """What the account's process says, as far as its shape goes; raises EvidenceUnreadable."""
    try:
        return codec.loads(Evidence, text)
    except codec.Malformed as error:
        raise EvidenceUnreadable(
            "What the installation's account says is no evidence.",
            found="\n".join(error.problems[:5]),
            hint="Its processes, or a DAG, may have put something else in the place of airferry.",
        ) from error


def _sign(path: Path, key: Path) -> Path:
    command = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key)]
    agent = {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}
    try:
        done = process.run(
            command, what="sign with ssh-keygen", env=process.environment(agent), timeout=60,
            stdin=path.read_text(encoding="utf-8"),
        )  # fmt: skip
    except process.CommandFailed as error:
        raise EvidenceNotSigned(
            f"{path} was written, and is not signed.",
            found=error.found or error.message,
            needed="ssh-keygen with -Y (OpenSSH 8.1), and a key that is not locked or is in its agent",
            hint="Carry it out without a signature, or name another key: --key PATH",
        ) from error
    signature = path.with_name(f"{path.name}.sig")
    smallfile.write(signature, done.stdout)
    return signature


def _remarks(found: Evidence) -> List[str]:
    said = []
    for item in (found.file, *found.added):
        if not item.admission:
            said.append(f"{item.name}: this host has no record of its admission.")
        elif item.admission.problem:
            said.append(
                f"{item.name}: the record of its admission is not to be believed: {item.admission.problem}"
            )
    if not found.recorded.sound:
        lists = (found.recorded.changed, found.recorded.missing, found.recorded.unlisted)
        count = sum(map(len, lists)) + found.recorded.more
        said.append(f"{count} files are not as their packages were installed.")
    units = [item.unit for item in found.components if not item.as_written]
    said += [f"Units that were changed: {', '.join(units)}."] if units else []
    grave = [item.id for item in found.findings if item.severity in ("blocker", "warning")]
    said += [f"Findings of doctor: {', '.join(grave)}."] if grave else []
    said += [f"Could not be looked at: {item}" for item in found.unknown]
    return said


def _show(made: EvidenceWritten, console: Console) -> None:
    names = [("Page, for print", made.page), ("Data", made.data), ("sha256 of the data", made.sha256)]
    console.summary([*names, *(("Signature", path) for path in made.signatures)])
    for remark in made.remarks:
        console.warning(remark)


def _compared(before: Path, after: Path) -> Result[Union[EvidenceWritten, EvidenceCompared]]:
    found = comparison.between(comparison.read(before), comparison.read(after))

    def show(console: Console) -> None:
        for item in found:
            console.print(f"{item.place}: {item.before or '(nothing)'} -> {item.after or '(nothing)'}")
        if not found:
            console.print("Nothing has changed between the two.")

    return Result(EvidenceCompared(found), show, DIFFERENT if found else 0)
