"""The engine through its public door, on both databases: ids (T-ID), batches (T-BATCH), programs in force, time."""

from __future__ import annotations

import logging
import unicodedata
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import AccountView, Event, Objection, Plugin, PluginConfig, Transaction, hookimpl
from stampbook.account import CLOSED
from stampbook.engine import Engine
from stampbook.errors import DuplicateEventError, EventError, PluginError, StoreError
from stampbook.replay import entries_of, state
from tests.faults.books import (
    NOW,
    PROGRAM,
    START,
    STRICT,
    Data,
    balance,
    event,
    findings,
    frozen,
    heads,
    opened,
    picture,
    run,
    script,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.engine import Outcome


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with opened(any_db) as engine:
        yield engine
        assert findings(engine) == ()


def codes(outcome: Outcome) -> list[str]:
    return [objection.code for objection in outcome.objections]


def micros(at: str) -> int:
    from stampbook.periods import Calendar

    return Calendar("Europe/London").parse(at)


# ---- T-ID: one outcome a key (2, the same key from many at once, is in faults/test_races.py) ----


def test_id_1_the_same_event_twice_is_the_first_outcome(engine: Engine) -> None:
    first = engine.post(event("topup", "t", amount="5.00"))
    before = picture(engine)
    again = engine.post(event("topup", "t", amount="5.00"))
    assert (first.replayed, again.replayed) == (False, True)
    assert told(again) == told(first)
    assert picture(engine) == before


@pytest.mark.parametrize(
    ("first", "other", "field"),
    [
        (event("topup", "t", amount="5.00"), event("topup", "t", amount="5.01"), "amount"),
        (event("topup", "t", amount="5.00"), event("topup", "t", "bob", amount="5.00"), "account"),
        (event("topup", "t", amount="5.00"), event("topup", "t", at=START + timedelta(seconds=1), amount="5.00"), "at"),
        (event("topup", "t", amount="5.00"), event("spend", "t", amount="5.00"), "type"),
        (event("topup", "t", amount="5.00", store="a"), event("topup", "t", amount="5.00", store="b"), "store"),
        (
            event("purchase", "t", lines=[{"amount": "1.00"}]),
            event("purchase", "t", lines=[{"amount": "1.00"}, {"amount": "0.00"}]),
            "lines",
        ),
    ],
)
def test_id_3_the_same_id_with_other_content_names_what_differs(
    engine: Engine, first: Data, other: Data, field: str
) -> None:
    engine.post(first)
    before = picture(engine)
    with pytest.raises(DuplicateEventError, match=f"recorded before with another {field}; send new facts under a new"):
        engine.post(other)
    assert picture(engine) == before


def test_the_same_content_may_be_written_in_another_way(engine: Engine) -> None:
    engine.post(event("topup", "t", at="2025-01-01T09:00:00+00:00", amount="5.00"))
    again = {"amount": "5", "at": "2025-01-01T10:00:00+01:00", "account": "ann", "id": "t", "type": "topup"}
    assert engine.post({**again, "source": "default"}).replayed


def test_id_4_the_same_id_twice_in_one_batch(engine: Engine) -> None:
    topup = event("topup", "t", amount="5.00")
    answers = engine.process([topup, topup, event("topup", "t", amount="6.00"), topup])
    assert [answer.status for answer in answers] == ["accepted", "accepted", "malformed", "accepted"]
    assert [answer.replayed for answer in answers] == [False, True, False, True]
    assert isinstance(answers[2].error, DuplicateEventError)
    assert balance(engine) == 500


def test_id_5_a_retry_after_everything_changed_is_the_same_answer(engine: Engine) -> None:
    bought = event("purchase", "p", lines=[{"amount": "10.00", "category": "tea"}])
    first = engine.post(bought)
    engine.post(event("adjust", "a", at="2025-06-01T00:00:00Z", asset="points", amount="1", reason="time goes by"))
    engine.post(event("account.closed", "c", at="2025-06-02T00:00:00Z"))
    engine.put_text_in_force(PROGRAM.replace("floor(order.net)", "1000"))
    assert state(engine, "ann", as_of=NOW).status == CLOSED
    again = engine.post(bought)
    assert again.replayed
    assert told(again) == told(first)


def test_id_5_a_retry_under_a_program_that_would_not_read_it_any_more(engine: Engine) -> None:
    spent = event("adjust", "p", asset="points", amount="7", reason="gift")
    first = engine.post(spent)
    engine.put_text_in_force(PROGRAM + "\n[assets.stars]\n", effective_from=0)
    assert told(engine.post(spent)) == told(first)


def test_id_6_a_refusal_is_remembered_even_when_it_would_now_succeed(engine: Engine) -> None:
    spend = event("spend", "s", amount="5.00")
    first = engine.post(spend)
    assert codes(first) == ["insufficient_balance"]
    engine.post(event("topup", "t", amount="50.00"))
    again = engine.post(spend)
    assert again.replayed
    assert told(again) == told(first)
    assert balance(engine) == 5000


def test_a_malformed_event_is_not_remembered(engine: Engine) -> None:
    with pytest.raises(EventError):
        engine.post(event("topup", "t", amount="-5.00"))
    assert engine.post(event("topup", "t", amount="5.00")).accepted


def test_id_7_the_same_id_of_another_source_is_another_event(engine: Engine) -> None:
    for source in ("default", "till", "web"):
        assert not engine.post(event("topup", "t", amount="1.00", source=source)).replayed
    assert balance(engine) == 300


@pytest.mark.parametrize("length", [1, 255])
def test_id_8_ids_of_any_usual_length(engine: Engine, length: int) -> None:
    assert engine.post(event("topup", "i" * length, amount="1.00")).accepted


@pytest.mark.parametrize("id_", ["", "i" * 256, "a\x00b", 7, None, ["t"], "\ud800"])
def test_id_8_ids_that_are_none_are_refused_in_one_line(engine: Engine, id_: Any) -> None:
    [answer] = engine.process([{**event("topup", "x", amount="1.00"), "id": id_}])
    assert answer.status == "malformed"
    assert "\n" not in str(answer.error)
    assert picture(engine)["journal"] == []


def test_id_8_ids_that_look_alike_are_different(engine: Engine) -> None:
    alike = ["é", unicodedata.normalize("NFD", "é"), "ａ", "a", "а", "A", "会员", "a ", "'; --", '"', "{}", "%s", "?"]
    for id_ in alike:
        answer = engine.post(event("topup", id_, f"ref-{id_}", amount="1.00"))
        assert answer.accepted
        assert not answer.replayed
    for id_ in alike:
        assert engine.post(event("topup", id_, f"ref-{id_}", amount="1.00")).replayed
        assert balance(engine, f"ref-{id_}") == 100


# ---- T-BATCH ---------------------------------------------------------------------------------------------------------


def test_an_empty_batch(engine: Engine) -> None:
    before = picture(engine)
    assert engine.process([]) == []
    assert picture(engine) == before


@pytest.mark.parametrize("k", range(4))
@pytest.mark.parametrize("how", ["refused", "malformed", "known", "other content"])
def test_one_that_fails_does_not_fail_its_neighbours(engine: Engine, k: int, how: str) -> None:
    engine.post(event("topup", "known", "bob", amount="1.00"))
    events = [event("topup", f"t{n}", amount="1.00") for n in range(4)]
    events[k] = {
        "refused": event("spend", "s", "bob", amount="99.00"),
        "malformed": event("topup", "m", amount="nothing"),
        "known": event("topup", "known", "bob", amount="1.00"),
        "other content": event("topup", "known", "bob", amount="2.00"),
    }[how]
    answers = engine.process(events)
    expected = {"refused": "refused", "known": "accepted"}.get(how, "malformed")
    assert [answer.status for answer in answers] == ["accepted"] * k + [expected] + ["accepted"] * (3 - k)
    assert [answer.id for answer in answers] == [data["id"] for data in events]
    assert balance(engine) == 300


def test_a_large_batch_on_one_hot_account(engine: Engine) -> None:
    answers = engine.process([event("topup", f"t{n}", amount="0.01") for n in range(2_000)])
    assert [answer.seq for answer in answers] == list(range(2, 2_002))
    assert balance(engine) == 2_000


def test_later_events_of_a_batch_see_earlier_ones(engine: Engine) -> None:
    answers = engine.process(
        [
            event("topup", "1", amount="10.00"),
            event("spend", "2", amount="10.00"),
            event("spend", "3", amount="0.01"),
            event("purchase", "4", amount="30.00"),
            event("return", "5", purchase="4", amount="10.00"),
            event("return", "6", purchase="4"),
            event("return", "7", purchase="4"),
        ]
    )
    assert [answer.status for answer in answers] == ["accepted"] * 2 + ["refused"] + ["accepted"] * 3 + ["refused"]
    assert codes(answers[6]) == ["nothing_left"]
    assert balance(engine, asset="points", at=START) == 0


@pytest.mark.parametrize("sizes", [[1], [2, 3, 5], [1_000]])
def test_any_split_into_batches_makes_the_same_books(any_db: str, sqlite_db: str, sizes: list[int]) -> None:
    events = script(160, seed=9)
    with opened(any_db) as one, opened(sqlite_db.replace("stampbook.db", "other.db")) as other:
        run(other, events, 7)
        rest = list(events)
        turn = 0
        while rest:
            size = sizes[turn % len(sizes)]
            one.process(rest[:size])
            rest, turn = rest[size:], turn + 1
        assert picture(one) == picture(other)
        assert findings(one) == ()


def test_debt_that_was_repaid_and_made_again_is_the_same_in_any_split(any_db: str, sqlite_db: str) -> None:
    """A debt that is repaid leaves an empty lot, which is not loaded: no decision may depend on its being there."""
    events = [
        event("purchase", "p1", amount="50.00"),
        event("purchase", "p2", amount="50.00"),
        event("spend", "s1", asset="points", amount="150"),
        event("return", "r1", purchase="p1"),
        event("adjust", "a1", asset="points", amount="200", reason="repays"),
        event("spend", "s2", asset="points", amount="40"),
        event("adjust", "a2", asset="points", amount="-110", reason="empties"),
        event("return", "r2", purchase="p2"),
    ]
    with opened(any_db) as one, opened(sqlite_db.replace("stampbook.db", "other.db")) as other:
        assert all(answer.accepted for answer in run(one, events, 1))
        run(other, events, 8)
        assert findings(one) == findings(other) == ()
        assert picture(one) == picture(other)
        lots = state(one, "ann", as_of=micros("2025-01-02")).lots.values()
        assert sum(lot.kind == "debt" for lot in lots) >= 1


# ---- malformed input ----

HOSTILE: list[Any] = [
    {},
    None,
    7,
    "purchase",
    [],
    {"type": "purchase"},
    {"type": "no such kind", "id": "x", "account": "a", "at": "2025-01-01T00:00:00Z"},
    event("purchase", "x"),
    event("purchase", "x", amount="1.00", lines=[{"amount": "1.00"}]),
    event("purchase", "x", amount="1.001"),
    event("purchase", "x", amount=1.001),
    event("purchase", "x", amount=float("nan")),
    event("purchase", "x", amount="NaN"),
    event("purchase", "x", amount="1e400"),
    event("purchase", "x", amount="9" * 400),
    event("purchase", "x", amount="99999999999999999999"),
    event("purchase", "x", amount=True),
    event("purchase", "x", amount="1.00", currency="EUR"),
    event("purchase", "x", amount="1.00", currency=["GBP"]),
    event("purchase", "x", amount="1.00", colour="red"),
    event("purchase", "x", amount="1.00", at="yesterday"),
    event("purchase", "x", amount="1.00", at="2025-13-01T00:00:00Z"),
    event("purchase", "x", amount="1.00", at="0000-01-01T00:00:00Z"),
    event("purchase", "x", amount="1.00", at="99999-01-01T00:00:00Z"),
    event("purchase", "x", amount="1.00", at=1e300),
    event("purchase", "x", "", amount="1.00"),
    event("purchase", "x", "a" * 256, amount="1.00"),
    event("purchase", "x", "a\x00", amount="1.00"),
    event("topup", "x", amount="0"),
    event("topup", "x", amount="-1"),
    event("spend", "x", amount="1.00", asset="POINTS"),
    event("adjust", "x", amount="1.00"),
    event("expiry", "x", lot=1),
    event("topup", "x", amount="1.00", source="stampbook"),
    event("return", "x"),
    event("topup", "x", amount=[[[[]]]]),
    event("topup", "x", amount="1.00", store="\ud800"),
    {**event("topup", "x", amount="1.00"), "account": ["ann"]},
    {**event("topup", "x", amount="1.00"), "account": None},
    {**event("topup", "x", amount="1.00"), "source": 7},
    {**event("topup", "x", amount="1.00"), 7: "x"},
    {**event("topup", "x", amount="1.00"), "type": ["topup"]},
    {**event("return", "x"), "purchase": 7, "purchase_source": {}},
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_malformed_input_is_one_clear_line_and_leaves_nothing(sqlite_db: str, number: int) -> None:
    with opened(sqlite_db) as engine:
        answers = engine.process([HOSTILE[number], event("topup", "good", "bob", amount="1.00")])
        assert [answer.status for answer in answers] == ["malformed", "accepted"]
        message = str(answers[0].error)
        assert message
        assert "\n" not in message
        assert len(message) < 500
        assert list(heads(engine)) == ["bob"]


@pytest.mark.postgres
def test_malformed_input_on_postgresql(postgres_db: str) -> None:
    with opened(postgres_db) as engine:
        answers = engine.process(HOSTILE)
        assert {answer.status for answer in answers} == {"malformed"}
        assert heads(engine) == {}


# ---- accounts that nobody knows ----


def test_an_unknown_account_is_opened_by_its_first_event(engine: Engine) -> None:
    assert engine.post(event("topup", "t", amount="1.00")).seq == 2
    assert [(entry.type, entry.source) for entry in entries_of(engine, "ann")] == [
        ("account.opened", "stampbook"),
        ("topup", "default"),
    ]


def test_an_unknown_account_is_refused_and_the_refusal_kept(any_db: str) -> None:
    with opened(any_db, STRICT) as engine:
        topup = event("topup", "t", amount="1.00")
        first = engine.post(topup)
        assert codes(first) == ["unknown_account"]
        assert engine.post(event("account.opened", "o")).accepted
        assert told(engine.post(topup)) == told(first)
        with pytest.raises(DuplicateEventError, match="another amount"):
            engine.post({**topup, "amount": "2.00"})
        assert engine.post(event("topup", "t2", amount="1.00")).accepted
        assert engine.store is not None
        with engine.store.reader() as session:
            assert session.refs() == ["ann"]
        assert findings(engine) == ()


def test_refusals_of_many_unknown_accounts_stand_in_one_journal(any_db: str) -> None:
    with opened(any_db, STRICT) as engine:
        for first in (0, 10):
            answers = engine.process(
                [event("topup", f"t{n}", f"c{n}", amount="1.00") for n in range(first, first + 10)]
            )
            assert [answer.seq for answer in answers] == list(range(first + 1, first + 11))
            assert [answer.account for answer in answers] == [f"c{n}" for n in range(first, first + 10)]
        assert engine.process([event("topup", "t3", "c3", amount="1.00")])[0].account == "c3"
        assert findings(engine) == ()


# ---- programs in force ----


def doubled(program: str = PROGRAM) -> str:
    return program.replace('"floor(order.net)"', '"2 * floor(order.net)"')


def test_without_a_program_nothing_is_decided(any_db: str) -> None:
    with (
        Engine.open(any_db, create=True) as engine,
        pytest.raises(StoreError, match="no program is in force; run: stamp"),
    ):
        engine.post(event("topup", "t", amount="1.00"))


def test_the_program_of_its_instant_judges_an_event(engine: Engine) -> None:
    engine.put_text_in_force(doubled(), effective_from=micros("2025-02-01"))
    engine.put_text_in_force(PROGRAM, effective_from=micros("2025-03-01"))
    for number, at in enumerate(("2025-03-01T00:00", "2025-01-31T23:59:59", "2025-02-01T00:00", "2025-02-28T23:59:59")):
        engine.post(event("purchase", f"p{number}", f"c{number}", at=at, amount="10.00"))
    assert [entries_of(engine, f"c{n}")[-1].postings[0].amount for n in range(4)] == [10, 10, 20, 20]


def test_a_late_event_is_judged_by_the_program_of_its_own_time(engine: Engine) -> None:
    engine.post(event("purchase", "new", at="2025-02-10T00:00:00Z", amount="10.00"))
    engine.put_text_in_force(doubled(), effective_from=micros("2025-02-01"))
    late = engine.post(event("purchase", "late", at="2025-01-20T00:00:00Z", amount="10.00"))
    assert sum(posting.amount for posting in late.postings) == 10
    newer = engine.post(event("purchase", "newer", at="2025-02-05T00:00:00Z", amount="10.00"))
    assert sum(posting.amount for posting in newer.postings) == 20


def test_a_program_in_force_from_the_past_judges_only_what_comes(engine: Engine) -> None:
    first = engine.post(event("purchase", "p", amount="10.00"))
    engine.put_text_in_force(doubled(), effective_from=micros("2024-01-01"))
    assert told(engine.post(event("purchase", "p", amount="10.00"))) == told(first)
    second = engine.post(event("purchase", "q", amount="10.00"))
    assert [sum(posting.amount for posting in answer.postings) for answer in (first, second)] == [10, 20]


def test_a_return_takes_back_what_the_purchase_had_earned_under_its_program(engine: Engine) -> None:
    engine.post(event("purchase", "p", amount="10.00"))
    engine.put_text_in_force(doubled(), effective_from=micros("2025-01-02"))
    back = engine.post(event("return", "r", at="2025-01-03T00:00:00Z", purchase="p"))
    assert [posting.amount for posting in back.postings] == [10]


def test_an_asset_in_the_books_stays(engine: Engine) -> None:
    before = engine.programs()
    with pytest.raises(PluginError, match="must keep it"):
        engine.put_text_in_force(PROGRAM.replace("debt = true", "debt = true\ndecimals = 2"))
    assert engine.programs() == before


def test_another_engine_sees_a_new_program_at_once(any_db: str) -> None:
    with opened(any_db) as one, Engine.open(any_db, clock=frozen) as other:
        other.post(event("purchase", "p", amount="10.00"))
        one.put_text_in_force(doubled(), effective_from=0)
        late = other.post(event("purchase", "q", amount="10.00"))
        assert [posting.amount for posting in late.postings] == [20]


# ---- time ----


@pytest.mark.parametrize(
    ("kind", "every"), [("sqlite", 1), ("sqlite", 1_000), pytest.param("postgres", 7, marks=pytest.mark.postgres)]
)
def test_ticking_often_or_never_gives_the_same_balances(
    kind: str, every: int, request: pytest.FixtureRequest, sqlite_db: str
) -> None:
    events = script(120, accounts=3, seed=4)
    with (
        opened(request.getfixturevalue(f"{kind}_db")) as one,
        opened(sqlite_db.replace("stampbook.db", "never.db")) as never,
    ):
        for number, data in enumerate(events):
            one.process([data])
            never.process([data])
            if number % every == 0 and isinstance(data["at"], str):
                newest = max(micros(other["at"]) for other in events[: number + 1])
                list(one.tick(newest, batch_size=2))
        for at in range(micros("2025-02-01"), micros("2026-06-01"), 29 * 86_400_000_000):
            for ref in ("c0", "c1", "c2"):
                here, there = state(one, ref, as_of=at), state(never, ref, as_of=at)
                assert here.facts == there.facts
                for asset in ("GBP", "points"):
                    assert here.balance(asset, at) == there.balance(asset, at), (ref, asset, at)
                    assert here.pending(asset, at) == there.pending(asset, at), (ref, asset, at)
        assert findings(one) == findings(never) == ()


def test_a_tick_brings_what_is_due_and_no_more(engine: Engine) -> None:
    engine.post(event("purchase", "p", amount="120.00"))
    assert sum(engine.tick(micros("2025-01-31T23:59:59"))) == 0
    assert sum(engine.tick(micros("2025-02-01"))) == 1  # the review
    assert sum(engine.tick(micros("2025-02-01"))) == 0
    sum(engine.tick(micros("2025-03-05")))
    assert entries_of(engine, "ann")[-1].type == "expiry"
    assert balance(engine, asset="points") == 0


# ---- plugins of strangers ----


class EarConfig(PluginConfig):
    """No options."""


class Ear(Plugin[EarConfig]):
    """Listens, and fails if it hears of thirteen."""

    Config = EarConfig
    heard: list[tuple[str, int]] = []  # noqa: RUF012 - shared on purpose

    @hookimpl
    def committed(self, transaction: Transaction, account: AccountView, event: Event) -> None:
        if event.id == "13":
            message = "unlucky"
            raise RuntimeError(message)
        self.heard.append((event.id, account.balance("GBP")))
        assert transaction.postings or event.type == "account.opened"

    @hookimpl
    def review(self, event: Event) -> list[Objection]:
        return [Objection("too_much", "not so much")] if event.id == "666" else []


EARS = PROGRAM + '\n[[plugin]]\nuse = "ear"\n'


def test_listeners_hear_what_was_committed_and_their_failure_undoes_nothing(
    any_db: str, caplog: pytest.LogCaptureFixture
) -> None:
    Ear.heard.clear()
    with opened(any_db, EARS, plugins={"ear": Ear}) as engine:
        with caplog.at_level(logging.ERROR, "stampbook"):
            answers = engine.process(
                [
                    event("topup", "12", amount="1.00"),
                    event("topup", "13", amount="1.00"),
                    event("topup", "666", amount="1.00"),
                    event("topup", "14", amount="1.00"),
                ]
            )
        assert [answer.status for answer in answers] == ["accepted", "accepted", "refused", "accepted"]
        assert codes(answers[2]) == ["too_much"]
        assert answers[2].objections[0].plugin == "ear"
        assert [id_ for id_, _ in Ear.heard if not id_.startswith("open:")] == ["12", "14"]
        assert [record.getMessage() for record in caplog.records] == ["plugin 'ear' failed after the commit of 13"]
        assert balance(engine) == 300
        engine.process([event("topup", "12", amount="1.00")])
        assert len([id_ for id_, _ in Ear.heard if id_ == "12"]) == 1
        assert findings(engine) == ()


def test_a_sent_again_event_may_spell_out_what_is_the_default(engine: Engine) -> None:
    first = {"type": "purchase", "id": "spelt", "account": "ann", "at": "2025-01-10T10:00:00Z", "amount": "10.00"}
    assert engine.post(first).accepted
    currency = engine.registry().context.currency.code
    assert engine.post({**first, "currency": currency, "source": "default"}).replayed
