"""What an award exactly was: kept with its purchase where the program asks for it, and read when that comes back."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from stampbook.amounts import Rounding
from stampbook.errors import PluginError
from stampbook.refund_plans import Reckoned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.hookspecs import Award


def plain_of(award: Award, exact: tuple[int, int], units: int) -> dict[str, Any]:
    """Return what a purchase keeps of an award, as plain data: numbers of any length are text.

    Args:
        award: as its rule wanted it.
        exact: numerator and denominator of smallest units, after all that multiplied it.
        units: what was granted of it, on whichever accounts.

    Raises:
        PluginError: it counts parts that are no numbers.
    """
    kept: dict[str, Any] = {"exact": str(Fraction(*exact)), "units": units, "rounding": str(award.rounding)}
    try:
        parts = [[line, str(Fraction(count, of))] for line, count, of in award.parts]
    except (TypeError, ValueError, ZeroDivisionError):
        message = (
            f"rule {award.rule} counts parts {award.parts!r}; write line number, numerator and denominator of each"
        )
        raise PluginError(message) from None
    weights = [[line, str(weight)] for line, weight in award.lines]
    if parts:
        kept["parts"] = parts
    if weights and sum(weight for _, weight in award.lines) > 0 <= min(weight for _, weight in award.lines):
        kept["weights"] = weights
    if award.fixed:
        kept["fixed"] = True
    return kept


def reckoned_of(kept: Mapping[str, Any] | None) -> Reckoned | None:
    """Return what a purchase kept of an award; None where it kept nothing."""
    if kept is None:
        return None
    return Reckoned(
        Fraction(kept["exact"]),
        kept["units"],
        Rounding(kept["rounding"]),
        tuple([(line, Fraction(count)) for line, count in kept.get("parts", ())]),
        tuple([(line, int(weight)) for line, weight in kept.get("weights", ())]),
        bool(kept.get("fixed")),
    )
