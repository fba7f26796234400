"""What an install does last: how it is asked for, refused, crosses to the account, and is done."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap import handoff, last_steps
from bootstrap.base.console import Console
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret
from bootstrap.commands import bundle_options, directory_options
from bootstrap.handoff import NOTHING, Handover
from bootstrap.installed import dag_secrets, following
from bootstrap.installed.dag_secrets import CONNECTIONS, VARIABLES, Document, ImportRefused
from bootstrap.installed.following import Following
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.last_steps import NotFollowed
from bootstrap.site.directory import DirectoryAsked, DirectoryInvalid
from bootstrap.state import receipt as receipts
from bootstrap.state.journal import Journal
from bootstrap.state.receipt import WORKER
from tests.support.configured import configured
from tests.support.receipts import sample

ASKED = DirectoryAsked(
    "ldaps://dc.corp.example", "dc=corp", "reader@corp.example", Secret("zebra"), None, None,
    start_tls=False, ca="PEM", groups=(("Admin", "cn=a,dc=corp"),), kind="ad",
)  # fmt: skip
WHOLE = Following(
    (("connections", Document("c.json", "json", Secret('{"a": "zebra2"}'), exposed=False)),), ASKED
)


def asked_of(folder: Path, auth: str | None = "ldap", **more: Any) -> DirectoryAsked | None:
    password = folder / "password"
    password.write_text("zebra\n")
    given: dict[str, Any] = {
        "url": "ldaps://dc.corp.example", "kind": None, "base": "dc=corp", "bind_user": "r@corp.example",
        "bind_password_file": password, "groups": (("Admin", ["cn=a"]), ("Op", None)), "others": None,
        "uid": None, "search_filter": None, "ca_file": None, "start_tls": False,
    }  # fmt: skip
    return directory_options.asked_of(auth, **{**given, **more})


def test_the_options_of_a_directory_are_judged_before_anything_else(tmp_path: Path) -> None:
    asked = asked_of(tmp_path)
    assert asked is not None
    assert (asked.groups, asked.password) == ((("Admin", "cn=a"),), Secret("zebra"))
    nothing: dict[str, Any] = dict.fromkeys(("url", "base", "bind_user", "bind_password_file"))
    assert asked_of(tmp_path, "fab", **nothing, groups=()) is None
    wrong: list[dict[str, Any]] = [
        {"auth": "fab"}, {"auth": None}, {"url": None}, {"bind_password_file": None}, {"others": "King"},
        {"kind": "x500"},
    ]  # fmt: skip
    for more in wrong:
        with pytest.raises(InvalidOption):
            asked_of(tmp_path, **more)
    with pytest.raises(InvalidOption) as caught:  # not by the options of site ldap
        asked_of(tmp_path, groups=(("Op", ["cn=a"]),))
    assert "--ldap-group-admin" in caught.value.needed
    for more in ({"url": "http://h"}, {"start_tls": True}):
        with pytest.raises(DirectoryInvalid):
            asked_of(tmp_path, **more)


def test_a_bundle_or_an_installation_that_cannot_is_told_before(tmp_path: Path) -> None:
    receipt = replace(sample(tmp_path), added=())
    manifest: Any = SimpleNamespace(bundle_id="b", packages=[SimpleNamespace(name="python-ldap")])
    without: Any = SimpleNamespace(bundle_id="b", packages=[])
    directory_options.fits(WHOLE, manifest, receipt)
    directory_options.fits(Following(WHOLE.documents), without, receipt)
    with pytest.raises(InvalidOption, match="python-ldap") as caught:
        directory_options.fits(WHOLE, without, receipt)
    assert "--extra ldap" in caught.value.hint
    with pytest.raises(InvalidOption, match="--auth simple"):
        directory_options.fits(WHOLE, manifest, replace(receipt, auth="simple"))
    with pytest.raises(InvalidOption, match="head's"):
        directory_options.fits(Following(WHOLE.documents), manifest, replace(receipt, role=WORKER))


def test_files_that_cannot_be_brought_in_are_refused_at_once(tmp_path: Path) -> None:
    good, bad, lines = tmp_path / "c.json", tmp_path / "bad.json", tmp_path / "v.env"
    good.write_text('{"a": "http://h"}')
    bad.write_text('{"a": "zebra",')
    lines.write_text("no assignment zebra\n")
    found = bundle_options.documents(good, None, Console(quiet=True))
    assert [(kind, item.name) for kind, item in found] == [(CONNECTIONS, "c.json")]
    for connections, variables in ((bad, None), (None, lines), (tmp_path / "password", None)):
        (tmp_path / "password").write_text("x")
        with pytest.raises(ImportRefused) as caught:
            bundle_options.documents(connections, variables, Console(quiet=True))
        assert "zebra" not in f"{caught.value}{caught.value.found}{caught.value.hint}"


def test_it_crosses_whole_and_is_shown_nowhere(tmp_path: Path) -> None:
    descriptor = handoff._memory(WHOLE.whole)
    handed = Handover(1, sample(tmp_path), NOTHING, "x.run", NOTHING, following=descriptor)
    assert "zebra" not in repr(handed) + repr(WHOLE)
    assert handoff.secrets_of(handed).following == WHOLE
    with pytest.raises(OSError):
        os.fstat(descriptor)
    assert following.parse(Following().whole) == Following()


def test_what_fails_says_that_airflow_runs_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = configured(tmp_path / "home")
    installation = Installation(receipts.load(home.receipt))
    done: list[str] = []

    def write(_: Installation, kind: str, document: Document) -> Any:
        if document.name == "away.json":
            raise CommandFailed("the database is away", hint="look")
        done.append(kind)
        return SimpleNamespace(added=("a",), kept=())

    monkeypatch.setattr(dag_secrets, "write", write)
    both = Following((*WHOLE.documents, (VARIABLES, WHOLE.documents[0][1])))
    lines = last_steps.describe(Following(both.documents, ASKED))
    assert lines[-1] == "Take logins from the directory ldaps://dc.corp.example"
    last_steps.follow(installation, both, Console(quiet=True), Journal(home.journal))
    assert done == [CONNECTIONS, VARIABLES]
    assert "zebra" not in home.journal.read_text()
    away = Following(((CONNECTIONS, replace(WHOLE.documents[0][1], name="away.json")),))
    with pytest.raises(NotFollowed, match=r"installed and runs\. The connections of away\.json") as caught:
        last_steps.follow(installation, away, Console(quiet=True), Journal(home.journal))
    assert f"{home.bin}/airferry connections import FILE" in caught.value.hint
