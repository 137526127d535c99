"""init, check, schema, apply: databases and the programs in them."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.running import Run, command, engine_of, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.engine import Engine
    from stampbook.registry import Registry


@command(
    "init",
    "init",
    "init --list",
    "init --program coffee_shop",
    "init --db shop.db --program my-program.toml",
)
@click.option("--program", metavar="NAME|FILE", help="Put a program in force: a ready one by its name, or a file.")
@click.option("--list", "only_list", is_flag=True, help="List the ready programs and do nothing else.")
def init(run: Run, program: str | None, *, only_list: bool) -> None:
    """Create the database, or bring it up to this version.

    Harmless if it is there. A ready program named by --program is copied into the current folder, to be made your
    own, and put in force.
    """
    if only_list:
        _list_ready(run)
        return
    ready = None if program is None else _ready_file(program)
    path = None if program is None else Path(f"{program}.toml" if ready else program)
    checked = None if path is None else _checked(ready or path)
    with nullcontext() if ready is None or path is None else _copied(ready, path):
        engine = engine_of(run.db, create=True)
        click.get_current_context().call_on_close(engine.close)
        in_force = {kept.hash for kept in engine.programs()}
        if checked is not None and path is not None:
            if not in_force:
                engine.put_in_force(path)
            elif checked.hash not in in_force:
                fail(f"another program is in force already; to change it, run: stampbook apply {ready or path}")
    data = {"database": _address(engine), "program": None if path is None else str(path)}

    def tell() -> None:
        click.echo(f"The database {data['database']} is ready.")
        if path is not None:
            click.echo(f"The program {path} is in force. Change it as you like, then run: stampbook apply {path}")
        else:
            click.echo(
                "Next: stampbook init --list, and stampbook init --program NAME, to put a ready program in force."
            )

    run.answer(data, tell)


def _address(engine: Engine) -> str:
    """Return the address of a database without a password."""
    before, at, after = engine.store.url.rpartition("@")
    scheme, separator, login = before.partition("://")
    return f"{scheme}{separator}{login.partition(':')[0]}{at}{after}" if at else after


def _ready() -> dict[str, Path]:
    """Return the ready programs by name: those of the package, or of the checkout that it runs from."""
    import stampbook

    package = Path(stampbook.__file__).parent
    for folder in (package / "programs", package.parents[1] / "config"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def _list_ready(run: Run) -> None:
    from stampbook.cli.printing import print_table

    rows = [{"name": name, "about": _first_words(path)} for name, path in _ready().items()]
    run.answer(rows, lambda: print_table(["name", "what it is"], [[row["name"], row["about"]] for row in rows]))


def _first_words(path: Path) -> str:
    """Return the first paragraph of the comment at the head of a program file."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or not text:
            break
        words.append(text)
    return " ".join(words)


def _ready_file(program: str) -> Path | None:
    """Return the file of a ready program, or None where a file is named; end where there is neither."""
    given = Path(program)
    if given.is_file() or given.suffix or given.name != program:
        return None
    ready = _ready()
    if program not in ready:
        from stampbook.errors import near

        fail(f"there is no ready program {program!r}{near(program, ready)}; see: stampbook init --list")
    target = Path(f"{program}.toml")
    try:
        is_another = target.exists() and target.read_bytes() != ready[program].read_bytes()
    except OSError as error:
        fail(f"{target} is here already and cannot be read: {error.strerror}")
    if is_another:
        fail(f"{target} is here already and was changed; to use it as it is, run: stampbook init --program {target}")
    return ready[program]


@contextmanager
def _copied(ready: Path, target: Path) -> Iterator[None]:
    """Copy a ready program into the current folder; if what follows fails, it was never there."""
    if target.exists():
        yield
        return
    try:
        target.write_bytes(ready.read_bytes())
    except OSError as error:
        if target.is_file():
            target.unlink()
        fail(f"{target} cannot be written: {error.strerror}")
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _checked(path: Path) -> Registry:
    """Return a program without mistakes, whose examples hold; else say what is wrong and end."""
    from stampbook.loading import load_file
    from stampbook.replay import check_examples

    registry = load_file(path)
    failed = [
        f"{path}: example {each.name!r}: {problem}" for each in check_examples(registry) for problem in each.problems
    ]
    if failed:
        fail("\n".join(failed))
    return registry


