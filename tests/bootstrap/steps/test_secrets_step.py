"""The keys that an install makes, and those that it finds."""

from __future__ import annotations

from pathlib import Path

from bootstrap.base import secret
from bootstrap.state.home import JWT, SECRET_KEY, Home
from bootstrap.steps.secrets import FoldersStep


def test_key_of_tokens_is_long_enough_for_its_algorithm_and_an_older_one_stays(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    FoldersStep(home, None).apply()
    assert len(secret.read(home.secrets / JWT).reveal()) == 64
    assert len(secret.read(home.secrets / SECRET_KEY).reveal()) == 32
    secret.write(home.secrets / JWT, secret.Secret("x" * 32))
    FoldersStep(home, None).apply()
    assert secret.read(home.secrets / JWT).reveal() == "x" * 32
