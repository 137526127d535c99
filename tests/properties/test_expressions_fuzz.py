"""Random expressions against plain fractions, against another engine, and random text against the door."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from stampbook.errors import ExpressionError
from stampbook.expressions import FUNCTIONS, ROOTS, Field, Formula, Kind, compile_condition, compile_formula
from stampbook.periods import Calendar
from tests.steps import at_most

if TYPE_CHECKING:
    from collections.abc import Callable

CALENDAR = Calendar("Europe/London")
SCOPE = {
    "event": {"at": Field(Kind.INSTANT, "event.at")},
    "order": {
        "net": Field(Kind.NUMBER, "order.net", 2),
        "channel": Field(Kind.TEXT, "order.channel"),
        "skus": Field(Kind.TEXTS, "order.skus"),
    },
    "account": {"visits": Field(Kind.NUMBER, "account.visits"), "open": Field(Kind.TRUTH, "account.open")},
    "metric": {"spend": Field(Kind.NUMBER, "metric('spend')", 3)},
}
CHANNELS = ("web", "app", "Shop")
BIG = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-20, 20)


@dataclass(frozen=True)
class World:
    """What the fields hold."""

    net: int
    visits: int
    spend: int
    channel: str
    open: bool

    def evaluate(self, function: Callable[[Any, Any, Any, Any, Any], Any]) -> Any:
        order = SimpleNamespace(net=self.net, channel=self.channel, skus=("tea",))
        account = SimpleNamespace(visits=self.visits, open=self.open)
        return function(SimpleNamespace(at=0), order, None, account, {"spend": self.spend}.__getitem__)


@dataclass(frozen=True)
class Model:
    """An expression as text, and what it means, said another way."""

    text: str
    run: Callable[[World], Any]
    divisions: tuple[Callable[[World], Any], ...] = ()


WORLDS = st.builds(World, SMALL | BIG, SMALL | BIG, SMALL | BIG, st.sampled_from(CHANNELS), st.booleans())


def combine(text: str, meaning: Callable[..., Any], *parts: Model) -> Model:
    """Write `parts` into `text`; `meaning` gets the world and the parts, and evaluates those it needs."""
    divisions = tuple(division for part in parts for division in part.divisions)
    return Model(text.format(*(part.text for part in parts)), lambda world: meaning(world, *parts), divisions)


def strict(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda world, *parts: function(*(part.run(world) for part in parts))


def literal(text: str) -> Model:
    return Model(text, lambda _: Fraction(text))


def half_up(value: Fraction, digits: int) -> Fraction:
    scaled = abs(value) * Fraction(10) ** digits
    return Fraction(math.floor(scaled + Fraction(1, 2))) / Fraction(10) ** digits * (-1 if value < 0 else 1)


ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul}
DIVISIONS = {"/": operator.truediv, "//": operator.floordiv, "%": operator.mod}
COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compute(sign: str, left: Model, right: Model) -> Model:
    if sign in ARITHMETIC:
        return combine(f"({{}} {sign} {{}})", strict(ARITHMETIC[sign]), left, right)
    model = combine(f"({{}} {sign} {{}})", strict(DIVISIONS[sign]), left, right)
    return Model(model.text, model.run, (*model.divisions, model.run))


def compare(first: Model, *rest: tuple[str, Model]) -> Model:
    text = "({}" + "".join(f" {sign} {{}}" for sign, _ in rest) + ")"

    def meaning(world: World, head: Model, *others: Model) -> bool:
        left = head.run(world)
        for (sign, _), other in zip(rest, others, strict=True):
            right = other.run(world)
            if not COMPARISONS[sign](left, right):
                return False
            left = right
        return True

    return combine(text, meaning, first, *(model for _, model in rest))


def among(value: Model, members: list[str], word: str) -> Model:
    wanted = {Fraction(member) for member in members}
    return combine(
        f"({{}} {word} [{', '.join(members)}])",
        strict(lambda number: (number in wanted) == (word == "in")),
        value,
    )


def choose(test: Model, yes: Model, no: Model) -> Model:
    return combine(
        "({1} if {0} else {2})",
        lambda world, *parts: (parts[1] if parts[0].run(world) else parts[2]).run(world),
        test,
        yes,
        no,
    )


def join(word: str, parts: list[Model]) -> Model:
    fold = all if word == "and" else any
    text = "(" + f" {word} ".join(["{}"] * len(parts)) + ")"
    return combine(text, lambda world, *models: fold(model.run(world) for model in models), *parts)


DECIMALS = st.builds(
    lambda whole, places: f"{whole // 10**places}.{whole % 10**places:0{places}}" if places else str(whole),
    st.integers(0, 400) | st.integers(0, 2**62),
    st.integers(0, 3),
)
LITERALS = DECIMALS.map(literal)
FIELDS = st.sampled_from(
    [
        Model("order.net", lambda world: Fraction(world.net, 100)),
        Model("account.visits", lambda world: Fraction(world.visits)),
        Model("metric.spend", lambda world: Fraction(world.spend, 1000)),
    ]
)
SIGNS = st.sampled_from([*ARITHMETIC, *DIVISIONS])
COMPARING = st.sampled_from(list(COMPARISONS))


def bigger_numbers(numbers: st.SearchStrategy[Model]) -> st.SearchStrategy[Model]:
    lists = st.lists(numbers, min_size=2, max_size=4)
    return st.one_of(
        st.builds(compute, SIGNS, numbers, numbers),
        numbers.map(lambda part: combine("(-{})", strict(operator.neg), part)),
        numbers.map(lambda part: combine("abs({})", strict(abs), part)),
        numbers.map(lambda part: combine("floor({})", strict(lambda x: Fraction(math.floor(x))), part)),
        numbers.map(lambda part: combine("ceil({})", strict(lambda x: Fraction(math.ceil(x))), part)),
        st.builds(
            lambda part, digits: combine(f"round({{}}, {digits})", strict(lambda x: half_up(x, digits)), part),
            numbers,
            st.integers(-3, 3),
        ),
        lists.map(lambda parts: combine(f"min({', '.join(['{}'] * len(parts))})", strict(lambda *x: min(x)), *parts)),
        lists.map(lambda parts: combine(f"max({', '.join(['{}'] * len(parts))})", strict(lambda *x: max(x)), *parts)),
        st.builds(choose, comparisons(numbers), numbers, numbers),
    )


def comparisons(numbers: st.SearchStrategy[Model]) -> st.SearchStrategy[Model]:
    chains = st.lists(st.tuples(COMPARING, numbers), min_size=1, max_size=3)
    members = st.lists(DECIMALS, min_size=1, max_size=4)
    return st.one_of(
        st.builds(lambda first, rest: compare(first, *rest), numbers, chains),
        st.builds(among, numbers, members, st.sampled_from(["in", "not in"])),
    )


NUMBERS = st.recursive(LITERALS | FIELDS | FIELDS, bigger_numbers, max_leaves=12)
TRUTHS = st.recursive(
    st.one_of(
        comparisons(NUMBERS),
        st.sampled_from(
            [
                Model("True", lambda _: True),
                Model("False", lambda _: False),
                Model("account.open", lambda world: world.open),
                Model("(order.channel in ['web', 'app'])", lambda world: world.channel in {"web", "app"}),
                Model("(lower(order.channel) == 'shop')", lambda world: world.channel == "Shop"),
            ]
        ),
    ),
    lambda truths: st.one_of(
        truths.map(lambda part: combine("(not {})", strict(operator.not_), part)),
        st.builds(join, st.sampled_from(["and", "or"]), st.lists(truths, min_size=2, max_size=3)),
        st.builds(choose, truths, truths, truths),
    ),
    max_leaves=6,
)


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the function returns, or the ExpressionError or ZeroDivisionError that it raises."""
    try:
        return function(*arguments)
    except (ExpressionError, ZeroDivisionError) as error:
        return error


