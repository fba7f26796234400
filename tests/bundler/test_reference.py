from __future__ import annotations

import importlib.util
from pathlib import Path


def test_the_reference_page_is_what_the_code_says() -> None:
    script = Path(__file__).parents[2] / "docs" / "reference" / "generate_bundle.py"
    spec = importlib.util.spec_from_file_location("generate_bundle", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    again = "run python docs/reference/generate_bundle.py"
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), again
