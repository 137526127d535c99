"""The command line: one small module a command group, loaded when one of its commands is used.

`COMMANDS` is the table of them all. Help of the command list comes from it, so that ``stampbook --help`` loads
neither the engine nor a database.
"""

from __future__ import annotations

import click

from stampbook import __version__
from stampbook.cli.lazy import Known, LazyGroup

COMMANDS = {
    "init": Known("programs:init", "Create the database, or bring it up to this version.", "Set up"),
    "check": Known("programs:check", "Check program files, and run the examples in them.", "Set up"),
    "schema": Known("programs:schema", "Print the JSON Schema of a program file, for editors.", "Set up"),
    "apply": Known("programs:apply", "Put a program in force.", "Set up"),
    "import": Known("files:import_", "Import events from JSON Lines, CSV or Parquet.", "Events"),
    "topup": Known("events:topup", "Pay money in for stored value.", "Events"),
    "spend": Known("events:spend", "Spend stored value or points.", "Events"),
    "adjust": Known("events:adjust", "Grant or take value by hand, for a stated reason.", "Events"),
    "extend": Known("events:extend", "Make what an account holds good for longer, for a stated reason.", "Events"),
    "hold": Known("holds:hold", "Set value aside, capture it, release it, and list what is set aside.", "Events"),
    "return": Known(
        "events:return_", "Take back a purchase: all that remains of it, some lines, or an amount.", "Events"
    ),
    "exchange": Known(
        "events:exchange", "Change one asset of an account into another, at the program's rate.", "Events"
    ),
    "transfer": Known("events:transfer", "Give value of one account to another, with the terms of its lots.", "Events"),
    "post": Known("events:post", "Post an event of any kind.", "Events"),
    "tick": Known("upkeep:tick", "Post what time has brought: expiries, reviews of tiers.", "Events"),
    "account": Known("accounts:account", "Open, list, show, freeze, unfreeze and close accounts.", "Look up"),
    "statement": Known("statements:statement", "List what happened on an account, in words.", "Look up"),
    "explain": Known("statements:explain", "Say why a transaction, a refusal or an account is what it is.", "Look up"),
    "segments": Known("segment_commands:segments", "Put all accounts into segments, and look at them.", "Look up"),
    "verify": Known("upkeep:verify", "Derive every balance anew from the journal, and compare.", "Keep"),
    "export": Known("files:export", "Write the books for beancount, hledger, or a spreadsheet.", "Keep"),
    "plugins": Known("plugins:plugins", "Look at the plugins that are installed.", "Keep"),
}


@click.command(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--db", metavar="DB", help="Database: a SQLite file, or postgresql://…  [env: STAMPBOOK_DB; stampbook.db]"
)
@click.version_option(__version__, "-V", "--version", prog_name="stampbook")
@click.pass_context
def cli(context: click.Context, db: str | None) -> None:
    """Keep loyalty and stored-value accounts by the rules of a program file.

    \b
    Begin with a ready program:
      stampbook init --list
      stampbook init --program coffee_shop
      stampbook topup 1001 50.00
      stampbook statement 1001

    Every command has --help with examples, and --json for programs. A command exits with 0 when all went
    well, 1 with one line on what went wrong, 2 when an event was refused or the command was misused.
    """  # noqa: D301 - click's own mark for a paragraph that keeps its lines
    context.obj = db


def main() -> None:
    """Run the command line."""
    cli()
