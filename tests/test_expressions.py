"""The language of conditions and formulas: what it means, what it refuses, and what it can never do."""

from __future__ import annotations

import dis
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from stampbook.errors import ExpressionError
from stampbook.expressions import (
    FUNCTIONS,
    ROOTS,
    Field,
    Kind,
    Nameable,
    compile_condition,
    compile_formula,
    describe,
)
from stampbook.periods import Calendar
from tests.steps import at_most

CALENDAR = Calendar("Asia/Shanghai")
SCOPE = {
    "event": {"at": Field(Kind.INSTANT, "event.at", about="when it happened")},
    "order": {
        "net": Field(Kind.NUMBER, "order.net", 2, "after discounts"),
        "total": Field(Kind.NUMBER, "order.total", 2),
        "channel": Field(Kind.TEXT, "order.channel"),
        "skus": Field(Kind.TEXTS, "order.skus"),
    },
    "account": {
        "tier": Field(Kind.TEXT, "account.tier"),
        "visits": Field(Kind.NUMBER, "account.visits"),
        "open": Field(Kind.TRUTH, "account.open"),
        "opened": Field(Kind.INSTANT, "account.opened"),
        "segments": Field(Kind.TEXTS, "account.segments"),
    },
    "metric": {"spend": Field(Kind.NUMBER, "metric('spend')", 2)},
}
WORLD = (
    SimpleNamespace(at=CALENDAR.parse("2025-02-01T00:30")),  # still 31 January in UTC; a Saturday
    SimpleNamespace(net=1234, total=5000, channel="Web", skus=("tea", "jam")),
    None,
    SimpleNamespace(
        tier="gold",
        visits=7,
        open=True,
        opened=CALENDAR.parse("2024-12-25T23:59"),
        segments=frozenset({"vip", "new"}),
    ),
    {"spend": 120_000}.__getitem__,
)


def value(text: str, scope: Any = SCOPE, world: Any = WORLD) -> Fraction:
    numerator, denominator = compile_formula(text, scope, CALENDAR).ratio(*world)
    assert type(numerator) is int
    assert type(denominator) is int
    assert denominator > 0
    return Fraction(numerator, denominator)


def holds(text: str, scope: Any = SCOPE, world: Any = WORLD) -> bool:
    result = compile_condition(text, scope, CALENDAR).test(*world)
    assert type(result) is bool
    return result


def refusal(text: str, scope: Any = SCOPE) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_condition(text, scope, CALENDAR)
    assert caught.value.text == text
    return caught.value


