"""Two sides of segmentation side by side: who is where on either, and how much revenue those who moved bring.

A side is a scheme that is tried, of any program, or a run that was kept. Revenue is what accounts bought less what they
gave back, up to the later of the two instants, whatever window a scheme looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from stampbook.amounts import Asset, currency
from stampbook.errors import InputError, PluginError, StampbookError, near
from stampbook.histories import History, read_frames
from stampbook.periods import moment_of
from stampbook.population import frames_wanted
from stampbook.segments import run_segments
from stampbook.store.segment_runs import KeptRun, members, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.registry import Registry


class Side(NamedTuple):
    """What one side says of all accounts.

    Attributes:
        scheme: the name of its plugin in the program.
        at: the instant as of which it judged.
        definition: of the scheme, see `stampbook.segments.definition`.
        frame: `account` and `segment`.
        run: the number of the kept run; 0 for one that was only tried.
        program: the program that tried it; empty for a kept run.
    """

    scheme: str
    at: int
    definition: str
    frame: pl.DataFrame
    run: int = 0
    program: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, account by account.

    Attributes:
        left: what stands in the rows of a matrix.
        right: what stands in its columns.
        currencies: those in which something was bought, that of the program first.
        frame: one row an account: `account`, `left` and `right`, null where a side does not know it, and its revenue in
            each currency, in smallest units, in a column of the currency's code. Those of most revenue come first.
    """

    left: Side
    right: Side
    currencies: tuple[Asset, ...]
    frame: pl.DataFrame

    @property
    def differ(self) -> pl.DataFrame:
        """The accounts that are not in segments of the same name."""
        import polars as pl

        return self.frame.filter(pl.col("left").ne_missing(pl.col("right")))

    @property
    def cells(self) -> pl.DataFrame:
        """The matrix as rows: left, right, accounts, and their revenue in each currency."""
        import polars as pl

        sums = [pl.col(money.code).sum() for money in self.currencies]
        counted = self.frame.group_by("left", "right").agg(pl.len().cast(pl.Int64).alias("accounts"), *sums)
        return counted.sort("left", "right", nulls_last=True)

    @property
    def share_names(self) -> bool:
        """Whether the two name a segment alike, so that an account can be said to have stayed where it is."""
        names = [set(self.frame[side].drop_nulls()) for side in ("left", "right")]
        return bool(names[0] & names[1]) or not (names[0] and names[1])


