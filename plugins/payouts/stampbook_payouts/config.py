"""Options of the payouts plugin: the policy packs of a program, what its terms say, rates, and who approves."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stampbook import AmountError, Asset, Period, PeriodError, PeriodText, PluginConfig, near, refuse
from stampbook_payouts.clauses import broken, read_percent
from stampbook_payouts.law import ALWAYS, Sold
from stampbook_payouts.packs import PACKS
from stampbook_payouts.packs.uk_eu import PLACES as EUROPE
from stampbook_payouts.packs.us_federal import PLACES as STATES

_PERCENT = r"^(100|\d{1,2}(\.\d{1,4})?)%$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_MONEY = r"^\d{1,12}(\.\d{1,6})?$"
_TERMS = ("refunds", "validity", "fee", "idle_fee", "idle_months", "ceiling", "transfer", "reissue", "prices")


class Rate(PluginConfig):
    """A yearly rate of interest from a day on, as it was published; the operator keeps the table."""

    name: Annotated[
        Literal["lpr_1y", "deposit_1y"],
        Field(description="`lpr_1y`: the one-year loan prime rate; `deposit_1y`: the one-year deposit benchmark"),
    ]
    from_day: Annotated[str, Field(alias="from", pattern=_DAY, description="the first day", examples=["2025-05-20"])]
    rate: Annotated[str, Field(pattern=_PERCENT, description="a year's rate", examples=["3.00%"])]

    @field_validator("from_day")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        _a_day(value)
        return value


class EarlierTerms(PluginConfig):
    """The terms of cards that were sold between two days, as customers were told them."""

    sold_from: Annotated[str | None, Field(pattern=_DAY, description="the first day; nobody knows where absent")] = None
    sold_until: Annotated[str, Field(pattern=_DAY, description="the last day", examples=["2022-12-09"])]
    validity: Annotated[str, Field(description="how long their money is good: `never` ends, or a period")] = "never"
    idle_fee: Annotated[str | None, Field(pattern=_MONEY, description="a monthly fee on those that are not used")] = (
        None
    )
    idle_months: Annotated[int | None, Field(ge=1, description="after how many months without use")] = None

    @field_validator("sold_from", "sold_until")
    @classmethod
    def _is_a_day(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.field_name == "sold_until":
            _in_order(info.data.get("sold_from"), value)
        return _a_day(value)

    @field_validator("validity")
    @classmethod
    def _a_period(cls, value: str) -> str:
        return _a_validity(value)

    @field_validator("idle_fee")
    @classmethod
    def _in_the_currency(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _an_amount(value, info)

    @model_validator(mode="after")
    def _fits(self) -> EarlierTerms:
        _go_together(self.idle_fee, self.idle_months)
        return self


class PayoutsConfig(PluginConfig):
    """By which laws the stored balance is refunded, and the terms that the operator tells customers."""

    packs: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            description="policy packs: `cn-2025`, `cn-single-purpose-card`, `cn-beijing`, `us-federal`, `uk-eu`, "
            "`contract`; of several the one that gives the customer most decides",
        ),
    ]
    card: Annotated[
        Literal["registered", "bearer"], Field(description="whether the operator knows whose the card is")
    ] = "registered"
    places: Annotated[
        tuple[str, ...], Field(description="where it is sold: states such as `CA`, or `IE`, whose own rules hold too")
    ] = ()
    reloadable: Annotated[bool, Field(description="whether money can be paid in again")] = True
    single_use: Annotated[bool, Field(description="whether a card is good for one purchase only")] = False
    distance: Annotated[bool, Field(description="whether top-ups are distance contracts, such as in an app")] = False
    e_money: Annotated[bool, Field(description="whether the stored value is electronic money")] = False

    cards: Annotated[
        Literal["claimed", "bearer"],
        Field(
            description="of the cards that the plugin `cards` sells: `claimed`, what is on one comes back once it was "
            "claimed for an account; `bearer`, to who has it as well, and its sale and top-ups are judged by the packs"
        ),
    ] = "claimed"
    sold_from: Annotated[
        str | None, Field(pattern=_DAY, description="the first day on which cards were sold by the terms below")
    ] = None
    sold_until: Annotated[
        str | None, Field(pattern=_DAY, description="the last such day; they are sold by them still where absent")
    ] = None

    passes: Annotated[
        Literal["any day", "as cards"],
        Field(description="when passes (`pass.sold`) are sold: on any day, or as cards are, on days with terms"),
    ] = "any day"

    refunds: Annotated[
        Literal["balance", "none"],
        Field(description="what the terms say: what was paid in and is left comes back on request, or not"),
    ] = "balance"
    validity: Annotated[
        str,
        Field(description="how long the terms say that money is good: `never` ends, or a period", examples=["5 years"]),
    ] = "never"
    fee: Annotated[str, Field(pattern=_PERCENT, description="what the terms keep of a refund")] = "0%"
    idle_fee: Annotated[
        str | None, Field(pattern=_MONEY, description="a monthly fee on cards that are not used, by the terms")
    ] = None
    idle_months: Annotated[int | None, Field(ge=1, description="after how many months without use that fee begins")] = (
        None
    )
    ceiling: Annotated[
        str | None,
        Field(pattern=_MONEY, description="the most money that a card may hold; that of the packs where absent"),
    ] = None
    transfer: Annotated[Literal["yes", "no"], Field(description="whether the terms allow to hand a card on")] = "yes"
    reissue: Annotated[Literal["yes", "no"], Field(description="whether a lost card is issued again")] = "yes"
    prices: Annotated[
        Literal["by agreement", "operator alone"], Field(description="who may change prices of what was paid for")
    ] = "by agreement"

    earlier: Annotated[
        tuple[EarlierTerms, ...],
        Field(description="terms of cards that were sold before; the packs judge them by the laws of those days"),
    ] = ()

    valid_for: Annotated[
        PeriodText, Field(validate_default=True, description="how long a quote holds, if the balance stays as it is")
    ] = "7 days"  # type: ignore[assignment]  # read as a period
    cash: Annotated[
        tuple[Annotated[str, Field(pattern=r"\w")], ...],
        Field(
            description="what tills call cash in `tender`, besides names that everybody knows such as `cash payment` "
            "and `现金支付`; case, blanks, signs and a currency beside a name make no difference",
            examples=[["till money", "备用金"]],
        ),
    ] = ()
    second_person_above: Annotated[
        str | None, Field(pattern=_MONEY, description="above this another person than who asked has to approve")
    ] = None
    other_currencies: Annotated[
        Literal["at_par", "by_packs"],
        Field(
            description="of an account that is closed and pays out: what was paid in of other currencies than the "
            "program's goes back at par, or as the packs quote it; amounts of a law are those of its own currency"
        ),
    ] = "at_par"
    rounding: Annotated[
        Literal["half_up", "ceil"],
        Field(description="of the refund: to the nearest unit, or up, to the customer's good"),
    ] = "half_up"
    sessions: Annotated[str | None, Field(description="asset that counts the sessions of packs")] = None
    rate: Annotated[tuple[Rate, ...], Field(description="rates of interest, by the day from which they hold")] = ()

    @field_validator("packs")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in PACKS:
                refuse(f"there is no pack {name!r}{near(name, PACKS) or '; there are ' + ', '.join(PACKS)}")
        return value

    @field_validator("places")
    @classmethod
    def _somewhere(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = (*STATES, *EUROPE)
        for place in value:
            if place not in known:
                refuse(f"no pack has rules for {place!r}{near(place, known) or '; there are ' + ', '.join(known)}")
        return value

    @field_validator("sold_from", "sold_until")
    @classmethod
    def _is_a_day(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.field_name == "sold_until":
            _in_order(info.data.get("sold_from"), value)
        return _a_day(value)

    @field_validator("validity")
    @classmethod
    def _a_period(cls, value: str) -> str:
        return _a_validity(value)

    @field_validator("second_person_above", "idle_fee", "ceiling")
    @classmethod
    def _in_the_currency(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _an_amount(value, info)

    @field_validator(
        "refunds", "validity", "fee", "idle_fee", "idle_months", "ceiling", "transfer", "reissue", "prices"
    )
    @classmethod
    def _lawful(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a term that breaks a pack, with the article, at its own key."""
        packs = [PACKS[name] for name in info.data.get("packs", ())]
        sold = _sold(info.data.get("sold_from"), info.data.get("sold_until"))
        problems = list(broken(str(info.field_name), value, packs, card_of(info.data), _money(info).code, sold))
        if problems:
            refuse("; ".join(problems))
        return value

    @field_validator("earlier")
    @classmethod
    def _were_lawful(cls, value: tuple[EarlierTerms, ...], info: ValidationInfo) -> tuple[EarlierTerms, ...]:
        """Refuse terms of earlier cards that broke a pack when those were sold."""
        packs, facts = [PACKS[name] for name in info.data.get("packs", ())], card_of(info.data)
        money = _money(info).code
        problems = [
            f"cards sold until {terms.sold_until}: {term}: {problem}"
            for terms in value
            for term in ("validity", "idle_fee", "idle_months")
            for problem in broken(
                term, getattr(terms, term), packs, facts, money, _sold(terms.sold_from, terms.sold_until)
            )
        ]
        if problems:
            refuse("; ".join(problems))
        return value

    @model_validator(mode="after")
    def _fits(self) -> PayoutsConfig:
        _go_together(self.idle_fee, self.idle_months)
        if "contract" not in self.packs and read_percent(self.fee):
            refuse("fee: only the pack 'contract' gives money back less a fee")
        return self


