"""Realistic histories of many accounts, made up: as frames, as Parquet of any size, and as events to import.

The same market gives the same history on every machine::

    market = Market(accounts=1_000, seed=7)
    [run] = run_segments(plugins, frames(market), at)

    write_parquet(Market(accounts=1_000_000), Path("history"))  # in the memory of 50,000 accounts
    write_events(market, Path("events.jsonl"))  # stampbook import events.jsonl, under PROGRAM

`Market` says what can be chosen, `stampbook.testing.buying` by which models accounts buy. Some purchases come back,
whole or in part and never more than was paid. Whole returns have lines, those by amount alone have none here.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import orjson
import polars as pl

from stampbook.population import Frames
from stampbook.testing.buying import DAY_S, SECOND_US, amounts, instants, midnight_us, shared, stream, visits
from stampbook.testing.market import Market

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from stampbook.testing.buying import Whole

__all__ = ["PROGRAM", "Market", "blocks", "events", "frames", "write_events", "write_parquet"]

PROGRAM: Final = """
[program]
name = "Made-up market"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"
unknown_returns = "accept"

[attributes]
region = "text"
industry = "text"

[[plugin]]
use = "refunds"
"""
"""A program that takes the events as they come."""

_BUYING, _AMOUNTS, _RETURNS, _LINES, _ACCOUNTS, _MOVING = range(6)
_MINUTE_US: Final = 60 * SECOND_US
_MOST_LINES: Final = 3
_SKUS: Final = 40
_BRANDS: Final = ("alder", "birch", "cedar", "elm")
_REASONS: Final = ("did not fit", "damaged", "changed my mind", "late")
_TOPUPS: Final = (2_000, 5_000, 10_000)
_BACK_TWICE: Final = 0.2
_MEAN_DAYS_TO_RETURN: Final = 9.0
_MEAN_DAYS_TO_SPEND: Final = 20.0
_PIECE: Final = 1_000_000
_UTC: Final = pl.Datetime("us", "UTC")


class Block(NamedTuple):
    """The frames of some accounts, in memory, each sorted by time."""

    history: pl.DataFrame
    lines: pl.DataFrame
    accounts: pl.DataFrame
    movements: pl.DataFrame
    activity: pl.DataFrame
    counts: pl.DataFrame


def frames(market: Market) -> Frames:
    """Return all frames of a market, in memory; see `stampbook.population` for their columns."""
    made = list(blocks(market))
    return Frames(*(pl.concat(parts).lazy() for parts in zip(*made, strict=True)))


def blocks(market: Market) -> Iterator[Block]:
    """Yield the frames of some accounts after the other."""
    for number in range(-(-market.accounts // market.block)):
        made = _Made(market, number)
        yield Block(*(getattr(made, name)() for name in Block._fields))


def write_parquet(market: Market, folder: Path, names: Collection[str] = Frames._fields) -> dict[str, Path]:
    """Write frames into a folder, each as a folder of Parquet files that is read as one; return those by name.

    Args:
        market: what to make up.
        folder: is made if it is not there.
        names: of the frames that are wanted.
    """
    places = {name: Path(folder) / name for name in names}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    for number in range(-(-market.accounts // market.block)):
        made = _Made(market, number)
        for name, place in places.items():
            getattr(made, name)().write_parquet(place / f"part-{number:05d}.parquet")
    return places


def write_events(market: Market, path: Path) -> int:
    """Write the events as JSON Lines, as `stampbook import` takes them; return how many they are."""
    count = 0
    with Path(path).open("wb") as file:
        for event in events(market):
            file.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def events(market: Market) -> Iterator[dict[str, Any]]:
    """Yield what happened to some accounts after the other, each block in the order of time; ids never repeat."""
    for number in range(-(-market.accounts // market.block)):
        made = _Made(market, number)
        lines: dict[str, list[dict[str, Any]]] = {}
        for row in made.priced().iter_rows(named=True):
            line = {"sku": row["sku"], "category": row["category"], "labels": [row["labels"]]}
            lines.setdefault(row["event"], []).append({**line, "amount": _money(row["price"])})
        opened = (_opened(row) for row in made.accounts().iter_rows(named=True))
        sold = (_sold(row, lines) for row in made.sales().iter_rows(named=True))
        moved = (_moved(row) for row in made.moved().iter_rows(named=True))
        yield from sorted(chain(opened, sold, moved), key=lambda event: event["at"])


class _Made:
    """One block of accounts. What draws from a stream of its own is the same with and without the rest."""

    def __init__(self, market: Market, number: int) -> None:
        self._market = market
        self._number = number
        self._first = number * market.block
        self._count = min(market.block, market.accounts - self._first)
        self._end_us = midnight_us(market) + market.days * DAY_S * SECOND_US
        who, days = visits(market, self._count, self._stream(_BUYING))
        self._who = who
        self._at = instants(market, days)
        draw = self._stream(_AMOUNTS)
        self._paid = amounts(market, who, self._count, draw)
        off = self._paid * (5 + draw.randint(0, 26, len(who))) // 100
        self._off = np.where(draw.random_sample(len(who)) < market.discounts, off, 0)
        self._channel = draw.geometric(0.55, len(who)) - 1
        self._store = draw.randint(0, market.stores, len(who))
        self._sales: pl.DataFrame | None = None
        self._priced: pl.DataFrame | None = None

    def history(self) -> pl.DataFrame:
        names = ("account", "at", "kind", "amount", "event", "about", "discount", "channel", "store")
        return self.sales().select(names)

    def sales(self) -> pl.DataFrame:
        """Return purchases and returns, the latter with their `reason`, and whether `all` came back."""
        if self._sales is None:
            parts = [self._purchases(), *self._returns()]
            self._sales = pl.concat(parts, how="diagonal").sort("at", "event")
        return self._sales

    def _purchases(self) -> pl.DataFrame:
        market = self._market
        channels, stores = pl.Series(market.channels), pl.Series([f"store-{n + 1}" for n in range(market.stores)])
        return self._frame(self._who, self._at, "purchase", self._paid, self._ids("p", len(self._who))).with_columns(
            discount=pl.Series(self._off),
            channel=channels.gather(np.minimum(self._channel, len(channels) - 1)),
            store=stores.gather(self._store),
        )

    def _returns(self) -> Iterator[pl.DataFrame]:
        market, draw, n = self._market, self._stream(_RETURNS), len(self._who)
        back = draw.random_sample(n) < market.returns
        whole = draw.random_sample(n) < market.whole_returns
        part = np.maximum((self._paid * draw.random_sample(n)).astype(np.int64), 1)
        later = self._later(self._at, draw, _MEAN_DAYS_TO_RETURN)
        twice = ~whole & (part < self._paid) & (draw.random_sample(n) < _BACK_TWICE)
        again = np.maximum(((self._paid - part) * draw.random_sample(n)).astype(np.int64), 1)
        yet_later = self._later(later, draw, _MEAN_DAYS_TO_RETURN)
        whole |= part == self._paid
        lonely = draw.random_sample(n) < market.lonely_returns
        alone_at = self._later(self._at, draw, _MEAN_DAYS_TO_RETURN)
        alone = np.maximum((self._paid * draw.random_sample(n)).astype(np.int64), 1)
        reasons = pl.Series(_REASONS).gather(draw.randint(0, len(_REASONS), n))
        bought = self._ids("p", n)
        for letter, at, amount, kept, names in (
            ("r", later, np.where(whole, self._paid, part), back, True),
            ("s", yet_later, again, back & twice, True),
            ("t", alone_at, alone, lonely, False),
        ):
            frame = self._frame(self._who, at, "return", amount, self._ids(letter, n)).with_columns(
                discount=pl.lit(0, pl.Int64),
                about=bought if names else pl.lit(None, pl.String),
                reason=reasons,
                all=pl.Series(whole) if letter == "r" else pl.lit(value=False),
            )
            yield frame.filter(pl.Series(kept & (at < self._end_us)))

    def priced(self) -> pl.DataFrame:
        """Return the lines of purchases with their `price` before discounts, and `amount` after."""
        if self._priced is None:
            self._priced = self._lines()
        return self._priced

    def _lines(self) -> pl.DataFrame:
        market, draw, n = self._market, self._stream(_LINES), len(self._who)
        count = draw.randint(1, _MOST_LINES + 1, n)
        cuts = np.sort(draw.random_sample((n, _MOST_LINES - 1)), axis=1)
        cuts[:, 1] = np.where(count == _MOST_LINES, cuts[:, 1], 1.0)
        cuts[:, 0] = np.where(count == 1, 1.0, cuts[:, 0])
        gross = self._paid + self._off
        ends = np.column_stack([(cuts * gross[:, None]).astype(np.int64), gross])
        prices = np.diff(ends, axis=1, prepend=0)
        net = prices - shared(self._off, prices)
        favourite = draw.randint(0, len(market.categories), self._count)[self._who]
        other = np.minimum(draw.geometric(0.4, (n, _MOST_LINES)) - 1, len(market.categories) - 1)
        liked = draw.random_sample((n, _MOST_LINES)) < market.preference
        category = np.where(liked, favourite[:, None], other)
        article = draw.randint(0, _SKUS, (n, _MOST_LINES))
        there = (np.arange(_MOST_LINES)[None, :] < count[:, None]).ravel()
        row = np.repeat(np.arange(n), _MOST_LINES)[there]
        names = pl.Series(market.categories).gather(category.ravel()[there])
        articles = pl.Series(article.ravel()[there])
        frame = self._frame(self._who, self._at, "purchase", self._paid, self._ids("p", n))[row]
        return frame.with_columns(
            category=names,
            labels=pl.Series(_BRANDS).gather(articles % len(_BRANDS)),
            quantity=pl.lit(_PIECE, pl.Int64),
            amount=pl.Series(net.ravel()[there]),
            price=pl.Series(prices.ravel()[there]),
        ).with_columns(sku=pl.format("{}-{}", "category", articles))

    def lines(self) -> pl.DataFrame:
        bought = self.priced().drop("price")
        back = self.sales().filter(pl.col("all").fill_null(value=False)).select("at", "kind", "event", "about")
        told = bought.drop("at", "kind", "about").rename({"event": "about"}).join(back, on="about", how="inner")
        names = ("account", "at", "kind", "event", "about", "sku", "category", "labels", "quantity", "amount")
        return pl.concat([bought.select(names), told.select(names)]).sort("at", "event", maintain_order=True)

    def accounts(self) -> pl.DataFrame:
        market, draw = self._market, self._stream(_ACCOUNTS)
        firsts = np.concatenate([[0], np.flatnonzero(np.diff(self._who)) + 1])
        return pl.DataFrame(
            {
                "account": self._refs(np.arange(self._count)),
                "opened_at": pl.Series(self._at[firsts] - 2 * _MINUTE_US).cast(_UTC),
                "status": pl.repeat("open", self._count, dtype=pl.String, eager=True),
                "region": pl.Series(market.regions).gather(draw.randint(0, len(market.regions), self._count)),
                "industry": pl.Series(market.industries).gather(
                    np.minimum(draw.geometric(0.6, self._count), len(market.industries)) - 1
                ),
            }
        ).sort("opened_at", "account")

    def moved(self) -> pl.DataFrame:
        """Return movements of stored value with the `event` of each; what is spent was paid in before."""
        market, draw, n = self._market, self._stream(_MOVING), len(self._who)
        chosen = draw.random_sample(n) < market.stored_value
        who, at = self._who[chosen], self._at[chosen] - _MINUTE_US
        paid_in = np.asarray(_TOPUPS)[draw.randint(0, len(_TOPUPS), len(who))]
        parts = [self._frame(who, at, "topup", paid_in, self._ids("v", len(who)))]
        left = paid_in
        for letter in ("w", "x"):
            spent = np.maximum((left * draw.random_sample(len(who))).astype(np.int64), 1)
            at = self._later(at, draw, _MEAN_DAYS_TO_SPEND)
            frame = self._frame(who, at, "spend", -spent, self._ids(letter, len(who)))
            parts.append(frame.filter(pl.Series((left > spent) & (at < self._end_us))))
            left = left - spent
        return pl.concat(parts).sort("at", "event")

    def movements(self) -> pl.DataFrame:
        return self.moved().select("account", "at", "kind", "amount")

    def activity(self) -> pl.DataFrame:
        opened = self.accounts().select("account", at="opened_at", kind=pl.lit("account.opened"))
        parts = [opened, self.sales().select("account", "at", "kind", "reason"), self.movements().drop("amount")]
        return pl.concat(parts, how="diagonal").sort("at", "account", "kind")

    def counts(self) -> pl.DataFrame:
        """Return what a metric `spend` counts that sums `order.net`; a return takes off on the day of its purchase."""
        sales = self.sales().select("account", "at", "kind", "amount", "event", "about")
        bought = sales.filter(kind="purchase")
        days = bought.select(about="event", day=pl.col("at").dt.date())
        back = sales.filter(kind="return").join(days, on="about", how="inner").with_columns(amount=-pl.col("amount"))
        told = pl.concat([bought.with_columns(day=pl.col("at").dt.date()), back]).sort("at", "event")
        metric, value = pl.lit("spend"), pl.lit(None, pl.String)
        return told.select("account", "at", metric.alias("metric"), value.alias("value"), "day", "amount")

    def _stream(self, aspect: int) -> np.random.RandomState:
        return stream(self._market, self._number, aspect)

    def _later(self, at: Whole, draw: np.random.RandomState, mean_days: float) -> Whole:
        """Return instants an hour and some days after others."""
        seconds = 3_600 + np.floor(draw.standard_exponential(len(at)) * mean_days * DAY_S).astype(np.int64)
        return at + seconds * SECOND_US

    def _frame(self, who: Whole, at: Whole, kind: str, amount: Whole, event: pl.Series) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "account": self._refs(who),
                "at": pl.Series(at).cast(_UTC),
                "kind": pl.repeat(kind, len(who), dtype=pl.String, eager=True),
                "amount": pl.Series(amount),
                "event": event,
                "about": pl.repeat(None, len(who), dtype=pl.String, eager=True),
            }
        )

    def _refs(self, who: Whole) -> pl.Series:
        numbers = pl.Series("account", self._first + who + 1)
        return "c" + numbers.cast(pl.String).str.zfill(8)

    def _ids(self, letter: str, count: int) -> pl.Series:
        """Return ids of events, which are those of their purchases but for the letter."""
        return f"{letter}{self._number}-" + pl.Series("event", np.arange(count)).cast(pl.String)


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    attributes = {"region": row["region"], "industry": row["industry"]}
    return {
        "type": "account.opened",
        "id": f"o-{row['account']}",
        "account": row["account"],
        "at": row["opened_at"].isoformat(),
        "attributes": attributes,
    }


def _sold(row: dict[str, Any], lines: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    event = {"type": row["kind"], "id": row["event"], "account": row["account"], "at": row["at"].isoformat()}
    if row["kind"] == "purchase":
        event |= {"lines": lines[row["event"]], "channel": row["channel"], "store": row["store"]}
        return event | {"discount": _money(row["discount"])} if row["discount"] else event
    event["reason"] = row["reason"]
    if row["about"] is not None:
        event["purchase"] = row["about"]
    return event if row["all"] else event | {"amount": _money(row["amount"])}


def _moved(row: dict[str, Any]) -> dict[str, Any]:
    event = {"type": row["kind"], "id": row["event"], "account": row["account"], "at": row["at"].isoformat()}
    return event | {"amount": _money(abs(row["amount"]))}


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
