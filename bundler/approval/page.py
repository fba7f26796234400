"""The dossier as one HTML file for print on A4: no script, no other file, no address that is opened."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from importlib.resources import files

from bootstrap.base import markup
from bootstrap.base.console import size_text
from bootstrap.base.markup import Content, Markup, code, rows, table, tag
from bundler.approval import licences, page_packages
from bundler.approval.dossier import Dossier, Inquiry
from bundler.approval.vulnerabilities import SEVERITIES
from bundler.approval.words import Language

_SAFE = re.compile(r"[A-Za-z0-9.+_-]+")
_ROLES = ("airflow", "tool", "service", "postgres", "runtime")
_BLANK = Markup("&#160;")


def render(dossier: Dossier, words: Language) -> bytes:
    """The page, in UTF-8; the same dossier gives the same bytes."""
    title = words("title-changes" if dossier.compared_with else "title")
    style = files("bundler.resources").joinpath("dossier.css").read_text(encoding="utf-8")
    if _SAFE.fullmatch(dossier.bundle_id):
        style += f'@page {{ @bottom-left {{ content: "{dossier.bundle_id}"; }} }}\n'
    sections = [
        *_first_page(dossier, words, title),
        *_second_page(dossier, words),
        *page_packages.sections(dossier, words),
    ]
    return markup.page(f"{title} - {dossier.file}", markup.STYLE + style, sections, words.code)


def qr_code(dossier: Dossier) -> Markup:
    """A picture of the bundle id and the sha256."""
    import segno  # noqa: PLC0415 - only a page needs it

    stream = io.BytesIO()
    made = segno.make(f"{dossier.bundle_id}\nsha256:{dossier.sha256}", error="m", micro=False)
    made.save(stream, kind="svg", xmldecl=False, svgns=True, nl=False, border=2)
    data = base64.b64encode(stream.getvalue()).decode()
    return Markup(f'<img class="qr" alt="" src="data:image/svg+xml;base64,{data}">')


def _first_page(dossier: Dossier, words: Language, title: str) -> Iterator[Markup]:
    totals = dossier.totals
    needs = f"; {words('needs', dossier.floor)}" if dossier.floor else ""
    carried = words("carried-text", totals.packages, totals.built, totals.members)
    size = f"{size_text(dossier.size)} ({dossier.size:,} {words('bytes')})"
    about = rows(
        [
            (words("file"), tag("b", dossier.file)),
            (words("size"), f"{size}; {words('unpacked')} {size_text(totals.unpacked)}"),
            (
                "sha256",
                [
                    tag("div", code(markup.grouped(half)))
                    for half in (dossier.sha256[:32], dossier.sha256[32:])
                ],
            ),
            (words("id"), code(dossier.bundle_id)),
            (words("fits"), f"{dossier.target}{needs}"),
            (words("made-for"), _made_for(dossier)),
            (words("carried"), carried),
            (words("changes"), _compared(dossier, words)),
        ]
    )
    heading = tag("h1", f"{title}: Apache Airflow {dossier.airflow}")
    qr = tag("div", [qr_code(dossier), tag("p", words("qr"))], "code")
    yield tag("header", [tag("div", [heading, about]), qr])
    yield tag("h2", words("what"))
    yield tag("p", _why(dossier, words))
    yield rows([(words("requested"), ", ".join(dossier.requirements))])
    yield tag("h2", words("known", dossier.written[:10]))
    yield _known(dossier, words)
    for limit in dossier.known.limits:
        yield tag("p", words(f"limit-{limit.kind}", limit.about), "note")
    yield tag("h2", words("fill-in"))
    yield _to_fill_in(words)


def _made_for(dossier: Dossier) -> str:
    from bundler.inspection.report import made_for_text  # noqa: PLC0415 - imports the use case of a bundle

    return made_for_text(dossier.made_for) if dossier.made_for else ""


def _compared(dossier: Dossier, words: Language) -> Content:
    found = dossier.compared_with
    if not found:
        return ""
    new = words("new-bytes", size_text(dossier.totals.new_bytes))
    return [f"{found.file} ({found.bundle_id}), sha256 ", code(found.sha256), f"; {new}"]


def _why(dossier: Dossier, words: Language) -> str:
    if dossier.base:
        return words("add-on-text", airflow=dossier.airflow, base=dossier.base)
    postgres = words("postgres-text", dossier.postgres) if dossier.postgres else ""
    python = words("python-text", dossier.python.version) if dossier.python else ""
    return words("what-text", airflow=dossier.airflow, postgres=postgres, python=python)


def _known(dossier: Dossier, words: Language) -> Markup:
    known = dossier.known
    found = known.severities or {}
    yanked = words("yanked-of", known.yanked_found) if known.yanked_found else words("none-known")
    listed = words("none-known")
    if found:
        listed = words("listed-of", sum(found.values()), known.packages_affected)
        listed += ": " + ", ".join(
            f"{severity(name, words)} {found[name]}" for name in reversed(SEVERITIES) if name in found
        )
    signed = words("signed-of", known.signed)
    if known.wrongly_signed:
        signed += "; " + words("wrongly-signed-of", known.wrongly_signed)
    lines = [
        (words("yanked"), *_answer(known.yanked, yanked, words)),
        (words("vulnerabilities"), *_answer(known.vulnerabilities, listed, words)),
        (words("provenance"), *_answer(known.provenance, signed, words, silent="not-checked")),
    ]
    return table((words("question"), words("answer"), words("source")), lines, "known")


def severity(name: str, words: Language) -> str:
    """The word for a severity."""
    return words("medium-severity" if name == "medium" else name)


def _answer(
    inquiry: Inquiry, said: str, words: Language, silent: str = "not-asked"
) -> tuple[Content, Content]:
    why = words("because", words.said(inquiry.why)) if inquiry.why else ""
    if not inquiry.answered:
        return [tag("b", words(silent), "silent")], why
    parts: list[Markup | str] = [tag("b", said), "; ", words("asked-of", inquiry.answered, inquiry.total)]
    missing = inquiry.total - inquiry.answered
    if missing:
        parts += ["; ", tag("b", words("not-asked-of", missing), "silent")]
    return parts, ", ".join(filter(None, (inquiry.source, inquiry.date, why)))


def _to_fill_in(words: Language) -> Markup:
    names = ("department", "name", "date", "signature")
    head = [tag("th", ""), tag("th", words("applicant")), tag("th", words("approver"))]
    lines = [tag("tr", head)]
    lines += [tag("tr", [tag("th", words(name)), tag("td", _BLANK), tag("td", _BLANK)]) for name in names]
    for name in ("purpose", "host", "medium", "scan", "compared"):
        blank = Markup('<td colspan="2">&#160;</td>')
        lines.append(tag("tr", [tag("th", words(name)), blank]))
    return tag("table", lines, "form")


def _second_page(dossier: Dossier, words: Language) -> Iterator[Markup]:
    yield tag("h2", words("origin"), "newpage")
    builder = dossier.builder or Markup('<span class="line">&#160;</span>')
    yield rows(
        [
            (words("constraints"), _constraints(dossier, words)),
            (words("resolver"), f"{dossier.resolver.name} {dossier.resolver.version}"),
            (words("made-by"), f"airferry {dossier.made_by}; {words('dated', dossier.created)}"),
            (words("builder"), builder),
            (words("written"), f"{dossier.written}, airferry {dossier.airferry}"),
            (words("notes"), " ".join(dossier.notes)),
        ]
    )
    yield tag("h2", words("totals"))
    yield _totals(dossier, words)
    if dossier.totals.nested:
        yield tag("p", words("nested", dossier.totals.nested), "note")
    if dossier.limits:
        yield tag("h2", words("limits"))
        yield tag("ul", [tag("li", words(f"limit-{limit.kind}", limit.about)) for limit in dossier.limits])
    yield from _changes(dossier, words)


def _constraints(dossier: Dossier, words: Language) -> Content:
    found = dossier.constraints
    if found.source == "release-date":
        return words("constraints-none", found.as_of, found.url, found.sha256)
    generated = f", {words('generated', found.generated_on)}" if found.generated_on else ""
    return [f"{found.source}: {found.url}{generated}, sha256 ", code(found.sha256)]


def _totals(dossier: Dossier, words: Language) -> Markup:
    lines: list[tuple[Content, ...]] = []
    for role in _ROLES:
        own = [package for package in dossier.packages if package.role == role]
        if own:
            size = sum(package.size for package in own)
            lines.append((words(f"role-{role}"), "", str(len(own)), size_text(size) if size else "", ""))
    for item in dossier.others:
        told: list[Markup | str] = [code(item.sha256)] if item.sha256 else []
        told += [f" {item.origin}"] if item.origin else []
        name = licences.shortened(item.name)
        lines.append((words(f"other-{item.kind}"), name, str(item.files), size_text(item.size), told))
    head = (words("kind"), words("file"), words("count"), words("size"), "sha256")
    return table(head, lines, "totals")


def _changes(dossier: Dossier, words: Language) -> Iterator[Markup]:
    found = dossier.compared_with
    if found is None:
        return
    if found.removed:
        yield tag("h2", words("removed"))
        yield table((words("package"), words("before")), [(item.name, item.before) for item in found.removed])
    if found.settings or found.other_files:
        yield tag("h2", words("settings"))
        head = ("", words("before"), words("after"))
        yield table(head, [(item.name, item.before, item.after) for item in found.settings], "changes")
    if found.other_files:
        yield tag("p", words("other-changed", found.other_files), "note")
