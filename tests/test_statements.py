from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Engine, UnknownAccountError
from stampbook.explaining import explain_account, explain_entry
from stampbook.periods import DAY, Calendar
from stampbook.replay import find_entry
from stampbook.statements import statement
from stampbook.states import Sum, account_state

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = Calendar("Asia/Shanghai")
PROGRAM = """
[program]
name = "Salon"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"

[assets.points]
debt = true

[metrics.paid]
on = ["topup"]
sum = "event.amount"

[[plugin]]
use = "points"
expires = "1 month"

[[plugin.rule]]
name = "base"
earn = "floor(order.net / 10)"
pending = "7 days"

[[plugin.rule]]
name = "gift"
on = ["topup"]
asset = "CNY"
kind = "bonus"
when = "event.amount >= 1000"
earn = "100"
expires = "never"

[[plugin]]
use = "refunds"
points_spent = "debt"
"""


class Books:
    def __init__(self, url: str) -> None:
        self.now = ZONE.parse("2025-01-01")
        self.engine = Engine.open(url, create=True, clock=lambda: self.now)
        self.engine.put_text_in_force(PROGRAM)

    def post(self, kind: str, id_: str, at: str, **fields: Any) -> None:
        self.now = max(self.now, ZONE.parse(at))
        event = {"type": kind, "id": id_, "account": "a", "at": at, **fields}
        assert self.engine.process([event])[0].error is None

    def at(self, text: str) -> int:
        return ZONE.parse(text)


@pytest.fixture
def books(sqlite_db: str) -> Iterator[Books]:
    books = Books(sqlite_db)
    yield books
    books.engine.close()


def texts(sums: tuple[Sum, ...]) -> list[str]:
    return [str(each) for each in sums]


def test_paid_and_granted_value_stay_apart(books: Books) -> None:
    books.post("topup", "t", "2025-01-02", amount="1000")
    holding = account_state(books.engine, "a").holdings[0]
    assert str(holding.available) == "1100.00 CNY"
    assert [(lot.kind, str(lot.remaining), lot.origin) for lot in holding.lots] == [
        ("paid", "1000.00 CNY", "t"),
        ("bonus", "100.00 CNY", "t"),
    ]
    [line] = [line for line in statement(books.engine, "a").lines if line.type == "topup"]
    assert (line.words, texts(line.changes)) == ("top-up of 1000.00 CNY", ["1100.00 CNY"])
    assert [(part.kind, part.amount.signed) for part in line.parts] == [
        ("paid", "+1000.00 CNY"),
        ("bonus", "+100.00 CNY"),
    ]


def test_pending_value_is_held_and_cannot_be_spent(books: Books) -> None:
    books.post("purchase", "p", "2025-01-02T10:00", amount="100.00")
    [holding] = account_state(books.engine, "a").holdings
    assert (str(holding.available), str(holding.pending), str(holding.total)) == ("0 points", "10 points", "10 points")
    assert holding.lots[0].condition == "pending"
    later = account_state(books.engine, "a", as_of=books.at("2025-01-15")).holdings[0]
    assert (str(later.available), later.lots[0].condition) == ("10 points", "usable")


def test_what_expires_is_told_with_its_last_day(books: Books) -> None:
    books.post("purchase", "p", "2025-01-31T10:00", amount="100.00")
    [expiring] = account_state(books.engine, "a").expiring
    assert str(expiring) == "10 points expire at the end of 2025-02-28"
    assert account_state(books.engine, "a", as_of=books.at("2025-03-01")).expiring == ()


def test_an_expiry_during_a_day_is_told_with_its_hour(books: Books) -> None:
    books.post("adjust", "a", "2025-01-02", asset="points", amount="1", reason="r", expires="2025-01-05T18:00")
    [expiring] = account_state(books.engine, "a").expiring
    assert str(expiring) == "1 point expires on 2025-01-05 at 18:00"


def test_debt_is_told(books: Books) -> None:
    books.post("purchase", "p", "2025-01-02", amount="100.00")
    books.post("spend", "s", "2025-01-12", asset="points", amount="8")
    books.post("return", "r", "2025-01-13", purchase="p")
    [holding] = account_state(books.engine, "a").holdings
    assert (str(holding.owed), str(holding.total)) == ("8 points", "-8 points")
    line = statement(books.engine, "a").lines[-1]
    assert line.words == (
        "return of 100.00 CNY from purchase p; 100.00 CNY to give back by other means; "
        "8 from points.base were spent already and are owed"
    )
    assert (texts(line.changes), texts(line.balances)) == (["-10 points"], ["-8 points"])
    _, entry = find_entry(books.engine, None, "r")[0]
    owed = next(posting for posting in explain_entry(books.engine, "a", entry).postings if "debt" in posting.source)
    assert owed.because.startswith("owed")


def test_a_statement_is_the_same_before_and_after_a_tick(books: Books) -> None:
    books.post("purchase", "p", "2025-01-02", amount="100.00")
    books.now = books.at("2025-06-01")

    def told() -> list[tuple[str, list[str], list[str]]]:
        return [(line.words, texts(line.changes), texts(line.balances)) for line in statement(books.engine, "a").lines]

    before = told()
    assert before[-1] == ("10 points expired", ["-10 points"], ["0 points"])
    assert statement(books.engine, "a").lines[-1].seq is None
    assert list(books.engine.tick())
    assert told() == before
    assert statement(books.engine, "a").lines[-1].seq is not None


