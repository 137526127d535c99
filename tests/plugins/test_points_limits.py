"""Limits and campaigns: what they leave of awards, what counts, and what a return gives back."""

# ruff: noqa: E501, FBT001 - a message is one line, and so is its case; a drawn flag is an argument
from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.account import Account
from stampbook.account_view import AccountView
from stampbook.awards import settle
from stampbook.engine import Engine
from stampbook.errors import ProgramError
from stampbook.hookspecs import Award, Multiplier
from stampbook.loading import load
from stampbook.replay import MemoryLedger
from stampbook.verifying import verify
from tests.effort import examples
from tests.properties.driver import Till, program

if TYPE_CHECKING:
    from stampbook.replay import MemoryLedger as Ledger

HEADER = """
[program]
name = "Limits"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.GBP]
"""
PLUGINS = """
[[plugin]]
use = "refunds"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "extra"
earn = "10"
rank = 1
"""


def shop(tables: str, plugins: str = PLUGINS) -> Till:
    return Till(HEADER + tables + plugins).opened("2025-01-01")


def ledger(tables: str, plugins: str = PLUGINS) -> Ledger:
    return MemoryLedger(load(HEADER + tables + plugins), clock=lambda: 0)


def test_a_transaction_is_cut_to_its_limit_the_lower_rank_first() -> None:
    till = shop("[limits.basket]\nmax = '25'\nper = 'transaction'\n")
    decision = till.tell("purchase", amount="20")
    assert decision.trace["awards"] == [("points.base", "points", 20), ("points.extra", "points", 5)]
    assert decision.trace["limited"] == [("points.extra", "basket", 10, 5)], "the desired and the granted amount"


def test_equal_ranks_share_what_is_left_in_proportion() -> None:
    till = shop("[limits.basket]\nmax = '25'\nper = 'transaction'\n", PLUGINS.replace("rank = 1", ""))
    assert till.tell("purchase", amount="40").trace["awards"] == [
        ("points.base", "points", 20),
        ("points.extra", "points", 5),
    ]


@pytest.mark.parametrize(
    ("window", "days", "points"),
    [
        ("1 day", ["2025-01-01", "2025-01-01", "2025-01-02"], "60"),
        ("calendar week", ["2025-01-05", "2025-01-05", "2025-01-06", "2025-01-12"], "60"),
        ("calendar month", ["2025-01-31", "2025-01-31", "2025-02-01"], "60"),
        ("7 days", ["2025-01-01", "2025-01-07", "2025-01-08"], "60"),
        ("lifetime", ["2025-01-01", "2026-01-01", "2027-01-01"], "30"),
    ],
)
def test_an_account_is_limited_over_a_window(window: str, days: list[str], points: str) -> None:
    till = shop(f"[limits.most]\nmax = '30'\nwindow = '{window}'\n")
    for day in days:
        till.tell("purchase", amount="30", at=day)
    assert till.balance() == points


def test_what_is_too_much_may_be_left_out_whole() -> None:
    till = shop("[limits.most]\nmax = '25'\nover = 'refuse award'\n")
    till.tell("purchase", amount="20")
    assert till.balance() == "20"
    till.tell("purchase", amount="1")
    assert till.balance() == "21"


SAME_RANK = PLUGINS.replace("rank = 1", "")


