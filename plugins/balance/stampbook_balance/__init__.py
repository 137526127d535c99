"""Balance: layers of accounts by what stored value they hold, and whether it grows, shrinks or lies still.

A program asks for it with::

    [[plugin]]
    use = "balance"
    amounts = ["500", "100"]
    names = ["high", "middle", "low"]

The options stand in `stampbook_balance.config`, the definitions in `stampbook_balance.rules`.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import AmountError, Plugin, PluginError, first_instant, hookimpl
from stampbook_balance.config import BalanceConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Balance", "BalanceConfig"]


class Balance(Plugin[BalanceConfig]):
    """Names a layer for every account, those that never held anything included."""

    Config = BalanceConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same movements and options would give other layers than before."""

    def prepare(self) -> None:
        """Read the amounts in smallest units, and say which segments there may be."""
        config = self.config
        try:
            self._amounts = [self.program.currency.units(text) for text in config.amounts]
        except AmountError as error:
            message = f"amounts: {error}"
            raise PluginError(message) from None
        layers, moves = config.names, tuple(config.movements.values())
        names = {
            "layer": (*layers, config.empty),
            "movement": (*moves, config.empty),
            "both": (*(f"{layer}_{move}" for layer, move in product(layers, moves)), config.empty),
        }
        self.segment_names = tuple(dict.fromkeys(names[config.by]))

    @hookimpl
    def segment(self, accounts: nw.LazyFrame[Any], movements: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return account, segment, balance, change, layer, movement and days_since_spend.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_balance import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        since = first_instant(self.config.window, at, self.program.calendar)
        return rules.segment(accounts, movements, at, since=since, config=self.config, amounts=self._amounts)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - of the base
        """Say in words why an account is in its layer."""
        told = self.program.currency.told
        bounds = ", ".join(
            f"{name} from {text}" for name, text in zip(self.config.names, self.config.amounts, strict=False)
        )
        days = row["days_since_spend"]
        spent = "nothing was ever taken" if days is None else f"last taken from {days} days ago"
        return (
            f"{row['segment']}: {told(row['balance'])} stored{'; ' if bounds else ''}{bounds}",
            f"{row['movement']}: {told(row['change'])} in the window; {spent}, still after {self.config.dormant_days}",
        )
