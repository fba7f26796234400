"""Lengths of time as an admin types them."""

from __future__ import annotations

import pytest

from bootstrap.base import duration


def test_what_people_write() -> None:
    wanted = {"90s": 90, "10m": 600, "2h": 7200, "30d": 2_592_000, "1w": 604_800, "45": 45, " 1.5 h ": 5400}
    assert {text: duration.seconds(text) for text in wanted} == wanted
    for text in ("", "m", "-5m", "5 minutes", "1e3", "10m30s"):
        with pytest.raises(ValueError, match="is not a time"):
            duration.seconds(text)
    assert [duration.text(number) for number in (45, 90, 600, 7200)] == ["45 s", "90 s", "10 min", "2 h"]
