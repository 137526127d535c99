"""The same pipeline over the past: journals folded to any instant, and programs tried on examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stampbook.account import OPEN, Account
from stampbook.engine import Engine, system_clock
from stampbook.errors import StampbookError, UnknownAccountError, near
from stampbook.examples import example_mistakes, whole_event
from stampbook.journal import transaction_of
from stampbook.ledger import UNNAMED
from stampbook.moves import moves_of
from stampbook.periods import NEVER
from stampbook.pipeline import apply
from stampbook.store.memory import MemoryStore
from stampbook.store.programs import KeptProgram
from stampbook.toml_lines import Path
from stampbook.toml_source import key_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stampbook.ledger import Decision, Entry
    from stampbook.lots import Lot
    from stampbook.moves import Move
    from stampbook.program import Example, ExampleAccount
    from stampbook.registry import Registry


def fold(ref: str, entries: Iterable[Entry], *, as_of: int | None = None, known_at: int | None = None) -> Account:
    """Return the account that a journal makes: its recorded transactions, applied in order.

    Args:
        ref: the account.
        entries: its journal.
        as_of: leave out what happened later.
        known_at: leave out what was recorded later.
    """
    moves: list[Move] = []
    account = Account(ref, moves=moves)
    later: dict[int, Lot] = {}
    for entry in entries:
        if known_at is not None and entry.recorded_at > known_at:
            break
        account.seq = entry.seq
        account.head = entry.hash
        account.recorded_at = entry.recorded_at
        if as_of is not None and entry.at > as_of:
            for lot in transaction_of(entry).opened if entry.accepted else ():
                account.lots[lot.number] = later[lot.number] = (
                    lot  # a late event may have used it: it is empty until then
                )
                account.next_lot = lot.number + 1
            continue
        account.clock = max(account.clock, entry.at)
        if entry.accepted:
            transaction = transaction_of(entry)
            if not account.status:
                account.opened_at = entry.at
            account.apply(transaction)
            moves.extend(moves_of(transaction, entry.at))
            account.status = account.status or OPEN  # a late event may lie before the account's opening
    for number, lot in later.items():
        if account.lots[number] is lot:
            del account.lots[number]
    return account


def entries_of(engine: Engine, ref: str) -> list[Entry]:
    """Return the journal of an account.

    Raises:
        UnknownAccountError: there is no such account; says what is meant, or names a near one.
    """
    with engine.store.reader() as session:
        entries = session.journal(ref)
        if entries and ref:
            return entries
    raise unknown_account(engine, ref)


def unknown_account(engine: Engine, ref: str) -> UnknownAccountError:
    """Return the error of a name that no account has: it says what is meant instead, or a near one."""
    with engine.store.reader() as session:
        others = session.refs()[:50_000]
    meant = engine.registry().meant(ref) if others else ""
    return UnknownAccountError(f"{UNNAMED}; {meant}" if meant else f"no account {ref}{near(ref, others)}")


def state(engine: Engine, ref: str, *, as_of: int | None = None, known_at: int | None = None) -> Account:
    """Return an account as it was at an instant (now), as far as was known at another.

    What time brings up to then is worked out in memory, so that a tick that was not run makes no difference.

    Raises:
        UnknownAccountError: there is no such account, or there was none yet.
    """
    until = engine.clock() if as_of is None else as_of
    account = fold(ref, entries_of(engine, ref), as_of=until, known_at=known_at)
    if not account.status:
        message = f"account {ref} was not open yet"
        raise UnknownAccountError(message)
    return brought_up(engine, account, until, known_at=known_at)


def brought_up(
    engine: Engine,
    account: Account,
    until: int,
    *,
    known_at: int | None = None,
    brought: list[Decision] | None = None,
) -> Account:
    """Return an account after what time brings to it up to an instant; nothing is written.

    Args:
        engine: the ledger.
        account: its state, which is changed.
        until: the instant.
        known_at: use only the programs that were known then.
        brought: takes up what time brings.
    """
    with engine.store.reader() as session:
        programs = engine.in_force(session, known_at=known_at)
    account.due_at = -NEVER
    for registry, decision in programs.brought(account, until):
        apply(registry, account, decision)
        if brought is not None:
            brought.append(decision)
    account.clock = max(account.clock, until)
    return account


def find_entry(engine: Engine, source: str | None, event_id: str) -> list[tuple[str, Entry]]:
    """Return the account and journal entry of an event id, for each source that used it (or the one named)."""
    with engine.store.reader() as session:
        return session.find(source, event_id)


class MemoryLedger(Engine):
    """A whole ledger in memory, judged by one program.

    Args:
        registry: the program.
        clock: where the present comes from.
    """

    def __init__(self, registry: Registry, *, clock: Callable[[], int] = system_clock) -> None:
        store = MemoryStore()
        super().__init__(store, clock=clock)
        self._built[registry.hash] = registry
        with store.writer() as session:
            session.put_in_force(KeptProgram(registry.hash, "program", "", -NEVER, clock()))

    def account(self, ref: str) -> Account:
        """Return the state of an account as its last event left it.

        Raises:
            UnknownAccountError: there is no such account.
        """
        with self.store.reader() as session:
            account = session.accounts([ref]).get(ref)
        if account is None:
            message = f"no account {ref}"
            raise UnknownAccountError(message)
        return account

    def entries(self, ref: str) -> list[Entry]:
        """Return the journal of an account."""
        return entries_of(self, ref)


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What became of one worked example of a program: `problems` say what differs from what it expects.

    `places` has the key of each problem within the example.
    """

    name: str
    position: int
    problems: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all is as expected."""
        return not self.problems


def check_examples(registry: Registry) -> list[ExampleResult]:
    """Run the examples of a program, each in a ledger of its own."""
    results: list[ExampleResult] = []
    for position, example in enumerate(registry.file.examples):
        problems = [
            (place, f"{key_text(place)}: {message}")
            for place, message in example_mistakes(example, registry.reader, registry.context)
        ] or _problems(registry, example)
        places, messages = zip(*problems, strict=True) if problems else ((), ())
        results.append(ExampleResult(example.name, position, messages, places))
    return results


_Problems = list[tuple[Path, str]]


def _problems(registry: Registry, example: Example) -> _Problems:
    ledger = MemoryLedger(registry, clock=lambda: 0)
    refused: list[str] = []
    refs: dict[str, None] = {}
    last = -NEVER
    failed: _Problems = []
    for number, given in enumerate(example.events):
        event: Mapping[str, Any] = whole_event(number, given)
        try:
            event = registry.reader.sealed(event)
            at = registry.reader.read(event).at
            _open(ledger, registry, event, at)
            outcome = ledger.post(event)
        except StampbookError as error:
            failed.append((("events", number), str(error)))
            continue
        refs[event["account"]] = None
        last = max(last, at)
        refused.extend(objection.code for objection in outcome.objections[:1])
    if failed:
        return failed
    at = last if example.at is None else registry.context.calendar.parse(example.at)
    try:
        problems = [*_differences(registry, example, ledger, next(iter(refs)), at)]
        for ref, expected in example.accounts.items():
            of_account = _differences(registry, expected, ledger, ref, at)
            problems.extend((("accounts", ref, *place), f"account {ref}: {text}") for place, text in of_account)
        return [*problems, *_refusals(example, refused)]
    except StampbookError as error:
        return [((), str(error))]


def _open(ledger: MemoryLedger, registry: Registry, event: Mapping[str, Any], at: int) -> None:
    """Open the account of an example's event, where the program would refuse a stranger."""
    if registry.file.program.open_accounts == "refuse" and event["type"] != "account.opened":
        ref = event["account"]
        opening = {"id": f"open:{ref}", "source": "example", "type": "account.opened", "account": ref}
        with ledger.store.reader() as session:
            if not session.accounts([ref]):
                ledger.post({**opening, "at": registry.context.calendar.iso(at)})