NUMBERS = {
    "1.5": "3/2",
    ".5 + 5.": "11/2",
    "1_000": "1000",
    "12e-1 + 2E3": "10006/5",
    "0.1 + 0.2": "3/10",
    "9223372036854775807 + 1": "9223372036854775808",
    "order.net": "617/50",
    "metric.spend": "1200",
    "-order.net": "-617/50",
    "+order.net - order.total": "-1883/50",
    "order.net + 0 + order.total": "3117/50",
    "0 + order.net": "617/50",
    "order.net * 1.5 / 10": "1851/1000",
    "floor(order.net * 1.5 / 10)": "1",
    "order.net * order.total": "617",
    "order.net * 0": "0",
    "account.visits * 2 * 3 / 6": "7",
    "2 + 3 * 4": "14",
    "(2 + 3) * 4": "20",
    "7 / 2": "7/2",
    "7 // 2": "3",
    "-7 // 2": "-4",
    "-7 % 2": "1",
    "7 % -2": "-1",
    "7.5 % 2": "3/2",
    "order.net // 5": "2",
    "order.net % 5": "117/50",
    "-order.net // account.visits": "-2",
    "order.net % account.visits": "267/50",
    "order.net / account.visits": "617/350",
    "order.net / -account.visits": "-617/350",
    "5 / account.visits": "5/7",
    "1 / (1 / account.visits)": "7",
    "order.net / account.visits + 1": "967/350",
    "1 - order.net / account.visits": "-267/350",
    "order.net / account.visits * account.visits": "617/50",
    "order.net / account.visits * 3": "1851/350",
    "order.net / account.visits // 0.5": "3",
    "order.net / account.visits % 0.5": "46/175",
    "1 % (order.net / account.visits)": "1",
    "floor(-0.5)": "-1",
    "floor(order.net)": "12",
    "floor(account.visits)": "7",
    "floor(-order.net / account.visits)": "-2",
    "ceil(0.1)": "1",
    "ceil(order.net)": "13",
    "ceil(order.net / account.visits)": "2",
    "round(0.5)": "1",
    "round(-0.5)": "-1",
    "round(2.5)": "3",
    "round(2.49)": "2",
    "round(1.005, 2)": "101/100",
    "round(order.net)": "12",
    "round(-order.net, 1)": "-123/10",
    "round(order.total * 1.001, 2)": "1001/20",
    "round(-order.total * 0.01)": "-1",
    "round(order.net, 2)": "617/50",
    "round(1250, -2)": "1300",
    "round(order.net / account.visits, 2)": "44/25",
    "abs(-2)": "2",
    "abs(order.net - order.total)": "1883/50",
    "abs(-order.net / account.visits)": "617/350",
    "min(3, 2)": "2",
    "min(order.net, 20, account.visits)": "7",
    "max(order.net, 20, account.visits)": "20",
    "min(order.net / account.visits, 2)": "617/350",
    "max(1, order.net / account.visits, 2)": "2",
    "max(order.net / account.visits, 1)": "617/350",
    "10 if account.open else 20": "10",
    "order.net if order.channel == 'App' else order.total / 2": "25",
    "order.net / account.visits if account.open else 1": "617/350",
    "1 if True else 2": "1",
    "year(event.at)": "2025",
    "month(event.at)": "2",
    "day_of_month(event.at)": "1",
    "weekday(event.at)": "6",
    "hour(event.at)": "0",
    "weekday(date('2025-02-02'))": "7",
    "year(date('2024-02-29'))": "2024",
    "days_since(account.opened)": "38",
    "years_since(account.opened)": "0",
    "years_since(date('2020-02-01'))": "5",
    "years_since(date('2020-02-02'))": "4",
    "days_since(date('2025-02-03'))": "-2",
    "days_between(account.opened, event.at)": "38",
    "count(order.skus)": "2",
}

