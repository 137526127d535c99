"""Write the generated pages of the documentation, or check that they are up to date.

    python docs/generate.py            write them
    python docs/generate.py --check    exit with 1, naming those that are stale

A new page is a function that returns its text, named in `PAGES`; pictures stand in docs/pictures.py.
"""

from __future__ import annotations

import runpy
import sys
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from inspect import cleandoc, getdoc, getmembers, isfunction, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).parent
WIDTH = 100
NOTE = "<!-- Written by docs/generate.py: change the source and run `make docs`. -->"


def cli_page() -> str:
    """Return the page of the command line: an introduction, and the help of every command."""
    from stampbook.cli import cli

    parts = [f"# The command line\n\n{NOTE}", CLI_INTRODUCTION.strip()]
    settings = {**cli.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    root = click.Context(cli, info_name="stampbook", **settings)
    parts.append(f"## stampbook\n\n```text\n{cli.get_help(root)}\n```")
    for path, help_text in helps(root):
        parts.append(f"## {path}\n\n```text\n{help_text}\n```")
    return "\n\n".join(parts) + "\n"


def helps(parent: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the path and the help of every command below a group."""
    group = parent.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None:
            continue
        context = click.Context(command, info_name=name, parent=parent)
        if isinstance(command, click.Group):
            yield from helps(context)
        else:
            yield context.command_path, command.get_help(context)


CLI_INTRODUCTION = """
`stampbook` keeps the books of one database by the programs that were put in force in it. This page is the `--help` of
every command; each of the examples in it is run by a test.

**The database** is named by `--db`, before the command or after it, or else by the environment variable
`STAMPBOOK_DB`; where neither is there, it is the SQLite file `stampbook.db` in the current folder. A file name,
`sqlite:///FILE` and `postgresql://USER@HOST/NAME` will do.

**Dates and times** are local to the program's time zone unless they carry an offset: `2025-03-31`,
`2025-03-31T18:00`, `2025-03-31T18:00:00+02:00`. With `--as-of`, `--known-at` and `--until` a date means the end of
that day; with `--from` and `--since` its beginning. `yesterday` is a date, too.

**Two times.** `--as-of` asks what was so at a moment, `--known-at` what the books knew of it at a moment. A sale of
30 March that a till sent in on 2 April is part of the account as of 31 March, and not of what was known then.

**Events and their ids.** `topup`, `spend`, `adjust` and the `account` commands post one event each. An id is never
posted twice: a second try with the same `--id` answers what the first came to. Without `--id` the command makes one up
and says which, once the event is posted, or together with an error that leaves open whether it was.

**JSON.** Every command that reads or writes takes `--json`: one document on standard output, amounts as decimal text,
times as ISO 8601. Notes, progress and errors go to standard error.

**Exit codes.** 0: all went well. 1: an error, in one line on standard error (`check` prints a line for each mistake,
`verify` a row for each finding). 2: a refusal, with its objections (of `import`: not one row could be posted); or the
command was not typed as its help says. Anything else is a bug and shows its traceback.

**A database that may only be read**, such as an archive or a copy for an auditor, can be looked at like any other.
Nothing is written beside it, and commands that would change it say so and do nothing.

**Terminals.** Where a table does not fit, each of its rows is shown in lines of its own. `NO_COLOR` is honoured.

**Completion.** Commands, options and the refs of accounts complete in a shell that was told so:

```console
$ eval "$(_STAMPBOOK_COMPLETE=bash_source stampbook)"    # bash; in ~/.bashrc
$ eval "$(_STAMPBOOK_COMPLETE=zsh_source stampbook)"     # zsh; in ~/.zshrc
$ _STAMPBOOK_COMPLETE=fish_source stampbook | source     # fish
```

**Commands of plugins.** A plugin may bring commands of its own. They can be used as soon as a program that uses the
plugin is in force.
"""


def hooks_page() -> str:
    """Return the page of the hooks: each with its signature, and the types that they give and take."""
    from stampbook import earlier, hookspecs, proposals, refund_plans

    parts = [f"# Hooks\n\n{NOTE}", cleandoc(hookspecs.__doc__ or "")]
    parts.append(
        f"This is contract {hookspecs.API_VERSION} (`stampbook.API_VERSION`). `docs/writing-a-plugin.md` tells the\n"
        "story from the first line; this page is for looking things up."
    )
    hooks = [name for name, _ in getmembers(hookspecs.Hooks, isfunction) if not name.startswith("_")]
    for name in sorted(hooks, key=lambda hook: getattr(hookspecs.Hooks, hook).__code__.co_firstlineno):
        function = getattr(hookspecs.Hooks, name)
        arguments = str(signature(function)).replace("self, ", "").replace("(self)", "()").replace("'", "")
        parts.append(
            f"## {name}\n\n```python\n@hookimpl\ndef {name}(self{_rest(arguments)}: ...\n```\n\n{_prose(function)}"
        )
    parts.append("## What hooks give and take")
    rooms = (hookspecs, proposals, refund_plans, earlier)
    kinds = dict.fromkeys(value for room in rooms for value in vars(room).values() if isinstance(value, type))
    parts.extend(
        f"### {kind.__name__}\n\n{_prose(kind)}\n\n{_fields(kind)}"
        for kind in kinds
        if _is_record(kind) and kind.__module__ in {room.__name__ for room in rooms}
    )
    return "\n\n".join(parts) + "\n"


def _rest(arguments: str) -> str:
    inner, _, returns = arguments.rpartition(") -> ")
    names = inner.removeprefix("(")
    return f"{', ' if names else ''}{names}) -> {returns}"


def _prose(thing: Any) -> str:
    return (getdoc(thing) or "").replace("``", "`")


def _is_record(kind: type) -> bool:
    return is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def _fields(kind: Any) -> str:
    annotations = kind.__annotations__
    defaults = getattr(kind, "_field_defaults", {})
    if is_dataclass(kind):
        defaults = {field.name: _default(field) for field in fields(kind) if _default(field) is not None}
    rows = ["| field | type | default |", "|---|---|---|"]
    for name, annotation in annotations.items():
        default = f"`{_literal(defaults[name])}`" if name in defaults else ""
        type_text = str(getattr(annotation, "__forward_arg__", annotation)).replace("|", "\\|")
        rows.append(f"| `{name}` | `{type_text}` | {default} |")
    return "\n".join(rows)


def _literal(value: object) -> str:
    from stampbook.periods import NEVER

    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    return "NEVER" if value == NEVER and isinstance(value, int) else repr(value)


def _default(field: Any) -> object:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else None


def written_page(module: str) -> Callable[[], str]:
    """Return what makes the generated parts of a written page anew: `page` of a module beside this one."""

    def page() -> str:
        return str(runpy.run_path(str(DOCS / f"{module}.py"))["page"]())

    return page


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "hooks.md": hooks_page,
    "programs.md": written_page("programs_page"),
    "architecture.md": written_page("architecture_page"),
    "importing.md": written_page("importing_page"),
}


def drawn_pictures() -> dict[str, Callable[[], str]]:
    """Return what draws each picture of `docs/pictures`, by its path."""
    drawn = runpy.run_path(str(DOCS / "pictures.py"))["pictures"]()
    return {f"pictures/{name}": draw for name, draw in drawn.items()}


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` compare them; return the exit code."""
    stale = []
    for name, page in (PAGES | drawn_pictures()).items():
        path, text = DOCS / name, page()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if arguments != ["--check"]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"docs/{name} {'is stale; run: make docs' if arguments == ['--check'] else 'written'}")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
