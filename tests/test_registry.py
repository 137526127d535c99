from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel

from stampbook import Award, Event, Objection, Plugin, PluginConfig, PluginError, hookimpl
from stampbook.discovery import Found, checked_class, installed
from stampbook.errors import ProgramError
from stampbook.loading import load
from tests.properties.driver import Till

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stampbook.registry import Registry

HEADER = """
[program]
name = "Registry"
currency = "GBP"
[assets.points]
"""


class Options(PluginConfig):
    points: int = 1


class Greeter(Plugin[Options]):
    """Awards points for opening an account."""

    Config = Options

    @hookimpl
    def reward(self, event: Event) -> list[Award]:
        return [Award(f"{self.name}.hello", "points", self.config.points)] if event.type == "account.opened" else []


class Wave(Event):
    type: Literal["wave"] = "wave"


class Nod(Event):
    type: Literal["wave"] = "wave"


class Waver(Plugin[PluginConfig]):
    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Wave]

    @hookimpl
    def review(self, transaction: Any, event: Event) -> list[Objection]:
        assert transaction is not None
        return [Objection("not_now", f"{self.name} says no")] if event.type == "wave" else []


class Nodder(Plugin[PluginConfig]):
    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Nod]


PLUGINS: dict[str, type[Plugin[Any]]] = {"greeter": Greeter, "waver": Waver, "nodder": Nodder}


def program(tables: str, **plugins: type[Plugin[Any]]) -> Registry:
    return load(HEADER + tables, "p.toml", plugins={**PLUGINS, **plugins})


def mistake(tables: str, **plugins: type[Plugin[Any]]) -> str:
    with pytest.raises(ProgramError) as wrong:
        program(tables, **plugins)
    return str(wrong.value)


def test_plugins_act_in_the_order_of_the_program() -> None:
    tables = "[[plugin]]\nuse = 'greeter'\nname = 'zoe'\n[[plugin]]\nuse = 'greeter'\nname = 'abe'\npoints = 5\n"
    till = Till(program(tables)).opened()
    assert [plugin.name for plugin in till.registry.plugins] == ["zoe", "abe"]
    assert till.journal["ann"][0].trace["awards"] == [("zoe.hello", "points", 1), ("abe.hello", "points", 5)]
    assert till.balance() == "6"


def test_all_objections_are_reported_each_with_its_plugin() -> None:
    till = Till(program("[[plugin]]\nuse = 'waver'\n[[plugin]]\nuse = 'waver'\nname = 'second'")).opened()
    assert till.tell("wave").objections == (
        Objection("not_now", "waver says no", "waver"),
        Objection("not_now", "second says no", "second"),
    )


def test_a_kind_of_event_that_two_plugins_bring_names_both() -> None:
    assert "event 'wave' is brought by waver and by plugin 'nodder'; rename one" in mistake(
        "[[plugin]]\nuse = 'waver'\n[[plugin]]\nuse = 'nodder'"
    )


def test_a_kind_of_event_of_the_engine_cannot_be_brought_again() -> None:
    class Buy(Event):
        type: Literal["purchase"] = "purchase"

    class Buyer(Plugin[PluginConfig]):
        @hookimpl
        def register_events(self) -> list[type[Event]]:
            return [Buy]

    assert "event 'purchase' is brought by the engine and by plugin 'buyer'; rename one" in mistake(
        "[[plugin]]\nuse = 'buyer'", buyer=Buyer
    )


def _with_other_argument() -> type[Plugin[Any]]:
    class Wrong(Plugin[PluginConfig]):
        @hookimpl
        def reward(self, evnt: Event) -> list[Award]:
            raise NotImplementedError(evnt)

    return Wrong


def _with_other_hook() -> type[Plugin[Any]]:
    class Wrong(Plugin[PluginConfig]):
        @hookimpl
        def rewrad(self, event: Event) -> list[Award]:
            raise NotImplementedError(event)

    return Wrong


def _with_order(**order: bool) -> Callable[[], type[Plugin[Any]]]:
    def build() -> type[Plugin[Any]]:
        class Wrong(Plugin[PluginConfig]):
            @hookimpl(**order)  # type: ignore[call-overload,untyped-decorator]  # pluggy types them one by one
            def reward(self, event: Event) -> list[Award]:
                raise NotImplementedError(event)

        return Wrong

    return build


