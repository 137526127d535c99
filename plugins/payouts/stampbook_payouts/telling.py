"""What a quote is, in sentences that can be read out on the phone, and as plain data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stampbook_payouts.means import as_data, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STATES = ("requested", "approved", "rejected", "paid", "lapsed")

_UNSURE = {"unverified": "could not be verified", "reading": "our reading of what the law leaves open"}


def quoted(remembered: Mapping[str, str]) -> dict[str, Any]:
    """Return what is remembered of a quote as plain data; money stays decimal text."""
    data: dict[str, Any] = {name.removeprefix("_"): text for name, text in remembered.items() if name != "refund"}
    if "lines" in data:
        keys = ("name", "amount", "text", "cite", "status")
        data["lines"] = [dict(zip(keys, line, strict=True)) for line in json.loads(data["lines"])]
    if "shares" in data:
        data["shares"] = as_data(data["shares"])
    data.pop("balance", None)
    data.pop("lots", None)
    return data


def is_as_paid(shares: Sequence[Mapping[str, str]]) -> bool:
    """Whether any of a refund goes back by the means by which it was paid, as far as that is known."""
    return any(each["tender"] and each["to"] == each["tender"] for each in shares) or any(
        each["because"] for each in shares
    )


def quote_lines(kind: str, account: str, request: str | None, remembered: Mapping[str, str]) -> Iterator[str]:
    """Yield what became of an event about a refund, sentence by sentence."""
    money = remembered.get("refund", "")
    if kind == "refund.paid":
        yield f"{money} of request {request} were paid out to account {account}."
        if is_as_paid(shares := quoted(remembered).get("shares", ())):
            yield sentence(shares)
        return
    if kind != "refund.requested":
        yield f"Request {request} of account {account} is {kind.removeprefix('refund.')}."
        return
    yield f"Account {account} gets {money} back."
    yield from _lines(quoted(remembered))
    if request is not None:
        yield f"Nothing has moved yet. The request has the id {request}; next: stampbook refund approve {request}"


def request_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a request was quoted, and how far it is.

    Args:
        row: the request, as it is listed.
    """
    yield f"Request {row['request']} of account {row['account']} is {row['state']}: {row['result']} {row['currency']}."
    yield from _lines(row)


def _lines(quote: Mapping[str, Any]) -> Iterator[str]:
    for line in quote["lines"]:
        because = f" [{line['cite']}]" if line["cite"] else ""
        unsure = f" ({_UNSURE[line['status']]})" if line["status"] in _UNSURE else ""
        yield f"  {line['amount']:>12}  {line['name'].replace('_', ' ')}: {line['text']}{because}{unsure}"
    if beaten := quote.get("beaten"):
        yield f"Rule {quote['rule']} gives the customer most; the others would have given: {beaten}."
    if back := sentence(quote.get("shares", ())):
        yield back
    yield f"The quote holds until {quote['valid_until']}, if the balance stays as it is."
    if within := quote.get("pay_within"):
        yield f"It is to be paid within {within}."
