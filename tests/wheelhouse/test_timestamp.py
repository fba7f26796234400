from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest

from wheelhouse import timestamp


def test_a_time_stamp_is_utc_to_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "KST-9")
    time.tzset()
    try:
        stamp = timestamp.at(1764307165.75)
        assert stamp == "2025-11-28T05:19:25Z"
        assert timestamp.parse(stamp) == datetime(2025, 11, 28, 5, 19, 25, tzinfo=timezone.utc)
        assert timestamp.compact(stamp) == "20251128T051925Z"
        assert timestamp.local(stamp) == "2025-11-28 14:19:25"
        assert abs(timestamp.parse(timestamp.now()).timestamp() - time.time()) < 5
    finally:
        monkeypatch.undo()
        time.tzset()


def test_indexes_write_fractions_and_offsets() -> None:
    assert timestamp.parse("2025-11-28T06:19:25.500000+01:00").timestamp() == 1764307165.5


@pytest.mark.parametrize("text", ["", "yesterday", "2025-11-28T05:19:25"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        timestamp.parse(text)
