"""The generated parts of docs/programs.md: tables of keys, names and functions, and what the command line really says.

The page is written by hand around them. A part stands between ``<!-- begin NAME -->`` and ``<!-- end -->``; `page`
returns the page with each part made anew.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner
from pydantic import BaseModel

from stampbook.amounts import CURRENCIES
from stampbook.asset_tables import AssetTable
from stampbook.cli import cli
from stampbook.discovery import installed
from stampbook.event_tables import EventTable, FieldTable
from stampbook.events import CORE_EVENTS, OrderLine, ReturnLine, Tender
from stampbook.expressions import FUNCTIONS
from stampbook.kinds import KindTable
from stampbook.metric_tables import MetricTable
from stampbook.names import event_texts, vocabulary
from stampbook.periods import Window
from stampbook.program import (
    CampaignTable,
    Example,
    ExampleAccount,
    Header,
    LimitTable,
    ProgramFile,
)
from stampbook.segment_tables import SegmentTable, segment_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAGE = Path(__file__).parent / "programs.md"

_PART = re.compile(r"(<!-- begin (?P<name>[^>]+?) -->\n)(?P<old>.*?)(?P<end><!-- end -->)", re.DOTALL)
_TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def page() -> str:
    """Return docs/programs.md with its generated parts made anew."""
    text = PAGE.read_text(encoding="utf-8")

    def made(match: re.Match[str]) -> str:
        name = match["name"]
        new = _checked(_TOML.findall(text[: match.start()])[-1]) if name == "check" else _PARTS[name]()
        return f"{match[1]}\n{new}\n\n{match['end']}"

    return _PART.sub(made, text)


def _checked(program: str) -> str:
    """Return what `stampbook check` says of a program, as a console block."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("program.toml").write_text(program, encoding="utf-8")
        result = CliRunner().invoke(cli, ["check", "program.toml"])
    return f"```console\n$ stampbook check program.toml\n{result.output.rstrip()}\n```"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


_EXPRESSIONS = {"when": "a condition", "earn": "a formula", "sum": "a formula", "distinct": "a text expression"}


