from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from stampbook.cli import COMMANDS, cli
from stampbook.cli.running import Taught
from tests.cli.shop import one_line, run

if TYPE_CHECKING:
    from collections.abc import Iterator


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from walk(inner, (*path, name))


COMMANDS_OF_ALL = dict(walk(cli))
EXAMPLES = [
    pytest.param(path, example, id=example)
    for path, command in COMMANDS_OF_ALL.items()
    if isinstance(command, Taught)
    for example in command.examples
]


MORE_PROGRAM = {
    "transfer": '[[plugin]]\nuse = "transfers"\nasset = "points"\n',
    "exchange": """
[assets.CHF]
[[plugin]]
use = "stored_value"
[[plugin.exchange]]
from = "EUR"
to = "CHF"
rate = "0.94"
""",
}
"""What the shop's program needs besides, for the examples of some commands."""


@pytest.mark.parametrize("path", COMMANDS_OF_ALL, ids=" ".join)
def test_every_command_teaches_with_examples_of_its_own(path: tuple[str, ...]) -> None:
    command = COMMANDS_OF_ALL[path]
    assert isinstance(command, Taught)
    assert command.examples
    assert all(shlex.split(example)[: len(path)] == list(path) for example in command.examples)
    shown = run(*path, "--help").stdout
    assert all(f"  stampbook {example}\n" in shown for example in command.examples)


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_an_example_of_the_help_runs(path: tuple[str, ...], example: str, request: pytest.FixtureRequest) -> None:
    if path[0] == "init":
        folder: Path = request.getfixturevalue("empty")
        template: Path = request.getfixturevalue("template")
        (folder / "my-program.toml").write_bytes((template / "my-program.toml").read_bytes())
    else:
        request.getfixturevalue("shop")
    if path[0] == "segments" and (path[1] in {"show", "flow", "who", "explain", "runs"} or "--runs" in example):
        run("segments", "run", "--at", "2025-03-31")
    if path[0] == "hold" and path[1] != "authorise":
        run("hold", "authorise", "1001", "20.00", "--id", "table-7")
    if path[0] in MORE_PROGRAM:
        program = Path("coffee_shop.toml").read_text(encoding="utf-8").partition("[[example]]")[0]
        Path("more.toml").write_text(program + MORE_PROGRAM[path[0]], encoding="utf-8")
        run("apply", "more.toml")
    run(*shlex.split(example))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    first = (command.help or "").partition("\n")[0]
    assert COMMANDS[name].about == first
    assert name in run("--help").stdout


def test_a_misspelt_command_is_answered_with_a_near_name(shop: Path) -> None:
    result = run("statment", "1001", code=2)
    assert "there is no command 'statment' (did you mean 'statement'?)" in result.stderr


def test_the_version() -> None:
    assert run("--version").stdout.startswith("stampbook, version ")


@pytest.mark.parametrize("arguments", [["--help"], ["topup", "--help"], ["account", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['stampbook', *{arguments!r}]\n"
        "from stampbook.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    shown = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True).stdout
    loaded = set(shown.splitlines()[-1].split())
    assert not loaded & {
        "pydantic",
        "sqlmodel",
        "sqlalchemy",
        "rich",
        "polars",
        "narwhals",
        "alembic",
        "orjson",
        "pluggy",
    }


def test_refs_complete_in_a_shell(shop: Path) -> None:
    asked = {"_STAMPBOOK_COMPLETE": "bash_complete", "COMP_WORDS": "stampbook account show 100", "COMP_CWORD": "3"}
    code = "from stampbook.cli import main; main()"
    environment = {**os.environ, **asked}
    command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'stampbook'; {code}"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=shop, check=False).stdout
    assert shown.splitlines() == [f"plain,{number}" for number in range(1001, 1009)]


def test_completion_without_a_database_is_silent(empty: Path) -> None:
    asked = {"_STAMPBOOK_COMPLETE": "bash_complete", "COMP_WORDS": "stampbook statement 1", "COMP_CWORD": "2"}
    code = "import sys; sys.argv[0] = 'stampbook'; from stampbook.cli import main; main()"
    environment = {**os.environ, **asked}
    run_ = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=empty, check=False
    )
    assert (run_.stdout.strip(), run_.stderr) == ("", "")
    assert not list(empty.iterdir())


_COMPLETED = """
eval "$(_STAMPBOOK_COMPLETE={shell}_source stampbook)"
complete -p stampbook
for words in "acc" "account sh" "account show 100" "statement 1001 --as"; do
    COMPREPLY=(); COMP_WORDS=(stampbook $words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _stampbook_completion stampbook
    echo "${COMPREPLY[@]}"
done
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
def test_a_real_bash_completes_commands_options_and_refs(shop: Path) -> None:
    home = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--norc", "-ec", _COMPLETED.replace("{shell}", "bash")]
    done = subprocess.run(
        command, env={**os.environ, "PATH": home}, capture_output=True, text=True, cwd=shop, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _stampbook_completion stampbook",
        "account",
        "show",
        " ".join(str(number) for number in range(1001, 1009)),
        "--as-of",
    ]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh on this machine")
def test_a_real_zsh_reads_the_completion() -> None:
    home = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    begin = 'autoload -Uz compinit; compinit -u -D; eval "$(_STAMPBOOK_COMPLETE=zsh_source stampbook)"'
    script = f"{begin}; echo $_comps[stampbook]"
    done = subprocess.run(
        ["zsh", "-fc", script], env={**os.environ, "PATH": home}, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("_stampbook_completion", "")


def test_a_command_of_nothing_that_is_known_is_bad_usage(empty: Path) -> None:
    assert "no command" in run("frobnicate", code=2).stderr
    assert not list(empty.iterdir())


def test_an_account_is_asked_for(shop: Path) -> None:
    assert "Missing argument 'ACCOUNT'" in run("statement", code=2).stderr
    assert one_line("statement", "1009").startswith("Error: no account 1009")
