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
    last = f"{name}: {since} day{'' if since == 1 else 's'} since the last visit, {said}"
    stage = next(stage for stage, own in config.names.items() if own == name)
    more = {
        "new": f"the first visit was {row['days_known']} days ago, new until {config.new_days}",
        "growing": (
            f"{currency.told(row['recent'])} in the last {config.trend_days} days after {currency.told(row['before'])} "
            f"in those before, growing from {config.growing_from} times that"
        ),
        "won_back": f"came back within {config.won_back_days} days after a gap as long as that of the lost",
        "mature": f"{row['visits']} visits in {row['days_known']} days",
    }.get(stage)
    return (last,) if more is None else (last, more)