def _keys(model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> str:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    rows = [
        (
            f"`{key}`",
            _EXPRESSIONS.get(key) or _value(part, schema),
            "**needed**" if key in required else _default(part),
            _sentence(part),
        )
        for key, part in schema["properties"].items()
        if key not in leave_out
    ]
    return _table(("key", "value", "where absent", "what it does"), rows)


def _sentence(part: Mapping[str, Any]) -> str:
    text: str = part.get("description", "")
    return text[:1].upper() + text[1:].rstrip(".") if text else ""


def _default(part: Mapping[str, Any]) -> str:
    default = part.get("default")
    if default in (None, "", {}, []):
        return "–"
    if isinstance(default, dict):
        return f"`{Window(**default)}`" if "calendar_months" in default else "standard names"
    if isinstance(default, list):
        return ", ".join(f"`{item}`" for item in default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return in words what may stand behind a key, from its JSON Schema."""
    several = part.get("anyOf") or part.get("oneOf") or part.get("allOf")
    plain = part.get("type", "string")
    if "$ref" in part:
        words = _value(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
    elif part.get("examples") and plain == "string":
        words = " or ".join(f"`{one}`" for one in part["examples"])
    elif several:
        words = " or ".join(dict.fromkeys(_value(one, schema) for one in several if one.get("type") != "null"))
    elif "const" in part or "enum" in part:
        words = ", ".join(f"`{one}`" for one in part.get("enum", [part.get("const")]))
    elif plain == "array":
        words = f"list of {_value(part.get('items', {}), schema)}"
    elif plain == "string" and str(part.get("pattern", "")).startswith(r"^\d"):
        words = "number in quotes"
    else:
        kinds = {"string": "text", "boolean": "`true`, `false`", "integer": "whole number", "object": "table"}
        words = kinds[plain]
    return words


def _plugin(name: str, *path: str) -> Callable[[], str]:
    def keys() -> str:
        model: type[BaseModel] = installed()[name].load().Config
        tables = tuple(_inner(model))
        for step in path:
            model = _inner(model)[step]
        return _keys(model, () if path else tables)

    return keys


def _inner(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the models of tables inside a table, by the key under which they stand."""
    found: dict[str, type[BaseModel]] = {}
    for name, field in model.model_fields.items():
        for kind in getattr(field.annotation, "__args__", ()):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found[field.alias or name] = kind
    return found


def _names() -> str:
    texts = [text for name in sorted(installed()) for text in installed()[name].load().texts]
    scope = vocabulary(2, {"NAME": 0}, 2, {"NAME": 0})
    brought, event = event_texts(texts), scope["event"]
    for name in (name for name in brought.keys() & event.keys() if event[name].only):  # the engine's have it, too
        only, about = brought[name].only | event[name].only, f"{event[name].about}; {brought[name].about}"
        brought[name] = replace(brought[name], only=only, about=about)
    scope = {**scope, "event": {**event, **brought}}
    own = segment_names({"SCHEME": {"scores": ["NAME"]}})
    scope = {**scope, "account": {**scope["account"], **own}}
    rows = [
        (f"`{root}.{name}`", field.kind.words, field.about + _homes(field.only))
        for root, fields in scope.items()
        for name, field in fields.items()
    ]
    return _table(("name", "kind", "what it is"), rows)


def _homes(only: frozenset[str]) -> str:
    return f"; of {', '.join(f'`{kind}`' for kind in sorted(only))}" if only else ""


def _functions() -> str:
    return _table(("function", "what it gives"), [(f"`{it.signature}`", it.about) for it in FUNCTIONS.values()])


def _events() -> str:
    rows = []
    for kind in CORE_EVENTS:
        name = kind.model_fields["type"].default
        own = [key for key in kind.model_fields if key not in {"type", "id", "source", "account", "at"}]
        needed = [f"**`{key}`**" if kind.model_fields[key].is_required() else f"`{key}`" for key in own]
        rows.append((f"`{name}`", (kind.__doc__ or "").partition("\n")[0], ", ".join(needed) or "–"))
    for model, name in ((OrderLine, "a line of a purchase"), (ReturnLine, "a line of a return"), (Tender, "a tender")):
        keys = [f"**`{key}`**" if field.is_required() else f"`{key}`" for key, field in model.model_fields.items()]
        rows.append((name, (model.__doc__ or "").partition("\n")[0], ", ".join(keys)))
    return _table(("event", "what happened", "its own keys"), rows)


def _currencies() -> str:
    odd = {places: [code for code, n in CURRENCIES.items() if n == places] for places in (0, 3, 4)}
    parts = [f"{places}: {', '.join(codes)}" for places, codes in odd.items()]
    return f"{len(CURRENCIES)} currencies are known. All have two decimals but these. " + ". ".join(parts) + "."


def _top() -> str:
    return _keys(ProgramFile, ("program", "assets", "events", "metrics", "limits", "campaigns", "segments", "example"))


_PARTS: dict[str, Callable[[], str]] = {
    "program": lambda: _keys(Header),
    "assets": lambda: _keys(AssetTable),
    "currencies": _currencies,
    "kinds": lambda: _keys(KindTable),
    "metrics": lambda: _keys(MetricTable),
    "top": _top,
    "limits": lambda: _keys(LimitTable),
    "campaigns": lambda: _keys(CampaignTable),
    "example": lambda: _keys(Example, ("accounts",)),
    "events": _events,
    "names": _names,
    "functions": _functions,
    "points": _plugin("points"),
    "points.rule": _plugin("points", "rule"),
    "points.rule.bracket": _plugin("points", "rule", "bracket"),
    "points.rule.only": _plugin("points", "rule", "only"),
    "points.extend": _plugin("points", "extend"),
    "points.multiplier": _plugin("points", "multiplier"),
    "tiers": _plugin("tiers"),
    "tiers.level": _plugin("tiers", "level"),
    "tiers.level.gift": _plugin("tiers", "level", "gift"),
    "refunds": _plugin("refunds"),
    "refunds.to_stored_value": _plugin("refunds", "to_stored_value"),
    "refunds.topup_return": _plugin("refunds", "topup_return"),
    "refunds.chargeback": _plugin("refunds", "chargeback"),
    "redemption": _plugin("redemption"),
    "redemption.pay": _plugin("redemption", "pay"),
    "redemption.reward": _plugin("redemption", "reward"),
    "redemption.series": _plugin("redemption", "series"),
    "redemption.series.only": _plugin("redemption", "series", "only"),
    "cards": _plugin("cards"),
    "payouts": _plugin("payouts"),
    "payouts.rate": _plugin("payouts", "rate"),
    "payouts.earlier": _plugin("payouts", "earlier"),
    "stored_value": _plugin("stored_value"),
    "stored_value.topup": _plugin("stored_value", "topup"),
    "stored_value.bonus": _plugin("stored_value", "bonus"),
    "stored_value.bonus.bracket": _plugin("stored_value", "bonus", "bracket"),
    "stored_value.bonus.instalments": _plugin("stored_value", "bonus", "instalments"),
    "stored_value.bonus.keep": _plugin("stored_value", "bonus", "keep"),
    "stored_value.coupon": _plugin("stored_value", "coupon"),
    "stored_value.velocity": _plugin("stored_value", "velocity"),
    "stored_value.repeat": _plugin("stored_value", "repeat"),
    "stored_value.low": _plugin("stored_value", "low"),
    "stored_value.automatic": _plugin("stored_value", "automatic"),
    "stored_value.exchange": _plugin("stored_value", "exchange"),
    "achievements": _plugin("achievements"),
    "achievements.achievement": _plugin("achievements", "achievement"),
    "households": _plugin("households"),
    "households.limit": _plugin("households", "limit"),
    "transfers": _plugin("transfers"),
    "transfers.limit": _plugin("transfers", "limit"),
    "merging": _plugin("merging"),
    "merging.fact": _plugin("merging", "fact"),
    "legacy": _plugin("legacy"),
    "legacy.ladder": _plugin("legacy", "ladder"),
    "example.account": lambda: _keys(ExampleAccount),
    "referral": _plugin("referral"),
    "liability": _plugin("liability"),
    "liability.points": _plugin("liability", "points"),
    "liability.points.estimate": _plugin("liability", "points", "estimate"),
    "liability.stored_value": _plugin("liability", "stored_value"),
    "liability.stored_value.estimate": _plugin("liability", "stored_value", "estimate"),
    "liability.reserve": _plugin("liability", "reserve"),
    "event": lambda: _keys(EventTable),
    "event.field": lambda: _keys(FieldTable),
    "rfm": _plugin("rfm"),
    "rfm.cuts": _plugin("rfm", "cuts"),
    "rfm.weights": _plugin("rfm", "weights"),
    "abc": _plugin("abc"),
    "clv": _plugin("clv"),
    "churn": _plugin("churn"),
    "lifecycle": _plugin("lifecycle"),
    "behaviour": _plugin("behaviour"),
    "balance": _plugin("balance"),
    "preference": _plugin("preference"),
    "attributes": _plugin("attributes"),
    "attributes.age": _plugin("attributes", "age"),
    "attributes.rule": _plugin("attributes", "rule"),
    "custom": _plugin("custom"),
    "custom.rule": _plugin("custom", "rule"),
    "custom.level": _plugin("custom", "level"),
    "segments": lambda: _keys(SegmentTable),
    "spending": _plugin("spending"),
}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