def is_division_by_zero(outcome: Any) -> bool:
    return isinstance(outcome, ExpressionError) and outcome.message == "division by zero"


def outcomes(compiled: Any, model: Model, world: World) -> tuple[Any, Any]:
    """Return what the compiled expression says and what the model says, None for a division by zero."""
    if is_division_by_zero(compiled):
        # What is certain is refused even where evaluation would never come.
        assert any(isinstance(attempt(division, world), ZeroDivisionError) for division in model.divisions)
        event("certain division by zero")
        return None, None
    said = attempt(world.evaluate, compiled.ratio if isinstance(compiled, Formula) else compiled.test)
    meant = attempt(model.run, world)
    if is_division_by_zero(said):
        event("division by zero")
        said = None
    return said, None if isinstance(meant, ZeroDivisionError) else meant


@given(NUMBERS, WORLDS)
def test_a_formula_means_what_fractions_say(model: Model, world: World) -> None:
    said, meant = outcomes(attempt(compile_formula, model.text, SCOPE, CALENDAR), model, world)
    if said is not None:
        numerator, denominator = said
        assert (type(numerator), type(denominator)) == (int, int)
        assert denominator > 0
        said = Fraction(numerator, denominator)
    assert said == meant


@given(TRUTHS, WORLDS)
def test_a_condition_means_what_fractions_say(model: Model, world: World) -> None:
    said, meant = outcomes(attempt(compile_condition, model.text, SCOPE, CALENDAR), model, world)
    assert said is meant


