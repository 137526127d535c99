"""Kinds of event that a program declares: read, checked, counted, rewarded, told, exported and restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook import EventError, ProgramError, load_program
from stampbook.engine import Engine
from stampbook.errors import DuplicateEventError
from stampbook.explaining import explain_entry
from stampbook.exporting import export
from stampbook.importing import import_file
from stampbook.replay import entries_of
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
[program]
name = "Reviews"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "{opens}"
[assets.points]
[events.review_written]
about = "a customer wrote about something she bought"
[events.review_written.fields]
product = {{ type = "text", about = "sku", longest = 20 }}
stars = {{ type = "whole", least = 1, most = 5 }}
score = {{ type = "decimal", decimals = 1, required = false, most = "9.5" }}
spent = {{ type = "money", required = false }}
bought_on = {{ type = "date", required = false, default = "2000-01-01" }}
via = {{ type = "choice", choices = ["app", "web"], required = false, default = "web" }}
public = {{ type = "flag", required = false }}
[events.question_asked]
[events.question_asked.fields]
product = {{ type = "text" }}
[events.money_raised]
[events.money_raised.fields]
amount = {{ type = "money", least = "0.01" }}
[metrics.reviews]
on = ["review_written"]
when = "event.stars >= 2"
count = true
[metrics.products]
on = ["review_written", "question_asked"]
distinct = "lower(event.product)"
[metrics.raised]
on = ["money_raised"]
sum = "event.amount"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "review"
on = ["review_written"]
when = "{when}"
earn = "event.stars * 10 + floor(event.spent) + event.score"
[[plugin.rule]]
name = "sign-up"
on = ["account.opened"]
earn = "50"
[[plugin.rule]]
name = "raised"
on = ["money_raised"]
earn = "event.amount * 2"
"""


def text(when: str = "event.public or event.via == 'web'", opens: str = "on first event") -> str:
    return PROGRAM.format(when=when, opens=opens)


def review(**fields: Any) -> dict[str, Any]:
    return {"type": "review_written", "product": "tea", "stars": 3, **fields}


def said(ledger: Ledger, **fields: Any) -> str:
    with pytest.raises(EventError) as caught:
        ledger.post(id="e", **review(**fields))
    return str(caught.value).removeprefix("event 'e': ")


def test_a_declared_event_is_rewarded_by_what_it_tells() -> None:
    ledger = Ledger(text())
    assert ledger.post(**review(stars=4, spent="2.50", score="1.5")).accepted
    assert ledger.balance("points") == str(50 + 40 + 2 + 1)


def test_an_account_that_is_opened_earns_whoever_opens_it() -> None:
    for opens in ("on first event", "refuse"):
        ledger = Ledger(text(opens=opens))
        ledger.post(**review(via="app"))
        assert ledger.balance("points") == "50"
        ledger.post(**review(via="app"))
        assert ledger.balance("points") == "50"


def test_it_is_counted_by_metrics() -> None:
    ledger = Ledger(text())
    for stars, product in ((1, "Tea"), (2, "tea"), (5, "jam")):
        ledger.post(**review(stars=stars, product=product))
    ledger.post(type="question_asked", product="ham")
    ledger.post(type="money_raised", amount="12.34")
    view = ledger.view()
    assert [view.metric(name) for name in ("reviews", "products", "raised")] == [2, 3, 1234]


@pytest.mark.parametrize(
    ("condition", "fields", "holds"),
    [
        ("event.via == 'web'", {}, True),
        ("event.via == 'web'", {"via": "app"}, False),
        ("event.public", {}, False),
        ("event.public", {"public": True}, True),
        ("event.public", {"public": "yes"}, True),
        ("event.score == 0", {}, True),
        ("event.score == 9.5", {"score": "9.5"}, True),
        ("event.spent > 0.99", {"spent": "1.00"}, True),
        ("year(event.bought_on) == 2000", {}, True),
        ("days_since(event.bought_on) == 3", {"bought_on": "2025-03-29", "at": "2025-04-01"}, True),
        ("event.stars in [1, 2]", {"stars": "2"}, True),
        ("starts_with(event.product, 'te')", {}, True),
    ],
)
def test_conditions_read_its_fields(condition: str, fields: dict[str, Any], *, holds: bool) -> None:
    ledger = Ledger(text(condition))
    ledger.post(**review(**fields))
    assert (ledger.balance("points") != "50") == holds


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"stars": 6}, "stars: 6 is more than 5"),
        ({"stars": 0}, "stars: 0 is less than 1"),
        ({"stars": "many"}, "stars: 'many' is not a whole number"),
        ({"stars": 2.0}, "stars: 2.0 is not a whole number"),
        ({"stars": True}, "stars: True is not a whole number"),
        ({"score": "1.25"}, "score: '1.25' has more than 1 decimal"),
        ({"score": "9.6"}, "score: 9.6 is more than 9.5"),
        ({"spent": "-1"}, "spent: -1 is less than 0"),
        ({"spent": "1.001"}, "spent: '1.001' has more than 2 decimals"),
        ({"bought_on": "31.1.2025"}, "bought_on: '31.1.2025' is not a date; write 2025-01-31"),
        ({"bought_on": "2025-02-30"}, "bought_on: "),
        ({"via": "ap"}, "via: 'ap' is not one of 'app', 'web' (did you mean 'app'?)"),
        ({"public": "maybe"}, "public: 'maybe' is neither true nor false"),
        ({"product": ""}, "product: must not be empty"),
        ({"product": "x" * 21}, "product: is longer than 20 characters"),
        ({"product": 7}, "product: 7 is not text; write it in quotes"),
        ({"product": ["tea"]}, "product: a list or an object is not text"),
        ({"strs": 3}, "strs: no such key (did you mean 'stars'?)"),
        ({"type": "reviw_written"}, "is no kind of event of this program (did you mean 'review_written'?)"),
    ],
)
def test_each_mistake_is_told_in_one_line(fields: dict[str, Any], says: str) -> None:
    message = said(Ledger(text()), **fields)
    assert says in message
    assert "\n" not in message


