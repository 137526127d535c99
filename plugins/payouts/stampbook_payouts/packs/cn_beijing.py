"""Beijing: 北京市单用途预付卡管理条例, in force since 2022-06-01; the text was read."""

from __future__ import annotations

from stampbook_payouts.law import Clause, Pack, Rule, Withdrawal

_LAW = "北京市单用途预付卡管理条例"
_SINCE = "2022-06-01"

CN_BEIJING = Pack(
    "cn-beijing",
    "Beijing, single-purpose cards (2022)",
    (
        Rule("cn-beijing/16", "withdrawal", Withdrawal(7, unused=True), f"{_LAW} Art. 16",
             "within 7 days, and nothing used: all of it comes back, whatever the customer had before", "verified",
             "topup", _SINCE),
        Rule("cn-beijing/16-days", "pay_within", 5, f"{_LAW} Art. 16", "it is paid within 5 days", "verified",
             "topup", _SINCE, needs=("withdrawal cn-beijing/16",)),
        Rule("cn-beijing/16-gifts", "deduction", "", f"{_LAW} Art. 16",
             "gifts are given back, or a reasonable price is paid for them", "verified", "topup", _SINCE),
        Rule("cn-beijing/17", "pay_within", 15, f"{_LAW} Art. 17", "it is paid at once, within 15 days", "verified",
             "refund", _SINCE),
        Rule("cn-beijing/17-bonus", "valuation", "discounted", f"{_LAW} Art. 17",
             "the operator's cause: the bonus plan is kept", "verified", "refund", _SINCE, causes=("operator",)),
    ),
    (
        Clause("refunds", f"{_LAW} Art. 17", "even a balance below the cheapest item is refunded", "verified",
               never="none", looks_at="refund", since=_SINCE),
    ),
)  # fmt: skip
