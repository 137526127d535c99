"""The frames of a ledger that segmentation looks at, out of its journal; each is read only where it is wanted.

Amounts of purchases and returns in another currency than the program's are left out: they cannot be added up.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from stampbook.amounts import read_units
from stampbook.events import Purchase
from stampbook.population import Frames
from stampbook.states import Judges
from stampbook.store.histories import accounts, attributes, happenings, moved, statuses
from stampbook.store.histories import sales as sales_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.orders import Order
    from stampbook.registry import Registry
    from stampbook.store.histories import SaleRow

_CHUNK: Final = 50_000
_GOODS: Final = "goods"

_SALE: Final = ("account", "at", "kind", "amount", "event", "about", "discount", "channel", "store")
_LINE: Final = ("account", "at", "kind", "event", "about", "number", "sku", "category", "labels", "quantity", "amount")


class History(NamedTuple):
    """What was read of a ledger: its frames, how many purchases and returns, and how many in other currencies."""

    frames: Frames
    rows: int
    left_out: int


def read_frames(
    engine: Engine, until: int, wanted: Collection[str], *, on_progress: Callable[[int], None] | None = None
) -> History:
    """Return the frames that schemes name, up to an instant; see `stampbook.population` for their columns.

    Args:
        engine: the ledger.
        until: nothing after it is read.
        wanted: of the names of `Frames`; the history is always read.
        on_progress: called with how many purchases and returns have been read.
    """
    sales = _Sales(engine, until, with_lines="lines" in wanted)
    for count in sales.read():
        if on_progress is not None:
            on_progress(count)
    frames = Frames(
        sales.history(),
        sales.lines() if "lines" in wanted else None,
        _accounts(engine, until) if "accounts" in wanted else None,
        _movements(engine, until) if "movements" in wanted else None,
        _activity(engine, until) if "activity" in wanted else None,
    )
    return History(frames, sales.rows, sales.left_out)


class _Sales:
    """Purchases and returns, with their lines where they are wanted: one pass over the journal."""

    def __init__(self, engine: Engine, until: int, *, with_lines: bool) -> None:
        self._engine = engine
        self._until = until
        self._with_lines = with_lines
        self._judges = Judges(engine)
        self._currency = engine.registry(until).context.currency.code
        self._frames: list[pl.DataFrame] = []
        self._line_frames: list[pl.DataFrame] = []
        self.rows = self.left_out = 0

    def read(self) -> Iterator[int]:
        """Read all, and yield how many there are so far."""
        with self._engine.store.reader() as session:
            rows = sales_rows(session, self._until)
            while some := list(islice(rows, _CHUNK)):
                self._take(some)
                yield self.rows

    def _take(self, rows: Sequence[SaleRow]) -> None:
        sales: list[tuple[Any, ...]] = []
        lines: list[tuple[Any, ...]] = []
        for row in rows:
            registry = self._judges[row.program]
            payload = orjson.loads(row.payload)
            if (payload.get("currency") or registry.context.currency.code) != self._currency:
                self.left_out += 1
                continue
            name = _name(row.source, row.event_id)
            if row.type == "purchase":
                order = _order(payload, registry) if self._with_lines and payload.get("lines") else None
                amount, discount = _amounts(payload, registry) if order is None else (order.total, order.discount)
                place = payload.get("channel") or None, payload.get("store") or None
                sales.append((row.ref, row.at, "purchase", amount, name, None, discount, *place))
                if order is not None:
                    lines.extend(_bought(row, name, order))
            else:
                about = payload.get("purchase")
                about = about and _name(payload.get("purchase_source") or row.source, about)
                memo = orjson.loads(row.effects).get("memo", {})
                sales.append((row.ref, row.at, "return", _came_back(memo), name, about, 0, None, None))
                if self._with_lines:
                    lines.extend(_brought_back(row, name, about, memo))
        self.rows += len(sales)
        self._frames.append(_frame(sales, _SALE))
        self._line_frames.append(_frame(lines, _LINE))

    def history(self) -> pl.LazyFrame:
        """Return one row a purchase or return."""
        import polars as pl

        return pl.concat([_frame([], _SALE), *self._frames]).lazy()

    def lines(self) -> pl.LazyFrame:
        """Return one row a line; what came back of one is told by the line of the purchase."""
        import polars as pl

        rows = pl.concat([_frame([], _LINE), *self._line_frames]).lazy()
        bought, back = rows.filter(pl.col("kind") == "purchase"), rows.filter(pl.col("kind") == "return")
        said = ("sku", "category", "labels")
        of_lines = bought.select("account", "number", *said, about="event")
        told = back.drop(*said).join(of_lines, on=["account", "about", "number"], how="inner")
        return pl.concat([bought.select(_LINE), told.select(_LINE)]).drop("number")


def _name(source: str, event_id: str) -> str:
    """Return an event's name that is unique over all sources: no source and no id holds a tab."""
    return event_id if source == "default" else f"{source}\t{event_id}"


