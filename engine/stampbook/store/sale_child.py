"""What a process does that reads a part of the table of sales in a SQLite file; see `stampbook.store.sale_columns`."""

from __future__ import annotations

import json
import sys
from typing import Any

from stampbook.store.sale_columns import divided, unpacked

_BATCH_ROWS = 100_000


def main() -> None:
    """Read rows as the last argument says, into files; say on standard output, a line each, what was written."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.loads(sys.argv[-1])
    try:
        _read(asked)
    except Exception as error:  # noqa: BLE001 - whoever asked tells it
        _say({"error": (str(error).strip() or type(error).__name__).partition("\n")[0][:200]})
        sys.exit(1)
    _say({"done": True})


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - it is how the two speak


def _read(asked: dict[str, Any]) -> None:
    import polars as pl
    from adbc_driver_sqlite import dbapi

    with dbapi.connect(asked["address"]) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_BATCH_ROWS)})

        def fetched(sql: str) -> pl.DataFrame:
            cursor.execute(sql)
            stream: Any = cursor.fetch_arrow()
            return pl.DataFrame(stream)

        if asked["accounts"]:
            _say({"accounts": _written(fetched(asked["accounts"]), f"{asked['file']}accounts")})
        for start in range(asked["low"], asked["high"] + 1, asked["step"]):
            rows = fetched(f"{asked['sales']}{start} AND {min(asked['high'], start + asked['step'] - 1)}")
            if not len(rows):  # of which SQLite does not say what kinds of columns they have
                continue
            told, untold, currencies = divided(unpacked(rows))
            answer: dict[str, Any] = {}
            if len(told):
                answer |= {"part": _written(told, f"{asked['file']}{start}"), "currencies": currencies}
            if len(untold):
                answer["untold"] = _written(untold, f"{asked['file']}{start}-untold")
            _say(answer)


def _written(rows: Any, name: str) -> str:
    path = f"{name}.arrow"
    rows.write_ipc(path, compression="uncompressed")
    return path
