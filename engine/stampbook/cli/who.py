"""Who does it: one option of all commands, the engine's and those of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_OLD = "--operator"


class _Renamed(click.Option):
    """An option that is still known under an older name, which help does not tell."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return its line of the help, under its own name."""
        every, self.opts = self.opts, self.opts[:1]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = every

    def get_error_hint(self, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's signature
        """Return how an error names it."""
        return f"'{self.opts[0]}'"


def by_option(told: str = "Who does it; stands in the statement.", *, required: bool = False) -> Callable[..., Any]:
    """Return the option ``--by NAME``, which a command gets as `operator`; ``--operator`` is an older name of it.

    Args:
        told: the line of its help.
        required: whether it must be given.
    """
    settings: dict[str, Any] = {"required": True} if required else {"default": ""}
    return click.option("--by", _OLD, "operator", cls=_Renamed, metavar="NAME", help=told, **settings)
