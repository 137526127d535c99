"""Segments of a large market: our RFM from Parquet, beside the same work written by hand in Polars and in DuckDB.

    python bench/segments.py --orders 1000000
    python bench/segments.py --peers .venv-peers/bin/python

Each measurement is a process of its own, with its time and its peak memory; for ours and what is written by hand the
time of imports is left out. `--peers` names a Python that has DuckDB, lifetimes, pymc-marketing and OpenRetailScience
(and Polars and PyArrow), of which those that are there are measured in the same table.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)

from bench.measure import beside, peak_memory  # noqa: E402 - the path must be set before

AT = datetime(2024, 12, 31, tzinfo=UTC)
ORDERS_AN_ACCOUNT = 8.2
"""What `Market` makes by default, returns included."""

PROGRAM = "[program]\nname = 'Bench'\ncurrency = 'EUR'\n[[plugin]]\nuse = 'rfm'\n"
NET = """
WITH r AS (SELECT account, about AS event, sum(amount) AS back FROM h WHERE kind = 'return' AND about IS NOT NULL
           GROUP BY ALL),
     p AS (SELECT account, "at", amount - coalesce(back, 0) AS net, amount > coalesce(back, 0) AS counted
           FROM h LEFT JOIN r USING (account, event) WHERE kind = 'purchase'
           UNION ALL
           SELECT account, "at", -amount, false FROM h WHERE kind = 'return' AND NOT EXISTS
             (SELECT 1 FROM h o WHERE o.kind = 'purchase' AND o.account = h.account AND o.event = h.about)),
     m AS (SELECT account, date_diff('second', max("at") FILTER (counted), TIMESTAMPTZ '{at}') // 86400 AS recency,
                  count(*) FILTER (counted) AS frequency, sum(net)::BIGINT AS monetary FROM p GROUP BY account),
     n AS (SELECT count(*) AS n FROM m WHERE frequency > 0)
SELECT account, recency, frequency, monetary,
       1 + 5 * (rank() OVER (ORDER BY recency DESC) - 1) // n AS r,
       1 + 5 * (rank() OVER (ORDER BY frequency) - 1) // n AS f,
       1 + 5 * (rank() OVER (ORDER BY monetary) - 1) // n AS m
