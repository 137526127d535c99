"""docs/zh/segments.md: its commands print what it shows, and nothing of docs/segments.md is missing in it."""

from __future__ import annotations

import re
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from stampbook.discovery import installed
from tests.cli.shop import ROOT, run

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
CHINESE = (DOCS / "zh" / "segments.md").read_text(encoding="utf-8")
ENGLISH = (DOCS / "segments.md").read_text(encoding="utf-8")
PROGRAMS = (DOCS / "programs.md").read_text(encoding="utf-8")
COMMANDS = (DOCS / "cli.md").read_text(encoding="utf-8")

SCHEMES = sorted(
    name
    for name, found in installed().items()
    if found.distribution == "stampbook" and hasattr(found.load(), "segment")
)
SAID = {"**needed**": "**必填**", "standard names": "原名"}
_PART = re.compile(r"<!-- begin ([\w.]+) -->\n\n(.*?)\n\n<!-- end -->", re.DOTALL)
_KEYS = re.compile(r"<!-- keys of ([\w.]+) -->\n\n(.*?)\n\n", re.DOTALL)
_PICTURE = re.compile(r"!\[([^\]]+)\]\(((?:\.\./)?pictures/\w+\.svg)\)")
_PYTHON = re.compile(r"\S*python\S* -m stampbook\.cli")


def sections(page: str) -> dict[str, str]:
    """Return the text below each heading of the second level, by its first word."""
    parts = re.split(r"(?m)^## ", page)[1:]
    return {re.split(r"[：\n ]", part)[0]: part.partition("\n")[2] for part in parts}


def rows(table: str) -> dict[str, list[str]]:
    """Return the cells of each row of a Markdown table, by the first."""
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()[2:]]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


TABLES = {
    name: rows(table) for name, table in _PART.findall(PROGRAMS) if name.partition(".")[0] in {*SCHEMES, "segments"}
}
TOLD = {name: rows(table) for name, table in _KEYS.findall(CHINESE)}


def prose(section: str) -> str:
    return re.sub(r"```.*?```", "", section, flags=re.DOTALL)


def test_all_schemes_are_looked_at() -> None:
    assert len(SCHEMES) == 11
    assert set(SCHEMES) <= set(sections(ENGLISH))
    assert set(SCHEMES) <= set(sections(CHINESE))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_section_has_all_its_parts(scheme: str) -> None:
    formula = {"clv": "**模型。**", "churn": "**回测。**"}.get(scheme, "**公式。**")
    parts = (formula, f"<!-- keys of {scheme} -->", "**例。**", "**局限。**")
    assert [part for part in parts if part not in sections(CHINESE)[scheme]] == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_pages_show_the_same_pictures_of_a_scheme(scheme: str) -> None:
    english = _PICTURE.findall(sections(ENGLISH)[scheme])
    chinese = _PICTURE.findall(sections(CHINESE)[scheme])
    assert english
    assert [name for _, name in chinese] == [f"../{name}" for _, name in english]
    assert all(len(told) > least for shown, least in ((english, 30), (chinese, 15)) for told, _ in shown)
    assert all((DOCS / name).is_file() for _, name in english)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_whatever_the_english_page_names_is_named(scheme: str) -> None:
    """Options, scores and segments in code; sources with their titles, addresses, years, volumes and pages; figures."""
    english = re.sub(r"\*\*Worked example.*?(?=\n\n\*\*)", "", prose(sections(ENGLISH)[scheme]), flags=re.DOTALL)
    chinese = prose(sections(CHINESE)[scheme])
    code = "\n".join(re.findall(r"`([^`]+)`", chinese) + re.findall(r"(?m)^    .*$", chinese))
    assert [word for word in re.findall(r"`([^`]+)`", english) if not _alone(word, code)] == []
    assert [place for place in re.findall(r"https://[^)\s]+", english) if place not in chinese] == []
    titles = re.findall(r"(?<![*\w(])\*([A-Z][^*`]+)\*(?!\*)", english)
    assert [title for title in titles if _bare(title) not in _bare(chinese)] == []
    assert [figure for figure in re.findall(r"\w*\d[\d,.]*\d", english) if not _alone(figure, chinese)] == []


def _alone(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w.,]){re.escape(word)}(?!\w)", text, re.ASCII) is not None


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_every_table_of_options_is_there() -> None:
    assert set(TABLES) == set(TOLD)


@pytest.mark.parametrize("name", TABLES)
def test_options_have_their_keys_defaults_and_choices(name: str) -> None:
    assert list(TOLD[name]) == list(TABLES[name])
    for key, (value, default, _) in TABLES[name].items():
        own_default, meaning = TOLD[name][key]
        assert own_default == SAID.get(default, default), key
        choices = set(re.findall(r"`([a-z_]+)`", value)) - {"true", "false"}
        assert {choice for choice in choices if f"`{choice}`" not in own_default + meaning} == set(), key


def test_every_command_is_told_of() -> None:
    commands = re.findall(r"^## (stampbook segments \w+)$", COMMANDS, re.MULTILINE)
    assert len(commands) == 9
    told = rows(sections(CHINESE)["命令"].strip().partition("\n\n")[0])
    assert set(told) == {f"`{command}`" for command in commands}


def test_the_commands_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    module = ModuleType("page")
    for code in re.findall(r"```python\n(.*?)```", CHINESE, re.DOTALL):
        exec(code, module.__dict__)
    blocks = re.findall(r"```console\n(.*?)```", CHINESE, re.DOTALL)
    shown = [part.partition("\n") for block in blocks for part in re.split(r"(?m)^\$ ", block)[1:]]
    assert len(shown) > 20
    for command, _, expected in shown:
        printed = _steady(run(*command.split()[1:]).stdout)
        parts = [re.escape(part.strip()) for part in _steady(expected).split("…\n")]
        assert re.fullmatch(r"\s*(?s:.*)".join(parts), printed.strip()), f"{command}\n{printed}"
    assert (tmp_path / "沉睡老客.csv").read_text(encoding="utf-8").splitlines() == ["account", "1002"]
    assert "核心会员" in (tmp_path / "报告.html").read_text(encoding="utf-8")


def _steady(text: str) -> str:
    """Return output without what is another one on each machine: where Python is."""
    return _PYTHON.sub("python -m stampbook.cli", "\n".join(line.rstrip() for line in text.splitlines()) + "\n")
