"""The evidence as one HTML file for print on A4, its words in Korean and English side by side."""

from __future__ import annotations

from typing import Dict, Iterator, List, Sequence, Tuple

from bootstrap.base.markup import STYLE, Content, Markup, code, grouped, joined, page, rows, table, tag
from bootstrap.examination.records import Recorded
from bootstrap.upkeep.evidence.data import Evidence, InstalledFile

_STYLE = """\
.en { color: #444; font-size: 0.85em; }
.wrong { border-bottom: 0.5mm solid #000; font-weight: bold; }
.pairs th { width: 42mm; }
.list { font-size: 8pt; }
.list code { font-size: 6.5pt; }
.sign td { height: 9mm; }
"""
# the newest commands of the history that are printed; the data has them all
_COMMANDS = 60
_WORDS: Dict[str, str] = {
    "Evidence of an installation": "설치 증적",
    "Installation": "설치 항목",
    "Written": "작성 시각",
    "Host": "서버",
    "Folder": "설치 경로",
    "Database": "데이터베이스",
    "Installed": "설치 완료",
    "Data": "데이터 파일",
    "The file": "반입 파일",
    "File": "파일",
    "Bundle id": "번들 ID",
    "Seal in the file": "파일 봉인값",
    "Admitted": "반입 승인",
    "Release list": "승인 목록",
    "Signed by": "서명자",
    "Files of the release list": "승인 목록의 파일",
    "Add-on": "추가 설치",
    "Packages": "패키지",
    "Compared with RECORD": "RECORD 대조",
    "Compared with the bundle": "번들 목록 대조",
    "airflow.cfg: differences from the defaults": "airflow.cfg: 기본값과 다른 항목",
    "Option": "항목",
    "Value": "값",
    "Default": "기본값",
    "Set by": "설정 주체",
    "Note": "비고",
    "Variables in etc/local.env (values are not shown)": "etc/local.env 의 변수 (값은 표시하지 않음)",
    "Components": "구성 요소",
    "Component": "구성 요소",
    "State": "상태",
    "Health": "건강 상태",
    "Unit": "유닛",
    "Ports": "포트",
    "Port": "포트",
    "Use": "용도",
    "Address": "주소",
    "Held by": "사용 계정",
    "Accounts": "계정",
    "Account": "계정",
    "Of the host": "서버 계정",
    "Of Airflow": "Airflow 계정",
    "Roles": "역할",
    "Findings of doctor": "점검 결과 (doctor)",
    "Severity": "심각도",
    "Finding": "결과",
    "About": "내용",
    "Found": "확인된 값",
    "History": "작업 이력",
    "Time": "시각",
    "Command": "명령",
    "Outcome": "결과",
    "By": "실행자",
    "Details": "상세",
    "Could not be looked at": "확인하지 못한 항목",
    "Looked at by": "확인자",
    "Name": "성명",
    "Date": "일자",
    "Signature": "서명",
    "unknown: installed by an older airferry": "알 수 없음: 이전 버전의 airferry 로 설치됨",
    "not recorded on this host": "이 서버에 승인 기록이 없음",
    "none": "없음",
    "differs": "다름",
    "no difference": "일치",
}


def render(evidence: Evidence, data: str, sha256: str) -> bytes:
    """The page in UTF-8; `data` is the name of the file with the data, `sha256` its digest."""
    return page(
        f"airferry evidence - {evidence.name} on {evidence.host}",
        STYLE + _STYLE,
        _sections(evidence, data, sha256),
        "ko",
    )


def _both(words: str) -> Markup:
    """The Korean words and the English ones behind them."""
    return Markup(joined([f"{_WORDS[words]} ", tag("span", words, "en")]))


def _sections(evidence: Evidence, data: str, sha256: str) -> Iterator[Markup]:
    yield tag("h1", _both("Evidence of an installation"))
    yield rows(
        [
            (_both("Installation"), f"{evidence.name}: Apache Airflow {evidence.airflow}"),
            (_both("Host"), f"{evidence.host}; {evidence.system}"),
            (_both("Folder"), evidence.home),
            (_both("Database"), evidence.database),
            (_both("Installed"), evidence.installed),
            (_both("Written"), f"{evidence.written}, airferry {evidence.airferry}"),
            (_both("Data"), [f"{data}, sha256 ", code(grouped(sha256))]),
        ]
    )
    yield tag("h2", _both("The file"))
    yield from _file(evidence.file)
    for item in evidence.added:
        yield tag("h3", _both("Add-on"))
        yield from _file(item)
    yield tag("h2", _both("Findings of doctor"))
    found = [(item.severity, item.id, item.title, item.found) for item in evidence.findings]
    heads = tuple(map(_both, ("Severity", "Finding", "About", "Found")))
    yield table(heads, found, "list") if found else tag("p", _both("none"))
    yield tag("h2", _both("Packages"))
    yield from _packages(evidence)
    yield tag("h2", _both("Components"))
    yield from _running(evidence)
    yield tag("h2", _both("Accounts"))
    yield from _accounts(evidence)
    yield tag("h2", _both("airflow.cfg: differences from the defaults"))
    heads = tuple(map(_both, ("Option", "Value", "Default", "Set by", "Note")))
    lines = [
        (f"[{item.section}] {item.option}", item.value or "", item.default or "", item.by, item.note)
        for item in evidence.configuration
    ]
    yield table(heads, lines, "list") if lines else tag("p", _both("none"))
    yield rows(
        [
            (
                _both("Variables in etc/local.env (values are not shown)"),
                ", ".join(evidence.variables) or _both("none"),
            )
        ]
    )
    if evidence.unknown:
        yield tag("h2", _both("Could not be looked at"))
        yield tag("ul", [tag("li", item, "wrong") for item in evidence.unknown])
    yield tag("h2", _both("History"))
    heads = tuple(map(_both, ("Time", "Command", "Outcome", "By", "Details")))
    newest = evidence.history[-_COMMANDS:]
    yield table(
        heads, [(item.time, item.command, item.outcome, item.by, item.details) for item in newest], "list"
    )
    yield tag("h2", _both("Looked at by"))
    yield tag(
        "table",
        [tag("tr", [tag("th", _both(name)), tag("td", "\u00a0")]) for name in ("Name", "Date", "Signature")],
        "pairs sign",
    )


