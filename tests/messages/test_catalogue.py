"""No message of the closed side lacks its Korean text, and the catalogue is one that gettext reads."""

from __future__ import annotations

import gettext
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from bootstrap.base.translation import FIELD
from tests.messages import catalogue, extraction

MESSAGES = extraction.messages()
KNOWN = catalogue.read()
# the share of all messages, and of those met first, that may wait for a translator
MAY_WAIT, MAY_WAIT_IN_CORE = 0.03, 0.02
CORE = tuple(f"bootstrap/{name}" for name in ("doctor/", "commands/", "steps/", "base/", "install"))
UPDATE = "run python -m tests.messages, then translate them in bootstrap/locale/ko/LC_MESSAGES/airferry.po"


def test_messages_have_a_korean_text() -> None:
    known = catalogue.carried_over(MESSAGES, KNOWN)
    missing = {message: places[0] for message, places in MESSAGES.items() if message not in known}
    assert len(missing) <= MAY_WAIT * len(MESSAGES), f"{UPDATE}: {missing}"
    core = [message for message, places in MESSAGES.items() if places[0].startswith(CORE)]
    assert len(core) > 1000
    waiting = [message for message in core if message in missing]
    assert len(waiting) <= MAY_WAIT_IN_CORE * len(core), f"{UPDATE}: {waiting}"


def test_texts_have_the_placeholders_of_their_messages() -> None:
    assert list(catalogue.wrong(KNOWN)) == []


def test_a_particle_behind_a_value_has_both_forms() -> None:
    """Which one is shown follows from the value: bootstrap/base/particles.py."""
    assert [text for text in KNOWN.values() if catalogue.both_forms(text) != text] == []
    assert catalogue.both_forms("{path}는 {name}'라는 {count}개가 {folder}로") == (
        "{path}은(는) {name}'(이)라는 {count}개가 {folder}(으)로"
    )


def test_texts_are_korean() -> None:
    """What is the same in both languages is a name, a command or a form."""
    same = [message for message, text in KNOWN.items() if message == text]
    assert [text for text in same if text.endswith(".") and text[0].isupper() and len(text.split()) > 5] == []
    assert len(same) < 0.05 * len(KNOWN)


def test_the_binary_form_is_that_of_the_text() -> None:
    assert catalogue.MO.read_bytes() == catalogue.compiled(KNOWN), UPDATE


def test_gettext_reads_what_was_written(tmp_path: Path) -> None:
    texts = {'a "quoted" {name}': 'ㄱ "{name}"', "two\nlines\twide \\ back": "둘\n줄\t넓게 \\ 뒤", "b": "나"}
    path = tmp_path / "some.po"
    path.write_text(catalogue.written({text: ["here.py:1"] for text in texts}, texts), encoding="utf-8")
    assert catalogue.read(path) == texts
    read = gettext.GNUTranslations(io.BytesIO(catalogue.compiled(texts)))
    assert {text: read.gettext(text) for text in texts} == texts


def test_msgfmt_of_gettext_makes_the_same_of_it(tmp_path: Path) -> None:
    msgfmt = shutil.which("msgfmt")
    if not msgfmt:
        pytest.skip("msgfmt of GNU gettext is not on this machine (Debian: gettext)")
    made = tmp_path / "airferry.mo"
    subprocess.run([msgfmt, "--check", "-o", made, catalogue.PO], check=True, capture_output=True)
    theirs = gettext.GNUTranslations(io.BytesIO(made.read_bytes()))
    assert [message for message, text in KNOWN.items() if theirs.gettext(message) != text] == []


def test_an_update_keeps_a_text_whose_placeholder_was_renamed() -> None:
    known = {"{path} is missing": "{path}이(가) 없음", "gone": "사라짐"}
    messages = {"{folder} is missing": ["x.py:1"], "new one": ["x.py:2"]}
    assert catalogue.carried_over(messages, known) == {"{folder} is missing": "{folder}이(가) 없음"}


SOURCE = '''
"""Docstrings are not shown."""
AGAIN = "then run it again."
HINTS = {1: f"Make room, {AGAIN}"}

def look(path, count):
    """Not this either."""
    kind = "old" if count else "new"
    run("systemctl daemon-reload", commands=("chmod go-w that file",))
    query("SELECT name FROM the table")
    raise Broken(f"{path.name} holds {count:04} files{'s' if count else ''}.", hint=f"Look at the {kind} one")
'''


def test_texts_are_found_and_commands_are_not() -> None:
    found = [text for text, _ in extraction._Module(SOURCE, "bootstrap/some.py").found()]
    assert found == [
        "then run it again.",
        "Make room, then run it again.",
        "{name} holds {count} filess.",
        "{name} holds {count} files.",
        "Look at the old one",
        "Look at the new one",
    ]


def test_messages_of_every_kind_are_among_those_found() -> None:
    for text in (
        "Judge whether this bundle will work on this host; changes nothing.",  # help
        "The web server's port (default: 8080 or the next free).",  # an option
        "Too little memory",  # a finding
        "{name} is whole: {identity}",  # a result
        "Install {count} packages into {path}",  # a step
        "component",  # the head of a table
        "The home can be used",
    ):
        assert text in MESSAGES
    assert all(FIELD.sub("", text).strip() for text in MESSAGES)
