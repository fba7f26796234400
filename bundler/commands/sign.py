"""``airferry sign`` and ``airferry admit-program``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON
from bundler.approval import admission, signing
from bundler.approval.signing import Role


@dataclass(frozen=True)
class ListSigned:
    """A signature over a release list: its file, the role, how many files it covers."""

    signature: str
    role: str
    files: int


@dataclass(frozen=True)
class AdmissionProgram:
    """A program or a sheet of the admission that was printed: its `name`, and sha256."""

    name: str
    sha256: str


def sign(
    file: Path = typer.Argument(metavar="FILE.release", help="The release list of a bundle."),
    role: Role = typer.Option(help="Who signs: who has made the bundle, or who approves it."),
    key: str = typer.Option(
        metavar="KEY", help="A key file of SSH (the public one where an agent has the other), or a gpg key."
    ),
    gpg: bool = typer.Option(False, "--gpg", help="KEY is one of gpg's."),
    json: bool = JSON,
) -> Result[ListSigned]:
    """Sign the list of a bundle, its parts and papers, after comparing every file with it."""
    made = signing.sign(file, role, key, openpgp=gpg)
    data = ListSigned(str(made.path), made.role.value, made.files)
    said = f"{made.path}: the {made.role.value}'s signature over {made.files} files."
    return Result(data, lambda console: console.print(said))


def admit_program(
    sheet: bool = typer.Option(False, "--sheet", help="The page to print: exit codes, Korean and English."),
    twin: bool = typer.Option(
        False, "--sshsig", help="The program that verifies where ssh-keygen has no -Y (OpenSSH before 8.1)."
    ),
    json: bool = JSON,
) -> Result[AdmissionProgram]:
    """Print airferry-admit, which a closed host installs once: it admits what every role has signed."""
    name = admission.SHEET if sheet else admission.TWIN if twin else admission.PROGRAM
    text = admission.text(name)
    return Result(AdmissionProgram(name, admission.digest(text)), lambda _: typer.echo(text, nl=False))
