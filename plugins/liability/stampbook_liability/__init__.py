"""Liability: what customers may still ask for, how much revenue is deferred for it, and how much of it will break.

The arithmetic stands in `deferral`, `breakage`, `escheat` and `reserve`; what the law says, in `jurisdictions`; what
the ledger comes to, in `report` and `books`. Nothing here moves value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import Plugin, hookimpl
from stampbook_liability.config import LiabilityConfig
from stampbook_liability.estimates import money_of, of_points, of_value
from stampbook_liability.limited_network import CITES, EURO
from stampbook_liability.measuring import Lawful

if TYPE_CHECKING:
    import click

    from stampbook_liability.report import Terms

__all__ = ["Liability"]

_UNKNOWN = "without euro_rate the report cannot say whether more than 1000000 EUR were spent in 12 months"


class Liability(Plugin[LiabilityConfig]):
    """Reports what customers may still ask for, and what of it is deferred revenue or breakage."""

    Config = LiabilityConfig
    alone = True
    sole = "its command would be there twice"
    commands = ("liability",)

    def prepare(self) -> None:
        """Read estimates and laws, and check that they fit the assets."""
        config, program = self.config, self.program
        self._points = of_points(config, program)
        self._value = [
            Lawful(options, estimates, program.calendar, config.rounding)
            for options, estimates in zip(config.stored_value, of_value(config, program), strict=True)
        ]
        self.cautions = tuple(
            (("stored_value", place), f"{CITES[options.jurisdiction]}: {_UNKNOWN}")
            for place, options in enumerate(config.stored_value)
            if options.jurisdiction in CITES
            and (options.asset or program.currency.code) != EURO
            and options.euro_rate is None
        )
        reserve = config.reserve
        self._reserve = None if reserve is None else money_of(program, reserve.asset, "reserve.asset")

    @property
    def terms(self) -> Terms:
        """All that a report needs of the program."""
        from stampbook_liability.report import Terms

        return Terms(self.program, self.config, self._points, self._value, self._reserve)

    @hookimpl
    def register_commands(self, cli: click.Group) -> None:
        """Add `liability`."""
        from stampbook_liability.commands import commands

        cli.add_command(commands(self.terms))
