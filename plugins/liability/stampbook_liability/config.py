"""Options of the liability plugin: what a point sells for, what is expected of customers, and which law holds."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import InstantText, Money, PluginConfig, Rounding, near, refuse
from stampbook_liability.jurisdictions import EXEMPTIONS, JURISDICTIONS, LAWS
from stampbook_liability.limited_network import CITES

_PERCENT = r"^(100(\.0{1,4})?|\d{1,2}(\.\d{1,4})?)%$"
_DECIMAL = r"^\d{1,12}(\.\d{1,9})?$"

_Percent = Annotated[str, Field(pattern=_PERCENT)]


class PointsEstimate(PluginConfig):
    """What is expected of points from a day on."""

    since: Annotated[InstantText, Field(alias="from", description="from which day on, such as '2025-01-01'")]
    selling_price: Annotated[
        str | None,
        Field(
            pattern=_DECIMAL,
            description="what one point that is redeemed sells for by itself; as before where absent",
            examples=["0.01"],
        ),
    ] = None
    redeemed: Annotated[
        _Percent, Field(description="the part of granted points that will be redeemed", examples=["95%"])
    ]


class OfPoints(PluginConfig):
    """Points that come with sales: a part of each sale's price is deferred for them."""

    asset: Annotated[str, Field(description="the points")] = "points"
    kinds: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of lot that sales grant")] = (
        "earned",
        "bonus",
    )
    estimate: Annotated[
        tuple[PointsEstimate, ...], Field(min_length=1, description="what is expected, from each day on")
    ]

    @model_validator(mode="after")
    def _has_a_price(self) -> OfPoints:
        _in_order([each.since for each in self.estimate])
        if self.estimate[0].selling_price is None:
            refuse("estimate: the first needs a selling_price; later ones may leave it out")
        for number, each in enumerate(self.estimate, 1):
            if not any(sign in "123456789" for sign in each.redeemed):
                refuse(f"estimate: {each.redeemed} in number {number} would defer nothing; leave the asset out instead")
        return self


class ValueEstimate(PluginConfig):
    """How much of what is paid in will never be used, from a day on."""

    since: Annotated[InstantText, Field(alias="from", description="from which day on, such as '2025-01-01'")]
    unused: Annotated[_Percent, Field(description="the part of prepaid value that will never be used", examples=["5%"])]


class OfValue(PluginConfig):
    """Stored value: under which law it stands, and what is expected never to be used."""

    asset: Annotated[str | None, Field(description="the currency; the program's where absent")] = None
    kinds: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of lot that customers paid for")] = (
        "paid",
    )
    jurisdiction: Annotated[str, Field(description="whose law holds", examples=["UK", "US-DE", "CN"])]
    exempt_as: Annotated[
        str | None,
        Field(description=f"which exemption from unclaimed property holds: {', '.join(EXEMPTIONS)}"),
    ] = None
    dormancy_years: Annotated[
        int | None,
        Field(ge=1, le=50, description="years until value is unclaimed, where the table does not know or they differ"),
    ] = None
    euro_rate: Annotated[
        str | None,
        Field(
            pattern=_DECIMAL,
            description="euros for one unit of the currency where that is another one: the law bounds limited networks "
            "in euro",
            examples=["1.17"],
        ),
    ] = None
    estimate: Annotated[tuple[ValueEstimate, ...], Field(description="what will not be used, from each day on")] = ()

    @model_validator(mode="after")
    def _is_lawful(self) -> OfValue:
        if self.jurisdiction not in JURISDICTIONS:
            refuse(
                f"jurisdiction: nothing is known of {self.jurisdiction!r}{near(self.jurisdiction, JURISDICTIONS)}; "
                f"one of {', '.join(JURISDICTIONS)}"
            )
        if self.euro_rate is not None and (self.jurisdiction not in CITES or not self.euro_rate.strip("0.")):
            refuse(f"euro_rate: above zero, and only in {', '.join(CITES)}, where limited networks are bounded in euro")
        laws = [law for law in LAWS if law.jurisdiction == self.jurisdiction]
        known = sorted({name for law in laws for name in law.exemptions})
        if self.exempt_as is not None and self.exempt_as not in known:
            refuse(
                f"exempt_as: {self.jurisdiction} has no exemption {self.exempt_as!r}{near(self.exempt_as, known)}; "
                f"it has {', '.join(known) or 'none'}"
            )
        _in_order([each.since for each in self.estimate])
        last = laws[-1]
        if self.estimate and not last.kept and self.exempt_as is None:
            hint = f", or say exempt_as = {known[0]!r}" if known else ""
            why = f"{last.why} ({last.cite})"
            refuse(f"estimate: {self.jurisdiction} knows no breakage: {why}; leave the estimates out{hint}")
        return self


class Reserve(PluginConfig):
    """The reserve that issuers of Chinese single-purpose cards keep."""

    issuer: Annotated[Literal["scale", "group", "brand"], Field(description="class of issuer: 20 %, 30 % or 40 %")]
    asset: Annotated[str | None, Field(description="the currency; the program's where absent")] = None
    kinds: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of lot that customers paid for")] = (
        "paid",
    )
    covered: Annotated[Money, Field(description="what surety insurance or a bank guarantee covers")] = 0

    @model_validator(mode="after")
    def _covers(self) -> Reserve:
        if self.covered < 0:
            refuse("covered: it is not below zero")
        return self


class LiabilityConfig(PluginConfig):
    """What the plugin reports on."""

    points: Annotated[tuple[OfPoints, ...], Field(description="points that come with sales")] = ()
    stored_value: Annotated[tuple[OfValue, ...], Field(description="stored value")] = ()
    reserve: Annotated[Reserve | None, Field(description="the reserve of a Chinese issuer")] = None
    ages: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1200)], ...],
        Field(description="ages in months at which one group ends and the next begins"),
    ] = (3, 6, 12, 24)
    rounding: Annotated[Rounding, Field(description="how revenue becomes whole smallest units")] = Rounding.HALF_UP

    @model_validator(mode="after")
    def _has_no_doubles(self) -> LiabilityConfig:
        for what, tables in (("points", self.points), ("stored_value", self.stored_value)):
            codes = [(each.asset, kind) for each in tables for kind in each.kinds]
            twice = next((pair for pair in codes if codes.count(pair) > 1), None)
            if twice is not None:
                code, kind = twice
                refuse(f"{what}: {kind} lots{f' of {code}' if code else ''} are there twice; put them into one table")
        if any(later <= earlier for earlier, later in pairwise(self.ages)):
            refuse("ages: each is larger than the one before it")
        return self


def _in_order(instants: list[int]) -> None:
    if any(later <= earlier for earlier, later in pairwise(instants)):
        refuse("estimate: each begins after the one before it; put them in the order of their days")
