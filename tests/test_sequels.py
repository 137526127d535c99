"""What a refusal leaves behind, and what the door keeps out of the books: for plugins of anyone's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from stampbook import Event, EventError, Fact, IfRefused, Message, Objection, Plugin, PluginConfig, hookimpl
from stampbook.engine import Engine
from stampbook.importing import import_file
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from stampbook import AccountView

PROGRAM = """
[program]
name = "Doors"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[[plugin]]
use = "doors"
"""


class Knock(Event):
    """Somebody says a word at a door; `to` is whom to tell."""

    secrets: ClassVar[frozenset[str]] = frozenset({"word"})

    type: Literal["knock"] = "knock"
    length: int
    to: str | None = None

    @classmethod
    def sealed(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        word = data["word"]
        if not isinstance(word, str):
            message = "a word is text"
            raise EventError(message)
        return {**{key: value for key, value in data.items() if key != "word"}, "length": len(word)}


class Knocked(Event):
    """A word was wrong."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["knocked"] = "knocked"


class Told(Event):
    """Somebody came in."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["told"] = "told"


class Doors(Plugin[PluginConfig]):
    """Lets in who says a word of six letters, and counts the others."""

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Knock, Knocked, Told]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> Iterable[Any]:
        if isinstance(event, Told) and account.ref == "grump":
            yield Objection("go_away", "nobody is to come")
        if isinstance(event, Knock):
            yield IfRefused("knocked", f"knocked:{account.ref}")
            if event.to is not None:
                yield Message(event.to, "told", {})
            if event.length != len("sesame"):
                yield Objection("wrong_word", "that is not the word")

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> Iterable[Fact]:
        if isinstance(event, Knocked):
            yield Fact("doors.wrong", str(int(account.text("doors.wrong") or 0) + 1), at, 2**62)


def ledger() -> Ledger:
    return Ledger(PROGRAM, plugins={"doors": Doors})


def kinds(books: Ledger, account: str = "ann") -> list[tuple[str, bool]]:
    return [(entry.type, entry.accepted) for entry in books.journal(account)]


def test_what_follows_a_refusal_stands_behind_it_and_is_counted() -> None:
    books = ledger()
    for word in ("salt", "sesame", "pepper!"):
        books.post(type="knock", account="ann", word=word)
    assert books.fact("doors.wrong", account="ann") == "2"
    assert kinds(books) == [
        ("account.opened", True),
        *[("knock", False), ("knocked", True)],
        ("knock", True),
        *[("knock", False), ("knocked", True)],
    ]


def test_a_refusal_that_is_sent_again_is_followed_once() -> None:
    books = ledger()
    for _ in range(3):
        assert not books.post(type="knock", id="k", account="ann", at="2025-03-01", word="salt").accepted
    assert books.fact("doors.wrong", account="ann") == "1"


def test_a_late_refusal_is_followed_when_it_is_known() -> None:
    books = ledger()
    books.post(type="knock", account="ann", at="2025-03-05", word="sesame")
    books.post(type="knock", account="ann", at="2025-03-01", word="salt")
    knock, knocked = books.journal("ann")[-2:]
    assert (knock.type, knocked.type) == ("knock", "knocked")
    assert knock.at < knocked.at == books.journal("ann")[1].at


def test_nothing_follows_where_no_plugin_was_asked_or_another_account_refuses() -> None:
    books = ledger()
    books.post(type="account.opened", account="ann")
    books.post(type="account.opened", account="grump")
    assert not books.post(type="knock", account="ann", word="sesame", to="grump").accepted
    books.post(type="account.frozen", account="ann")
    assert not books.post(type="knock", account="ann", word="salt").accepted
    assert books.fact("doors.wrong", account="ann") == ""
    assert ("knocked", True) not in kinds(books)


def test_what_is_secret_is_replaced_before_anything_reads_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'doors.db'}"
    event = {"type": "knock", "id": "k", "account": "ann", "at": "2025-03-01", "word": "sesame"}
    with Engine.open(url, create=True, plugins={"doors": Doors}) as engine:
        engine.put_text_in_force(PROGRAM)
        assert engine.post(event).accepted
        assert engine.post({**event, "word": "salted"}).replayed  # which is the same, as far as is kept
        with pytest.raises(EventError, match="a word is text"):
            engine.post({**event, "id": "l", "word": 5})
        assert engine.process([{**event, "id": f"m{number}", "word": "salt"} for number in range(3)])
        assert verify(engine).findings == ()
    assert not any(b"sesame" in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "knock", "id": "k", "account": "ann", "at": "2025-03-01", "word": "sesame", "size": 3}',
        '{"type": "knok", "id": "k", "account": "ann", "at": "2025-03-01", "Word": "sesame"}',
        '{"type": "knock", "id": "k", "account": "ann", "at": "2025-03-01", "more": {"word": "sesame"}}',
        '{"type": "knock", "id": "k", "word": "sesame"',
        '["word", "sesame"]',
    ],
)
def test_the_file_of_refused_rows_withholds_what_is_secret(tmp_path: Path, line: str) -> None:
    (tmp_path / "events.jsonl").write_text(line + "\n", encoding="utf-8")
    with Engine.open(f"sqlite:///{tmp_path / 'd.db'}", create=True, plugins={"doors": Doors}) as engine:
        engine.put_text_in_force(PROGRAM)
        assert import_file(engine, tmp_path / "events.jsonl", refused=tmp_path / "refused.jsonl").malformed == 1
    refused = (tmp_path / "refused.jsonl").read_text(encoding="utf-8")
    assert "(withheld)" in refused
    assert "sesame" not in refused
