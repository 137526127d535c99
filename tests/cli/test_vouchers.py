"""What an operator does with codes on the command line, and how redemption reads there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Engine
from stampbook.verifying import verify
from tests.cli.shop import run

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Codes"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "{opening}"
[assets.points]
[assets.vouchers]
[[plugin]]
use = "redemption"
[plugin.pay]
points = "100"
value = "1.00"
[[plugin.reward]]
name = "film"
price = "50"
voucher = "film"
[[plugin.reward]]
name = "fiver"
price = "50"
voucher = "fiver"
[[plugin.series]]
name = "film"
prefix = "FILM-"
pool = true
expires = "30 days"
[[plugin.series]]
name = "fiver"
prefix = "FIVE-"
[[plugin]]
use = "refunds"
"""


@pytest.fixture(params=["refuse", "on first event"])
def codes(empty: Path, request: pytest.FixtureRequest) -> Path:
    (empty / "codes.toml").write_text(PROGRAM.format(opening=request.param), encoding="utf-8")
    Engine.open("sqlite:///stampbook.db", create=True).close()
    run("apply", "codes.toml")
    with Engine.open("sqlite:///stampbook.db") as engine:
        engine.post({"type": "account.opened", "id": "o", "account": "ann", "at": "2025-01-01"})
        amount = {"asset": "points", "amount": "5000", "reason": "a start"}
        engine.post({"type": "adjust", "id": "a", "account": "ann", "at": "2025-01-01", **amount})
    return empty


def post(**event: Any) -> Any:
    with Engine.open("sqlite:///stampbook.db") as engine:
        outcome = engine.post({"account": "ann", "at": "2025-01-02T10:00", **event})
        assert outcome.accepted, outcome.objections
        return outcome


def test_a_pool_is_loaded_from_a_list_once(codes: Path) -> None:
    (codes / "list.txt").write_text("FILM-A1\n\n  FILM-A2\nFILM-A1\n", encoding="utf-8")
    assert run("vouchers", "load", "film", "list.txt").stdout == (
        "2 codes loaded into film, 0 were there already, 0 refused\n"
    )
    (codes / "list.txt").write_text("FILM-A2\nFILM-A3\n", encoding="utf-8")
    assert json.loads(run("vouchers", "load", "film", "list.txt", "--json").stdout) == {
        "loaded": 1,
        "already": 1,
        "refused": 0,
    }
    (codes / "list.txt").write_text("FILM-A3\nFILM-A4\n", encoding="utf-8")
    refused = run("vouchers", "load", "fiver", "list.txt", code=2).stderr
    assert "FILM-A3: it is there already, of series 'film'" in refused
    assert "FILM-A4: there is no series 'fiver' whose codes are loaded; there are film" in refused
    assert run("vouchers", "load", "film", "list.txt").stdout.startswith("1 codes loaded into film, 1 were there")


def test_a_code_is_looked_at_and_made_void(codes: Path) -> None:
    (codes / "list.txt").write_text("FILM-A1\nFILM-A2\n", encoding="utf-8")
    run("vouchers", "load", "film", "list.txt")
    shown = json.loads(run("vouchers", "show", "film-a1", "--json").stdout)
    until = shown.pop("good_until")
    assert until
    assert shown == {
        "code": "film-a1",
        "account": "voucher:F11MA1",
        "series": "film",
        "holder": None,
        "uses": "1",
        "uses_left": "1",
        "set_aside": "0",
        "void": None,
    }
    assert run("vouchers", "void", "FILM-A1", "--reason", "printed twice", "--by", "kim").stdout == (
        "FILM-A1 is void: printed twice\n"
    )
    told = run("vouchers", "show", "FILM-A1").stdout
    assert "uses left: 0\n" in told
    assert "void: printed twice\n" in told
    assert "nothing_left" in run("vouchers", "void", "FILM-A1", "--reason", "again", code=2).stderr
    for verb in (("show",), ("void", "--reason", "x")):
        assert "there is no code 'NOPE'" in run("vouchers", *verb, "NOPE", code=1).stderr
    with Engine.open("sqlite:///stampbook.db") as engine:
        assert verify(engine).findings == ()


def test_a_till_reads_the_code_in_the_answer_in_json(codes: Path) -> None:
    event = ("post", "reward.redeemed", "ann", "reward=fiver", "--id", "r", "--at", "2025-01-02T10:00", "--json")
    told = json.loads(run(*event).stdout)
    code = told["remembered"]["code"]
    assert code.startswith("FIVE-")
    assert json.loads(run("vouchers", "show", code, "--json").stdout)["holder"] in {None, "ann"}
    again = json.loads(run(*event).stdout)
    assert (again["replayed"], again["remembered"]) == (True, {"code": code})


def test_the_database_may_be_named_after_a_command_of_a_plugin(codes: Path) -> None:
    (codes / "list.txt").write_text("FILM-A1\n", encoding="utf-8")
    (codes / "stampbook.db").rename(codes / "other.db")
    assert "1 codes loaded into film" in run("vouchers", "load", "film", "list.txt", "--db", "other.db").stdout
    assert json.loads(run("vouchers", "show", "FILM-A1", "--json", "--db=other.db").stdout)["series"] == "film"
    assert run("--db", "nowhere.db", "vouchers", "show", "FILM-A1", "--db", "other.db").stdout.startswith(
        "code: FILM-A1"
    )
    assert "Put the codes of a list" in run("vouchers", "load", "--help", "--db", "other.db").stdout
    assert "there is no command 'vouchers'" in run("vouchers", "show", "FILM-A1", code=2).stderr


def test_what_a_customer_redeemed_reads_well(codes: Path) -> None:
    taken = post(id="r", type="reward.redeemed", reward="fiver")
    code = taken.memo["remembered"]["code"]
    tenders = [{"kind": "points", "amount": "5.00"}, {"kind": "card", "amount": "5.00"}]
    post(id="p", type="purchase", amount="10.00", tenders=tenders, at="2025-01-02T11:00")
    post(id="b", type="return", purchase="p", at="2025-01-02T12:00")
    told = run("statement", "ann").stdout
    assert f"reward redeemed: fiver; code {code}" in told
    assert "purchase of 10.00 GBP, 5.00 GBP of it for 500 points" in told
    why = run("explain", "b").stdout
    assert "5.00 GBP of it as the points that had paid" in why
    assert "lots are spent by priority" in run("explain", "p").stdout
    assert "price 50" in run("explain", "r").stdout
    of_code = run("statement", f"voucher:{code.replace('FIVE-', 'F1VE')}").stdout
    assert f"voucher issued: {code} (fiver)" in of_code


def test_a_program_without_series_has_no_such_commands(shop: Path) -> None:
    assert "there is no command 'vouchers'" in run("vouchers", "show", "X", code=2).stderr