def tried(
    engine: Engine,
    at: int,
    left: tuple[Registry, str, str],
    right: tuple[Registry, str, str],
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Run a scheme of one program and a scheme of the same or another one as of one instant, and keep nothing.

    Args:
        engine: the ledger.
        at: the instant.
        left: a program, one of its schemes, and what the program is called.
        right: the same.
        on_progress: called with how many purchases and returns have been read.

    Raises:
        PluginError: a program has no such scheme, or a scheme breaks its contract.
        InputError: the programs count in two currencies.
        StampbookError: the analytics extra is not installed.
    """
    _need_extra()
    contexts = [registry.context for registry, *_ in (left, right)]
    codes = [context.currency.code for context in contexts]
    if codes[0] != codes[1]:
        message = f"one program counts in {codes[0]}, the other in {codes[1]}: their segments cannot be compared"
        raise InputError(message)
    wanted = [_wanted(registry, scheme) for registry, scheme, _ in (left, right)]
    alike = contexts[0].attributes == contexts[1].attributes or "accounts" not in wanted[0] | wanted[1]
    past = read_frames(
        engine, at, wanted[0] | wanted[1] if alike else wanted[0], context=contexts[0], on_progress=on_progress
    )
    pasts = [past, past if alike else read_frames(engine, at, wanted[1], context=contexts[1])]
    sides = []
    for (registry, scheme, name), seen in zip((left, right), pasts, strict=True):
        [run] = run_segments(registry.segmenters(), seen.frames, moment_of(at), [scheme])
        sides.append(Side(scheme, at, run.definition, run.frame.select("account", "segment"), program=name))
    return _beside(engine, sides[0], sides[1], past)


def kept(
    engine: Engine, left: KeptRun, right: KeptRun, *, on_progress: Callable[[int], None] | None = None
) -> Comparison:
    """Put two kept runs side by side, with what held after each: a policy's minimum stay counts.

    Raises:
        InputError: another run of the scheme as of the same instant followed one, so that what that said is not kept.
        StampbookError: the analytics extra is not installed.
    """
    _need_extra()
    sides = _of_run(engine, left), _of_run(engine, right)
    return _beside(engine, *sides, read_frames(engine, max(left.at, right.at), (), on_progress=on_progress))


def find_kept(engine: Engine, named: str, scheme: str, read: Callable[[str], int]) -> KeptRun:
    """Return a kept run by its number, or the last one of a scheme as of an instant or before.

    Args:
        engine: the ledger.
        named: the number, or an instant.
        scheme: whose run it must be; empty for any, and then only a number will do.
        read: reads an instant.

    Raises:
        InputError: there is no such run.
    """
    known = runs(engine.store)
    if named.isdecimal():
        found = next((run for run in known if run.id == int(named)), None)
        if found is None:
            raise InputError(f"no run {named} was kept; stampbook segments runs lists them")
        if scheme and found.scheme != scheme:
            raise InputError(f"run {named} is one of {found.scheme}, not of {scheme}; leave the scheme away")
        return found
    if not scheme:
        raise InputError(f"{named!r} is no number of a run: name the scheme to take its run as of a date")
    instant = read(named)
    found = next((run for run in known if run.scheme == scheme and run.at <= instant), None)
    if found is None:
        names = {run.scheme for run in known}
        hint = "" if scheme in names else near(scheme, sorted(names))
        raise InputError(f"no run of {scheme} as of {named} was kept{hint}; run: stampbook segments run --at {named}")
    return found


def _wanted(registry: Registry, scheme: str) -> frozenset[str]:
    schemes = dict(registry.segmenters())
    if scheme not in schemes:
        have = f"; {registry.context.name} has {', '.join(schemes) or 'none'}"
        raise PluginError(f"no segmentation scheme {scheme!r}{near(scheme, schemes)}{have}")
    return frames_wanted(schemes[scheme])


def _of_run(engine: Engine, run: KeptRun) -> Side:
    import polars as pl

    last = next(each for each in runs(engine.store, scheme=run.scheme) if each.at == run.at)
    if last.id != run.id:
        message = (
            f"run {run.id} was followed by run {last.id} as of the same instant, by other options: who was where is "
            f"kept of the later one only"
        )
        raise InputError(message)
    rows = [(member.account, member.segment) for member in members(engine.store, run.scheme, run.at)]
    frame = pl.DataFrame(rows, schema={"account": pl.String, "segment": pl.String}, orient="row")
    return Side(run.scheme, run.at, run.definition, frame, run.id)


def _beside(engine: Engine, left: Side, right: Side, past: History) -> Comparison:
    import polars as pl

    until = max(left.at, right.at)
    context = engine.registry(until).context
    revenues = {context.currency.code: _revenue(past, until)}
    for code in _others(engine, until, context.currency.code) if past.left_out else ():
        other = read_frames(engine, until, (), currency=code)
        if other.rows:
            revenues[code] = _revenue(other, until)
    frame = left.frame.select("account", left="segment").join(
        right.frame.select("account", right="segment"), on="account", how="full", coalesce=True
    )
    for code, revenue in revenues.items():
        frame = frame.join(revenue.rename({"revenue": code}), on="account", how="left")
    codes = list(revenues)
    frame = frame.with_columns(pl.col(codes).fill_null(0)).sort(
        [*codes, "account"], descending=[*([True] * len(codes)), False]
    )
    return Comparison(left, right, tuple(map(currency, codes)), frame)


def _others(engine: Engine, until: int, code: str) -> Collection[str]:
    """Return the codes of the other currencies in which the programs so far could sell."""
    contexts = [engine.registry(until).context, engine.registry().context]
    found = {asset.code for context in contexts for asset in context.assets.values() if asset.is_currency}
    return sorted(found - {code})


def _revenue(past: History, until: int) -> pl.DataFrame:
    import polars as pl

    signed = pl.when(pl.col("kind") == "purchase").then(pl.col("amount")).otherwise(-pl.col("amount"))
    history = past.frames.history
    assert isinstance(history, pl.LazyFrame)  # noqa: S101 - a ledger is read by Polars
    return (
        history.filter(pl.col("at") <= moment_of(until))
        .group_by("account")
        .agg(signed.sum().cast(pl.Int64).alias("revenue"))
        .collect()
    )


def _need_extra() -> None:
    if not (find_spec("narwhals") and find_spec("polars")):
        raise StampbookError("segments need the analytics extra: pip install 'stampbook[analytics]'")
