"""A seeded few of the mutations; ``python -m tests.attacks.mutations 10000`` makes many."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.mutations import Mutations


def test_no_mutation_is_accepted(tmp_path: Path) -> None:
    mutations = Mutations(tmp_path, seed=20261128)
    mutations.run(60)
    assert sum(mutations.seen.values()) > 50
    assert sum(number for kind, number in mutations.seen.items() if kind.endswith("refused")) > 40
