"""What the conditions of custom segments read of a population, on narwhals frames.

Only purchases of which something was kept count as orders; a purchase enters the window with all that came back of it,
whenever it did. Shares are in ten-thousandths, rounded half up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from stampbook import InputError, days_since, from_on, near

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

NEVER_DAYS: Final = 99_999
STORED: Final = "account.stored_value"
_SHARE: Final = 10_000


def measure(
    history: nw.LazyFrame[Any],
    purchases: nw.LazyFrame[Any],
    accounts: nw.LazyFrame[Any],
    movements: nw.LazyFrame[Any] | None,
    at: datetime,
    *,
    since: datetime | None,
    reads: Collection[str],
) -> nw.LazyFrame[Any]:
    """Return one row an account: `account`, and what conditions read, with an underscore for the full stop of its name.

    Raises:
        InputError: the accounts have no column for an attribute that a condition reads.
    """
    own = {name: _field(name) for name in sorted(reads) if name.startswith("account.") and name != STORED}
    columns = accounts.collect_schema().names()
    for name in own.values():
        if name not in columns:
            message = f"accounts: no column {name!r}{near(name, columns)}, which a condition reads"
            raise InputError(message)
    found = accounts.select("account", *(nw.col(field).alias(_key(name)) for name, field in own.items()))
    if any(name.startswith("history.") for name in reads):
        found = found.join(_of_purchases(purchases, at, since), on="account", how="left")
        if "history.returns" in reads:
            found = found.join(_returns(history, at, since), on="account", how="left")
        else:
            found = found.with_columns(returns=nw.lit(0))
        found = found.with_columns(
            *(nw.col(name).fill_null(0).cast(nw.Int64) for name in _COUNTS),
            *(nw.col(name).fill_null(NEVER_DAYS).cast(nw.Int64) for name in ("days_since_last", "days_since_first")),
        )
    if movements is not None:
        held = movements.filter(nw.col("at") <= at).group_by("account").agg(stored_value=nw.col("amount").sum())
        found = found.join(held, on="account", how="left")
        found = found.with_columns(stored_value=nw.col("stored_value").fill_null(0).cast(nw.Int64))
    measured = [name for name in sorted(reads) if name not in own and name.startswith(("history.", STORED))]
    return found.select("account", *map(_key, own), *(nw.col(_field(name)).alias(_key(name)) for name in measured))


def with_metrics(found: nw.LazyFrame[Any], sums: Mapping[str, nw.LazyFrame[Any]]) -> nw.LazyFrame[Any]:
    """Return the rows with what metrics come to; nothing where an account never counted anything."""
    for name, each in sums.items():
        key = _key(f"metric.{name}")
        found = found.join(each.rename({"amount": key}), on="account", how="left")
        found = found.with_columns(nw.col(key).fill_null(0).cast(nw.Int64))
    return found


_COUNTS: Final = ("orders", "net", "mean_order", "returns", "returned_share", "discounted_share")


def _key(name: str) -> str:
    return name.replace(".", "_", 1)


def _field(name: str) -> str:
    return "account" if name == "account.ref" else name.partition(".")[2]


def _of_purchases(purchases: nw.LazyFrame[Any], at: datetime, since: datetime | None) -> nw.LazyFrame[Any]:
    if "discount" not in purchases.collect_schema().names():
        purchases = purchases.with_columns(discount=nw.col("amount") * 0)
    kept, amount, net = nw.col("counted"), nw.col("amount"), nw.col("net")
    counted, engine = kept, purchases.implementation
    if since is not None:
        within = nw.col("at") >= since
        counted = kept & within
        amount, net = (nw.when(within).then(value).otherwise(0) for value in (amount, net))
    return (
        purchases.select(
            "account",
            _kept_at=nw.when(kept).then(nw.col("at")),
            _order=nw.when(counted).then(1).otherwise(0),
            _off=nw.when(counted & (nw.col("discount").fill_null(0) > 0)).then(1).otherwise(0),
            _back=nw.when(amount > 0).then(nw.col("amount") - nw.col("net")).otherwise(0),
            _bought=amount,
            _net=net,
        )
        .group_by("account")
        .agg(
            _first=nw.col("_kept_at").min(),
            _last=nw.col("_kept_at").max(),
            orders=nw.col("_order").sum(),
            net=nw.col("_net").sum(),
            _bought=nw.col("_bought").sum(),
            _back=nw.col("_back").sum(),
            _off=nw.col("_off").sum(),
        )
        .with_columns(
            days_since_first=days_since(nw.col("_first"), at, engine),
            days_since_last=days_since(nw.col("_last"), at, engine),
            mean_order=nw.col("net") // _least_one("orders"),
            returned_share=_rounded("_back", "_bought"),
            discounted_share=_rounded("_off", "orders"),
        )
        .drop("_first", "_last", "_bought", "_back", "_off")
    )


def _returns(history: nw.LazyFrame[Any], at: datetime, since: datetime | None) -> nw.LazyFrame[Any]:
    returned = from_on(history.filter((nw.col("kind") == "return") & (nw.col("at") <= at)), since)
    return returned.group_by("account").agg(returns=nw.len())


def _least_one(column: str) -> nw.Expr:
    return nw.when(nw.col(column) > 0).then(nw.col(column)).otherwise(1)


def _rounded(part: str, whole: str) -> nw.Expr:
    return (2 * _SHARE * nw.col(part) + nw.col(whole)) // (2 * _least_one(whole))
