"""Who can log in: what webserver_config.py needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Optional, Sequence

from bootstrap.airflow import login_modules
from bootstrap.base.columns import listed
from bootstrap.doctor.checks.files import command
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER

if TYPE_CHECKING:  # the look before an install judges no installation, and starts sooner without them
    from bootstrap.examination.installed import Installed

LOGIN_MODULES_MISSING = Entry(
    "login-modules-missing",
    BLOCKER,
    "webserver_config.py needs modules that are not there",
    "Airflow starts and looks healthy, and nobody can log in: they are imported at the login.",
    "The file is read for its imports and its AUTH_TYPE, and is not run. LDAP needs python-ldap, OAuth"
    " authlib, OpenID flask-openid.",
)


def check(installed: Installed) -> Iterator[Finding]:
    """What the environment's Python cannot import."""
    found = installed.login
    if found and found.missing:
        yield LOGIN_MODULES_MISSING.found(
            listed([f"{found.path}, {line}" for line in found.missing]),
            needed="modules that the environment's Python can import",
            remedy=f"{login_modules.remedy(found.modules)} Here: {command(installed)} add ADDON, or sh FILE"
            " install. Until then, another AUTH_TYPE lets people in (AUTH_DB).",
        )


def before(path: str, source: Optional[bytes], packages: Sequence[str]) -> Iterator[Finding]:
    """The same of a home that a bundle with these packages is about to be installed into."""
    lacking = login_modules.lacking(source or b"", packages)
    if lacking:
        wanted = sorted({login_modules.package(item.module) for item in lacking})
        yield LOGIN_MODULES_MISSING.found(
            listed([f"{path}, line {item.line}, {item.why}" for item in lacking]),
            needed=f"{', '.join(wanted)} in the bundle",
            remedy=f"{login_modules.remedy(item.module for item in lacking)} Or change AUTH_TYPE for now"
            " (AUTH_DB).",
        )
