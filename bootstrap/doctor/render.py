"""A report for people: what blocks first, the one next command last."""

from __future__ import annotations

from bootstrap.base.console import Console
from bootstrap.doctor.finding import Finding, Report
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, SEVERITIES, WARNING

_STYLES = {BLOCKER: "bold red", WARNING: "bold yellow", NOTE: "cyan", OK: "green"}
_ALIGN = max(len(severity) for severity in SEVERITIES) + 2  # a translation is not longer


def render(report: Report, console: Console, *, next_command: str, again: str = "") -> None:
    """Print the report on stdout.

    `next_command` is what to do when nothing blocks, `again` how to look once more when something does;
    nothing is said where they are empty.
    """
    console.labelled("Doctor", report.subject, style="bold", align=_ALIGN)
    console.labelled("Host", report.host, style="bold", align=_ALIGN)
    console.print()
    for finding in report.findings:
        _render(finding, console)
    if report.findings:
        console.print()
    console.print(_counts(report, console), "bold")
    if report.blocked:
        if again:
            console.print("Next: follow the remedy of each blocker, then run doctor again:")
            console.command(again)
    elif next_command:
        console.print("Next:")
        console.command(next_command)


def _render(finding: Finding, console: Console) -> None:
    style, say = _STYLES[finding.severity], console.language.text
    title, found = say(finding.title), say(finding.found)
    if finding.severity == OK:
        console.labelled("ok", f"{title}: {found}", style=style, align=_ALIGN)
        return
    if finding.severity == NOTE:
        several = "\n" in found
        head = title if several else f"{title} ({found})"
        lines = [f"{head}. {say(finding.why)}".rstrip(), say(finding.remedy)]
        text = "\n".join(filter(None, lines)) + f" [{finding.id}]"
        console.labelled("note", text + (f"\n{found}" if several else ""), style=style, align=_ALIGN)
        _commands(finding, console, indent=_ALIGN + 2)
        return
    console.labelled(finding.severity, f"{title} [{finding.id}]", style=style, align=_ALIGN)
    alone = finding.needs_root and not finding.commands
    remedy = say(finding.remedy) + (f" {say('This needs root.')}" if alone else "")
    rows = (("found", found), ("needed", finding.needed), ("why", finding.why), ("remedy", remedy))
    for label, text in rows:
        if text:
            console.labelled(label, text, style="bold", align=_ALIGN + 2, indent=2)
    _commands(finding, console, indent=_ALIGN + 2)
    console.print()


def _commands(finding: Finding, console: Console, *, indent: int) -> None:
    for index, command in enumerate(finding.commands):
        label = ("as root" if finding.needs_root else "run") if index == 0 else ""
        console.command(command, label=label, indent=indent)


def _counts(report: Report, console: Console) -> str:
    words, say = [], console.language.text
    for severity in (BLOCKER, WARNING, NOTE):
        count = len(report.of(severity))
        if count:
            words.append(say(f"{count} {severity}{'s' if count > 1 else ''}"))
    counted = ", ".join(words)
    if report.blocked:
        return f"{counted}. {say('Nothing was changed.')}"
    return say(f"Nothing blocks ({counted}).") if words else say("Nothing blocks.")
