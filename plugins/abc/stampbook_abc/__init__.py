"""ABC analysis: the few accounts that bring most of the revenue, margin or orders, those in the middle, the others.

A program asks for it with::

    [[plugin]]
    use = "abc"
    window = "12 months"

The options stand in `stampbook_abc.config`, the definitions and formulas in `stampbook_abc.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from stampbook import Plugin, PluginError, hookimpl
from stampbook_abc.config import AbcConfig

if TYPE_CHECKING:
    from datetime import datetime

    import narwhals as nw

    from stampbook import Context
    from stampbook_abc import rules

__all__ = ["Abc", "AbcConfig", "AbcOfLines"]


class Abc(Plugin[AbcConfig]):
    """Puts every account that ever bought or returned something into one of three classes by its share."""

    Config = AbcConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other segments than before."""

    def __new__(cls, config: AbcConfig, *, name: str, program: Context) -> Self:
        """Look at lines only where the metric is made of them, since a history may come without."""
        del name, program
        kind: Any = AbcOfLines if cls is Abc and config.by in {"quantity", "margin"} else cls
        made: Self = super().__new__(kind)
        return made

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return the columns of `rules.RESULT_COLUMNS`; value is money in minor units, or a number of orders.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        rules = self._rules()
        by: Literal["revenue", "orders"] = "orders" if self.config.by == "orders" else "revenue"
        valued = rules.of_purchases(history, at, by, self.since(at))
        classified: nw.LazyFrame[Any] = rules.classify(valued, self.borders(), self.config.names)
        return classified

    def borders(self) -> rules.Borders:
        """Return where the options let the classes end."""
        config = self.config
        borders: rules.Borders = self._rules().Borders(config.a, config.b, config.crossing, config.method == "computed")
        return borders

    def since(self, at: datetime) -> datetime | None:
        """Return the first instant of the window that ends with `at`, in UTC; None for a lifetime."""
        from stampbook import first_instant

        return None if self.config.window.is_lifetime else first_instant(self.config.window, at, self.program.calendar)

    def _rules(self) -> Any:
        try:
            from stampbook_abc import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        return rules


class AbcOfLines(Abc):
    """The same by what the lines of purchases say: pieces, or margin."""

    @hookimpl
    def segment(  # type: ignore[override]  # a scheme names the frames that it wants, and this one wants one more
        self, history: nw.LazyFrame[Any], at: datetime, lines: nw.LazyFrame[Any]
    ) -> nw.LazyFrame[Any]:
        """Return the columns of `rules.RESULT_COLUMNS`; value is margin in minor units, or millionths of pieces.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        rules, config = self._rules(), self.config
        by: Literal["quantity", "margin"] = "quantity" if config.by == "quantity" else "margin"
        valued = rules.of_lines(history, lines, at, by, self.since(at), config.rates, config.other_rate)
        classified: nw.LazyFrame[Any] = rules.classify(valued, self.borders(), config.names)
        return classified
