"""The report as lines for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook_liability.report import Plain


def tell(report: Plain) -> Iterator[str]:
    """Yield the lines of a report."""
    known = "" if report["known_at"] is None else f", as known at {_minute(report['known_at'])}"
    yield f"Liability of {report['program']} as of {_minute(report['as_of'])}{known}"
    yield ""
    if not report["totals"]:
        yield "No account holds anything."
    for row in report["totals"]:
        yield f"{row['outstanding']} {row['asset']} {row['kind']} outstanding"
    yield from _table(
        report["cohorts"], "By month of grant", ("asset", "kind", "month", "age", "outstanding", "deferred")
    )
    yield from _table(report["ages"], "By age", ("asset", "kind", "age", "outstanding"))
    ending = [{**row, "month": row["month"] or "never"} for row in report["expiring"]]
    yield from _table(ending, "Last good in", ("asset", "kind", "month", "outstanding"))
    money = report["currency"]
    for row in report["points"]:
        yield ""
        yield f"{row['asset']}: {row['deferred']} {money} of revenue deferred"
        yield (
            f"  {row['allocated']} {money} allocated to {row['granted_with_sales']} {row['asset']} that sales granted, "
            f"{row['redeemed']} redeemed, {row['recognised']} {money} recognised"
        )
        yield f"  {row['redeemed_estimate']} expected to be redeemed, by the estimate since {row['estimate_since']}"
    for row in report["stored_value"]:
        yield from _stored_value(row)
    yield from _reserve(report["reserve"])


def _stored_value(row: Plain) -> Iterator[str]:
    asset = row["asset"]
    yield ""
    yield f"{', '.join(row['kinds'])} {asset}: a liability of {row['liability']} {asset}"
    yield (
        f"  {row['paid_in']} paid in, {row['used']} used, {row['expired']} expired, {row['outstanding']} outstanding; "
        f"{row['breakage_in_advance']} of it is breakage already, at {row['unused_estimate']} unused"
    )
    yield f"  law of {row['jurisdiction']}: {row['law']} (checked against: {row['checked']})"
    if network := row["limited_network"]:
        told = f"{network['euro']} EUR were spent in {network['days']} days; above {network['most']} EUR"
        tail = "and so it is now" if network["notify"] else "it is not so far"
        yield f"  limited network: {told} the authority is notified, {tail} ({network['law']})"
    for each in row["unclaimed"]:
        verb = "has been unclaimed since" if each["due"] else "will be unclaimed in"
        yield f"  {each['outstanding']} {asset} {verb} {each['month']}: {each['to_the_state']} to the state"


def _reserve(reserve: Plain | None) -> Iterator[str]:
    if reserve is None:
        return
    yield ""
    yield f"Reserve: {reserve['required']} {reserve['asset']} ({reserve['share']}, {reserve['law']})"
    columns = ("quarter_from", "opening", "paid_in", "used", "closing", "required")
    yield from _table(reserve["quarters"], "", columns)


def _table(rows: Sequence[Plain], title: str, columns: Sequence[str]) -> Iterator[str]:
    """Yield rows with their columns under one another, amounts to the right; columns without a value are left out."""
    if not rows:
        return
    shown = [name for name in columns if any(row[name] is not None for row in rows)]
    texts = [[name.replace("_", " ") for name in shown], *([_text(row[name]) for name in shown] for row in rows)]
    widths = [max(len(line[place]) for line in texts) for place in range(len(shown))]
    yield ""
    if title:
        yield title
    for line in texts:
        cells = [
            text.rjust(width) if name in _AMOUNTS else text.ljust(width)
            for name, text, width in zip(shown, line, widths, strict=True)
        ]
        yield f"  {'  '.join(cells)}".rstrip()


_AMOUNTS = frozenset({"outstanding", "deferred", "opening", "paid_in", "used", "closing", "required"})


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
