"""A directory (LDAP) as logins see it; what stands above the mark is part of webserver_config.py, too.

Run by Airflow's own Python it takes JSON on standard input: ``server``, ``start_tls``, ``ca``, ``base``,
``bind_user``, ``bind_password``, ``uid`` ("": what suits the directory), ``kind`` (ad, ldap, or "": what the
directory says of itself), ``filter``, ``groups`` (DN -> role), ``users`` to look up, ``seconds``. The last
line of the output is JSON: ``problem`` with a kind, and ``said``; or ``kind`` (ad or ldap), ``uid``,
``groups`` (DN -> number of members, -1 for no such group) and ``users`` (name -> the entry's dn, "" where
there is not exactly one, the number of entries, and its groups).
"""

import json
import socket
import ssl
import sys
from typing import Any, Dict, List, Set
from urllib.parse import urlsplit

# --- from here


def _escaped(text: str) -> str:
    """A text as it stands for itself in a filter (RFC 4515)."""
    return "".join(f"\\{ord(sign):02x}" if sign in "\\*()\0" else sign for sign in text)


def _plain(ldap: "Any", dn: str) -> str:
    """A DN as it can be compared: case and blanks around its parts mean nothing (RFC 4514)."""
    try:
        parts = ldap.dn.str2dn(dn)
    except ldap.LDAPError:
        return dn.strip().lower()
    return ",".join("+".join(sorted(f"{name}={value}".lower() for name, value, _ in part)) for part in parts)


def _chain(ldap: "Any", connection: "Any", base: str, dn: str) -> "Set[str]":
    """As _groups, in Active Directory: it follows groups in groups itself (LDAP_MATCHING_RULE_IN_CHAIN).

    The primary group, usually Domain Users, is none of the groups that an entry is a member of.
    """
    names = [dn]
    rows = connection.search_s(dn, ldap.SCOPE_BASE, "(objectClass=*)", ["objectSid", "primaryGroupID"])
    for _, entry in [row for row in rows if row[0] is not None]:
        sid, number = entry.get("objectSid"), entry.get("primaryGroupID")
        if sid and number:  # the SID of that group: the domain's, and the number at its end
            primary = sid[0][:-4] + int(number[0]).to_bytes(4, "little")
            text = "".join(f"\\{byte:02x}" for byte in primary)
            rows = connection.search_s(base, ldap.SCOPE_SUBTREE, f"(objectSid={text})", ["1.1"])
            names += [row[0] for row in rows if row[0] is not None]
    members = "".join(f"(member:1.2.840.113556.1.4.1941:={_escaped(name)})" for name in names)
    rows = connection.search_s(base, ldap.SCOPE_SUBTREE, f"(|{members})", ["1.1"])
    return {_plain(ldap, name) for name in [*names[1:], *(row[0] for row in rows if row[0] is not None)]}


def _groups(ldap: "Any", connection: "Any", base: str, dn: str, login: str, kind: str) -> "Set[str]":
    """The groups of an entry, the groups of those and so on, as DNs to compare; a thousand at most."""
    if kind == "ad":
        return _chain(ldap, connection, base, dn)
    found: Set[str] = set()
    waiting, also = [dn], f"(memberUid={_escaped(login)})"
    while waiting and len(found) < 1000:
        names = [_escaped(item) for item in waiting[:50]]
        members = "".join(f"(member={name})(uniqueMember={name})" for name in names)
        rows = connection.search_s(base, ldap.SCOPE_SUBTREE, f"(|{members}{also})", ["1.1"])
        new = [row[0] for row in rows if row[0] is not None and _plain(ldap, row[0]) not in found]
        found.update(_plain(ldap, item) for item in new)
        waiting, also = [*waiting[50:], *new], ""
    return found


# --- to here

_AD = b"1.2.840.113556.1.4.800"  # LDAP_CAP_ACTIVE_DIRECTORY_OID
_KINDS = {
    "credentials": ("INVALID_CREDENTIALS", "INAPPROPRIATE_AUTH", "UNWILLING_TO_PERFORM"),
    "base": ("NO_SUCH_OBJECT", "INVALID_DN_SYNTAX", "REFERRAL"),
    "filter": ("FILTER_ERROR",),
    "tls": ("CONNECT_ERROR", "CONFIDENTIALITY_REQUIRED", "STRONG_AUTH_REQUIRED", "PROTOCOL_ERROR"),
    "rights": ("INSUFFICIENT_ACCESS",),
}


def _told(error: Any) -> Dict[str, Any]:
    """The kind of an error, and the directory's own words."""
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    words = [str(details[key]) for key in ("desc", "info") if details.get(key)]
    kinds = [kind for kind, names in _KINDS.items() if type(error).__name__ in names]
    return {
        "problem": kinds[0] if kinds else "server",
        "said": ": ".join(dict.fromkeys(words)) or type(error).__name__,
    }


