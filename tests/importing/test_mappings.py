"""Columns that are somebody else's: mapping files, their mistakes, and what their rows become."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pytest

from stampbook.errors import InputError, ProgramError
from stampbook.importing import import_file
from stampbook.importing.fields import Cell
from stampbook.importing.fields import Test as Condition
from stampbook.importing.files import opened
from stampbook.importing.mapping import read_mapping
from stampbook.importing.shaping import LARGEST_GROUP, Shaper

if TYPE_CHECKING:
    from pydantic import BaseModel

    from stampbook.engine import Engine


from tests.importing.shop import MISTAKES, counts, kept, minimal, recorded, survives, write

# Mapping files


SHOPIFY = """
group_by = "Name"

[[skip]]
when = { column = "Financial Status", is = ["voided", "pending"] }
reason = "not paid"
whole_group = true

[[skip]]
when = { column = "Email", empty = true }
reason = "no customer"
whole_group = true

[[event]]
type = "purchase"
id = "Name"
source = { value = "shopify" }
account = "Email"
at = { column = "Paid at", format = "%Y-%m-%d %H:%M:%S %z" }
currency = "Currency"
discount = { column = "Discount Amount", default = "0" }
channel = { value = "online" }

[event.lines]
sku = "Lineitem sku"
quantity = "Lineitem quantity"
unit_price = "Lineitem price"
"""

SHOPIFY_ROWS = """\
Name,Email,Financial Status,Paid at,Currency,Discount Amount,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku
#1001,ann@example.org,paid,2025-01-05 10:12:33 +0000,GBP,2.50,2,Mug,10.00,MUG
#1001,ann@example.org,,,,,1,"Spoon, silver",5.00,SPOON
#1002,bob@example.org,voided,,GBP,,1,Mug,10.00,MUG
#1002,bob@example.org,,,,,1,Mug,10.00,MUG
#1003,,paid,2025-01-06 10:12:33 +0000,GBP,,1,Mug,10.00,MUG
#1004,ann@example.org,partially_refunded,2025-01-07 23:30:00 -0500,GBP,,1,Mug,10.00,
"""


def test_orders_of_a_web_shop(engine: Engine) -> None:
    summary = import_file(engine, write("orders.csv", SHOPIFY_ROWS), mapping=write("shopify.toml", SHOPIFY))
    assert counts(summary) == (6, 2, 0, 0, 0, 3)
    assert summary.reasons == {"skipped: not paid": 2, "skipped: no customer": 1}
    first, second = recorded(engine)
    assert first == {
        "type": "purchase",
        "id": "#1001",
        "source": "shopify",
        "account": "ann@example.org",
        "at": "2025-01-05T10:12:33+00:00",
        "currency": "GBP",
        "discount": "2.50",
        "channel": "online",
        "lines": [
            {"sku": "MUG", "quantity": "2", "unit_price": "10.00"},
            {"sku": "SPOON", "quantity": "1", "unit_price": "5.00"},
        ],
    }
    assert second["at"] == "2025-01-07T23:30:00-05:00"
    assert second["lines"] == [{"quantity": "1", "unit_price": "10.00"}]


SQUARE = """
delimiter = ";"
encoding = "latin-1"
group_by = ["Transaction ID", "Event Type"]

[[skip]]
when = { column = "Customer ID", empty = true }
reason = "no customer"

[[event]]
when = { column = "Event Type", is = "Refund" }
type = "return"
id = { template = "refund-{Transaction ID}" }
account = "Customer ID"
at = { template = "{Date} {Time}", format = "%m/%d/%y %H:%M:%S" }
amount = { column = "Net Sales", strip = "£,", absolute = true, sum = true }
reason = "Notes"