def test_late_news_are_marked(books: Books) -> None:
    books.post("purchase", "p", "2025-01-02", amount="100.00")
    books.now += 5 * DAY
    books.post("purchase", "late", "2025-01-03", amount="50.00")
    assert [(line.event, line.late) for line in statement(books.engine, "a").lines if line.event in {"p", "late"}] == [
        ("p", False),
        ("late", True),
    ]


def test_known_at_leaves_out_what_was_learned_later(books: Books) -> None:
    books.post("purchase", "p", "2025-01-02", amount="100.00")
    known = books.now
    books.now += 5 * DAY
    books.post("purchase", "late", "2025-01-03", amount="50.00")
    then = books.at("2025-01-04")
    assert texts(statement(books.engine, "a", as_of=then).closing) == ["15 points"]
    assert texts(statement(books.engine, "a", as_of=then, known_at=known).closing) == ["10 points"]


def test_an_account_that_was_not_there_yet(books: Books) -> None:
    books.post("purchase", "p", "2025-01-02", amount="100.00")
    with pytest.raises(UnknownAccountError, match="was not open yet on 2025-01-01 00:00"):
        account_state(books.engine, "a", as_of=books.at("2025-01-01"))
    with pytest.raises(UnknownAccountError, match="no account b"):
        statement(books.engine, "b")


def test_an_explanation_uses_the_program_of_its_time(books: Books) -> None:
    books.post("purchase", "p", "2025-01-02", amount="100.00")
    books.now = books.at("2025-02-01")
    books.engine.put_text_in_force(PROGRAM.replace("order.net / 10", "order.net"))
    books.post("purchase", "q", "2025-02-02", amount="100.00")
    earned = {}
    for name in ("p", "q"):
        [(ref, entry)] = find_entry(books.engine, None, name)
        rule = explain_entry(books.engine, ref, entry).rules[0]
        earned[name] = (rule.options["earn"], rule.earned, str(rule.granted))
    assert earned == {
        "p": ("floor(order.net / 10)", "10", "10 points"),
        "q": ("floor(order.net)", "100", "100 points"),
    }


def test_a_rule_that_did_not_apply_says_which_part_of_its_condition_failed(books: Books) -> None:
    books.post("topup", "t", "2025-01-02", amount="999.99")
    [(ref, entry)] = find_entry(books.engine, None, "t")
    [rule] = explain_entry(books.engine, ref, entry).rules
    assert (rule.rule, rule.result, rule.failed) == ("points.gift", "does not apply", ("event.amount >= 1000",))
    assert rule.read == {"event.amount": "999.99"}


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2025-05-31", "campaign june had not begun: it is on from 2025-06-01 to 2025-06-30"),
        ("2025-06-15", ""),
        ("2025-07-01", "campaign june was over: it was on from 2025-06-01 to 2025-06-30"),
    ],
)
def test_a_rule_of_a_campaign_that_is_not_on_says_so_with_its_days(books: Books, at: str, told: str) -> None:
    june = "[campaigns.june]\nrules = ['points.base']\nfirst_day = '2025-06-01'\nlast_day = '2025-06-30'\n"
    books.engine.put_text_in_force(PROGRAM + june)
    books.post("purchase", "p", at, amount="100.00")
    [(ref, entry)] = find_entry(books.engine, None, "p")
    rule = next(rule for rule in explain_entry(books.engine, ref, entry).rules if rule.rule == "points.base")
    assert (rule.result, rule.season) == ("out of season" if told else "granted", told)


def test_each_balance_is_the_sum_of_what_moved_in_its_lots(books: Books) -> None:
    books.post("topup", "t", "2025-01-02", amount="1000")
    books.post("purchase", "p", "2025-01-03", amount="150.00", tenders=[{"kind": "stored_value", "amount": "150.00"}])
    books.post("return", "r", "2025-01-04", purchase="p", amount="30.00")
    whole = explain_account(books.engine, "a")
    for holding in whole.state.holdings:
        lots = whole.lots[holding.asset]
        assert sum(lot.lot.remaining.units for lot in lots) == holding.total.units
        for lot in lots:
            assert sum(move.amount.units for move in lot.moves) == lot.lot.remaining.units
    assert whole.metric_days["paid"][0].value == "1000.00"


def test_an_entry_of_no_account_can_be_explained(books: Books) -> None:
    books.engine.put_text_in_force(PROGRAM.replace('"on first event"', '"refuse"'))
    outcome = books.engine.process([{"type": "topup", "id": "x", "account": "zz", "at": "2025-01-02", "amount": "5"}])[
        0
    ]
    assert outcome.status == "refused"
    [(ref, entry)] = find_entry(books.engine, None, "x")
    reason = explain_entry(books.engine, ref, entry)
    assert [objection["code"] for objection in reason.objections] == ["unknown_account"]
