"""Options of the stored value plugin: what may be topped up, and what is given for it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from stampbook import OrderCondition, PeriodText, PluginConfig, Rounding, ValidityText, check_reads, refuse

_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"
_NAME = r"^[a-z][a-z0-9_-]{0,62}$"
_DURATION = r"^\d{1,4} (second|minute|hour|day)s?$"
_LONGEST = 7 * 24 * 3600
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}
_RATE = r"^\d{1,9}(\.\d{1,9})?$"
_PERCENT = r"^\d{1,3}(\.\d{1,4})?%$"

Decimal = Annotated[str, Field(pattern=_DECIMAL)]
Percent = Annotated[str, Field(pattern=_PERCENT)]


def _duration(value: Any) -> Any:
    """Read a duration in words as microseconds."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(_DURATION, value):
        refuse(f"{value!r} is no duration such as '30 seconds', '10 minutes', '24 hours' or '7 days'")
    count, unit = value.removesuffix("s").split(" ")
    seconds = int(count) * _SECONDS[unit]
    if not 0 < seconds <= _LONGEST:
        refuse(f"{value!r} is not between 1 second and 7 days; limits over longer times are those of a metric")
    return seconds * 1_000_000


DurationText = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "examples": ["30 seconds", "24 hours"]}),
]
"""A short time in words, as microseconds."""


def _beyond_the_account(when: OrderCondition) -> str | None:
    """Return what a condition reads that is not of the account, if anything."""
    known = ("account.", "metric.", "balance.")
    return next((name for name in sorted(when.reads) if not name.startswith(known)), None)


class TopUpBounds(PluginConfig):
    """What a top-up may be. Of several tables the first applies whose currency and condition fit."""

    currency: Annotated[str | None, Field(description="top-ups of this currency; the program's where absent")] = None
    when: Annotated[
        OrderCondition | None,
        Field(description="condition, such as account.card == 'registered'; always where absent"),
    ] = None
    minimum: Annotated[Decimal | None, Field(description="the least that a top-up may be")] = None
    maximum: Annotated[Decimal | None, Field(description="the most that a top-up may be")] = None
    step: Annotated[Decimal | None, Field(description="a top-up is a multiple of so much")] = None
    ceiling: Annotated[
        Decimal | None, Field(description="the most that the account may hold after a top-up and what is given with it")
    ] = None
    ceiling_counts: Annotated[
        Literal["all", "paid"],
        Field(description="what counts for the ceiling: all value of the currency, or paid only"),
    ] = "all"

    @model_validator(mode="after")
    def _sound(self) -> TopUpBounds:
        for key in ("minimum", "maximum", "step", "ceiling"):
            text = getattr(self, key)
            if text is not None and not Fraction(text):
                refuse(f"{key}: write more than nothing")
        if self.minimum is not None and self.maximum is not None and Fraction(self.minimum) > Fraction(self.maximum):
            refuse(f"minimum {self.minimum} is above maximum {self.maximum}")
        if self.when is not None:
            check_reads([self.when], on=["topup"], per_line=False)
        return self


