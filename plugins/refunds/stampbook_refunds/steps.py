"""Points that come in whole steps of money are taken back in whole steps: of what came back, or of what is kept.

Square takes 0, 0, 1 and 2 points back of the 2 that 21.90 at one for each whole 10.00 had brought, where 1, 5, 10 and
20 come back. Counting what is kept takes 0, 1, 1 and 2; in proportion it is 0, 0, 0 and 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import AmountError, PluginError, divide

if TYPE_CHECKING:
    from stampbook import Context, Granted, RefundRequest
    from stampbook_refunds.config import Steps


class WholeSteps:
    """The steps of one rule.

    Raises:
        PluginError: the money of a step is none of the program's currency.
    """

    def __init__(self, steps: Steps, program: Context) -> None:
        try:
            self._each = program.currency.units(steps.each)
        except AmountError as error:
            message = f"steps: each: {error}"
            raise PluginError(message) from None
        self._program = program
        self._units = steps.units
        self._kept = steps.counts == "kept"

    def so_far(self, grant: Granted, request: RefundRequest) -> int:
        """Return how much of a grant belongs to all that has come back so far, the return at hand included.

        Never less than earlier returns took, nor more than was granted; of what came back whole it is all.
        """
        if request.part == request.whole:
            return grant.amount
        net, total = request.order.net_of_tax, request.total
        back = divide(net * (request.before + request.value), total, "floor") if total else 0
        units = self._program.asset(grant.asset).units(self._units)
        taken = back // self._each * units
        due = grant.amount - (net - back) // self._each * units if self._kept else taken
        return min(grant.amount, max(grant.settled, due))
