from __future__ import annotations

import json
from importlib.metadata import EntryPoint, entry_points
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click
import pytest

from stampbook import Plugin, PluginConfig, discovery, hookimpl, loading, registry
from tests.cli.shop import PROGRAM, data, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Greeter(Plugin[PluginConfig]):
    """Greets."""

    @hookimpl
    def register_commands(self, cli: click.Group) -> None:
        @cli.command("greet")
        @click.pass_context
        def greet(context: click.Context) -> None:
            """Say hello."""
            click.echo(f"hello from {self.program.name}, kept in {context.find_root().obj}")

        @cli.command("verify")
        def verify() -> None:
            click.echo("nothing is ever wrong")


@pytest.fixture
def greeting(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    entry = EntryPoint("greeter", f"{__name__}:Greeter", discovery.GROUP)
    found = discovery.Found("greeter", "greetings", entry)
    monkeypatch.setattr(discovery.Found, "load", lambda self: Greeter if self is found else self.entry.load())
    known = {**discovery.installed(), "greeter": found}
    monkeypatch.setattr(loading, "installed", lambda: known)
    (shop / "new.toml").write_text(f'{PROGRAM}\n[[plugin]]\nuse = "greeter"\n', encoding="utf-8")
    return shop


def test_a_plugin_brings_a_command_with_its_program(greeting: Path) -> None:
    assert "there is no command 'greet'" in run("greet", code=2).stderr
    run("apply", "new.toml")
    (greeting / "stampbook.db").rename(greeting / "other.db")
    assert run("--db", "other.db", "greet").stdout == "hello from Corner Coffee Card, kept in other.db\n"
    assert "Say hello." in run("--db", "other.db", "greet", "--help").stdout
    assert "did you mean 'greet'" in run("--db", "other.db", "gret", code=2).stderr


def test_a_plugin_cannot_take_the_place_of_a_command(greeting: Path) -> None:
    run("apply", "new.toml")
    assert "all is sound" in run("verify").stdout


def test_plugins_are_not_asked_for_commands_that_are_known(greeting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("apply", "new.toml")
    monkeypatch.setattr(registry.Registry, "register_commands", lambda *_: pytest.fail("it was asked"))
    run("account", "list")
    run("--help")


def entry(name: str, value: str, distribution: str) -> EntryPoint:
    made = EntryPoint(name, value, discovery.GROUP)
    vars(made)["dist"] = SimpleNamespace(name=distribution)
    return made


@pytest.fixture
def broken(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A shop where somebody has installed plugins that cannot be used."""
    (shop / "exploding.py").write_text("raise RuntimeError('no reader\\nfound')\n", encoding="utf-8")
    (shop / "leaving.py").write_text("raise SystemExit('not on this machine')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(shop)
    found = [
        *entry_points(group=discovery.GROUP),
        entry("exploding", "exploding:Plugin", "bits"),
        entry("leaving", "leaving:Plugin", "bits"),
        entry("missing", "not_there_at_all:Plugin", "bobs"),
        entry("twice", "one:Plugin", "bits"),
        entry("twice", "two:Plugin", "bobs"),
    ]
    monkeypatch.setattr(discovery, "entry_points", lambda **_: found)
    discovery.installed.cache_clear()
    yield shop
    discovery.installed.cache_clear()


REASONS = {
    "exploding": "plugin 'exploding' of bits cannot be loaded: RuntimeError: no reader found; mend it or remove it",
    "leaving": "plugin 'leaving' of bits cannot be loaded: SystemExit: not on this machine; mend it or remove it",
    "missing": "plugin 'missing' of bobs cannot be loaded: No module named 'not_there_at_all'; mend it or remove it",
    "twice": "plugin 'twice' is brought by bits and by bobs; remove one",
}


def test_a_broken_plugin_is_listed_with_its_reason(broken: Path) -> None:
    rows = {row["name"]: row for row in data("plugins", "list")}
    assert {name: row["broken"] for name, row in rows.items() if row["broken"]} == REASONS
    assert rows["points"]["used_as"] == ["points"]
    assert f"broken: {REASONS['exploding']}" in run("plugins", "list").stdout


def test_a_broken_plugin_is_left_out_of_the_schema_with_a_warning(broken: Path) -> None:
    result = run("schema")
    uses = json.loads(result.stdout)["properties"]["plugin"]["items"]["oneOf"]
    assert {"points", "tiers"} <= {variant["properties"]["use"]["const"] for variant in uses}
    assert result.stderr.splitlines() == [f"Warning: left out: {reason}" for reason in REASONS.values()]


def test_a_broken_plugin_fails_only_the_programs_that_use_it(broken: Path) -> None:
    run("check", "coffee_shop.toml")
    run("topup", "1001", "5", "--id", "t")
    (broken / "new.toml").write_text(f'{PROGRAM}\n[[plugin]]\nuse = "exploding"\n', encoding="utf-8")
    line = PROGRAM.count("\n") + 3
    assert run("check", "new.toml", code=1).stderr == f"new.toml:{line}: plugin[5].use: {REASONS['exploding']}\n"


def test_plugins_are_listed_even_where_the_program_in_force_uses_a_broken_one(
    greeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply", "new.toml")
    monkeypatch.setattr(loading, "installed", discovery.installed)
    result = run("plugins", "list")
    assert "points" in result.stdout
    line = PROGRAM.count("\n") + 3
    assert result.stderr.startswith(f"Warning: the program in force cannot be used: new.toml:{line}: plugin[5].use: no")
    assert len(result.stderr.splitlines()) == 1
