"""The dossier as a table for a spreadsheet: CSV (RFC 4180) that Excel reads as it is, in Korea too.

Excel takes CSV for the code page of its Windows (949 in Korea) unless a byte order mark says UTF-8. It runs
what begins as a formula, and reads ``1.10`` as a number: names and versions stand in one cell as
``name==1.10``, and a cell that could be a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from bundler.approval import licences
from bundler.approval.dossier import YANKED, CarriedPackage, Dossier
from wheelhouse.text import is_plain

# ASCII and full-width forms: Excel takes both
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_HEAD = (
    "번호 No.", "구분 Kind", "패키지 Package", "변경 Change", "이전 Before", "파일 File", "크기 Bytes",
    "SHA-256",
    "출처 Origin", "업로드 Uploaded", "표기 라이선스 Licence declared", "본문 라이선스 Licence in its text",
    "요구한 패키지 Needed by", "빌드 소스 Built from", "철회 Yanked", "취약점 Vulnerabilities",
    "서명 Provenance", "설명 Summary",
)  # fmt: skip


def render(dossier: Dossier) -> bytes:
    """The table; the same dossier gives the same bytes."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_HEAD)
    for line in _lines(dossier):
        writer.writerow([cell(value) if isinstance(value, str) else value for value in line])
    return stream.getvalue().encode("utf-8-sig")


def cell(text: str) -> str:
    """Text that a spreadsheet shows and does not run, in one line."""
    plain = "".join(letter if is_plain(letter) else "\ufffd" for letter in " ".join(text.split()))
    return f"'{plain}" if text.startswith(_FORMULA) or plain.startswith(_FORMULA) else plain


def _lines(dossier: Dossier) -> Iterator[tuple[str | int, ...]]:
    number = 0
    for number, item in enumerate(dossier.packages, 1):
        yield (
            number, item.role, f"{item.name}=={item.version}", item.change, _before(item),
            item.file, item.size, item.sha256, item.origin, item.uploaded,
            item.licence.expression or item.licence.words, _found(item), _askers(item),
            item.built.source or item.built.sha256 if item.built else "", _yanked(item), _vulnerable(item),
            item.provenance, item.summary,
        )  # fmt: skip
    for other in dossier.others:
        number += 1
        yield (
            number, other.kind, "", "", "", other.name, other.size, other.sha256, other.origin,
            *[""] * (len(_HEAD) - 9),
        )  # fmt: skip
    for change in dossier.compared_with.removed if dossier.compared_with else ():
        number += 1
        name = f"{change.name}=={change.before}"
        yield (number, "", name, change.kind, *[""] * (len(_HEAD) - 4))


def _before(package: CarriedPackage) -> str:
    return f"{package.name}=={package.before}" if package.change == "changed" else package.before


def _found(package: CarriedPackage) -> str:
    names = ", ".join(licences.names(package.texts))
    return names or ("text not recognised" if package.texts else "no text")


def _askers(package: CarriedPackage) -> str:
    return ", ".join((*(["(requested)"] if package.requested else []), *package.required_by))


def _yanked(package: CarriedPackage) -> str:
    return f"yanked: {package.yanked_reason}" if package.yanked == YANKED else package.yanked


def _vulnerable(package: CarriedPackage) -> str:
    listed = [f"{item.id} ({item.severity}{', accepted' if item.accepted else ''})" for item in package.found]
    return ", ".join(listed) or package.vulnerabilities
