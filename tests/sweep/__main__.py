"""``make sweep``: every final release on every Python that it supports is bundled.

``ONLY=2.4`` takes the releases and pairs that begin so, ``SAMPLE=6 SEED=...`` a few that the seed chooses.
With ``--write`` the table becomes docs/reference/sweep.md; ``--log`` keeps what a broken-off sweep has done.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from datetime import date
from pathlib import Path

from tests.sweep import page
from tests.sweep.attempt import Outcome, bundle
from tests.sweep.pairs import Pair, in_turn, known, sample


def main() -> int:
    """Bundle, print a line for each pair, and write the page; 1 when one failed that was not expected to."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--only", default="", help="releases or pairs that begin so (2.4, 3.3.2/3.12)")
    parser.add_argument("--sample", type=int, default=0, help="so many, chosen by the seed")
    parser.add_argument("--seed", default=date.today().isoformat(), help="default: the day")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--log", type=Path, help="a file of outcomes: those in it are not tried again")
    parser.add_argument("--write", action="store_true", help=f"write {page.PAGE.name}")
    options = parser.parse_args()
    pairs = tuple(pair for pair in known() if str(pair).startswith(options.only))
    if options.sample:
        pairs = sample(pairs, options.sample, options.seed)
    done = _read(options.log)
    with ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(bundle, pair) for pair in in_turn(pairs) if pair not in done]
        for future in as_completed(running):
            outcome = future.result()
            done[outcome.pair] = outcome
            print(page.line(outcome), flush=True)
            if options.log:
                with options.log.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(asdict(outcome)) + "\n")
    outcomes = [done[pair] for pair in pairs]
    if options.write:
        page.write(outcomes)
    failed = [item for item in outcomes if item.error and not page.expected(item)]
    print(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def _read(log: Path | None) -> dict[Pair, Outcome]:
    found: dict[Pair, Outcome] = {}
    if log and log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            data = json.loads(line)
            pair = Pair(**data["pair"])
            found[pair] = Outcome(**{**data, "pair": pair, "built": tuple(data["built"])})
    return found


if __name__ == "__main__":
    sys.exit(main())
