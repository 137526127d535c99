"""What is wrong with a worked example before it is run: events that cannot be read, balances of what is no asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.amounts import read_units
from stampbook.errors import AmountError, PeriodError, near

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stampbook.event_reading import EventReader
    from stampbook.program import Example, ExampleAccount
    from stampbook.toml_lines import Path
    from stampbook.vocabulary import Context


def whole_event(number: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of an example, counted from 0, with what an example may leave out."""
    return {"id": f"example-{number + 1}", "source": "example", "account": "customer", **given}


def example_mistakes(example: Example, reader: EventReader, context: Context) -> Iterator[tuple[Path, str]]:
    """Yield every mistake of an example with its place in it."""
    if not example.events:
        yield ("events",), "it has no events"
    for number, given in enumerate(example.events):
        for place, message in reader.mistakes(whole_event(number, given)):
            yield ("events", number, *place), message
    if example.at is not None:
        try:
            context.calendar.parse(example.at)
        except PeriodError as error:
            yield ("at",), str(error)
    yield from _amount_mistakes((), example, context)
    refs = dict.fromkeys([str(whole_event(0, given)["account"]) for given in example.events])
    refs.update(dict.fromkeys([str(given["to"]) for given in example.events if "to" in given]))
    for ref, expected in example.accounts.items():
        if ref not in refs:
            yield ("accounts", ref), f"no event names account {ref!r}{near(ref, refs)}; there are {', '.join(refs)}"
        yield from _amount_mistakes(("accounts", ref), expected, context)


def _amount_mistakes(place: Path, expected: Example | ExampleAccount, context: Context) -> Iterator[tuple[Path, str]]:
    for key in ("balances", "pending", "owed"):
        for code, text in getattr(expected, key).items():
            asset = context.assets.get(code)
            if asset is None:
                hint = near(code, context.assets) or f"; there are {', '.join(context.assets)}"
                yield (*place, key, code), f"{code!r} is not an asset of this program{hint}"
                continue
            try:
                read_units(text, asset.decimals)
            except AmountError as error:
                yield (*place, key, code), str(error)
