"""Accounts together on the command line: any event posted by its kind, and what statements and accounts tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def family(empty: Path) -> Path:
    assert run("init", "--program", "family").exit_code == 0
    post("account.opened", "home")
    post("account.opened", "ann")
    post("household.joined", "ann", "to=home", "--at", "2025-01-02")
    post("purchase", "ann", 'lines=[{"sku": "TV", "amount": "500.00"}]', "--id", "tv", "--at", "2025-03-01T10:00")
    return empty


def post(kind: str, ref: str, *words: str) -> None:
    time = () if "--at" in words else ("--at", "2025-01-01")
    result = run("post", kind, ref, *words, *time)
    assert result.exit_code == 0, result.output


def test_a_gift_is_told_to_both(family: Path) -> None:
    del family
    post("account.opened", "bob")
    post("transfer", "ann", "to=bob", "asset=points", "amount=40", "reason=happy birthday", "--at", "2025-03-02")
    assert "transfer of 40 points to bob: happy birthday" in run("statement", "ann").stdout
    told = run("statement", "bob").stdout
    assert "transfer received (ann): happy birthday" in told
    assert "household earned (ann)" in run("statement", "home").stdout


def test_what_was_shared_is_explained(family: Path) -> None:
    del family
    told = run("explain", "tv").stdout
    assert "points.base: granted 300 points" in told
    assert "shared: 200 points to home" in told


def test_a_refusal_says_why_and_exits_with_2(family: Path) -> None:
    del family
    result = run("post", "transfer", "ann", "to=bob", "asset=points", "amount=40", "--at", "2025-03-02", code=2)
    assert "bob: there is no such other account" in result.output
    result = run("post", "household.spent", "home", "member=eve", "asset=points", "amount=1", code=2)
    assert "eve is no member of home" in result.output


def test_a_merger_is_told_and_what_the_plugin_remembers_is_not(family: Path) -> None:
    del family
    post("purchase", "old", "amount=20.00", "--at", "2025-03-01")
    post("household.left", "ann", "--at", "2025-03-02")
    post("account.merged", "old", "to=ann", "reason=lost card", "--at", "2025-03-03")
    for shown in (
        run("statement", "ann"),
        run("account", "show", "ann"),
        run("account", "list"),
        run("explain", "ann"),
    ):
        assert shown.exit_code == 0
        assert "_merged" not in shown.output
    assert "merged_into is now ann (lost card)" in run("statement", "old").stdout
    assert data("account", "show", "old")["status"] == "closed"
    run("verify")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("transfer", "ann", "to"), "'to' is no KEY=VALUE"),
        (("transfer", "ann", "account=bob"), "account has a place of its own"),
        (("purchase", "ann", "lines=[{"), "lines: what begins with"),
    ],
)
def test_what_cannot_be_read_is_bad_usage(family: Path, words: tuple[str, ...], message: str) -> None:
    del family
    assert message in run("post", *words, code=2).output


def test_an_unknown_kind_names_a_near_one(family: Path) -> None:
    del family
    told = one_line("post", "transfre", "x")
    assert "'transfre' is no kind of event of this program (did you mean 'transfer'?)" in told