FROM m, n WHERE frequency > 0
UNION ALL SELECT account, NULL, 0, monetary, 1, 1, 1 FROM m WHERE frequency = 0
"""


def ours(place: str) -> int:
    """RFM by the plugin."""
    import polars as pl

    from stampbook.loading import load
    from stampbook.segments import run_segments

    [run] = run_segments(load(PROGRAM).segmenters(), pl.scan_parquet(place), AT)
    return int(run.frame["monetary"].sum())


def polars(place: str) -> int:
    """The same by hand, in Polars."""
    import polars as pl

    rows = pl.scan_parquet(place).filter(pl.col("at") <= AT)
    bought, back = rows.filter(pl.col("kind") == "purchase"), rows.filter(pl.col("kind") == "return")
    of_orders = back.group_by("account", "about").agg(back=pl.col("amount").sum())
    net = bought.join(
        of_orders, left_on=["account", "event"], right_on=["account", "about"], how="left"
    ).select("account", "at", net=pl.col("amount") - pl.col("back").fill_null(0))  # fmt: skip
    lonely = back.join(
        bought.select("account", "event"), left_on=["account", "about"], right_on=["account", "event"], how="anti"
    ).select("account", pl.lit(None).cast(pl.Datetime("us", "UTC")).alias("at"), net=-pl.col("amount"))
    counted = pl.col("net") > 0
    measured = (
        pl.concat([net, lonely])
        .group_by("account")
        .agg(pl.col("at").filter(counted).max(), frequency=counted.sum().cast(pl.Int64), monetary=pl.col("net").sum())
    )
    active = pl.col("frequency") > 0
    n = active.sum()
    days = (pl.lit(AT) - pl.col("at")).dt.total_days()

    def scored(value: pl.Expr) -> pl.Expr:
        return pl.when(active).then(1 + 5 * (pl.when(active).then(value).rank("min") - 1) // n).otherwise(1)

    frame = measured.with_columns(
        recency=days, r=scored(-days), f=scored(pl.col("frequency")), m=scored(pl.col("monetary"))
    ).collect(engine="streaming")
    return int(frame["monetary"].sum())


def duckdb(place: str) -> int:
    """The same by hand, in DuckDB."""
    connection = import_module("duckdb").connect()
    connection.execute(f"CREATE VIEW h AS SELECT * FROM read_parquet('{place}') WHERE \"at\" <= TIMESTAMPTZ '{AT}'")  # noqa: S608 - a folder of our own
    table = connection.execute(NET.format(at=AT)).to_arrow_table()
    return int(import_module("pyarrow.compute").sum(table["monetary"]).as_py())


def lifetimes(place: str) -> int:
    """lifetimes: recency, frequency and value alone, returns left out."""
    import polars as pl

    rows = pl.scan_parquet(place).filter(pl.col("kind") == "purchase").select("account", "at", "amount")
    table = rows.with_columns(pl.col("at").dt.replace_time_zone(None)).collect().to_pandas()
    return len(import_module("lifetimes.utils").summary_data_from_transaction_data(table, "account", "at", "amount"))


def pymc_marketing(place: str) -> int:
    """pymc-marketing: recency, frequency and value alone, returns left out."""
    import polars as pl

    rows = pl.scan_parquet(place).filter(pl.col("kind") == "purchase").select("account", "at", "amount")
    table = rows.with_columns(pl.col("at").dt.replace_time_zone(None)).collect().to_pandas()
    return len(import_module("pymc_marketing.clv.utils").rfm_summary(table, "account", "at", "amount"))


def openretailscience(place: str) -> int:
    """OpenRetailScience: RFM segments, returns left out."""
    import polars as pl

    rows = pl.scan_parquet(place).filter(pl.col("kind") == "purchase")
    named = rows.select(
        customer_id="account", transaction_date=pl.col("at").dt.replace_time_zone(None), unit_spend="amount",
        transaction_id="event",
    )  # fmt: skip
    rfm = import_module("openretailscience.segmentation.rfm")
    return len(rfm.RFMSegmentation(named.collect().to_pandas(), current_date="2024-12-31").df)


TASKS = {task.__name__: task for task in (ours, polars, duckdb, lifetimes, pymc_marketing, openretailscience)}
NET_OF_RETURNS = ("ours", "polars", "duckdb")


def ready(task: str) -> None:
    """Import what a task needs and build its program, which take the same time for any history."""
    if task == "ours":
        import narwhals  # noqa: F401 - only imported

        from stampbook.loading import load

        load(PROGRAM)
    import_module("duckdb" if task == "duckdb" else "polars")


def child(task: str, place: str) -> None:
    """Run one task, and print what it said, its seconds and its peak memory as JSON."""
    if task in NET_OF_RETURNS:
        ready(task)
    start = time.perf_counter()
    said = TASKS[task](place)
    seconds = time.perf_counter() - start
    print(json.dumps({"said": said, "seconds": seconds, "peak": peak_memory()}))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure segments of a large market.")
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="", help="a Python that has DuckDB and the other packages")
    parser.add_argument("--dir", help="folder for the history; the system's temporary folder by default")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        child(options.task, options.place)
        return 0
    from stampbook.testing.histories import Market, write_parquet

    with tempfile.TemporaryDirectory(prefix="stampbook-bench-", dir=options.dir) as folder:
        market = Market(accounts=max(int(options.orders / ORDERS_AN_ACCOUNT), 1))
        place = str(write_parquet(market, Path(folder), names=["history"])["history"] / "*.parquet")
        tasks = {"ours": sys.executable, "polars": sys.executable}
        if options.peers:
            tasks |= dict.fromkeys((task for task in TASKS if task not in tasks), str(options.peers))
        words = ("segments.py", "--place", place, "--task")
        rounds = [{task: beside(python, *words, task) for task, python in tasks.items()} for _ in range(options.rounds)]
    return _tell(rounds, options.orders)


def _tell(rounds: list[dict[str, dict[str, Any]]], orders: int) -> int:
    print(f"RFM of about {orders:,} orders from Parquet; medians of {len(rounds)} rounds\n")
    print(f"{'':<20} {'seconds':>8} {'peak MB':>8} {'ours / it':>10}")
    said = set()
    for task in rounds[0]:
        found = [one[task] for one in rounds]
        if "missing" in found[0]:
            print(f"{task:<20} {found[0]['missing'][:90]}")
            continue
        ratio = median(one["ours"]["seconds"] / one[task]["seconds"] for one in rounds)
        seconds, peak = (median(one[key] for one in found) for key in ("seconds", "peak"))
        print(f"{task:<20} {seconds:>8.2f} {peak:>8.0f} {ratio:>10.2f}")
        if task in NET_OF_RETURNS:
            said |= {one["said"] for one in found}
    if len(said) != 1:
        print(f"\nthey do not agree on what was spent: {sorted(said)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
