"""Logins from a directory (LDAP, Active Directory): the settings as one value, and as a block of Python.

Flask AppBuilder reads them from ``webserver_config.py`` (AUTH_LDAP_*, in every release since 2.2).
They stand there between two marks, once; everything outside of the marks is the admin's.

The block brings a security manager of its own, for what the options cannot say: the installation's own admin
logs in with its password in Airflow's database and is never looked up in the directory, where anybody may
have that name; groups within groups count; the directory is given ten seconds; a name or a password that
would mean something else to the directory is refused (RFC 4513, 5.1.2; RFC 4515).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple
from urllib.parse import urlsplit

from bootstrap.base.secret import Secret
from wheelhouse.errors import AirferryError

BEGIN = "# >>> airferry site ldap: what stands between these marks is written anew by that command"
END = "# <<< airferry site ldap"
# below the home
PASSWORD, CA = "secrets/ldap-bind-password", "secrets/ldap-ca.pem"
KINDS = ("ad", "ldap")
ROLES = ("Admin", "Op", "User", "Viewer", "Public")
SECONDS = 10


class DirectoryInvalid(AirferryError):
    """Settings of a directory that cannot be used."""

    reference = "directory-invalid"
    exit_code = 2


@dataclass(frozen=True)
class Directory:
    """How logins are looked up. `ca` is a PEM file, `groups` are pairs of role and DN.

    `uid` is the attribute that holds the name at the login, `filter` what else must be true of an entry.
    `others` is the role of who is in none of the groups, `admin` the account that stays Airflow's own.
    `kind` is ad (Active Directory), ldap, or "" as long as the directory has not been asked.
    """

    url: str
    base: str
    bind_user: str
    uid: str
    groups: Tuple[Tuple[str, str], ...]
    filter: str = ""
    start_tls: bool = False
    ca: str = ""
    others: str = "Public"
    admin: str = "admin"
    kind: str = ""

    @property
    def plain(self) -> bool:
        """Whether passwords go over the network as they are."""
        return self.url.startswith("ldap://") and not self.start_tls

    @property
    def mapping(self) -> Dict[str, str]:
        """DN -> role."""
        return {dn: role for role, dn in self.groups}


@dataclass(frozen=True)
class DirectoryAsked:
    """What was asked for; None keeps what is set. `ca` is the text of a PEM file, `groups` role and DN."""

    url: Optional[str] = None
    base: Optional[str] = None
    bind_user: Optional[str] = None
    password: Optional[Secret] = None
    uid: Optional[str] = None
    filter: Optional[str] = None
    start_tls: Optional[bool] = None
    ca: Optional[str] = None
    groups: Tuple[Tuple[str, str], ...] = ()
    others: Optional[str] = None
    kind: Optional[str] = None

    @property
    def enough(self) -> bool:
        """Whether it says all that a directory has to be set up with."""
        return None not in (self.url, self.base, self.bind_user, self.password)


def over(before: Optional[Directory], wanted: DirectoryAsked, admin: str) -> Directory:
    """What is set with what is wanted over it; the certificate of its authority is not looked at."""
    found = before or Directory("", "", "", "uid", ())
    roles = {role for role, _ in wanted.groups}
    groups = (*(item for item in found.groups if item[0] not in roles), *wanted.groups)
    names = ("url", "base", "bind_user", "uid", "filter", "start_tls", "others", "kind")
    pairs = [(name, getattr(wanted, name)) for name in names]
    given: Dict[str, Any] = {name: value for name, value in pairs if value is not None}
    if (wanted.url or "").startswith("ldaps://"):  # it is encrypted from the start
        given.setdefault("start_tls", False)
    return replace(found, **given, groups=groups, admin=admin)


def check(found: Directory) -> None:
    """Refuse what the login could not use; raises :class:`DirectoryInvalid`."""
    try:
        parts = urlsplit(found.url)
        good = parts.scheme in ("ldap", "ldaps") and bool(parts.hostname) and parts.path in ("", "/")
        good = good and not (parts.query or parts.fragment or "@" in parts.netloc) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise DirectoryInvalid(
            f"{found.url} is not the address of a directory.",
            needed="ldaps://HOST, or ldap://HOST with --start-tls; with :PORT where it is not the usual one",
        )
    if found.start_tls and found.url.startswith("ldaps://"):
        raise DirectoryInvalid("StartTLS begins on ldap://; ldaps:// is encrypted from the start.")
    wrong = [dn for dn in (found.base, found.bind_user, *found.mapping) if re.search(r"[\x00-\x1f]", dn)]
    if wrong or not found.base or not found.bind_user:
        raise DirectoryInvalid("A name of the directory is empty, or holds a control character.")
    if found.filter and not (found.filter.startswith("(") and found.filter.endswith(")")):
        raise DirectoryInvalid(
            f"{found.filter} is not a filter of LDAP.", needed="one in brackets: (objectClass=person)"
        )
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9;.-]*", found.uid):
        raise DirectoryInvalid(f"{found.uid} is not the name of an attribute.")
    if "Admin" not in found.mapping.values():
        raise DirectoryInvalid(
            "No group of the directory would administer Airflow.",
            needed="--group-admin DN",
            hint="Ask those who run the directory for a group, and for its whole name (DN).",
        )


def block(found: Directory, home: str, shared: str) -> str:
    """The block for ``webserver_config.py``; `shared` is the text of ldapdirectory.py."""
    options: Dict[str, Any] = {
        "AUTH_LDAP_SERVER": found.url,
        "AUTH_LDAP_USE_TLS": found.start_tls,
        "AUTH_LDAP_TLS_DEMAND": True,
        "AUTH_LDAP_ALLOW_SELF_SIGNED": False,
        "AUTH_LDAP_TLS_CACERTFILE": found.ca,
        "AUTH_LDAP_SEARCH": found.base,
        "AUTH_LDAP_SEARCH_FILTER": found.filter,
        "AUTH_LDAP_UID_FIELD": found.uid,
        "AUTH_LDAP_FIRSTNAME_FIELD": "givenName",
        "AUTH_LDAP_LASTNAME_FIELD": "sn",
        "AUTH_LDAP_EMAIL_FIELD": "mail",
        "AUTH_LDAP_GROUP_FIELD": "memberOf",
        "AUTH_LDAP_BIND_USER": found.bind_user,
        "AUTH_USER_REGISTRATION": True,
        "AUTH_USER_REGISTRATION_ROLE": found.others,
        "AUTH_ROLES_SYNC_AT_LOGIN": True,
        "AUTH_ROLES_MAPPING": {dn: [role] for role, dn in found.groups},
        "LOCAL_ADMIN": found.admin,
        "DIRECTORY_KIND": found.kind,
    }
    lines = [f"{name} = {value!r}" for name, value in options.items()]
    secret = f"{home}/{PASSWORD}"
    return "\n".join(
        [
            BEGIN,
            _HEAD,
            *lines,
            _READ.format(path=secret),
            shared.partition(_FROM)[2].partition(_TO)[0].strip(),
            _MANAGER,
            END,
        ]
    )


def merged(text: str, wanted: str) -> str:
    """The file with `wanted` as its block ("" for none), everything else as it was."""
    before, after = _around(text)
    if not wanted:
        return before.rstrip("\n") + ("\n" if before.strip() else "") + after
    start = before.rstrip("\n") + "\n\n" if before.strip() else ""
    return f"{start}{wanted}\n{after}"


def read(text: str) -> Directory:
    """The settings in the block; raises ValueError where there is none that can be read."""
    begin, end = text.index(BEGIN), text.index(END)
    found: Dict[str, Any] = {}
    try:
        nodes = ast.parse(text[begin:end]).body
    except SyntaxError as error:
        raise ValueError(f"the block was changed by hand: {error}") from error
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    try:
        return Directory(
            url=found["AUTH_LDAP_SERVER"],
            base=found["AUTH_LDAP_SEARCH"],
            bind_user=found["AUTH_LDAP_BIND_USER"],
            uid=found["AUTH_LDAP_UID_FIELD"],
            groups=tuple((roles[0], dn) for dn, roles in found["AUTH_ROLES_MAPPING"].items()),
            filter=found["AUTH_LDAP_SEARCH_FILTER"],
            start_tls=found["AUTH_LDAP_USE_TLS"],
            ca=found["AUTH_LDAP_TLS_CACERTFILE"],
            others=found["AUTH_USER_REGISTRATION_ROLE"],
            admin=found["LOCAL_ADMIN"],
            kind=found.get("DIRECTORY_KIND", ""),
        )
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise ValueError(f"the block was changed by hand: {error}") from error


def _around(text: str) -> Tuple[str, str]:
    """What stands before the block and after it."""
    if BEGIN not in text:
        return text, ""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    return (before, after.lstrip("\n")) if found else (before, "")


_FROM, _TO = "# --- from here\n", "# --- to here\n"
_HEAD = """\
# Flask AppBuilder's options (https://flask-appbuilder.readthedocs.io, "Authentication: LDAP").
from flask_appbuilder.const import AUTH_LDAP