[[event]]
type = "purchase"
id = "Transaction ID"
account = "Customer ID"
at = { template = "{Date} {Time}", format = "%m/%d/%y %H:%M:%S" }
amount = { column = "Net Sales", strip = "£,", sum = true }
store = "Location"
"""

SQUARE_ROWS = """\
Date;Time;Item;Net Sales;Transaction ID;Event Type;Location;Customer ID;Notes
01/31/25;09:15:00;Café;£1,003.50;T1;Payment;Zürich;C1;
01/31/25;09:15:00;Tea;£0.50;T1;Payment;Zürich;C1;
02/01/25;10:00:00;Café;-£3.50;T1;Refund;Zürich;C1;cold
02/01/25;10:00:00;Café;£3.50;T2;Payment;Zürich;;
"""


def test_items_of_a_till(engine: Engine) -> None:
    path = write("items.csv", SQUARE_ROWS.encode("latin-1"))
    summary = import_file(engine, path, mapping=write("square.toml", SQUARE))
    assert counts(summary) == (4, 2, 0, 0, 0, 1)
    bought, refunded = recorded(engine)
    assert (bought["amount"], bought["store"], bought["at"]) == ("1004.00", "Zürich", "2025-01-31T09:15:00")
    assert (refunded["id"], refunded["amount"], refunded["reason"]) == ("refund-T1", "3.50", "cold")


RETAIL = """
group_by = "InvoiceNo"

[[skip]]
when = { column = "CustomerID", empty = true }
reason = "no customer"

[[skip]]
when = [{ column = "UnitPrice", below = 0 }, { column = "Quantity", is_not = "0" }]
reason = "bad debt"

[[event]]
when = { column = "InvoiceNo", starts_with = "C" }
type = "return"
id = "InvoiceNo"
account = "CustomerID"
at = "InvoiceDate"
purchase = { template = "before {InvoiceNo}" }
amount = { column = "Quantity", times = "UnitPrice", sum = true, absolute = true, round = 2 }

[[event]]
type = "purchase"
id = "InvoiceNo"
account = "CustomerID"
at = "InvoiceDate"

