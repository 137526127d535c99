"""What accounts are told of their level: how far the next one is, what keeps this one; and what time brings unseen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from stampbook import Engine, ProgramError, load_program
from stampbook.cli import cli
from stampbook.engine import system_clock
from stampbook.periods import Calendar
from stampbook.statements import statement
from stampbook.states import account_state
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
[program]
name = "Tiers"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.spend]
sum = "order.net"
[metrics.nights]
sum = "order.quantity"
decimals = 0
[[plugin]]
use = "tiers"
metric = "spend"
period = "calendar year"
review = "calendar year"
grace = "{grace}"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "300"
keep = "{keep}"
[[plugin.level.gift]]
name = "bag"
amount = "50"
given = "each period"
[[plugin.level]]
name = "black"
reach = {{ spend = "1000", nights = "30" }}
match = "any"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
"""
UTC = Calendar("UTC")
JUST_NOW = UTC.iso(system_clock() - 1_000_000)
"""The command line lives in the present, and these ladders count by the year."""


class Office:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = UTC.parse("2025-12-01")
        self.engine = Engine.open(str(path / "a.db"), create=True, clock=lambda: self.now)
        self.put_in_force()

    def program(self, *, keep: str = "250", grace: str = "2 months") -> Path:
        file = self.path / "p.toml"
        file.write_text(PROGRAM.format(keep=keep, grace=grace), encoding="utf-8")
        return file

    def put_in_force(self, **options: str) -> None:
        self.engine.put_in_force(self.program(**options))

    def buy(self, account: str, amount: str, at: str) -> None:
        self.now = max(self.now, UTC.parse(at))
        event = {"type": "purchase", "id": f"{account}-{at}", "account": account, "amount": amount, "at": at}
        assert self.engine.post(event).status == "accepted"

    def told(self, at: str, ref: str = "ann") -> list[str]:
        return [str(each) for each in account_state(self.engine, ref, as_of=UTC.parse(at)).progress]

    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(cli, ["--db", str(self.path / "a.db"), *arguments], catch_exceptions=False)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.engine.close()


def test_how_far_the_next_level_is_and_what_keeps_this_one(office: Office) -> None:
    office.buy("ann", "60.00", "2025-12-02")
    assert office.told("2025-12-02") == ["240.00 more spend until 2025-12-31 reaches gold"]
    office.buy("ann", "240.00", "2025-12-03")
    up = "700.00 more spend or 28 more nights until 2025-12-31 reaches black"
    assert office.told("2025-12-03") == [up, "gold is kept until 2025-12-31"]
    office.buy("ann", "10.00", "2026-03-02")
    up = "990.00 more spend or 29 more nights until 2026-12-31 reaches black"
    assert office.told("2026-03-02") == [up, "240.00 more spend until 2026-12-31 keeps gold"]


def test_it_stands_in_statement_and_account_and_in_their_json(office: Office) -> None:
    office.buy("ann", "300.00", "2025-12-03")
    office.buy("ann", "10.00", "2026-03-02")
    line = "240.00 more spend until 2026-12-31 keeps gold.\n"
    assert line in office.run("statement", "ann", "--as-of", "2026-03-03").stdout
    assert line in office.run("account", "show", "ann", "--as-of", "2026-03-03").stdout
    found = json.loads(office.run("account", "show", "ann", "--as-of", "2026-03-03", "--json").stdout)
    assert found["progress"][-1] == {
        "scheme": "tier",
        "words": "",
        "way": "keep",
        "goal": "gold",
        "done": False,
        "match": "all",
        "needs": [{"measure": "spend", "have": "10.00", "want": "250.00", "missing": "240.00"}],
        "last_day": "2026-12-31",
    }


def test_a_gift_that_no_tick_has_posted_is_seen_already(office: Office) -> None:
    office.buy("ann", "300.00", "2025-12-03")
    at = UTC.parse("2026-04-01")
    state = account_state(office.engine, "ann", as_of=at)
    assert [holding.available.text for holding in state.holdings] == ["400"]
    lines = statement(office.engine, "ann", as_of=at).lines
    assert [line.words for line in lines][-1] == "tier review"
    assert office.run("explain", "ann", "--as-of", "2026-04-01").exit_code == 0
    before = statement(office.engine, "ann", as_of=at).closing
    list(office.engine.tick(at))
    after = statement(office.engine, "ann", as_of=at)
    assert (after.closing, after.lines[-1].type) == (before, "tier.review")


def test_a_dry_run_says_whom_another_ladder_moves(office: Office) -> None:
    office.buy("ann", "260.00", JUST_NOW)
    office.buy("bob", "300.00", JUST_NOW)
    office.buy("cat", "1.00", JUST_NOW)
    office.buy("dan", "1000.00", JUST_NOW)
    file = office.path / "new.toml"
    text = office.program(keep="260").read_text(encoding="utf-8")
    file.write_text(text.replace('reach = "300"', 'reach = "260"').replace("1000", "2000"), encoding="utf-8")
    said = office.run("apply", str(file), "--dry-run").stdout
    assert "  at the next event: tier blue -> gold: 1 account (ann)\n" in said
    assert "  at a review: tier black -> gold: 1 account (dan)\n" in said
    assert "bob" not in said
    assert "would be in force" in said
    file.write_text(text.replace('"300"', '"350"').replace('"260"', '"350"'), encoding="utf-8")
    data = json.loads(office.run("apply", str(file), "--dry-run", "--json").stdout)
    [move] = data["moves"]
    assert move == {
        "fact": "tier",
        "before": "gold",
        "after": "blue",
        "when": "at a review",
        "count": 1,
        "accounts": ["bob"],
    }
    said = office.run("check", str(file), "--against", str(office.path / "a.db")).stdout
    assert "  at a review: tier gold -> blue: 1 account (bob)\n" in said
    assert account_state(office.engine, "bob").facts[0].value == "gold", "nothing was changed"


