"""Options that the installed release does not know where they stand, by its own tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.airflow import option_tables
from bootstrap.examination import configuration
from tests.support.option_tables import put


@pytest.mark.parametrize("set_there", [False, True])
def test_an_option_is_told_as_still_read_only_where_the_release_reads_it(
    tmp_path: Path, set_there: bool
) -> None:
    put(tmp_path)
    text = (
        "[webserver]\nweb_server_port = 1\npage_size = 2\n[core]\ncheck_slas = x\nnwe = 1\n[ours]\nmine = 1\n"
    )
    text += "[api]\nport = 3\n" if set_there else ""
    found = configuration._strays(text, option_tables.of_environment(tmp_path))
    assert [(item.section, item.name, item.kind, item.instead) for item in found] == [
        (
            "webserver", "web_server_port", "obsolete",
            "now [api] port, which is set: not read here" if set_there else "now [api] port, still read here",
        ),
        ("webserver", "page_size", "obsolete", "now [api] page_size, not read here any more"),
        ("core", "check_slas", "obsolete", "removed, not read"),
        ("core", "nwe", "unknown", ""),
    ]  # fmt: skip