def _order(payload: dict[str, Any], registry: Registry) -> Order:
    """Return an order; its event was checked when it was recorded, so that what it says of itself holds."""
    event = registry.reader.read(payload, own=True)
    assert isinstance(event, Purchase)  # noqa: S101 - narrows for the type checker
    return event.order_in(registry.context.currency.code)


def _amounts(payload: dict[str, Any], registry: Registry) -> tuple[int, int]:
    """Return an order's total and what was taken off it, without reading more of its event than is needed."""
    decimals = registry.context.currency.decimals
    lines, off = payload.get("lines"), payload.get("discount")
    if payload.get("tax_added") or (lines and not all(map(_is_plain, lines))):
        order = _order(payload, registry)
        return order.total, order.discount
    gross = sum(_line_amount(line, decimals) for line in lines) if lines else read_units(payload["amount"], decimals)
    discount = read_units(off, decimals) if off else 0
    return gross - discount, discount


def _is_plain(line: dict[str, Any]) -> bool:
    """Whether what a line costs needs no rounding: its amount, or the price of whole pieces."""
    return line.get("amount") is not None or isinstance(line.get("quantity", 1), int)


def _line_amount(line: dict[str, Any], decimals: int) -> int:
    amount = line.get("amount")
    if amount is not None:
        return read_units(amount, decimals)
    return int(line.get("quantity", 1)) * read_units(line["unit_price"], decimals)


def _came_back(memo: dict[str, Any]) -> int:
    if memo.get("unknown_purchase"):
        return int(memo["outside"])
    return sum(value for _, _, value in memo.get("came", ()))


def _bought(row: SaleRow, name: str, order: Order) -> Iterator[tuple[Any, ...]]:
    for line in order.lines:
        if line.kind == _GOODS:
            said = (line.sku, line.category, "\t".join(line.labels))
            yield row.ref, row.at, "purchase", name, None, line.number, *said, line.quantity, line.net


def _brought_back(row: SaleRow, name: str, about: str | None, memo: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for number, quantity, value in memo.get("came", ()):
        if number:
            yield row.ref, row.at, "return", name, about, number, None, None, None, quantity, value


def _accounts(engine: Engine, until: int) -> pl.LazyFrame:
    """Return one row an account that was opened, with its status and attributes as of the instant."""
    import polars as pl

    with engine.store.reader() as session:
        frame = _frame(accounts(session, until), ("account", "opened_at"))
        changed = dict(statuses(session, until))
        said: dict[str, dict[str, str]] = {}
        for name, ref, value in attributes(session, until):
            said.setdefault(name, {})[ref] = value
    refs = frame["account"]
    columns = [refs.replace_strict(changed, default="open", return_dtype=pl.String).alias("status")]
    columns += [
        refs.replace_strict(said.get(name, {}), default=None, return_dtype=pl.String).alias(name)
        for name in engine.registry(until).context.attributes
    ]
    return frame.with_columns(columns).lazy()


def _movements(engine: Engine, until: int) -> pl.LazyFrame:
    """Return one row an event that changed what an account holds of the program's currency."""
    asset = engine.registry(until).context.currency.code
    with engine.store.reader() as session:
        rows = (
            (ref, at, kind, change)
            for ref, at, kind, postings in moved(session, until, asset)
            if (change := _change(orjson.loads(postings), asset))
        )
        return _frame(rows, ("account", "at", "kind", "amount")).lazy()


def _change(postings: Iterable[Sequence[Any]], asset: str) -> int:
    return sum(
        units * (isinstance(destination, int) - isinstance(source, int))
        for code, units, source, destination, *_ in postings
        if code == asset
    )


def _activity(engine: Engine, until: int) -> pl.LazyFrame:
    """Return one row an accepted event."""
    with engine.store.reader() as session:
        rows = (
            (ref, at, kind, orjson.loads(payload).get("reason") if '"reason"' in payload else None)
            for ref, at, kind, payload in happenings(session, until)
        )
        return _frame(rows, ("account", "at", "kind", "reason")).lazy()


def _frame(rows: Iterable[tuple[Any, ...]], columns: Sequence[str]) -> pl.DataFrame:
    """Return rows as a frame: whole numbers where the columns count or tell time, text elsewhere."""
    import polars as pl

    numbers = {"at", "opened_at", "amount", "discount", "number", "quantity"}
    schema = {name: pl.Int64 if name in numbers else pl.String for name in columns}
    parts, rows = [pl.DataFrame(schema=schema)], iter(rows)
    while some := list(islice(rows, _CHUNK)):
        parts.append(pl.DataFrame(some, schema=schema, orient="row"))
    instants = [pl.col(name).cast(pl.Datetime("us", "UTC")) for name in ("at", "opened_at") if name in columns]
    return pl.concat(parts).with_columns(instants)
