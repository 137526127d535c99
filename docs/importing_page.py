"""docs/importing.md: files of events, and mapping files for those that somebody else wrote."""

from __future__ import annotations

from inspect import cleandoc
from textwrap import fill
from typing import TYPE_CHECKING

from stampbook.importing import mapping
from stampbook.importing.fields import Cell, Test

if TYPE_CHECKING:
    from pydantic import BaseModel

_WHOLE = """
# Importing

<!-- Written by docs/generate.py from docs/importing_page.py and engine/stampbook/importing: run `make docs`. -->

`stampbook import FILE` brings in events from JSON Lines (`.jsonl`), CSV or Parquet; `.gz` is read through, and `-` is
standard input. A file may be of any size: rows are streamed, and committed in batches.

Without a mapping, each row is one event, with keys or columns as in
[Kinds of event](programs.md#kinds-of-event):

```json
{"type": "purchase", "id": "3-4711", "account": "1001", "at": "2025-03-06T09:00", "amount": "4.90"}
{"type": "return", "id": "3-4712", "account": "1001", "at": "2025-03-07T09:00", "purchase": "3-4711"}
```

## Stopping, resuming, repeating

An event is known by its source and id, for ever. So an import that was stopped, at whatever moment, is resumed by
running it again; what was posted before is counted as such and not posted again. The same id with other content is
malformed: new facts need a new id.

## Rows that are refused, malformed or failed

They do not stop the others. They stand, one JSON object a row, in the file that `--refused` names
(`FILE.refused.jsonl` in the current folder where it is not given; what an earlier import left there is kept under the
same name with `.1`, `.2` and so on), with `row`, `line`, `status`, `reasons` and the
`event`. Mend the events in a copy of it and import that. What is secret in some kind of event of the program, such as
the `pin` of a [card](policies/cards.md#pins), is withheld: write it again.

`status` is one of three:

* `refused`: the event was judged and refused; each reason has the code of an objection. It is recorded like any
  outcome, so a mended event needs a new id.
* `malformed`: the row is no event, or its id was used with other content. It was not recorded; mended, it may keep its
  id.
* `failed`: a rule or a plugin of the program failed on it (`rule_failed`). It was not recorded; mend the program or the
  plugin, then import the same file again.

Of a malformed row the reason says what is wrong with it: among others `invalid_json`, `duplicate_key` (a key that
stands twice in one object, of which nobody knows which one is meant), `inexact_number` (a JSON number of more digits
than such numbers are read with: write it in quotes), `bad_cell` (a mapping cannot use a cell), `invalid_event` and
`other_content`.

## Mapping files

{mapping}

### Keys at the top

{head}

### `[[skip]]`

{skip}

### `[[event]]`

{event}

Every other key is a field of that kind of event; `[event.lines]` holds the fields of an order's lines, one line for
each row of a group.

### A field

{cell}

### A condition

{test}

### Rows that belong together

Rows of one event stand next to each other: sort the file by the columns of `group_by`. An id that comes back later with
other rows is reported as `other_content`; what came first is recorded by then. A row that cannot be read may belong to
the events beside it, so those are not recorded either (`incomplete`), since an event cannot be completed later: mend
the row and import again. Of the rows of a group, the first whose cell is not empty gives a field; two different
accounts in one group are a mistake. At most 10,000 rows make one event.

### An example

This is what a web shop exports: one row for each line of an order, and the order's own columns on its first row only.

<!-- orders.csv -->
```csv
Name,Email,Financial Status,Paid at,Discount,Quantity,Item,Price,Sku
#1001,ann@example.org,paid,2025-01-05 10:12:33 +0000,2.50,2,Mug,£10.00,MUG
#1001,ann@example.org,,,,1,"Spoon, silver",£5.00,SPOON
#1002,bob@example.org,voided,2025-01-05 11:00:00 +0000,,1,Mug,£10.00,MUG
#1003,,paid,2025-01-06 09:30:00 +0000,,1,Mug,£10.00,MUG
R1001,ann@example.org,refunded,2025-01-09 16:00:00 +0000,,-1,"Spoon, silver",£5.00,SPOON
```

<!-- orders.toml -->
```toml
group_by = "Name"                       # rows with the same Name, one after another, are one event

[[skip]]
when = { column = "Financial Status", is = ["voided", "pending"] }
reason = "not paid"
whole_group = true                      # asked of the first row; the other rows of that order go with it

[[skip]]
when = { column = "Email", empty = true }
reason = "no customer"

[[event]]
when = { column = "Name", starts_with = "R" }
type = "return"
id = "Name"                             # a field is a column …
source = { value = "webshop" }          # … or a constant …
account = "Email"
at = { column = "Paid at", format = "%Y-%m-%d %H:%M:%S %z" }
amount = { column = "Quantity", times = "Price", strip = "£", sum = true, absolute = true }
reason = { template = "refund {Name}" } # … or text with columns in it

[[event]]
type = "purchase"
id = "Name"
source = { value = "webshop" }
account = "Email"
at = { column = "Paid at", format = "%Y-%m-%d %H:%M:%S %z" }
discount = { column = "Discount", default = "0" }

[event.lines]                           # each row is one line of the order
sku = "Sku"
quantity = "Quantity"
unit_price = { column = "Price", strip = "£" }
```

These are the events that come of it; one row is skipped as not paid, and one for want of a customer:

<!-- orders.events -->
```json
{"type":"purchase","id":"#1001","source":"webshop","account":"ann@example.org","at":"2025-01-05T10:12:33+00:00",
 "discount":"2.50","lines":[{"sku":"MUG","quantity":"2","unit_price":"10.00"},
 {"sku":"SPOON","quantity":"1","unit_price":"5.00"}]}
{"type":"return","id":"R1001","source":"webshop","account":"ann@example.org","at":"2025-01-09T16:00:00+00:00",
 "amount":"5.00","reason":"refund R1001"}
```

## An export back in

`stampbook export jsonl` writes every event with the program that judged it. `stampbook import --as-recorded` puts those
programs in force and records the events at the instants at which they were recorded then, so that an empty database
becomes the same ledger, hash for hash. Each hash is compared before the entry is written: an export that was edited or
is incomplete, another plugin, or a ledger in which something else happened ends the import with one line that names the
account and the journal position. What was recorded before that instant stays imported.
"""


