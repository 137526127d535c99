from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import click
import pytest

from stampbook import Plugin, PluginConfig, discovery, hookimpl, loading, registry
from tests.cli.shop import PROGRAM, run

if TYPE_CHECKING:
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
