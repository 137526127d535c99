from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import InputError, PluginError, ProgramError
from stampbook.loading import load
from stampbook.population import Frames
from tests.plugins.histories import accounts, buys, counts, gives_back, history, movements, program, run, segments

AT = 500
DECLARED = '[attributes]\nregion = "text"\nfamily = "text"\n'
FIRST = """
[[plugin.rule]]
segment = "northern regulars"
when = "account.region == 'north' and history.orders >= 2"
[[plugin.rule]]
segment = "spenders"
when = "history.net >= 10 or account.stored_value > 20"
[[plugin.rule]]
segment = "gone"
when = "history.days_since_last > 365 and days_since(account.opened_at) >= 400"
"""
AGAIN = """
[[plugin.rule]]
segment = "y"
when = "history.net >= 10 or account.stored_value > 20"
"""
SCORED = """
[[plugin.rule]]
when = "history.orders >= 2"
points = 10
[[plugin.rule]]
when = "history.returned_share >= 0.5"
points = -5
[[plugin.level]]
segment = "good"
from = 10
[[plugin.level]]
segment = "fair"
from = 5
"""


def frames() -> Frames:
    rows = [
        buys("ann", AT - 5, 100), buys("ann", AT - 4, 100),
        buys("bob", AT - 5, 1000), buys("cid", AT - 5, 10),
        buys("eve", 10, 10), gives_back("eve", 11, 5, "eve@10"),
        buys("fay", AT - 9, 10), gives_back("fay", AT - 8, 5, "fay@491"), buys("fay", AT - 9, 0, "zero"),
        buys("fay", AT - 7, 1),
    ]  # fmt: skip
    people = [
        {"account": "ann", "region": "north"}, {"account": "bob", "region": "south"}, {"account": "cid"},
        {"account": "dan"}, {"account": "eve"}, {"account": "fay"},
    ]  # fmt: skip
    held = movements([("cid", 1, "topup", 2001), ("dan", 1, "topup", 2000)])
    return Frames(history(rows), accounts=accounts(people, "region", "family"), movements=held)


def test_the_first_condition_that_holds_names_the_segment() -> None:
    found = segments(program("custom", FIRST, DECLARED), frames(), AT)
    assert found == {
        "ann": "northern regulars", "bob": "spenders", "cid": "spenders", "dan": "gone", "eve": "gone", "fay": "other",
    }  # fmt: skip


def test_points_add_up_to_a_level() -> None:
    frame = run(program("custom", SCORED, DECLARED), frames(), AT)
    told = {row["account"]: (row["segment"], row["points"], row["held"]) for row in frame.to_dicts()}
    assert told["ann"] == ("good", 10, "10")
    assert told["fay"] == ("good", 10, "10")  # 5 of 11 came back
    assert told["eve"] == ("other", -5, "01")
    assert told["dan"] == ("other", 0, "00")


def test_the_window_bounds_what_counts_and_not_how_long_ago_it_was() -> None:
    when = "history.orders == 0 and history.days_since_last == 490"
    options = f'window = "30 days"\n[[plugin.rule]]\nsegment = "x"\nwhen = "{when}"\n'
    assert segments(program("custom", options), frames(), AT)["eve"] == "x"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('[[plugin.rule]]\nsegment = "x"\nwhen = "account.regoin == \'n\'"', "region"),
        ('[[plugin.rule]]\nsegment = "x"\nwhen = "history.order >= 1"', "orders"),
        ('[[plugin.rule]]\nsegment = "x"\nwhen = "account.status == \'shut\'"', "never 'shut'"),
        ('[[plugin.rule]]\nwhen = "history.orders >= 1"', "write its segment"),
        (SCORED + '[[plugin.level]]\nsegment = "x"\nfrom = 7', "highest to the lowest"),
        (SCORED.replace("points = 10", 'segment = "x"'), "has points"),
        (
            FIRST + '[[plugin.rule]]\nsegment = "y"\nwhen = "history.net >= 10 or account.stored_value > 20"',
            "never reached",
        ),
        ("", "rule"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("custom", options, DECLARED))


def test_each_segment_is_explained_by_its_condition() -> None:
    for options, said in {
        FIRST: {
            "ann": "northern regulars: rule 1: account.region == 'north' and history.orders >= 2",
            "fay": "other: no condition holds",
        },
        SCORED: {
            "ann": "good: 10 points: +10 as history.orders >= 2",
            "eve": "other: -5 points: -5 as history.returned_share >= 0.5",
        },
    }.items():
        text = program("custom", options, DECLARED)
        [(_, scheme)] = load(text).segmenters()
        for row in run(text, frames(), AT).to_dicts():
            if row["account"] in said:
                assert scheme.reasons(row, {}) == (said[row["account"]],)


