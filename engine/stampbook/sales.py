"""Purchases and returns of a ledger as columns: most at once, in the language of frames, the rest one by one.

What an order came to must be what the engine said of it, to the unit. So only orders whose total is a plain sum are
added up by column; those with tax on top, with broken quantities or, where lines are asked for, with a discount to be
shared, are read as the events that they were, and so are returns.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from stampbook.event_fields import QUANTITY_DECIMALS
from stampbook.events import Purchase
from stampbook.states import Judges
from stampbook.store.histories import SaleRow
from stampbook.store.rows import came_back, event_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.orders import Order
    from stampbook.registry import Registry

_CHUNK: Final = 50_000
_GOODS: Final = "goods"
SALE: Final = ("account", "at", "kind", "amount", "event", "about", "discount", "channel", "store", "foreign")
LINE: Final = ("account", "at", "kind", "event", "about", "number", "sku", "category", "labels", "quantity", "amount")
_NUMBERS: Final = {"at", "opened_at", "amount", "discount", "number", "quantity", "foreign", "day"}


class Sold(NamedTuple):
    """Purchases and returns as columns, and their lines where they are wanted.

    `foreign` says of a sale that it was in another currency: it is only counted, and has no amount and no lines.
    """

    sales: pl.DataFrame
    lines: pl.DataFrame | None


class Sales:
    """Tells purchases and returns of rows of the journal, with their lines where they are wanted."""

    def __init__(self, engine: Engine, currency: str, *, with_lines: bool) -> None:
        self._judges = Judges(engine)
        self._currency = currency
        self._with_lines = with_lines
        with engine.store.reader() as session:
            self._programs: Mapping[int, str] = session.programs

    def told(self, columns: pl.DataFrame) -> Sold:
        """Return the sales of some rows of `SalesColumns`: by column what can be, and the rest row by row."""
        import polars as pl

        sales, lines = [frame_of([], SALE)], [frame_of([], LINE)]
        rest = columns.filter(pl.col("type") != "purchase")
        bought = columns.filter(pl.col("type") == "purchase")
        for part in bought.partition_by("program_id"):
            asset = self._judges[self._programs[part["program_id"][0]]].context.currency
            read = _Orders(part, asset.code, asset.decimals, with_lines=self._with_lines)
            foreign = pl.col("currency") != self._currency
            orders = read.orders.with_columns(
                amount=pl.when(~foreign).then("amount").otherwise(0), foreign=foreign.cast(pl.Int64)
            )
            sales.append(orders.select(SALE))
            if self._with_lines:
                lines.append(read.lines(orders.filter(~foreign)).select(LINE))
            rest.extend(part[read.rest])
        names = ("ref", "type", "source", "event_id", "at", "program_id", "payload", "effects")
        rows = (SaleRow._make((*row[:5], self._programs[row[5]], *row[6:])) for row in rest.select(names).iter_rows())
        while some := list(islice(rows, _CHUNK)):
            by_row = self._by_row(some)
            sales.append(frame_of(by_row[0], SALE))
            lines.append(frame_of(by_row[1] if self._with_lines else (), LINE))
        return Sold(pl.concat(sales), pl.concat(lines) if self._with_lines else None)

    def _by_row(self, rows: Sequence[SaleRow]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        sales: list[tuple[Any, ...]] = []
        lines: list[tuple[Any, ...]] = []
        for row in rows:
            registry = self._judges[row.program]
            payload = orjson.loads(row.payload)
            name = event_name(row.source, row.event_id)
            if (payload.get("currency") or registry.context.currency.code) != self._currency:
                sales.append(_foreign(row, name, payload))
            elif row.type == "purchase":
                order = _order(payload, registry)
                place = order.channel or None, order.store or None
                sales.append((row.ref, row.at, "purchase", order.total, name, None, order.discount, *place, 0))
                lines.extend(_bought(row, name, order) if payload.get("lines") else ())
            else:
                about = _about(row, payload)
                memo = orjson.loads(row.effects).get("memo", {})
                sales.append((row.ref, row.at, "return", came_back(memo), name, about, 0, None, None, 0))
                lines.extend(_brought_back(row, name, about, memo))
        return sales, lines


def of_their_purchases(sales: pl.LazyFrame) -> pl.LazyFrame:
    """Return sales in which a return is in the currency of the purchase that it names, as it need not say its own."""
    import polars as pl

    bought = sales.filter(pl.col("kind") == "purchase")
    named = bought.select("account", about="event", _foreign="foreign").unique(["account", "about"])
    of_purchase = pl.when(pl.col("kind") == "return").then("_foreign")
    return (
        sales.join(named, on=["account", "about"], how="left", maintain_order="left")
        .with_columns(foreign=pl.coalesce(of_purchase, "foreign"))
        .drop("_foreign")
    )


def history_of(sales: pl.LazyFrame) -> pl.LazyFrame:
    """Return the history that sales make, without those in other currencies."""
    import polars as pl

    return sales.filter(pl.col("foreign") == 0).drop("foreign")


def lines_of(told: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row a line; what came back of one is told by the line of the purchase."""
    import polars as pl

    bought, back = told.filter(pl.col("kind") == "purchase"), told.filter(pl.col("kind") == "return")
    said = ("sku", "category", "labels")
    of_lines = bought.select("account", "number", *said, about="event")
    named = back.drop(*said).join(of_lines, on=["account", "about", "number"], how="inner")
    return pl.concat([bought.select(LINE), named.select(LINE)]).drop("number")


