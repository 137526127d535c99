"""Customer lifetime value: how long it takes to fit BG/NBD and Gamma-Gamma to the visits of many made-up accounts.

    python bench/clv.py --accounts 100000
    python bench/clv.py --peers .venv-peers/bin/python

The visits (x, t_x and T in days, and what the repeat days brought) are made up first and not measured; our time begins
with them, one row an account, and so includes counting equal ones. `--peers` names a Python that has lifetimes, pandas
and PyArrow, whose fits of the same rows are measured too. Processor time is told beside the time by the clock, which is
longer where others use the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)

from bench.measure import beside, peak_memory  # noqa: E402 - the path must be set before

UNIT_DAYS = 7
BLOCK = 50_000


def make(accounts: int, place: str) -> None:
    """Write x, t_x, T and repeat_value of made-up accounts as Parquet."""
    import numpy as np
    import polars as pl

    from stampbook.testing.buying import amounts, stream, visits
    from stampbook.testing.market import Market

    market, parts = Market(accounts=accounts), []
    for number in range(-(-accounts // BLOCK)):
        count = min(BLOCK, accounts - number * BLOCK)
        who, days = visits(market, count, stream(market, number, 0))
        paid = amounts(market, who, count, stream(market, number, 1))
        age = np.floor(market.days - days).astype(np.int64)
        bought = pl.DataFrame({"account": who, "age": age, "paid": paid})
        by_day = bought.group_by("account", "age").agg(pl.col("paid").sum())
        first = pl.col("age").max()
        parts.append(
            by_day.group_by("account").agg(
                x=pl.len().cast(pl.Int64) - 1,
                t_x=first - pl.col("age").min(),
                T=first,
                repeat_value=pl.col("paid").filter(pl.col("age") < first).sum(),
            )
        )
    pl.concat(parts).drop("account").write_parquet(place)


def ours(place: str) -> dict[str, Any]:
    """Fit both models as the plugin `clv` does."""
    import numpy as np
    import polars as pl

    from stampbook import BgNbd, GammaGamma, distinct_visits, fit

    seen = pl.read_parquet(place)
    start, busy = time.perf_counter(), time.process_time()
    buying = fit(BgNbd(distinct_visits(seen, UNIT_DAYS)[1]))
    middle = time.perf_counter()
    ways = seen.filter((pl.col("x") > 0) & (pl.col("repeat_value") > 0)).group_by("x", "repeat_value").len().sort("x")
    x, value, count = (ways[name].to_numpy().astype(np.float64) for name in ("x", "repeat_value", "len"))
    worth = fit(GammaGamma(x, value / x, count))
    end = time.perf_counter()
    told = {**buying.parameters, **worth.parameters}
    return {"buying": middle - start, "value": end - middle, "busy": time.process_time() - busy, "parameters": told}


def lifetimes(place: str) -> dict[str, Any]:
    """Fit both with lifetimes, without a penalty."""
    table = import_module("pandas").read_parquet(place)
    package = import_module("lifetimes")
    start, busy = time.perf_counter(), time.process_time()
    buying = package.BetaGeoFitter(penalizer_coef=0.0)
    buying.fit(table["x"], table["t_x"] / UNIT_DAYS, table["T"] / UNIT_DAYS)
    middle = time.perf_counter()
    paid = table[(table["x"] > 0) & (table["repeat_value"] > 0)]
    worth = package.GammaGammaFitter(penalizer_coef=0.0)
    worth.fit(paid["x"], paid["repeat_value"] / paid["x"])
    end = time.perf_counter()
    found = {**dict(buying.params_), **dict(worth.params_)}
    found["gamma"] = found.pop("v")
    told = {name: float(value) for name, value in found.items()}
    return {"buying": middle - start, "value": end - middle, "busy": time.process_time() - busy, "parameters": told}


TASKS = {"ours": ours, "lifetimes": lifetimes}


def child(task: str, place: str) -> None:
    """Run one task with its imports done, and print what it said and its peak memory as JSON."""
    if task == "ours":
        for name in ("scipy.optimize", "threadpoolctl", "stampbook.buying", "polars"):
            import_module(name)
    found = TASKS[task](place)
    print(json.dumps({**found, "peak": peak_memory()}))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the fit of models of repeat buying.")
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="", help="a Python that has lifetimes, pandas and PyArrow")
    parser.add_argument("--dir", help="folder for the visits; the system's temporary folder by default")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        child(options.task, options.place)
        return 0
    tasks = {"ours": sys.executable, **({"lifetimes": options.peers} if options.peers else {})}
    with tempfile.TemporaryDirectory(prefix="stampbook-bench-", dir=options.dir) as folder:
        place = str(Path(folder) / "visits.parquet")
        make(options.accounts, place)
        words = ("clv.py", "--place", place, "--task")
        rounds = [{task: beside(python, *words, task) for task, python in tasks.items()} for _ in range(options.rounds)]
    return _tell(rounds, options.accounts)


def _tell(rounds: list[dict[str, dict[str, Any]]], accounts: int) -> int:
    print(f"BG/NBD and Gamma-Gamma of {accounts:,} accounts; medians of {len(rounds)} rounds\n")
    print(f"{'':<12} {'BG/NBD s':>9} {'values s':>9} {'both s':>9} {'busy s':>9} {'peak MB':>8}  parameters")
    for task in rounds[0]:
        found = [one[task] for one in rounds]
        if "missing" in found[0]:
            print(f"{task:<12} {found[0]['missing'][:90]}")
            continue
        buying, value, busy, peak = (median(one[key] for one in found) for key in ("buying", "value", "busy", "peak"))
        both = median(one["buying"] + one["value"] for one in found)
        told = ", ".join(f"{name} {number:.4g}" for name, number in found[0]["parameters"].items())
        print(f"{task:<12} {buying:>9.2f} {value:>9.2f} {both:>9.2f} {busy:>9.2f} {peak:>8.0f}  {told}")
    if "missing" in rounds[0]["ours"]:
        return 1
    print("\n4 s are asked for a million accounts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
