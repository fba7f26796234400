"""Generated pages say what the code says."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("script", sorted(REFERENCE.glob("generate_*.py")), ids=lambda path: path.stem)
def test_generated_page_is_current(script: Path) -> None:
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), f"run python {script}"


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