def spoil(model: Model, place: int, noise: str) -> str:
    place %= len(model.text)
    return model.text[:place] + noise + model.text[place:]


OURS = "+ - * / // % == != < <= > >= and or not in if else ( ) [ ] , . 0 1 1.5 'web' ['web','app'] [1,2] True"
FOREIGN = "** = := : lambda for is None { } # \\ ' \" ... @ ~ & | ^ f' b' 1j 0x1 1e999 __class__ é ｎ \0 true"
TOKENS = st.sampled_from(
    [
        *(f"{root}.{name}" for root, fields in SCOPE.items() for name in fields),
        *ROOTS,
        *(f"{name}(" for name in FUNCTIONS),
        *OURS.split(" "),
        *FOREIGN.split(" "),
    ]
)
WRITTEN = st.one_of(
    st.lists(TOKENS, max_size=25).map(" ".join),
    st.lists(TOKENS, max_size=25).map("".join),
    st.text(max_size=60),
    st.text(alphabet="()[]-+*/.,'\"\\ \n01a_=<>!", max_size=80),
    st.builds(spoil, TRUTHS | NUMBERS, st.integers(0, 500), TOKENS | st.text(max_size=3)),
)
NOWHERE = World(0, 0, 0, "web", open=True)


@given(WRITTEN, WORLDS)
@example("(" * 4_000, NOWHERE)
@example("-" * 4_000, NOWHERE)
@example("not " * 1_000, NOWHERE)
@example("1" + "+1" * 1_999, NOWHERE)
@example("1" + "<1" * 1_999, NOWHERE)
@example("0if 0else 1", NOWHERE)
@example("1\x0c> 0", NOWHERE)
def test_whatever_is_written_runs_or_is_refused_with_a_column(text: str, world: World) -> None:
    for compiling in (compile_condition, compile_formula):
        with at_most(2_000 + 100 * len(text)):
            compiled = attempt(compiling, text, SCOPE, CALENDAR)
        if isinstance(compiled, ExpressionError):
            assert 1 <= compiled.column <= len(text) + 1
            assert len(str(compiled).splitlines()) == 1
            assert len(str(compiled)) < 300
            continue
        event("compiled")
        said = attempt(world.evaluate, compiled.ratio if isinstance(compiled, Formula) else compiled.test)
        assert type(said) in {bool, tuple} or is_division_by_zero(said)


