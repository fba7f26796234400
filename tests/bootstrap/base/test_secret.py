"""A secret is shown nowhere: not in repr, formats, tracebacks, logs, pickles, nor to other accounts."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import stat
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap.base import secret
from bootstrap.base.secret import Secret

TEXT = "Zyx9-s3cr3t-비밀"


@dataclass(frozen=True)
class Holder:
    password: Secret


SHOWN: list[Callable[[Secret], str]] = [
    str,
    repr,
    lambda value: f"{value}",
    lambda value: f"{value!r:>40}",
    lambda value: f"{value:>40}",
    "{}".format,
    "{0!s}".format,
    lambda value: "%s %r" % (value, value),  # noqa: UP031
    lambda value: repr([value, {value: value}]),
    lambda value: repr(Holder(value)),
    lambda value: repr(ValueError("wrong", value)),
]


def test_shown_as_stars() -> None:
    shown = [show(Secret(TEXT)) for show in SHOWN]
    assert [text for text in shown if TEXT in text or "***" not in text] == []


def test_not_in_a_traceback_or_log(caplog: pytest.LogCaptureFixture) -> None:
    password = Secret(TEXT)
    try:
        raise RuntimeError(f"login with {password} failed", password)
    except RuntimeError as error:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        logging.getLogger("x").exception("failed for %s", password)
    assert TEXT not in text + caplog.text
    assert "***" in text


def test_has_no_attributes_to_dump() -> None:
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_never_copied_out(leak: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as caught:
        leak(Secret(TEXT))
    assert TEXT not in str(caught.value)


def test_compares_by_value() -> None:
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT)}) == 1


def test_generated_ones_differ_and_mean_nothing_anywhere() -> None:
    made = [secret.generate(32).reveal() for _ in range(50)]
    assert len(set(made)) == 50
    assert {len(text) for text in made} == {32}
    assert all(text.isalnum() and text.isascii() for text in made)


def test_file_is_private_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "password"
    before = os.umask(0)
    try:
        secret.write(path, Secret(TEXT))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret.read(path) == Secret(TEXT)
    assert [item.name for item in tmp_path.iterdir()] == ["password"]


def test_open_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    path.chmod(0o644)
    secret.write(path, Secret(TEXT))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == TEXT + "\n"


@pytest.mark.parametrize("left", ["file", "link"])
def test_left_over_of_a_killed_write(tmp_path: Path, left: str) -> None:
    """A link planted there must not be followed either."""
    victim = tmp_path / "victim"
    new = tmp_path / "password.new"
    if left == "file":
        new.write_text("half")
    else:
        new.symlink_to(victim)
    secret.write(tmp_path / "password", Secret(TEXT))
    assert secret.read(tmp_path / "password") == Secret(TEXT)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"pass\n", "pass"), (b"pass", "pass"), (b"pass\r\n", "pass"), (b"two words \nmore\n", "two words ")],
)
def test_first_line_is_the_secret(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert secret.read(path) == Secret(expected)