def _money(info: ValidationInfo) -> Asset:
    """Return the currency of the program that is being read."""
    context: Any = info.context
    return Asset("", 2) if context is None else context.currency


def _an_amount(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None:
        try:
            _money(info).units(value)
        except AmountError as error:
            refuse(str(error))
    return value


def sold_of(config: PayoutsConfig) -> Sold:
    """Return when cards were sold by the terms of a program."""
    return _sold(config.sold_from, config.sold_until)


def _sold(first: str | None, last: str | None) -> Sold:
    """Return from when until when; what is not said of one end is all that may be, and of neither from now on."""
    if first is None and last is None:
        return Sold()
    days = (None if day is None else date.fromisoformat(day).toordinal() for day in (first, last))
    since, until = days
    return Sold(0 if since is None else since, ALWAYS if until is None else until)


def _a_day(value: str | None) -> str | None:
    try:
        date.fromisoformat(value or "2000-01-01")
    except ValueError:
        refuse(f"{value!r} is no day of the calendar")
    return value


def _a_validity(value: str) -> str:
    if value != "never":
        try:
            Period.parse(value)
        except PeriodError as error:
            refuse(str(error))
    return value


def _in_order(first: str | None, last: str | None) -> None:
    if first is not None and last is not None and last < first:
        refuse(f"{last} comes before sold_from, {first}")


def _go_together(fee: str | None, months: int | None) -> None:
    if (fee is None) != (months is None):
        refuse("idle_fee and idle_months go together: how much, and after how many months")


def card_of(options: Any) -> frozenset[str]:
    """Return what is so of the card, as rules and clauses ask for it; options are those that were read so far."""
    facts = {options.get("card", "registered"), *(f"place {place}" for place in options.get("places", ()))}
    facts.add("reloadable" if options.get("reloadable", True) else "not reloadable")
    if options.get("single_use"):
        facts.add("single use")
    facts |= {key for key in ("distance", "e_money") if options.get(key)}
    return frozenset(facts)


__all__ = ["EarlierTerms", "PayoutsConfig", "Rate", "card_of", "sold_of"]