[event.lines]
sku = "StockCode"
quantity = "Quantity"
unit_price = { column = "UnitPrice", round = 2 }
"""


def retail_frame() -> pl.DataFrame:
    rows = [
        ("536365", "85123A", 6, 2.55, 17850),
        ("536365", "71053", 6, 3.39, 17850),
        ("536366", "22633", 6, 1.85, None),
        ("C536379", "D", -1, 27.5, 14527),
        ("C536379", "22556", -12, 1.65, 14527),
        ("A563186", "B", 1, -11062.06, 1),
        ("536370", "PADS", 3, 0.001, 12583),
        ("536370", "22728", 24, 3.75, 12583),
    ]
    frame = pl.DataFrame(rows, schema=["InvoiceNo", "StockCode", "Quantity", "UnitPrice", "CustomerID"], orient="row")
    return frame.with_columns(pl.lit("2010-12-01T08:26").str.to_datetime().alias("InvoiceDate"), Country=pl.lit("UK"))


def test_invoices_of_a_year(engine: Engine) -> None:
    retail_frame().write_parquet("retail.parquet")
    summary = import_file(engine, "retail.parquet", mapping=write("retail.toml", RETAIL))
    assert counts(summary) == (8, 3, 0, 0, 0, 2)
    assert summary.reasons == {"skipped: no customer": 1, "skipped: bad debt": 1}
    by_id = {event["id"]: event for event in recorded(engine)}
    assert by_id["536365"] == {
        "type": "purchase",
        "id": "536365",
        "account": "17850",
        "at": "2010-12-01T08:26:00",
        "lines": [
            {"sku": "85123A", "quantity": "6", "unit_price": "2.55"},
            {"sku": "71053", "quantity": "6", "unit_price": "3.39"},
        ],
    }
    assert by_id["C536379"]["amount"] == "47.30"
    assert by_id["536370"]["lines"][0]["unit_price"] == "0.00"


def test_the_same_rows_are_the_same_events_in_every_format(engine: Engine) -> None:
    frame = retail_frame()
    mapping = read_mapping(write("retail.toml", RETAIL), engine.registry().reader.kinds)
    frame.write_parquet("retail.parquet")
    frame.write_csv("retail.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    frame.with_columns(pl.col("InvoiceDate").dt.strftime("%Y-%m-%dT%H:%M:%S")).write_ndjson("retail.jsonl")
    made: list[list[Any]] = []
    for kind in ("parquet", "csv", "jsonl"):
        with opened(f"retail.{kind}", kind) as rows:
            made.append(
                [(item.number, item.event, item.skipped) for item in Shaper(mapping, rows.columns).shaped(rows)]
            )
    assert made[0] == made[1] == made[2]


AMOUNTS: dict[str, tuple[str, str, str | None]] = {
    "as it is": ('"a"', "12.50", "12.50"),
    "signs": ('{ column = "a", strip = "$, " }', "$ 1,234.50", "1234.50"),
    "a decimal comma": ('{ column = "a", decimal_comma = true }', "1.234,50", "1234.50"),
    "cents": ('{ column = "a", divide = 100 }', "1250", "12.50"),
    "rounded": ('{ column = "a", round = 2 }', "12.345", "12.35"),
    "rounded from half": ('{ column = "a", round = 0 }', "2.5", "3"),
    "without its sign": ('{ column = "a", absolute = true }', "-5", "5"),
    "by default": ('{ column = "a", default = "7" }', "", "7"),
    "rounded by default": ('{ column = "a", round = 2, default = "7" }', "", "7.00"),
    "constant": ("{ value = 5 }", "", "5"),
    "product": ('{ column = "a", times = "n" }', "0.1", "0.3"),
    "no number": ('{ column = "a", round = 2 }', "ten", None),
    "huge": ('{ column = "a", round = 2 }', "1e999999999", None),
    "empty": ('"a"', "", None),
}


@pytest.mark.parametrize("case", AMOUNTS)
def test_numbers_of_a_mapping(engine: Engine, case: str) -> None:
    how, given_, wanted = AMOUNTS[case]
    path = write("tops.csv", f'n,who,when,a\n3,ann,31/01/2025,"{given_}"\n')
    summary = import_file(engine, path, mapping=write("map.toml", minimal(how)))
    if wanted is None:
        [row] = kept(summary)
        assert row["reasons"][0]["code"] == "bad_cell"
        assert "column 'a': " in row["reasons"][0]["message"]
        assert row["event"] == {"n": "3", "who": "ann", "when": "31/01/2025", "a": given_}
    else:
        assert summary.accepted == 1, kept(summary)
        assert recorded(engine)[0]["amount"] == wanted


def test_a_time_that_is_written_otherwise(engine: Engine) -> None:
    path = write("tops.csv", "n,who,when,a\n3,ann,2025-01-31,1\n")
    [row] = kept(import_file(engine, path, mapping=write("map.toml", minimal())))
    assert row["reasons"] == [
        {"code": "bad_cell", "message": "column 'when': '2025-01-31' is no time written as '%d/%m/%Y'"}
    ]


def test_every_mistake_of_a_mapping_at_once(engine: Engine) -> None:
    with pytest.raises(ProgramError) as caught:
        read_mapping(write("map.toml", MISTAKES), engine.registry().reader.kinds)
    told = str(caught.value)
    for place in (
        "map.toml:2: group_bye: no such key (did you mean 'group_by'?)",
        "map.toml:3: encoding: no encoding 'utf-99' of text",
        "map.toml:6: skip[1].when: a condition states something",
        "map.toml:9: event[1].type: 'purchas' is no kind of event (did you mean 'purchase'?)",
        "map.toml:13: event[2].id: a field has either a column, a template or a value",
        "map.toml:14: event[2].acount: no such field (did you mean 'account'?)",
        "map.toml:15: event[2].at: at is no number",
        "map.toml:16: event[2].amount: divide is a power of ten such as 100, not 30",
        "map.toml:17: event[2].channel: channel is no time",
        "map.toml:18: event[2].store: write the name of a column",
        "map.toml:19: event[2].tenders: tenders cannot come from a column",
        "map.toml:22: event[2].lines.skuu: no such field (did you mean 'sku'?)",
        "map.toml:23: event[2].lines.quantity: a line is made of one row",
        "event[2].account: missing",
        "event[2]: it has no `when`",
        "map.toml:31: event[3].amount: a template names at least one column",
        "map.toml:32: event[3].lines: such an event has no lines",
    ):
        assert place in told, told


def test_a_mapping_is_judged_to_its_end_whatever_else_is_wrong(engine: Engine) -> None:
    text = """
[[event]]
type = "purchas"
when = { column = "a", below = "x" }
idd = "a"
id = { colum = "a" }
account = "b"
at = { column = "c", divide = 30, round = 9 }

