"""What webserver_config.py needs to log anybody in: its imports, and what its kind of login asks of FAB.

FAB imports these at a login (flask_appbuilder.security.manager), so that an Airflow without them
starts and looks healthy. The file is read here, and never run.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Tuple

FILE = "webserver_config.py"
# by AUTH_TYPE (flask_appbuilder.const): the module that is imported at the login
_BY_KIND = {
    "AUTH_OID": "flask_openid", "AUTH_LDAP": "ldap", "AUTH_OAUTH": "authlib",
    0: "flask_openid", 2: "ldap", 4: "authlib",
}  # fmt: skip
# the package of a module, and the extra of Airflow that brings it
PACKAGES: Dict[str, Tuple[str, str]] = {
    "ldap": ("python-ldap", "ldap"),
    "authlib": ("authlib", ""),
    "flask_openid": ("flask-openid", ""),
}


@dataclass(frozen=True)
class Needed:
    """A module, the line that needs it (from 1), and why."""

    module: str
    line: int
    why: str


def needed(source: bytes) -> Tuple[Needed, ...]:
    """The modules that the file needs; nothing for one that is no Python, which is another finding.

    What stands in a ``try``, or below ``if TYPE_CHECKING``, may be missing.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    found = list(_kinds(tree))
    for name, line in _imports(tree.body):
        if name not in [item.module for item in found]:
            found.append(Needed(name, line, f"import {name}"))
    return tuple(sorted(found, key=lambda item: item.line))


def package(module: str) -> str:
    """The package that a module comes from, as far as that is known; else the module's own name."""
    top = module.split(".", maxsplit=1)[0]
    return PACKAGES.get(top, (top, ""))[0]


def lacking(source: bytes, packages: Iterable[str]) -> Tuple[Needed, ...]:
    """What the kind of login needs and none of these packages brings."""
    there = {_normal(name) for name in packages}
    return tuple(
        item
        for item in needed(source)
        if item.module.split(".")[0] in PACKAGES and _normal(package(item.module)) not in there
    )


def remedy(modules: Iterable[str]) -> str:
    """How the packages of these modules get into a bundle."""
    wanted = sorted({package(name) for name in modules})
    extras = [f"--extra {extra}" for name, extra in PACKAGES.values() if extra and name in wanted]
    named = [name for name in wanted if name not in [item for item, extra in PACKAGES.values() if extra]]
    return (
        "On the internet host, make the bundle with them (airferry bundle "
        f"{' '.join([*extras, *named])}), or an add-on to the one that is installed (airferry bundle --onto"
        f" FILE {' '.join(wanted)})."
    )


def _kinds(tree: ast.Module) -> Iterator[Needed]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if "AUTH_TYPE" not in [getattr(target, "id", "") for target in targets]:
            continue
        value = node.value
        kind = getattr(value, "id", getattr(value, "attr", getattr(value, "value", None)))
        if isinstance(kind, (str, int)) and kind in _BY_KIND:
            shown = kind if isinstance(kind, str) else f"{kind}"
            yield Needed(_BY_KIND[kind], node.lineno, f"AUTH_TYPE = {shown}")


def _imports(body: List[ast.stmt]) -> Iterator[Tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((item.name, node.lineno) for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module and not node.level and node.module != "__future__":
                yield node.module, node.lineno
        elif not _may_fail(node):
            for name in ("body", "orelse"):
                inner = getattr(node, name, [])
                yield from _imports(inner if isinstance(inner, list) else [])


def _may_fail(node: ast.stmt) -> bool:
    return isinstance(node, ast.Try) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
