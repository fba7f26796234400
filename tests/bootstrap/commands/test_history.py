"""The history as it is shown: what was done, in words, and nothing that is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.account import current
from bootstrap.base.columns import laid_out
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from tests.support.commands import run
from tests.support.receipts import sample


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    receipts.save(home.receipt, replace(sample(home.path), account=current().name))
    return home


def test_what_was_done_is_said_in_words(home: Home) -> None:
    journal = Journal(home.journal)
    done: list[tuple[str, dict[str, object]]] = [
        ("install", {"airflow": "2.11.2", "bundle": "b"}),
        ("upgrade", {"airflow": "3.3.2", "bundle": "c", "before": "2.11.2"}),
        ("add", {"bundle": "d", "file": "airflow-add.run"}),
        ("add", {"remove": "airflow-add.run"}),
        ("config", {"set": "[core] parallelism", "to": "8", "was": "4"}),
        ("config", {"set": "[smtp] smtp_host", "to": None, "was": "mail"}),
        ("config", {"set": "[smtp] smtp_port", "to": "25", "was": None}),
        ("stop", {"components": ["scheduler", "triggerer"]}),
    ]
    for command, details in done:
        with journal.recorded(command, **details):
            pass
    shown = run(home, "history").stdout
    assert "None" not in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()[2:]]
    said = [line.partition(" done 0.0 ")[0].split(" ", 2)[2] for line in lines]
    assert said == ["install", "upgrade", "add", "add --remove", "config", "config", "config", "stop"]
    assert [line.partition(" done 0.0 ")[2].split(" ", 1)[1] for line in lines] == [
        "2.11.2", "2.11.2 -> 3.3.2", "airflow-add.run", "airflow-add.run",
        "[core] parallelism = 8, was 4", "[smtp] smtp_host unset, was mail", "[smtp] smtp_port = 25",
        "scheduler triggerer",
    ]  # fmt: skip


def test_an_import_is_told_in_words(home: Home) -> None:
    journal = Journal(home.journal)
    for overwrite in (False, True):
        with journal.recorded("connections import", overwrite=overwrite) as noted:
            noted.update(added=1, replaced=2 * overwrite, kept=0)
    shown = run(home, "history").stdout
    assert [line.split("  ")[-1] for line in shown.splitlines()[2:]] == [
        "added: 1", "overwrite, added: 1, replaced: 2",
    ]  # fmt: skip


def test_an_id_stays_in_one_piece_on_80_columns() -> None:
    backup = "20261128T120000Z-3.3.2-cp311-0a1b2c3d4e"
    head = ["time", "command", "outcome", "seconds", "by", ""]
    lines = laid_out([head, ["2026-11-28 17:48", "backup", "done", "0.0", "root", backup]], 80, "-")
    assert lines[2:] == ["2026-11-28 17:48  backup   done     0.0      root", f"  {backup}"]
    assert max(map(len, lines)) <= 80
