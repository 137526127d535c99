"""China: the Supreme People's Court on prepaid consumption, 法释〔2025〕4号, in force since 2025-05-01.

Source: the full text of 27 articles, 最高人民法院关于审理预付式消费民事纠纷案件适用法律若干问题的解释. What it does
not say (a bonus on top of a discount, several top-ups of different ratios, the days of a year, the interest where
nobody is the cause) is marked as a reading of ours, and the one that is better for the customer is taken (Art. 8).
"""

from __future__ import annotations

from stampbook_payouts.law import Clause, Pack, Rule, Withdrawal

_LAW = "法释〔2025〕4号"
_SINCE = "2025-05-01"


def _art(number: str) -> str:
    return f"{_LAW} Art. {number}"


# A dispute that is judged after that date is judged by it, whatever the date of the contract: Beijing Chaoyang,
# 2025-05-06, of a contract of 2022.
CN_2025 = Pack(
    "cn-2025",
    "China, prepaid consumption (法释〔2025〕4号)",
    (
        Rule("cn-2025/14", "withdrawal", Withdrawal(7, first_time=True), _art("14"),
             "within 7 days of paying, the principal comes back, unless the customer had had the same before",
             "verified", since=_SINCE),
        Rule("cn-2025/15", "principal", "", _art("15"), "what was paid less what was delivered comes back", "verified",
             since=_SINCE),
        Rule("cn-2025/18", "valuation", "discounted", _art("18"),
             "not the customer's cause: what was delivered counts at the discounted price, times paid / (paid + bonus)",
             "verified", since=_SINCE, causes=("operator", "neither")),
        Rule("cn-2025/19", "valuation", "list", _art("19"),
             "the customer's cause: what was delivered counts at the price before discounts and bonus",
             "verified", since=_SINCE, causes=("consumer",)),
        Rule("cn-2025/20", "floor", 0, _art("20"),
             "what was delivered may come to more than was paid: nothing comes back, and nothing is claimed",
             "verified", since=_SINCE),
        Rule("cn-2025/21", "deduction", "", _art("15 and 21"),
             "gifts in kind that are kept, and reasonable costs, are weighed in good faith; somebody decides how much",
             "verified", since=_SINCE),
        Rule("cn-2025/16-operator", "interest", "lpr_1y", _art("16 and 17"),
             "the operator's cause: the one-year LPR of the day of the contract, from the rescission on",
             "verified", since=_SINCE, causes=("operator",)),
        Rule("cn-2025/16-consumer", "interest", "deposit_1y", _art("16 and 17"),
             "the customer's cause: the one-year deposit rate of the day of the contract, from the rescission on",
             "verified", since=_SINCE, causes=("consumer",)),
        Rule("cn-2025/16-neither", "interest", "deposit_1y", _art("16 and 17"),
             "nobody's cause: no rate is written; the one-year deposit rate is taken",
             "reading", since=_SINCE, causes=("neither",)),
        Rule("cn-2025/22", "period", "remaining", _art("22"),
             "unlimited use: the price times what remains of the term, from the rescission or the end of service on",
             "verified", since=_SINCE),
        Rule("cn-2025/18-sessions", "session", "contract", _art("15 and 18"),
             "sessions that are left come back at the price of the contract",
             "verified", since=_SINCE, causes=("operator", "neither")),
        Rule("cn-2025/19-sessions", "session", "list", _art("15 and 19"),
             "the customer's cause: sessions that were had count at their price before the discount",
             "verified", since=_SINCE, causes=("consumer",)),
        Rule("cn/15-days", "pay_within", 15, "侵害消费者权益行为处罚办法 (2015) Art. 10",
             "what is not paid within 15 days of the request is deliberate delay", "verified"),
    ),
    (
        Clause("refunds", _art("9(1)"), "a term that excludes the refund is void", "verified",
               never="none", looks_at="refund", since=_SINCE),
        Clause("validity", _art("24"), "a card with a balance is activated or exchanged when its time is over",
               "verified", least=1200, cards=("registered",), looks_at="refund", since=_SINCE),
        Clause("lapse", _art("24"), "a card with a balance is activated or exchanged when its time is over", "verified",
               least=1200, looks_at="refund", since=_SINCE),
        Clause("transfer", _art("9(2)"), "a term that unreasonably limits the transfer is void", "verified",
               never="no", looks_at="refund", since=_SINCE),
        Clause("reissue", _art("9(3)"), "a lost registered card is issued again", "verified", never="no",
               cards=("registered",), looks_at="refund", since=_SINCE),
        Clause("prices", _art("9(4)"), "the operator may not change price or quality alone", "verified",
               never="operator alone", looks_at="refund", since=_SINCE),
        Clause("fee", _art("15"), "what was paid less what was delivered comes back, and a fee is no reasonable cost",
               "reading", most="0%", looks_at="refund", since=_SINCE),
    ),
)  # fmt: skip
