"""What plugins may share, tally, owe and close: carried out, or refused with the plugin's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from stampbook import (
    Award,
    Debt,
    Earned,
    Entitlement,
    Event,
    InvariantError,
    Message,
    Order,
    Plugin,
    PluginConfig,
    PluginError,
    Purchase,
    Share,
    StatusChange,
    Tally,
    Window,
    hookimpl,
)
from stampbook.testing import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROGRAM = """
[program]
name = "Sharing"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"

[assets.points]
debt = true
[assets.stars]

[metrics.visits]
count = true
window = "calendar month"

[[plugin]]
use = "toy"
"""


class Asked(Event):
    earns = False
    type: Literal["asked"] = "asked"


class Config(PluginConfig):
    """Nothing to choose."""


class Toy(Plugin[Config]):
    """Does what the test at hand wants."""

    Config = Config
    proposals: tuple[Any, ...] = ()
    shares: tuple[Any, ...] = ()

    def prepare(self) -> None:
        """Declare a counter."""
        self.program.declare_counter("toy/own", 2, Window.parse("7 days"))

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Asked]

    @hookimpl
    def propose(self) -> Iterable[Any]:
        return self.proposals

    @hookimpl
    def reward(self, event: Event, order: Order | None) -> Iterable[Any]:
        if isinstance(event, Purchase) and order is not None:
            lines = tuple((line.number, line.net) for line in order.lines)
            yield Award("toy.base", "points", order.net, 100, lines=lines if len(lines) > 1 else ())
        elif event.type == "asked":
            yield Entitlement("toy.never", "points", 5)

    @hookimpl
    def share(self, earned: Sequence[Earned]) -> Iterable[Any]:
        return self.shares if earned else ()


def told(units: int, by_line: tuple[tuple[int, int], ...] = (), *, on_return: str = "", **data: Any) -> Message:
    data = {"units": units, **data}
    return Message("other", "asked", data, required=False, on_return=on_return, by_line=by_line)


def ledger(proposals: tuple[Any, ...] = (), shares: tuple[Any, ...] = ()) -> Ledger:
    class Own(Toy):
        """The toy of one test."""

    Own.proposals, Own.shares = proposals, shares
    return Ledger(PROGRAM, plugins={"toy": Own})


LINES = [{"amount": "3.00"}, {"amount": "4.00"}]


@pytest.mark.parametrize(
    "share",
    [
        Share("toy.other", 1, told(1)),
        Share("toy.base", 0, told(0)),
        Share("toy.base", 8, told(8, ((1, 3), (2, 5)))),
        Share("toy.base", 5, told(5)),
        Share("toy.base", 5, told(5, ((1, 4), (2, 1)))),
        Share("toy.base", 5, told(5, ((1, 1), (2, 1)))),
        Share("toy.base", 5, told(5, ((1, 2), (3, 3)))),
        "half of it",
        Share("toy.base", "five", told(5)),  # type: ignore[arg-type]  # as an untyped plugin may
        Share("toy.base", 5, "to bob"),  # type: ignore[arg-type]  # the same
    ],
)
def test_only_a_part_of_what_was_earned_is_shared(share: Any) -> None:
    with pytest.raises(PluginError, match=r"plugin 'toy' shares"):
        ledger(shares=(share,)).post(type="purchase", lines=LINES)


def test_a_part_of_each_line_is_shared_and_the_rest_kept() -> None:
    books = ledger(shares=(Share("toy.base", 5, told(5, ((1, 2), (2, 3)))),))
    assert books.post(type="purchase", lines=LINES).accepted
    assert books.balance("points") == "2"
    assert books.trace()["shared"] == [["toy.base", "other", 5]]


def test_what_could_come_back_has_units() -> None:
    message = told(0, on_return="asked")._replace(data={})
    with pytest.raises(PluginError, match="no units of which a part could come back"):
        ledger(shares=(Share("toy.base", 1, message),)).post(type="purchase", amount="3.00")


def test_metrics_and_counters_of_a_plugins_own_are_tallied() -> None:
    books = ledger(proposals=(Tally("visits", 3), Tally("toy/own", 250), Tally("toy/own", 100, 1)))
    assert books.post(type="asked").accepted
    assert (books.view().metric("visits"), books.view().metric("toy/own")) == (3, 250)


def test_an_event_that_earns_nothing_is_not_rewarded() -> None:
    books = ledger()
    books.post(type="asked")
    assert books.balance("points") == "0"


def test_a_debt_is_owed() -> None:
    books = ledger(proposals=(Debt("points", 5, "promotion"),))
    books.post(type="asked")
    assert books.owed("points") == "5"
    books.post(type="purchase", amount="7.00")
    assert (books.owed("points"), books.balance("points")) == ("0", "2")


@pytest.mark.parametrize(
    ("proposal", "error", "message"),
    [
        (Tally("visit", 1), PluginError, "'visit', which is no metric"),
        (Tally("visits", 1, -1), PluginError, "cannot be kept"),
        (Tally("visits", 10**19), PluginError, "cannot be kept"),
        (StatusChange("gone"), PluginError, "makes an account 'gone'"),
        (Debt("stars", 1, "promotion"), InvariantError, "allows no debt of stars"),
        (Debt("points", 0, "promotion"), PluginError, "no amount above zero"),
        ("something", PluginError, "none of what it may propose"),
    ],
)
def test_what_no_plugin_may_propose(proposal: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ledger(proposals=(proposal,)).post(type="asked")


def test_an_account_is_closed_only_when_it_is_empty() -> None:
    books = ledger(proposals=(StatusChange("closed"),))
    books.post(type="purchase", amount="7.00")
    with pytest.raises(InvariantError, match="I24"):
        books.post(type="asked")
    books.post(type="spend", asset="points", amount="7")
    assert books.post(type="asked").accepted
    assert books.view().status == "closed"
