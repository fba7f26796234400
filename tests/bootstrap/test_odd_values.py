"""Odd characters in what an admin may name: each works wherever it goes, or is refused before."""

from __future__ import annotations

import argparse
import configparser
import ctypes
import ctypes.util
import re
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from bootstrap.airflow.release import release_for
from bootstrap.base.secret import Secret
from bootstrap.installed import options as choosing
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.postgres.connection import Connection, DatabaseUrlInvalid, parse
from bootstrap.state.home import Home

_LETTERS = "% $'\"\\#;=~@:/?&+,|<>{}[]()!*`^\t\n\x7f한é"
ODD = [
    *(f"a{letter}b" for letter in _LETTERS), "%s", "%(x)s", "$HOME", "-a", "~", " a", "a ", "a=b",
    "postgresql://x", "%41", "a%20b", "#a", ";a", "a\\'b",
]  # fmt: skip


def of_airflow_cfg(value: str) -> str:
    """The value as Airflow's own parser gives it back, once it was written; expansion is Airflow's, too."""
    parser = configparser.ConfigParser()
    parser.read_string(config.edit("", [Setting("s", "o", value)]))
    return re.sub(r"\$HOME\b", "/root", parser.get("s", "o"))


def database(name: str) -> Connection | None:
    """The connection, or None where the URL is refused with a sentence."""
    try:
        return parse(f"postgresql://{quote('rô le@', safe='')}@h/{quote(name, safe='')}", home=Path("/"))
    except DatabaseUrlInvalid as error:
        assert error.found and error.needed
        return None


@pytest.mark.parametrize("name", ODD)
def test_name_of_the_database(name: str) -> None:
    found = database(name)
    if found is None:
        return
    assert found.database == name
    url = found.url("postgresql+psycopg2", Secret(name)).reveal()
    assert of_airflow_cfg(url) == url
    assert _libpq(found.arguments[-1]) == name
    # as it stands for SQLAlchemy 1.3 to 2.0, unquoted for 2.1
    stands = url.partition("@h:5432/")[2]
    assert (stands, unquote(stands)) == (name, name)
    sqlalchemy = pytest.importorskip("sqlalchemy.engine.url", reason="SQLAlchemy is not installed here")
    read = sqlalchemy.make_url(of_airflow_cfg(url))
    assert (read.database, read.username, read.password, read.host) == (name, "rô le@", name, "h")


def test_only_few_names_of_databases_are_refused() -> None:
    refused = {name for name in ODD if database(name) is None}
    assert refused == {"a$b", "a?b", "a\tb", "a\nb", "a\x7fb", "$HOME", " a", "a ", "%41", "a%20b"}


def _libpq(argument: str) -> str:
    """The database that libpq's programs connect to for ``-d ARGUMENT`` (manual, "Connection Strings")."""
    library = ctypes.util.find_library("pq")
    if "=" not in argument and not argument.startswith(("postgresql:", "postgres:")):
        return argument
    if library is None:
        pytest.skip("libpq is not installed")
    pq = ctypes.CDLL(library)
    pq.PQconninfoParse.restype = ctypes.POINTER(_Option)
    found = pq.PQconninfoParse(argument.encode(), None)
    assert found, argument
    for index in range(200):
        if not found[index].keyword:
            break
        if found[index].keyword == b"dbname":
            return bytes(found[index].val or b"").decode()
    raise AssertionError(argument)


class _Option(ctypes.Structure):
    _fields_ = (
        ("keyword", ctypes.c_char_p), ("envvar", ctypes.c_char_p), ("compiled", ctypes.c_char_p),
        ("val", ctypes.c_char_p), ("label", ctypes.c_char_p), ("dispchar", ctypes.c_char_p),
        ("dispsize", ctypes.c_int),
    )  # fmt: skip


@pytest.mark.parametrize("value", ODD)
def test_admin_and_password(value: str) -> None:
    """Airflow's command line takes them as they are, and its list of users, too, or they are refused."""
    parser = argparse.ArgumentParser()
    for option in ("--username", "--firstname", "--lastname", "--email", "--role", "--password"):
        parser.add_argument(option)
    try:
        choosing._values(Options(Home(Path("/x")), admin_user=value))
        user = value
    except InvalidOption as error:
        assert error.needed
        user = "admin"
    read = parser.parse_args(list(release_for("3.3.2").create_admin(user, value)[2:]))
    assert (read.username, read.password) == (user, value)
    users = of_airflow_cfg(f"{user}:admin")
    assert [item.strip().split(":") for item in users.split(",")] == [[user, "admin"]]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "127.0.0.1", "localhost", "head.example", "head_1"])
def test_address_of_the_web_server(host: str) -> None:
    choosing._values(Options(Home(Path("/x")), host=host))


@pytest.mark.parametrize(
    "host", [*(item for item in ODD if item != "~"), "[::1]", "h:80", "http://h", "", "a..b/"]
)
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidOption, match="is not an address"):
        choosing._values(Options(Home(Path("/x")), host=host))
