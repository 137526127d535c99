"""What accounts are told of a run: once, by an event, with the scores that rules may read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pytest

from stampbook import Engine, Plugin, PluginError, ProgramError, StampbookError, hookimpl
from stampbook.histories import read_frames
from stampbook.loading import load
from stampbook.periods import Calendar
from stampbook.replay import entries_of
from stampbook.segmenting import Segmentation, segment
from stampbook.states import account_state
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import narwhals as nw

AT = Calendar().parse
PROGRAM = """
[program]
name = "Told"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[attributes]
where = "text"
level = "text"
word = "text"
[segments.groups]
scores = ["level", "good"]
texts = ["word"]
[[plugin]]
use = "groups"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "welcome"
on = ["segment.changed"]
when = "event.scheme == 'groups' and event.segment == 'south' and event.before == 'north'"
earn = "7"
[[plugin.rule]]
name = "level"
earn = "order.net * (account.score.groups.level - 1)"
when = "account.segment.groups == 'south' and account.score.groups.word == 'yes'"
"""


class Groups(Plugin[Any]):
    """Says of each account what its attributes say."""

    alone = True
    segment_names = ("north", "south", "unknown")

    @hookimpl
    def segment(self, accounts: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        import narwhals as nw

        del at
        return accounts.select(
            "account",
            segment=nw.col("where").fill_null("unknown"),
            level=nw.col("level").cast(nw.Float64),
            good=nw.col("word") == "yes",
            word=nw.col("word"),
        )


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with Engine.open(any_db, create=True, plugins={"groups": Groups}) as engine:
        begin(engine, PROGRAM)
        yield engine


def begin(engine: Engine, program: str) -> None:
    """Put a program in force in books in which somebody bought something and left."""
    engine.put_text_in_force(program)
    assert points(engine, "2025-01-01", "gone", "0.00") == 0
    assert engine.post({"type": "account.closed", "id": "c", "account": "gone", "at": "2025-01-01"}).accepted


def say(engine: Engine, day: str, account: str = "a", **said: str) -> None:
    event = {"type": "account.described", "id": f"{account}{day}", "account": account, "at": day, "attributes": said}
    opened = {"type": "account.opened", "id": f"open {account}", "account": account, "at": "2025-01-01"}
    assert all(outcome.accepted for outcome in engine.process([opened, event]))


def ran(engine: Engine, day: str) -> Segmentation:
    [made], _ = segment(engine, at=AT(day))
    return made


def told(engine: Engine, account: str = "a") -> list[dict[str, Any]]:
    entries = [entry for entry in entries_of(engine, account) if entry.type == "segment.changed"]
    assert all(entry.accepted for entry in entries)
    return [orjson.loads(entry.payload) for entry in entries]


def points(engine: Engine, day: str, account: str = "a", amount: str = "10.00") -> int:
    bought = {"type": "purchase", "id": f"buy {day}", "account": account, "at": day, "amount": amount}
    return sum(posting.amount for posting in engine.post(bought).postings)


def test_a_change_is_told_once_and_rules_read_it(engine: Engine) -> None:
    say(engine, "2025-01-02", where="north", level="1.5", word="yes")
    assert ran(engine, "2025-01-03").told == (1, 0)
    assert ran(engine, "2025-01-03").told == (0, 0)
    assert ran(engine, "2025-01-04").told == (0, 0)
    assert points(engine, "2025-01-05") == 10
    say(engine, "2025-01-06", where="south", level="2.5")
    assert ran(engine, "2025-01-07").told == (1, 0)
    assert [event.get("before", "") for event in told(engine)] == ["", "north"]
    assert points(engine, "2025-01-08") == 25
    held = account_state(engine, "a").holdings[0].available.units
    assert held == 10 + 7 + 25
    assert verify(engine).findings == ()


def test_a_score_that_changed_is_told_and_one_that_is_no_longer_known_is_taken_back(engine: Engine) -> None:
    say(engine, "2025-01-02", where="south", level="0.1234567", word="yes")
    ran(engine, "2025-01-03")
    say(engine, "2025-01-04", level="", word="no")
    ran(engine, "2025-01-05")
    assert [event["scores"] for event in told(engine)] == [
        {"level": "0.123457", "good": "1", "word": "yes"},
        {"level": "", "good": "0", "word": "no"},
    ]
    assert points(engine, "2025-01-06") == 10


def test_who_does_not_change_is_told_nothing_however_often_schemes_run(engine: Engine) -> None:
    for ref in ("a", "b", "c"):
        say(engine, "2025-01-02", ref, where="north")
    engine.post({"type": "account.closed", "id": "close", "account": "c", "at": "2025-01-03"})
    assert [ran(engine, f"2025-01-{day:02d}").told for day in (3, 4, 5)] == [(2, 0), (0, 0), (0, 0)]
    assert told(engine, "c") == []


def test_what_happened_meanwhile_is_not_judged_by_what_was_learned_late(engine: Engine) -> None:
    """The usual case: the run as of last midnight is made in the morning, when the first sales have been rung up."""
    say(engine, "2025-01-02", where="south", level="3", word="yes")
    assert points(engine, "2025-01-05T09:00") == 10
    assert ran(engine, "2025-01-05").told == (1, 0)
    assert points(engine, "2025-01-05T10:00") == 30
    assert verify(engine).findings == ()


def test_a_program_that_has_rules_read_more_tells_more_of_the_same_run(engine: Engine) -> None:
    fewer = PROGRAM.replace('texts = ["word"]', "").replace("and account.score.groups.word == 'yes'", "")
    engine.put_text_in_force(fewer, effective_from=AT("2025-01-02"))
    say(engine, "2025-01-02", where="south", level="2", word="yes")
    assert ran(engine, "2025-01-03").told == (1, 0)
    engine.put_text_in_force(PROGRAM, effective_from=AT("2025-01-02"))
    assert ran(engine, "2025-01-03").told == (1, 0)
    assert told(engine)[-1]["scores"]["word"] == "yes"
    assert ran(engine, "2025-01-03").told == (0, 0)


def test_a_program_that_is_taken_back_and_put_in_force_again_tells_each_time(any_db: str) -> None:
    program = """
