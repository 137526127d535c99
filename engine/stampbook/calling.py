"""Calling a hook of a plugin: with the arguments that it names, and a failure that names the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.errors import PluginError, StampbookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pluggy

_LISTED = {
    "register_events", "assess", "reward", "pay", "propose", "share", "review", "due", "follow", "progress", "standing",
    "payable",
}  # fmt: skip
"""The hooks that return any number of things, or None for nothing."""


def called(impl: pluggy.HookImpl, given: Iterable[str], plugin: str, hook: str) -> Callable[..., Any]:
    """Return a function of all arguments of a hook, by position, that hands on those that the plugin names.

    A failure names the plugin and fails its event alone; lists are read out within it. pluggy would choose the
    arguments at every call; a function made once costs a fifth of that on the hot path.
    """
    code = (
        f"def call({', '.join(given)}):\n"
        "    try:\n"
        f"        return listed(function({', '.join(f'{name}={name}' for name in impl.argnames)}))\n"
        "    except StampbookError:\n"
        "        raise\n"
        "    except Exception as error:\n"
        "        raise failed(error) from error\n"
    )
    if hook not in _LISTED:
        code = code.replace("listed(", "(")
    if hook == "committed":
        code = f"def call({', '.join(given)}): function({', '.join(f'{name}={name}' for name in impl.argnames)})"

    def failed(error: Exception) -> PluginError:
        return PluginError(f"plugin {plugin!r} fails in {hook}: {type(error).__name__}: {error}")

    names: dict[str, Any] = {
        "function": impl.function,
        "listed": _listed,
        "failed": failed,
        "StampbookError": StampbookError,
    }
    exec(code, names)  # noqa: S102 - names that pluggy has checked
    call: Callable[..., Any] = names["call"]
    return call


def _listed(result: Any) -> list[Any]:
    if type(result) is list:
        return result
    return [] if result is None else list(result)