@command(
    "check",
    "check coffee_shop.toml",
    "check coffee_shop.toml my-program.toml --json",
    "check my-program.toml --against stampbook.db",
    needs_db=False,
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--against", metavar="DB", help="Say too which accounts of this database would change their tier.")
def check(run: Run, files: tuple[Path, ...], against: str | None) -> None:
    """Check program files, and run the examples in them.

    All mistakes of a file are reported at once, each as FILE:LINE: KEY: what is wrong. Then its [[example]] tables
    are run, each in a ledger of its own. The exit code is 1 if anything is wrong.
    """
    results = [_examined(path) for path in files]
    if against is not None:
        _compare(results, against)
    run.answer(results, lambda: _tell_checked(results))
    if not all(result["ok"] for result in results):
        click.get_current_context().exit(1)


def _compare(results: list[dict[str, Any]], against: str) -> None:
    """Add to each sound program whom it would move in a database."""
    from stampbook.cli.moves import moves_of
    from stampbook.loading import load_file

    engine = engine_of(against)
    click.get_current_context().call_on_close(engine.close)
    for result in results:
        if result["program"] is not None:
            result["moves"] = moves_of(engine, load_file(result["file"]))


_IDLE = "it never comes to more than 0, so the rule grants nothing"


def _examined(path: Path) -> dict[str, Any]:
    from stampbook.bounds import idle_formulas
    from stampbook.errors import ProgramError
    from stampbook.loading import load_file, read_text
    from stampbook.replay import check_examples
    from stampbook.toml_source import Source, key_text

    data: dict[str, Any] = {"file": str(path), "ok": False, "program": None}
    data |= {"mistakes": [], "warnings": [], "examples": []}
    try:
        registry = load_file(path)
    except ProgramError as error:
        data["mistakes"] = [
            {"file": m.file, "line": m.line, "key": m.key, "message": m.message, "text": str(m)} for m in error.mistakes
        ]
        return data
    source = Source(read_text(path), str(path))
    data["program"] = {"name": registry.context.name, "hash": registry.hash}
    cautions = [
        (("plugin", position, *place), message)
        for position, plugin in enumerate(registry.plugins)
        for place, message in plugin.cautions
    ]
    data["warnings"] = [
        {"file": str(path), "line": source.line(place), "key": key_text(place), "message": message}
        for place, message in (*((place, _IDLE) for place, _ in idle_formulas(registry)), *cautions)
    ]
    data["examples"] = [
        {
            "name": result.name,
            "line": source.line(("example", result.position)),
            "ok": result.ok,
            "problems": list(result.problems),
            "lines": [source.line(("example", result.position, *place)) for place in result.places],
        }
        for result in check_examples(registry)
    ]
    data["ok"] = all(example["ok"] for example in data["examples"])
    return data


def _tell_checked(results: list[dict[str, Any]]) -> None:
    from stampbook.cli.moves import tell_moves
    from stampbook.cli.printing import counted

    for result in results:
        path = result["file"]
        for mistake in result["mistakes"]:
            click.echo(mistake["text"], err=True)
        for each in result["warnings"]:
            click.echo(f"{path}:{each['line']}: {each['key']}: warning: {each['message']}", err=True)
        failed = [example for example in result["examples"] if not example["ok"]]
        for example in failed:
            for line, problem in sorted(zip(example["lines"], example["problems"], strict=True)):
                click.echo(f"{path}:{line}: example {example['name']!r}: {problem}", err=True)
        if result["mistakes"]:
            click.echo(f"{path}: {counted(len(result['mistakes']), 'mistake')}")
        elif failed:
            click.echo(f"{path}: {len(failed)} of {counted(len(result['examples']), 'example')} failed")
        else:
            count = len(result["examples"])
            held = (
                "there are no examples to run"
                if not count
                else "the example holds"
                if count == 1
                else f"all {count} examples hold"
            )
            click.echo(f"{path}: {result['program']['name']}: no mistakes, {held}")
        if "moves" in result:
            tell_moves(result["moves"])


@command("schema", "schema", needs_db=False)
def schema(run: Run) -> None:
    """Print the JSON Schema of a program file, for editors.

    It knows the options of all installed plugins. Save it beside your program and name it in its first line,
    "#:schema ./stampbook.schema.json": editors with TOML support then complete and check while you type.
    """
    from stampbook.cli.printing import print_json
    from stampbook.loading import program_schema

    print_json(program_schema(lambda reason: run.note(f"Warning: left out: {reason}")))


@command(
    "apply",
    "apply coffee_shop.toml",
    "apply coffee_shop.toml --dry-run",
    "apply coffee_shop.toml --from 2030-01-01",
)
@click.argument("file", metavar="PROGRAM", type=click.Path(path_type=Path))
@click.option("--from", "start", metavar="TIME", help="From when it holds; now where absent (the first: always).")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
def apply(run: Run, file: Path, start: str | None, *, dry_run: bool) -> None:
    """Put a program in force.

    The file is checked and its examples are run first; if anything is wrong, nothing changes. Says what changed,
    key by key, and from when it holds; with --dry-run also which accounts would change their tier. What was decided
    before stays as it was decided, and a late event is judged by the program that was in force when it happened.
    """
    registry = _checked(file)
    engine = run.engine
    from stampbook.loading import read_text
    from stampbook.periods import NEVER

    calendar = registry.context.calendar
    at = None if start is None else calendar.parse(start)
    kept = engine.programs()
    begins = at if at is not None else (engine.clock() if kept else -NEVER)
    before = next((program for program in reversed(kept) if program.effective_from <= begins), None)
    if before is None and kept:
        before, begins = kept[0], kept[0].effective_from
    same = before is not None and before.hash == registry.hash
    changes = [] if before is None else list(changed(before.content, read_text(file)))
    data = {
        "program": registry.context.name,
        "file": str(file),
        "hash": registry.hash,
        "from": None if begins == -NEVER else calendar.local(begins),
        "replaces": None if before is None else {"file": before.file, "hash": before.hash},
        "changes": changes,
        "applied": not dry_run and not same,
    }
    if dry_run and not same:
        from stampbook.cli.moves import moves_of

        data["moves"] = moves_of(engine, registry)
    if not dry_run and not same:
        engine.put_in_force(file, effective_from=at)
    run.answer(data, lambda: _tell_applied(data, same=same))


def _tell_applied(data: dict[str, Any], *, same: bool) -> None:
    from stampbook.cli.printing import moment

    if same:
        click.echo(f"{data['program']} is in force as it stands in {data['file']}; nothing changed.")
        return
    for change in data["changes"]:
        click.echo(f"  {change['key']}: {change['before'] or 'absent'} -> {change['after'] or 'absent'}")
    if data["replaces"] is not None and not data["changes"]:
        click.echo("  only comments and layout changed")
    if data.get("moves"):
        from stampbook.cli.moves import tell_moves

        tell_moves(data["moves"])
    since = f"from {moment(data['from'])}" if data["from"] else "from the beginning"
    verb = "is in force" if data["applied"] else "would be in force"
    click.echo(f"{data['program']} ({data['file']}, {data['hash'][:12]}) {verb} {since}.")


def changed(before: str, after: str) -> Iterator[dict[str, str]]:
    """Yield each key whose value differs between two program texts, both values as text; examples are left out."""
    from stampbook.toml_source import Source

    old, new = (dict(_flat(Source(text).data)) for text in (before, after))
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key) and not key.startswith("example"):
            yield {"key": key, "before": old.get(key, ""), "after": new.get(key, "")}


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and text of every value; a table of a list is named by its name, so that order does not tell."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value, 1):
            name = item.get("name") or item.get("use") or number
            yield from _flat(item, f"{path}[{name}]")
    else:
        yield path, repr(value)
