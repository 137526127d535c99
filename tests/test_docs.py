"""The written pages: their programs load, their Python runs, their excerpts are real, their generated parts are new."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from stampbook import ProgramError, load_program
from stampbook.discovery import installed
from stampbook.ledger import INVARIANTS
from stampbook.testing import check_examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN = [
    "programs.md",
    "architecture.md",
    "liability.md",
    "segments.md",
    "writing-a-plugin.md",
    "refunds.md",
    "zh/refunds.md",
    "zh/segments.md",
    *sorted(f"policies/{path.name}" for path in (DOCS / "policies").glob("*.md")),
]

_FENCE = re.compile(
    r"(?:<!-- from (?P<source>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```\n(?P<after><!-- begin check -->)?",
    re.DOTALL,
)

_CODE = re.compile(r"`(\w+)`")
_OBJECTION = re.compile(r"""(?:\.object\(|\bObjection\(|_object_to\(draft, hold, amount,)\s*"(\w+)\"""")

# What a fragment may take for granted, each where the fragment does not bring its own.
TAKEN_FOR_GRANTED = {
    "[program]": '[program]\nname = "Fragment"\ncurrency = "GBP"\n',
    "[assets.points]": "[assets.points]\n",
}


def fences(page: str, kind: str) -> list[tuple[int, re.Match[str]]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [(text.count("\n", 0, it.start()) + 1, it) for it in _FENCE.finditer(text) if it["kind"] == kind]


def cases(kind: str) -> list[Any]:
    return [pytest.param(match, id=f"{page}:{line}") for page in WRITTEN for line, match in fences(page, kind)]


@pytest.mark.parametrize("fence", cases("toml"))
def test_every_program_in_the_docs_loads_or_shows_its_mistakes(fence: re.Match[str]) -> None:
    text = fence["text"]
    if fence["source"]:
        source = (ROOT / fence["source"]).read_text(encoding="utf-8")
        assert text in source
        return
    granted = "".join(more for table, more in TAKEN_FOR_GRANTED.items() if table not in text)
    if "[program]" not in text:
        load_program(granted + text)
        return
    try:
        registry = load_program(text)
    except ProgramError:
        assert fence["after"], "a program with mistakes is followed by what `stampbook check` says of it"
        return
    if not all(result.ok for result in check_examples(registry)):
        assert fence["after"], "an example that fails is followed by what `stampbook check` says of it"


@pytest.mark.parametrize("page", WRITTEN)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page")
    monkeypatch.setitem(__import__("sys").modules, "page", module)
    for line, match in fences(page, "python"):
        if match["source"]:
            source = (ROOT / match["source"]).read_text(encoding="utf-8")
            assert _bare(match["text"]) in _bare(source), f"{page}:{line} is not in {match['source']}"
            continue
        code = compile("\n" * line + match["text"], str(DOCS / page), "exec")
        exec(code, module.__dict__)


def _bare(code: str) -> str:
    """Return code without white space: an excerpt of a method stands further left than the method."""
    return re.sub(r"\s+", "", code)


def test_a_page_of_python_ran_at_all() -> None:
    assert len(fences("writing-a-plugin.md", "python")) > 8


def generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["programs_page", "architecture_page"])
def test_the_generated_parts_of_a_page_are_new(name: str) -> None:
    module = generator(name)
    assert module.page() == module.PAGE.read_text(encoding="utf-8"), f"run: python docs/{name}.py"


def tables_of(field: FieldInfo) -> list[type[BaseModel]]:
    kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def tables_within(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for table in tables_of(field):
            yield table
            yield from tables_within(table)


def test_every_table_of_every_bundled_plugin_has_its_keys_on_the_page() -> None:
    text = (DOCS / "programs.md").read_text(encoding="utf-8")
    told: dict[str, list[set[str]]] = {}
    for name, rows in re.findall(r"<!-- begin ([^>]+?) -->(.*?)<!-- end -->", text, re.DOTALL):
        told.setdefault(name.partition(".")[0], []).append(set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)))
    for name, plugin in installed().items():
        model = plugin.load().Config
        for table in (model, *tables_within(model)):
            outer = table is model
            keys = {field.alias or key for key, field in table.model_fields.items() if not (outer and tables_of(field))}
            assert keys in told[name], f"{name}: the table {table.__name__} is missing; see docs/programs_page.py"


def test_every_room_of_the_engine_is_in_the_house() -> None:
    engine = ROOT / "engine" / "stampbook"
    rooms = {path.stem for path in engine.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    house = text.partition("<!-- begin rooms -->")[2].partition("<!-- end -->")[0]
    told = {match[1] for match in re.finditer(r"^(\w+)/?\s", house, re.MULTILINE)}
    assert rooms - {"__init__", "__pycache__"} == told - {"stampbook"}


def test_every_invariant_is_in_the_table() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (I\d+) \|", text, re.MULTILINE) == list(INVARIANTS)


def test_links_between_pages_and_to_headings_lead_somewhere() -> None:
    for page in WRITTEN:
        text = (DOCS / page).read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if target.startswith("#"):
                assert target[1:] in headings, f"{page}: {target}"
            elif not target.startswith("http"):
                assert ((DOCS / page).parent / target.partition("#")[0]).is_file(), f"{page}: {target}"


def test_every_plugin_and_hook_is_spoken_of() -> None:
    from stampbook.discovery import installed
    from stampbook.hookspecs import Hooks

    programs = (DOCS / "programs.md").read_text(encoding="utf-8")
    bundled = [name for name, found in installed().items() if found.distribution == "stampbook"]
    assert [name for name in bundled if f'#### `use = "{name}"`' not in programs] == []
    plugins = (DOCS / "writing-a-plugin.md").read_text(encoding="utf-8")
    calls = plugins.partition("## When each hook is called")[2]
    assert [hook for hook in vars(Hooks) if not hook.startswith("_") and hook not in calls] == []


def test_the_excerpt_of_the_plugin_parses_as_toml() -> None:
    tomllib.loads((ROOT / "examples" / "donation_plugin" / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_reason_of_the_engine_to_refuse_is_explained() -> None:
    text = (DOCS / "programs.md").read_text(encoding="utf-8")
    table = text[text.index("### Why an event is refused") : text.index("## Every key")]
    told = {code for row in table.splitlines() if row.startswith("| `") for code in _CODE.findall(row.split("|")[1])}
    given = {
        code
        for path in (ROOT / "engine").rglob("*.py")
        for code in _OBJECTION.findall(path.read_text(encoding="utf-8"))
    }
    assert told == given
