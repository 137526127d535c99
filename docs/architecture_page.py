"""The generated parts of docs/architecture.md: the rooms, the invariants with what checks them, and the tables.

As in `programs_page`, a part stands between ``<!-- begin NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from sqlmodel import SQLModel

from stampbook.ledger import INVARIANTS
from stampbook.store import tables

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
ENGINE = ROOT / "engine" / "stampbook"

_PART = re.compile(r"(<!-- begin (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

_BEFORE = "before it is written"
_CHECKED_BY = {
    "I1": f"`ledger.check_postings`, `account.check` {_BEFORE}; `verify`",
    "I3": "`verify`: each lot against the sum of its postings",
    "I4": "`verify`; the key of the journal is account and position",
    "I5": "`verify`; `journal.seal` never goes back",
    "I6": f"`account.check` {_BEFORE}; `verify`",
    "I7": f"`account.check` {_BEFORE}; `verify`: each hold against the journal",
    "I8": f"`account.check` {_BEFORE}; `verify`",
    "I9": f"`account.check` (a new lot is empty) {_BEFORE}; the rest follows from I3",
    "I11": "`lots.draw` chooses; `verify` by deciding again",
    "I12": f"`account.check` {_BEFORE}; `verify`",
    "I13": "a unique key, in the transaction that writes the entry; `verify`: keys against the journal, both ways",
    "I14": "a refusal has no transaction that could be applied; `verify` by I3 and I25",
    "I15": f"`refunding.check_plan` {_BEFORE}; `verify` by deciding again",
    "I16": "no statement changes a journal row; `verify` by the hashes, and the database's own check",
    "I17": "`verify`",
    "I18": "`replay.fold` is how it is worked out",
    "I20": f"`account.check` {_BEFORE}; `verify`",
    "I21": "`verify`",
    "I23": "`amounts.split`, `amounts.portion`: property tests",
    "I24": f"`pipeline` {_BEFORE}; `verify`",
    "I25": "`verify`: the rows of account, metrics and facts against the journal",
    "I28": f"`account.check` {_BEFORE}; `verify`",
    "I29": "the statement that writes it; `verify`: the leases of campaigns against the metrics of accounts",
    "I30": "written with the entry, in one transaction; `verify`: each row against the entry, decided again",
    "I26": "`verify`: the programs put in force, of which none may be gone, against those that the journal names",
    "I27": "`verify`: the book of transfers over all accounts",
}


def page() -> str:
    """Return docs/architecture.md with its generated parts made anew."""
    parts = {"rooms": _rooms, "invariants": _invariants, "tables": _tables}
    return _PART.sub(
        lambda match: f"{match[1]}\n{parts[match['name']]()}\n\n{match[3]}", PAGE.read_text(encoding="utf-8")
    )


def _rooms() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [it for it in project["tool"]["importlinter"]["contracts"] if it["type"] == "layers"]
    floors = [[room.strip().strip("()") for room in layer.split(":")] for layer in contract["layers"]]
    width = max(len(room) for floor in floors for room in floor) + 2
    lines = [f"{'stampbook':{width}}{_about(ENGINE / '__init__.py')}", ""]
    for floor in floors:
        for room in sorted(floor):
            folder = ENGINE / room
            file = folder / "__init__.py" if folder.is_dir() else ENGINE / f"{room}.py"
            lines.append(f"{room + ('/' if folder.is_dir() else ''):{width}}{_about(file)}")
        lines.append("")
    return "```text\n" + "\n".join(lines).strip() + "\n```"


def _about(file: Path) -> str:
    """Return the first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def _invariants() -> str:
    rows = [f"| {code} | {text} | {_CHECKED_BY[code]} |" for code, text in INVARIANTS.items()]
    return "\n".join(["| code | what holds | what checks it |", "| --- | --- | --- |", *rows])


def _tables() -> str:
    models = {mapper.class_.__tablename__: mapper.class_ for mapper in SQLModel._sa_registry.mappers}  # noqa: SLF001 - SQLAlchemy offers no other list
    rows = []
    for name, table in tables.TABLES.tables.items():
        key = ", ".join(f"`{column.name}`" for column in table.primary_key.columns)
        about = " ".join((models[name].__doc__ or "").split())
        rows.append(f"| `{name}` | {key} | {about} |")
    return "\n".join(["| table | key | what it keeps |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
