"""The operator's own terms: what is paid in and left comes back, less the fee that the program says."""

from __future__ import annotations

from stampbook_payouts.law import Pack, Rule

CONTRACT = Pack(
    "contract",
    "the operator's own terms",
    (
        Rule("contract/balance", "at_par", "", "the terms of the program", "what was paid in and is left comes back",
             "verified", needs=("contract refunds",)),
        Rule("contract/deduction", "deduction", "", "the terms of the program",
             "what the terms let the operator keep", "verified"),
    ),
)  # fmt: skip
