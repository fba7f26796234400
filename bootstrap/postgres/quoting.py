"""Texts and names in SQL: nothing that came from outside is put into it otherwise."""

from __future__ import annotations


def literal(text: str) -> str:
    """A text as SQL writes it."""
    quoted = text.replace("'", "''").replace("\\", "\\\\")
    return f"E'{quoted}'"


def name(text: str) -> str:
    """A name as SQL writes it."""
    return '"' + text.replace('"', '""') + '"'
