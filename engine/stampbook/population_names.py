"""What conditions of segmentation schemes may read: an account as it was, what its history comes to, and its metrics.

A compiled condition is asked of a row, ``condition.test(None, None, None, row, None)``: a mapping whose keys are the
names that it reads with an underscore for the full stop, as in ``account_region``, ``metric_spend`` and ``event_at``,
so that an attribute may be called like a measure.
Its values are whole numbers: money in minor units, instants in microseconds since 1970, shares in ten-thousandths
rounded half up, so that a condition compares exact numbers; texts are never null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stampbook.expressions import Field as Name
from stampbook.expressions import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.expressions import Scope

_SHARE_DECIMALS: Final = 4
_STATUSES: Final = ("open", "frozen", "closed")


def population_scope(decimals: int, attributes: Iterable[str], metrics: Mapping[str, int]) -> Scope:
    """Return the names: `account`, with attributes as texts, `history`, `metric`, and the instant as `event.at`.

    Args:
        decimals: of the program's currency.
        attributes: that the program declares.
        metrics: the decimals of each metric that it declares.
    """

    def number(key: str, about: str, places: int = 0) -> Name:
        return Name(Kind.NUMBER, f"account[{key!r}]", places, about)

    return {
        "event": {"at": Name(Kind.INSTANT, "account['event_at']", about="the instant of the run")},
        "account": {
            **{name: Name(Kind.TEXT, f"account['account_{name}']", about="an attribute, or ''") for name in attributes},
            "ref": Name(Kind.TEXT, "account['account_ref']", about="the operator's name for the account"),
            "status": Name(
                Kind.TEXT,
                "account['account_status']",
                about="'open', 'frozen' or 'closed'",
                values=("open", "frozen", "closed"),
            ),
            "opened_at": Name(Kind.INSTANT, "account['account_opened_at']", about="when it was opened"),
            "stored_value": number("account_stored_value", "what it holds in the program's currency", decimals),
        },
        "history": {
            "orders": number("history_orders", "purchases in the window of which something was kept"),
            "net": number("history_net", "what was paid in the window, less what came back", decimals),
            "mean_order": number("history_mean_order", "net over orders, rounded down; 0 without orders", decimals),
            "days_since_last": number(
                "history_days_since_last", "days since the last purchase that was kept; 99999 if none"
            ),
            "days_since_first": number("history_days_since_first", "days since the first one, ever; 99999 if none"),
            "returns": number("history_returns", "returns in the window"),
            "returned_share": number(
                "history_returned_share", "share of the value bought in the window that came back", _SHARE_DECIMALS
            ),
            "discounted_share": number(
                "history_discounted_share", "share of the orders in the window with a discount", _SHARE_DECIMALS
            ),
        },
        "metric": {
            name: number(f"metric_{name}", "what it counted in the window", places) for name, places in metrics.items()
        },
    }
