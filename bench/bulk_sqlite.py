"""Bulk import into SQLite, durable: a process that reads JSON Lines and calls `Engine.process` batch by batch.

Compared with plain `sqlite3` that writes the very same rows to the same schema with the same pragmas and batches
(see plain.py). A second import of the same file uses every core. The first runs at two file sizes, which shows
whether memory grows with the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.data import PROGRAM, write_lines
from bench.measure import Figure, Sizes, check, check_books, child, rate
from bench.plain import write_plainly
from stampbook.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

FLOOR = 15_000
"""Events a second that are asked for."""
MOST_MEMORY = 500_000_000


def run(sizes: Sizes, work: Path) -> list[Figure]:
    """Import a fifth of the events, then all of them, then all on every core; then write those rows plainly."""
    small = _imported(work, "small", sizes.events // 5, sizes)
    with Engine.open(f"sqlite:///{work / 'small.db'}") as engine:
        check_books(engine)
    large = _imported(work, "large", sizes.events, sizes)
    spread = _imported(work, "spread", sizes.events, sizes, how="file")
    plain = sum(write_plainly(work / "large.db", work / "plain.db"))
    (work / "plain.db").unlink()
    final = sum(write_plainly(work / "large.db", work / "final.db", final=True))
    as_spread = sum(write_plainly(work / "spread.db", work / "as_spread.db"))
    speed = sizes.events / large["seconds"]
    plain_speed = sizes.events / plain
    final_speed = sizes.events / final
    spread_speed = sizes.events / spread["seconds"]
    as_spread_speed = sizes.events / as_spread
    growth = large["memory"] / small["memory"]
    return [
        Figure(f"import of {sizes.events:,} purchases", rate(speed), f"{FLOOR:,}/s asked for", speed / FLOOR, 1.0),
        Figure("the same", rate(speed), f"{rate(plain_speed)} plain sqlite3, same writes", speed / plain_speed, 0.5),
        Figure("the same", rate(speed), f"{rate(final_speed)} plain sqlite3, final rows only", speed / final_speed),
        Figure(
            "import_file of it on every core", rate(spread_speed), f"{FLOOR:,}/s asked for", spread_speed / FLOOR, 1.0
        ),
        Figure(
            "the same",
            rate(spread_speed),
            f"{rate(plain_speed)} plain sqlite3, same writes",
            spread_speed / plain_speed,
            0.5,
        ),
        Figure(
            "the same",
            rate(spread_speed),
            f"{rate(as_spread_speed)} plain sqlite3, as many a commit",
            spread_speed / as_spread_speed,
        ),
        Figure(
            "the same, memory of all its processes",
            f"{spread['memory'] / 1e6:,.0f} MB",
            f"{MOST_MEMORY / 1e6:,.0f} MB asked for",
            MOST_MEMORY / spread["memory"],
            1.0,
        ),
        Figure(f"import of {sizes.events // 5:,} purchases", rate(sizes.events / 5 / small["seconds"])),
        Figure(
            "peak memory of the importing process",
            f"{large['memory'] / 1e6:,.0f} MB",
            f"{MOST_MEMORY / 1e6:,.0f} MB asked for",
            MOST_MEMORY / large["memory"],
            1.0,
        ),
        Figure("the same, per peak at a fifth of the file", f"× {growth:.2f}", f"{small['memory'] / 1e6:,.0f} MB"),
    ]


def _imported(work: Path, name: str, events: int, sizes: Sizes, *, how: str = "process") -> dict[str, Any]:
    lines, database = work / f"{name}.jsonl", work / f"{name}.db"
    write_lines(lines, events, sizes.accounts)
    with Engine.open(f"sqlite:///{database}", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
    found = child("importer.py", how, str(lines), f"sqlite:///{database}", str(sizes.batch))
    lines.unlink()
    check(found["accepted"] == found["events"] == events, f"{found['accepted']} of {events} events were accepted")
    return found