try:
    from airflow.providers.fab.auth_manager.security_manager.override import (
        FabAirflowSecurityManagerOverride as _Manager,
    )
except ImportError:  # before 2.9
    from airflow.www.security import AirflowSecurityManager as _Manager

AUTH_TYPE = AUTH_LDAP"""
_READ = """\
with open({path!r}, encoding="utf-8") as _stream:
    AUTH_LDAP_BIND_PASSWORD = _stream.readline().rstrip("\\r\\n")

"""
_MANAGER = f'''

class _SecurityManager(_Manager):
    """Logins from the directory; {{LOCAL_ADMIN}} stays an account of Airflow's own."""

    def auth_user_ldap(self, username, password, *more, **named):
        if not username or not password:
            return None
        if username.strip().lower() == LOCAL_ADMIN.lower():
            return self.auth_user_db(username, password, *more, **named)
        if set(username) & set("()*\\\\\\0"):
            return None
        try:
            import ldap
        except ImportError:
            return super().auth_user_ldap(username, password, *more, **named)  # which says so in the log
        if AUTH_LDAP_TLS_CACERTFILE:  # older releases name it only after they have begun with TLS
            ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, AUTH_LDAP_TLS_CACERTFILE)
        ldap.set_option(ldap.OPT_NETWORK_TIMEOUT, {SECONDS})
        ldap.set_option(ldap.OPT_TIMEOUT, {SECONDS})
        return super().auth_user_ldap(username, password, *more, **named)

    def _search_ldap(self, ldap, con, username):
        dn, found = super()._search_ldap(ldap, con, username)
        if dn is None:
            return dn, found
        field = self.auth_ldap_group_field
        inside = {{_plain(ldap, item.decode()) for item in found.get(field, [])}}
        inside |= _groups(ldap, con, AUTH_LDAP_SEARCH, dn, username, DIRECTORY_KIND)
        mine = [key.encode() for key in AUTH_ROLES_MAPPING if _plain(ldap, key) in inside]
        return dn, {{**found, field: mine}}


SECURITY_MANAGER_CLASS = _SecurityManager
'''.replace("{{", "{").replace("}}", "}")
