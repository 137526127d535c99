"""How much of a grant comes back and why, as the trace keeps it and `explain` tells it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from stampbook import divide

if TYPE_CHECKING:
    from fractions import Fraction

    from stampbook import Asset, Granted
    from stampbook_refunds.reckoning import Reckoning

_OLDER = " (the program of the purchase had not kept what other policies need)"


def reckoned_note(
    grant: Granted, reckoning: Reckoning, policy: str, asset: Asset, due: int, *, elsewhere: bool
) -> dict[str, Any]:
    """Return why so much of a grant comes back: its rule, the policy, what that went by, and a sentence.

    Args:
        grant: what one rule granted.
        reckoning: how much of it belongs to all that has come back.
        policy: `take_back` of the program.
        asset: of the grant.
        due: what is taken back now.
        elsewhere: whether it is the part of another account, such as a pool.
    """
    if reckoning.how == "older":
        policy = "proportional"
    note: dict[str, Any] = {
        "rule": grant.rule,
        "policy": policy,
        "granted": asset.text(grant.amount),
        "share": str(reckoning.share),
        "settled_before": asset.text(grant.settled),
        "comes_to": asset.text(reckoning.units),
        "due": asset.text(due),
        "because": f"{policy}: " + _sentence(grant, reckoning, asset, due),
    }
    if elsewhere:
        note["elsewhere"] = True
    if reckoning.steps is not None and reckoning.each is not None:
        note |= {"steps": reckoning.steps, "of_steps": reckoning.of_steps, "each": _units(reckoning.each, asset)}
    return note


def _sentence(grant: Granted, reckoning: Reckoning, asset: Asset, due: int) -> str:
    came = f"{_percent(reckoning.share)} of what earned it has come back"
    whole = asset.told(grant.amount)
    match reckoning.how:
        case "nothing":
            told = "nothing of what earned it has come back"
        case _ if reckoning.share >= 1:
            told = f"all of what earned it has come back: all {whole}"
        case "fixed":
            told = f"it was the same however much was bought, and {came}: it stays until all of it has"
        case "proportional" | "older":
            told = f"{came}: {asset.text(reckoning.units)} of {whole}, rounded down"
            told += _OLDER if reckoning.how == "older" else ""
        case "increments" if reckoning.each is not None:
            told = f"{reckoning.steps} of {_steps(reckoning.of_steps)} came back, worth {_units(reckoning.each, asset)}"
            told += f" each: {asset.text(reckoning.units)} of {whole}"
        case "increments":
            told = f"{came}: {asset.text(reckoning.units)} of {whole}, whole ones only"
        case _:
            steps = "" if reckoning.each is None else f", by {_steps(reckoning.steps)} of {reckoning.of_steps}"
            left = asset.text(grant.amount - reckoning.units)
            told = f"the {_percent(1 - reckoning.share)} that stay would have earned {left}{steps}: "
            told += f"{asset.text(reckoning.units)} of {whole}"
    before = f", of which {asset.text(grant.settled)} before" if grant.settled else ""
    return f"{told}{before}; now {asset.text(due)}"


def _steps(count: int | None) -> str:
    return f"{count} whole step{'' if count == 1 else 's'}"


def _units(value: Fraction, asset: Asset) -> str:
    """Write an exact amount in whole units: as decimal text where that ends, else as a ratio."""
    whole = value / 10**asset.decimals
    for places in range(7):
        if (whole * 10**places).denominator == 1:
            return f"{Decimal(int(whole * 10**places)).scaleb(-places):f}"
    return str(whole)


def _percent(share: Fraction) -> str:
    """Write a share in percent, to the hundredth below, without zeros at its end."""
    hundredths = divide(share.numerator * 10_000, share.denominator, "floor")
    return f"{(Decimal(hundredths) / 100).normalize():f} %"