[[event]]
type = "xyz"
when = 5
id = { column = "a", template = "b" }

[[event]]
when = { column = "a", is = 0.5 }
account = { default = 5 }
"""
    with pytest.raises(ProgramError) as caught:
        read_mapping(write("map.toml", "\ufeff" + text), engine.registry().reader.kinds)
    assert str(caught.value).splitlines() == [
        "map.toml:3: event[1].type: 'purchas' is no kind of event (did you mean 'purchase'?)",
        "map.toml:4: event[1].when.below: 'x' is not a whole number; write it without quotes",
        "map.toml:5: event[1].idd: no such field (did you mean 'id'?)",
        "map.toml:6: event[1].id.colum: no such key (did you mean 'column'?)",
        "map.toml:8: event[1].at: divide is a power of ten such as 100, not 30",
        "map.toml:8: event[1].at.round: 9 is more than 6",
        *[line for line in str(caught.value).splitlines() if line.startswith("map.toml:11: ")],
        "map.toml:12: event[2].when: 5 is not a list; write it in [ ]",
        "map.toml:13: event[2].id: a field has either a column, a template or a value",
        "map.toml:15: event[3].type: missing",
        "map.toml:16: event[3].when.is: 0.5 is not a list; write it in [ ]",
        "map.toml:17: event[3].account: a field has either a column, a template or a value",
        "map.toml:17: event[3].account.default: 5 is not text; write it in quotes",
    ]


def test_a_parquet_that_lacks_a_column_tells_all_that_it_has(engine: Engine) -> None:
    frame = pl.DataFrame({"n": ["3"], "customer": ["ann"], "When": ["31/01/2025"], "a": ["1"]})
    frame.write_parquet("sales.parquet")
    with pytest.raises(InputError) as caught:
        import_file(engine, "sales.parquet", mapping=write("map.toml", minimal()))
    told = str(caught.value)
    assert "no column 'when' (did you mean 'When'?), which map.toml" in told
    assert told.endswith("Its columns are: 'n', 'customer', 'When', 'a'")


def test_a_column_that_the_file_lacks(engine: Engine) -> None:
    with pytest.raises(InputError) as caught:
        import_file(
            engine, write("orders.csv", SHOPIFY_ROWS.replace("Email", "E-mail")), mapping=write("map.toml", SHOPIFY)
        )
    told = str(caught.value)
    assert told.startswith("orders.csv: no column 'Email' (did you mean 'E-mail'?), which map.toml")
    assert "Its columns are: 'Name', 'E-mail'" in told
    assert "\n" not in told


def test_rows_of_one_event_that_stand_apart(engine: Engine) -> None:
    text = SHOPIFY_ROWS + "#1001,ann@example.org,paid,2025-01-05 10:12:33 +0000,GBP,2.50,1,Cup,9.00,CUP\n"
    summary = import_file(engine, write("orders.csv", text), mapping=write("map.toml", SHOPIFY))
    [row] = kept(summary)
    assert row["row"] == 7
    assert row["reasons"][0]["code"] == "other_content"
    assert "rows of one event must stand together: sort the file by 'Name'" in row["reasons"][0]["message"]


def test_a_row_that_cannot_be_read_takes_its_neighbours_along(engine: Engine) -> None:
    ragged = SHOPIFY_ROWS.replace(',1,"Spoon, silver"', ",1,Spoon, silver")
    path, mapping = write("orders.csv", ragged), write("map.toml", SHOPIFY)
    summary = import_file(engine, path, mapping=mapping)
    assert counts(summary) == (6, 1, 0, 0, 2, 3)
    told = kept(summary)
    assert [(row["row"], row["reasons"][0]["code"]) for row in told] == [(2, "ragged"), (1, "incomplete")]
    assert "row 2 beside it cannot be read and may belong to it" in told[1]["reasons"][0]["message"]
    write("orders.csv", SHOPIFY_ROWS)
    assert counts(import_file(engine, path, mapping=mapping)) == (6, 1, 0, 1, 0, 3)
    assert sum(len(event["lines"]) for event in recorded(engine)) == 3


def test_an_unreadable_row_between_two_events_may_belong_to_either(engine: Engine) -> None:
    rows = "n,who,when,a\n1,ann,01/01/2025,1\n1,ann,01/01/2025,1\nbroken\n2,bob,01/01/2025,1\n3,bob,01/01/2025,1\n"
    summary = import_file(engine, write("t.csv", rows), mapping=write("map.toml", 'group_by = "n"\n' + minimal()))
    assert [row["reasons"][0]["code"] for row in kept(summary)] == ["ragged", "incomplete", "incomplete"]
    assert [event["id"] for event in recorded(engine)] == ["3"]


def test_an_event_of_two_accounts(engine: Engine) -> None:
    rows = "n,who,when,a\n1,ann,01/01/2025,1\n1,bob,01/01/2025,1\n"
    summary = import_file(engine, write("t.csv", rows), mapping=write("map.toml", 'group_by = "n"\n' + minimal()))
    assert "is another account than 'ann' in the same event" in kept(summary)[0]["reasons"][0]["message"]


def test_an_event_of_too_many_rows(engine: Engine) -> None:
    rows = "n,who,when,a\n" + "1,ann,01/01/2025,1\n" * (LARGEST_GROUP + 5)
    summary = import_file(engine, write("t.csv", rows), mapping=write("map.toml", 'group_by = "n"\n' + minimal()))
    assert counts(summary) == (LARGEST_GROUP + 5, 0, 0, 0, 1, 0)
    assert summary.reasons == {"too_many_rows": 1}


def test_a_row_for_which_there_is_no_event(engine: Engine) -> None:
    mapping = minimal() + 'when = { column = "a", is_not = "1" }\n'
    summary = import_file(
        engine, write("t.csv", "n,who,when,a\n1,ann,01/01/2025,1\n"), mapping=write("m.toml", mapping)
    )
    assert summary.reasons == {"no_event": 1}


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "cp1252", "shift_jis", "utf-8-sig"])
def test_encodings_by_name(engine: Engine, encoding: str) -> None:
    text = (
        "n,who,when,a\n1,ann,01/01/2025,1\n2,née,01/01/2025,1\n"
        if encoding != "shift_jis"
        else ("n,who,when,a\n1,ann,01/01/2025,1\n2,東京,01/01/2025,1\n")
    )
    mapping = write("m.toml", f'encoding = "{encoding}"\n' + minimal())
    path = write("t.csv", text.encode(encoding))
    assert import_file(engine, path, mapping=mapping).accepted == 2
    survives(engine, write("t.csv", text.encode(encoding)[:-9] + b"\xff\xd8\xfe"), mapping=mapping)


def test_what_is_no_encoding_or_delimiter(engine: Engine) -> None:
    for line in ('encoding = "hex"', 'encoding = "a\\u0000b"', "delimiter = '\"'", 'delimiter = "ab"'):
        with pytest.raises(ProgramError, match=r"m\.toml:1: (encoding|delimiter)"):
            read_mapping(write("m.toml", f"{line}\n" + minimal()), engine.registry().reader.kinds)


DOC = Path(__file__).parents[2] / "docs" / "importing.md"


def test_the_example_of_the_docs(engine: Engine) -> None:
    page = DOC.read_text(encoding="utf-8")
    blocks = dict(re.findall(r"<!-- (orders\.\w+) -->\n```\w+\n(.*?)```\n", page, re.DOTALL))
    summary = import_file(
        engine, write("orders.csv", blocks["orders.csv"]), mapping=write("m.toml", blocks["orders.toml"])
    )
    assert recorded(engine) == [orjson.loads(event) for event in re.split(r"\n(?=\{)", blocks["orders.events"])]
    assert counts(summary) == (5, 2, 0, 0, 0, 2)
    assert summary.reasons == {"skipped: not paid": 1, "skipped: no customer": 1}


@pytest.mark.parametrize("model", [Cell, Condition], ids=["fields", "conditions"])
def test_the_docs_name_every_key(model: type[BaseModel]) -> None:
    page = DOC.read_text(encoding="utf-8")
    for name, key in model.model_fields.items():
        assert f"| `{key.alias or name}` |" in page or f"`{key.alias or name}`" in page