def test_what_is_needed_is_missed_and_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(EventError) as caught:
        Ledger(text()).post(id="e", type="review_written", via="x", extra=1)
    assert "product: missing" in str(caught.value)
    assert "stars: missing" in str(caught.value)
    assert "via: 'x'" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('earn = "event.stars', 'earn = "event.strs'), "no field 'event.strs' (did you mean 'stars'?) (column 1)"),
        (('earn = "50"', 'earn = "event.stars"'), "event.stars is not known of 'account.opened'; it belongs to review"),
        (('sum = "event.amount"', 'sum = "event.stars"'), "event.stars is not known of 'money_raised'"),
        (('earn = "event.stars * 10', 'earn = "event.amount * 10'), "event.amount is not known of 'review_written'"),
        (('on = ["money_raised"]\nearn', 'on = ["money_rised"]\nearn'), "did you mean 'money_raised'?"),
        (('default = "web"', 'default = "wbe"'), "via.default: 'wbe' is not one of 'app', 'web' (did you mean 'web'?)"),
        (('default = "2000-01-01"', 'default = "2000"'), "bought_on.default: '2000' is not a date"),
        ((', default = "2000-01-01"', ""), "a date that is not required needs a default"),
        (('product = { type = "text" }', 'product = { type = "whole" }'), "is whole here and text in [events.review"),
        (('type = "flag"', 'type = "flagg"'), "'flagg' is not one of"),
        (("[events.question_asked]\n", "[events.purchase]\n"), "'purchase' is a kind of event already"),
        (('product = { type = "text" }', 'source = { type = "text" }'), "the engine uses 'source' itself"),
        (('product = { type = "text" }', 'json = { type = "text" }'), "the engine uses 'json' itself"),
        (('product = { type = "text" }', 'from = { type = "text" }'), "'from' is a word of conditions"),
        (('amount = { type = "money"', 'amount = { type = "decimal"'), "the amount of an event is money"),
        (("least = 1, most = 5", "least = 6, most = 5"), "least 6 is more than most 5"),
        (('about = "sku"', 'abuot = "sku"'), "no such key (did you mean 'about'?)"),
    ],
)
def test_a_mistake_of_the_program_has_its_line(change: tuple[str, str], says: str) -> None:
    before, after = change
    program = text()
    assert before in program
    with pytest.raises(ProgramError) as caught:
        load_program(program.replace(before, after), "p.toml")
    [mistake] = [each for each in caught.value.mistakes if says in str(each)]
    assert mistake.line


def test_no_field_of_an_event_takes_the_place_of_a_mistaken_one() -> None:
    broken = text().replace('type = "flag"', 'type = "flagg"').replace("event.stars * 10", "event.strs * 10")
    with pytest.raises(ProgramError) as caught:
        load_program(broken)
    assert "no field 'event.strs' (did you mean 'stars'?)" in str(caught.value)


def test_the_same_id_with_other_content_is_refused() -> None:
    ledger = Ledger(text())
    ledger.post(id="e", at="2025-03-01", **review(spent="1.0"))
    assert ledger.post(id="e", at="2025-03-01", **review(spent="1.00")).replayed
    with pytest.raises(DuplicateEventError, match="another stars"):
        ledger.post(id="e", at="2025-03-01", **review(stars=4, spent="1.00"))


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Engine]:
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True) as engine:
        engine.put_text_in_force(text())
        rows = tmp_path / "reviews.csv"
        rows.write_text(
            "Nr,Who,When,What,Stars,Paid,Public\n1,ann,2025-03-01,tea,4,2.50,yes\n2,ann,2025-03-02,jam,9,,\n"
        )
        mapping = tmp_path / "map.toml"
        mapping.write_text(
            '[[event]]\ntype = "review_written"\nid = "Nr"\naccount = "Who"\nat = "When"\nproduct = "What"\n'
            'stars = "Stars"\nspent = "Paid"\npublic = "Public"\n'
        )
        summary = import_file(engine, rows, mapping=mapping, refused=tmp_path / "refused.jsonl")
        assert (summary.accepted, summary.malformed) == (1, 1)
        assert "9 is more than 5" in (tmp_path / "refused.jsonl").read_text()
        yield engine


def test_it_is_imported_told_explained_exported_and_restored(books: Engine, tmp_path: Path) -> None:
    words = statement(books, "ann").lines[-1].words
    assert words == "review written: product tea, stars 4, spent 2.50 GBP, public yes"
    reason = explain_entry(books, "ann", entries_of(books, "ann")[-1])
    [rule] = [rule for rule in reason.rules if rule.rule == "points.review"]
    assert (rule.earned, rule.read["event.stars"], rule.read["event.spent"]) == ("42", "4", "2.50")
    export(books, tmp_path / "books.jsonl", "jsonl")
    assert verify(books).findings == ()
    with Engine.open(f"sqlite:///{tmp_path / 'copy.db'}", create=True) as copy:
        import_file(copy, tmp_path / "books.jsonl", as_recorded=True, refused=tmp_path / "r.jsonl")
        assert [entry.hash for entry in entries_of(copy, "ann")] == [entry.hash for entry in entries_of(books, "ann")]
        assert verify(copy).findings == ()
