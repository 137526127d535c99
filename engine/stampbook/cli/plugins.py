"""plugins list: what is installed, and what the program in force uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.lazy import Tree
from stampbook.cli.running import Run, command

if TYPE_CHECKING:
    from stampbook.registry import Registry


@click.group("plugins", cls=Tree)
def plugins() -> None:
    """Look at the plugins that are installed."""


@command("list", "plugins list", "plugins list --json", group=plugins)
def list_(run: Run) -> None:
    """List installed plugins: where they come from, what they do, and whether the program in force uses them."""
    from stampbook.discovery import installed
    from stampbook.errors import PluginError, ProgramError, StoreError
    from stampbook.hookspecs import Hooks

    registry: Registry | None
    try:
        registry = run.engine.registry()
    except StoreError:
        registry = None  # no database, or no program yet: the list is worth having all the same
    except ProgramError as error:
        registry = None
        run.note(f"Warning: the program in force cannot be used: {error.mistakes[0]}")
    hooks = [name for name in vars(Hooks) if not name.startswith("_")]
    rows: list[dict[str, Any]] = []
    for name, found in sorted(installed().items()):
        row: dict[str, Any] = {
            "name": name,
            "distribution": found.distribution,
            "about": "",
            "hooks": [],
            "used_as": [],
            "broken": None,
        }
        try:
            loaded = found.load()
        except PluginError as error:
            row["broken"] = str(error)
        else:
            row["about"] = (loaded.__doc__ or "").strip().partition("\n")[0].replace("``", "")
            row["hooks"] = [hook for hook in hooks if callable(getattr(loaded, hook, None))]
            used = registry.plugins if registry is not None else ()
            row["used_as"] = [plugin.name for plugin in used if type(plugin) is loaded]
        rows.append(row)
    run.answer(rows, lambda: _tell(rows))


def _tell(rows: list[dict[str, Any]]) -> None:
    from stampbook.cli.printing import print_table

    print_table(
        ["plugin", "from", "in the program as", "hooks", "what it does"],
        [
            [row["name"], row["distribution"], row["used_as"], row["hooks"], row["about"] or f"broken: {row['broken']}"]
            for row in rows
        ],
    )
    if not rows:
        click.echo("No plugins are installed.")
