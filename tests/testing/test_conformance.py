"""The conformance checks pass what keeps the contract and catch a plugin that breaks each of its promises."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from stampbook import NEVER, Award, Due, Event, Fact, Objection, Plugin, PluginConfig, hookimpl
from stampbook.testing import check_plugin, plugin_checks, sample_events
from stampbook_points import Points
from stampbook_redemption import Redemption
from stampbook_refunds import Refunds
from stampbook_rfm import Rfm
from stampbook_tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    import narwhals as nw

    from stampbook import AccountView

AWARDED = """
[[plugin.rule]]
name = "base"
earn = "order.net * 1.5"
expires = "1 month, end of month"
[[plugin.rule]]
name = "lines"
per = "line"
when = "line.category == 'produce'"
earn = "10 * line.quantity"
pending = "14 days"
"""
LADDER = """
metric = "spend"
review = "calendar month"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "silver"
reach = "20"
multiplier = "1.5"
"""
POLICIES = ["pending_only", "within_balance", "debt", "refuse"]
BUNDLED: list[tuple[type[Plugin[Any]], Any]] = [
    (Points, AWARDED),
    (Tiers, LADDER),
    (Rfm, {"window": "12 months", "grid": {"55": "regulars"}}),
    (Refunds, {"points_spent": "deduct_from_refund", "unit_values": {"points": "0.01"}}),
    *((Refunds, {"points_spent": policy}) for policy in POLICIES),
]
TWICE = "works_twice_in_a_program"
CASES = [
    check
    for plugin, options in BUNDLED
    for check in plugin_checks(plugin, options)
    if (plugin, check.name) != (Tiers, TWICE)
]


@pytest.mark.parametrize("check", CASES, ids=lambda check: f"{check.subject.plugin.__name__}-{check}")
def test_the_bundled_plugins_keep_the_contract(check: Any) -> None:
    check()


def test_a_whole_program_may_stand_around_the_plugin() -> None:
    program = f"""
