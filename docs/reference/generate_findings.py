"""Writes findings.md beside this file from the catalogue: python docs/reference/generate_findings.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bootstrap.doctor.severity import OK, SEVERITIES
from bundler.host.catalogue import CATALOGUE

PAGE = Path(__file__).with_name("findings.md")
HEAD = """# Findings of doctor

Generated from the modules of doctor's checks by `docs/reference/generate_findings.py`; do not edit.

Ids are stable: scripts and `--ignore ID` may rely on them. The severity given is the gravest that a finding
can have. On a host without this page, `doctor --explain ID` shows the same text, and `doctor --explain`
lists all of them.

- **blocker**: it will not work. `install` stops before it changes anything; exit code 3.
- **warning**: it may not work, or not for long; exit code 4 with `--strict`, otherwise 0.
- **note**: good to know.
- **ok**: was looked at and is well.
"""


def _index() -> Iterator[str]:
    yield "## Index\n"
    for subject, entries in CATALOGUE.subjects.items():
        yield f"{subject}:\n"
        for key, entry in entries.items():
            # what is well has no heading below to lead to
            name = f"`{key}`" if entry.severity == OK else f"[`{key}`](#{key})"
            yield f"- {name} ({entry.severity}): {entry.title}"
        yield ""


def page() -> str:
    """The whole page."""
    parts = [HEAD, *_index()]
    for severity in SEVERITIES:
        entries = {key: entry for key, entry in CATALOGUE.entries.items() if entry.severity == severity}
        parts.append(f"## {severity}\n")
        if severity == OK:
            parts += [f"- `{key}`: {entry.title}" for key, entry in entries.items()]
            parts.append("")
            continue
        for key, entry in entries.items():
            texts = [f"### `{key}`", f"{entry.title}.", entry.why, entry.more]
            parts += [text + "\n" for text in texts if text]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