@pytest.mark.parametrize(
    "terms",
    [
        "over = 'refuse award'",
        "per = 'transaction'\nover = 'refuse award'",
        "counts = 'awards'",
        "rules = ['points.extra', 'points.base']\nover = 'refuse award'",
    ],
)
def test_rules_of_one_rank_that_only_a_name_would_tell_apart_are_refused(terms: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        program(HEADER + f"[limits.most]\nmax = '10'\n{terms}\n" + SAME_RANK)
    assert [str(it).partition(": ")[2] for it in wrong.value.mistakes] == [
        "plugin[2]: points.base and points.extra have one rank in the limit 'most', which may have room for only one of them; give each a rank of its own"
    ]


def test_a_budget_that_grants_whole_awards_needs_ranks_too() -> None:
    june = "[campaigns.june]\nrules = ['points.base', 'points.extra']\nbudget = '10'\nover = 'refuse award'\n"
    program(HEADER + june + PLUGINS)
    with pytest.raises(ProgramError, match="have one rank in the campaign 'june'"):
        program(HEADER + june + SAME_RANK)


def test_a_limit_that_refuses_events_needs_ranks_only_where_it_cannot_refuse() -> None:
    tables = "[limits.most]\nmax = '10'\nover = 'refuse event'\n"
    program(HEADER + tables + SAME_RANK)
    joining = SAME_RANK.replace("order.net", "7").replace("earn", "on = ['account.opened']\nearn")
    with pytest.raises(ProgramError, match="have one rank in the limit 'most'"):
        program(HEADER + tables + joining)


@pytest.mark.parametrize(
    ("tables", "more"),
    [
        ("[limits.most]\nmax = '10'\n", ""),
        ("[limits.most]\nmax = '10'\nrules = ['points.base']\nover = 'refuse award'\n", ""),
        ("[limits.most]\nmax = '10'\nover = 'refuse award'\n", "on = ['account.opened']"),
        ("[limits.most]\nmax = '10'\nover = 'refuse award'\n", "asset = 'GBP'"),
        ("[limits.most]\nmax = '10'\nover = 'refuse award'\n[stacking]\nstaff = 'exclusive'\n", "group = 'staff'"),
        ("[limits.most]\nmax = '10'\nover = 'refuse award'\n[campaigns.may]\nrules = ['points.base']\nlast_day = '2025-05-31'\n[campaigns.june]\nrules = ['points.extra']\nfirst_day = '2025-06-01'\n", ""),
    ],
    ids=["trimmed", "not covered", "other events", "other asset", "never both", "other season"],
)  # fmt: skip
def test_rules_that_never_contend_need_no_ranks(tables: str, more: str) -> None:
    program(HEADER + tables + SAME_RANK + more)


def test_the_order_of_limits_and_their_names_decide_nothing() -> None:
    trims = "[limits.{}]\nmax = '5'\nrules = ['points.base']\n"
    refuses = "[limits.{}]\nmax = '30'\nover = 'refuse award'\n"
    wide = "[limits.{}]\nmax = '12'\n"
    for tables in itertools.permutations([trims, refuses, wide]):
        for names in itertools.permutations("abc"):
            till = shop("".join(table.format(name) for table, name in zip(tables, names, strict=True)))
            # 40 do not fit into 30 and are left out, the 10 stay; then 2 of 5 are left of 12.
            till.tell("purchase", amount="40")
            assert till.balance() == "10"
            till.tell("purchase", amount="7")
            assert till.journal["ann"][-1].trace["awards"] == [
                ("points.base", "points", 2),
                ("points.extra", "points", 0),
            ]


def test_a_unit_that_cannot_be_split_goes_to_the_lot_that_lasts_longest_whatever_its_name() -> None:
    for names in (("a", "b"), ("b", "a")):
        rules = "".join(
            f"[[plugin.rule]]\nname = '{name}'\nearn = '7'\nexpires = '{expires}'\n"
            for name, expires in zip(names, ("2 days", "9 days"), strict=True)
        )
        till = shop("[limits.most]\nmax = '5'\n", "[[plugin]]\nuse = 'points'\n" + rules)
        till.tell("purchase", amount="1", at="2025-03-01")
        till.tell("purchase", amount="1", at="2025-03-05")
        assert till.balance() == "3"


def test_or_refuse_the_event() -> None:
    till = shop("[limits.most]\nmax = '25'\nover = 'refuse event'\n")
    decision = till.tell("purchase", amount="20")
    assert [(it.code, it.message) for it in decision.objections] == [
        ("limit_reached", "limit most: 30 points is more than the 25 points left")
    ]
    assert till.tell("purchase", amount="15").accepted


def test_awards_may_be_counted_and_money_value_too() -> None:
    till = shop(
        "[limits.few]\nmax = '1'\ncounts = 'awards'\nwindow = '1 day'\nrules = ['points.extra']\n[limits.value]\nmax = '1.00'\ncounts = 'value'\nunit_value = '0.03'\n"
    )
    till.tell("purchase", amount="5")
    till.tell("purchase", amount="5")
    assert till.balance() == "20", "10 for the one extra, twice 5"
    till.tell("purchase", amount="50")
    assert till.balance() == "33", "1.00 / 0.03 = 33.3…"


def test_a_campaign_is_on_from_its_first_day_through_its_last() -> None:
    till = shop("[campaigns.june]\nrules = ['points.extra']\nfirst_day = '2025-06-01'\nlast_day = '2025-06-30'\n")
    for at, points in (
        ("2025-05-31T23:59", "1"),
        ("2025-06-01", "12"),
        ("2025-06-30T23:59", "23"),
        ("2025-07-01", "24"),
    ):
        till.tell("purchase", amount="1", at=at)
        assert till.balance() == points
    assert till.journal["ann"][-1].trace["out_of_season"] == [("points.extra", "june")]


def test_a_campaign_that_is_not_on_takes_no_part_in_stacking() -> None:
    plugins = (
        PLUGINS.replace('earn = "10"', 'earn = "10"\ngroup = "promo"')
        + "[[plugin.rule]]\nname = 'other'\nearn = '3'\ngroup = 'promo'\n"
    )
    till = shop(
        "[stacking]\npromo = 'best'\n[campaigns.june]\nrules = ['points.extra']\nfirst_day = '2025-06-01'\n", plugins
    )
    till.tell("purchase", amount="1", at="2025-05-01")
    assert till.balance() == "4"


def test_a_budget_is_for_all_accounts_together_and_the_journal_says_what_was_left() -> None:
    books = ledger("[campaigns.june]\nrules = ['points.extra']\nbudget = '25'\n")
    for number in range(4):
        books.post({"type": "purchase", "id": f"e{number}", "account": f"c{number}", "at": "2025-06-01", "amount": "1"})
    traces = [orjson.loads(books.entries(f"c{number}")[-1].trace) for number in range(4)]
    assert [trace["awards"][1][2] for trace in traces] == [10, 10, 5, 0]
    assert [trace.get("budgets") for trace in traces] == [None, None, {"june": 5}, {"june": 0}]
    assert traces[2]["limited"] == [["points.extra", "june", 10, 5]]


def test_a_return_gives_limits_and_budgets_back_in_parts_and_whole() -> None:
    books = ledger(
        "[limits.month]\nmax = '100'\nwindow = 'calendar month'\n[campaigns.june]\nrules = ['points.extra']\nbudget = '10'\n"
    )

    def post(type_: str, id_: str, **more: Any) -> None:
        assert books.post({"type": type_, "id": id_, "account": "ann", "at": "2025-06-01", **more}).accepted

    post("purchase", "a", amount="40")
    post("return", "r1", purchase="a", amount="10")
    assert dict(metrics(books)) == {"campaign/june": 8, "cap/month": 38}
    post("return", "r2", purchase="a", amount="10")
    assert dict(metrics(books)) == {"campaign/june": 5, "cap/month": 25}
    post("purchase", "b", amount="1")
    assert dict(metrics(books)) == {"campaign/june": 10, "cap/month": 31}
    post("return", "r3", purchase="a")
    post("return", "r4", purchase="b")
    assert dict(metrics(books)) == {}


def metrics(books: Ledger, ref: str = "ann") -> list[tuple[str, int]]:
    return [(name, value) for name, _, value in books.account(ref).metrics]


def test_what_was_let_go_stays_counted() -> None:
    till = shop("[limits.life]\nmax = '30'\n")
    till.tell("purchase", id="a", amount="20")
    till.tell("spend", asset="points", amount="25")
    till.tell("return", purchase="a")
    assert [value for _, _, value in till.account().metrics] == [25], (
        "5 were taken back; who spends and returns does not earn them again"
    )
    till.tell("purchase", amount="20")
    assert till.balance() == "5"


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ("[limits.x]\nmax = '1'\nrules = ['points.bas']\n", "limits.x.rules: no rule 'points.bas' awards anything (did you mean 'points.base'?)"),
        ("[limits.x]\nmax = '1'\nasset = 'stamps'\n", "limits.x: 'stamps' is not an asset of this program"),
        ("[limits.x]\nmax = '1.5'\n", "limits.x: '1.5' has more than 0 decimals"),
        ("[limits.x]\nmax = '1'\ncounts = 'value'\n", "limits.x: unit_value goes with counts = 'value', and only with it"),
        ("[limits.x]\nmax = '1'\nper = 'transaction'\nwindow = '1 day'\n", "limits.x: a window goes with per = 'account', and only with it"),
        ("[limits.x]\nmax = '1'\nasset = 'GBP'\nrules = ['points.base']\n", "limits.x.rules: points.base grants points, not GBP"),
        ("[campaigns.x]\nrules = ['points.base']\nfirst_day = '2025-02-01'\nlast_day = '2025-01-01'\n", "campaigns.x: it ends before it begins"),
        ("[campaigns.x]\nrules = ['points.base']\nfirst_day = 'soon'\n", "campaigns.x.first_day: 'soon' is not a date or time"),
        ("[attributes]\ntier = 'text'\n", "attributes.tier: account.tier is something else already"),
    ],
)  # fmt: skip
def test_a_wrong_limit_is_a_mistake_of_the_program(tables: str, says: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        program(HEADER + tables + PLUGINS)
    assert says in "\n".join(map(str, wrong.value.mistakes))


# Order, batches and ticks make no difference

GROUPS = {"s": "sum", "b": "best", "f": "first", "x": "exclusive"}
FACTORS = {"m": "multiplied", "g": "sum", "t": "best"}
RULED = program(
    HEADER
    + "[limits.basket]\nmax = '40'\nper = 'transaction'\n[limits.day]\nmax = '30'\nwindow = '1 day'\n[limits.few]\nmax = '3'\ncounts = 'awards'\n[limits.whole]\nmax = '35'\nover = 'refuse award'\n"
    + PLUGINS
)

awards = st.lists(
    st.builds(
        lambda number, group, rank, size: Award(f"p.r{number}", "points", size, 3, group=group, rank=rank if group not in {"f", "x"} else number),
        st.integers(0, 9), st.sampled_from(["", "", *GROUPS]), st.integers(0, 2), st.integers(0, 90),
    ),
    max_size=6, unique_by=lambda award: award.rule,
)  # fmt: skip
multipliers = st.lists(
    st.builds(
        lambda number, group, size: Multiplier(f"p.m{number}", "points", size, 2, group=group),
        st.integers(0, 9), st.sampled_from(["", *FACTORS]), st.integers(0, 6),
    ),
    max_size=4, unique_by=lambda factor: factor.rule,
)  # fmt: skip


@given(awards, multipliers, st.sampled_from(["product", "best", "sum"]), st.integers(0, 2**32))
def test_what_is_granted_does_not_depend_on_the_order_of_plugins(
    wanted: list[Award], factors: list[Multiplier], mode: str, seed: int
) -> None:
    def granted(wishes: list[Award | Multiplier]) -> dict[str, int]:
        settled = settle(
            wishes,
            assets=RULED.context.assets,
            stacking=GROUPS | FACTORS,
            multipliers=mode,
            limits=RULED.limits,
            account=AccountView(Account("ann", status="open"), 0, RULED.context),
        )
        return {grant.award.rule: grant.units for grant in settled.grants}

    wishes: list[Award | Multiplier] = [*wanted, *factors]
    other = list(wishes)
    random.Random(seed).shuffle(other)
    assert granted(wishes) == granted(other)
    assert sum(granted(wishes).values()) <= 30


ALL_TABLES = "[limits.day]\nmax = '30'\nwindow = '1 day'\n[limits.week]\nmax = '3'\ncounts = 'awards'\nwindow = 'calendar week'\nrules = ['points.extra']\n[campaigns.june]\nrules = ['points.extra']\nbudget = '45'\n"


@given(
    st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from("abc"), st.integers(1, 60), st.booleans()),
        min_size=1,
        max_size=25,
    ),
    st.integers(1, 7),
    st.booleans(),
)
def test_batches_and_ticks_make_no_difference_and_a_return_of_all_restores_everything(
    script: list[tuple[int, str, int, bool]], size: int, ticks: bool
) -> None:
    plugins = PLUGINS.replace("rank = 1", "rank = 1\npending = '2 days'\nexpires = '5 days'")
    events: list[dict[str, Any]] = []
    for number, (day, ref, amount, _) in enumerate(sorted(script)):
        events.append(
            {"type": "purchase", "id": f"p{number}", "account": ref, "at": f"2025-06-{day:02}", "amount": str(amount)}
        )
    events += [
        {"type": "return", "id": f"r{number}", "account": ref, "at": "2025-06-20T12:00", "purchase": f"p{number}"}
        for number, (_, ref, _, back) in enumerate(sorted(script))
        if back
    ]
    one, other = ledger(ALL_TABLES, plugins), ledger(ALL_TABLES, plugins)
    one.process(events)
    for start in range(0, len(events), size):
        if ticks:
            for _ in other.tick(one.registry().context.calendar.parse(str(events[start]["at"])) - 1):
                pass
        other.process(events[start : start + size])
    for ref in {str(event["account"]) for event in events}:
        assert [entry.effects for entry in one.entries(ref) if entry.type in {"purchase", "return"}] == [
            entry.effects for entry in other.entries(ref) if entry.type in {"purchase", "return"}
        ]
        assert list(one.account(ref).metrics) == list(other.account(ref).metrics)
    one.process([
        {"type": "return", "id": f"z{number}", "account": ref, "at": "2025-06-20T13:00", "purchase": f"p{number}"}
        for number, (_, ref, _, _) in enumerate(sorted(script))
    ])  # fmt: skip
    for ref in {str(event["account"]) for event in events}:
        assert metrics(one, ref) == []
        assert one.account(ref).total("points") == 0