[program]
name = "Whole"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
debt = true
[metrics.spend]
sum = "order.net"
window = "12 months"
[[plugin]]
use = "points"
{AWARDED}
[[plugin]]
use = "refunds"
points_spent = "debt"
"""
    check_plugin(Tiers, LADDER, program=program, known_failures={TWICE: "the second ladder needs its own fact"})


def test_redemption_keeps_the_contract() -> None:
    check_plugin(Redemption, {"pay": {"points": "100", "value": "1.00"}})


# One plugin for each promise, which breaks it. `breaks` names the check that has to notice.


class Good(Plugin[PluginConfig]):
    breaks: ClassVar[str] = ""

    def award(self, units: int, rule: str = "") -> list[Award]:
        return [Award(rule or f"{self.name}.rule", "points", units)]


class OfAnotherContract(Good):
    breaks = "is_a_plugin_of_this_contract"
    api_version = 99


class Thawed(Good):
    breaks = "options_are_frozen"

    class Config(PluginConfig):
        model_config = ConfigDict(frozen=False)


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True)

    text: Annotated[str, Field(description="any")] = ""


class Lenient(Good):
    breaks = "unknown_options_are_refused"

    class Config(PluginConfig):
        inner: Annotated[tuple[Inner, ...], Field(description="inner tables")] = ()


class Mute(Good):
    breaks = "every_option_is_described"

    class Config(PluginConfig):
        spoken: Annotated[str, Field(description="said")] = ""
        unspoken: str = ""


class Shapeless(Good):
    breaks = "options_have_a_schema"

    class Config(PluginConfig):
        anything: Annotated[object, PlainValidator(lambda value: value), Field(description="anything")] = object


class Unmarked(Good):
    breaks = "hooks_are_marked"

    def reward(self) -> list[Award]:
        return self.award(1)


class Misnamed(Good):
    breaks = "program_loads"

    @hookimpl
    def reward(self, happening: Event) -> list[Award]:
        return self.award(len(happening.id))


class Changeable(Event):
    model_config = ConfigDict(frozen=False, extra="forbid")

    type: Literal["changeable"] = "changeable"


class BringsChangeable(Good):
    breaks = "own_events_are_well_formed"

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Changeable]


class Random(Good):
    breaks = "same_events_give_the_same_journal"
    numbers: ClassVar[Any] = count(1)

    @hookimpl
    def reward(self) -> list[Award]:
        return self.award(next(self.numbers))


class Remembers(Good):
    breaks = "nothing_is_remembered_between_accounts"

    def prepare(self) -> None:
        self.numbers = count(1)

    @hookimpl
    def reward(self) -> list[Award]:
        return self.award(next(self.numbers))


class KnowsBatches(Good):
    breaks = "batches_make_no_difference"

    def prepare(self) -> None:
        self.seen: list[object] = []

    @hookimpl
    def reward(self, account: AccountView) -> list[Award]:
        known = any(account._account is other for other in self.seen)
        self.seen.append(account._account)
        return self.award(2 if known else 1)


class Meddles(Good):
    breaks = "accounts_are_left_alone"

    @hookimpl
    def reward(self, account: AccountView) -> list[Award]:
        account._account.metrics.add("spend", account.day, 1)
        return []


class Note(Event):
    brought_by_time: ClassVar[bool] = True

    type: Literal["note"] = "note"


class DueAnew(Good):
    breaks = "due_is_harmless_when_asked_twice"

    def prepare(self) -> None:
        self.numbers = count(1)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Note]

    @hookimpl
    def due(self, account: AccountView) -> list[Due]:
        if account.at > self.program.calendar.parse("2027-01-01"):
            return []
        return [Due(self.program.calendar.parse("2027-01-02"), "note", f"{account.ref}:{next(self.numbers)}")]


class DueWhenAsked(Good):
    breaks = "ticks_make_no_difference"

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Note]

    @hookimpl
    def assess(self, event: Event, at: int) -> list[Fact]:
        return [Fact("noted", "yes", at, NEVER)] if event.type == "note" else []

    @hookimpl
    def due(self, account: AccountView, at: int) -> list[Due]:
        june = self.program.calendar.parse("2025-06-01")
        if account.text("noted"):
            return []
        return [Due(at if june <= at < NEVER else june, "note", f"note:{account.ref}")]


class NamesItself(Good):
    breaks = "works_twice_in_a_program"

    @hookimpl
    def reward(self) -> list[Award]:
        return self.award(1, "checked.rule")


class Shouts(Good):
    breaks = "objections_have_a_code_and_a_reason"

    @hookimpl
    def review(self) -> list[Objection]:
        return [Objection("TOO MUCH", "no")]


class LosesAccounts(Good):
    breaks = "segments_cover_everyone"

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        import narwhals as nw

        return (
            history.select("account")
            .unique()
            .filter(nw.col("account") != "account-3")
            .with_columns(segment=nw.lit("x"))
        )


class TellsTheOrder(Good):
    breaks = "segments_cover_everyone"

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        import narwhals as nw

        rows = history.collect("polars").unique("account", keep="first", order_by=None).lazy()
        return rows.select("account", segment=nw.col("event"))


def _broken(kind: type[Good]) -> Iterable[type[Good]]:
    for child in kind.__subclasses__():
        yield child
        yield from _broken(child)


BROKEN = list(_broken(Good))


@pytest.mark.parametrize("plugin", BROKEN, ids=lambda plugin: plugin.__name__)
def test_a_broken_promise_is_noticed_by_its_own_check(plugin: type[Good]) -> None:
    [check] = [check for check in plugin_checks(plugin) if check.name == plugin.breaks]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the next line looks at which
        check()
    assert isinstance(caught.value, AssertionError) or type(caught.value).__module__ == "stampbook.errors"


def test_each_check_has_a_plugin_that_it_catches() -> None:
    assert {check.name for check in plugin_checks(Good)} == {plugin.breaks for plugin in BROKEN}


def test_what_breaks_nothing_passes() -> None:
    check_plugin(Good)


def test_all_that_is_broken_is_said_at_once() -> None:
    class Twice(Mute):
        breaks = "hooks_are_marked"

        def reward(self) -> list[Award]:
            return []

    with pytest.raises(AssertionError) as caught:
        check_plugin(Twice)
    assert "every_option_is_described: no description: Config.unspoken" in str(caught.value)
    assert "hooks_are_marked: not marked with @hookimpl: reward" in str(caught.value)


def test_a_failure_that_is_known_is_excused_and_one_that_passes_is_not() -> None:
    check_plugin(Mute, known_failures={"every_option_is_described": "an old name"})
    with pytest.raises(AssertionError, match="passes, although it is known to fail"):
        check_plugin(Good, known_failures={"every_option_is_described": "an old name"})
    with pytest.raises(AssertionError, match="there is no such check"):
        check_plugin(Good, known_failures={"every_option_is_describe": "misspelt"})


def test_each_check_says_what_it_is_about() -> None:
    for check in plugin_checks(Good):
        assert check.about
        assert str(check) == check.name


def test_options_reach_the_plugin_as_they_were_given() -> None:
    class Listening(Good):
        breaks = ""

        class Config(PluginConfig):
            text: Annotated[str, Field(description="text")]
            number: Annotated[int, Field(description="number")]
            flag: Annotated[bool, Field(description="flag")]
            many: Annotated[tuple[str, ...], Field(description="texts")]
            table: Annotated[dict[str, str], Field(description="table")]

    options = {"text": 'a "quoted"\\\nline', "number": 3, "flag": True, "many": ["x", "y"], "table": {"é 1": "z"}}
    [check] = [check for check in plugin_checks(Listening, options) if check.name == "program_loads"]
    [plugin] = check.subject.registry().plugins
    assert plugin.config.model_dump() == options | {"many": ("x", "y")}


def test_the_sample_holds_every_kind_of_event_that_may_be_sent() -> None:
    from stampbook.events import CORE_EVENTS

    kinds = {kind.model_fields["type"].default for kind in CORE_EVENTS}
    assert {event["type"] for event in sample_events()} == kinds
