"""Facts that are written on one host and read on another."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.facts import saved
from bootstrap.facts.account import AccountFacts, User
from bootstrap.facts.host import Facts, Request, collect
from bootstrap.facts.network import Lookup, Network
from bootstrap.facts.saved import FactsUnreadable
from wheelhouse import codec


@pytest.fixture(scope="module")
def here() -> Facts:
    return collect(Request("/opt/airflow", "3.99"))


def test_what_is_saved_is_what_is_loaded(here: Facts, tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    saved.save(here, path)
    assert saved.load(path) == saved._without_numbers(here)
    assert [item.name for item in tmp_path.iterdir()] == ["host.json"]


def test_a_name_that_is_no_text_comes_back(here: Facts, tmp_path: Path) -> None:
    odd = replace(here, request=replace(here.request, home=os.fsdecode(b"/srv/\xff \xed\x95\x9c")))
    saved.save(odd, tmp_path / "host.json")
    assert saved.load(tmp_path / "host.json") == saved._without_numbers(odd)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: [], "facts: an object is needed"),
        (lambda data: {**data, "home": None, "pythons": 3}, "facts.pythons: a list is needed, found int"),
        (lambda data: {**data, "surprise": 1}, "facts.surprise: unknown field"),
        (lambda data: {key: data[key] for key in data if key != "request"}, "facts.request: missing"),
        (lambda data: {**data, "schema": 99}, "facts schema 99"),
    ],
)
def test_what_are_no_facts(here: Facts, tmp_path: Path, change: Any, words: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(json.dumps(change(codec.encode(here))))
    with pytest.raises(FactsUnreadable) as caught:
        saved.load(path)
    assert words in caught.value.found


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null"])
def test_what_is_no_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "host.json").write_bytes(content)
    with pytest.raises(FactsUnreadable):
        saved.load(tmp_path / "host.json")


def test_what_is_not_there(tmp_path: Path, here: Facts) -> None:
    with pytest.raises(FactsUnreadable):
        saved.load(tmp_path / "none")
    with pytest.raises(FactsUnreadable):
        saved.save(here, tmp_path / "none" / "host.json")


def test_names_can_be_left_out(here: Facts) -> None:
    me = User("minjun", 1000, 1000, (1000,), "/home/minjun", "/bin/bash")
    own = Lookup("etl01.bank.example", ("192.0.2.7", "fd00::7"), 0.1)
    place = here.home
    assert place is not None
    facts = replace(
        here,
        request=replace(here.request, home="/home/minjun/airflow on etl01"),
        home=replace(place, path="/home/minjun/airflow", entries=("minjun.txt", "minjunkim", "etl01-logs")),
        account=AccountFacts(me),
        network=Network(own, Lookup("localhost", ("127.0.0.1",))),
    )
    clean = saved.redact(facts)
    text = codec.dumps(clean)
    assert clean.request.home == "/home/USER/airflow on HOST"
    assert clean.home is not None
    assert clean.home.path == "/home/USER/airflow"
    assert clean.network is not None
    assert (clean.network.own.name, clean.network.own.addresses) == ("HOST", ("ADDRESS", "ADDRESS"))
    assert "bank" not in text
    assert "192.0.2.7" not in text
    # nothing but whole names: what judgement needs stays
    assert clean.home.entries == ("USER.txt", "minjunkim", "etl01-logs")
    assert clean.pythons == facts.pythons
    assert codec.loads(Facts, text) == clean


def test_common_names_stay(here: Facts) -> None:
    facts = replace(here, account=AccountFacts(User("root", 0, 0, (0,), "/root")), network=None)
    # whoever else happens to run something on this machine
    facts = replace(facts, ports=(), postgres=None, airflows=None)
    assert saved.redact(facts) == facts


def test_saving_redacted(here: Facts, tmp_path: Path) -> None:
    host = os.uname().nodename
    facts = replace(here, network=Network(Lookup(host, ()), Lookup("localhost", ())))
    saved.save(facts, tmp_path / "host.json", redacted=True)
    network = saved.load(tmp_path / "host.json").network
    assert network is not None
    assert network.own.name == "HOST"
