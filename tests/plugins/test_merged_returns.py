"""What was bought on an account before it was merged: returned, cancelled, completed on the one that took it in."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any

import pytest

from stampbook.engine import Engine
from stampbook.explaining import explain_entry
from stampbook.exporting import export
from stampbook.importing import import_file
from stampbook.parallel import Tagged, process_in_parallel
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.plugins.proof import LATER, findings
from tests.plugins.test_merging import codes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stampbook import Outcome

PROGRAM = """
[program]
name = "One"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"
[assets.points]
debt = true
[metrics.spend]
sum = "order.net"
window = "12 months"
[metrics.departments]
per = "line"
distinct = "line.category"
window = "lifetime"
[limits.most]
asset = "points"
max = "500"
window = "12 months"
[campaigns.start]
asset = "points"
budget = "1000"
rules = ["points.base"]
[[plugin]]
use = "merging"
undo = "90 days"
later_events = "forward"
debt = "move"
[[plugin]]
use = "points"
expires = "6 months, end of month"
[[plugin.rule]]
name = "base"
earn = "order.net"
{pending}
[[plugin]]
use = "redemption"
[plugin.pay]
points = "1"
value = "1.00"
[[plugin.reward]]
name = "mug"
price = "30"
stock = 5
[[plugin]]
use = "refunds"
points_spent = "{spent}"
"""


def text(spent: str = "debt", pending: str = "") -> str:
    values = 'debt"' if spent != "deduct_from_refund" else 'deduct_from_refund"\nunit_values = { points = "0.10" }'
    return PROGRAM.replace('{spent}"', values if spent in {"debt", "deduct_from_refund"} else spent + '"').replace(
        "{pending}", pending
    )


def buy(books: Ledger, ref: str, day: str, amount: str, id_: str, **fields: Any) -> Outcome:
    outcome = books.post(type="purchase", id=id_, account=ref, at=f"{day}T10:00", amount=amount, **fields)
    assert outcome.accepted, outcome.objections
    return outcome


def merged(spent: str = "debt", pending: str = "") -> Ledger:
    books = Ledger(text(spent, pending))
    buy(books, "old", "2025-01-10", "60.00", "p")
    buy(books, "new", "2025-01-20", "10.00", "q")
    assert codes(books, "account.merged", "old", "new") == []
    return books


def back(books: Ledger, ref: str, purchase: str, day: str, **fields: Any) -> Outcome:
    outcome = books.post(type="return", account=ref, purchase=purchase, at=f"{day}T10:00", **fields)
    assert outcome.accepted, outcome.objections
    return outcome


def standing(books: Ledger, ref: str) -> tuple[str, str, int]:
    view = books.view(account=ref)
    return books.balance("points", account=ref), books.owed("points", account=ref), view.metric("spend")


@pytest.mark.parametrize("ref", ["old", "new"])
def test_a_return_of_what_was_bought_before_is_made_good_on_the_account_that_took_it_in(ref: str) -> None:
    books = merged()
    assert standing(books, "new") == ("70", "0", 7000)
    assert back(books, ref, "p", "2025-02-03", amount="20.00").memo["outside"] == 2000
    assert standing(books, "new") == ("50", "0", 5000)
    back(books, ref, "p", "2025-02-04")
    assert standing(books, "new") == ("10", "0", 1000)
    again = books.post(type="return", account=ref, purchase="p", at="2025-02-05T10:00")
    assert [objection.code for objection in again.objections] == ["nothing_left"]


def test_without_forwarding_it_is_sent_to_the_other_account() -> None:
    books = Ledger(text().replace('later_events = "forward"', ""))
    buy(books, "old", "2025-01-10", "60.00", "p")
    buy(books, "new", "2025-01-20", "10.00", "q")
    codes(books, "account.merged", "old", "new")
    (objection,) = books.post(type="return", account="old", purchase="p", at="2025-02-03T10:00").objections
    assert objection.message == "account old was merged into new; send it there"
    back(books, "new", "p", "2025-02-03")
    assert standing(books, "new") == ("10", "0", 1000)


def test_the_purchase_of_a_stranger_stays_unknown() -> None:
    books = merged()
    buy(books, "else", "2025-01-21", "10.00", "r")
    (objection,) = books.post(type="return", account="new", purchase="r", at="2025-02-03T10:00").objections
    assert objection.code == "unknown_purchase"


@pytest.mark.parametrize(
    ("spent", "expected", "outside"),
    [("debt", ("0", "50", 1000), 6000), ("within_balance", ("0", "0", 1000), 6000),
     ("deduct_from_refund", ("0", "0", 1000), 5500)],
)  # fmt: skip
def test_points_that_are_spent_are_made_good_by_the_same_policy(
    spent: str, expected: tuple[str, str, int], outside: int
) -> None:
    books = merged(spent)
    assert books.post(type="spend", account="new", asset="points", amount="60", at="2025-02-03T10:00").accepted
    assert back(books, "old", "p", "2025-02-04").memo["outside"] == outside
    assert standing(books, "new") == expected


def test_where_the_program_refuses_it_is_refused() -> None:
    books = merged("refuse")
    books.post(type="spend", account="new", asset="points", amount="60", at="2025-02-03T10:00")
    (objection,) = books.post(type="return", account="old", purchase="p", at="2025-02-04T10:00").objections
    assert objection.message == "50 points to take back are spent already"
    assert standing(books, "new") == ("10", "0", 7000)


def test_points_that_had_expired_before_the_merger_or_since_are_not_owed() -> None:
    books = Ledger(text())
    buy(books, "old", "2024-01-10", "40.00", "gone")
    buy(books, "old", "2025-01-10", "60.00", "p")
    buy(books, "new", "2025-01-20", "10.00", "q")
    codes(books, "account.merged", "old", "new")
    assert back(books, "old", "gone", "2025-02-03").memo["lapsed"] == {"points.base": 40}
    books.tick("2025-08-01")
    assert back(books, "old", "p", "2025-08-02", amount="30.00").memo["lapsed"] == {"points.base": 30}
    assert back(books, "old", "p", "2025-08-03").memo["lapsed"] == {"points.base": 30}
    assert back(books, "new", "q", "2025-08-03").memo["lapsed"] == {"points.base": 10}
    assert standing(books, "new")[:2] == ("0", "0")


def test_what_had_paid_goes_back_on_the_same_terms() -> None:
    books = Ledger(text())
    books.post(type="topup", account="old", at="2025-01-02T10:00", amount="15.00")
    books.post(type="adjust", account="old", at="2025-01-02T10:00", asset="points", amount="9", reason="a start",
               expires="2025-03-01T00:00")  # fmt: skip
    tenders = [
        {"kind": "stored_value", "amount": "15.00"},
        {"kind": "points", "amount": "9.00"},
        {"kind": "card", "amount": "36.00"},
    ]
    buy(books, "old", "2025-01-10", "60.00", "p", tenders=tenders)
    buy(books, "new", "2025-01-20", "10.00", "q")
    codes(books, "account.merged", "old", "new")
    assert back(books, "old", "p", "2025-02-03").memo["outside"] == 3600
    assert (books.balance("EUR", account="new"), books.balance("points", account="new")) == ("15.00", "19")
    lots = {(lot.kind, lot.expires_at) for lot in books.view(account="new").lots if lot.remaining in {9, 1500}}
    assert lots == {(lot.kind, lot.expires_at) for lot in books.engine.account("old").lots.values()
                    if lot.number in {1, 2}}  # fmt: skip
    assert codes(books, "account.unmerged", "new", "old", "2025-02-04") == []
    again = books.post(type="return", account="old", purchase="p", at="2025-02-05T10:00")
    assert [objection.code for objection in again.objections] == ["nothing_left"]


def test_what_paid_repays_what_the_account_owes() -> None:
    books = Ledger(text())
    books.post(type="adjust", account="old", at="2025-01-02T10:00", asset="points", amount="9", reason="a start")
    tenders = [{"kind": "points", "amount": "9.00"}, {"kind": "card", "amount": "1.00"}]
    buy(books, "old", "2025-01-10", "10.00", "p", tenders=tenders)
    buy(books, "new", "2025-01-20", "10.00", "q")
    books.post(type="spend", account="old", asset="points", amount="10", at="2025-01-21T10:00")
    books.post(type="spend", account="new", asset="points", amount="10", at="2025-01-21T10:00")
    back(books, "new", "q", "2025-01-22")
    codes(books, "account.merged", "old", "new")
    assert standing(books, "new")[:2] == ("0", "10")
    back(books, "old", "p", "2025-02-03", amount="5.00")
    assert standing(books, "new")[:2] == ("0", "11")  # 4 of 9 points go back, and 5 of 10 are taken
    back(books, "old", "p", "2025-02-04")
    assert standing(books, "new")[:2] == ("0", "11")


def test_pending_points_mature_and_are_taken_back() -> None:
    for done in ("purchase.completed", "purchase.cancelled"):
        books = merged(pending='matures = "on completion"')
        assert books.pending("points", account="new") == "70"
        assert books.post(type=done, account="old", purchase="p", at="2025-02-03T10:00").accepted
        matured = done == "purchase.completed"
        assert books.balance("points", account="new") == ("60" if matured else "0")
        assert books.pending("points", account="new") == "10"
        (objection,) = books.post(type=done, account="new", purchase="p", at="2025-02-04T10:00").objections
        assert objection.code == ("completed" if matured else "nothing_left")
        if matured:
            back(books, "old", "p", "2025-02-05")
            assert books.balance("points", account="new") == "0"


def test_rewards_can_be_cancelled() -> None:
    books = Ledger(text())
    buy(books, "old", "2025-01-10", "60.00", "p")
    buy(books, "new", "2025-01-20", "10.00", "q")
    mug = {"type": "reward.redeemed", "reward": "mug", "id": "mug", "account": "old", "at": "2025-01-21T10:00"}
    assert books.post(**mug).accepted
    codes(books, "account.merged", "old", "new")
    cancel = {"type": "reward.cancelled", "about": "mug", "account": "old"}
    assert books.post(**cancel, at="2025-02-03T10:00").accepted
    assert books.balance("points", account="new") == "70"
    (objection,) = books.post(**cancel, at="2025-02-04T10:00").objections
    assert objection.code == "cancelled"
    assert codes(books, "account.unmerged", "new", "old", "2025-02-05") == []
    (objection,) = books.post(**cancel, at="2025-02-06T10:00").objections
    assert objection.code == "cancelled"


def test_metrics_go_back_without_what_came_back() -> None:
    books = merged()
    buy(books, "last", "2025-01-20", "5.00", "r")
    codes(books, "account.merged", "new", "last", "2025-02-03")
    back(books, "old", "p", "2025-02-04", amount="20.00")
    assert standing(books, "last") == ("55", "0", 5500)
    assert codes(books, "account.unmerged", "last", "new", "2025-02-05") == []
    assert [standing(books, ref)[2] for ref in ("last", "new", "old")] == [500, 5000, 0]
    back(books, "old", "p", "2025-02-06", amount="10.00")
    assert codes(books, "account.unmerged", "new", "old", "2025-02-07") == []
    assert [standing(books, ref)[2] for ref in ("last", "new", "old")] == [500, 1000, 3000]
    back(books, "old", "p", "2025-02-08")
    assert [standing(books, ref) for ref in ("last", "new", "old")] == [
        ("5", "0", 500),
        ("10", "0", 1000),
        ("0", "0", 0),
    ]


def test_the_statement_and_the_explanation_say_what_happened() -> None:
    books = merged()
    back(books, "old", "p", "2025-02-03", amount="20.00")
    words = [line.words for line in statement(books.engine, "new").lines]
    assert "earlier recalled: purchase p (old)" in words
    assert any(line.startswith("return of 20.00 EUR from purchase p; 20.00 EUR to give back") for line in words)
    assert statement(books.engine, "old").lines[-1].words == "earlier settled: return (new)"
    outcome = books.journal("new")[-1]
    refund = explain_entry(books.engine, "new", outcome).refund
    assert refund is not None
    assert (refund.purchase, str(refund.total)) == ("p", "60.00 EUR")


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with Engine.open(any_db, create=True, clock=lambda: LATER) as engine:
        engine.put_text_in_force(text())
        yield engine
        assert verify(engine).findings == ()


EVENTS: list[dict[str, Any]] = [
    {"type": "topup", "id": "1", "account": "old", "at": "2025-01-01T10:00", "amount": "9.00"},
    {"type": "purchase", "id": "2", "account": "old", "at": "2025-01-02T10:00", "amount": "60.00",
     "tenders": [{"kind": "stored_value", "amount": "9.00"}, {"kind": "card", "amount": "51.00"}]},
    {"type": "purchase", "id": "3", "account": "new", "at": "2025-01-03T10:00", "amount": "7.00"},
    {"type": "reward.redeemed", "id": "4", "account": "old", "at": "2025-01-03T10:00", "reward": "mug"},
    {"type": "return", "id": "5", "account": "old", "at": "2025-01-04T10:00", "purchase": "2", "amount": "10.00"},
    {"type": "account.merged", "id": "6", "account": "old", "to": "new", "at": "2025-01-05T10:00"},
    {"type": "return", "id": "7", "account": "old", "at": "2025-01-06T10:00", "purchase": "2", "amount": "11.00"},
    {"type": "return", "id": "8", "account": "new", "at": "2025-01-07T10:00", "purchase": "2", "amount": "12.00"},
    {"type": "reward.cancelled", "id": "9", "account": "new", "at": "2025-01-08T10:00", "about": "4"},
    {"type": "account.unmerged", "id": "10", "account": "new", "to": "old", "at": "2025-01-09T10:00"},
    {"type": "return", "id": "11", "account": "old", "at": "2025-01-10T10:00", "purchase": "2"},
    {"type": "return", "id": "12", "account": "new", "at": "2025-01-10T10:00", "purchase": "3"},
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 100])
def test_they_are_verified_and_told_again_the_same(engine: Engine, size: int) -> None:
    outcomes = [each for first in range(0, len(EVENTS), size) for each in engine.process(EVENTS[first : first + size])]
    assert all(each.accepted for each in outcomes), [each.objections for each in outcomes]
    assert all(each.replayed for each in engine.process(EVENTS))
    with engine.store.reader() as session:
        accounts = session.accounts(["old", "new"])
        session.fill(accounts.values(), None)
        left = {ref: [account.total(code) for code in ("points", "EUR")] for ref, account in accounts.items()}
        assert [sum(each) for each in zip(*left.values(), strict=True)] == [0, 900]


def test_late_news_of_a_return_is_sound() -> None:
    events = [*EVENTS[:6], {**EVENTS[6], "at": "2025-01-04T12:00"}]
    assert findings(text(), events, 2) == ()


def test_an_export_is_restored_hash_for_hash(tmp_path: Path) -> None:
    program = text().replace('[campaigns.start]\nasset = "points"\nbudget = "1000"\nrules = ["points.base"]\n', "")
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True) as engine:
        engine.put_text_in_force(program.replace("stock = 5\n", ""))
        assert all(engine.post(event).accepted for event in EVENTS)
        export(engine, tmp_path / "books.jsonl", "jsonl")
        with Engine.open(f"sqlite:///{tmp_path / 'copy.db'}", create=True) as copy:
            import_file(copy, tmp_path / "books.jsonl", as_recorded=True, refused=tmp_path / "refused.jsonl")
            assert verify(copy).head == verify(engine).head


def test_several_processes_decide_the_same(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    for event in EVENTS:
        for shop in range(5):
            names = [key for key in ("id", "account", "to", "purchase", "about") if key in event]
            events.append(event | {key: f"{event[key]}-{shop}" for key in names})
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True) as engine:
        engine.put_text_in_force(text())
        done = list(process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=2, batch_size=7))
        assert sum(len(each.accepted) for each in done) == len(events)
        assert verify(engine).findings == ()
