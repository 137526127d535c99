"""Bonuses to keep on a condition, of accounts that become one: judged where they are, and back where they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples
from tests.plugins.proof import findings
from tests.plugins.test_stored_value_keeping import AFTER, GIFT, HEAD, OWED

if TYPE_CHECKING:
    from pathlib import Path

MERGING = """
[[plugin]]
use = "merging"
undo = "60 days"
debt = "move"
"""


NOW = 1_743_000_000_000_000
"""In the night before 27 March 2025."""


def bound(gift: str = GIFT) -> str:
    """A shop where the condition on the gift goes along."""
    return HEAD + gift.replace('when = "metric', 'merged = "goes along"\nwhen = "metric') + MERGING


def topup(ref: str, at: str = "2025-02-28T10:00", **more: Any) -> dict[str, Any]:
    return {"type": "topup", "account": ref, "amount": "100", "at": at, **more}


def visit(ref: str, at: str, amount: str = "1") -> dict[str, Any]:
    return {"type": "purchase", "account": ref, "amount": amount, "at": at}


def spend(ref: str, at: str, amount: str) -> dict[str, Any]:
    return {"type": "spend", "account": ref, "amount": amount, "at": at}


def merge(gone: str = "old", stays: str = "new", at: str = "2025-03-10T10:00") -> dict[str, Any]:
    return {"type": "account.merged", "account": gone, "to": stays, "at": at}


def part(gone: str = "old", stays: str = "new", at: str = "2025-03-15T10:00") -> dict[str, Any]:
    return {"type": "account.unmerged", "account": stays, "to": gone, "at": at}


def opened(ref: str) -> dict[str, Any]:
    return {"type": "account.opened", "account": ref, "at": "2025-02-01T09:00"}


def played(text: str, *events: dict[str, Any]) -> Ledger:
    """Return the books of events, all of them accepted, that verify."""
    books = Ledger(text)
    for number, event in enumerate(events):
        outcome = books.post(**{"id": f"e{number}", **event})
        assert outcome.accepted, outcome.objections
    assert findings(text, [{"id": f"e{number}", "source": "t", **event} for number, event in enumerate(events)]) == ()
    return books


def worth(books: Ledger, ref: str, at: str = AFTER) -> tuple[str, str]:
    books.tick(at)
    return books.balance("CNY", account=ref, at=at), books.owed("CNY", account=ref)


def reviewed(books: Ledger, ref: str) -> int:
    return sum(entry.type == "bonus.reviewed" for entry in books.journal(ref))


@pytest.mark.parametrize(("visits", "left"), [(2, "120.00"), (1, "100.00")])
def test_the_condition_holds_or_not_on_the_account_that_took_the_bonus_in(visits: int, left: str) -> None:
    books = played(
        bound(),
        topup("old"),
        visit("old", "2025-03-05"),
        opened("new"),
        merge(),
        *[visit("new", "2025-03-20")][: visits - 1],
    )
    assert worth(books, "new") == (left, "0.00")
    assert (reviewed(books, "old"), reviewed(books, "new")) == (0, 1)


def test_it_is_free_where_the_program_does_not_say() -> None:
    books = played(HEAD + GIFT + MERGING, topup("old"), opened("new"), merge())
    assert worth(books, "new") == ("120.00", "0.00")
    assert reviewed(books, "new") == 0


def test_what_was_spent_of_it_before_or_since_is_owed_by_the_account_that_has_it_then() -> None:
    books = played(
        bound(OWED),
        topup("old"),
        spend("old", "2025-03-02", "5"),
        opened("new"),
        merge(),
        spend("new", "2025-03-12", "3"),
    )
    assert worth(books, "new") == ("100.00", "8.00")


def test_what_repaid_a_debt_of_the_other_account_was_spent() -> None:
    text = bound(OWED).replace("[assets.CNY]", '[assets.CNY]\nspend_order = ["paid_first"]')
    owes = [topup("new", "2025-01-05T10:00"), spend("new", "2025-01-06", "120")]
    books = played(text, *owes, topup("old"))
    books.tick("2025-02-28")
    assert books.owed("CNY", account="new") == "20.00", "the gift of January"
    books = played(text, *owes, topup("old"), spend("old", "2025-03-01", "100"), merge())
    assert worth(books, "new", "2025-03-11") == ("0.00", "0.00")
    assert worth(books, "new") == ("0.00", "20.00"), "that of February"


def test_bonuses_of_both_accounts_are_judged_each_by_itself_though_their_places_are_the_same() -> None:
    books = played(
        bound(),
        topup("old", "2025-02-28T10:00"),
        topup("new", "2025-03-08T10:00"),
        merge(),
        visit("new", "2025-04-01"),
        visit("new", "2025-04-02"),
    )
    assert worth(books, "new", "2025-03-29T00:00") == ("220.00", "0.00")
    assert worth(books, "new", "2025-04-30") == ("220.00", "0.00")
    assert reviewed(books, "new") == 2


def test_a_top_up_of_the_other_account_that_goes_back_takes_its_part_and_the_rest_stays_bound() -> None:
    back = {"type": "topup.returned", "account": "new", "about": "t", "amount": "50", "at": "2025-03-12T10:00"}
    books = played(bound(), topup("old", id="t"), opened("new"), topup("new", "2025-03-01T10:00"), merge(), back)
    assert books.balance("CNY", account="new") == "180.00"
    assert worth(books, "new") == ("170.00", "0.00"), "the other 10.00"
    assert worth(books, "new", "2025-04-02T00:00") == ("150.00", "0.00"), "and the gift of its own"


def test_what_was_taken_back_since_it_did_not_hold_is_not_taken_with_its_top_up_again() -> None:
    back = {"type": "topup.returned", "account": "new", "about": "t", "at": "2025-04-02T10:00"}
    books = played(
        bound().replace('use = "refunds"', 'use = "refunds"\npoints_spent = "debt"'),
        topup("old", id="t"),
        opened("new"),
        merge(),
        back,
    )
    assert worth(books, "new", "2025-04-03T00:00") == ("0.00", "0.00")


def test_a_merger_undone_takes_the_condition_back() -> None:
    events = (topup("old"), opened("new"), topup("new", "2025-03-01T10:00"), merge(), part())
    books = played(bound(), *events)
    assert worth(books, "old") == ("100.00", "0.00")
    assert worth(books, "new", "2025-04-02T00:00") == ("100.00", "0.00")
    assert (reviewed(books, "old"), reviewed(books, "new")) == (1, 1)
    kept = played(bound(), *events, visit("old", "2025-03-20"), visit("old", "2025-03-21"))
    assert worth(kept, "old") == ("120.00", "0.00")


def test_what_was_judged_meanwhile_is_not_judged_again() -> None:
    for visits, left in ((2, "120.00"), (0, "100.00")):
        days = [visit("new", f"2025-03-2{day}") for day in range(visits)]
        books = played(bound(), topup("old"), opened("new"), merge(), *days, part(at="2025-04-02T10:00"))
        assert worth(books, "old", "2025-05-30") == (left, "0.00")
        assert reviewed(books, "old") == 0


def test_it_goes_on_and_comes_back_through_several_accounts() -> None:
    there = (topup("old"), opened("new"), opened("third"), merge(), merge("new", "third", "2025-03-11T10:00"))
    assert worth(played(bound(), *there), "third") == ("100.00", "0.00")
    halfway = (*there, part("new", "third", "2025-03-12T10:00"))
    assert worth(played(bound(), *halfway), "new") == ("100.00", "0.00")
    back = (*halfway, part("old", "new", "2025-03-13T10:00"))
    books = played(bound(), *back)
    assert worth(books, "old") == ("100.00", "0.00")
    assert [reviewed(books, ref) for ref in ("old", "new", "third")] == [1, 0, 0]


def test_the_customer_reads_it_on_the_account_that_has_it(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True, clock=lambda: NOW) as engine:
        engine.put_text_in_force(bound())
        for number, event in enumerate((topup("old"), opened("new"), merge())):
            engine.post({"id": f"e{number}", "source": "t", **event})
        told = {ref: list(map(str, statement(engine, ref).account.progress)) for ref in ("old", "new")}
        assert told == {
            "old": [],
            "new": ["20.00 CNY of gift is yours to keep after 2 visits until 2025-03-28 (0 visits so far)"],
        }
        assert not verify(engine).findings


_steps = st.lists(
    st.tuples(st.sampled_from(["topup", "visit", "spend"]), st.sampled_from(["old", "new"]), st.integers(1, 9000)),
    max_size=8,
)


@example(first=[("topup", "old", 1), ("spend", "old", 500)], then=[("visit", "new", 1)], last=[], parts=True)
@given(first=_steps, then=_steps, last=_steps, parts=st.booleans())
@examples(40, deadline=None)
def test_who_does_not_keep_it_has_what_was_paid_less_what_was_spent(
    first: list[tuple[str, str, int]],
    then: list[tuple[str, str, int]],
    last: list[tuple[str, str, int]],
    parts: bool,  # noqa: FBT001 - drawn by name
) -> None:
    never = bound(OWED.replace(">= 2", ">= 1000"))
    events = [opened("old"), opened("new")]
    day = 1
    for group, ref in ((first, ""), (then, "new"), (last, "" if parts else "new")):
        for what, who, units in group:
            day += 1
            at, account = f"2025-03-{1 + day // 24:02}T{day % 24:02}:00", ref or who
            amount = f"{units // 100}.{units % 100:02}"
            event = {"topup": topup(account, at), "visit": visit(account, at)}.get(what)
            events.append(event or spend(account, at, amount))
        day += 1
        at = f"2025-03-{1 + day // 24:02}T{day % 24:02}:00"
        if group is first:
            events.append(merge(at=at))
        elif group is then and parts:
            events.append(part(at=at))
    named = [{"id": f"e{number}", "source": "t", **event} for number, event in enumerate(events)]
    books = Ledger(never)
    paid = 0
    for event in named:
        outcome = books.post(**event)
        if outcome.accepted and event["type"] in {"topup", "spend"}:
            units = int(str(event["amount"]).replace(".", "") + ("00" if event["type"] == "topup" else ""))
            paid += units if event["type"] == "topup" else -units
    books.tick("2025-06-01")
    left = 0
    for ref in ("old", "new"):
        left += sum(lot.remaining for lot in books.view(account=ref, at="2025-06-01").lots if lot.asset == "CNY")
    assert left == paid
    assert findings(never, named) == ()
