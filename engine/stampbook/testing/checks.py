"""The promises of the plugin contract, one function each, named after what holds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from stampbook.account_view import AccountView
from stampbook.discovery import checked_class
from stampbook.errors import ProgramError
from stampbook.events import CORE_EVENTS
from stampbook.hookspecs import Hooks
from stampbook.loading import load
from stampbook.periods import DAY, NEVER, moment_of
from stampbook.testing.subject import FIRST_DAY, NAME, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CODE = re.compile(r"[a-z][a-z0-9_]*")
_HOOKS = tuple(name for name in dir(Hooks) if not name.startswith("_"))
_LATER = "2027-07-01T00:00"


def _is_a_plugin_of_this_contract(subject: Subject) -> None:
    """The class derives from `stampbook.Plugin` and was written for this API_VERSION."""
    checked_class(subject.plugin, subject.plugin.__name__)


def _options_are_frozen(subject: Subject) -> None:
    """No option can change while the plugin runs."""
    for model in _models(subject.plugin.Config):
        _must(model.model_config.get("frozen"), f"{model.__name__} is not frozen")


def _unknown_options_are_refused(subject: Subject) -> None:
    """A misspelt key is a mistake of the program, at every level of the options."""
    for model in _models(subject.plugin.Config):
        _must(model.model_config.get("extra") == "forbid", f"{model.__name__} takes unknown keys")
    misspelt = f"{subject.program}\n[[plugin]]\nuse = '{NAME}'\nno_such_option = true\n{subject.options}"
    try:
        load(misspelt, plugins={NAME: subject.plugin})
    except ProgramError as error:
        _must("no_such_option" in str(error), f"an option that is not there is not named: {error}")
    else:
        raise AssertionError("an option that is not there was taken")


def _every_option_is_described(subject: Subject) -> None:
    """Each field of the options says what it does: the docs and the JSON Schema are made of that."""
    mute = [
        f"{model.__name__}.{name}"
        for model in _models(subject.plugin.Config)
        for name, field in model.model_fields.items()
        if not (field.description or "").strip()
    ]
    _must(not mute, f"no description: {', '.join(mute)}")


def _options_have_a_schema(subject: Subject) -> None:
    """The JSON Schema of the options can be built, for editors."""
    try:
        subject.plugin.Config.model_json_schema()
    except Exception as error:
        raise AssertionError(f"the options have no JSON Schema: {error}") from error


def _program_loads(subject: Subject) -> None:
    """The plugin can be built from the options given, and its hooks take arguments that there are."""
    subject.registry()


def _hooks_are_marked(subject: Subject) -> None:
    """A method with a hook's name is marked with `hookimpl`; without the mark nobody calls it."""
    unmarked = [
        name
        for name in _HOOKS
        if callable(getattr(subject.plugin, name, None))
        and not hasattr(getattr(subject.plugin, name), "stampbook_impl")
    ]
    _must(not unmarked, f"not marked with @hookimpl: {', '.join(unmarked)}")


def _own_events_are_well_formed(subject: Subject) -> None:
    """Each kind of event that it brings has a fixed type, frozen fields, and no unknown keys."""
    for name in subject.registry().own_events:
        kind = subject.registry().reader.kinds[name]
        _must(kind not in CORE_EVENTS, f"{name} is the engine's")
        config = kind.model_config
        _must(config.get("frozen"), f"{kind.__name__} is not frozen")
        _must(config.get("extra") == "forbid", f"{kind.__name__} takes unknown keys")


def _same_events_give_the_same_journal(subject: Subject) -> None:
    """No clock, no randomness, no order of a set: two runs agree to the last hash."""
    first, second = subject.played(), subject.played()
    for ref in subject.refs:
        for one, other in zip(first.journal(ref), second.journal(ref), strict=True):
            _must(one == other, f"{one.type} {one.id} came out in two ways: {_difference(one, other)}")


def _nothing_is_remembered_between_accounts(subject: Subject) -> None:
    """What an account gets does not depend on which accounts came before it, nor on how often it was asked."""
    together = subject.played()
    for ref in subject.refs:
        alone = subject.played([event for event in subject.events if event["account"] == ref])
        for one, other in zip(together.journal(ref), alone.journal(ref), strict=True):
            same = one.postings == other.postings and one.effects == other.effects and one.trace == other.trace
            _must(same, f"{one.type} {one.id} depends on other accounts: {_difference(one, other)}")


def _batches_make_no_difference(subject: Subject) -> None:
    """One by one or all at once: the same postings."""
    alone, batch = subject.played(), subject.ledger()
    batch.engine.process(list(subject.events))
    for ref in subject.refs:
        for one, other in zip(alone.journal(ref), batch.journal(ref), strict=True):
            _must(one.hash == other.hash, f"{one.type} {one.id} differs in a batch: {_difference(one, other)}")


def _accounts_are_left_alone(subject: Subject) -> None:
    """Hooks read the account and change nothing of it."""
    ledger = subject.ledger()
    for event in subject.events:
        ledger.engine.post(event)
        account = ledger.engine.account(event["account"])
        before = _fingerprint(account)
        view = AccountView(account, account.clock, ledger.registry.context)
        read = ledger.registry.reader.read(event)
        order = getattr(read, "order_in", lambda _: None)(ledger.registry.context.currency.code)
        ledger.registry.reward(read, order, view, [])
        list(ledger.registry.assess(view, account.clock, read))
        ledger.registry.due(view, NEVER)
        _must(_fingerprint(account) == before, f"a hook changed account {account.ref} at {read.id}")


