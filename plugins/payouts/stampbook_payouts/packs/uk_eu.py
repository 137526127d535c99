"""United Kingdom and European Union: 14 days to withdraw, electronic money at par, and Irish gift vouchers.

There is no rule for the whole Union on the expiry of vouchers. Article numbers of the Consumer Rights Directive and the
British regulations are unverified; that there are 14 days for distance contracts was seen.
"""

from __future__ import annotations

from stampbook_payouts.law import CashOut, Clause, Pack, Rule, Withdrawal

_IRISH = "Consumer Protection (Gift Vouchers) Act 2019"

UK_EU = Pack(
    "uk-eu",
    "United Kingdom and European Union",
    (
        Rule("uk-eu/withdrawal", "withdrawal", Withdrawal(14),
             "Directive 2011/83/EU Art. 9, 13; SI 2013/3134 reg. 30, 34",
             "within 14 days of a distance contract what was paid comes back, less what was used of it", "unverified",
             "topup", "2014-06-13", needs=("distance",)),
        Rule("uk-eu/pay-within", "pay_within", 14, "Directive 2011/83/EU Art. 13(1); SI 2013/3134 reg. 34",
             "it is paid within 14 days, by the same means", "unverified", "topup", "2014-06-13", needs=("distance",)),
        Rule("uk-eu/at-par", "at_par", "", "Directive 2009/110/EC Art. 11",
             "electronic money is redeemed at any moment, at par", "seen", "refund", "2011-04-30", needs=("e_money",)),
        Rule("ie/rest", "cash_out", CashOut("EUR", more_than="1.00"), f"{_IRISH} (Ireland)",
             "where a voucher is good for one purchase, a rest above 1.00 is given in cash, or as another voucher",
             "seen", "topup", "2019-12-02", places=("IE",), needs=("single use",)),
    ),
    (
        Clause("validity", f"{_IRISH} (Ireland)", "vouchers are good for 5 years or longer", "seen", least=60,
               places=("IE",), since="2019-12-02"),
        Clause("refunds", "Directive 2009/110/EC Art. 11", "electronic money is redeemed at par", "seen", never="none",
               cards=("e_money",), looks_at="refund", since="2011-04-30"),
    ),
    "whoever issues for a limited network (Directive (EU) 2015/2366 Art. 3(k), 37(2); PSRs 2017 reg. 38) notifies the "
    "authority when more than 1000000 EUR were paid with it in 12 months: watch it by limited_network of the plugin "
    "'liability'",
)  # fmt: skip

PLACES = ("IE", "UK", "EU")