METRICS = """
[attributes]
spend = "text"

[metrics.spend]
sum = "order.net"

[metrics.cities]
distinct = "order.store"
"""


def test_conditions_read_what_metrics_counted_in_the_window() -> None:
    told = counts([
        ("ann", 10, "spend", None, 10, 2001), ("ann", 20, "spend", None, 10, -1), ("bob", 10, "spend", None, 10, 1999),
        ("bob", 10, "cities", "Leeds", 10, 1), ("bob", 11, "cities", "York", 11, 1),
        ("ann", 10, "cities", "Leeds", 9, 2), ("cid", 5, "spend", None, 5, 9999), ("dan", 101, "spend", None, 10, 9999),
    ])  # fmt: skip
    people = [{"account": name, "spend": "much"} for name in ("ann", "bob", "cid", "dan")]
    options = """
window = "92 days"
[[plugin.rule]]
segment = "rich"
when = "metric.spend >= 20 and account.spend == 'much'"
[[plugin.rule]]
segment = "travels"
when = "metric.cities == 2"
"""
    there = Frames(history([]), accounts=accounts(people, "spend"), counts=told)
    assert segments(program("custom", options, METRICS), there) == {
        "ann": "rich", "bob": "travels", "cid": "other", "dan": "other",
    }  # fmt: skip
    with pytest.raises(InputError, match="looks at counts, of which there are none here"):
        segments(program("custom", options, METRICS), there._replace(counts=None))


def test_a_condition_names_metrics_that_the_program_declares() -> None:
    rule = '[[plugin.rule]]\nsegment = "x"\nwhen = "metric.spent >= 20"\n'
    with pytest.raises(ProgramError, match=r"no field 'metric.spent' .did you mean 'spend'"):
        load(program("custom", rule, METRICS))
    with pytest.raises(ProgramError, match="metric"):
        load(program("custom", rule))
    groups = '[[plugin.rule]]\nsegment = "x"\nwhen = "metric.spend >= 20"\n'
    with pytest.raises(ProgramError, match="no attribute"):
        load(program("attributes", groups, METRICS))


@given(spent=st.lists(st.integers(0, 400), min_size=1, max_size=20), border=st.integers(0, 400))
def test_a_condition_on_money_is_exact(spent: list[int], border: int) -> None:
    rows = [buys(f"a{number}", 1, amount) for number, amount in enumerate(spent)]
    people = accounts([{"account": f"a{number}"} for number in range(len(spent))])
    when = f"history.net >= {border // 100}.{border % 100:02}"
    found = segments(
        program("custom", f'[[plugin.rule]]\nsegment = "x"\nwhen = "{when}"'), Frames(history(rows), accounts=people)
    )
    assert [found[f"a{number}"] == "x" for number in range(len(spent))] == [amount >= border for amount in spent]


@pytest.mark.parametrize("name", ["orders", "net", "segment", "points", "held", "at", "days_since_last"])
def test_an_attribute_may_be_called_like_a_measure(name: str) -> None:
    seen = Frames(
        history([buys("ann", 1, 100)]), accounts=accounts([{"account": "ann", name: "x"}, {"account": "bob"}], name)
    )
    when = f"account.{name} == 'x' and history.orders == 1 and history.net == 1 and event.at > account.opened_at"
    text = program("custom", f'[[plugin.rule]]\nsegment = "s"\nwhen = "{when}"', f'[attributes]\n{name} = "text"\n')
    assert segments(text, seen) == {"ann": "s", "bob": "other"}


def test_a_division_by_zero_names_the_rule_and_an_account() -> None:
    def of(when: str) -> dict[str, str]:
        return segments(program("custom", f'[[plugin.rule]]\nsegment = "s"\nwhen = "{when}"'), frames(), AT)

    said = r"^plugin 'custom': rule 1 \(.*\) for account 'dan': division by zero \(column 15\); ask first whether"
    with pytest.raises(PluginError, match=said):
        of("history.net / history.orders >= 1")
    assert of("history.orders > 0 and history.net / history.orders >= 1")["dan"] == "other"


def test_accounts_without_a_column_for_an_attribute_are_refused_in_one_line() -> None:
    seen = Frames(history([]), accounts=accounts([{"account": "ann"}]))
    with pytest.raises(InputError, match=r"^accounts: no column 'region', which a condition reads"):
        segments(program("custom", FIRST.replace(" or account.stored_value > 20", ""), DECLARED), seen)