class Bracket(PluginConfig):
    """What a top-up from an amount on is given: a fixed amount, or a share of it."""

    start: Annotated[Decimal, Field(alias="from", description="from this amount on")]
    gives: Annotated[Decimal | None, Field(description="so much, in whole units of what is given")] = None
    share: Annotated[
        Percent | None, Field(description="this share of the top-up, in whole units of what is given", examples=["10%"])
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> Bracket:
        if (self.gives is None) == (self.share is None):
            refuse("a bracket has either gives = '100' or share = '10%'")
        return self


class Instalments(PluginConfig):
    """Gives a bonus in equal parts over time instead of at once."""

    count: Annotated[
        int, Field(strict=True, ge=2, le=366, description="how many parts; the first get what is left over")
    ]
    every: Annotated[Literal["day", "week", "month"], Field(description="how long from one part to the next")] = "month"
    first: Annotated[
        Literal["at once", "later"], Field(description="the first part comes with the top-up, or one such time later")
    ] = "at once"
    ends_on_refund: Annotated[
        bool,
        Field(
            strict=True, description="no more parts once any of the top-up's own value was paid back to the customer"
        ),
    ] = True


class Keep(PluginConfig):
    """On what condition a bonus is the customer's to keep; else what is left of it is taken back."""

    within: Annotated[PeriodText, Field(description="how long there is for it: judged when the last local day is over")]
    when: Annotated[
        OrderCondition,
        Field(
            description="condition on the account as it is then",
            examples=["metric.visits >= 3", "metric.refunded == 0"],
        ),
    ]
    spent: Annotated[
        Literal["let go", "debt"],
        Field(
            description="what was spent of it already is let go, or the account owes it (needs debt = true of "
            "the asset)"
        ),
    ] = "let go"
    merged: Annotated[
        Literal["free", "goes along"],
        Field(
            description="when its account is merged into another before that: the bonus is free of the condition, or "
            "that goes along, and is judged on the other account"
        ),
    ] = "free"

    @model_validator(mode="after")
    def _of_the_account(self) -> Keep:
        other = _beyond_the_account(self.when)
        if other is not None:
            refuse(f"when: it is judged when the time is over, whatever happened; {other} is not known then")
        return self


class Bonus(PluginConfig):
    """What is given for a top-up. Several may be given at once; those of one group as [stacking] says."""

    name: Annotated[str, Field(pattern=_NAME, description="unique in the table; shown to customers' helpers")]
    currency: Annotated[str | None, Field(description="top-ups of this currency; the program's where absent")] = None
    when: Annotated[OrderCondition | None, Field(description="condition; always where absent")] = None
    asset: Annotated[str | None, Field(description="what is given; the top-up's own currency where absent")] = None
    kind: Annotated[str, Field(pattern=_NAME, description="kind of the lot; `[kinds]` says where it may be spent")] = (
        "bonus"
    )
    brackets: Annotated[
        tuple[Bracket, ...],
        Field(alias="bracket", min_length=1, max_length=20, description="the highest that is reached"),
    ]
    most: Annotated[Decimal | None, Field(description="the most that one top-up is given")] = None
    rounding: Annotated[Rounding, Field(description="how a share becomes a whole amount")] = Rounding.FLOOR
    expires: Annotated[
        ValidityText | None, Field(description="validity from the day on which it is given; for ever where absent")
    ] = None
    priority: Annotated[int, Field(strict=True, ge=-100, le=100, description="a lower priority is spent first")] = 0
    group: Annotated[str, Field(description="stacking group; bonuses without one always count")] = ""
    instalments: Annotated[Instalments | None, Field(description="given in parts; at once where absent")] = None
    keep: Annotated[Keep | None, Field(description="condition on keeping it; it stays where absent")] = None

    @model_validator(mode="after")
    def _sound(self) -> Bonus:
        starts = [Fraction(bracket.start) for bracket in self.brackets]
        if starts != sorted(set(starts)):
            refuse("brackets: list them from the lowest to the highest, each from a value of its own")
        if self.kind in {"paid", "debt"}:
            refuse(f"kind: {self.kind!r} is the ledger's own; a bonus is no value that a customer paid")
        if self.instalments is not None and self.group:
            refuse("group: a bonus in instalments is given beside all others; leave out group")
        if self.instalments is not None and self.keep is not None:
            refuse("keep: a bonus in instalments is never there as a whole; give it at once, or leave out keep")
        if self.when is not None:
            check_reads([self.when], on=["topup"], per_line=False)
        return self


class Coupon(PluginConfig):
    """What of the program's catalogue a top-up brings. All that fit are given, each once a top-up."""

    reward: Annotated[
        str, Field(min_length=1, description="a reward of the program's catalogue, which costs nothing here")
    ]
    start: Annotated[Decimal, Field(alias="from", description="for top-ups from this amount on")]
    below: Annotated[Decimal | None, Field(description="and below this one; any where absent")] = None
    currency: Annotated[str | None, Field(description="top-ups of this currency; the program's where absent")] = None
    when: Annotated[OrderCondition | None, Field(description="condition; always where absent")] = None

    @model_validator(mode="after")
    def _sound(self) -> Coupon:
        if self.below is not None and Fraction(self.below) <= Fraction(self.start):
            refuse(f"below {self.below} leaves nothing from {self.start} on")
        if self.when is not None:
            check_reads([self.when], on=["topup"], per_line=False)
        return self


class Velocity(PluginConfig):
    """How much stored value may be spent within a time. Holds count when they are authorised, not when captured."""

    within: Annotated[
        DurationText, Field(description="the time that counts, up to each spend", examples=["10 minutes"])
    ]
    count: Annotated[int | None, Field(strict=True, ge=1, le=1000, description="the most spends")] = None
    amount: Annotated[Decimal | None, Field(description="the most that they come to")] = None
    currency: Annotated[str | None, Field(description="stored value of this currency; the program's where absent")] = (
        None
    )

    @model_validator(mode="after")
    def _limits(self) -> Velocity:
        if self.count is None and self.amount is None:
            refuse("a velocity limit has count = 3, amount = '500', or both")
        return self


class Repeat(PluginConfig):
    """A spend like the one before, within seconds, is taken for a second press of the button."""

    within: Annotated[DurationText, Field(description="how soon after another one", examples=["30 seconds"])]
    made_ids: Annotated[
        tuple[str, ...],
        Field(
            description="how ids begin that a machine made up; an id of the sender's own is believed. None: no id is"
        ),
    ] = ("cli-",)


class Low(PluginConfig):
    """Says so once, with the event `balance.low`, when stored value falls below an amount."""

    below: Annotated[Decimal, Field(description="low is what is below this")]
    currency: Annotated[str | None, Field(description="of this currency; the program's where absent")] = None


class Automatic(PluginConfig):
    """Asks the payment system for a top-up, with the event `topup.requested`, when stored value is below an amount."""

    below: Annotated[Decimal, Field(description="it is asked for below this")]
    amount: Annotated[Decimal, Field(description="how much is asked for")]
    when: Annotated[
        OrderCondition | None,
        Field(description="of which accounts: a condition on the account, such as account.auto == 'yes'"),
    ] = None
    currency: Annotated[str | None, Field(description="of this currency; the program's where absent")] = None
    per_day: Annotated[int, Field(strict=True, ge=1, le=100, description="the most requests of a local day")] = 1
    per_month: Annotated[int, Field(strict=True, ge=1, le=1000, description="the most of a calendar month")] = 5
    open_for: Annotated[
        DurationText, Field(description="none is asked for while one is open: until its top-up, or so long")
    ] = 24 * 3600 * 1_000_000

    @model_validator(mode="after")
    def _of_the_account(self) -> Automatic:
        other = None if self.when is None else _beyond_the_account(self.when)
        if other is not None:
            refuse(f"when: it is asked for when the balance is low, whatever happened; {other} is not known then")
        if not Fraction(self.amount):
            refuse("amount: write more than nothing")
        return self


class Exchange(PluginConfig):
    """At which rate one asset of an account may be changed into another; what is not listed is never changed."""

    source: Annotated[str, Field(alias="from", description="asset that is given", examples=["CNY"])]
    target: Annotated[str, Field(alias="to", description="asset that comes for it", examples=["USD"])]
    rate: Annotated[
        str,
        Field(pattern=_RATE, description="whole units that come for one whole unit that is given", examples=["0.14"]),
    ]
    rounding: Annotated[Rounding, Field(description="how the whole sum becomes smallest units, once")] = Rounding.FLOOR
    minimum: Annotated[Decimal | None, Field(description="the least that may be given")] = None

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Exchange:
        assets: Any = getattr(info.context, "assets", {})
        for code in (self.source, self.target):
            if code not in assets:
                refuse(f"{code!r} is not an asset of the program, which has {', '.join(assets)}")
        if self.source == self.target:
            refuse(f"{self.source} is not changed into itself")
        if not Fraction(self.rate):
            refuse("rate: write more than nothing")
        return self


class StoredValueConfig(PluginConfig):
    """Rules of stored value."""

    topups: Annotated[tuple[TopUpBounds, ...], Field(alias="topup", description="what a top-up may be")] = ()
    bonuses: Annotated[tuple[Bonus, ...], Field(alias="bonus", description="what is given for top-ups")] = ()
    coupons: Annotated[
        tuple[Coupon, ...],
        Field(
            alias="coupon", max_length=50, description="what of the catalogue top-ups bring: coupons, vouchers, goods"
        ),
    ] = ()
    velocities: Annotated[
        tuple[Velocity, ...], Field(alias="velocity", max_length=10, description="how much may be spent within a time")
    ] = ()
    repeat: Annotated[Repeat | None, Field(description="what is taken for the same spend, sent again")] = None
    lows: Annotated[tuple[Low, ...], Field(alias="low", max_length=10, description="when a balance is low")] = ()
    automatic: Annotated[
        tuple[Automatic, ...], Field(max_length=10, description="when the payment system is asked for a top-up")
    ] = ()
    exchanges: Annotated[
        tuple[Exchange, ...],
        Field(alias="exchange", max_length=50, description="which asset may be changed into which"),
    ] = ()
    refund_books: Annotated[
        tuple[str, ...],
        Field(description="books into which value goes that is paid back to the customer"),
    ] = ("cash", "refunds")

    @model_validator(mode="after")
    def _unique(self, info: ValidationInfo) -> StoredValueConfig:
        names = [bonus.name for bonus in self.bonuses]
        for name in sorted({name for name in names if names.count(name) > 1}):
            refuse(f"two bonuses are named {name!r}; give one of them another name")
        assets: Any = getattr(info.context, "assets", {})
        pairs = [(exchange.source, exchange.target) for exchange in self.exchanges]
        for source, target in sorted({pair for pair in pairs if pairs.count(pair) > 1}):
            refuse(f"two exchanges are from {source} to {target}; which rate holds?")
        tables: tuple[TopUpBounds | Bonus | Coupon | Velocity | Low | Automatic, ...] = (
            *self.topups,
            *self.bonuses,
            *self.coupons,
            *self.velocities,
            *self.lows,
            *self.automatic,
        )
        for table in tables:
            code = table.currency
            if code is not None and code not in assets:
                refuse(f"{code!r} is not an asset of the program, which has {', '.join(assets)}")
        return self
