"""All rule-based schemes of a large market together, and RFM out of a ledger.

    python bench/schemes.py --orders 1000000
    python bench/schemes.py --ledger sqlite:///shop.db [--archive FOLDER]

Without `--ledger`, a market is made up as Parquet (`stampbook.testing.histories`) and every bundled scheme that fits no
model judges it: first all in one run, then each in a process of its own, with its seconds and peak memory; imports are
left out. With `--ledger`, RFM is run of a ledger that there is (of `stampbook import`, under any program), out of its
tables as `stampbook segments run` does it, until every account has its scores; they are not kept. With `--archive` as
well, the ledger is archived, which is timed too, and RFM is run of that: every chain of hashes is proved.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)

from bench.measure import child, peak_memory  # noqa: E402 - the path must be set before

ALL_ASKED = 15.0
LEDGER_ASKED = 10.0

PROGRAM = """
[program]
name = "Bench"
currency = "EUR"

[attributes]
region = "text"
industry = "text"
"""
OPTIONS = {
    "rfm": "",
    "abc": "",
    "lifecycle": "",
    "spending": "",
    "behaviour": "",
    "balance": "",
    "preference": "",
    "attributes": "attribute = 'region'",
    "custom": "[[plugin.rule]]\nwhen = \"history.orders >= 10 and account.region != ''\"\nsegment = 'regular'",
}
"""The rule-based schemes, with the options that they cannot do without."""


def program(schemes: list[str]) -> str:
    return PROGRAM + "".join(f"\n[[plugin]]\nuse = '{scheme}'\n{OPTIONS[scheme]}\n" for scheme in schemes)


def judge(schemes: list[str], folder: str) -> dict[str, Any]:
    """Run schemes over the frames of a folder, as Parquet; return the seconds, and how many accounts were judged."""
    from datetime import UTC, datetime

    import polars as pl

    from stampbook.loading import load
    from stampbook.population import Frames
    from stampbook.segments import run_segments

    registry = load(program(schemes))
    frames = Frames(*(pl.scan_parquet(Path(folder) / name / "*.parquet") for name in Frames._fields))
    start = time.perf_counter()
    runs = run_segments(registry.segmenters(), frames, datetime(2024, 12, 31, tzinfo=UTC))
    return {"seconds": time.perf_counter() - start, "said": [len(run.frame) for run in runs]}


def from_ledger(url: str, archive: str = "") -> dict[str, Any]:
    """Run RFM of a ledger, or of an archive brought up to it; return the seconds, and how many accounts were judged."""
    from contextlib import nullcontext

    from stampbook.archive import archive_in
    from stampbook.engine import Engine
    from stampbook.histories import read_frames
    from stampbook.loading import load
    from stampbook.periods import moment_of
    from stampbook.segments import run_segments

    segmenters = load(program(["rfm"])).segmenters()
    with Engine.open(url) as engine:
        now = engine.clock()
        start = time.perf_counter()
        with archive_in(Path(archive)) if archive else nullcontext() as kept:
            history = read_frames(engine, now, {"history"}, archive=kept)
            [run] = run_segments(segmenters, history.frames, moment_of(now))
        return {"seconds": time.perf_counter() - start, "said": [len(run.frame)], "rows": history.rows}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the rule-based schemes of a large market.")
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ledger", help="the database of a ledger to run RFM of, instead")
    parser.add_argument("--archive", help="with --ledger: the folder of its archive, which may not be there yet")
    parser.add_argument("--dir", help="folder for the history; the system's temporary folder by default")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        how, where, *rest = options.task
        found = judge(rest, where) if how == "judge" else from_ledger(where, *rest)
        print(json.dumps({**found, "peak": peak_memory()}))
        return 0
    if options.ledger:
        return _ledger(options)
    from stampbook.testing.histories import Market, write_parquet

    with tempfile.TemporaryDirectory(prefix="stampbook-bench-", dir=options.dir) as folder:
        write_parquet(Market(accounts=max(int(options.orders / 8.2), 1)), Path(folder))
        print(f"about {options.orders:,} orders from Parquet; medians of {options.rounds} rounds\n")
        print(f"{'':<12} {'seconds':>8} {'peak MB':>8}")
        for name, schemes in {"all": list(OPTIONS), **{scheme: [scheme] for scheme in OPTIONS}}.items():
            rounds = [_task("judge", folder, *schemes) for _ in range(options.rounds)]
            asked = f"   {ALL_ASKED:g} s asked for" if name == "all" else ""
            print(f"{name:<12} {_middle(rounds, 'seconds'):>8.2f} {_middle(rounds, 'peak'):>8.0f}{asked}", flush=True)
    return 0


def _ledger(options: argparse.Namespace) -> int:
    _task("ledger", options.ledger)  # so that every round finds the file in memory
    rounds = [_task("ledger", options.ledger) for _ in range(options.rounds)]
    print(f"{rounds[0]['rows']:,} purchases and returns of {rounds[0]['said'][0]:,} accounts")
    print(f"out of the tables, median of {options.rounds}: {_middle(rounds, 'seconds'):.2f} s of "
          f"{LEDGER_ASKED:g} asked for, peak {_middle(rounds, 'peak'):.0f} MB")  # fmt: skip
    if not options.archive:
        return 0
    there = Path(options.archive).exists()
    first = _task("ledger", options.ledger, options.archive)
    print(f"{'as found' if there else 'archived anew'}: {first['seconds']:.2f} s, peak {first['peak']:.0f} MB")
    rounds = [_task("ledger", options.ledger, options.archive) for _ in range(options.rounds)]
    print(f"archived, median of {options.rounds}: {_middle(rounds, 'seconds'):.2f} s of {LEDGER_ASKED:g} asked for, "
          f"peak {_middle(rounds, 'peak'):.0f} MB")  # fmt: skip
    return 0


def _task(*words: str) -> dict[str, Any]:
    return child("schemes.py", "--task", *words)


def _middle(rounds: list[dict[str, Any]], key: str) -> float:
    return float(median(one[key] for one in rounds))


if __name__ == "__main__":
    sys.exit(main())
