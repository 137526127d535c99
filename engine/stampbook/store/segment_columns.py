"""Segments by column: who is where and what runs said, of all accounts at once, as frames in the order of their ids.

A table comes as a few long texts, each the values of a column for a range of ids: a row of Python for every account
would take several times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stampbook.account import MERGED_INTO
from stampbook.store.reading import sql_session
from stampbook.store.segment_runs import KEPT, LATEST, SAID_AS_OF
from stampbook.store.sqlite import SqliteSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from stampbook.store.segment_runs import KeptRun
    from stampbook.store.session import Session

IDS_AT_ONCE: Final = 100_000
"""How many ids a range has."""
_LAST: Final = (1 << 63) - 1
_MARK: Final = "\x1f"
"""What stands between two values. A column that has it in a value is read row by row instead."""
_WHOLE: Final = frozenset({"id", "since"})
"""The columns that are whole numbers; all others are texts."""


def accounts(session: Session) -> pl.DataFrame:
    """Return `id` and `account` (its ref) of all accounts."""
    return _all(session, {"id": "id", "account": "ref"}, "account WHERE id > 0", "id")


def closed(session: Session) -> pl.DataFrame:
    """Return the `id` of each account that is closed."""
    return _all(session, {"id": "id"}, "account WHERE id > 0 AND status = 'closed'", "id")


def facts(session: Session, name: str, at: int) -> pl.DataFrame:
    """Return `id` and `value` of a fact of accounts at an instant."""
    source = "fact WHERE name = ? AND since <= ? AND until > ?"
    return _all(session, {"id": "account_id", "value": "value"}, source, "account_id", [name, at, at])


def spells(session: Session, scheme: str, line: str, at: int) -> pl.DataFrame:
    """Return `id`, `since` and `segment`: since when which account was in which segment at an instant."""
    import polars as pl

    columns = {"id": "account_id", "since": "since", "segment": "segment"}
    source = "segment_spell WHERE scheme = ? AND line = ? AND since <= ?"
    # all spells of an account are in one range, and the last one counts
    last = [
        some.sort("id", "since").unique("id", keep="last", maintain_order=True)
        for some in _ranges(session, columns, source, "account_id", [scheme, line, at])
    ]
    return pl.concat([_none(columns), *last])


def members(session: Session, scheme: str, at: int) -> pl.DataFrame:
    """Return `id`, `account` and `segment` of who was where at an instant; those merged by then were nowhere."""
    where = spells(session, scheme, KEPT, at).select("id", "segment")
    return unmerged(session, accounts(session).join(where, on="id"), at)


def unmerged(session: Session, some: pl.DataFrame, at: int) -> pl.DataFrame:
    """Return those accounts of a frame, by `id`, that had not been merged into another by an instant."""
    source = "fact WHERE name = ? AND since <= ? AND until > ? AND value <> ''"
    merged = _all(session, {"id": "account_id"}, source, "account_id", [MERGED_INTO, at, at])
    return some.join(merged, on="id", how="anti") if len(merged) else some


def scores(session: Session, run: KeptRun) -> Iterator[pl.DataFrame]:
    """Yield `id` and `scores` (JSON) of what the latest run of a scheme said, if that is as of a run's instant."""
    source = f"segment_score c WHERE scheme = ? AND {SAID_AS_OF}"
    columns = {"id": "account_id", "scores": "scores"}
    yield from _ranges(session, columns, source, "account_id", [run.scheme, run.at, run.scheme, run.at])