@dataclass(frozen=True)
class Twin:
    """One expression in this language and in the Common Expression Language."""

    ours: str
    theirs: str


def twin(ours: str, theirs: str, *parts: Twin) -> Twin:
    return Twin(ours.format(*(part.ours for part in parts)), theirs.format(*(part.theirs for part in parts)))


def same(sign: str, left: Twin, right: Twin) -> Twin:
    return twin(f"({{}} {sign} {{}})", f"({{}} {sign} {{}})", left, right)


def among_twins(one: Twin, members: list[int]) -> Twin:
    return twin(f"({{}} in {members})", f"({{}} in {members})", one)


def divided(ours: str, one: Twin, by: int) -> Twin:
    # There, division goes towards zero and a remainder has the sign of the dividend: -7 / 2 is -3.
    rest = f"(({{0}} % {by} + {by}) % {by})"
    theirs = rest if "%" in ours else f"(({{0}} - {rest}) / {by})"
    return twin(ours.replace("by", str(by)), theirs, one)


TWIN_NUMBERS = st.recursive(
    st.one_of(
        st.integers(-9, 9).map(lambda number: Twin(f"({number})", f"({number})")),
        st.sampled_from([Twin("account.visits", "visits"), Twin("metric.points", "points")]),
    ),
    lambda numbers: st.one_of(
        st.builds(same, st.sampled_from("+-*"), numbers, numbers),
        st.builds(
            divided,
            st.sampled_from(["({} // by)", "floor({} / by)", "({} % by)"]),
            numbers,
            st.integers(1, 9),
        ),
    ),
    max_leaves=6,
)
TWIN_TRUTHS = st.recursive(
    st.one_of(
        st.builds(same, COMPARING, TWIN_NUMBERS, TWIN_NUMBERS),
        st.builds(among_twins, TWIN_NUMBERS, st.lists(st.integers(-9, 9), min_size=1, max_size=4)),
        st.sampled_from(
            [
                Twin("(order.channel in ['web', 'app'])", "(channel in ['web', 'app'])"),
                Twin("(order.channel != 'web')", "(channel != 'web')"),
                Twin("starts_with(order.channel, 'we')", "channel.startsWith('we')"),
            ]
        ),
    ),
    lambda truths: st.one_of(
        st.builds(lambda one: twin("(not {})", "(!{})", one), truths),
        st.builds(lambda *two: twin("({} and {})", "({} && {})", *two), truths, truths),
        st.builds(lambda *two: twin("({} or {})", "({} || {})", *two), truths, truths),
        st.builds(lambda *three: twin("({1} if {0} else {2})", "({0} ? {1} : {2})", *three), truths, truths, truths),
    ),
    max_leaves=6,
)
TWIN_SCOPE = {
    "order": {"channel": Field(Kind.TEXT, "order")},
    "account": {"visits": Field(Kind.NUMBER, "account")},
    "metric": {"points": Field(Kind.NUMBER, "metric")},
}


@pytest.fixture(scope="module")
def common_language() -> Any:
    cel = pytest.importorskip("cel_expr_python.cel", reason="no wheel for this Python")
    return cel.NewEnv(variables={"visits": cel.Type.INT, "points": cel.Type.INT, "channel": cel.Type.STRING})


@given(expression=TWIN_TRUTHS, visits=SMALL, points=SMALL, channel=st.sampled_from(CHANNELS))
@example(Twin("-7 // 2 == -4", "-7 / 2 == -3"), 0, 0, "web")
@example(Twin("-7 % 2 == 1", "-7 % 2 == -1"), 0, 0, "web")
def test_the_common_expression_language_agrees(
    common_language: Any, expression: Twin, visits: int, points: int, channel: str
) -> None:
    ours = compile_condition(expression.ours, TWIN_SCOPE, CALENDAR).test(None, channel, None, visits, points)
    data = {"visits": visits, "points": points, "channel": channel}
    theirs = common_language.compile(expression.theirs).eval(data=data).value()
    assert ours is theirs
