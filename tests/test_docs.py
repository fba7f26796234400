"""Pages say what the code says: the generated ones, and the names in the others."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("script", sorted(REFERENCE.glob("generate_*.py")), ids=lambda path: path.stem)
def test_generated_page_is_current(script: Path) -> None:
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), f"run python {script}"
    if hasattr(module, "KOREAN"):
        assert module.KOREAN.read_text(encoding="utf-8") == module.korean(), f"run python {script}"


def test_no_message_of_the_closed_side_names_a_page() -> None:
    """The bundle carries no docs folder: a hint says it in words, or names a command."""
    page = re.compile(r"\bdocs/|\.md\b")
    for path in sorted((ROOT / "bootstrap").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not page.search(text):
            continue
        nodes = list(ast.walk(ast.parse(text)))
        documented = [node for node in nodes if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
        docstrings = {ast.get_docstring(node, clean=False) for node in documented}
        values = {node.value for node in nodes if isinstance(node, ast.Constant)} - docstrings
        assert not [text for text in values if isinstance(text, str) and page.search(text)], path


def _wings(package: str) -> list[str]:
    """The layers of a package as the import contract has them, from the top, as paths."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contract = text[text.index(f'name = "The wings of {package}') :]
    names = re.findall(rf"\b{package}\.\w+", contract[: contract.index("]\n")])
    paths = [name.replace(".", "/") for name in names]
    return [f"{path}/" if (ROOT / path).is_dir() else f"{path}.py" for path in paths]


@pytest.mark.parametrize("package", ["bootstrap", "bundler"])
def test_architecture_shows_the_wings_in_their_order(package: str) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text[text.index(f"| `{package}` | holds |") :].split("\n\n")[0]
    shown = re.findall(rf"`({package}/[\w/.]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()))
    assert sorted(shown, key=_wings(package).index) == shown
    assert sorted(shown) == sorted(_wings(package))


def test_what_a_page_names_is_there() -> None:
    missing = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!\w+:|#)([^)#]+)", text)
        named = re.findall(
            r"`((?:bootstrap|bundler|wheelhouse|tests|docs|bench|dags_example)/[\w/.-]*)`", text
        )
        paths = [page.parent / link for link in links] + [ROOT / name for name in named]
        missing += [(str(page.relative_to(ROOT)), str(path)) for path in paths if not path.exists()]
    assert missing == []


def test_decisions_are_numbered_without_gaps() -> None:
    found = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:4] for path in found] == [f"{number:04}" for number in range(1, len(found) + 1)]
    assert [
        path for path in found if not path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]}: ")
    ] == []


def test_every_exit_code_from_10_on_has_one_meaning() -> None:
    page = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    codes = Counter(int(code) for code in re.findall(r"^\| (\d+) \| `", page, re.MULTILINE))
    assert {code for code, count in codes.items() if count > 1 and 10 <= code < 128} == set()
