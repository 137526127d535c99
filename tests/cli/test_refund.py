"""Refunds of the stored balance on the command line: what an administrator reads out, and what a program reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Engine
from stampbook.verifying import verify
from tests.cli.shop import ROOT, run
from tests.plugins.payouts import RATES, program

if TYPE_CHECKING:
    from pathlib import Path


def event(what: str, name: str, at: str, **more: object) -> dict[str, object]:
    return {"type": what, "id": name, "source": "till", "account": "1001", "at": at, **more}


@pytest.fixture
def salon(empty: Path) -> Path:
    text = program("cn-2025", more='second_person_above = "300"\nvalid_for = "30 days"\n' + RATES)
    (empty / "salon.toml").write_text(text, encoding="utf-8")
    Engine.open("sqlite:///stampbook.db", create=True).close()
    run("apply", "salon.toml")
    with Engine.open("sqlite:///stampbook.db") as engine:
        engine.post(event("topup", "t", "2025-05-10T10:00", amount="1000", tender="card"))
        engine.post(event("adjust", "b", "2025-05-10T10:00", amount="200", kind="bonus", reason="充1000送200"))
        engine.post(event("spend", "s", "2025-05-11T10:00", amount="600"))
        engine.post({**event("topup", "o", "2025-05-11T10:00", amount="5"), "account": "1002"})
    return empty


ASKED = ("--cause", "operator", "--rescinded", "2025-08-02", "--at", "2025-09-01T12:00")


def told(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").output)


def test_a_quote_reads_like_what_is_said_on_the_phone_and_records_nothing(salon: Path) -> None:
    result = run("refund", "quote", "1001", *ASKED)
    assert result.output == (
        "Account 1001 gets 501.27 CNY back.\n"
        "       1000.00  paid: paid in at once: 1000.00\n"
        "        200.00  granted: granted on top: 200.00\n"
        "       -500.00  delivered: at the discounted price: 600.00, times 1000.00 / 1200.00"
        " [法释〔2025〕4号 Art. 18]\n"
        "        500.00  principal: what was paid less what was delivered comes back: 500.00"
        " [法释〔2025〕4号 Art. 15]\n"
        "          1.27  interest: 30 days at 3.10 % a year (lpr_1y of 2025-05-10), of 365"
        " [法释〔2025〕4号 Art. 16 and 17]\n"
        "        501.27  result: to be paid out: 501.27 CNY [法释〔2025〕4号 Art. 18]\n"
        "500.00 goes back to the card by which t was paid on 2025-05-10; 1.27 of interest,"
        " the same way as most of it.\n"
        "The quote holds until 2025-10-02T00:00:00+08:00, if the balance stays as it is.\n"
        "It is to be paid within 15 days.\n"
    )
    assert told("refund", "list") == []


def test_a_request_goes_its_way_to_the_payment(salon: Path) -> None:
    asked = run("refund", "request", "1001", *ASKED, "--id", "R1", "--by", "li")
    assert "The request has the id R1; next: stampbook refund approve R1" in asked.output
    at = ("--at", "2025-09-02")
    alone = run("refund", "approve", "R1", "--by", "li", *at, code=2)
    assert not alone.stdout
    assert "Refused: second_person: 501.27 CNY is above 300.00; somebody else than 'li' approves it" in alone.stderr
    assert run("refund", "approve", "R1", "--by", "wang", *at).output == "Request R1 of account 1001 is approved.\n"
    listed = run("refund", "list", "1001", "--as-of", "2025-09-02")
    assert listed.output == "R1: account 1001, 501.27 CNY, approved, holds until 2025-10-02T00:00:00+08:00\n"
    paid = run("refund", "paid", "R1", "--id", "P1", "--means", "bank", "--reference", "20250902-7", *at)
    assert paid.output == "501.27 CNY of request R1 were paid out to account 1001.\n"
    again = told("refund", "paid", "R1", "--id", "P1", "--means", "bank", "--reference", "20250902-7", *at)
    assert (again["status"], again["replayed"]) == ("accepted", True)
    twice = run("refund", "paid", "R1", *at, code=2)
    assert "Refused: refund_paid: 'R1' was paid before" in twice.stderr
    with Engine.open("sqlite:///stampbook.db") as engine:
        assert verify(engine).ok
    statement = run("statement", "1001").output
    assert "refund requested: the shop's doing by li; refund 501.27 CNY; valid until 2025-10-02" in " ".join(
        statement.split()
    )
    assert "_lines" not in statement


def test_a_refund_that_is_paid_as_it_was_paid_in_says_so(salon: Path) -> None:
    run("refund", "request", "1001", *ASKED, "--id", "R1", "--by", "li")
    run("refund", "approve", "R1", "--by", "wang", "--at", "2025-09-02")
    paid = run("refund", "paid", "R1", "--at", "2025-09-02")
    assert paid.output.splitlines() == [
        "501.27 CNY of request R1 were paid out to account 1001.",
        "500.00 goes back to the card by which t was paid on 2025-05-10; 1.27 of interest, the same way as most of it.",
    ]
    [row] = told("refund", "list")
    assert (row["state"], row["means"]) == ("paid", "501.27 card")


def test_a_second_try_under_its_id_says_the_same_without_a_time(salon: Path) -> None:
    """A till whose line broke sends the command again, and the clock has gone on."""
    first = told("refund", "request", "1001", "--id", "R1", "--by", "li")
    again = told("refund", "request", "1001", "--id", "R1", "--by", "li")
    assert (again["replayed"], again["quote"]) == (True, first["quote"])
    for name, step in (("approve", "A1"), ("paid", "P1")):
        assert not told("refund", name, "R1", "--id", step, "--by", "wang")["replayed"]
        assert told("refund", name, "R1", "--id", step, "--by", "wang")["replayed"]
    other = run("refund", "paid", "R1", "--id", "P1", "--by", "kim", code=1)
    assert "was recorded before with another operator" in other.stderr


def test_a_request_is_rejected_for_a_reason(salon: Path) -> None:
    quote = run("refund", "quote", "1001", *ASKED).output.splitlines()
    run("refund", "request", "1001", *ASKED, "--id", "R1")
    told_ = run("refund", "reject", "R1", "--reason", "wrong account", "--at", "2025-09-02")
    assert told_.output == "Request R1 of account 1001 is rejected.\n"
    shown = run("refund", "show", "R1").output.splitlines()
    assert shown[0] == "Request R1 of account 1001 is rejected: 501.27 CNY."
    assert shown[1:] == quote[1:]
    assert told("refund", "show", "R1")["lines"][-1]["amount"] == "501.27"
    assert [(part["topup"], part["amount"], part["to"]) for part in told("refund", "show", "R1")["shares"]] == [
        ("t", "500.00", "card"),
        ("", "1.27", "card"),
    ]
    [row] = told("refund", "list", "--state", "rejected")
    assert (row["request"], row["account"], row["result"], row["cause"]) == ("R1", "1001", "501.27", "operator")
    assert told("refund", "list", "--state", "requested") == []


def test_json_tells_the_quote_line_by_line(salon: Path) -> None:
    data = told("refund", "quote", "1001", *ASKED)
    assert (data["status"], data["account"], data["request"], data["objections"]) == ("accepted", "1001", None, [])
    quote = data["quote"]
    assert (quote["result"], quote["currency"], quote["rule"], quote["pay_within"]) == (
        "501.27", "CNY", "cn-2025/18", "15 days",
    )  # fmt: skip
    assert quote["lines"][2] == {
        "name": "delivered",
        "amount": "-500.00",
        "text": "at the discounted price: 600.00, times 1000.00 / 1200.00",
        "cite": "法释〔2025〕4号 Art. 18",
        "status": "verified",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("quote", "1009"), 2, "Refused: unknown_account: no account 1009; open it first"),
        (("approve", "R9"), 1, "no refund 'R9' was requested; see: stampbook refund list"),
        (("quote", "1001", "--at", "soon"), 1, "'soon' is not a date or time"),
        (("quote", "1001", "--cause", "shop"), 2, "'shop' is not one of 'consumer', 'operator', 'neither'"),
        (("quote", "1001", "--pass", "t", "--at", "2025-09-01"), 2, "Refused: unknown_pass: no pass 't' was sold"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(salon: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    assert message in run("refund", *arguments, code=code).stderr


def test_requests_of_two_sources_under_one_id_are_told_apart(salon: Path) -> None:
    with Engine.open("sqlite:///stampbook.db") as engine:
        for source in ("app", "desk"):
            engine.post({**event("refund.requested", "R", "2025-09-01", cause="operator"), "source": source})
    approving = ("refund", "approve", "R", "--at", "2025-09-02", "--by", "wang")
    unclear = run(*approving, code=1)
    assert "say which with --source: app, desk" in unclear.stderr
    run(*approving, "--source", "desk")
    listed = told("refund", "list", "--as-of", "2025-09-02")
    assert [(row["source"], row["state"]) for row in listed] == [("app", "requested"), ("desk", "approved")]
    assert [row["state"] for row in told("refund", "list", "--as-of", "2025-10-02")] == ["lapsed", "lapsed"]
    assert run("refund", "list", "--state", "approved").output == "There is none.\n"


def test_what_is_unsure_is_warned_of_by_check(salon: Path) -> None:
    result = run("check", "salon.toml")
    assert "salon.toml:15: plugin[2].packs: warning: cn-2025: 法释〔2025〕4号 Art. 16 and 17" in result.stderr
    assert told("check", "salon.toml")[0]["warnings"][0]["key"] == "plugin[2].packs"


def test_a_program_that_breaks_its_pack_is_not_put_in_force(salon: Path) -> None:
    text = (salon / "salon.toml").read_text(encoding="utf-8")
    (salon / "bad.toml").write_text(text.replace("packs =", 'refunds = "none"\npacks ='), encoding="utf-8")
    result = run("apply", "bad.toml", code=1)
    told_ = "bad.toml:15: plugin[2].refunds: 'none' breaks cn-2025: a term that excludes the refund is void"
    assert told_ in result.stderr


PAGES = ("refunds.md", "zh/refunds.md")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_that_check_says_it_says(empty: Path, page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```\n<!-- begin check -->\n\n```text\n(.*?)```", text, re.DOTALL)
    assert shown
    for program_text, said in shown:
        (empty / "prepaid.toml").write_text(program_text, encoding="utf-8")
        assert run("check", "prepaid.toml", code=1).stderr == said


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_of_a_quote_is_what_it_says(salon: Path, page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    [(command, said)] = re.findall(r"```console\n\$ stampbook (.*?)\n(.*?)```", text, re.DOTALL)
    week = (salon / "salon.toml").read_text(encoding="utf-8").replace('valid_for = "30 days"\n', "")
    (salon / "salon.toml").write_text(week, encoding="utf-8")
    run("apply", "salon.toml", "--from", "2025-01-01")
    assert run(*command.split()).output == said
