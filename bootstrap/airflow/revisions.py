"""Which Airflow a schema belongs to: the revision at its head, from the releases' ``airflow/utils/db.py``."""

from __future__ import annotations

from typing import Dict, Tuple

from bootstrap.airflow.differences import numbers

# Airflow 3 migrates the schema of these and newer ones (its own guide, "Upgrading to Airflow 3").
FIRST_TO_3 = (2, 10, 0)
# The release to stop at on the way there.
LAST_STOP = "2.11.2"

# The first release with each head.
HEADS: Tuple[Tuple[str, str], ...] = (
    ("2.0.0", "e959f08ac86c"), ("2.0.1", "82b7c48c147f"), ("2.0.2", "2e42bb497a22"),
    ("2.1.0", "a13f7613ad25"), ("2.1.3", "97cdd93827b8"), ("2.1.4", "ccde3e26fe78"),
    ("2.2.0", "7b2661a43ba3"), ("2.2.3", "be2bfac3da23"), ("2.2.4", "587bdf053233"),
    ("2.3.0", "b1b348e02d07"), ("2.3.1", "1de7bc13c950"), ("2.3.2", "3c94c427fdf6"),
    ("2.3.3", "f5fcbda3e651"), ("2.4.0", "ecb43d2a1842"), ("2.4.2", "b0d31815b5a6"),
    ("2.4.3", "e07f49787c9d"), ("2.5.0", "290244fb8b83"), ("2.6.0", "98ae134e6fff"),
    ("2.6.2", "c804e5c76e3e"), ("2.6.2", "4bc4d934e2bc"), ("2.7.0", "405de8318b3a"),
    ("2.8.0", "10b52ebd31f7"), ("2.8.1", "88344c1d9134"), ("2.9.0", "1949afb29106"),
    ("2.9.2", "686269002441"), ("2.10.0", "22ed7efa9da2"), ("2.10.3", "5f2621c13b39"),
    ("3.0.0", "29ce7909c52b"), ("3.0.3", "fe199e1abd77"), ("3.1.0", "cc92b33c6709"),
    ("3.1.8", "509b94a1042d"), ("3.2.0", "1d6611b6ab7c"), ("3.3.0", "d2f4e1b3c5a7"),
)  # fmt: skip

FIRST: Dict[str, str] = {revision: version for version, revision in HEADS}


def head_of(version: str) -> str:
    """The revision at the head of a release."""
    return [revision for first, revision in HEADS if numbers(first) <= numbers(version)][-1]
