"""Why an account is in its class, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import Context
    from stampbook_abc.config import AbcConfig

_PIECE = 1_000_000


def reasons(row: Mapping[str, Any], config: AbcConfig, program: Context) -> tuple[str, ...]:
    """Say it: "A: 1200.00 GBP, rank 3; the accounts down to it bring 41.2 % of all".

    Args:
        row: the account's row of the result, by column.
        config: the options.
        program: in which the units of money and metrics are told.
    """
    what = _told(row["value"], config, program)
    if row["rank"] is None:
        return (f"{row['segment']}: {what}, which brings nothing",)
    through = 100 * row["cumulative_share"]
    return (f"{row['segment']}: {what}, rank {row['rank']}; the accounts down to it bring {through:.1f} % of all",)


def _told(value: int, config: AbcConfig, program: Context) -> str:
    if config.metric:
        return program.metric_told(config.metric, value)
    return {
        "revenue": f"{program.currency.told(value)} net",
        "margin": f"{program.currency.told(value)} of margin",
        "orders": f"{value} order{'' if value == 1 else 's'}",
        "quantity": f"{value / _PIECE:g} pieces",
    }[config.by]
