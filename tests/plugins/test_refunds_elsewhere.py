"""What real systems document of returns, with their own numbers: each by a policy of the refunds plugin."""

from __future__ import annotations

from typing import Any

import pytest

from stampbook.testing import Ledger

SHOP = """
[program]
name = "Elsewhere"
currency = "USD"
open_accounts = "on first event"
[assets.points]
debt = true
{asset}
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "{earn}"
[[plugin]]
use = "redemption"
[plugin.pay]
points = "100"
value = "1.00"
[[plugin.reward]]
name = "voucher"
prices = {{ points = "500" }}
[[plugin]]
use = "refunds"
{refunds}
"""


def shop(earn: str = "floor(order.net)", refunds: str = "", asset: str = "") -> Ledger:
    return Ledger(SHOP.format(earn=earn, refunds=refunds, asset=asset))


def given_back(outcome: Any) -> dict[str, int]:
    return {kind: amount for _, kind, _, amount in outcome.memo["tenders"]}


@pytest.mark.parametrize(("amount", "paid", "coupon"), [("10.00", 700, 300), ("9.00", 630, 270)])
def test_wechat_pay_gives_back_of_each_tender_its_share(amount: str, paid: int, coupon: int) -> None:
    ledger = shop()
    tenders = [{"kind": "wallet", "amount": "7.00"}, {"kind": "coupon", "amount": "3.00"}]
    ledger.post(type="purchase", id="p", amount="10.00", tenders=tenders)
    assert given_back(ledger.post(type="return", purchase="p", amount=amount)) == {"wallet": paid, "coupon": coupon}


@pytest.mark.parametrize(("refunded", "taken"), [("1", 0), ("5", 0), ("10", 0), ("20", 1)])
def test_two_points_for_21_90_go_back_in_proportion_rounded_down(refunded: str, taken: int) -> None:
    ledger = shop("floor(order.net / 10)")
    ledger.post(type="purchase", id="p", amount="23.90", tax="2.00")
    assert ledger.balance("points") == "2"
    ledger.post(type="return", purchase="p", amount=refunded)
    assert ledger.balance("points") == str(2 - taken)


@pytest.mark.parametrize(("policy", "owed"), [("debt", "50"), ("within_balance", "0")])
def test_yotpo_goes_below_zero_and_square_stops_there(policy: str, owed: str) -> None:
    ledger = shop(refunds=f'points_spent = "{policy}"')
    ledger.post(type="purchase", id="p", amount="50.00")
    ledger.post(type="spend", asset="points", amount="50")
    assert ledger.post(type="return", purchase="p").accepted
    assert (ledger.balance("points"), ledger.owed("points")) == ("0", owed)


def test_yotpo_earns_and_takes_back_whole_points() -> None:
    ledger = shop()
    ledger.post(type="purchase", id="p", amount="49.95")
    assert ledger.balance("points") == "49"
    ledger.post(type="return", purchase="p")
    assert ledger.balance("points") == "0"


def test_shoptiques_owes_what_is_not_there() -> None:
    ledger = shop("order.net", 'points_spent = "debt"', "decimals = 2")
    ledger.post(type="purchase", id="p", amount="100.00")
    ledger.post(type="spend", asset="points", amount="79.54")
    assert ledger.balance("points") == "20.46"
    ledger.post(type="return", purchase="p")
    assert (ledger.balance("points"), ledger.owed("points")) == ("0.00", "79.54")


def test_loyaltylion_takes_back_item_by_item_and_gives_the_voucher_back_at_the_end() -> None:
    ledger = shop()
    ledger.post(type="adjust", asset="points", amount="1000", reason="a start")
    ledger.post(type="reward.redeemed", id="v", reward="voucher")
    seen = [ledger.balance("points")]
    lines = [{"sku": "shirt", "amount": "10.00"}, {"sku": "socks", "amount": "5.00"}]
    ledger.post(type="purchase", id="p", lines=lines)
    seen.append(ledger.balance("points"))
    for sku in ("shirt", "socks"):
        ledger.post(type="return", purchase="p", lines=[{"sku": sku}])
        seen.append(ledger.balance("points"))
    ledger.post(type="reward.cancelled", about="v")
    assert [*seen, ledger.balance("points")] == ["500", "515", "505", "500", "1000"]


def test_ouidad_gives_90_in_money_and_the_points_back() -> None:
    ledger = shop("0")
    ledger.post(type="adjust", asset="points", amount="1000", reason="a start")
    tenders = [{"kind": "points", "amount": "10.00"}, {"kind": "card", "amount": "90.00"}]
    ledger.post(type="purchase", id="p", amount="100.00", tenders=tenders)
    assert ledger.balance("points") == "0"
    outcome = ledger.post(type="return", purchase="p")
    assert outcome.memo["outside"] == 90_00
    assert ledger.balance("points") == "1000"


def test_payu_gives_back_what_was_paid_after_the_discount() -> None:
    ledger = shop()
    ledger.post(type="purchase", id="p", amount="100.00", discount="10.00")
    assert ledger.post(type="return", purchase="p").memo["outside"] == 90_00
