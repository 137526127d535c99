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

## Rows that are refused or malformed

They do not stop the others. They stand, one JSON object a row, in the file that `--refused` names
(`FILE.refused.jsonl` in the current folder where it is not given), with `row`, `line`, `status`, `reasons` and the
`event`. Mend the events in a copy of it and import that. A refusal is remembered like any outcome, so a mended event
needs a new id; a malformed one was not recorded and may keep its id.

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

## An export back in

`stampbook export jsonl` writes every event with the program that judged it. `stampbook import --as-recorded` puts those
programs in force and records the events at the instants at which they were recorded then, so that an empty database
becomes the same ledger, hash for hash.
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
        "event": _keys(mapping._EventHead),  # noqa: SLF001
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
