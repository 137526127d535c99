"""Telling whom a program would move before it is put in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.engine import Engine
    from stampbook.registry import Registry

NAMED = 20
"""How many accounts of one move are named on a terminal; JSON has them all."""


def moves_of(engine: Engine, registry: Registry) -> list[dict[str, Any]]:
    """Return whom a program would move, as plain data; nobody where none is in force yet."""
    from stampbook.moving import moves

    if not engine.programs():
        return []
    return [
        {
            "fact": move.fact,
            "before": move.before,
            "after": move.after,
            "when": move.when,
            "count": len(move.accounts),
            "accounts": list(move.accounts),
        }
        for move in moves(engine, registry)
    ]


def tell_moves(moves: Sequence[dict[str, Any]]) -> None:
    """Print moves, one a line, with the names of some accounts."""
    from stampbook.cli.printing import counted

    if not moves:
        click.echo("  no account would change its tier")
    for move in moves:
        names = ", ".join(move["accounts"][:NAMED])
        rest = f" and {move['count'] - NAMED} more" if move["count"] > NAMED else ""
        change = f"{move['fact']} {move['before'] or 'none'} -> {move['after'] or 'none'}"
        click.echo(f"  {move['when']}: {change}: {counted(move['count'], 'account')} ({names}{rest})")
