"""What the conditions of custom segments read of a population, on narwhals frames.

Only purchases of which something was kept count as orders; a purchase enters the window with all that came back of it,
whenever it did. Shares are in ten-thousandths, rounded half up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from stampbook import InputError, days_since, from_on, near, net_purchases

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

NEVER_DAYS: Final = 99_999
STORED: Final = "account.stored_value"
_SHARE: Final = 10_000


def measure(
    history: nw.LazyFrame[Any],
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
        found = found.join(_of_history(history, at, since), on="account", how="left")
        found = found.with_columns(
            *(nw.col(name).fill_null(0).cast(nw.Int64) for name in _COUNTS),
            *(nw.col(name).fill_null(NEVER_DAYS).cast(nw.Int64) for name in ("days_since_last", "days_since_first")),
        )
    if movements is not None:
        held = movements.filter(nw.col("at") <= at).group_by("account").agg(stored_value=nw.col("amount").sum())
        found = found.join(held, on="account", how="left")
        found = found.with_columns(stored_value=nw.col("stored_value").fill_null(0).cast(nw.Int64))
    measured = [name for name in sorted(reads) if name not in own and name != "event.at"]
    return found.select("account", *map(_key, own), *(nw.col(_field(name)).alias(_key(name)) for name in measured))


_COUNTS: Final = ("orders", "net", "mean_order", "returns", "returned_share", "discounted_share")


def _key(name: str) -> str:
    return name.replace(".", "_", 1)


def _field(name: str) -> str:
    return "account" if name == "account.ref" else name.partition(".")[2]


def _of_history(history: nw.LazyFrame[Any], at: datetime, since: datetime | None) -> nw.LazyFrame[Any]:
    bought = net_purchases(history, at)
    if "discount" not in bought.collect_schema().names():
        bought = bought.with_columns(discount=nw.col("amount") * 0)
    counted, engine = nw.col("counted"), history.implementation
    ever = bought.filter(counted).group_by("account").agg(_first=nw.col("at").min(), _last=nw.col("at").max())
    ever = ever.select(
        "account",
        days_since_first=days_since(nw.col("_first"), at, engine),
        days_since_last=days_since(nw.col("_last"), at, engine),
    )
    off = counted & (nw.col("discount").fill_null(0) > 0)
    sums = (
        from_on(bought, since)
        .with_columns(
            _order=nw.when(counted).then(1).otherwise(0),
            _off=nw.when(off).then(1).otherwise(0),
            _back=nw.when(nw.col("amount") > 0).then(nw.col("amount") - nw.col("net")).otherwise(0),
        )
        .group_by("account")
        .agg(
            orders=nw.col("_order").sum(),
            net=nw.col("net").sum(),
            _bought=nw.col("amount").sum(),
            _back=nw.col("_back").sum(),
            _off=nw.col("_off").sum(),
        )
    )
    returned = from_on(history.filter((nw.col("kind") == "return") & (nw.col("at") <= at)), since)
    many = returned.group_by("account").agg(returns=nw.len())
    shares = sums.with_columns(
        mean_order=nw.col("net") // _least_one("orders"),
        returned_share=_rounded("_back", "_bought"),
        discounted_share=_rounded("_off", "orders"),
    ).drop("_bought", "_back", "_off")
    everyone = history.filter(nw.col("at") <= at).group_by("account").agg(_rows=nw.len()).select("account")
    for part in (ever, shares, many):
        everyone = everyone.join(part, on="account", how="left")
    return everyone


def _least_one(column: str) -> nw.Expr:
    return nw.when(nw.col(column) > 0).then(nw.col(column)).otherwise(1)


def _rounded(part: str, whole: str) -> nw.Expr:
    return (2 * _SHARE * nw.col(part) + nw.col(whole)) // (2 * _least_one(whole))
