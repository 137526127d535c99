"""A shop whose files are imported: its program, its rows, and what became of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from stampbook.errors import StampbookError
from stampbook.importing import ImportSummary, import_file
from stampbook.store.reading import sql_session

if TYPE_CHECKING:
    from stampbook.engine import Engine

PROGRAM = """
[program]
name = "Shop"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
unknown_returns = "accept"

[assets.points]

[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"
"""


def purchase(number: int, **more: Any) -> dict[str, Any]:
    event = {"type": "purchase", "id": f"p{number}", "account": f"c{number % 7}", "at": "2025-01-31", "amount": "10.00"}
    return {**event, **more}


def lines(*rows: object) -> bytes:
    return b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows)


def write(name: str, content: bytes | str) -> Path:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def kept(summary: ImportSummary) -> list[dict[str, Any]]:
    assert summary.refused_file is not None
    return [orjson.loads(line) for line in Path(summary.refused_file).read_bytes().splitlines()]


def recorded(engine: Engine) -> list[dict[str, Any]]:
    """Return the events that were sent, in the order of accounts and their journals."""
    with engine.store.reader() as session:
        found = sql_session(session).rows(
            "SELECT payload FROM journal WHERE source <> 'stampbook' ORDER BY account_id, seq"
        )
    return [orjson.loads(row[0]) for row in found]


def heads(engine: Engine) -> dict[str, bytes]:
    with engine.store.reader() as session:
        return {
            ref: bytes(head)
            for ref, head in sql_session(session).rows("SELECT ref, head FROM account JOIN chain ON account_id = id")
        }


def counts(summary: ImportSummary) -> tuple[int, int, int, int, int, int]:
    """Return read, accepted, refused, replayed, malformed and skipped."""
    events = (summary.accepted, summary.refused, summary.replayed, summary.malformed)
    return (summary.read, *events, summary.skipped)


def whole_parquet() -> bytes:
    stream = io.BytesIO()
    pl.DataFrame([purchase(number) for number in range(100)]).write_parquet(stream)
    return stream.getvalue()


MISTAKES = """
group_bye = "x"
encoding = "utf-99"

[[skip]]
when = { column = "a" }

[[event]]
type = "purchas"

[[event]]
type = "purchase"
id = { column = "a", value = "b" }
acount = "c"
at = { column = "d", round = 2 }
amount = { column = "e", divide = 30 }
channel = { column = "f", format = "%d" }
store = 5
tenders = "g"

[event.lines]
skuu = "h"
quantity = { column = "i", sum = true }

[[event]]
type = "topup"
when = { column = "a", starts_with = "x" }
id = "a"
account = "a"
at = "a"
amount = { template = "no column" }
lines = "no"
"""

CSV_HEAD = "type,id,account,at,amount,reason\n"

MINIMAL = """
[[event]]
type = "topup"
id = "n"
account = "who"
at = { column = "when", format = "%d/%m/%Y" }
amount = AMOUNT
"""


def minimal(amount: str = '"a"') -> str:
    return MINIMAL.replace("AMOUNT", amount)


def survives(engine: Engine, path: Path, **options: Any) -> None:
    try:
        summary = import_file(engine, path, **options)
    except StampbookError as error:
        told = str(error)
    else:
        told = ""
        assert summary.read >= summary.malformed
    assert "\n" not in told
