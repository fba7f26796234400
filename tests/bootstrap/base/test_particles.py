"""A particle has the form that goes with the value before it, and both where nobody can tell."""

from __future__ import annotations

import pytest

from bootstrap.base.particles import chosen


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("홈은(는) 파일을(를) 폴더와(과)", "홈은 파일을 폴더와"),
        ("폴더은(는) 명령이(가) 포트이(가)", "폴더는 명령이 포트가"),
        # the last consonant ㄹ takes 로 as a vowel does
        ("파일(으)로 폴더(으)로 이름(으)로", "파일로 폴더로 이름으로"),
        # as digits are read: 2 이, 3 삼, 1 일, 0 영
        ("3.3.2은(는) 3.3.3은(는) 8081(으)로 8080(으)로", "3.3.2는 3.3.3은 8081로 8080으로"),
        # PostgreSQL 엘, DAG, kB; words that end in one way only
        ("PostgreSQL은(는) DAG을(를) 5 kB이(가)", "PostgreSQL은 DAG를 5 kB가"),
        (
            "scheduler이(가) /opt/airflow을(를) admin은(는) running이(가)",
            "scheduler가 /opt/airflow를 admin은 running이",
        ),
        # a word in capitals may be read as one
        ("'FILE'이(가) 빠짐, HTTPS을(를)", "'FILE'이(가) 빠짐, HTTPS를"),
        # what stands in brackets or quotes is not what is read last
        ("/data (모드 0700)이(가) 'nightly'(이)라는", "/data (모드 0700)가 'nightly'라는"),
        # root is 루트, reset 리셋; /opt/a/ ends with no sound
        ("root은(는) name을(를) /opt/a/이(가)", "root은(는) name을(를) /opt/a/이(가)"),
        ("아무것도 없음", "아무것도 없음"),
    ],
)
def test_the_form_goes_with_the_last_sound(text: str, shown: str) -> None:
    assert chosen(text) == shown