def _with_wrapper() -> type[Plugin[Any]]:
    class Wrong(Plugin[PluginConfig]):
        @hookimpl(wrapper=True)
        def reward(self, event: Event) -> Iterator[None]:
            assert isinstance(event, Event)
            return (yield)

    return Wrong


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (_with_other_argument, "evnt"),
        (_with_other_hook, "rewrad"),
        (_with_order(tryfirst=True), "reward sets an order of its own; the program's order holds"),
        (_with_order(trylast=True), "reward sets an order of its own; the program's order holds"),
        (_with_wrapper, "reward sets an order of its own; the program's order holds"),
    ],
)
def test_a_hook_that_breaks_the_contract_is_refused(build: Callable[[], type[Plugin[Any]]], says: str) -> None:
    message = mistake("[[plugin]]\nuse = 'wrong'", wrong=build())
    assert "plugin 'wrong'" in message
    assert says in message
    assert "\n" not in message


def test_only_plugins_of_this_contract_are_taken() -> None:
    class Old(Plugin[PluginConfig]):
        api_version = 0

    class Lax(Plugin[Any]):
        Config = BaseModel  # type: ignore[assignment]

    for loaded, says in (
        (Old, "was written for plugin contract 0; this is contract 1"),
        (Lax, "its Config is not a stampbook.PluginConfig that refuses unknown keys"),
        (object, "is not a subclass of stampbook.Plugin"),
        ("Old", "is not a subclass of stampbook.Plugin"),
    ):
        with pytest.raises(PluginError, match=f"^plugin 'x' of y:? {says}|^plugin 'x' of y {says}"):
            checked_class(loaded, "plugin 'x' of y")
    assert "p.toml:7: plugin[1].use: plugin 'old' was written for plugin contract 0" in mistake(
        "[[plugin]]\nuse = 'old'", old=Old
    )


def test_options_are_checked_and_unknown_ones_have_a_near_name() -> None:
    assert mistake("[[plugin]]\nuse = 'greeter'\npoint = 3") == (
        "p.toml:8: plugin[1].point: no such key (did you mean 'points'?)"
    )


def test_a_plugin_may_refuse_its_options_in_its_own_words() -> None:
    class Picky(Plugin[PluginConfig]):
        def prepare(self) -> None:
            raise PluginError("not with these assets")

    assert mistake("[[plugin]]\nuse = 'picky'", picky=Picky) == "p.toml:6: plugin[1]: not with these assets"


def test_a_rule_bears_the_name_of_its_plugin() -> None:
    class Liar(Plugin[PluginConfig]):
        @hookimpl
        def reward(self) -> list[Award]:
            return [Award("points.base", "points", 1)]

    till = Till(program("[[plugin]]\nuse = 'liar'", liar=Liar))
    with pytest.raises(PluginError, match=r"plugin 'liar': its rule 'points\.base' does not start with its name"):
        till.opened()


def test_a_listener_that_fails_undoes_nothing() -> None:
    class Noisy(Plugin[PluginConfig]):
        @hookimpl
        def committed(self, event: Event) -> None:
            raise ValueError(event.id)

    till = Till(program("[[plugin]]\nuse = 'noisy'", noisy=Noisy)).opened()
    decision = till.journal["ann"][0]
    assert decision.transaction is not None
    [failed] = till.registry.committed(decision.transaction, till.view(), decision.event)
    assert (failed.plugin, type(failed.value)) == ("noisy", ValueError)


def test_the_bundled_plugins_are_found_like_anyones() -> None:
    assert {"points", "tiers", "rfm", "refunds"} <= set(installed())
    assert installed()["points"].distribution == "stampbook"


def test_a_plugin_that_cannot_be_imported_is_named_with_its_distribution() -> None:
    broken = Found("odd", "odd-plugins", EntryPoint("odd", "stampbook_no_such_module:Odd", "stampbook.plugins"))
    with pytest.raises(PluginError, match="plugin 'odd' of odd-plugins cannot be loaded: No module named"):
        broken.load()


@dataclass
class _Distribution:
    name: str


def test_two_distributions_that_bring_one_name_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(value: str, distribution: str) -> EntryPoint:
        made = EntryPoint("odd", value, "stampbook.plugins")
        vars(made)["dist"] = _Distribution(distribution)
        return made

    found = [entry("one:Odd", "first"), entry("two:Odd", "second")]
    monkeypatch.setattr("stampbook.discovery.entry_points", lambda **_: found)
    installed.cache_clear()
    try:
        with pytest.raises(PluginError, match="plugin 'odd' is brought by first and by second; remove one"):
            installed()["odd"].load()
    finally:
        installed.cache_clear()