[program]
name = "Told"
currency = "EUR"
open_accounts = "on first event"
[segments.custom]
[[plugin]]
use = "custom"
[[plugin.rule]]
when = "history.orders >= 1"
segment = "near"
"""
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(program)
        points(engine, "2025-01-01")
        for name in ("near", "far", "near", "far"):
            engine.put_text_in_force(program.replace("near", name), effective_from=AT("2025-01-02"))
            made = ran(engine, "2025-01-03")
            assert (made.is_new, made.told) == (True, (1, 0))
            assert made.shares["segment"].to_list() == [name]
            assert told(engine)[-1]["segment"] == name
            assert ran(engine, "2025-01-03").told == (0, 0)
        assert verify(engine).findings == ()


class Lately(Plugin[Any]):
    """Has scores of kinds that JSON has not."""

    @hookimpl
    def segment(self, accounts: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        import narwhals as nw
        import polars as pl

        ago = (pl.lit(at) - pl.col("opened_at")).alias("ago")
        frame = accounts.collect("polars").to_native()
        named = frame.select("account", ago, segment=pl.lit("some"), half=pl.lit("0.5").cast(pl.Decimal(4, 2)))
        answer: nw.LazyFrame[Any] = nw.from_native(named.lazy())
        return answer


def test_scores_may_be_decimals_and_lengths_of_time(any_db: str) -> None:
    program = PROGRAM[: PROGRAM.index("[segments.groups]")] + '[segments.late]\nscores = ["half"]\ntexts = ["ago"]\n'
    with Engine.open(any_db, create=True, plugins={"late": Lately}) as engine:
        engine.put_text_in_force(f'{program}[[plugin]]\nuse = "late"\n')
        say(engine, "2025-01-01", where="north")
        assert ran(engine, "2025-01-03").told == (1, 0)
        assert told(engine)[-1]["scores"] == {"half": "0.5", "ago": "172800"}


def test_an_account_that_is_a_plugins_own_is_not_told(any_db: str) -> None:
    program = f'{PROGRAM}\n[[plugin]]\nuse = "cards"\n'
    with Engine.open(any_db, create=True, plugins={"groups": Groups}) as engine:
        begin(engine, program)
        say(engine, "2025-01-02", where="north")
        issued = {"type": "card.issued", "id": "i", "account": "card:1", "at": "2025-01-02", "number": "1"}
        engine.process([issued])
        assert ran(engine, "2025-01-03").told == (1, 0)
        assert ran(engine, "2025-01-04").told == (0, 0)


def test_a_refusal_is_counted_and_a_failure_does_not_stop_the_others(engine: Engine) -> None:
    limit = '[limits.none]\nmax = "5"\nper = "transaction"\nover = "refuse event"\n[[plugin]]\nuse = "groups"'
    engine.put_text_in_force(PROGRAM.replace('[[plugin]]\nuse = "groups"', limit, 1), effective_from=AT("2025-01-02"))
    for ref in ("a", "b"):
        say(engine, "2025-01-02", ref, where="north")
    ran(engine, "2025-01-03")
    say(engine, "2025-01-04", where="south")
    assert ran(engine, "2025-01-05").told == (0, 1)
    fails = PROGRAM.replace('earn = "7"', 'earn = "7 / (account.score.groups.level - 1)"')
    engine.put_text_in_force(fails, effective_from=AT("2025-01-06"))
    for ref in ("a", "b"):
        say(engine, "2025-01-06", ref, where="south", level="1" if ref == "a" else "2")
    with pytest.raises(StampbookError, match=r"1 accounts were told, but 1 could not be: account a: .*again"):
        ran(engine, "2025-01-07")
    assert told(engine, "b")[-1]["segment"] == "south"


@pytest.mark.parametrize(
    ("scores", "refused"),
    [
        ('scores = ["levl"]', r"\[segments.groups\] of Told: groups has no score 'levl' .did you mean 'level'"),
        ('scores = ["word"]', "score 'word' is no number; name it in texts"),
    ],
)
def test_a_score_that_a_scheme_does_not_have_is_a_mistake_and_nothing_is_kept(
    engine: Engine, scores: str, refused: str
) -> None:
    program = PROGRAM[: PROGRAM.index('[[plugin.rule]]\nname = "level"')].replace('scores = ["level", "good"]', scores)
    engine.put_text_in_force(program.replace('texts = ["word"]', ""), effective_from=AT("2025-01-02"))
    say(engine, "2025-01-02", where="north")
    for _ in range(2):
        with pytest.raises(PluginError, match=refused):
            ran(engine, "2025-01-03")


@pytest.mark.parametrize(
    ("wrong", "refused"),
    [
        ({"scheme": "grups"}, "unknown_scheme"),
        ({"scores": {"levels": "1"}}, "bad_score"),
        ({"scores": {"level": "high"}}, "bad_score"),
        ({"scores": {"level": "0.1234567"}}, "bad_score"),
    ],
)
def test_what_anybody_else_says_of_segments_must_fit_the_program(
    engine: Engine, wrong: dict[str, Any], refused: str
) -> None:
    say(engine, "2025-01-02", where="north")
    good = {"type": "segment.changed", "id": "s", "account": "a", "at": "2025-01-03", "scheme": "groups"}
    outcome = engine.post({**good, "segment": "south", **wrong})
    assert [objection.code for objection in outcome.objections] == [refused]
    assert points(engine, "2025-01-04") == 10


@pytest.mark.parametrize(
    ("right", "wrong", "near"),
    [
        ("account.segment.groups == 'south'", "account.segment.groups == 'suoth'", "did you mean 'south'"),
        ("event.segment == 'south'", "event.segment == 'souht'", "did you mean 'south'"),
        ("event.before == 'north'", "event.before == 'nroth'", "did you mean 'north'"),
        ("event.scheme == 'groups'", "event.scheme == 'group'", "did you mean 'groups'"),
        ("account.score.groups.word == 'yes'", "account.score.groups.wrod == 'yes'", "score.groups.word"),
        ("account.score.groups.word == 'yes'", "account.score.groups.word > 1", "a text"),
        ('texts = ["word"]', 'texts = ["word", "level"]', "a number or a text, not both"),
        ('texts = ["word"]', 'texts = ["word"]\nat_once = ["nort"]', "did you mean 'north'"),
    ],
)
def test_a_misspelt_segment_is_a_mistake_of_the_program(right: str, wrong: str, near: str) -> None:
    assert right in PROGRAM
    load(PROGRAM, plugins={"groups": Groups})
    with pytest.raises(ProgramError, match=near):
        load(PROGRAM.replace(right, wrong), plugins={"groups": Groups})


@pytest.mark.parametrize(
    ("right", "wrong", "near"),
    [
        ("account.segment.groups == 'south'", "account.segment.groups == 'suoth'", "did you mean 'south'"),
        ("event.segment == 'south'", "event.segment == 'souht'", "did you mean 'south'"),
        ("event.before != 'north'", "event.before != 'nroth'", "did you mean 'north'"),
        ("event.scheme == 'groups'", "event.scheme == 'group'", "did you mean 'groups'"),
        ("order.net", "order.nt", "did you mean 'net'"),
    ],
)
def test_what_a_metric_compares_with_is_checked_as_in_a_rule(right: str, wrong: str, near: str) -> None:
    metrics = """