def ranges(some: pl.DataFrame) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Yield a frame sorted by `id` in parts, each with the first and last id of its range; together these are all.

    A part has at most `IDS_AT_ONCE` rows.
    """
    low = 0
    for start in range(0, max(1, len(some)), IDS_AT_ONCE):
        part = some.slice(start, IDS_AT_ONCE)
        high = _LAST if start + IDS_AT_ONCE >= len(some) else int(part["id"][-1])
        yield low, high, part
        low = high + 1


def add_spells(session: Session, scheme: str, line: str, spells: pl.DataFrame) -> None:
    """Write spells: `id`, `since` and `segment`, in any order."""
    import polars as pl

    names = pl.lit(scheme).alias("scheme"), pl.lit(line).alias("line")
    for some in spells.sort("id", "since").iter_slices(IDS_AT_ONCE):
        sql_session(session).insert_frame("segment_spell", some.select("id", *names, "since", "segment"))


def add_all_spells(session: Session, run: KeptRun, line: str) -> None:
    """Write a spell of every account that the latest run judged, out of what was kept that it said."""
    sql_session(session).run(
        "INSERT INTO segment_spell (account_id, scheme, line, since, segment) "
        "SELECT account_id, scheme, ?, CAST(? AS bigint), segment FROM segment_score WHERE scheme = ? "
        "ORDER BY account_id",
        [line, run.at, run.scheme],
    )


def end_spells(session: Session, scheme: str, line: str, at: int) -> None:
    """Take out the spells of a line that began at an instant or later."""
    sql_session(session).run(
        "DELETE FROM segment_spell WHERE scheme = ? AND line = ? AND since >= ?", [scheme, line, at]
    )


def change_scores(session: Session, scheme: str, low: int, high: int, said: pl.DataFrame) -> bool:
    """Put what the latest run said of a range of ids in the place of what was kept, and leave rows that say the same.

    Args:
        session: a writing transaction.
        scheme: whose run it is.
        low: the first id of the range.
        high: the last one.
        said: `id`, `segment` and `scores` (JSON) of accounts in it, in the order of ids.

    Returns:
        whether most rows said the same.
    """
    import polars as pl

    sql = sql_session(session)
    # rows of earlier versions of Stampbook name their run
    named = "DELETE FROM segment_score WHERE scheme = ? AND run_id <> ? AND account_id BETWEEN ? AND ?"
    sql.run(named, [scheme, LATEST, low, high])
    columns = {"id": "account_id", "segment": "segment", "scores": "scores"}
    kept = _range(session, columns, "segment_score WHERE scheme = ?", "account_id", [scheme], low, high)
    was = said.join(kept, on="id", how="left", suffix="_was", maintain_order="left")
    is_same = (pl.col("segment") == pl.col("segment_was")) & (pl.col("scores") == pl.col("scores_was"))
    same = was.filter(is_same).select("id")
    if 2 * len(same) < max(len(said), len(kept)):
        replace_scores(session, scheme, low, high, said)
        return False
    gone = kept.join(same, on="id", how="anti")
    if len(gone):
        ids = sql.listed(gone["id"].to_list())
        sql.run(f"DELETE FROM segment_score WHERE scheme = ? AND {sql.among('account_id')}", [scheme, ids])  # noqa: S608 - no value is spliced in
    _add_scores(session, scheme, said.join(same, on="id", how="anti", maintain_order="left"))
    return True


def replace_scores(session: Session, scheme: str, low: int, high: int, said: pl.DataFrame) -> None:
    """Put what the latest run said of a range of ids in the place of what was kept, as `change_scores`, every row."""
    delete = "DELETE FROM segment_score WHERE scheme = ? AND account_id BETWEEN ? AND ?"
    sql_session(session).run(delete, [scheme, low, high])
    _add_scores(session, scheme, said)


def _add_scores(session: Session, scheme: str, said: pl.DataFrame) -> None:
    import polars as pl

    names = pl.lit(scheme).alias("scheme"), pl.lit(LATEST).alias("run_id")
    if len(said):
        sql_session(session).insert_frame("segment_score", said.select("id", *names, "segment", "scores"))


def _all(
    session: Session, columns: Mapping[str, str], source: str, place: str, parameters: Sequence[Any] = ()
) -> pl.DataFrame:
    import polars as pl

    return pl.concat([_none(columns), *_ranges(session, columns, source, place, parameters)])


def _ranges(
    session: Session, columns: Mapping[str, str], source: str, place: str, parameters: Sequence[Any] = ()
) -> Iterator[pl.DataFrame]:
    """Yield columns of a table, range after range.

    Args:
        session: a transaction.
        columns: SQL of each, by its name in the frame.
        source: SQL of the table, with a condition.
        place: its column of the account's id.
        parameters: of the condition.
    """
    last: int = sql_session(session).rows("SELECT coalesce(max(id), 0) FROM account")[0][0]
    for low in range(1, last + 1, IDS_AT_ONCE):
        if len(some := _range(session, columns, source, place, parameters, low, low + IDS_AT_ONCE - 1)):
            yield some


def _range(
    session: Session,
    columns: Mapping[str, str],
    source: str,
    place: str,
    parameters: Sequence[Any],
    low: int,
    high: int,
) -> pl.DataFrame:
    import polars as pl

    sql = sql_session(session)
    source = f"{source} AND {place} BETWEEN ? AND ?"
    bound = [*parameters, low, high]
    told = (f"CAST({column} AS text)" if name in _WHOLE else column for name, column in columns.items())
    joins = "group_concat" if isinstance(sql, SqliteSession) else "string_agg"
    texts = ", ".join(f"{joins}({each}, ?)" for each in told)
    marks = [_MARK] * len(columns)
    [(count, *joined)] = sql.rows(f"SELECT count(*), {texts} FROM {source}", [*marks, *bound])  # noqa: S608 - own text
    if not count:
        return _none(columns)
    values = [pl.Series(name, [text], pl.String) for name, text in zip(columns, joined, strict=True)]
    split = [series.str.split(_MARK).explode().cast(_kind(series.name)) for series in values]
    if all(len(series) == count for series in split):
        return pl.DataFrame(split)
    rows = sql.rows(f"SELECT {', '.join(columns.values())} FROM {source}", bound)  # noqa: S608 - own text
    return pl.DataFrame(rows, schema={name: _kind(name) for name in columns}, orient="row")


def _none(columns: Mapping[str, str]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(schema={name: _kind(name) for name in columns})


def _kind(name: str) -> type[pl.Int64 | pl.String]:
    import polars as pl

    return pl.Int64 if name in _WHOLE else pl.String