def _file(item: InstalledFile) -> Iterator[Markup]:
    found = item.admission
    told: Content = tag("b", _both("not recorded on this host"), "wrong")
    if found:
        told = f"{found.at}, {found.by}"
        if found.problem:
            told = [told, "; ", tag("b", found.problem, "wrong")]
    signed = (
        [tag("div", [f"{one.role}: {one.name} ", code(one.key)]) for one in found.signers] if found else []
    )
    older = tag("b", _both("unknown: installed by an older airferry"), "wrong")
    yield rows(
        [
            (_both("File"), tag("b", item.name)),
            ("sha256", code(grouped(item.sha256)) if item.sha256 else older),
            (_both("Seal in the file"), code(grouped(item.seal)) if item.seal else ""),
            (_both("Bundle id"), code(item.bundle_id)),
            (_both("Packages"), ", ".join(item.packages)),
            (_both("Admitted"), told),
            (_both("Signed by"), signed),
            (_both("Release list"), ["sha256 ", code(grouped(found.list_sha256))] if found else ""),
        ]
    )
    if found and found.listed:
        yield tag("h3", _both("Files of the release list"))
        yield table((_both("File"), "sha256"), [(one.name, code(one.sha256)) for one in found.listed], "list")


def _packages(evidence: Evidence) -> Iterator[Markup]:
    found = evidence.recorded
    counted = f"{found.packages} packages, {found.files:,} files"
    by_hand = evidence.handmade
    kinds = (("changed", by_hand.changed), ("added", by_hand.added), ("removed", by_hand.removed))
    yield rows(
        [
            (_both("Compared with RECORD"), [f"{counted}: ", *_differing(_kinds(found), found.more)]),
            (_both("Compared with the bundle"), _differing(kinds)),
        ]
    )


def _kinds(found: Recorded) -> Tuple[Tuple[str, Sequence[str]], ...]:
    return (("changed", found.changed), ("missing", found.missing), ("unlisted", found.unlisted))


def _differing(kinds: Sequence[Tuple[str, Sequence[str]]], more: int = 0) -> List[Markup]:
    said = [tag("div", f"{kind}: {', '.join(paths)}", "wrong") for kind, paths in kinds if paths]
    if more:
        said.append(tag("div", f"... {more:,}"))
    return said or [_both("no difference")]


def _running(evidence: Evidence) -> Iterator[Markup]:
    lines: List[Tuple[Content, ...]] = []
    for item in evidence.components:
        unit: Content = ""
        if item.unit:
            word = _both("no difference") if item.as_written else tag("b", _both("differs"), "wrong")
            unit = [f"{item.unit} ", code(item.unit_sha256), " ", word]
        lines.append((item.name, item.state.lower(), item.health, unit))
    yield table(tuple(map(_both, ("Component", "State", "Health", "Unit"))), lines, "list")
    ports = [(str(item.number), item.use, item.address, item.state, item.user) for item in evidence.ports]
    yield tag("h3", _both("Ports"))
    yield table(tuple(map(_both, ("Port", "Use", "Address", "State", "Held by"))), ports, "list")


def _accounts(evidence: Evidence) -> Iterator[Markup]:
    own = evidence.account
    told = ""
    if own:
        locked = "" if own.locked is None else ", locked" if own.locked else ", not locked"
        told = f"{own.name} (uid {own.uid}; {', '.join(own.groups)}; {own.home}; {own.shell}{locked})"
    yield rows([(_both("Of the host"), told)])
    lines = [(item.name, "active" if item.active else "inactive", item.roles) for item in evidence.accounts]
    yield tag("h3", _both("Of Airflow"))
    yield table(tuple(map(_both, ("Account", "State", "Roles"))), lines, "list")
