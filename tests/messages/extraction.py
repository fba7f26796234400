"""The texts of the closed side that people read, found in its source.

English stays in the code as it is. A text is a constant, or an f-string whose values become placeholders:
``f"{path} is missing"`` is the message ``{path} is missing``. What reads like prose is taken; what is a
command, SQL, a pattern or a file that is written is left out.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bootstrap", "wheelhouse")
# stage 0 speaks before there is a language; the others write files, run in Airflow or answer programs
LEFT_OUT = {
    "bootstrap/__main__.py",
    "bootstrap/airflow/batch.py",
    "bootstrap/airflow/dagcheck.py",
    "bootstrap/airflow/differences.py",
    "bootstrap/airflow/fabpassword.py",
    "bootstrap/airflow/tablecopy.py",
    "bootstrap/airflow/tablekeys.py",
    "bootstrap/base/markup.py",
    "bootstrap/cluster/celeryworker.py",
    "bootstrap/facts/login.py",
    "bootstrap/installed/monitoring.py",
    "bootstrap/services/launcher.py",
    "bootstrap/services/units.py",
    "bootstrap/site/proxy.py",
    "bootstrap/upkeep/evidence/page.py",
    "wheelhouse/codec.py",
    "wheelhouse/header.py",
    "wheelhouse/manifest_rules.py",
}
# What stands in no source as it is shown: single words of tables, and what typer itself says.
WORDS = (
    "blocker", "warning", "note", "ok", "error", "found", "needed", "hint", "why", "remedy", "run", "as root",
    "done", "FAILED", "interrupted", "already done", "running", "stopped", "starting", "backoff", "exited",
    "fatal", "healthy", "unhealthy", "succeeded", "failed", "Doctor", "Host",
    "Next:", "Arguments", "Options", "Commands", "Examples", "Usage:", "Error:", "[required]",
    "Show this message and exit.", "added", "replaced", "kept", "overwrite", "private", "Data",
)  # fmt: skip
FRAMEWORK = (
    "Continue?",
    "Edit {path}: {parts}",
    "{port} (web server)",
    "{port} (web server), {port2} (PostgreSQL)",
    "{zone} is UTC{offset}",
    "pid {pid}, uptime {time}",
    "PostgreSQL {server} on {host}:{port}",
    "{python} (this host's own, which passes doctor)",
    "{python} (named with --python)",
    "{python} (the one that the bundle carries)",
    "upgrade from Airflow {airflow} to {airflow2}",
    "rollback from Airflow {airflow} to {airflow2}",
    "To begin with:",
    "How to:",
    "How and why it works:",
    "To look things up:",
    "This needs root.",
    "Stop {components}",
    "Start {components}",
    "{count} blockers",
    "{count} warnings",
    "1 blocker",
    "1 warning",
    "1 note",
    "{count} notes",
    "Try '{command}' for help.",
    "No such command '{name}'.",
    "No such option: {name}",
    "No such option: {name} Did you mean {possibility}?",
    "No such option: {name} (Possible options: {possibilities})",
    "Missing argument '{name}'.",
    "Missing option '{name}'.",
    "Missing command.",
    "Option '{name}' requires an argument.",
    "Option '{name}' does not take a value.",
    "Got unexpected extra argument ({arguments})",
    "Got unexpected extra arguments ({arguments})",
    "Invalid value for {name}: {message}",
    "Invalid value: {message}",
    "'{value}' is not a valid integer.",
    "{value} is not in the range {limits}.",
    "File '{name}' does not exist.",
    "Path '{name}' does not exist.",
    "File '{name}' is a directory.",
    "[default: {value}]",
)
_VARIANTS = 6
_LEAST_LETTERS = 5
_SENTENCE_WORDS = 6
_WORD = re.compile(r"[A-Za-z][a-z']+")
_SQL = re.compile(
    r"\s*(SELECT|SHOW|CREATE|ALTER|SET|WITH|GRANT|DROP|INSERT|UPDATE|DELETE|REVOKE|COPY|BEGIN|DO|VALUES|COMMENT"
    r"|TRUNCATE|LOCK|REASSIGN|UNION|FROM|JOIN|WHERE|LIMIT|ORDER)\b"
)
_CODE = re.compile(
    r"^(bold|dim|from|import|export|exec|printf|eval|umask|case|esac|def|class|set|unset|trap) \S*$"
    r"|^[#<]|^/\S*$|^--?[\w-]+( \S+)?$|^\[[\w-]+\]$|^(from|import) [\w.]+ import |^\s+(local|while|case) "
    r"|\$\(|\(\) \{|^\w+=| = |::|\\n.*;$|;$|\{ ?[a-z-]+:|^\w+\(|/\*"
)
_COMMAND = re.compile(
    r"^(apt-get|dnf|yum|zypper|apk|systemctl|loginctl|chmod|chown|chgrp|mount|usermod|useradd|groupadd|mkdir|rm|mv"
    r"|sysctl|setenforce|setsebool|semanage|restorecon|firewall-cmd|kill|sh|sudo|su|cp|ln|find|timedatectl|localectl"
    r"|chronyc|hwclock|setfacl|xattr|chattr|psql|createdb|pg_\w+|env|exec|journalctl|crontab|runuser|passwd|curl|id"
    r"|export|localedef|locale-gen|update-locale|ldconfig|ip|echo|tune2fs|fuser|ls|df|lsof|ss|cat|swapon|truncate"
    r"|fallocate|swapoff|umount|test|cd|date|sed|visudo|aa-\w+|ausearch|audit2allow) "
)
_CALLS_LEFT_OUT = {
    "compile", "glob", "rglob", "command", "offer", "query", "execute", "logged", "sub", "fullmatch",
    "search", "match", "getLogger", "rows", "value", "values", "exec_as_account",
}  # fmt: skip
_PHRASES = {"found", "needed", "remedy", "hint"}
_KEYWORDS_LEFT_OUT = {"commands", "style", "metavar", "epilog", "again", "next_command"}
_TABLES_LEFT_OUT = {"DAILY", "_SQL", "SCRIPT", "_SCRIPT"}


class Placeholder(str):
    """A value within a text; the string is its name."""

    __slots__ = ()


Parts = tuple[str, ...]


def messages() -> dict[str, list[str]]:
    """Every message, in the order of the source, with the places where it is (``path:line``)."""
    found: dict[str, list[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in LEFT_OUT:
                for text, line in _Module(path.read_text(encoding="utf-8"), name).found():
                    places = found.setdefault(text.strip(), [])  # blanks round a text stay as they are
                    if f"{name}:{line}" not in places:
                        places.append(f"{name}:{line}")
    for text in (*WORDS, *FRAMEWORK):
        found.setdefault(text, ["the words of tables, and of typer"])
    return found


class _Module:
    """One source file; strings are visited where they stand, docstrings only where they are shown."""

    def __init__(self, source: str, name: str) -> None:
        self._tree = ast.parse(source)
        self._name = name
        self._constants: dict[str, list[Parts]] = {}
        self._found: list[tuple[str, int]] = []

    def found(self) -> Iterator[tuple[str, int]]:
        """The messages and their lines."""
        for node in self._tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
            if isinstance(node, ast.Assign) and isinstance(target, ast.Name):
                options = self._parts(node.value)
                if _is_literal(options):
                    self._constants[target.id] = options
        findings = self._name.startswith("bootstrap/doctor/") and "Entry(" in ast.unparse(self._tree)
        if findings and ast.get_docstring(self._tree):
            self._found.append(((ast.get_docstring(self._tree) or "").splitlines()[0].rstrip("."), 1))
        self._visit(self._tree)
        yield from self._found

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                body = body[1:]
                if isinstance(node, ast.FunctionDef) and self._is_command(node):
                    for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                        self._found.append((" ".join(paragraph.split()), node.lineno))
            outer = self._constants
            if isinstance(node, ast.FunctionDef):
                self._constants = {**outer, **self._locals(node)}
                self._visit(node.args)
            for child in body:
                self._visit(child)
            self._constants = outer
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {_name(target, case=True) for target in targets}
            if names & _TABLES_LEFT_OUT or any("SQL" in name or "SCRIPT" in name for name in names):
                return
            if "outcome" in names and node.value is not None:
                self._words(node.value)
        if isinstance(node, ast.Call):
            self._call(node)
            return
        if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
            self._text(node)
        inside: Iterator[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, ast.JoinedStr):
            inside = iter([item.value for item in node.values if isinstance(item, ast.FormattedValue)])
        for inner in inside:
            self._visit(inner)

    def _locals(self, node: ast.FunctionDef) -> dict[str, list[Parts]]:
        """The names of a function that are set once, to one of a few texts."""
        assigned = [item for item in ast.walk(node) if isinstance(item, ast.Assign)]
        names = Counter(_name(target, case=True) for item in assigned for target in item.targets)
        found = {}
        for item in assigned:
            target = item.targets[0]
            if isinstance(target, ast.Name) and names[target.id] == 1:
                options = self._parts(item.value)
                if _is_literal(options):
                    found[target.id] = options
        return found

    def _is_command(self, node: ast.FunctionDef) -> bool:
        taken = {argument.arg for argument in node.args.args}
        inside = self._name.startswith("bootstrap/commands/") and not node.name.startswith("_")
        return inside and bool(taken & {"json", "home"}) and node.name != "asked"

    def _call(self, node: ast.Call) -> None:
        name = _name(node.func)
        if name in ("labelled", "command") and node.args:
            self._words(node.args[0] if name == "labelled" else node)
        if name in ("table", "summary") and node.args:
            self._words(node.args[0])
        if name in _CALLS_LEFT_OUT and not (name == "command" and _is_typer(node)):
            for keyword in node.keywords:
                if keyword.arg not in _KEYWORDS_LEFT_OUT:
                    self._visit(keyword.value)
            return
        for child in (node.func, *node.args):
            self._visit(child)
        for keyword in node.keywords:
            if keyword.arg == "label":
                self._words(keyword.value)
            if keyword.arg in _PHRASES and isinstance(keyword.value, ast.Constant):
                text = str(keyword.value.value)
                if " " in text.strip() and not is_prose(text) and not is_code(text):
                    self._found.append((text, keyword.value.lineno))
            if keyword.arg not in _KEYWORDS_LEFT_OUT:
                self._visit(keyword.value)

    def _words(self, node: ast.AST) -> None:
        """Take the labels below a node, single words too."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _WORD.search(node.value):
            self._found.append((node.value, node.lineno))
        elif isinstance(node, ast.IfExp):
            self._words(node.body)
            self._words(node.orelse)
        elif isinstance(node, ast.Tuple) and node.elts:
            self._words(node.elts[0])
        elif isinstance(node, ast.List):
            for item in node.elts:
                self._words(item)
        elif isinstance(node, ast.Starred):
            self._words(node.value)

    def _text(self, node: ast.expr) -> None:
        options = self._parts(node)
        if isinstance(node, ast.BinOp) and not any(
            isinstance(part, str) and not isinstance(part, Placeholder)
            for option in options
            for part in option
        ):
            return
        for parts in options:
            literal = " ".join(part for part in parts if not isinstance(part, Placeholder))
            if is_prose(literal, values=len(parts) > 1) and not is_code(
                "".join("x" if isinstance(p, Placeholder) else p for p in parts)
            ):
                if len(parts) > 1 and ("{" in literal or "}" in literal):
                    continue
                self._found.append((_message(parts), node.lineno))

    def _parts(self, node: ast.expr) -> list[Parts]:
        """The texts that an expression may be, each as literals and placeholders."""
        found = self._unbounded(node)
        return found if len(found) <= _VARIANTS else [(Placeholder(_name(node)),)]

    def _unbounded(self, node: ast.expr) -> list[Parts]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [tuple(Placeholder("value") if part == "{}" else part for part in _split(node.value))]
        if isinstance(node, ast.JoinedStr):
            joined: list[Parts] = [()]
            for value in node.values:
                options = self._parts(value)
                if len(joined) * len(options) > _VARIANTS:
                    options = [(Placeholder(_name(value)),)]
                joined = [head + tail for head in joined for tail in options]
            return joined
        if isinstance(node, ast.FormattedValue):
            plain = node.conversion == -1 and node.format_spec is None
            known = isinstance(node.value, (ast.IfExp, ast.Name, ast.JoinedStr))
            return self._parts(node.value) if plain and known else [(Placeholder(_name(node.value)),)]
        if isinstance(node, ast.IfExp):
            return [*self._parts(node.body), *self._parts(node.orelse)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._parts(node.left), self._parts(node.right)
            return [head + tail for head in left for tail in right]
        if isinstance(node, ast.Name) and node.id in self._constants:
            return self._constants[node.id]
        return [(Placeholder(_name(node)),)]


def _split(text: str) -> list[str]:
    """A text at the places that str.format fills."""
    return [part for part in re.split(r"(\{\})", text) if part]


def _is_literal(options: list[Parts]) -> bool:
    return not any(isinstance(part, Placeholder) for option in options for part in option)


def is_prose(literal: str, *, values: bool = False) -> bool:
    """Whether a text has two words beside its placeholders and a blank; beside `values` a long one."""
    words = _WORD.findall(literal)
    beside = values and " " in literal and any(len(word) >= _LEAST_LETTERS for word in words)
    return beside or (len(words) >= 2 and " " in literal.strip())


def is_code(text: str) -> bool:
    """Whether a text is a command, SQL, a pattern or a line of a file; a long sentence may name one."""
    sentence = "\n" not in text and text[:1].isupper() and text.rstrip()[-1:] in ".?"
    if sentence and len(_WORD.findall(text)) >= _SENTENCE_WORDS:
        return False
    return bool(_SQL.match(text) or _CODE.search(text) or _COMMAND.match(text))


def _message(parts: Parts) -> str:
    used: Counter[str] = Counter()
    text = []
    for part in parts:
        if isinstance(part, Placeholder):
            used[part] += 1
            text.append(f"{{{part}{used[part] if used[part] > 1 else ''}}}")
        else:
            text.append(part)
    return "".join(text)


def _is_typer(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and not node.args


def _name(node: ast.AST, *, case: bool = False) -> str:
    """A name for what an expression gives."""
    if isinstance(node, ast.Name):
        return node.id if case else node.id.lower().strip("_") or "value"
    if isinstance(node, ast.Attribute):
        return node.attr if case else node.attr.lower().strip("_") or "value"
    if isinstance(node, ast.Call):
        name = _name(node.func)
        inner = name in ("join", "str", "text", "quote", "len", "quoted", "sorted", "format", "map", "repr")
        return _name(node.args[-1]) if inner and node.args else name
    if isinstance(node, (ast.Subscript, ast.FormattedValue, ast.Starred)):
        return _name(node.value)
    if isinstance(node, ast.BinOp):
        return _name(node.left)
    if isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        return _name(node.elt)
    if isinstance(node, ast.BoolOp):
        return _name(node.values[0])
    if isinstance(node, ast.IfExp):
        return _name(node.body)
    if isinstance(node, ast.JoinedStr):
        return next((_name(value) for value in node.values if isinstance(value, ast.FormattedValue)), "value")
    return "value"
