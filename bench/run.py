"""Measure Stampbook: `make bench`, or `python bench/run.py [--quick | --scale] [--only NAME] [--write]`.

Prints the machine, then every figure with what it is compared with. Exits 1 where a benchmark measured nothing or
its result is wrong. A ratio that falls short of what is asked for is marked, and is no failure: machines differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)

if TYPE_CHECKING:
    from bench.measure import Figure, Sizes

BENCHMARKS = (
    "bulk_sqlite",
    "one_call",
    "decision",
    "rewards",
    "stored_value",
    "bulk_postgres",
    "many_accounts",
    "startup",
)
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def sizes_of(kind: str, events: int | None = None) -> Sizes:
    """Return how much a run of a kind does; `events` sets how long the bulk import is, with accounts to match."""
    from bench.measure import Sizes

    if events is not None:
        return replace(sizes_of(kind), events=events, accounts=max(events // 20, 1))
    if kind == "quick":
        return Sizes(10_000, 1_000, 1_000, 300, 1_000, 200, 2_000, 4_000, 5_000, 2, 15, 3)
    if kind == "scale":
        return Sizes(5_000_000, 500_000, 1_000, 5_000, 20_000, 100_000, 1_000_000, 200_000, 500_000, 20, 25, 3)
    return Sizes(1_000_000, 50_000, 1_000, 2_000, 10_000, 20_000, 200_000, 60_000, 60_000, 6, 21, 3)


def main() -> int:
    options = _options()
    from bench import machine
    from bench.measure import check

    failed: list[str] = []
    figures: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory(prefix="stampbook-bench-", dir=options.dir) as folder:
        work = Path(folder)
        if machine.in_memory(work):
            print(f"{work} is not on a disk, so durable writes cannot be measured; name a folder with --dir")
            return 1
        described = machine.described(work)
        for name, text in described.items():
            print(f"{name + ':':<11} {text}")
        for name in options.only or BENCHMARKS:
            module = import_module(f"bench.{name}")
            place = work / name
            place.mkdir()
            print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
            start = time.perf_counter()
            try:
                found = figures[name] = module.run(sizes_of(options.kind, options.events), place)
                check(any(figure.ratio for figure in found), found[0].value if found else "nothing was measured")
            except Exception:  # noqa: BLE001 - the other benchmarks still run; this one is reported and fails the run
                traceback.print_exc()
                failed.append(name)
            for figure in figures.get(name, []):
                print(_line(figure))
            print(f"  ({time.perf_counter() - start:.0f} s)", flush=True)
    if failed or not figures:
        print(f"\nfailed: {', '.join(failed) or 'nothing was measured'}", file=sys.stderr)
        return 1
    short = [figure.what for found in figures.values() for figure in found if not figure.met]
    if short:
        print(f"\nshort of what is asked for: {'; '.join(short)}")
    if options.write:
        _write(options.kind, options.events, described, figures)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure Stampbook's speed and memory.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="kind", action="store_const", const="quick", help="small sizes, under a minute")
    size.add_argument("--scale", dest="kind", action="store_const", const="scale", help="large sizes, half an hour")
    parser.add_argument("--events", type=int, help="how many events the bulk import has")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="run only this benchmark (repeatable)")
    parser.add_argument("--dir", help="folder on the disk to measure; the system's temporary folder by default")
    parser.add_argument("--write", action="store_true", help="put the figures into bench/README.md")
    parser.set_defaults(kind="full")
    return parser.parse_args()


def _line(figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f"{figure.ratio:6.2f}"
    asked = "" if figure.target is None else f"asked {figure.target:.2f}"
    mark = "" if figure.met else "  SHORT"
    return f"  {figure.what:<52} {figure.value:>12}   {ratio:>6} × {figure.baseline:<44} {asked}{mark}".rstrip(" ×")


def _write(kind: str, events: int | None, described: dict[str, str], figures: dict[str, list[Figure]]) -> None:
    readme = HERE / "README.md"
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{readme} has no place for the figures"
    assert end, f"{readme} has no end of the place for the figures"
    size = "" if events is None else f" with --events {events}"
    lines = [f"A {kind} run{size} on {time.strftime('%Y-%m-%d')}.", ""]
    lines += [f"- {name}: {text}" for name, text in described.items()]
    lines += ["", "| what | measured | compared with | ratio | asked for |", "|---|---|---|---|---|"]
    for found in figures.values():
        for figure in found:
            ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
            asked = "" if figure.target is None else f"{figure.target:.2f}"
            lines.append(f"| {figure.what} | {figure.value} | {figure.baseline} | {ratio} | {asked} |")
    readme.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