def test_a_ladder_that_moves_nobody_says_so(office: Office) -> None:
    office.buy("ann", "60.00", JUST_NOW)
    said = office.run("check", str(office.program(keep="240")), "--against", str(office.path / "a.db")).stdout
    assert "no account would change its tier" in said


def test_a_renamed_level_moves_those_who_have_it(office: Office) -> None:
    office.buy("bob", "300.00", JUST_NOW)
    file = office.path / "new.toml"
    file.write_text(office.program().read_text(encoding="utf-8").replace('"gold"', '"oro"'), encoding="utf-8")
    assert "at the next event: tier gold -> oro: 1 account (bob)" in office.run("apply", str(file), "--dry-run").stdout


def test_of_two_ladders_one_that_is_left_out_moves_nobody_and_leaves_its_fact(office: Office) -> None:
    file = office.path / "new.toml"
    club = (
        '[[plugin]]\nuse = "tiers"\nname = "club"\nfact = "club"\nmetric = "nights"\n[[plugin.level]]\nname = "guest"\n'
    )
    text = office.program(keep="300").read_text(encoding="utf-8")
    file.write_text(text + club, encoding="utf-8")
    assert office.run("apply", str(file)).exit_code == 0
    office.buy("bob", "300.00", UTC.iso(system_clock()))
    assert "guest" in {fact.value for fact in account_state(office.engine, "bob").facts}
    changed = text.replace('reach = "300"', 'reach = "350"').replace('keep = "300"', 'keep = "350"')
    file.write_text(changed, encoding="utf-8")
    said = office.run("apply", str(file), "--dry-run").stdout
    assert "at a review: tier gold -> blue: 1 account (bob)" in said
    assert "club guest" not in said


def test_a_ladder_that_is_ended_takes_its_levels_away_and_says_of_whom(office: Office) -> None:
    file = office.path / "new.toml"
    club = '[[plugin]]\nuse = "tiers"\nname = "club"\nfact = "club"\n'
    levels = 'metric = "nights"\n[[plugin.level]]\nname = "guest"\n[[plugin.level]]\nname = "regular"\nreach = "50"\n'
    text = office.program().read_text(encoding="utf-8")
    file.write_text(text + club + levels, encoding="utf-8")
    assert office.run("apply", str(file)).exit_code == 0
    office.buy("bob", "1.00", UTC.iso(system_clock()))
    office.buy("ann", "1.00", UTC.iso(system_clock()))
    for kind, extra in (("tier.granted", {"level": "regular"}), ("tier.invited", {"level": "regular"})):
        event = {"type": kind, "id": kind, "account": "ann", "scheme": "club", "reason": "a friend", **extra}
        office.now = system_clock()
        assert office.engine.post({**event, "at": UTC.iso(system_clock())}).accepted
    file.write_text(text + club + "ended = true\nannounce = true\n", encoding="utf-8")
    said = office.run("apply", str(file), "--dry-run").stdout
    assert "  at the next event: club guest -> none: 1 account (bob)\n" in said
    assert "  at the next event: club regular -> none: 1 account (ann)\n" in said
    assert "club_granted regular -> none: 1 account (ann)" in said
    assert office.run("apply", str(file)).exit_code == 0
    office.now = system_clock()
    assert list(office.engine.tick())
    for ref in ("ann", "bob"):
        assert {fact.name for fact in account_state(office.engine, ref).facts if fact.value} == {"tier"}
        assert [line.type for line in statement(office.engine, ref).lines][-2:] == ["tier.due", "tier.lowered"]
    office.now = system_clock()
    assert not list(office.engine.tick())
    late = {"type": "tier.granted", "id": "late", "account": "ann", "scheme": "club", "reason": "x", "level": "regular"}
    [objection] = office.engine.post({**late, "at": UTC.iso(system_clock())}).objections
    assert (objection.code, objection.message) == ("unknown_level", "'regular' is no level of club; there are none")
    assert verify(office.engine).findings == ()
    assert (
        "no account would change its tier" in office.run("check", str(file), "--against", f"{office.path}/a.db").stdout
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('fact = "club"', "a ladder needs levels"),
        ('fact = "club"\nended = true\nmetric = "x"\n[[plugin.level]]\nname = "a"', "leave out level, metric"),
    ],
)
def test_a_ladder_has_levels_or_has_ended(table: str, message: str) -> None:
    head = '[program]\nname = "x"\ncurrency = "GBP"\n[[plugin]]\nuse = "tiers"\n'
    with pytest.raises(ProgramError, match=message):
        load_program(head + table)
