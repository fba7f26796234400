"""Korean particles behind values: the form that goes with the last sound, where that can be known.

A translation writes both forms, ``{path}을(를)``. Which one is right follows from the sound that the value
ends with: sure for Korean letters and digits, and for Latin letters that are read in one way only. A value
such as ``root`` or ``lock`` may be read in more ways than one: both forms stay, as Korean manuals write it.
"""

from __future__ import annotations

import re
from typing import Optional

# form with a final consonant, form without; the text that the catalogue has
_FORMS = {
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "과(와)": ("과", "와"),
    "와(과)": ("과", "와"),
    "(으)로": ("으로", "로"),
    "(이)라": ("이라", "라"),
}
_BEHIND = re.compile(r"(\S)(?=({}))\2".format("|".join(map(re.escape, _FORMS))))
_FIRST, _LAST, _FINALS, _RIEUL = 0xAC00, 0xD7A3, 28, 8
# how digits are read: 영 일 이 삼 사 오 육 칠 팔 구
_DIGITS = "ㅇㄹ ㅁ  ㄱㄹㄹ "
# how a single Latin letter, or an abbreviation in capitals, ends: 엘 엠 엔 알
_CAPITALS = {"L": "ㄹ", "M": "ㅁ", "N": "ㄴ", "R": "ㄹ"}
# how words end with these; the others may go either way (root, lock, name)
_WORDS = {"l": "ㄹ", "m": "ㅁ", "n": "ㄴ", **dict.fromkeys("adfhijoqrsuvwxyz", " ")}
_LEAST_WORD = 4
_WORD = re.compile(r"[A-Za-z]+$")


def chosen(text: str) -> str:
    """The text, with one form for each particle whose place tells which."""
    return _BEHIND.sub(lambda found: found[1] + _form(text[: found.end(1)], found[2]), text)


def _form(before: str, both: str) -> str:
    final = _final(before)
    if final is None:
        return both
    with_final, without = _FORMS[both]
    if both == "(으)로" and final == "ㄹ":
        return without
    return without if final == " " else with_final


def _final(text: str) -> Optional[str]:
    """The final consonant of what was read last, a blank for none; None where it cannot be known."""
    bare = re.sub(r"\s*\([^()]*\)$", "", text).rstrip("'\"`") or text
    last = bare[-1:]
    if _FIRST <= ord(last or " ") <= _LAST:
        number = (ord(last) - _FIRST) % _FINALS
        return " " if not number else "ㄹ" if number == _RIEUL else "ㄱ"
    if last.isascii() and last.isdigit():
        return _DIGITS[int(last)]
    word = _WORD.search(bare)
    if word is None:
        return None
    # FILE is read as a word, DAG and SQL as letters, and kB by its last
    letters = len(word[0]) < _LEAST_WORD or not word[0].isupper()
    if (last.isupper() and letters) or len(word[0]) == 1:
        return _CAPITALS.get(last.upper(), " ")
    last = last.lower()
    return "ㅇ" if word[0].endswith("ng") else _WORDS.get(last, " " if last == "g" else None)
