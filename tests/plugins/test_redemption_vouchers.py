"""Vouchers: made or loaded, used as often as they may be, by whom they may be, until their end, and cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook import EventError, PluginError, ProgramError
from stampbook.engine import Engine
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from stampbook import Outcome

PROGRAM = """
[program]
name = "Vouchers"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "{opening}"
[assets.points]
[assets.vouchers]
[[plugin]]
use = "redemption"
[[plugin.reward]]
name = "fiver"
price = "50"
voucher = "fiver"
[[plugin.reward]]
name = "film"
price = "50"
voucher = "film"
[[plugin.series]]
name = "fiver"
prefix = "FIVE-"
worth = "5.00 off"
{series}
[[plugin.series]]
name = "film"
prefix = "FILM"
pool = true
{film}
[[plugin]]
use = "refunds"
"""


def text(series: str = "", film: str = "", opening: str = "on first event") -> str:
    return PROGRAM.format(series=series, film=film, opening=opening)


def ledger(series: str = "", film: str = "", **options: str) -> Ledger:
    books = Ledger(text(series, film, **options))
    books.post(type="adjust", asset="points", amount="500", reason="a start", at="2025-01-01T12:00")
    return books


def take(books: Ledger, **event: Any) -> str:
    outcome = books.post(**{"type": "reward.redeemed", "reward": "fiver", **event})
    assert outcome.accepted, outcome.objections
    code: str = outcome.memo["remembered"]["code"]
    return code


def load(books: Ledger, code: str, **event: Any) -> Outcome:
    ref = f"voucher:{code.upper().replace('-', '').replace('O', '0').replace('I', '1').replace('L', '1')}"
    return books.post(**{"type": "voucher.loaded", "account": ref, "series": "film", "code": code, **event})


def use(books: Ledger, code: str, account: str = "bob", **event: Any) -> Outcome:
    return books.post(**{"type": "voucher.redeemed", "account": account, "code": code, **event})


def codes(outcome: Outcome) -> list[str]:
    return [objection.code for objection in outcome.objections]


def test_a_made_code_is_used_once_by_whoever_presents_it() -> None:
    books = ledger()
    code = take(books)
    assert code.startswith("FIVE-")
    assert len(code) == len("FIVE-") + 12
    used = use(books, code.lower().replace("-", " "))
    assert used.memo["remembered"] == {"worth": "5.00 off"}
    again = use(books, code, "cy")
    assert codes(again) == ["code_used"]
    assert again.objections[0].message.endswith(": it was used")
    assert statement(books.engine, "customer").lines[-1].words == f"reward redeemed: fiver; code {code}"


def test_codes_differ_and_are_the_same_when_all_is_decided_again() -> None:
    first, second = ledger(), ledger()
    taken = [[take(books, at=f"2025-01-0{day}T12:00") for day in range(2, 8)] for books in (first, second)]
    assert taken[0] == taken[1]
    assert len(set(taken[0])) == 6


def test_a_mistyped_code_is_told_from_one_that_is_not_there() -> None:
    books = ledger()
    code = take(books)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert codes(use(books, wrong)) == ["mistyped_code"]
    assert codes(use(books, code[:-1])) == ["mistyped_code"]
    outcome = use(books, "FILM-NONE")
    assert [(it.code, it.message) for it in outcome.objections] == [
        ("unknown_account", "voucher:F11MN0NE: there is no such code")
    ]


@pytest.mark.parametrize(("series", "expected"), [("uses = 3", 3), ("uses = 3\nper_account = 2", 2)])
def test_a_code_of_several_uses(series: str, expected: int) -> None:
    books = ledger(series)
    code = take(books)
    accepted = [use(books, code).accepted for _ in range(5)]
    assert accepted == [True] * expected + [False] * (5 - expected)
    assert use(books, code, "cy").accepted == (expected < 3)


def test_a_code_ends_with_its_last_day() -> None:
    books = ledger('expires = "30 days"')
    code = take(books, at="2025-01-01T13:00")
    other = take(books, at="2025-01-01T13:00")
    assert use(books, code, at="2025-01-31T23:59").accepted
    assert codes(use(books, other, at="2025-02-01T00:00")) == ["code_expired"]


def test_a_code_may_be_for_the_account_that_it_was_issued_to() -> None:
    books = ledger('holder = "account"')
    code = take(books)
    assert codes(use(books, code, "bob")) == ["not_yours"]
    ref = f"voucher:{code.replace('FIVE-', 'F1VE')}"
    for event in ({"type": "spend"}, {"type": "hold.authorised"}):
        assert codes(books.post(account=ref, asset="vouchers", amount="1", **event)) == ["not_yours"]
    assert use(books, code, "customer").accepted


@pytest.mark.parametrize(
    ("kind", "of", "to"),
    [
        ("transfer", "bob", "code"),
        ("account.merged", "code", "bob"),
        ("account.merged", "bob", "code"),
        ("household.joined", "bob", "code"),
        ("household.joined", "code", "bob"),
    ],
)
def test_the_account_of_a_code_is_no_customers(kind: str, of: str, to: str) -> None:
    together = "".join(f'[[plugin]]\nuse = "{use}"\n' for use in ("merging", "households"))
    books = Ledger(text() + together + '[[plugin]]\nuse = "transfers"\nasset = "points"\n')
    books.post(type="adjust", asset="points", amount="500", reason="a start", at="2025-01-01T12:00")
    books.post(type="adjust", account="bob", asset="points", amount="10", reason="a start")
    code = take(books)
    refs = {"bob": "bob", "code": f"voucher:{code.replace('FIVE-', 'F1VE')}"}
    event = {"type": kind, "account": refs[of], "to": refs[to]}
    if kind == "transfer":
        event |= {"asset": "points", "amount": "10"}
    assert codes(books.post(**event)) == ["no_customer"]
    assert books.balance("points", account="bob") == "10"
    assert use(books, code).accepted


@pytest.mark.parametrize(
    "event",
    [
        {"type": "purchase", "amount": "5.00"},
        {"type": "topup", "amount": "5.00"},
        {"type": "adjust", "asset": "vouchers", "amount": "1", "reason": "one more"},
        {"type": "reward.redeemed", "reward": "film"},
        {"type": "voucher.redeemed", "code": "FILM-A"},
        {"type": "account.described", "attributes": {"city": "Ely"}},
    ],
)
@pytest.mark.parametrize("loaded", [True, False])
def test_only_what_is_meant_for_codes_is_taken_by_their_accounts(event: dict[str, Any], loaded: bool) -> None:  # noqa: FBT001 - a drawn flag
    books = ledger()
    if loaded:
        load(books, "FILM-A")
    assert codes(books.post(account="voucher:F11MA", **event)) == ["no_customer"]
    assert load(books, "FILM-A").accepted != loaded, "a refusal opened no account"
    assert use(books, "FILM-A").accepted


@pytest.mark.parametrize("kind", ["spend", "hold.authorised"])
def test_a_code_that_is_not_there_is_neither_spent_nor_opened(kind: str) -> None:
    books = ledger()
    event = {"type": kind, "account": "voucher:F11MA", "asset": "vouchers", "amount": "1"}
    assert codes(books.post(**event)) == ["unknown_account"]


def test_a_code_that_was_used_before_it_was_loaded_is_not_known() -> None:
    books = ledger()
    load(books, "FILM-A", at="2025-03-01T12:00")
    early = use(books, "FILM-A", at="2025-03-01T11:59")
    assert codes(early) == ["unknown_account"]
    assert early.objections[0].message.endswith("there is no such code")
    given = books.post(type="reward.redeemed", reward="film", code="FILM-A", at="2025-03-01T11:59")
    assert codes(given) == ["unknown_account"]
    books.post(type="account.opened", account="voucher:F11MB", at="2025-03-01T13:00")
    assert codes(use(books, "FILM-B")) == ["unknown_account"], "of a list that is being loaded"


FOR_TEA = """
minimum = "30.00"
only = { categories = ["tea"], stores = ["ely", "ham"] }
"""
TEA, JAM = {"category": "tea", "amount": "25.00"}, {"category": "jam", "amount": "25.00"}


@pytest.mark.parametrize(
    ("order", "store", "refused", "says"),
    [
        (None, "ely", ["no_order"], "voucher series 'film' is for some orders only; say in order what is being bought"),
        ({"amount": "99.00"}, "ely", ["wrong_goods"], "is for categories 'tea'; there is nothing of that in the order"),
        ({"lines": [TEA, JAM]}, "ely", ["below_minimum"], "25.00 GBP of categories 'tea' are less than the 30.00 GBP"),
        ({"lines": [TEA, TEA], "discount": "20.01"}, "ely", ["below_minimum"], "29.99 GBP"),
        ({"lines": [TEA, {**TEA, "kind": "gift_card"}]}, "ely", ["below_minimum"], "25.00 GBP"),
        ({"lines": [TEA, TEA]}, "oxford", ["wrong_store"], "is for 'ely' or 'ham', not for oxford"),
        ({"lines": [JAM]}, "", ["wrong_store", "wrong_goods"], "not for none"),
        ({"lines": [TEA, TEA], "discount": "20.00"}, "ham", [], ""),
    ],
)
def test_a_series_for_some_orders_says_what_is_wrong_with_the_order(
    order: dict[str, Any] | None, store: str, refused: list[str], says: str
) -> None:
    books = ledger(film=FOR_TEA)
    load(books, "FILM-A")
    told: dict[str, Any] = {"store": store, "order": order} if order else {"store": store}
    outcome = use(books, "FILM-A", **told)
    assert codes(outcome) == refused
    assert says in " ".join(objection.message for objection in outcome.objections)
    assert use(books, "FILM-A", store="ely", order={"lines": [TEA, TEA]}).accepted == bool(refused), "nothing was used"


def test_a_series_for_some_orders_is_not_used_past_them() -> None:
    books = ledger(film=FOR_TEA)
    load(books, "FILM-A")
    for kind in ("spend", "hold.authorised"):
        assert codes(books.post(type=kind, account="voucher:F11MA", asset="vouchers", amount="1")) == ["no_order"]


def test_an_order_of_a_code_adds_up() -> None:
    books = ledger(film=FOR_TEA)
    load(books, "FILM-A")
    with pytest.raises(EventError, match="an order has either lines or one amount"):
        use(books, "FILM-A", order={"discount": "1.00"})
    with pytest.raises(EventError, match="the discount is larger than the order"):
        use(books, "FILM-A", order={"amount": "1.00", "discount": "1.01"})


@pytest.mark.parametrize(
    ("film", "says"),
    [("only = {}", "it names nothing; say which skus"), ('minimum = "1.001"', "voucher series 'film': minimum: ")],
)
def test_a_series_for_no_orders_is_a_mistake(film: str, says: str) -> None:
    with pytest.raises((PluginError, ProgramError), match=says):
        ledger(film=film)


def test_who_may_use_a_series_and_when() -> None:
    books = ledger('when = "account.ref != \'bob\'"\nfrom = "2025-02-01"')
    code = take(books)
    assert codes(use(books, code, "bob")) == ["not_yet", "not_entitled"]
    assert use(books, code, "cy", at="2025-02-01T00:00").accepted


def test_what_a_code_gives_is_put_on_the_account_and_taken_back() -> None:
    books = ledger('gives = "5.00"\ngives_asset = "GBP"\ngives_expires = "1 month"')
    code = take(books)
    use(books, code, id="u")
    assert books.balance("GBP", account="bob") == "5.00"
    assert books.post(type="voucher.cancelled", account="bob", about="u").accepted
    assert books.balance("GBP", account="bob") == "0.00"
    assert use(books, code, "cy", id="v").accepted
    books.post(type="spend", account="cy", amount="1.00")
    assert codes(books.post(type="voucher.cancelled", account="cy", about="v")) == ["used"]


def test_the_use_of_a_code_is_cancelled_once() -> None:
    books = ledger("per_account = 1")
    code = take(books)
    use(books, code, id="u")
    assert books.post(type="voucher.cancelled", account="bob", id="c", about="u").accepted
    assert codes(books.post(type="voucher.cancelled", account="bob", about="u")) == ["cancelled"]
    assert codes(books.post(type="voucher.cancelled", account="bob", about="c")) == ["unknown_redemption"]
    assert codes(books.post(type="voucher.cancelled", account="cy", about="u")) == ["unknown_redemption"]
    assert use(books, code).accepted, "its limit was given back as well"


def test_a_use_that_is_cancelled_after_the_end_gives_nothing_back_to_use() -> None:
    books = ledger('expires = "30 days"')
    code = take(books, at="2025-01-01T13:00")
    use(books, code, id="u", at="2025-01-20T12:00")
    assert books.post(type="voucher.cancelled", account="bob", about="u", at="2025-02-20T12:00").accepted
    assert codes(use(books, code, at="2025-02-20T13:00")) == ["code_expired"]


def test_a_reward_whose_code_is_unused_is_cancelled_and_the_code_with_it() -> None:
    books = ledger("uses = 2")
    code = take(books, id="r")
    use(books, code, id="u")
    assert codes(books.post(type="reward.cancelled", about="r")) == ["code_used"]
    books.post(type="voucher.cancelled", account="bob", about="u")
    assert books.post(type="reward.cancelled", about="r").accepted
    assert books.balance("points") == "500"
    outcome = use(books, code)
    assert codes(outcome) == ["code_void"]
    assert outcome.objections[0].message.endswith("it is void: its reward was cancelled")


def test_an_operator_makes_a_code_void() -> None:
    books = ledger()
    ref = f"voucher:{take(books, id='r').replace('FIVE-', 'F1VE')}"
    assert books.post(type="voucher.voided", account=ref, reason="stolen").accepted
    assert codes(use(books, ref.removeprefix("voucher:"))) == ["code_void"]
    assert codes(books.post(type="voucher.voided", account=ref, reason="again")) == ["nothing_left"]
    assert codes(books.post(type="reward.cancelled", about="r")) == ["code_used"]
    assert codes(books.post(type="voucher.voided", account="customer", reason="no code")) == ["unknown_series"]


def test_a_pool_has_the_codes_that_are_loaded() -> None:
    books = ledger(film='expires = "1 year"')
    assert load(books, "film-Ab7").accepted
    assert use(books, "FILMAB7").accepted
    assert codes(use(books, "film-ab7")) == ["code_used"]
    assert codes(load(books, "FILM-AB7")) == ["code_exists"]
    assert codes(load(books, "other", account="voucher:else")) == ["wrong_account"]
    assert codes(load(books, "x", series="fiver")) == ["unknown_series"]
    assert codes(load(books, "FIVE-ABCDEFGHJKMN")) == ["looks_made"]


def test_a_code_of_a_pool_is_handed_out_once() -> None:
    books = ledger(film='holder = "account"')
    for code in ("FILM1", "FILM2"):
        load(books, code)
    assert take(books, reward="film", code="film1", id="r") == "film1"
    outcome = books.post(type="reward.redeemed", reward="film", code="FILM1")
    assert codes(outcome) == ["code_given"]
    assert books.balance("points") == "450"
    assert codes(use(books, "FILM2")) == ["not_yours"], "nobody has it yet"
    assert codes(books.post(type="reward.redeemed", reward="fiver", code="FILM2")) == ["no_pool"]
    assert codes(books.post(type="reward.redeemed", reward="film", code="FILM3")) == ["unknown_account"]
    assert use(books, "FILM1", "customer").accepted
    assert codes(books.post(type="reward.cancelled", about="r")) == ["code_used"]


def test_codes_without_a_beginning_of_their_own_need_their_series() -> None:
    program = text().replace('prefix = "FIVE-"', "").replace('prefix = "FILM"', "")
    books = Ledger(program)
    load(books, "Q1")
    assert codes(use(books, "Q1")) == ["unknown_series"]
    assert use(books, "Q1", series="film").accepted
    assert codes(use(books, "Q1", series="flim")) == ["unknown_series"]


def test_a_code_of_another_series_is_refused() -> None:
    books = ledger()
    load(books, "FILM1")
    code = take(books)
    assert codes(use(books, "ZZZ", series="film")) == ["unknown_account"]
    assert codes(use(books, code, series="film")) == ["wrong_series"]
    assert codes(use(books, "customer", series="film")) == ["unknown_account"]


def test_a_code_is_set_aside_at_checkout_and_captured_or_lapses() -> None:
    books = ledger()
    code = take(books)
    ref = f"voucher:{code.replace('FIVE-', 'F1VE')}"
    hold = {"type": "hold.authorised", "account": ref, "asset": "vouchers", "amount": "1"}
    assert books.post(id="h", at="2025-01-02T12:00", lapses_at="2025-01-02T12:15", **hold).accepted
    assert codes(use(books, code, at="2025-01-02T12:10")) == ["code_held"]
    assert codes(books.post(at="2025-01-02T12:10", **hold)) == ["insufficient_balance"]
    assert books.post(id="i", at="2025-01-02T12:15", **hold).accepted
    assert books.post(type="hold.captured", account=ref, hold="i", asset="vouchers", at="2025-01-02T12:20").accepted
    assert codes(use(books, code)) == ["code_used"]


def test_where_strangers_open_no_accounts_a_made_code_opens_its_own() -> None:
    books = ledger(opening="refuse")
    code = take(books)
    books.post(type="account.opened", account="bob")
    assert use(books, code).accepted


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_any_split_into_batches_gives_the_same_books(any_db: str, size: int) -> None:
    day: dict[str, Any] = {"at": "2025-01-02T10:00"}
    with Engine.open(any_db, create=True, clock=lambda: 2 * 10**15) as engine:
        engine.put_text_in_force(text("uses = 2"))
        events: list[dict[str, Any]] = [
            {"type": "adjust", "id": "a", "account": "ann", "asset": "points", "amount": "500", "reason": "go", **day},
            {"type": "reward.redeemed", "id": "r1", "account": "ann", "reward": "fiver", **day},
            {"type": "reward.redeemed", "id": "r2", "account": "ann", "reward": "fiver", **day},
            {"type": "account.opened", "id": "o", "account": "bob", **day},
            {"type": "voucher.loaded", "id": "l", "account": "voucher:F11M7", "series": "film", "code": "FILM7", **day},
            {"type": "reward.redeemed", "id": "r3", "account": "ann", "reward": "film", "code": "FILM7", **day},
            {"type": "voucher.redeemed", "id": "u1", "account": "bob", "code": "FILM7", **day},
            {"type": "voucher.redeemed", "id": "u2", "account": "cy", "code": "FILM7", **day},
            {"type": "voucher.cancelled", "id": "c1", "account": "bob", "about": "u1", **day},
            {"type": "reward.cancelled", "id": "c2", "account": "ann", "about": "r1", **day},
            {"type": "reward.cancelled", "id": "c3", "account": "ann", "about": "r3", **day},
            {"type": "reward.cancelled", "id": "c4", "account": "ann", "about": "r3", **day},
        ]
        outcomes = [
            outcome for first in range(0, len(events), size) for outcome in engine.process(events[first : first + size])
        ]
        assert [outcome.id for outcome in outcomes if not outcome.accepted] == ["u2", "c4"]
        assert {outcome.status for outcome in outcomes} == {"accepted", "refused"}
        code = outcomes[2].memo["remembered"]["code"]
        assert engine.post({"type": "voucher.redeemed", "id": "u3", "account": "cy", "code": code, **day}).accepted
        assert verify(engine).findings == ()
        with engine.store.reader() as session:
            refs = session.refs()
            ann = session.accounts(["ann"])["ann"]
            session.fill([ann], None)
        assert len(refs) == len(set(refs)) == 6
        assert ann.total("points") == 450


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ('[[plugin.series]]\nname = "x"\nprefix = "five"', "prefix"),
        ('[[plugin.series]]\nname = "x"\nprefix = "F-P"', "and after them, if you like, one '-': 'FILM-'"),
        ('[[plugin.series]]\nname = "fiver"', "series: 'fiver' is there twice"),
        ('[[plugin.series]]\nname = "x"\nprefix = "FIVE-"', "the same prefix"),
        ("length = 5", "length"),
        ("uses = 0", "uses"),
    ],
)
def test_mistakes_are_named(series: str, message: str) -> None:
    with pytest.raises((PluginError, ProgramError), match=message):
        Ledger(text(series))


def test_series_need_an_asset_that_counts_uses() -> None:
    with pytest.raises((PluginError, ProgramError), match=r"add \[assets.vouchers\]"):
        Ledger(text().replace("[assets.vouchers]", ""))


def test_the_account_of_a_code_is_no_customer() -> None:
    customers = """
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar year"
[[plugin.level]]
name = "base"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "welcome"
on = ["account.opened"]
earn = "100"
[[plugin]]
use = "redemption"
"""
    books = Ledger(text().replace('[[plugin]]\nuse = "redemption"\n', customers, 1))
    books.post(type="account.opened", at="2025-01-01T12:00")
    assert (books.balance("points"), books.fact("tier")) == ("100", "base")
    code = take(books)
    ref = f"voucher:{code.replace('FIVE-', 'F1VE')}"
    assert (books.balance("points", account=ref), books.fact("tier", account=ref)) == ("0", "")
    books.tick("2027-01-01T12:00")
    assert [entry.type for entry in books.journal(ref)] == ["account.opened", "voucher.issued"]