contending = st.lists(
    st.builds(
        lambda most, per, over, rules, counts: f"max = '{most}'\nper = '{per}'\nover = '{over}'\ncounts = '{counts}'\n{rules}",
        st.integers(1, 30),
        st.sampled_from(["transaction", "account"]),
        st.sampled_from(["trim", "trim", "refuse award", "refuse event"]),
        st.sampled_from(["", "rules = ['points.base']\n", "rules = ['points.extra']\n"]),
        st.sampled_from(["amount", "amount", "awards"]),
    ),
    min_size=2,
    max_size=4,
)  # fmt: skip


@examples(150)
@given(contending, st.lists(st.integers(0, 25), min_size=1, max_size=3), st.data())
def test_contending_limits_leave_the_same_in_any_order(
    says: list[str], amounts: list[int], data: st.DataObject
) -> None:
    found = []
    for order in (says, data.draw(st.permutations(says))):
        till = shop("".join(f"[limits.l{number}]\n{text}" for number, text in enumerate(order)))
        for amount in amounts:
            till.tell("purchase", amount=str(amount))
        found.append([(entry.accepted, entry.trace.get("awards")) for entry in till.journal["ann"]])
    assert found[0] == found[1]


USED_UP = """
[limits.once]
per = "transaction"
max = "15"
[campaigns.gift]
rules = ["points.extra"]
budget = "10"
over = "OVER"
turn = "TURN"
"""


@pytest.mark.parametrize(
    ("turn", "over", "expected"),
    [
        ("last", "trim", [15, 5]),
        ("first", "trim", [15, 15]),
        ("last", "refuse award", [15, 5]),
        ("first", "refuse award", [15, 15]),
    ],
)
def test_a_budget_that_is_used_up_takes_room_in_a_limit_unless_it_is_asked_first(
    sqlite_db: str, turn: str, over: str, expected: list[int]
) -> None:
    tables = USED_UP.replace("OVER", over).replace("TURN", turn)
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(HEADER + tables + PLUGINS.replace("rank = 1", "rank = -1"))
        got = []
        for day in (1, 2):
            event = {"type": "purchase", "id": f"p{day}", "account": "ann", "at": f"2025-01-0{day}", "amount": "20.00"}
            got.append(sum(posting.amount for posting in engine.post(event).postings))
        assert got == expected
        assert verify(engine).ok