def page() -> str:
    """Return the page."""
    text = cleandoc(mapping.__doc__ or "").replace("``", "`")
    before, _, rest = text.partition("::\n\n")
    example, _, after = rest.partition("\n\nA field is")
    toml = "\n".join(line.removeprefix("    ") for line in example.splitlines())
    named = after.replace("see `Cell`", "see [A field](#a-field)").replace(
        "see `Test`", "see [A condition](#a-condition)"
    )
    parts = {
        "mapping": f"{before}```toml\n{toml}\n```\n\n{fill('A field is' + named, 119, break_on_hyphens=False)}",
        "head": _keys(mapping._Head),  # noqa: SLF001 - the page is about what is inside
        "skip": _keys(mapping.Skip),
        "event": _keys(mapping._EventHead),  # noqa: SLF001 - looks inside on purpose
        "cell": _keys(Cell),
        "test": _keys(Test),
    }
    whole = _WHOLE.strip()
    for name, part in parts.items():
        whole = whole.replace(f"{{{name}}}", part)
    return whole + "\n"


def _keys(model: type[BaseModel]) -> str:
    rows = ["| key | meaning | where absent |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else field.default
        absent = "must be there" if field.is_required() else "" if default in {None, "", ()} else f"`{_toml(default)}`"
        rows.append(f"| `{field.alias or name}` | {field.description or ''} | {absent} |")
    return "\n".join(rows)


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else f'"{value}"'