def _differences(
    registry: Registry, example: Example | ExampleAccount, ledger: MemoryLedger, ref: str, at: int
) -> _Problems:
    account = brought_up(ledger, ledger.account(ref), at)
    problems: _Problems = []
    status = getattr(example, "status", None)
    if status is not None and account.status != status:
        problems.append((("status",), f"it is {account.status}, not {status}"))
    for what, key, expected, found in (
        ("balance", "balances", example.balances, lambda code: account.balance(code, at)),
        ("pending", "pending", example.pending, lambda code: account.pending(code, at)),
        ("owed", "owed", example.owed, account.owed),
    ):
        for code, text in expected.items():
            asset = registry.context.asset(code)
            if found(code) != asset.units(text):
                problems.append(((key, code), f"{what} of {code} is {asset.text(found(code))}, not {text}"))
    for name, value in example.facts.items():
        fact = account.fact(name, at)
        held = "" if fact is None else fact.value
        if held != value:
            hint = "" if name in account.facts else near(name, account.facts)
            problems.append((("facts", name), f"{name}{hint} is {held!r}, not {value!r}"))
    return problems


def _refusals(example: Example, refused: list[str]) -> _Problems:
    if list(example.refused) == refused:
        return []
    expected = ", ".join(example.refused) or "none"
    return [(("refused",), f"refused are {', '.join(refused) or 'none'}, not {expected}")]