[metrics.southern]
sum = "order.net"
when = "account.segment.groups == 'south'"
[metrics.came]
on = ["segment.changed"]
count = true
when = "event.scheme == 'groups' and event.segment == 'south' and event.before != 'north'"
"""
    program = PROGRAM + metrics
    assert right in metrics
    load(program, plugins={"groups": Groups})
    with pytest.raises(ProgramError) as caught:
        load(PROGRAM + metrics.replace(right, wrong), plugins={"groups": Groups})
    [mistake] = caught.value.mistakes
    assert near in mistake.message
    assert mistake.key.startswith("metrics.")
    assert mistake.line > PROGRAM.count("\n")


OPEN = """
[program]
name = "Shop"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[segments.rfm]
[segments.abc]
[segments.taste]
[[plugin]]
use = "rfm"
[[plugin]]
use = "abc"
[[plugin]]
use = "preference"
name = "taste"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
on = ["segment.changed"]
earn = "1"
when = "{}"
"""


@pytest.mark.parametrize(
    "right",
    [
        "event.scheme == 'rfm' and event.segment == 'champions' and event.before == ''",
        "event.scheme == 'rfm' and (event.segment in ['new'] or event.before != 'new') or event.segment == 'A'",
        "event.scheme == 'taste' and event.segment == 'red'",
        "event.segment == 'red'",
        "event.scheme != 'rfm' and event.segment == 'red'",
        "(event.scheme == 'rfm' or event.scheme == 'taste') and event.segment == 'red'",
        "not (event.scheme == 'rfm' and event.segment == 'new') and event.segment == 'red'",
    ],
)
def test_a_segment_of_some_scheme_is_no_mistake_where_no_scheme_is_named(right: str) -> None:
    load(OPEN.format(right))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("event.scheme == 'rfm' and event.segment == 'champion'", "did you mean 'champions'"),
        ("'champion' == event.segment and 'rfm' == event.scheme", "did you mean 'champions'"),
        ("event.segment in ['loyal', 'at_rsk'] and event.scheme == 'rfm'", "did you mean 'at_risk'"),
        ("event.scheme == 'rfm' and (event.segment == 'new' or event.before == 'loyl')", "did you mean 'loyal'"),
        ("event.scheme == 'rfm' and event.segment == 'A'", "event.segment, where event.scheme is 'rfm', is never 'A'"),
        ("event.scheme == 'taste' and event.segment == 'x' or event.scheme == 'abc' and event.before == 'D'", "'abc'"),
    ],
)
def test_a_segment_is_one_of_the_scheme_that_a_condition_names(wrong: str, near: str) -> None:
    with pytest.raises(ProgramError) as caught:
        load(OPEN.format(wrong))
    [mistake] = caught.value.mistakes
    assert near in mistake.message


def test_what_runs_told_is_no_activity_of_a_customer(engine: Engine) -> None:
    say(engine, "2025-01-02", where="north")
    ran(engine, "2025-01-03")
    seen = read_frames(engine, AT("2025-01-04"), {"activity"}).frames.activity
    assert isinstance(seen, pl.LazyFrame)
    assert set(seen.filter(account="a").collect()["kind"]) == {"account.opened", "account.described"}