class _Orders:
    """Purchases that one program judged: those that are plain sums as columns, and which rows are not.

    Attributes:
        orders: columns of a history, with `currency` and the number of the `row`.
        rest: the numbers of the rows that are no plain sums.
    """

    def __init__(self, rows: pl.DataFrame, currency: str, decimals: int, *, with_lines: bool) -> None:
        import polars as pl

        self._decimals = decimals
        line: dict[str, Any] = {"amount": pl.String, "unit_price": pl.String, "quantity": pl.String}
        if with_lines:
            line |= {"sku": pl.String, "category": pl.String, "kind": pl.String, "labels": pl.List(pl.String)}
        said = pl.Struct(
            {
                **dict.fromkeys(("currency", "amount", "discount", "channel", "store"), pl.String),
                "tax_added": pl.Boolean,
                "lines": pl.List(pl.Struct(line)),
            }
        )
        read = rows.with_row_index("row").with_columns(pl.col("payload").str.json_decode(said)).unnest("payload")
        self._lines = self._priced(read)
        gross = self._lines.group_by("row").agg(
            gross=pl.when(pl.col("cost").is_not_null().all()).then(pl.col("cost").sum())
        )
        nothing = pl.lit(0, pl.Int64)
        off = pl.when(pl.col("discount").is_null()).then(nothing).otherwise(self._units("discount"))
        has_lines = pl.col("lines").list.len().fill_null(0) > 0
        counted = read.join(gross, on="row", how="left").with_columns(
            off=off, gross=pl.when(has_lines).then("gross").otherwise(self._units("amount"))
        )
        plain = (pl.col("gross") - pl.col("off")).is_not_null() & ~pl.col("tax_added").fill_null(value=False)
        if with_lines:
            plain &= ~has_lines | (pl.col("off") == 0)
        self.rest: pl.Series = counted.filter(~plain)["row"]
        name = (
            pl.when(pl.col("source") == "default").then("event_id").otherwise(pl.format("{}\t{}", "source", "event_id"))
        )
        self.orders = counted.filter(plain).select(
            "row",
            pl.col("currency").fill_null(currency),
            pl.lit("purchase").alias("kind"),
            pl.lit(None, pl.String).alias("about"),
            pl.col("at").cast(pl.Datetime("us", "UTC")),
            account="ref",
            amount=pl.col("gross") - pl.col("off"),
            event=name,
            discount="off",
            channel=_said("channel"),
            store=_said("store"),
        )

    def lines(self, orders: pl.DataFrame) -> pl.DataFrame:
        """Return the lines of some of the orders."""
        import polars as pl

        return (
            self._lines.filter(pl.col("kind").fill_null(_GOODS) == _GOODS)
            .drop("kind", "amount")
            .join(orders.select("row", "account", "at", "kind", "event", "about"), on="row", how="inner")
            .with_columns(
                pl.col("sku", "category").fill_null(""),
                pl.col("labels").list.join("\t").fill_null(""),
                pl.col("pieces").alias("quantity") * 10**QUANTITY_DECIMALS,
                pl.col("cost").alias("amount"),
            )
        )

    def _priced(self, read: pl.DataFrame) -> pl.DataFrame:
        """Return the lines with what each costs: its amount, or the price of whole pieces; null where neither is so."""
        import polars as pl

        lines = read.select("row", "lines").filter(pl.col("lines").list.len() > 0).explode("lines").unnest("lines")
        pieces = pl.col("quantity").fill_null("1")
        whole = pl.when(pieces.str.contains("^[0-9]{1,9}$")).then(pieces).cast(pl.Int64)
        lines = lines.with_columns(number=pl.int_range(1, pl.len() + 1).over("row"), pieces=whole)
        own, price = self._units("amount"), self._units("unit_price")
        given = pl.col("amount").is_not_null()
        return lines.with_columns(
            cost=pl.when(given & pl.col("pieces").is_not_null())
            .then(own)
            .otherwise(pl.when(~given).then(price * pl.col("pieces")))
        )

    def _units(self, column: str) -> pl.Expr:
        """Return decimal text as smallest units; null where it is written in another way than most are."""
        import polars as pl

        text = pl.col(column)
        places = self._decimals
        plain = text.str.contains(rf"^[0-9]{{1,12}}(\.[0-9]{{1,{places}}})?$" if places else "^[0-9]{1,15}$")
        parts = text.str.split_exact(".", 1)
        rest = parts.struct.field("field_1").fill_null("").str.pad_end(places, "0") if places else pl.lit("")
        digits = pl.concat_str(parts.struct.field("field_0"), rest)
        return pl.when(plain).then(digits).cast(pl.Int64)