def _due_is_harmless_when_asked_twice(subject: Subject) -> None:
    """`due` answers the same twice, names each event once, and a second tick finds nothing left to do."""
    ledger = subject.played()
    for ref in subject.refs:
        account = ledger.engine.account(ref)
        view = AccountView(account, account.clock, ledger.registry.context)
        dues = ledger.registry.due(view, NEVER)
        _must(dues == ledger.registry.due(view, NEVER), f"due answers differently the second time: {dues}")
        names = [due.id for due in dues]
        _must(len(set(names)) == len(names), f"due names one event twice: {names}")
    ledger.tick(_LATER)
    again = ledger.tick(_LATER)
    _must(not again, f"a second tick at the same instant brought {again} events more")


def _ticks_make_no_difference(subject: Subject) -> None:
    """Time that is let pass day by day brings what it brings all at once."""
    seldom, often = subject.ledger(), subject.ledger()
    for event in subject.events:
        seldom.engine.post(event)
        often.tick(event["at"])
        often.engine.post(event)
    calendar = often.registry.context.calendar
    for days in range(0, 400, 20):
        often.tick(calendar.iso(often.now + days * DAY))
    end = calendar.iso(often.now)
    seldom.tick(end)
    for ref in subject.refs:
        for one, other in zip(seldom.journal(ref), often.journal(ref), strict=False):
            same = (one.id, one.at, one.postings, one.effects) == (other.id, other.at, other.postings, other.effects)
            _must(same, f"{one.type} {one.id} depends on ticks: {_difference(one, other)}")
        lengths = len(seldom.journal(ref)), len(often.journal(ref))
        _must(lengths[0] == lengths[1], f"ticks bring {lengths[1]} events instead of {lengths[0]}")


def _works_twice_in_a_program(subject: Subject) -> None:
    """One program may use it under two names, unless it is `sole`; its rules bear the name under which they act."""
    if subject.plugin.sole:
        return
    ledger = subject.ledger("another")
    for event in subject.events:
        ledger.engine.post(event)


def _objections_have_a_code_and_a_reason(subject: Subject) -> None:
    """A refusal has a code in small letters, which stays, and a sentence, which is for people."""
    ledger = subject.ledger()
    for event in subject.events:
        for objection in ledger.engine.post(event).objections:
            named = _CODE.fullmatch(objection.code) and objection.message.strip()
            _must(named, f"{objection!r} has no code such as 'too_much', or no message")


def _segments_cover_everyone(subject: Subject) -> None:
    """A segmentation answers for every account once, whatever the order of the rows, and sees no future."""
    schemes = subject.registry().segmenters()
    if not schemes:
        return
    import polars as pl

    from stampbook.segments import run_segments

    start = moment_of(FIRST_DAY * DAY)
    rows = [
        {
            "account": f"account-{number % 7}",
            "at": start + timedelta(days=number),
            "kind": "return" if number % 11 == 10 else "purchase",  # noqa: PLR2004 - now and then
            "amount": number * 137 % 5000,
            "event": f"event-{number}",
            "about": f"event-{number - 7}" if number % 11 == 10 else None,  # noqa: PLR2004 - the calendar
        }
        for number in range(90)
    ]
    history = pl.LazyFrame(rows, schema_overrides={"about": pl.String})
    at = start + timedelta(days=60)
    [run] = run_segments(schemes[:1], history, at)
    [turned] = run_segments(schemes[:1], history.reverse(), at)
    _must(run.frame.equals(turned.frame), "the order of the rows changes the result")
    [blind] = run_segments(schemes[:1], history.filter(pl.col("at") <= at), at)
    _must(run.frame.equals(blind.frame), "rows after the instant change the result")


CHECKS: tuple[Callable[[Subject], None], ...] = (
    _is_a_plugin_of_this_contract,
    _options_are_frozen,
    _unknown_options_are_refused,
    _every_option_is_described,
    _options_have_a_schema,
    _hooks_are_marked,
    _program_loads,
    _own_events_are_well_formed,
    _same_events_give_the_same_journal,
    _nothing_is_remembered_between_accounts,
    _batches_make_no_difference,
    _accounts_are_left_alone,
    _due_is_harmless_when_asked_twice,
    _ticks_make_no_difference,
    _works_twice_in_a_program,
    _objections_have_a_code_and_a_reason,
    _segments_cover_everyone,
)


def _must(holds: object, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _models(config: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and every model inside it."""
    pending: list[Any] = [config]
    seen: set[int] = set()
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, type) and issubclass(item, BaseModel):
            yield item
            pending.extend(field.annotation for field in item.model_fields.values())
        else:
            pending.extend(getattr(item, "__args__", ()))


def _fingerprint(account: Any) -> object:
    return (
        account.status,
        account.seq,
        account.clock,
        account.due_at,
        dict(account.lots),
        dict(account.holds),
        dict(account.facts),
        list(account.metrics),
    )


def _difference(one: Any, other: Any) -> str:
    for field in ("type", "id", "at", "accepted", "postings", "effects", "trace"):
        mine, others = getattr(one, field), getattr(other, field)
        if mine != others:
            return f"{field} {_short(mine)} and {_short(others)}"
    return "hash"


def _short(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004 - a message is read, not stored
