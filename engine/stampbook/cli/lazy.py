"""A command group whose commands are imported when they are used."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class Known(NamedTuple):
    """A command: ``module:name`` within `stampbook.cli`, its line in the list, and the heading above it."""

    place: str
    about: str
    heading: str


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What standard output answers when it takes no more."""

_BROUGHT = "stampbook.commands_of_plugins"
_NAMED_AFTER = "stampbook.database_named_after_the_command"


class LazyGroup(click.Group):
    """A group that knows its commands by a table, and asks plugins only for a name that is not in it."""

    def __init__(self, *args: Any, table: Mapping[str, Known] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.table, *(name for name in ctx.meta.get(_BROUGHT, {}) if name not in self.table)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = self.table.get(cmd_name)
        if known is None:
            if _BROUGHT not in ctx.meta:
                ctx.meta[_BROUGHT] = _commands_of_plugins(ctx)
            brought: click.Command | None = ctx.meta[_BROUGHT].get(cmd_name)
            return brought
        module, _, name = known.place.partition(":")
        command: click.Command = getattr(import_module(f"stampbook.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        ctx.meta[_NAMED_AFTER] = _database_in(args[1:])
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from stampbook.discovery import bringer_of, how_to_use
            from stampbook.errors import near

            if plugin := bringer_of(name):
                where = "where the program in force uses that"
                told = f"there is no command {name!r} here: plugin {plugin!r} brings it {where}"
                ctx.fail(f"{told}; {how_to_use(plugin)}")
            ctx.fail(f"there is no command {name!r}{near(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        headings: dict[str, list[tuple[str, str]]] = {}
        for name, known in self.table.items():
            headings.setdefault(known.heading, []).append((name, known.about))
        for heading, rows in headings.items():
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=12)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by whoever started us
                setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.filename is not None or error.errno not in _FULL:
                raise
            from stampbook.exporting.target import why_unwritable

            _end_output()
            click.echo(f"Error: the output was not written: {why_unwritable(error)}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            from stampbook.errors import StampbookError

            if not isinstance(error, StampbookError):
                raise
            _end_output()
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)


def _end_output() -> None:
    """Write out what is still to be written; where that fails, forget it, lest Python complains once more."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _database_in(args: list[str]) -> str | None:
    """Return the database that is named after a command: which commands there are may depend on it."""
    db = None
    for place, text in enumerate(args):
        if text == "--":
            break
        if text == "--db" and place + 1 < len(args):
            db = args[place + 1]
        elif text.startswith("--db="):
            db = text.removeprefix("--db=")
    return db


def _commands_of_plugins(ctx: click.Context) -> dict[str, click.Command]:
    """Return the commands that plugins of the program in force bring; none where there is no program yet."""
    from stampbook.cli.running import engine_of
    from stampbook.errors import StoreError

    group = click.Group()
    try:
        with engine_of(ctx.meta.get(_NAMED_AFTER) or ctx.params.get("db")) as engine:
            engine.registry().register_commands(group)
    except StoreError:
        return {}
    return dict(group.commands)


class Tree(click.Group):
    """A group whose commands are in the module that defines it; help keeps the order in which they stand."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)