def _said(column: str) -> pl.Expr:
    import polars as pl

    return pl.when(pl.col(column) != "").then(column)


def _order(payload: dict[str, Any], registry: Registry) -> Order:
    """Return an order; its event was checked when it was recorded, so that what it says of itself holds."""
    event = registry.reader.read(payload, own=True)
    assert isinstance(event, Purchase)  # noqa: S101 - narrows for the type checker
    return event.order_in(registry.context.currency.code)


def _about(row: SaleRow, payload: dict[str, Any]) -> str | None:
    """Return the name of the purchase that a return names."""
    about = payload.get("purchase")
    return about and event_name(payload.get("purchase_source") or row.source, about)


def _foreign(row: SaleRow, name: str, payload: dict[str, Any]) -> tuple[Any, ...]:
    """Return a sale in another currency; a return may still turn out to be of a purchase in this one."""
    if row.type == "purchase":
        return row.ref, row.at, "purchase", 0, name, None, 0, None, None, 1
    came = came_back(orjson.loads(row.effects).get("memo", {}))
    return row.ref, row.at, "return", came, name, _about(row, payload), 0, None, None, 1


def _bought(row: SaleRow, name: str, order: Order) -> Iterator[tuple[Any, ...]]:
    for line in order.lines:
        if line.kind == _GOODS:
            said = (line.sku, line.category, "\t".join(line.labels))
            yield row.ref, row.at, "purchase", name, None, line.number, *said, line.quantity, line.net


def _brought_back(row: SaleRow, name: str, about: str | None, memo: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for number, quantity, value in memo.get("came", ()):
        if number:
            yield row.ref, row.at, "return", name, about, number, None, None, None, quantity, value


def frame_of(rows: Iterable[tuple[Any, ...]], columns: Sequence[str]) -> pl.DataFrame:
    """Return rows as a frame: whole numbers where the columns count or tell time, text elsewhere; days since 1970."""
    import polars as pl

    schema = {name: pl.Int64 if name in _NUMBERS else pl.String for name in columns}
    parts, rows = [pl.DataFrame(schema=schema)], iter(rows)
    while some := list(islice(rows, _CHUNK)):
        parts.append(pl.DataFrame(some, schema=schema, orient="row"))
    instants = [pl.col(name).cast(pl.Datetime("us", "UTC")) for name in ("at", "opened_at") if name in columns]
    days = [pl.col(name).cast(pl.Date) for name in ("day",) if name in columns]
    return pl.concat(parts).with_columns(*instants, *days)
