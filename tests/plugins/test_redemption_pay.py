"""Points as money: the rate and its bounds, which lots pay, what a return gives back, and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook import EventError, PluginError, ProgramError
from stampbook.engine import Engine
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.plugins.proof import findings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import Outcome

PROGRAM = """
[program]
name = "Pay"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "points"
expires = "{expires}"
[[plugin.rule]]
name = "base"
earn = "floor({earn})"
[[plugin]]
use = "redemption"
[plugin.pay]
points = "100"
value = "1.00"
{pay}
[[plugin]]
use = "refunds"
{refunds}
"""


def text(
    *, pay: str = "", refunds: str = "", earn: str = "order.paid_outside", expires: str = "12 months, end of month"
) -> str:
    return PROGRAM.format(pay=pay, refunds=refunds, earn=earn, expires=expires)


def ledger(points: int = 1000, **options: str) -> Ledger:
    books = Ledger(text(**options))
    if points:
        books.post(type="adjust", asset="points", amount=str(points), reason="a start", at="2025-01-01T12:00")
    return books


def tenders(points: str, **others: str) -> list[Mapping[str, str]]:
    return [{"kind": "points", "amount": points}, *({"kind": kind, "amount": text} for kind, text in others.items())]


def codes(outcome: Outcome) -> list[str]:
    return [objection.code for objection in outcome.objections]


def test_points_pay_a_part_and_what_they_pay_earns_nothing_where_the_rule_says_so() -> None:
    books = ledger()
    assert books.post(type="purchase", amount="20.00", tenders=tenders("5.00", card="15.00")).accepted
    assert books.balance("points") == "515"  # 1000 - 500 + 15


def test_points_pay_and_the_whole_order_earns_where_the_rule_says_so() -> None:
    books = ledger(earn="order.net")
    books.post(type="purchase", amount="20.00", tenders=tenders("5.00", card="15.00"))
    assert books.balance("points") == "520"


def test_without_the_table_a_tender_in_points_is_somebody_elses() -> None:
    program = text().replace('[plugin.pay]\npoints = "100"\nvalue = "1.00"', '[[plugin.reward]]\nname="a"\nprice="1"')
    books = Ledger(program)
    assert books.post(type="purchase", amount="20.00", tenders=tenders("5.00", card="15.00")).accepted
    assert books.balance("points") == "15"


@pytest.mark.parametrize(
    ("pay", "value", "expected"),
    [
        ('minimum = "200"', "1.99", ["points_minimum"]),
        ('minimum = "200"', "2.00", []),
        ('step = "50"', "1.25", ["points_step"]),
        ('step = "50"', "1.50", []),
        ('most_share = "50%"', "10.01", ["points_share"]),
        ('most_share = "50%"', "10.00", []),
        ('most_share = "33.3333%"', "6.66", []),
        ('most_share = "33.3333%"', "6.67", ["points_share"]),
        ('most = "3.00"', "3.01", ["points_share"]),
        ("when = \"order.store == 'online'\"", "1.00", ["points_not_allowed"]),
        ('minimum = "200"\nstep = "50"\nmost = "1.00"', "1.01", ["points_share", "points_minimum", "points_step"]),
        ("", "10.01", ["insufficient_balance"]),
        ("", "10.00", []),
    ],
)
def test_bounds_are_objected_to_all_at_once_and_the_bound_itself_is_good(
    pay: str, value: str, expected: list[str]
) -> None:
    books = ledger(pay=pay)
    rest = f"{20 - float(value):.2f}"
    outcome = books.post(type="purchase", amount="20.00", tenders=tenders(value, card=rest))
    assert codes(outcome) == expected
    left = 1000 if expected else 1000 - round(float(value) * 100) + int(float(rest))
    assert books.balance("points") == str(left)


def test_an_objection_says_what_would_do() -> None:
    books = ledger(pay='step = "50"\nmost_share = "50%"')
    outcome = books.post(type="purchase", amount="5.00", tenders=tenders("2.60", card="2.40"))
    assert [objection.message for objection in outcome.objections] == [
        "2.60 GBP is more than the 2.50 GBP of this order that points may pay",
        "260 points are no multiple of 50 points; 2.50 GBP would be 250 points",
    ]
    assert {objection.plugin for objection in outcome.objections} == {"redemption"}


def test_what_is_not_whole_costs_the_next_whole_point() -> None:
    program = text().replace('points = "100"', 'points = "3"')
    books = Ledger(program)
    books.post(type="adjust", asset="points", amount="10", reason="a start")
    books.post(type="purchase", amount="0.50", tenders=tenders("0.50"))
    assert books.balance("points") == "8"  # 1.5 are 2


SEVERAL = """points = "50"
value = "1.00"
when = "account.ref == 'ann'"
[[plugin.pay]]
points = "80"
value = "1.00"
when = "order.total >= 100"
minimum = "100"
[[plugin.pay]]
asset = "miles"
points = "2"
value = "1.00"
most_share = "50%"
"""


def several() -> Ledger:
    program = text(earn="0 * order.net").replace(
        '[plugin.pay]\npoints = "100"\nvalue = "1.00"\n', f"[[plugin.pay]]\n{SEVERAL}"
    )
    books = Ledger(program.replace("[assets.points]", "[assets.points]\n[assets.miles]"))
    for ref in ("ann", "bob"):
        for asset in ("points", "miles"):
            books.post(type="adjust", account=ref, asset=asset, amount="1000", reason="a start", at="2025-01-01T12:00")
    return books


@pytest.mark.parametrize(
    ("account", "total", "paid", "expected"),
    [
        ("ann", "100.00", "2.00", ("900", "1000")),
        ("bob", "100.00", "2.00", ("840", "1000")),
        ("bob", "99.00", "2.00", "points_not_allowed"),
        ("bob", "100.00", "1.00", "points_minimum"),
    ],
)
def test_of_several_rates_the_first_whose_condition_holds(account: str, total: str, paid: str, expected: Any) -> None:
    books = several()
    rest = f"{float(total) - float(paid):.2f}"
    outcome = books.post(type="purchase", account=account, amount=total, tenders=tenders(paid, card=rest))
    if isinstance(expected, str):
        assert codes(outcome) == [expected]
    else:
        assert (books.balance("points", account=account), books.balance("miles", account=account)) == expected


def test_several_assets_pay_for_one_order_and_come_back() -> None:
    books = several()
    paid = [*tenders("2.00", card="4.00"), {"kind": "points", "asset": "miles", "amount": "4.00"}]
    bought = books.post(type="purchase", id="p", account="ann", amount="10.00", tenders=paid)
    assert bought.accepted, bought.objections
    assert [books.balance(asset, account="ann") for asset in ("points", "miles")] == ["900", "992"]
    books.post(type="return", account="ann", purchase="p")
    assert [books.balance(asset, account="ann") for asset in ("points", "miles")] == ["1000", "1000"]
    more = [
        {"kind": "points", "asset": "miles", "amount": "6.00"},
        {"kind": "points", "asset": "GBP", "amount": "4.00"},
    ]
    assert codes(books.post(type="purchase", account="ann", amount="10.00", tenders=more)) == [
        "points_share",
        "points_asset",
    ]
    with pytest.raises(EventError, match="only a tender of kind 'points' says of which asset it is"):
        books.post(type="purchase", amount="1.00", tenders=[{"kind": "card", "asset": "miles", "amount": "1.00"}])


def test_a_rate_that_is_never_asked_is_a_mistake() -> None:
    again = '[[plugin.pay]]\npoints = "50"\nvalue = "1.00"\n[[plugin]]\nuse = "refunds"'
    program = text().replace("[plugin.pay]", "[[plugin.pay]]").replace('[[plugin]]\nuse = "refunds"', again)
    with pytest.raises(ProgramError, match="pay: table 2 is never asked: one before it pays with points always"):
        Ledger(program)


def test_lots_pay_in_the_spend_order_and_get_back_what_they_paid() -> None:
    books = ledger(points=0, expires="1 month")
    for day in ("01", "11", "21"):
        books.post(type="purchase", amount="300.00", at=f"2025-01-{day}T12:00")
    books.post(type="purchase", id="p", amount="10.00", tenders=tenders("5.00", card="5.00"), at="2025-01-25T12:00")
    assert [lot.remaining for lot in books.view().lots] == [100, 300, 5]
    books.post(type="return", purchase="p", amount="2.00", at="2025-01-26T12:00")  # 1.00 each way, 1 of 5 points earned
    assert [lot.remaining for lot in books.view().lots] == [200, 300, 4]
    books.post(type="return", purchase="p", at="2025-01-26T12:00")
    assert [lot.remaining for lot in books.view().lots] == [300, 300, 300]


def test_points_that_go_back_to_a_lot_whose_time_is_over_expire_at_once() -> None:
    books = ledger(points=0, expires="1 month")
    books.post(type="purchase", amount="300.00", at="2025-01-01T12:00")
    books.post(type="purchase", id="p", amount="3.00", tenders=tenders("3.00"), at="2025-01-25T12:00")
    books.post(type="return", purchase="p", at="2025-03-01T12:00")
    assert books.balance("points") == "0"
    assert [entry.type for entry in books.journal()[-2:]] == ["return", "expiry"]


@pytest.mark.parametrize(
    ("refunds", "after"),
    [
        ('expired = "expire"', ["100", "0", "0", "0"]),
        ('expired = "extend"\nextend_by = "10 days"', ["100", "100", "300", "0"]),
        ('expired = "forfeit"', ["100", "0", "0", "0"]),
    ],
)
def test_what_has_expired_since_goes_back_as_the_policy_says(refunds: str, after: list[str]) -> None:
    events: list[dict[str, Any]] = [
        {"type": "purchase", "id": "a", "amount": "400.00", "at": "2025-01-01T12:00"},
        {"type": "purchase", "id": "p", "amount": "4.00", "tenders": tenders("4.00"), "at": "2025-01-25T12:00"},
        {"type": "return", "id": "r1", "purchase": "p", "amount": "1.00", "at": "2025-01-26T12:00"},
        {"type": "return", "id": "r2", "purchase": "p", "amount": "1.00", "at": "2025-03-01T12:00"},
        {"type": "return", "id": "r3", "purchase": "p", "amount": "2.00", "at": "2025-03-02T12:00"},
    ]
    books = ledger(points=0, refunds=refunds, expires="1 month")
    balances = []
    for event in events:
        outcome = books.post(**event)
        assert outcome.accepted, outcome.objections
        balances.append(books.balance("points"))
    balances.append(books.balance("points", at="2025-03-13"))
    assert balances[2:] == after
    assert books.post(type="return", purchase="p", at="2025-03-13").objections
    told = [{"account": "ann", **event} for event in events]
    assert findings(text(refunds=refunds, expires="1 month"), told) == ()
    assert findings(text(refunds=refunds, expires="1 month"), told, 1) == ()


def test_what_goes_back_repays_a_debt_first_and_is_not_given_twice() -> None:
    program = text(refunds='points_spent = "debt"\nexpired = "extend"\nextend_by = "10 days"', expires="1 month")
    books = Ledger(program.replace("[assets.points]", "[assets.points]\ndebt = true"))
    books.post(type="purchase", amount="300.00", at="2025-01-01T12:00")
    books.post(type="purchase", id="p", amount="3.00", tenders=tenders("3.00"), at="2025-01-25T12:00")
    books.post(type="purchase", id="q", amount="50.00", at="2025-02-20T12:00")
    books.post(type="spend", asset="points", amount="50", at="2025-02-21T12:00")
    books.post(type="return", purchase="q", at="2025-02-22T12:00")
    assert books.owed("points") == "50"
    books.post(type="return", purchase="p", amount="1.50", at="2025-03-01T12:00")
    assert (books.owed("points"), books.balance("points")) == ("0", "100")
    books.post(type="return", purchase="p", at="2025-03-02T12:00")
    assert books.balance("points") == "250"


@pytest.mark.parametrize("options", ['expired = "extend"', 'extend_by = "1 month"'])
def test_an_extension_says_how_long(options: str) -> None:
    with pytest.raises(ProgramError, match="extend_by goes with expired = 'extend'"):
        ledger(refunds=options)


@pytest.mark.parametrize(
    ("policy", "after"),
    [("proportional", ["125", "250", "500"]), ("first", ["250", "500", "500"]), ("last", ["0", "0", "500"])],
)
def test_which_part_a_return_gives_back_in_points(policy: str, after: list[str]) -> None:
    books = ledger(points=500, refunds=f'paid_points = "{policy}"', earn="0 * order.net")
    books.post(type="purchase", id="p", amount="10.00", tenders=tenders("5.00", card="5.00"))
    for amount, balance in zip(("2.50", "2.50", "5.00"), after, strict=True):
        books.post(type="return", purchase="p", amount=amount)
        assert books.balance("points") == balance


def test_points_stored_value_and_cash_each_get_back_their_part_to_the_last_unit() -> None:
    books = ledger(earn="0 * order.net")
    books.post(type="topup", amount="3.33")
    paid = [*tenders("3.33"), {"kind": "stored_value", "amount": "3.33"}, {"kind": "cash", "amount": "3.35"}]
    books.post(type="purchase", id="p", amount="10.01", tenders=paid)
    assert (books.balance("points"), books.balance("GBP")) == ("667", "0.00")
    outside = 0
    for _ in range(7):
        outside += books.post(type="return", purchase="p", amount="1.43").memo["outside"]
    assert (books.balance("points"), books.balance("GBP"), outside) == ("1000", "3.33", 335)


def test_a_return_says_what_goes_back_in_points() -> None:
    books = ledger(earn="0 * order.net")
    books.post(type="purchase", id="p", amount="10.00", tenders=tenders("5.00", card="5.00"))
    books.post(type="return", purchase="p", amount="4.00")
    words = [line.words for line in statement(books.engine, "customer").lines]
    assert words[-2:] == [
        "purchase of 10.00 GBP, 5.00 GBP of it for 500 points",
        "return of 4.00 GBP from purchase p; 2.00 GBP to give back by other means; 2.00 GBP back as 200 points",
    ]


@pytest.mark.parametrize(("same_order", "expected"), [("no", ["insufficient_balance"]), ("yes", [])])
def test_points_of_the_same_order_pay_for_it_where_the_program_says_so(same_order: str, expected: list[str]) -> None:
    books = ledger(points=0, pay=f'same_order = "{same_order}"', earn="order.net * 10")
    outcome = books.post(type="purchase", id="p", amount="20.00", tenders=tenders("2.00", card="18.00"))
    assert codes(outcome) == expected
    if not expected:
        assert books.balance("points") == "0"
        books.post(type="return", purchase="p", amount="10.00")
        assert (books.balance("points"), books.owed("points")) == ("0", "0")
        books.post(type="return", purchase="p")
        assert books.balance("points") == "0"


def test_points_of_the_same_order_and_older_ones_pay_in_the_spend_order() -> None:
    books = ledger(points=50, pay='same_order = "yes"', earn="order.net * 10")
    books.post(type="purchase", id="p", amount="20.00", tenders=tenders("2.00", card="18.00"))
    assert books.balance("points") == "50"  # 50 + 200 - 200
    books.post(type="return", purchase="p")
    assert books.balance("points") == "50"


def test_a_hold_of_points_is_captured_by_the_purchase_and_the_rest_released() -> None:
    books = ledger(earn="0 * order.net")
    books.post(type="hold.authorised", id="h", asset="points", amount="600")
    assert books.balance("points") == "400"
    assert books.post(type="purchase", id="p", hold="h", amount="10.00", tenders=tenders("5.00", card="5.00")).accepted
    assert books.balance("points") == "500"
    books.post(type="return", purchase="p")
    assert books.balance("points") == "1000"


def test_a_hold_of_points_that_lapsed_or_is_too_small_pays_nothing() -> None:
    books = ledger(earn="0 * order.net")
    books.post(type="hold.authorised", id="small", asset="points", amount="100")
    paid = tenders("5.00", card="5.00")
    assert codes(books.post(type="purchase", hold="small", amount="10.00", tenders=paid)) == ["over_capture"]
    until = {"at": "2025-02-01T12:00", "lapses_at": "2025-02-01T12:30"}
    books.post(type="hold.authorised", id="h", asset="points", amount="600", **until)
    outcome = books.post(type="purchase", hold="h", amount="10.00", tenders=paid, at="2025-02-01T12:30")
    assert codes(outcome) == ["hold_ended"]
    assert books.balance("points") == "900"
    assert codes(books.post(type="purchase", hold="none", amount="10.00", tenders=paid)) == ["unknown_hold"]


def test_a_hold_of_money_pays_its_part_while_points_are_drawn() -> None:
    books = ledger(earn="0 * order.net")
    books.post(type="topup", amount="5.00")
    books.post(type="hold.authorised", id="h", amount="5.00")
    paid = [*tenders("2.00"), {"kind": "stored_value", "amount": "4.00"}]
    assert books.post(type="purchase", hold="h", amount="6.00", tenders=paid).accepted
    assert (books.balance("points"), books.balance("GBP")) == ("800", "1.00")


def test_a_hold_of_what_pays_nothing_is_refused() -> None:
    books = ledger(earn="0 * order.net")
    books.post(type="topup", amount="5.00")
    books.post(type="hold.authorised", id="h", amount="5.00")
    outcome = books.post(type="purchase", hold="h", amount="6.00", tenders=tenders("2.00", card="4.00"))
    assert codes(outcome) == ["wrong_asset"]


def test_points_pay_in_the_currency_of_the_program_only() -> None:
    books = Ledger(text().replace("[assets.points]", "[assets.points]\n[assets.EUR]"))
    books.post(type="adjust", asset="points", amount="500", reason="a start")
    outcome = books.post(type="purchase", currency="EUR", amount="5.00", tenders=tenders("5.00"))
    assert codes(outcome) == ["points_currency"]


def test_a_late_order_is_paid_by_points_that_were_good_then() -> None:
    books = ledger(points=0, expires="1 month")
    books.post(type="purchase", amount="300.00", at="2025-01-01T12:00")
    books.tick("2025-03-01T12:00")
    assert books.balance("points") == "0"
    outcome = books.post(type="purchase", amount="3.00", tenders=tenders("3.00"), at="2025-01-25T12:00")
    assert outcome.accepted


@pytest.mark.parametrize(
    ("pay", "message"),
    [
        ('asset = "mils"', "'mils' is no asset besides the currency; there are points"),
        ('asset = "GBP"', "'GBP' is no asset besides the currency; there are points"),
        ('step = "0"', "step: write more than nothing"),
        ('minimum = "0.5"', "pay.minimum"),
        ('most_share = "120%"', "most_share: '120%'"),
    ],
)
def test_mistakes_are_named(pay: str, message: str) -> None:
    with pytest.raises((PluginError, ProgramError), match=message.replace("(", r"\(")):
        Ledger(text(pay=pay))


def test_a_second_table_is_refused_for_it_would_draw_the_same_tender_again() -> None:
    second = '[[plugin]]\nuse = "redemption"\nname = "more"\n[plugin.pay]\npoints = "100"\nvalue = "1.00"\n'
    with pytest.raises(ProgramError, match="one table of redemption: each would draw the same tender in points"):
        Ledger(text() + second)


def test_the_books_verify(any_db: str) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(text(pay='same_order = "yes"'))
        day: dict[str, Any] = {"account": "ann", "at": "2025-01-02T10:00"}
        paid = tenders("2.00", card="3.00")
        events: list[dict[str, Any]] = [
            {"type": "adjust", "id": "a", "asset": "points", "amount": "900", "reason": "a start", **day},
            {"type": "hold.authorised", "id": "h", "asset": "points", "amount": "300", **day},
            {"type": "purchase", "id": "p", "amount": "5.00", "tenders": paid, **day},
            {"type": "purchase", "id": "q", "amount": "5.00", "hold": "h", "tenders": paid, **day},
            {"type": "return", "id": "r", "purchase": "p", "amount": "1.00", **day},
            {"type": "return", "id": "s", "purchase": "q", **day},
            {"type": "return", "id": "t", "purchase": "p", **day},
        ]
        assert [outcome.status for outcome in engine.process(events)] == ["accepted"] * len(events)
        assert verify(engine).findings == ()
        with engine.store.reader() as session:
            account = session.accounts(["ann"])["ann"]
            session.fill([account], None)
        assert account.total("points") == 900
