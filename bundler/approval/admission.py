"""What a closed host needs once to admit bundles: the program, its stand-in for ssh-keygen, the sheet."""

from __future__ import annotations

import hashlib
from importlib.resources import files

PROGRAM = "airferry-admit"
TWIN = "airferry-sshsig"
SHEET = "airferry-admit.txt"


def text(name: str) -> str:
    """One of the three, as it is."""
    return files("bundler.resources").joinpath(f"admission/{name}").read_text(encoding="utf-8")


def digest(content: str) -> str:
    """The sha256 of a text."""
    return hashlib.sha256(content.encode()).hexdigest()
