"""Building a ledger anew from its export: the same to the last hash, or refused before anything wrong is written."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Deposit, Event, Message, Plugin, PluginConfig, Withdrawal, hookimpl
from stampbook.engine import Engine
from stampbook.errors import InputError
from stampbook.exporting import export
from stampbook.importing import import_file
from stampbook.verifying import verify
from stampbook_points import Points
from tests.effort import examples
from tests.faults.books import NOW, PROGRAM, START, event, heads, opened, picture, run, script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stampbook import AccountView, Order

Line = dict[str, Any]

RICHER = PROGRAM.replace("floor(order.net)", "floor(order.net) * 3")
SECOND = 1_000_000


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def lines_of(engine: Engine, folder: Path) -> list[Line]:
    export(engine, folder / "books.jsonl", "jsonl")
    return [orjson.loads(line) for line in (folder / "books.jsonl").read_bytes().splitlines()]


def file_of(lines: list[Line], folder: Path) -> Path:
    path = folder / "edited.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def restored(url: str, path: Path) -> Engine:
    engine = Engine.open(url, create=True)
    try:
        import_file(engine, path, as_recorded=True, refused=path.with_name("refused.jsonl"))
    except InputError:
        engine.close()
        raise
    return engine


@pytest.fixture
def lines(tmp_path: Path) -> list[Line]:
    """A year of one customer and another: a batch a minute, among it points that time took."""
    clock = Clock()
    with opened(f"sqlite:///{tmp_path / 'first.db'}", clock=clock) as engine:
        for posted in (
            event("purchase", "p1", lines=[{"amount": "120.00", "category": "tea"}]),
            event("purchase", "p2", "bob", amount="15.00"),
            event("topup", "t1", amount="50.00"),
            event("spend", "s1", at="2025-09-01T12:00:00Z", amount="20.00"),
            event("spend", "s2", at="2025-09-02T12:00:00Z", amount="2000.00"),
            event("return", "r1", at="2025-09-03T12:00:00Z", purchase="p1", amount="10.00"),
            event("account.frozen", "f1", "nobody", at="2025-09-03T12:00:00Z"),
        ):
            clock.now += 60 * SECOND
            engine.post(posted)
        return lines_of(engine, tmp_path)


def at(lines: list[Line], name: str) -> int:
    """The place of the line of an event."""
    return next(place for place, line in enumerate(lines) if line.get("event", {}).get("id", "").startswith(name))


def test_an_export_makes_the_same_ledger(lines: list[Line], any_db: str, tmp_path: Path) -> None:
    assert any(line.get("event", {}).get("type") == "expiry" for line in lines)
    with restored(any_db, file_of(lines, tmp_path)) as copy, Engine.open(f"sqlite:///{tmp_path / 'first.db'}") as first:
        assert picture(copy) == picture(first)
        assert verify(copy) == verify(first)
        again = import_file(copy, tmp_path / "edited.jsonl", as_recorded=True, refused=tmp_path / "refused.jsonl")
        assert (again.accepted, again.replayed) == (0, 7)


def edited(name: str, **values: Any) -> Callable[[list[Line]], int]:
    def edit(lines: list[Line]) -> int:
        place = at(lines, name)
        lines[place] |= values
        return place

    return edit


def edited_event(name: str, **values: Any) -> Callable[[list[Line]], int]:
    def edit(lines: list[Line]) -> int:
        place = at(lines, name)
        lines[place]["event"] |= values
        return place

    return edit


def without(name: str) -> Callable[[list[Line]], int]:
    """Leave a line out; the next one of that account shows it."""

    def edit(lines: list[Line]) -> int:
        place = at(lines, name)
        gone = lines.pop(place)
        account = gone["event"]["account"]
        return next(n for n in range(place, len(lines)) if lines[n]["event"]["account"] == account)

    return edit


FORGED = "0" * 64


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (edited_event("t1", amount="50.01"), "its hash comes out as"),
        (edited_event("t1", account="ann2"), "it comes out at position 2"),
        (edited_event("s2", amount="1.00"), "its hash comes out as"),
        (edited_event("t1", amount="x"), "it cannot be decided: event 't1': amount: 'x'"),
        (edited_event("f1", reason="x"), "its hash comes out as"),
        (edited("t1", hash=FORGED), f"its hash comes out as .*, not {FORGED[:12]}"),
        (edited("f1", hash=FORGED), f"its hash comes out as .*, not {FORGED[:12]}"),
        (edited("expiry", hash=FORGED), f"its hash comes out as .*, not {FORGED[:12]}"),
        (edited("t1", hash=None), "its hash comes out as .*, not None"),
        (edited("t1", seq=7), "it comes out at position"),
        (edited("t1", recorded_at="2025-12-31T00:00:00Z"), "its hash comes out as"),
        (without("s1"), "it comes out at position 10"),
        (without("t1"), "it does not follow from the other lines"),
    ],
)
def test_what_was_edited_is_refused_in_one_line_before_it_is_written(
    lines: list[Line], any_db: str, tmp_path: Path, edit: Callable[[list[Line]], int], says: str
) -> None:
    whole = deepcopy(lines)
    place = edit(lines)
    line = lines[place]
    where = f"line {place + 1}: account {line['event']['account']}, journal position {line['seq']}: "
    with pytest.raises(InputError, match=f"^{where}{says}") as refused:
        restored(any_db, file_of(lines, tmp_path))
    assert "import the unedited export of a whole ledger into a new one" in str(refused.value)
    assert "\n" not in str(refused.value)
    [recorded_at] = {old["recorded_at"] for old in whole if old.get("event", {}).get("id") == line["event"]["id"]}
    honest = {line["hash"] for line in lines[1:place] if line["recorded_at"] < recorded_at}
    with Engine.open(any_db) as copy:
        written = {entry.hash.hex() for ref in ("ann", "bob", "") for entry in journal(copy, ref)}
        assert written == honest
        assert verify(copy).ok


def journal(engine: Engine, ref: str) -> list[Any]:
    with engine.store.reader() as session:
        return list(session.journal(ref))


def test_a_program_whose_text_was_edited_is_refused(lines: list[Line], sqlite_db: str, tmp_path: Path) -> None:
    lines[0]["content"] = lines[0]["content"].replace("floor(order.net)", "floor(order.net) * 2")
    with pytest.raises(InputError, match=r"^line 1: the text of program program is not the one that was in force; "):
        restored(sqlite_db, file_of(lines, tmp_path))
    with Engine.open(sqlite_db) as copy:
        assert copy.programs() == []


def test_a_ledger_in_which_something_else_happened_is_not_mixed_with_an_export(
    lines: list[Line], any_db: str, tmp_path: Path
) -> None:
    with opened(any_db) as books:
        books.post(event("topup", "mine", amount="1.00"))
        before = picture(books)
    with pytest.raises(InputError, match=r"line 2: account ann, journal position 1: its hash comes out as"):
        restored(any_db, file_of(lines, tmp_path))
    with Engine.open(any_db) as books:
        assert picture(books) == before


def test_another_plugin_of_the_same_name_is_refused(lines: list[Line], sqlite_db: str, tmp_path: Path) -> None:
    class Mean(Points):
        @hookimpl
        def reward(self, event: Event, order: Order | None, account: AccountView) -> list[Any]:
            return super().reward(event, order, account)[:1]

    with (
        Engine.open(sqlite_db, create=True, plugins={"points": Mean}) as books,
        pytest.raises(InputError, match="line 3: account ann, journal position 2: its hash comes out as"),
    ):
        import_file(books, file_of(lines, tmp_path), as_recorded=True)


# ---- a program and events of the same microsecond


def tie(engine: Engine) -> None:
    """Put programs in force and post in turn, while the clock stands still."""
    engine.post(event("purchase", "a1", "ann", at="2025-06-01T00:00:00Z", amount="10.00"))
    engine.post(event("purchase", "b1", "bob", at="2025-06-01T00:00:00Z", amount="10.00"))
    engine.post(event("account.frozen", "x1", "nobody", at="2025-06-03T00:00:00Z"))
    engine.put_text_in_force(RICHER, effective_from=NOW - 300 * 86_400 * SECOND)
    engine.post(event("account.frozen", "x2", "no-one", at="2025-06-03T00:00:00Z"))
    engine.post(event("purchase", "b2", "bob", at="2025-06-02T00:00:00Z", amount="10.00"))
    engine.post(event("purchase", "c1", "cleo", at="2025-06-02T00:00:00Z", amount="10.00"))
    engine.post(event("purchase", "c2", "cleo", at="2025-01-02T00:00:00Z", amount="10.00"))
    engine.put_text_in_force(PROGRAM, effective_from=NOW - 300 * 86_400 * SECOND)
    engine.post(event("purchase", "a2", "ann", at="2025-06-03T00:00:00Z", amount="10.00"))
    engine.post(event("purchase", "b3", "bob", at="2025-06-03T00:00:00Z", amount="10.00"))


def test_events_of_the_microsecond_of_a_program_are_judged_as_they_were(any_db: str, tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'first.db'}") as first:
        tie(first)
        path = file_of(lines_of(first, tmp_path), tmp_path)
        with restored(any_db, path) as copy:
            assert heads(copy) == heads(first)
            assert (verify(copy).ok, verify(copy).head) == (True, verify(first).head)
            with copy.store.reader() as one, first.store.reader() as two:
                assert one.kept() == two.kept()
        with restored(any_db, path) as copy, copy.store.reader() as one, first.store.reader() as two:
            assert one.kept() == two.kept(), "a second time adds no program"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as path:
        yield Path(path)


@examples(15)
@given(
    seed=st.integers(0, 10**6),
    steps=st.lists(
        st.tuples(st.integers(0, 1), st.booleans(), st.sampled_from([None, 200, 400, 400])), min_size=2, max_size=8
    ),
)
def test_whatever_happened_and_when_it_was_recorded_comes_back_hash_for_hash(
    folder: Path, seed: int, steps: list[tuple[int, bool, int | None]]
) -> None:
    clock = Clock()
    clock.now -= 10 * SECOND
    events = script(60, accounts=3, seed=seed)
    with TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        with opened(f"sqlite:///{place / 'first.db'}", clock=clock) as first:
            for number, (step, richer, days) in enumerate(steps):
                clock.now += step
                run(first, events[number * 7 : number * 7 + 7])
                if days is not None:
                    start = NOW - days * 86_400 * SECOND
                    first.put_text_in_force(RICHER if richer else PROGRAM, effective_from=start)
            path = file_of(lines_of(first, place), place)
            with restored(f"sqlite:///{place / 'second.db'}", path) as copy:
                assert heads(copy) == heads(first)
                assert verify(copy).findings == ()


# ---- what one account sends to another


class Gift(Event):
    type: Literal["gift"] = "gift"
    to: str


class Given(Event):
    brought_by_time = True
    type: Literal["given"] = "given"
    left: int


class Gifts(Plugin[PluginConfig]):
    """A gift of a point is passed on as often as it says, from account to account."""

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Gift, Given]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> list[Any]:
        if isinstance(event, Gift):
            return [Withdrawal("points", 1, "transfers"), Message(event.to, "given", {"left": "2"})]
        assert isinstance(event, Given)
        if event.left and account.balance("points") % 2:
            others = {"a": "b", "b": "c", "c": "a"}
            return [Message(others[event.account], "given", {"left": str(event.left - 1)})]
        return [Deposit("points", 1, "transfers", expires_at=event.at + 5 * 86_400 * SECOND)]


GIVING = """
[program]
name = "Gifts"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "gifts"
"""


@examples(25)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 1)), max_size=25
    )
)
def test_what_accounts_sent_to_one_another_comes_back_in_its_order(
    folder: Path, story: list[tuple[str, str, int, int]]
) -> None:
    clock = Clock()
    plugins = {"gifts": Gifts}
    with TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        with opened(f"sqlite:///{place / 'first.db'}", GIVING, clock=clock, plugins=plugins) as first:
            first.process([event("account.opened", f"o{ref}", ref) for ref in "abc"])
            clock.now += 1
            for number, (giver, to, days, step) in enumerate(story):
                clock.now += step
                at = START + timedelta(days=days + number)
                first.post(event("adjust", f"x{number}", giver, at=at, asset="points", amount="3", reason="test"))
                first.post(event("gift", f"g{number}", giver, at=at, to=to))
            path = file_of(lines_of(first, place), place)
            with Engine.open(f"sqlite:///{place / 'second.db'}", create=True, plugins=plugins) as copy:
                for limit in (len(story), None):
                    import_file(copy, path, as_recorded=True, refused=place / "refused.jsonl", limit=limit or None)
                assert heads(copy) == heads(first)


def test_a_ledger_with_a_campaign_is_the_same_again(tmp_path: Path) -> None:
    """Its budget is leased anew, and ends where it ended."""
    program = PROGRAM + '\n[campaigns.spring]\nrules = ["points.tea"]\nasset = "points"\nbudget = "100"\n'
    tea = [{"amount": "40.00", "category": "tea"}]
    with Engine.open(f"sqlite:///{tmp_path / 'first.db'}", create=True) as engine:
        engine.put_text_in_force(program)
        for number in range(5):
            assert engine.post(event("purchase", f"p{number}", f"c{number}", lines=tea)).accepted
        expected, first = heads(engine), lines_of(engine, tmp_path)
    with restored(f"sqlite:///{tmp_path / 'second.db'}", file_of(first, tmp_path)) as engine:
        assert heads(engine) == expected
        late = engine.post(event("purchase", "p9", "c9", lines=tea))
        assert [posting.rule for posting in late.postings] == ["points.base"]
