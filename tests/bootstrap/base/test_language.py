"""Which language is shown, and how texts that the code makes find their translation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.base import language
from bootstrap.base.translation import Translation
from tests.messages.catalogue import compiled

ROOT = Path(__file__).parents[3]
TEXTS = {
    "The disk is full.": "디스크가 가득 찼습니다.",
    "Nothing was changed.": "아무것도 바꾸지 않았습니다.",
    "{path} is missing": "{path}이(가) 없음",
    "{path} (mode {mode}) is missing": "{path}(모드 {mode})이(가) 없음",
    "Install {count} packages into {path}": "패키지 {count}개를 {path}에 설치",
    "{what} (already done)": "{what} (이미 끝남)",
    "{what}; account {account}.": "{what}. 계정 {account}.",
    "Could not {what}: {why}.": "{what} 실패: {why}.",
    "start the web server": "웹 서버 시작",
    "{count} blockers": "차단 {count}건",
    "1 warning": "경고 1건",
    "{a} of {b}": "{b} 가운데 {a}",
    "running": "실행 중",
}
KOREAN = Translation("ko", compiled(TEXTS))


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({}, ""),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, ""),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "en_US.UTF-8"}, ""),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "ko:en"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LANGUAGE": "en:ko"}, ""),
        ({"LANG": "ko_KR.UTF-8", "LANGUAGE": "fr:ko"}, "ko"),
        ({"LANG": "C", "LANGUAGE": "ko"}, ""),
        ({"LANG": "en_US.UTF-8", "AIRFERRY_LANG": "ko"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "AIRFERRY_LANG": "en"}, ""),
        ({"LANG": "de_DE.UTF-8"}, ""),
        # the terminal's charset: EUC-KR has Korean letters, Latin-1 and ASCII have none
        ({"LANG": "ko_KR.eucKR"}, "ko"),
        ({"LANG": "en_US.ISO-8859-1", "AIRFERRY_LANG": "ko"}, ""),
        ({"LANG": "en_US.ASCII", "AIRFERRY_LANG": "ko"}, ""),
        # the C locale says nothing of the terminal, but the person who asks does
        ({"LANG": "C", "AIRFERRY_LANG": "ko_KR.UTF-8"}, "ko"),
    ],
)
def test_the_language_is_that_of_the_environment(environ: dict[str, str], code: str) -> None:
    assert language.wanted(environ) == code
    assert language.chosen(environ).code == (code or "en")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The disk is full.", "디스크가 가득 찼습니다."),
        ("  The disk is full. ", "  디스크가 가득 찼습니다. "),
        ("/data/내 폴더 is missing", "/data/내 폴더가 없음"),
        ("/data (mode 0700) is missing", "/data(모드 0700)가 없음"),
        ("The disk is full. Nothing was changed.", "디스크가 가득 찼습니다. 아무것도 바꾸지 않았습니다."),
        ("The disk is full.\nUnknown line", "디스크가 가득 찼습니다.\nUnknown line"),
        ("One line\n/data is missing", "One line\n/data가 없음"),
        ("Something else. Nothing was changed.", "Something else. 아무것도 바꾸지 않았습니다."),
        ("Could not start the web server: no answer.", "웹 서버 시작 실패: no answer."),
        ("Debian, x86_64, 2 blockers", "Debian, x86_64, 차단 2건"),
        ("Could not start the web server: 60 MB is missing.", "웹 서버 시작 실패: 60 MB가 없음."),
        ("a, b is missing. Nothing was changed.", "a, b is missing. 아무것도 바꾸지 않았습니다."),
        ("Install 9 packages into /opt/a (already done)", "패키지 9개를 /opt/a에 설치 (이미 끝남)"),
        ("Install 9 packages into /opt/a; account airflow.", "패키지 9개를 /opt/a에 설치. 계정 airflow."),
        ("2 blockers, 1 warning. Nothing was changed.", "차단 2건, 경고 1건. 아무것도 바꾸지 않았습니다."),
        (
            "Could not start the web server: some, The disk is full., none.",
            "웹 서버 시작 실패: some, 디스크가 가득 찼습니다., none.",
        ),
        # too few letters of its own to be known by; names; what nobody has translated
        ("3 of 4", "3 of 4"),
        ("running", "running"),
        ("no such text", "no such text"),
        ("", ""),
    ],
)
def test_a_text_is_translated_whole_by_template_or_in_pieces(text: str, shown: str) -> None:
    assert KOREAN.text(text) == shown


def test_single_words_are_translated_only_as_words() -> None:
    assert (KOREAN.word("running"), KOREAN.word("nightly")) == ("실행 중", "nightly")


def test_english_loads_nothing_for_a_translation() -> None:
    code = (
        "import sys; from bootstrap.base.console import Console; Console().print('x y');"
        "sys.exit(any(name in sys.modules for name in ('gettext', 'bootstrap.base.translation')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
