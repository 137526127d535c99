"""The plugin contract as small named checks, which anyone may run against a plugin in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stampbook.errors import StampbookError
from stampbook.testing.checks import CHECKS
from stampbook.testing.subject import PROGRAM, Subject, sample_events, toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stampbook.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the contract about one plugin. Calling it raises AssertionError where it is broken."""

    name: str
    about: str
    run: Callable[[Subject], None]
    subject: Subject

    def __call__(self) -> None:
        self.run(self.subject)

    def __str__(self) -> str:
        return self.name


def check_plugin(
    plugin: type[Plugin[Any]],
    options: Mapping[str, Any] | str = "",
    *,
    program: str = PROGRAM,
    events: Sequence[Mapping[str, Any]] = (),
    known_failures: Mapping[str, str] | None = None,
) -> None:
    """Check that a plugin keeps the contract.

    Args:
        plugin: its class.
        options: its table of the program, as a mapping or as TOML.
        program: the program to which the table is added.
        events: what happens, in order of time, besides `sample_events`: events of the plugin's own kinds, say.
        known_failures: checks that are known to fail, each with the reason; one that passes is reported.

    Raises:
        AssertionError: names every check that failed and says how.
    """
    excused = dict(known_failures or {})
    broken: list[str] = []
    for check in plugin_checks(plugin, options, program=program, events=events):
        reason = excused.pop(check.name, None)
        try:
            check()
        except (AssertionError, StampbookError) as error:
            if reason is None:
                broken.append(f"{check.name}: {error}")
        else:
            if reason is not None:
                broken.append(f"{check.name}: passes, although it is known to fail ({reason})")
    broken.extend(f"{name}: there is no such check" for name in excused)
    if broken:
        raise AssertionError(f"{plugin.__name__} breaks the plugin contract\n" + "\n".join(broken))


def plugin_checks(
    plugin: type[Plugin[Any]],
    options: Mapping[str, Any] | str = "",
    *,
    program: str = PROGRAM,
    events: Sequence[Mapping[str, Any]] = (),
) -> list[Check]:
    """Return the checks of `check_plugin` one by one, to parametrize a test with."""
    text = (
        options if isinstance(options, str) else "\n".join(f"{key} = {toml(value)}" for key, value in options.items())
    )
    subject = Subject(plugin, text, program, (*sample_events(), *events))
    return [
        Check(function.__name__.removeprefix("_"), (function.__doc__ or "").partition("\n")[0], function, subject)
        for function in CHECKS
    ]
