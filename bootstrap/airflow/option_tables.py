"""What an installed release says of its own options: which it has, and where it still looks for older ones.

Read from the release's files without running them: ``config_templates/config.yml``, the table of options
that are read from an older place as well (``deprecated_options`` and ``deprecated_sections`` of its
configuration parser), and from 3.0 on the table of its own check (``airflow config lint``).
"""

from __future__ import annotations

import ast
import configparser
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set

from bootstrap.airflow.config import Option

# where releases have had their parser
_PARSERS = ("configuration.py", "_shared/configuration/parser.py")
_LINTER = "cli/commands/config_command.py"


@dataclass(frozen=True)
class Older:
    """An option of older releases: `now` is its place in this one, None when it was removed.

    `read` says that this release still takes the value from the old place, unless the new one is set.
    """

    now: Optional[Option]
    read: bool = False


@dataclass(frozen=True)
class Tables:
    """The `sections` with the names of their options, the options of `providers`, and `older` ones."""

    sections: Dict[str, Set[str]]
    providers: Set[Option]
    older: Dict[Option, Older]


class OptionMove(NamedTuple):
    """What ``airflow config update`` does with an option of older releases.

    `now` is where its value belongs, None when nobody reads it any more. `only` is the one value of which
    that is so; None: of all.
    """

    place: Option
    now: Optional[Option] = None
    only: Optional[str] = None


def changes(venv: Path) -> List[OptionMove]:
    """The release's own list of changes; empty for one before 3.0, which has no use for it."""
    found = []
    for package in venv.glob("lib/python3*/site-packages/airflow"):
        for node in _nodes(package / _LINTER):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ConfigChange":
                found += [OptionMove(old, older.now, _only(node)) for old, older in _advice(node).items()]
    return found


def of_environment(venv: Path) -> Optional[Tables]:
    """The tables of the Airflow in that environment; None when it has none that can be read."""
    package = next(iter(venv.glob("lib/python3*/site-packages/airflow")), None)
    sections = _sections(package / "config_templates/config.yml") if package else {}
    if package is None or not sections:
        return None
    parser = configparser.RawConfigParser(strict=False)
    parser.read(str(package / "config_templates/provider_config_fallback_defaults.cfg"), encoding="utf-8")
    providers = {(section, option) for section in parser.sections() for option in parser.options(section)}
    return Tables(sections, providers, _older(package, sections))


def _sections(path: Path) -> Dict[str, Set[str]]:
    """Sections and options of the release's config.yml: a mapping, or before 2.6 a list of names."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    known: Dict[str, Set[str]] = {}
    section = ""
    for line in lines:
        header = re.match(r"(?:- name: )?(\w+):?\s*$", line)
        option = re.match(r" {4}(?:- name: )?(\w+):?\s*$", line)
        if header and not line.startswith("---"):
            section = header.group(1)
            known[section] = set()
        elif option and section:
            known[section].add(option.group(1).lower())
    return known


def _older(package: Path, sections: Dict[str, Set[str]]) -> Dict[Option, Older]:
    """Later tables win: what the parser reads is certain, the linter only advises."""
    found: Dict[Option, Older] = {}
    for node in _nodes(package / _LINTER):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ConfigChange":
            found.update(_advice(node))
    for name in _PARSERS:
        for node in _nodes(package / name):
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                for target in _targets(node):
                    found.update(_read(target, node.value, sections))
    # the parser looks one place back, not further
    chained = [old for old, older in found.items() if older.read and _is_read(found, older.now)]
    found.update({old: Older(found[old].now) for old in chained})
    return found


def _is_read(found: Dict[Option, Older], place: Optional[Option]) -> bool:
    return place is not None and place in found and found[place].read


def _nodes(path: Path) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(path.read_bytes()))
    except (OSError, SyntaxError, ValueError):
        return


def _targets(node: ast.Assign | ast.AnnAssign) -> Set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {getattr(target, "id", getattr(target, "attr", "")) for target in targets}


def _read(name: str, node: Optional[ast.AST], sections: Dict[str, Set[str]]) -> Dict[Option, Older]:
    """One of the parser's tables: new place -> old place, or a list of old places; whole sections."""
    found: Dict[Option, Older] = {}
    if name not in ("deprecated_options", "many_to_one_deprecated_options", "deprecated_sections"):
        return found
    if not isinstance(node, ast.Dict):
        return found
    for key, value in zip(node.keys, node.values):
        if name == "deprecated_sections":
            new, old = getattr(key, "value", ""), _texts(value)
            for option in sections.get(new, set()) if old else ():
                found[old[0], option] = Older((new, option), read=True)
            continue
        place = _texts(key)
        olds = getattr(value, "elts", []) if name.startswith("many") else [value]
        for item in olds:
            old = _texts(item)
            if len(place) == 2 and len(old) >= 2:
                found[old[0], old[1].lower()] = Older((place[0], place[1].lower()), read=True)
    return found


def _advice(call: ast.Call) -> Dict[Option, Older]:
    """``ConfigChange(config=ConfigParameter(section, option), renamed_to=..., was_removed=...)``."""
    named = {item.arg: item.value for item in call.keywords}
    old, new = _parameter(named.get("config")), _parameter(named.get("renamed_to"))
    if not old:
        return {}
    if new:
        return {old: Older(new)}
    removed = named.get("was_removed")
    kept = isinstance(removed, ast.Constant) and removed.value is False
    return {} if kept else {old: Older(None)}


def _only(call: ast.Call) -> Optional[str]:
    values = [item.value for item in call.keywords if item.arg == "remove_if_equals"]
    return next((str(item.value) for item in values if isinstance(item, ast.Constant)), None)


def _parameter(node: Optional[ast.AST]) -> Optional[Option]:
    values = [item.value for item in getattr(node, "args", []) if isinstance(item, ast.Constant)]
    return (str(values[0]), str(values[1]).lower()) if len(values) == 2 else None


def _texts(node: Optional[ast.AST]) -> List[str]:
    return [str(item.value) for item in getattr(node, "elts", []) if isinstance(item, ast.Constant)]
