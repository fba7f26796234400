"""What a dry run shows of airflow.cfg: what would change, what was edited by hand, and never a secret."""

from __future__ import annotations

from bootstrap.airflow.config import Setting
from bootstrap.installed import drift
from bootstrap.state.outcome import Drift

TEXT = """\
# ours
[core]
parallelism = 9
executor = LocalExecutor
fernet_key = OldKeyOldKey
[api]
port = 8080
secret_key = SameSameSame
"""
SETTINGS = [
    Setting("core", "parallelism", "4"),
    Setting("core", "executor", "LocalExecutor"),
    Setting("core", "fernet_key", "NewKeyNewKey", secret=True),
    Setting("api", "port", "9090"),
    Setting("api", "secret_key", "SameSameSame", secret=True),
    Setting("api", "host", "127.0.0.1"),
]


def test_changes_and_edits() -> None:
    changed = [item for item in SETTINGS if item.option in ("port", "fernet_key", "host")]
    found = drift.compare(TEXT, changed, SETTINGS)
    added = [line for line in found.diff if line.startswith("+") and not line.startswith("+++")]
    removed = [line for line in found.diff if line.startswith("-") and not line.startswith("---")]
    assert added == ["+fernet_key = *** (a new one)", "+port = 9090", "+host = 127.0.0.1"]
    assert removed == ["-fernet_key = ***", "-port = 8080"]
    assert found.edited == ("[core] parallelism = 9 (it would be 4)",)
    said = "\n".join([*found.diff, *found.edited])
    for secret in ("OldKey", "NewKey", "SameSame"):
        assert secret not in said


def test_a_secret_that_was_edited_is_told_and_not_shown() -> None:
    found = drift.compare(TEXT, [], SETTINGS)
    assert found.diff == ()
    assert "[core] fernet_key = another value" in found.edited


def test_nothing_to_say() -> None:
    same = [item for item in SETTINGS if item.option in ("executor", "secret_key")]
    assert drift.compare(TEXT, [], same) == Drift((), ())
