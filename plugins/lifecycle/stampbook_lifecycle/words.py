"""Why an account is in its stage, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stampbook import Asset
    from stampbook_lifecycle.config import LifecycleConfig


def reasons(row: Mapping[str, Any], config: LifecycleConfig, currency: Asset) -> Sequence[str]:
    """Say it: "at_risk: 31 days since the last visit, late after 20"."""
    name, since = row["segment"], row["days_since"]
    if since is None:
        return (f"{name}: never kept a purchase",)
    if config.rule == "lapse":
        said = f"lost from {config.lapse_days} on, at risk from {config.at_risk_from} of that"
    else:
        said = f"late after {row['limit_days']}, lost beyond {config.lost_after} times that"
    last = f"{name}: {_days(since)} since the last visit, {said}"
    # Stages that share a name cannot be told apart by it, so then only what holds of all of them is said.
    stages = [stage for stage, own in config.names.items() if own == name]
    stage = stages[0] if len(stages) == 1 else None
    more = {
        "new": f"the first visit was {_days(row['days_known'])} ago, new until {config.new_days}",
        "growing": (
            f"{currency.told(row['recent'])} in the last {config.trend_days} days after {currency.told(row['before'])} "
            f"in those before, growing from {config.growing_from} times that"
        ),
        "won_back": f"came back within {config.won_back_days} days after a gap as long as that of the lost",
        "mature": f"{row['visits']} visits in {_days(row['days_known'])}",
    }.get(stage or "")
    return (last,) if more is None else (last, more)


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
