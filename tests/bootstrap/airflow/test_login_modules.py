"""What webserver_config.py needs: read from its text, which is never run."""

from __future__ import annotations

import pytest

from bootstrap.airflow.login_modules import lacking, needed, remedy

LDAP = """\
from flask_appbuilder.security.manager import AUTH_LDAP

AUTH_TYPE = AUTH_LDAP
AUTH_LDAP_SERVER = "ldap://dc.corp.example"
"""


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (LDAP, [("flask_appbuilder.security.manager", 1), ("ldap", 3)]),
        ("AUTH_TYPE = 2\n", [("ldap", 1)]),
        ("AUTH_TYPE: int = AUTH_OAUTH\n", [("authlib", 1)]),
        ("import flask_appbuilder.const as c\nAUTH_TYPE = c.AUTH_OID\n",
         [("flask_appbuilder.const", 1), ("flask_openid", 2)]),
        ("AUTH_TYPE = AUTH_DB\n", []),
        ("AUTH_TYPE = 1\n", []),
        ("AUTH_TYPE = AUTH_REMOTE_USER\n", []),
        ("AUTH_TYPE = choose()\n", []),
        ("# AUTH_TYPE = AUTH_LDAP\n", []),
        ("import os, ldap3\n", [("ldap3", 1), ("os", 1)]),
        ("import ldap\nAUTH_TYPE = AUTH_LDAP\n", [("ldap", 2)]),
        ("try:\n    import ldap3\nexcept ImportError:\n    ldap3 = None\n", []),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nothing\n", [("typing", 1)]),
        ("def roles():\n    import okta\n", [("okta", 2)]),
        ("class A:\n    def b(self):\n        from x.y import z\n", [("x.y", 3)]),
        ("from . import x\nfrom __future__ import annotations\n", []),
        ("AUTH_TYPE = = 3", []),
        ("\0", []),
    ],
)  # fmt: skip
def test_needed(source: str, found: list[tuple[str, int]]) -> None:
    assert sorted((item.module, item.line) for item in needed(source.encode())) == sorted(found)


def test_lacking_by_the_packages_of_a_bundle() -> None:
    assert [item.module for item in lacking(LDAP.encode(), ["apache-airflow"])] == ["ldap"]
    assert lacking(LDAP.encode(), ["Python_LDAP"]) == ()
    # what a module of another name comes from is not known
    assert lacking(b"import corp_login\n", []) == ()


def test_remedy_names_extra_and_package() -> None:
    said = remedy(["ldap", "authlib.jose"])
    assert "airferry bundle --extra ldap authlib)" in said
    assert "--onto FILE authlib python-ldap)" in said
