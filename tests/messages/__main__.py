"""Brings the Korean catalogue up to date with the source: ``python -m tests.messages`` (``make messages``).

New messages come in without a translation, those that are gone go, and the binary form is made anew.
"""

from __future__ import annotations

from tests.messages import catalogue, extraction


def main() -> None:
    """Write both files, and say what is missing."""
    messages = extraction.messages()
    kept = catalogue.carried_over(messages, catalogue.read())
    known = {message: catalogue.both_forms(text) for message, text in kept.items()}
    catalogue.PO.parent.mkdir(parents=True, exist_ok=True)
    catalogue.PO.write_text(catalogue.written(messages, known), encoding="utf-8")
    catalogue.MO.write_bytes(catalogue.compiled(known))
    print(f"{len(messages)} messages, {len(messages) - len(known)} without a translation: {catalogue.PO}")
    for message in catalogue.wrong(known):
        print(f"placeholders differ: {message}")


if __name__ == "__main__":
    main()