def _connect(ldap: Any, asked: Dict[str, Any]) -> Any:
    ldap.set_option(ldap.OPT_NETWORK_TIMEOUT, asked["seconds"])
    ldap.set_option(ldap.OPT_TIMEOUT, asked["seconds"])
    if asked["ca"]:
        ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, asked["ca"])
    ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    connection = ldap.initialize(asked["server"])
    connection.set_option(ldap.OPT_REFERRALS, 0)
    if asked["start_tls"]:
        connection.start_tls_s()
    connection.simple_bind_s(asked["bind_user"], asked["bind_password"])
    return connection


def _handshake(asked: Dict[str, Any]) -> str:
    """Why TLS fails, which the directory's library does not say; "" where it does not, or is not spoken."""
    parts = urlsplit(asked["server"])
    if parts.scheme != "ldaps" or not parts.hostname:
        return ""
    try:
        context = ssl.create_default_context(cafile=asked["ca"] or None)
        with socket.create_connection((parts.hostname, parts.port or 636), asked["seconds"]) as plain:
            context.wrap_socket(plain, server_hostname=parts.hostname).close()
    except ssl.SSLError as error:
        return getattr(error, "verify_message", "") or error.reason or str(error)
    except OSError:
        pass
    return ""


def _kind(ldap: Any, connection: Any) -> str:
    rows = connection.search_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["supportedCapabilities"])
    return "ad" if any(_AD in row[1].get("supportedCapabilities", []) for row in rows) else "ldap"


def _members(ldap: Any, connection: Any, base: str, dn: str) -> int:
    wanted = ["member", "uniqueMember", "memberUid"]
    try:
        rows = connection.search_s(dn, ldap.SCOPE_BASE, "(objectClass=*)", [*wanted, "primaryGroupToken"])
    except (ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX, ldap.REFERRAL):
        return -1
    count = 0
    for row in rows:
        for name, values in (row[1] if row[0] is not None else {}).items():
            if name == "primaryGroupToken":  # Active Directory: who has it as the primary group is no member
                count += _with_primary(ldap, connection, base, values[0].decode())
            else:
                count += len(values)
    return count


def _with_primary(ldap: Any, connection: Any, base: str, token: str) -> int:
    """How many entries have that primary group; of very many the server counts a part."""
    text = f"(primaryGroupID={_escaped(token)})"
    found: List[Any] = []
    number = connection.search_ext(base, ldap.SCOPE_SUBTREE, text, ["1.1"], sizelimit=500)
    try:
        while True:
            kind, rows = connection.result(number, all=0)
            if kind not in (ldap.RES_SEARCH_ENTRY, ldap.RES_SEARCH_REFERENCE):
                return len(found)
            found += [row for row in rows if row[0] is not None]
    except (ldap.SIZELIMIT_EXCEEDED, ldap.ADMINLIMIT_EXCEEDED):
        return len(found)


def _user(
    ldap: Any, connection: Any, asked: Dict[str, Any], uid: str, kind: str, name: str
) -> Dict[str, Any]:
    text = f"(&{asked['filter']}({uid}={_escaped(name)}))"
    rows = connection.search_s(asked["base"], ldap.SCOPE_SUBTREE, text, ["memberOf"])
    entries = [row for row in rows if row[0] is not None]
    if len(entries) != 1:
        return {"dn": "", "entries": len(entries), "groups": []}
    dn, attributes = entries[0]
    inside = _groups(ldap, connection, asked["base"], dn, name, kind)
    inside |= {_plain(ldap, item.decode()) for item in attributes.get("memberOf", [])}
    groups: List[str] = [item for item in asked["groups"] if _plain(ldap, item) in inside]
    return {"dn": dn, "entries": 1, "groups": groups}


def look(asked: Dict[str, Any]) -> Dict[str, Any]:
    """The answer."""
    try:
        import ldap  # type: ignore[import-not-found]  # noqa: PLC0415
    except ImportError as error:
        return {"problem": "module", "said": str(error)}
    try:
        connection = _connect(ldap, asked)
    except ldap.LDAPError as error:
        why = _handshake(asked)
        return {"problem": "tls", "said": why} if why else _told(error)
    try:
        kind = asked["kind"] or _kind(ldap, connection)
        uid = asked["uid"] or ("sAMAccountName" if kind == "ad" else "uid")
        connection.search_s(asked["base"], ldap.SCOPE_BASE, f"(|{asked['filter']}({uid}=*))", ["1.1"])
        groups = {dn: _members(ldap, connection, asked["base"], dn) for dn in asked["groups"]}
        users = {name: _user(ldap, connection, asked, uid, kind, name) for name in asked["users"]}
    except ldap.LDAPError as error:
        return _told(error)
    return {"kind": kind, "uid": uid, "groups": groups, "users": users}


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(look(json.load(sys.stdin))) + "\n")
