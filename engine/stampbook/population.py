"""What segmentation schemes look at: purchases and returns, their lines, accounts, stored value, events and metrics.

Frames may be of Polars, or narwhals frames over any engine.
"""

from __future__ import annotations

from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stampbook.errors import InputError, near

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import TypeAlias

    import narwhals as nw
    import polars as pl

    Frame: TypeAlias = pl.LazyFrame | nw.LazyFrame[Any]

HISTORY_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account": "String",
        "at": "Datetime",
        "kind": "String",
        "amount": "Int64",
        "event": "String",
        "about": "String",
    }
)
"""The columns of a history and their types, one row a purchase or return.

`at` bears a time zone; `kind` is "purchase" or "return"; `amount` is in minor units and never negative, that
of a return being what it takes off; `event` is the id, unique within its account; `about` is the event id of
the purchase that a return names, or null.
"""

OPTIONAL_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {"discount": "Int64", "channel": "String", "store": "String"}
)
"""Further columns that a history may have: what was taken off the order in all, the sales channel and the store.

Null where it is not known; a ledger's history has all of them.
"""

LINE_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account": "String",
        "at": "Datetime",
        "kind": "String",
        "event": "String",
        "about": "String",
        "sku": "String",
        "category": "String",
        "labels": "String",
        "quantity": "Int64",
        "amount": "Int64",
    }
)
"""The columns of the lines of orders, and of what of them came back: `at`, `kind`, `event` and `about` as in a history.

`labels` are joined by tabs; `quantity` is in millionths of a piece; `amount` is what the line cost after its share of
the order's discount, or what came back for it, and never negative. An order that is one amount has no lines; a
return by amount is spread over all of them, without pieces.
"""

ACCOUNT_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {"account": "String", "opened_at": "Datetime", "status": "String"}
)
"""The columns of accounts, besides which there is one of text for each attribute that the program declares.

`status` is "open", "frozen" or "closed"; an attribute that is not known is null. Accounts of a ledger that are no
customers are not among them: a card, a voucher, and what was merged into another account.
"""

MOVEMENT_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {"account": "String", "at": "Datetime", "kind": "String", "amount": "Int64"}
)
"""The columns of movements of stored value: `kind` is that of the event, `amount` is negative where value left.

What moved on a card that is registered for a customer is told of the customer, what moved on any other card of nobody.
"""

ACTIVITY_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {"account": "String", "at": "Datetime", "kind": "String", "reason": "String"}
)
"""The columns of accepted events: `kind` is that of the event, such as "return" or one that the program declares."""

COUNT_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account": "String",
        "at": "Datetime",
        "metric": "String",
        "value": "String",
        "day": "Date",
        "amount": "Int64",
    }
)
"""The columns of what the program's metrics counted, one row a change: `at` is when the event happened that counted.

`day` is the local day that it counts on: a return takes off on the day of its purchase. `amount` is in the smallest
units of the metric, negative where something was taken off. `value` is, of a metric that counts how many different
texts there were, such a text; null of all others.
"""

PURCHASE_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account": "String",
        "event": "String",
        "at": "Datetime",
        "amount": "Int64",
        "net": "Int64",
        "returned": "Int64",
        "counted": "Boolean",
    }
)
"""The columns of purchases net of returns, which are worked out of a history: see `stampbook.netting.net_purchases`.

Whoever has a row in the history has one here. `OPTIONAL_COLUMNS` follow, as far as the history has them.
"""

_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "history": HISTORY_COLUMNS,
        "lines": LINE_COLUMNS,
        "accounts": ACCOUNT_COLUMNS,
        "movements": MOVEMENT_COLUMNS,
        "activity": ACTIVITY_COLUMNS,
        "counts": COUNT_COLUMNS,
    }
)


class Frames(NamedTuple):
    """What schemes look at: the history, and whichever of the other frames of the `segment` hook there are."""

    history: Frame
    lines: Frame | None = None
    accounts: Frame | None = None
    movements: Frame | None = None
    activity: Frame | None = None
    counts: Frame | None = None


def columns_of(name: str) -> frozenset[str]:
    """Return the columns of a frame, those included that it need not have; none of accounts, which may have any."""
    if name == "accounts":
        return frozenset()
    return frozenset(_COLUMNS[name]) | (frozenset(OPTIONAL_COLUMNS) if name == "history" else frozenset())


def frames_wanted(plugin: Any) -> frozenset[str]:
    """Return the frames that a scheme needs: those that its `segment` hook names without a default, and `looks_at`."""
    named = {name for name, each in signature(plugin.segment).parameters.items() if each.default is each.empty}
    return frozenset(named | plugin.looks_at).intersection({*Frames._fields, "purchases"}) | {"history"}


def until(given: Frame, at: datetime, name: str) -> nw.LazyFrame[Any]:
    """Return a frame without what came after an instant; an account came when it was opened."""
    import narwhals as nw

    return checked(given, name).filter(nw.col("opened_at" if name == "accounts" else "at") <= at)


def checked(given: Frame, name: str) -> nw.LazyFrame[Any]:
    """Return a frame, if it has the columns that one of its name has; instants of any time zone are told in UTC.

    Raises:
        InputError: a column is missing or of another type.
    """
    import narwhals as nw

    frame: nw.LazyFrame[Any] = nw.from_native(given).lazy()
    schema = frame.collect_schema()
    known = dict(_COLUMNS[name])
    if name == "history":
        known |= {column: kind for column, kind in OPTIONAL_COLUMNS.items() if column in schema}
    elsewhere: list[str] = []
    for column, expected in known.items():
        if column not in schema:
            raise InputError(f"{name}: no column {column!r}{near(column, schema)}")
        found = schema[column]
        if type(found).__name__ != expected:
            raise InputError(f"{name}: column {column!r} is {found}, not {expected}")
        if isinstance(found, nw.Datetime):
            if found.time_zone is None:
                raise InputError(f"{name}: column {column!r} has no time zone")
            if found.time_zone != "UTC":
                elsewhere.append(column)
    return frame.with_columns(nw.col(*elsewhere).dt.convert_time_zone("UTC")) if elsewhere else frame


def collected(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Return a frame of any engine in Polars, in no particular order; Polars itself goes through it in small pieces."""
    import polars as pl

    native = frame.to_native()
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming")
    found: pl.DataFrame = frame.collect("polars").to_native()
    return found


def worked_out(frame: nw.LazyFrame[Any], *, by: str = "") -> nw.LazyFrame[Any]:
    """Return a frame that several parts of a calculation look at, worked out once and held: in memory, or by Spark.

    Other engines work it out whenever it is looked at. Polars puts rows with the same text in the column `by` together,
    if there is one: they are grouped several times as fast.
    """
    import narwhals as nw
    import polars as pl

    from stampbook.ordering import together

    native: Any = frame.to_native()
    if frame.implementation.is_spark_like():
        native = native.persist()
    elif isinstance(native, pl.LazyFrame):
        held_rows = collected(frame)
        native = (together(held_rows, by) if by else held_rows).lazy()
    held: nw.LazyFrame[Any] = nw.from_native(native)
    return held
