"""Writes findings.md here and in docs/ko from the catalogue: python docs/reference/generate_findings.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bootstrap.base import language
from bootstrap.doctor import catalogue as inside
from bootstrap.doctor.severity import OK, SEVERITIES
from bundler.host.catalogue import CATALOGUE

PAGE = Path(__file__).with_name("findings.md")
KOREAN = Path(__file__).parents[1] / "ko" / "findings.md"
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


HEAD_KO = """# doctor의 진단 항목

`docs/reference/generate_findings.py`가 doctor의 점검 모듈에서 만들었습니다. 직접 고치지 마십시오. 닫힌
호스트의 진단 항목이며, 인터넷 호스트의 것은 [영어 페이지](../reference/findings.md)에 있습니다.

id는 바뀌지 않습니다: 스크립트와 `--ignore ID`가 그것에 의존해도 됩니다. 적힌 심각도는 그 항목이 가질 수
있는 가장 무거운 것입니다. 이 페이지가 없는 호스트에서는 `doctor --explain ID`가 같은 설명을, `doctor
--explain`이 전체 목록을 보여 줍니다.

- **차단**(blocker): 동작하지 않습니다. `install`은 무엇이든 바꾸기 전에 멈춥니다. 종료 코드 3.
- **경고**(warning): 동작하지 않거나 오래가지 못할 수 있습니다. `--strict`이면 종료 코드 4, 아니면 0.
- **참고**(note): 알아 두면 좋은 것입니다.
- **정상**(ok): 확인했고 문제가 없습니다.
"""


def _index(catalogue: Any, words: language.Wording, title: str) -> Iterator[str]:
    yield f"## {title}\n"
    for subject, entries in catalogue.subjects.items():
        yield f"{words.text(subject)}:\n"
        for key, entry in entries.items():
            # what is well has no heading below to lead to
            name = f"`{key}`" if entry.severity == OK else f"[`{key}`](#{key})"
            yield f"- {name} ({words.word(entry.severity)}): {words.text(entry.title)}"
        yield ""


def _page(catalogue: Any, words: language.Wording, head: str, title: str) -> str:
    parts = [head, *_index(catalogue, words, title)]
    for severity in SEVERITIES:
        entries = {key: entry for key, entry in catalogue.entries.items() if entry.severity == severity}
        parts.append(f"## {words.word(severity)}\n")
        if severity == OK:
            parts += [f"- `{key}`: {words.text(entry.title)}" for key, entry in entries.items()]
            parts.append("")
            continue
        for key, entry in entries.items():
            said = [words.text(text) if text else "" for text in (entry.title, entry.why, entry.more)]
            texts = [f"### `{key}`", f"{said[0].rstrip('.')}.", *said[1:]]
            parts += [text + "\n" for text in texts if text]
    return "\n".join(parts)


def page() -> str:
    """The whole page."""
    return _page(CATALOGUE, language.ENGLISH, HEAD, "Index")


def korean() -> str:
    """The whole page in Korean: what a closed host may show."""
    words = language.chosen({"AIRFERRY_LANG": "ko", "LANG": "ko_KR.UTF-8"})
    return _page(inside.CATALOGUE, words, HEAD_KO, "찾아보기")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    KOREAN.write_text(korean(), encoding="utf-8")
