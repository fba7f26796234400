"""The lists of the dossier's page: what was found, what was accepted, every package, what was built here."""

from __future__ import annotations

from collections.abc import Iterator

from bootstrap.base.console import size_text
from bootstrap.base.markup import Content, Markup, code, joined, rows, table, tag
from bundler.approval import licences, papers
from bundler.approval.dossier import NOT_ASKED, NOT_CHECKED, YANKED, CarriedPackage, Dossier
from bundler.approval.words import Language

_LOG_LINES = 40


def sections(dossier: Dossier, words: Language) -> Iterator[Markup]:
    """All lists, in their order."""
    yield from _findings(dossier, words)
    yield from _accepted(dossier, words)
    yield tag("h2", words("packages-changed" if dossier.compared_with else "packages"), "newpage")
    yield tag("p", words("licence-note"), "note")
    head = (
        "", words("package"), words("size"), words("licence-declared"), words("licence-found"),
        words("uploaded"), words("vulnerable"),
    )  # fmt: skip
    lines = [line for number, item in enumerate(dossier.packages, 1) for line in _lines(number, item, words)]
    if lines:
        cells = tag("thead", tag("tr", [tag("th", cell) for cell in head]))
        yield tag("table", [cells, *lines], "packages")
    else:
        yield tag("p", words("nothing"))
    yield from _built(dossier, words)


def _findings(dossier: Dossier, words: Language) -> Iterator[Markup]:
    lines: list[tuple[Content, ...]] = []
    for package in dossier.packages:
        name = f"{package.name} {package.version}"
        if package.yanked == YANKED:
            lines.append((name, "yanked", "", package.yanked_reason or words("not-told")))
        for item in package.found:
            ids = ", ".join((item.id, *item.aliases))
            fixed = f" ({words('fixed-in')} {', '.join(item.fixed_in)})" if item.fixed_in else ""
            within = f" [{item.within}]" if item.within else ""
            told = f"{item.summary}{fixed}"
            if item.accepted:
                told += f" - {words('accepted')}"
            grade = words("medium-severity" if item.severity == "medium" else item.severity)
            lines.append((f"{name}{within}", ids, grade, told))
    if lines:
        yield tag("h2", words("findings"))
        yield table((words("package"), "ID", words("severity"), ""), lines, "findings")


def _accepted(dossier: Dossier, words: Language) -> Iterator[Markup]:
    if dossier.known.accepted:
        yield tag("h2", words("accepted"))
        head = ("ID", words("reason"), words("until"), words("by"), words("state"))
        lines = [
            (item.id, item.reason, item.until, item.by, words(f"state-{item.state}"))
            for item in dossier.known.accepted
        ]
        yield table(head, lines, "findings")


def _lines(number: int, package: CarriedPackage, words: Language) -> Iterator[Markup]:
    """The body of a package: two lines that no page break separates."""
    change = ""
    if package.change == "changed" and package.before:
        change = f" ({words('changed-from', package.before)})"
    elif package.change:
        change = f" ({words(package.change)})"
    first: tuple[Content, ...] = (
        str(number),
        (tag("b", f"{package.name} {package.version}"), change),
        size_text(package.size) if package.size else "",
        package.licence.expression or package.licence.words or words("no-licence"),
        _found(package, words),
        package.uploaded[:10] or words("not-told"),
        _vulnerable(package, words),
    )
    origin = package.origin or words("not-told")
    built = f" ({words('built')})" if package.built else ""
    digest: list[Markup | str] = [" sha256 ", code(package.sha256)] if package.sha256 else []
    asked = tag("div", f"{words('asked-by')}: {_askers(package, words)}")
    signed = "" if package.provenance == NOT_CHECKED else f"{words('provenance')}: {package.provenance}"
    about = joined([tag("div", package.summary), asked, tag("div", [code(package.file), built, *digest])])
    about += tag("div", signed).html if signed else ""
    second = Markup(f'<td></td><td colspan="6">{about}{tag("div", code(origin)).html}</td>')
    cells = [tag("td", cell) for cell in first]
    yield tag("tbody", [tag("tr", cells), tag("tr", second, "more")])


def _found(package: CarriedPackage, words: Language) -> str:
    if not package.texts:
        return words("no-text")
    return ", ".join(licences.names(package.texts)) or words("not-recognised")


def _vulnerable(package: CarriedPackage, words: Language) -> Content:
    if package.vulnerabilities == NOT_ASKED:
        return words("not-asked")
    return tag("b", str(len(package.found))) if package.found else words("none-known")


def _askers(package: CarriedPackage, words: Language) -> str:
    if package.role == "runtime":
        return words("by-installer")
    asked = [words("by-request")] if package.requested else []
    return ", ".join((*asked, *package.required_by)) or words(f"role-{package.role}")


def _built(dossier: Dossier, words: Language) -> Iterator[Markup]:
    own = [package for package in dossier.packages if package.built]
    if not own:
        return
    yield tag("h2", words("built"), "newpage")
    for package in own:
        built = package.built
        assert built is not None
        lines = built.log.rstrip("\n").split("\n")
        data = f"{dossier.file}{papers.DOSSIER_DATA}"
        log: Content = words("no-log")
        if built.log:
            cut = words("log-cut", _LOG_LINES, len(lines), data) if len(lines) > _LOG_LINES else ""
            log = [code(built.log_sha256), f" ({cut})" if cut else ""]
        yield tag("h3", f"{package.name} {package.version}")
        yield rows(
            [
                (words("built-from"), built.source or words("folder")),
                ("sha256", code(built.sha256)),
                (words("built-with"), ", ".join(built.build_requires)),
                (words("log"), log),
            ]
        )
        if built.log:
            yield tag("pre", "\n".join(lines[-_LOG_LINES:]))