CONDITIONS = {
    "True": True,
    "0.1 + 0.2 == 0.3": True,
    "order.net >= 5": True,
    "order.net == 12.34": True,
    "order.net != 12.340": False,
    "order.net > 12.335": True,
    "-order.net < -12.339": True,
    "5 <= order.net < 12.34": False,
    "5 < order.net <= 12.34 < order.total": True,
    "1 < 2 < 3": True,
    "1 < 3 < 2": False,
    "order.net / account.visits > 1.76": True,
    "1 < order.net / account.visits < order.total / account.visits < 7": False,
    "1 < order.net / account.visits < order.total / account.visits < 8": True,
    "metric.spend / account.visits == 1200 / account.visits": True,
    "account.visits in [6, 7]": True,
    "account.visits not in [6, 7]": False,
    "account.visits / 2 in [3.5]": True,
    "order.net in [12.34, 0.001]": True,
    "order.net in [12.345]": False,
    "metric.spend / account.visits in [171, 172]": False,
    "metric.spend / (account.visits + 1) in [1, 150]": True,
    "account.visits / count(order.skus) in [3, 4]": False,
    "5 in [5, 6]": True,
    "5 not in [5, 6]": False,
    "order.channel == 'Web'": True,
    "order.channel != 'Web'": False,
    "'Web' == \"Web\"": True,
    "order.channel == account.tier": False,
    "order.channel in ['Web', 'App']": True,
    "order.channel not in ['Web', 'App']": False,
    "'tea' in order.skus": True,
    "'tea' not in ['tea']": False,
    "account.tier in account.segments": False,
    "(order.channel if account.open else 'x') == 'Web'": True,
    "contains(order.skus, 'jam')": True,
    "contains(account.segments, account.tier)": False,
    "any_in(order.skus, ['jam', 'pie'])": True,
    "any_in(['pie'], order.skus)": False,
    "any_in(order.skus, account.segments)": False,
    "any_in(order.skus if account.open else account.segments, ['vip'])": False,
    "lower(order.channel) == 'web'": True,
    "starts_with(order.channel, 'We')": True,
    "ends_with('Web', order.channel)": True,
    "ends_with(lower(order.channel), 'E')": False,
    "account.open": True,
    "account.open == False": False,
    "not account.open": False,
    "not not True": True,
    "account.open and order.net > 20": False,
    "account.open or order.net > 20": True,
    "True and account.open and True": True,
    "False or account.open or True": True,
    "True and True": True,
    "False and account.open": False,
    "account.open and False": False,
    "account.open and not order.net > 20 or False": True,
    "event.at >= date('2025-02-01')": True,
    "account.opened < date('2024-12-25T12:00') < event.at": False,
    "date('2025-01-01') == date('2025-01-01T00:00')": True,
    "weekday(event.at) in [6, 7]": True,
    "is_anniversary(date('2024-02-01'))": True,
    "is_anniversary(date('2025-02-01'))": False,
    "is_anniversary(account.opened)": False,
    "is_day('02-01')": True,
    "is_day('02-02')": False,
    "is_day(order.channel)": False,
    "is_month('02-29')": True,
    "is_month('03-01')": False,
    "weekday(event.at) in [6, 7] and hour(event.at) < 1": True,
    "\n  order.net > 5\n\tand order.net < 20\r\n": True,
    "(order.channel == 'Web') == (account.tier == 'gold')": True,
    "order.channel == '{x} # é = ! 茶'": False,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_formula_has_exactly_this_value(text: str) -> None:
    assert value(text) == Fraction(NUMBERS[text])


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_holds_or_not(text: str) -> None:
    assert holds(text) is CONDITIONS[text]


def test_every_function_has_a_worked_example() -> None:
    examples = " ".join([*NUMBERS, *CONDITIONS])
    assert [name for name in FUNCTIONS if f"{name}(" not in examples] == []


ONLY = "only event, order, account, metric may be named"
COMMA = "a comma stands only in a list, [1, 2], or between arguments; decimals have a point"
FIXED = "a list holds only values that stand here: compare with == and 'or'"
NUMBER_IN_TEXTS = "a number and a collection of texts"
REFUSALS = {
    # what cannot be read at all
    "": (1, "the expression is empty"),
    " \n": (1, "the expression is empty"),
    "order.net >": (12, "something is missing at the end"),
    "order.net > 5 and ": (18, "something is missing at the end"),
    "  > 5": (3, "cannot be read from here on"),
    "order.net > > 5": (13, "cannot be read from here on"),
    "'é茶' == == 'x'": (9, "cannot be read from here on"),
    "(order.net > 5": (1, "'(' is never closed"),
    "order.net > 5)": (14, "')' closes nothing"),
    "order.net in [5)": (16, "')' does not close '['"),
    "order.net 5": (11, "an operator or a comma is missing before '5'"),
    "order.channel in ['a' 'b']": (23, "an operator or a comma is missing before \"'b'\""),
    "order.channel == f'x'": (19, "an operator or a comma is missing before \"'x'\""),
    "order.channel == '''x'''": (20, "an operator or a comma is missing before \"'x'\""),
    "order.channel == 'web": (18, "the text is never closed: its second quote is missing"),
    "order.channel == 'we\\'b'": (21, "a text cannot hold '\\\\'"),
    "order.channel == 'we\nb'": (21, "a text cannot hold '\\n'"),
    "order.channel == 'we\x00b'": (21, "a text cannot hold '\\x00'"),
    "order.channel == 'we\ud800b'": (21, "a text cannot hold '\\ud800'"),
    "order.net\x00": (10, "'\\x00' cannot be used outside a text"),
    "order.net > 5\u20ac": (14, "'€' cannot be used outside a text"),
    "order.net\u00a0> 5": (10, "'\\xa0' cannot be used outside a text"),
    "order.channel == \u201cweb\u201d": (18, "'“' cannot be used outside a text"),
    "\uff4frder.net > 5": (1, "'ｏ' cannot be used outside a text"),
    "order.n\u1d49t > 5": (8, "'ᵉ' cannot be used outside a text"),
    # words of other languages
    "order.net = 5": (11, "'=' cannot be used here: write == to compare"),
    "order.net => 5": (11, "'=>' cannot be used here: write >="),
    "order.net <> 5": (11, "'<>' cannot be used here: write != for 'differs from'"),
    "account.open && True": (14, "'&&' cannot be used here: write 'and'"),
    "account.open || True": (14, "'||' cannot be used here: write 'or'"),
    "!account.open": (1, "'!' cannot be used here: write 'not'"),
    "account.open is True": (14, "'is' cannot be used here: write == to compare"),
    "order.channel == None": (18, "'None' cannot be used here: every name has a value"),
    "account.open ? 1 : 2": (14, "'?' cannot be used here: write 'a if condition else b'"),
    "order.net > 5 # big": (15, "'#' cannot be used here: there are no comments in an expression"),
    # what Python could and this cannot
    "2 ** 3 > 1": (3, "'**' cannot be used here: there are no powers"),
    "(lambda: 1)() > 0": (2, "'lambda' cannot be used here"),
    "[x for x in order.skus]": (4, "'for' cannot be used here"),
    "(x := 5) > 3": (4, "':=' cannot be used here"),
    "await x": (1, "'await' cannot be used here"),
    "{1} == {1}": (1, "'{' cannot be used here"),
    "1 << 9 > 0": (3, "'<<' cannot be used here"),
    "~1 > 0": (1, "'~' cannot be used here"),
    "order.net @ 2 > 1": (11, "'@' cannot be used here"),
    "order.skus[0] == 'x'": (1, "square brackets only write a list"),
    "order.skus[0:1] == 'x'": (13, "':' cannot be used here"),
    "order.net in (5, 6)": (14, COMMA),
    "order.net > 1,5": (1, COMMA),
    "floor(*order.skus) > 1": (7, "'*' needs a number before it"),
    "round(1.5, digits=1) > 1": (18, "'=' cannot be used here: write == to compare"),
    "... == 1": (1, "'...' cannot be used here"),
    # numbers
    "order.net > 5x": (13, "'5x' is not a number"),
    "order.net > 0x1F": (13, "'0x1F' is not a number"),
    "order.net > 1j": (13, "'1j' is not a number"),
    "order.net > 1.2.3": (13, "'1.2.3' is not a number"),
    "order.net > 1__0": (13, "'1__0' is not a number"),
    "order.net > 007": (13, "cannot be read from here on"),
    "order.net > 9223372036854775808": (13, "the number has too many digits"),
    "order.net > 0.1234567890123456789": (13, "the number has too many digits"),
    "order.net > 1e19": (13, "the number has too many digits"),
    "order.net > 1e999": (13, "the number has too many digits"),
    "order.net > 1e9999999999": (13, "the number has too many digits"),
    "order.net > 1e-9999999999": (13, "the number has too many digits"),
    # names
    "order.totl > 5": (1, "no field 'order.totl' (did you mean 'total'?)"),
    "5 < order.xyz": (5, "no field 'order.xyz'; order has net, total, channel, skus"),
    "'é' != '' and order.totl > 5": (15, "no field 'order.totl' (did you mean 'total'?)"),
    "order.__class__ == 5": (1, "no field 'order.__class__'; order has net, total, channel, skus"),
    "ordr.net > 5": (1, "no name 'ordr' (did you mean 'order'?)"),
    "xyz > 5": (1, f"no name 'xyz'; {ONLY}"),
    "__builtins__ == 5": (1, f"no name '__builtins__'; {ONLY}"),
    "_ratio == 5": (1, f"no name '_ratio'; {ONLY}"),
    "net > 5": (1, "no name 'net' (did you mean 'order.net'?)"),
    "true": (1, "no name 'true' (did you mean 'True'?)"),
    "line.sku == 'x'": (1, f"'line' is not known here; {ONLY}"),
    "line == 'x'": (1, f"'line' is not known here; {ONLY}"),
    "order > 5": (1, "'order' is not a value by itself: name one of its fields, such as order.net"),
    "floor > 5": (1, "'floor' is a function: write floor(number)"),
    "floor.x > 5": (1, "'floor' is a function: write floor(number)"),
    "order.net.real > 5": (1, "a name has exactly two parts, such as order.net"),
    "'x'.upper == 'X'": (1, "a name has exactly two parts, such as order.net"),
    # calls
    "flor(5) > 5": (1, "no function 'flor' (did you mean 'floor'?)"),
    "__import__('os') == 5": (1, "no function '__import__'"),
    "order.net() > 5": (1, "only a function of the language can be called"),
    "floor(1)(2) > 5": (1, "only a function of the language can be called"),
    "floor() > 5": (1, "floor takes 1 argument, not 0: floor(number)"),
    "floor(1, 2) > 5": (1, "floor takes 1 argument, not 2: floor(number)"),
    "5 < round()": (5, "round takes 1 or 2 arguments, not 0: round(number, digits=0)"),
    "5 < min(1)": (5, "min takes 2 or more arguments, not 1: min(number, number, ...)"),
    "floor('x') > 5": (7, "floor needs a number here, not a text"),
    "min(1, 2, order.channel) > 5": (11, "min needs a number here, not a text"),
    "weekday(order.net) > 5": (9, "weekday needs an instant here, not a number"),
    "contains('abc', 'b')": (10, "contains needs a collection of texts here, not a text"),
    "any_in(order.skus, 'x')": (20, "any_in needs a collection of texts here, not a text"),
    "round(1.5, order.net) > 1": (12, "the digits of round must be a whole number from -18 to 18"),
    "round(1.5, 0.5) > 1": (12, "the digits of round must be a whole number from -18 to 18"),
    "round(1.5, 19) > 1": (12, "the digits of round must be a whole number from -18 to 18"),
    "date(order.channel) > event.at": (6, "date needs a text that stands here, such as date('2025-01-31')"),
    # kinds
    "order.net": (1, "a condition must be true or false; this is a number"),
    "'x'": (1, "a condition must be true or false; this is a text"),
    "['x']": (1, "a condition must be true or false; this is a collection of texts"),
    "event.at": (1, "a condition must be true or false; this is an instant"),
    "order.net == 'x'": (14, "cannot compare a number with a text"),
    "order.net > account.open": (13, "cannot compare a number with true or false"),
    "5 < order.net < 'x'": (17, "cannot compare a number with a text"),
    "event.at > '2025-01-01'": (12, "cannot compare an instant with a text"),
    "account.tier >= 'gold'": (17, "'>=' needs numbers or instants; a text has no order"),
    "account.open > False": (16, "'>' needs numbers or instants; true or false has no order"),
    "order.skus == account.segments": (15, "collections of texts are not compared: use contains or any_in"),
    "order.channel * 5 > 1": (1, "'*' needs a number here, not a text"),
    "5 * order.channel > 1": (5, "'*' needs a number here, not a text"),
    "'a' + 'b' == 'ab'": (1, "'+' needs a number here, not a text"),
    "event.at - account.opened > 5": (1, "'-' needs a number here, not an instant"),
    "1 / order.channel > 1": (5, "'/' needs a number here, not a text"),
    "-order.channel == 'x'": (2, "'-' needs a number here, not a text"),
    "not order.net": (5, "'not' needs true or false here, not a number"),
    "order.channel == 'a' or 'b'": (25, "'or' needs true or false here, not a text"),
    "account.open and order.net": (18, "'and' needs true or false here, not a number"),
    "(1 if order.net else 2) > 1": (7, "'if' needs true or false here, not a number"),
    "(1 if account.open else 'x') == 1": (
        2,
        "both outcomes of 'if' must be of one kind, not a number and a text",
    ),
    # lists
    "order.net in []": (14, "the list is empty"),
    "order.channel in []": (18, "the list is empty"),
    "order.net in [1, 'a']": (18, "a number is compared with this list; a text cannot be in it"),
    "order.channel in ['a', 1]": (24, "this list may hold only texts, not a number"),
    "order.net in [order.total]": (15, FIXED),
    "order.channel in [account.tier]": (19, FIXED),
    "order.channel in 'web'": (
        18,
        "'in' does not search within a text: use starts_with or ends_with",
    ),
    "order.net in order.skus": (
        14,
        "'in' needs a text and texts, or a number and a list of numbers, not " + NUMBER_IN_TEXTS,
    ),
    "1 < order.net in [5]": (1, "'in' is not chained: join comparisons with 'and'"),
    # division
    "order.net / 0 > 1": (13, "division by zero"),
    "order.net // (1 - 1) > 1": (15, "division by zero"),
    "order.net % (order.net * 0) > 1": (14, "division by zero"),
    "account.open or 1 / 0 > 1": (21, "division by zero"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSALS)
def test_a_mistake_is_told_with_its_column(text: str) -> None:
    error = refusal(text)
    assert (error.column, error.message) == REFUSALS[text]


def test_a_date_that_is_none_is_told_where_it_stands() -> None:
    error = refusal("event.at > date('2025-02-30')")
    assert error.column == 17
    assert "2025-02-30" in error.message


def test_a_formula_must_be_a_number() -> None:
    with pytest.raises(ExpressionError, match=r"^a formula must be a number; this is true or false \(column 2\)$"):
        compile_formula(" order.net > 5", SCOPE, CALENDAR)


def test_days_since_needs_the_instant_of_the_event() -> None:
    scope = {"account": SCOPE["account"]}
    error = refusal("1 < days_since(account.opened)", scope)
    assert (error.column, error.message) == (5, "days_since needs event.at, which is not known here")


HOSTILE = {
    "characters": "1 == 1" + " " * 4_000 + "and True",
    "parts": " or ".join(["account.open"] * 251),
    "brackets": "(" * 61 + "True" + ")" * 61,
    "lists": "[" * 3_000,
    "signs": "-" * 3_999 + "1",
    "negations": "not " * 900 + "True",
    "sums": "+".join(["1"] * 61) + " > 1",
    "choices": "1 if True else " * 250 + "1",
    "attributes": "order" + ".net" * 900,
    "calls": "abs(" * 900,
    "digits": "9" * 3_900 + " > 1",
    "decimals": "0." + "9" * 3_900 + " > 1",
    "exponents": "1e" + "9" * 3_900 + " > 1",
    "names": "a" * 3_900 + " > 1",
    "quotes": "'" * 3_999,
    "chain": "1" + " < 2" * 900,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_at_once(name: str) -> None:
    text = HOSTILE[name]
    with at_most(1_000 + 100 * len(text)):
        error = refusal(text)
    assert len(error.message) < 200


LIMITS = {
    "characters": ("True" + " " * 3_996, " "),
    "parts": ("account.open or " * 249 + "True", " or True"),
    "levels": ("not " * 59 + "True", ""),
    "brackets": ("(" * 60 + "True" + ")" * 60, ""),
    "digits": ("9223372036854775807 > 0.000000000000000001", "1"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_what_is_still_allowed(name: str) -> None:
    allowed, more = LIMITS[name]
    compile_condition(allowed, SCOPE, CALENDAR)
    refusal(allowed + more if more else f"not ({allowed})")


DEEP = {
    "(" * 58 + "order.net" + ")" * 58 + " > 5",
    "not " * 56 + "(order.net > 5)",
    "-" * 57 + "order.net < 0",
    "order.net" + " + order.total" * 57 + " > 0",
    "order.net" + " - 0.7 * order.total" * 56 + " < 0",
    "order.net" + " / account.visits" * 57 + " > 0",
    "order.net" + " % account.visits" * 57 + " > 0",
    "order.net" + " // account.visits" * 57 + " == 0",
    "1 - (" * 57 + "order.net" + ")" * 57 + " != 0",
    "1 / (1 + " * 28 + "order.net" + ")" * 28 + " > 0",
    "round(0.7 * " * 28 + "order.net" + ", 1)" * 28 + " < 1",
    "min(5, " * 56 + "order.net / account.visits" + ")" * 56 + " < 5",
    "abs(ceil(" * 28 + "order.net / 7" + "))" * 28 + " == 2",
    "1 if account.open else " * 57 + "2 > 1",
    "(" + "order.net / 3 if not account.open else (" * 55 + "order.net" + ")" * 56 + " > 1",
    "account.open and (not (" * 19 + "order.net > 50" + "))" * 19 + " or True",
    "lower(" * 57 + "order.channel" + ")" * 57 + " == 'web'",
}


@pytest.mark.parametrize("text", sorted(DEEP))
def test_what_is_nested_as_deep_as_allowed_compiles_and_runs(text: str) -> None:
    if text.startswith("1 if"):
        assert value(text.removesuffix(" > 1")) == 1
    else:
        assert holds(text)


def test_a_result_is_never_longer_than_promised() -> None:
    largest = (
        None,
        SimpleNamespace(net=2**63 - 1, total=-(2**63)),
        None,
        SimpleNamespace(visits=2**63 - 1),
        None,
    )
    texts = [
        "*".join(["(order.net / 9223372036854775783 / order.total)"] * 55),
        "+".join(["1e-18 / order.net"] * 55),
        "min(" + ", ".join(f"order.net / (account.visits - {number})" for number in range(60)) + ")",
        "round(1e-18 / order.net + " * 20 + "1" + ", 18)" * 20,
    ]
    for text in texts:
        compiled = compile_formula(text, SCOPE, CALENDAR)
        with at_most(1_000 + len(text)):
            numerator, denominator = compiled.ratio(*largest)
        assert max(numerator.bit_length(), denominator.bit_length()) < 65_536


def test_fixed_numbers_may_be_longer_than_python_likes_to_write() -> None:
    product = "*".join(["9e18"] * 6)
    text = f"({product})" + "".join([f" * ({product})"] * 40)
    assert value(f"order.net * {text} / order.net") == Fraction(9 * 10**18) ** 246


def test_an_expression_tells_what_it_reads() -> None:
    condition = compile_condition("order.net > 5 and metric.spend < 3 or order.net == 2", SCOPE, CALENDAR)
    assert condition.reads == {"order.net", "metric.spend"}
    formula = compile_formula("days_since(account.opened) + 1", SCOPE, CALENDAR)
    assert formula.reads == {"event.at", "account.opened"}
    assert formula.text == "days_since(account.opened) + 1"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("order.net / metric.spend > 1", 13),
        ("order.net // metric.spend > 1", 14),
        ("order.net % metric.spend > 1", 13),
        ("1 < 1 / account.visits % metric.spend", 26),
        ("order.net / (metric.spend / account.visits) > 1", 14),
    ],
)
def test_a_division_by_zero_that_happens_is_told_with_its_column(text: str, column: int) -> None:
    condition = compile_condition(text, SCOPE, CALENDAR)
    with pytest.raises(ExpressionError) as caught:
        condition.test(*WORLD[:4], {"spend": 0}.__getitem__)
    assert (caught.value.column, caught.value.message) == (column, "division by zero")
    assert caught.value.text == text


def test_what_is_not_reached_is_not_evaluated() -> None:
    guarded = "metric.spend != 0 and order.net / metric.spend > 1"
    assert not holds(guarded, world=(*WORLD[:4], {"spend": 0}.__getitem__))
    assert value("order.net / metric.spend if metric.spend > 0 else 1", world=(*WORLD[:4], lambda _: 0)) == 1


def test_each_value_is_read_once() -> None:
    asked = []

    def metric(name: str) -> int:
        asked.append(name)
        return 300

    for text in [
        "1 < metric.spend / 2 < 9",
        "1 < 3 / metric.spend < 9",
        "-1 < 3 / metric.spend < 9 / account.visits",
    ]:
        asked.clear()
        holds(text, world=(*WORLD[:4], metric))
        assert asked == ["spend"]


ALL = [*(compile_condition(text, SCOPE, CALENDAR).test for text in CONDITIONS),
       *(compile_formula(text, SCOPE, CALENDAR).ratio for text in NUMBERS)]  # fmt: skip


def test_evaluating_reaches_no_builtins() -> None:
    for function in ALL:
        reachable: dict[str, Any] = getattr(function, "__globals__")  # noqa: B009 - Callable[...] has none by type
        assert reachable["__builtins__"] == {}
        named = {step.argval for step in dis.get_instructions(function) if step.opname.startswith("LOAD_GLOBAL")}
        assert named <= reachable.keys() - {"__builtins__"}


def test_compiled_code_holds_no_float() -> None:
    for function in ALL:
        constants = getattr(function, "__code__").co_consts  # noqa: B009 - Callable[...] has none by type
        assert not [constant for constant in constants if isinstance(constant, float)]


def test_two_expressions_share_nothing() -> None:
    first = compile_condition("order.channel in ['Web']", SCOPE, CALENDAR)
    second = compile_condition("order.channel in ['App']", SCOPE, CALENDAR)
    assert (first.test(*WORLD), second.test(*WORLD)) == (True, False)


def test_a_scope_tells_what_may_be_named() -> None:
    scope = {"order": {"net": SCOPE["order"]["net"]}, "event": SCOPE["event"]}
    assert describe(scope) == (
        Nameable("event", "at", Kind.INSTANT, "when it happened"),
        Nameable("order", "net", Kind.NUMBER, "after discounts"),
    )


def test_functions_tell_how_they_are_called() -> None:
    for name, function in FUNCTIONS.items():
        assert function.signature.startswith(f"{name}(")
        assert function.about
    assert not set(FUNCTIONS) & set(ROOTS)
