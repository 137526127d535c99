"""Attributes: segments by what is known of a customer: region, industry, age, or anything that the program declares.

A program asks for it with::

    [[plugin]]
    use = "attributes"
    attribute = "region"
    values = { north = ["Leeds", "York"], south = ["London"] }

The options stand in `stampbook_attributes.config`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, hookimpl, near
from stampbook_attributes.config import AttributesConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Attributes", "AttributesConfig"]


class Attributes(Plugin[AttributesConfig]):
    """Names a segment for every account by one of its attributes, or by conditions on several."""

    Config = AttributesConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same attributes and options would give other segments than before."""

    def prepare(self) -> None:
        """Check the attribute's name, and say which segments there may be."""
        config, known = self.config, self.program.attributes
        if config.attribute is not None and config.attribute not in known:
            declared = ", ".join(known) or "none"
            hint = near(config.attribute, known)
            message = f"attribute: the program declares no {config.attribute!r}{hint}; it has {declared}"
            raise PluginError(message)
        if config.rules:
            names = [rule.segment for rule in config.rules]
        elif config.ages:
            names = [band.segment for band in config.ages]
        else:
            names = [*config.values]
        open_ended = not (config.rules or config.ages or config.values)
        self.segment_names = () if open_ended else tuple(dict.fromkeys([*names, config.other, config.unknown]))

    @hookimpl
    def segment(self, accounts: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return account, segment, value (of the attribute), age (in full years) and rule (its number, or 0).

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_attributes import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        return rules.segment(accounts, self.program.calendar.instant(at), self.config, self.program.calendar)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - of the base
        """Say in words why an account is in its segment."""
        config, name = self.config, row["segment"]
        if config.rules:
            if not row["rule"]:
                return (f"{name}: no condition holds",)
            return (f"{name}: rule {row['rule']}: {config.rules[row['rule'] - 1].when.text}",)
        told = f"{config.attribute} is {row['value']!r}" if row["value"] else f"{config.attribute} is not known"
        return (f"{name}: {told}" + ("" if row["age"] is None else f", {row['age']} years old"),)
