"""What plugins may do with orders, limits and earlier events, and what no program could mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from stampbook import (
    Earlier,
    Event,
    GiveBack,
    Limit,
    Message,
    Objection,
    Payment,
    Plugin,
    PluginConfig,
    PluginError,
    Remember,
    Tally,
    hookimpl,
)
from stampbook.testing import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRAM = """
[program]
name = "Paying"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"
[assets.points]
[assets.miles]
[metrics.visits]
on = ["purchase"]
count = true
[[plugin]]
use = "payer"
[[plugin]]
use = "refunds"
"""

TENDERS = [{"kind": "points", "amount": "3.00"}, {"kind": "cash", "amount": "2.00"}]


class Did(Event):
    type: Literal["did"] = "did"


class Undid(Event):
    type: Literal["undid"] = "undid"
    about: str
    about_source: str | None = None

    @property
    def names(self) -> tuple[str, str] | None:
        return (self.about_source or self.source, self.about)


class Payer(Plugin[PluginConfig]):
    """Pays and counts as a test says."""

    pays: Any = ()
    proposes: Any = ()
    seen: Earlier | None = None

    def prepare(self) -> None:
        type(self).seen = None
        self.limits = (Limit("two", "account", "", 2, "awards", ("payer.two",)),)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Did, Undid]

    @hookimpl
    def pay(self) -> Iterable[Any]:
        return list(self.pays)

    @hookimpl
    def propose(self, event: Event, earlier: Earlier | None) -> Iterable[Any]:
        type(self).seen = earlier
        if isinstance(event, Undid):
            return [GiveBack()] if earlier else [Objection("nothing", "there is nothing to undo")]
        return list(self.proposes)


def ledger(*, pays: Any = (), proposes: Any = ()) -> Ledger:
    kind = type("Payer", (Payer,), {"pays": pays, "proposes": proposes})
    books = Ledger(PROGRAM, plugins={"payer": kind})
    for asset in ("points", "miles"):
        books.post(type="adjust", asset=asset, amount="100", reason="a start")
    return books


def test_several_assets_pay_for_one_order_and_a_return_gives_each_its_part() -> None:
    books = ledger(pays=[Payment("points", 10, 100), Payment("miles", 7, 200)])
    outcome = books.post(type="purchase", id="p", amount="5.00", tenders=TENDERS)
    assert outcome.memo["paid"] == [["points", 100, 10], ["miles", 200, 7]]
    assert (books.balance("points"), books.balance("miles")) == ("90", "93")
    outside = 0
    for _ in range(5):
        outside += books.post(type="return", purchase="p", amount="1.00").memo["outside"]
    assert (books.balance("points"), books.balance("miles"), outside) == ("100", "100", 200)


def test_what_pays_in_two_parts_of_one_asset_comes_back_as_one() -> None:
    books = ledger(pays=[Payment("points", 10, 100), Payment("points", 30, 200)])
    books.post(type="purchase", id="p", amount="5.00", tenders=TENDERS)
    assert books.balance("points") == "60"
    books.post(type="return", purchase="p")
    assert books.balance("points") == "100"


def test_an_objection_refuses_the_purchase_in_the_name_of_its_plugin() -> None:
    outcome = ledger(pays=[Objection("no", "not today")]).post(type="purchase", amount="5.00", tenders=TENDERS)
    assert outcome.objections == (Objection("no", "not today", "payer"),)


@pytest.mark.parametrize(
    ("payment", "message"),
    [
        (Payment("stars", 1, 1), "'stars', which is no asset besides the money of the order"),
        (Payment("EUR", 1, 1), "'EUR', which is no asset besides the money of the order"),
        (Payment("points", 0, 1), "0 points, which is no amount above zero"),
        (Payment("points", 1, 501), "pays 501 of an order of which 500 is not paid otherwise"),
        (Payment("points", 1, 0), "pays 0 of an order"),
        (Message("bob", "did", {}), "which is no payment or objection"),
    ],
)
def test_what_pays_for_no_order_is_the_plugins_mistake(payment: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        ledger(pays=[payment]).post(type="purchase", amount="5.00", tenders=TENDERS)


def test_nobody_is_asked_where_there_are_no_tenders() -> None:
    books = ledger(pays=[Payment("points", 10, 100)])
    assert books.post(type="purchase", amount="5.00").postings == ()


def test_a_plugin_counts_against_its_limit_and_gives_back_what_an_earlier_event_counted() -> None:
    books = ledger(
        proposes=[Tally("cap/two", 1, full=Objection("enough", "two are enough")), Remember("says", "hello")]
    )
    assert [books.post(type="did", id=f"d{n}").accepted for n in range(3)] == [True, True, False]
    assert books.post(type="undid", about="d1").accepted
    assert [books.post(type="did", id=f"e{n}").accepted for n in range(2)] == [True, False]
    refused = books.post(type="did").objections
    assert refused == (Objection("enough", "two are enough", "payer"),)


def test_an_earlier_event_is_known_with_what_it_did_and_what_named_it_since() -> None:
    books = ledger(proposes=[Tally("cap/two", 1), Remember("says", "hello")])
    payer: Any = books.registry.plugins[0]
    books.post(type="did", id="d")
    books.post(type="undid", about="d")
    assert payer.seen is not None
    assert (payer.seen.event.id, payer.seen.later, payer.seen.remembered) == ("d", (), {"says": "hello"})
    assert [change[0] for change in payer.seen.metrics] == ["cap/two"]
    books.post(type="undid", about="d")
    assert payer.seen.later == ("undid",)


def test_what_was_refused_or_is_anothers_is_no_earlier_event() -> None:
    books = ledger(proposes=[Objection("no", "never")])
    books.post(type="did", id="d")
    books.post(type="topup", account="bob", id="t", amount="1.00")
    for about in ("d", "t", "unheard-of"):
        assert [it.code for it in books.post(type="undid", about=about).objections] == ["nothing"]


def test_what_counts_several_times_in_one_event_is_refused_as_a_whole() -> None:
    enough = Objection("enough", "two are enough")
    books = ledger(proposes=[Tally("cap/two", 2, full=enough)])
    assert [books.post(type="did", id=f"d{n}").accepted for n in range(2)] == [True, False]
    books = ledger(proposes=[Tally("cap/two", 1, full=enough)] * 3)
    assert not books.post(type="did").accepted


@pytest.mark.parametrize(
    ("metric", "message"), [("visits", "which is that of none"), ("campaign/two", "which is no metric of the program")]
)
def test_a_limit_that_there_is_not_cannot_be_counted_against(metric: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        ledger(proposes=[Tally(metric, 1, full=Objection("enough", "enough"))]).post(type="did")


def test_the_same_earlier_event_of_another_source_is_another() -> None:
    books = ledger(proposes=[])
    books.post(type="did", id="d", source="till")
    assert not books.post(type="undid", about="d").accepted
    assert books.post(type="undid", about="d", about_source="till").accepted
