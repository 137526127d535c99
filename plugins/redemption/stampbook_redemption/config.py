"""Options of the redemption plugin: points as money, rewards, and series of vouchers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from stampbook import OrderCondition, PeriodText, PluginConfig, ValidityText, WindowText, check_reads, refuse

_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_NAME = r"^[a-z][a-z0-9_-]{0,62}$"
_PERCENT = r"^(100|\d{1,2}(\.\d{1,4})?)%$"

_Decimal = Annotated[str, Field(pattern=_DECIMAL)]


def _one_or_several(schema: dict[str, Any]) -> None:
    """Let one table stand for a list of one, as it may in a file."""
    several = {key: schema.pop(key) for key in ("type", "items")}
    schema["anyOf"] = [several["items"], several]


class Pay(PluginConfig):
    """Points as money: a purchase may be paid in part with a tender of kind `points`."""

    points: Annotated[str, Field(pattern=_DECIMAL, description="so many points …", examples=["100"])]
    value: Annotated[str, Field(pattern=_DECIMAL, description="… are worth so much money", examples=["1.00"])]
    asset: Annotated[str | None, Field(description="asset that pays; the table's where absent")] = None
    minimum: Annotated[str | None, Field(pattern=_DECIMAL, description="the fewest points that may be used")] = None
    step: Annotated[
        str | None, Field(pattern=_DECIMAL, description="points are used in multiples of so many; any where absent")
    ] = None
    most_share: Annotated[
        str | None,
        Field(pattern=_PERCENT, description="the largest part of an order's total that they may pay", examples=["50%"]),
    ] = None
    most: Annotated[str | None, Field(pattern=_DECIMAL, description="the most money of an order that they pay")] = None
    when: Annotated[OrderCondition | None, Field(description="condition; always where absent")] = None
    same_order: Annotated[
        Literal["no", "yes"], Field(description="whether points that an order earns may pay for it")
    ] = "no"

    @model_validator(mode="after")
    def _worth(self) -> Pay:
        for key in ("points", "value", "step", "minimum"):
            text = getattr(self, key)
            if text is not None and not text.strip("0."):
                refuse(f"{key}: write more than nothing")
        if self.when is not None:
            check_reads([self.when], on=["purchase"], per_line=False)
        return self


class Given(PluginConfig):
    """What a reward or a voucher puts on the account."""

    gives: Annotated[
        str | None, Field(pattern=_DECIMAL, description="how much of `gives_asset` is put on the account")
    ] = None
    gives_asset: Annotated[
        str | None, Field(description="asset that is given: a free item, or the currency for stored value")
    ] = None
    gives_expires: Annotated[
        ValidityText | None, Field(description="validity of what is given, from that day; for ever where absent")
    ] = None

    @model_validator(mode="after")
    def _gives_something(self) -> Given:
        if (self.gives is None) != (self.gives_asset is None):
            refuse("gives and gives_asset go together: how much, and of what")
        if self.gives is not None and not self.gives.strip("0."):
            refuse("gives: leave it out where nothing is given")
        if self.gives is None and self.gives_expires is not None:
            refuse("gives_expires goes with gives")
        return self


class Offered(Given):
    """What may be had by some accounts, for some time."""

    on: ClassVar[tuple[str, ...]] = ()  # no rule that earns: it is not told of when an event is explained

    name: Annotated[str, Field(pattern=_NAME, description="unique in the table; events name it")]
    about: Annotated[str, Field(max_length=255, description="what it is, for people")] = ""
    when: Annotated[
        OrderCondition | None,
        Field(description="who may have it: a condition on the account, such as account.tier == 'gold'"),
    ] = None
    from_day: Annotated[
        str | None,
        Field(alias="from", pattern=_DAY, examples=["2025-03-01"], description="the first day; any where absent"),
    ] = None
    until_day: Annotated[
        str | None,
        Field(alias="until", pattern=_DAY, examples=["2025-03-31"], description="the last day; none where absent"),
    ] = None

    @model_validator(mode="after")
    def _reads_the_account(self) -> Offered:
        if self.when is not None:
            check_reads([self.when], on=["reward.redeemed"], per_line=False)
        if self.from_day is not None and self.until_day is not None and self.from_day > self.until_day:
            refuse(f"from {self.from_day} is after until {self.until_day}")
        return self


class Reward(Offered):
    """One reward of the catalogue."""

    price: Annotated[str | None, Field(pattern=_DECIMAL, description="what it costs, in the table's asset")] = None
    prices: Annotated[
        dict[str, _Decimal],
        Field(default_factory=dict, description="what it costs in several assets, by their codes"),
    ]
    stock: Annotated[
        int | None,
        Field(strict=True, ge=0, description="how many there are for all accounts, ever; no bound where absent"),
    ] = None
    most: Annotated[int | None, Field(strict=True, ge=1, description="how many one account may have in `window`")] = (
        None
    )
    window: Annotated[WindowText | None, Field(description="for most; the account's lifetime where absent")] = None
    item: Annotated[str, Field(max_length=255, description="sku of a free item that is handed out")] = ""
    voucher: Annotated[str | None, Field(description="series of which a code is issued")] = None
    cancel_within: Annotated[
        PeriodText | None, Field(description="how long it may be cancelled; as long as it is not used where absent")
    ] = None
    expired: Annotated[
        Literal["expire", "extend", "forfeit"] | None,
        Field(description="what a cancellation does with points that have expired since; the table's where absent"),
    ] = None

    @model_validator(mode="after")
    def _costs(self) -> Reward:
        if (self.price is None) == (not self.prices):
            refuse('a reward has either a price or prices; write price = "500"')
        if not any(text.strip("0.") for text in (self.price or "0", *self.prices.values())):
            refuse("price: a reward that costs nothing is a gift of a rule; write what it costs")
        if self.window is not None and self.most is None:
            refuse("window goes with most")
        return self


_Names = tuple[Annotated[str, Field(min_length=1, max_length=255)], ...]


class Orders(PluginConfig):
    """Goods and orders: those that meet every key that is there."""

    skus: Annotated[_Names, Field(description="lines of these skus")] = ()
    categories: Annotated[_Names, Field(description="lines of these categories")] = ()
    labels: Annotated[_Names, Field(description="lines with one of these labels")] = ()
    stores: Annotated[_Names, Field(description="orders of these stores")] = ()
    channels: Annotated[_Names, Field(description="orders of these channels")] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Orders:
        if not any((self.skus, self.categories, self.labels, self.stores, self.channels)):
            refuse("it names nothing; say which skus, categories, labels, stores or channels")
        return self


class Series(Offered):
    """Vouchers of one sort: codes that are made, or loaded from a list."""

    pool: Annotated[
        bool, Field(strict=True, description="whether its codes are loaded from a list instead of made")
    ] = False
    prefix: Annotated[
        str, Field(pattern=r"^([A-Z0-9]{1,11}-?)?$", description="how its codes begin, by which a code is recognised")
    ] = ""
    length: Annotated[
        int,
        Field(strict=True, ge=8, le=24, description="signs of a made code after the prefix, the last to check it"),
    ] = 12
    uses: Annotated[int, Field(strict=True, ge=1, description="how often a code may be used")] = 1
    per_account: Annotated[
        int | None,
        Field(strict=True, ge=1, description="how many uses of the series an account has; any where absent"),
    ] = None
    holder: Annotated[
        Literal["bearer", "account"],
        Field(description="who may use a code: whoever presents it, or the account that it was issued to"),
    ] = "bearer"
    expires: Annotated[
        ValidityText | None, Field(description="validity of a code from the day of its issue; for ever where absent")
    ] = None
    minimum: Annotated[
        str | None,
        Field(pattern=_DECIMAL, description="the least that the goods cost for which a code is used; any where absent"),
    ] = None
    only: Annotated[
        Orders | None, Field(description="goods and orders for which a code may be used; all goods where absent")
    ] = None
    worth: Annotated[str, Field(max_length=255, description="what the till gives for it, for people: 5.00 off")] = ""


class RedemptionConfig(PluginConfig):
    """Points as money, rewards for points, and vouchers."""

    asset: Annotated[str, Field(description="asset in which rewards are priced, and that pays")] = "points"
    pay: Annotated[
        tuple[Pay, ...],
        BeforeValidator(lambda table: [table] if isinstance(table, dict) else table),
        Field(
            description="points as money, one table or several: of those of an asset the first whose `when` holds; no "
            "tender is drawn from points where absent",
            json_schema_extra=_one_or_several,
        ),
    ] = ()
    rewards: Annotated[tuple[Reward, ...], Field(alias="reward", description="the catalogue")] = ()
    series: Annotated[tuple[Series, ...], Field(description="sorts of vouchers")] = ()
    vouchers: Annotated[str, Field(description="asset that counts the uses that a code has left")] = "vouchers"
    expired: Annotated[
        Literal["expire", "extend", "forfeit"],
        Field(
            description="points that have expired since when a reward is cancelled: back as they were, so that they "
            "expire at once; good again for extend_by; or lost"
        ),
    ] = "expire"
    extend_by: Annotated[PeriodText | None, Field(description="for expired = 'extend'")] = None

    @model_validator(mode="after")
    def _fits(self) -> RedemptionConfig:
        for what, tables in (("reward", self.rewards), ("series", self.series)):
            names = [table.name for table in tables]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                refuse(f"{what}: {twice!r} is there twice; give each a name of its own")
        prefixes = [each.prefix for each in self.series if not each.pool]
        if len(set(prefixes)) < len(prefixes):
            refuse("series: two make codes with the same prefix; give each one of its own")
        extends = "extend" in {self.expired, *(reward.expired for reward in self.rewards)}
        if extends != (self.extend_by is not None):
            refuse("extend_by goes with expired = 'extend', and only with it")
        known = {each.name for each in self.series}
        for reward in self.rewards:
            if reward.voucher is not None and reward.voucher not in known:
                refuse(f"reward {reward.name!r}: no series {reward.voucher!r}; there are {', '.join(known) or 'none'}")
        final: set[str] = set()
        for number, pay in enumerate(self.pay, 1):
            code = pay.asset or self.asset
            if code in final:
                refuse(f"pay: table {number} is never asked: one before it pays with {code} always; give it a when")
            if pay.when is None:
                final.add(code)
        if not self.pay and not self.rewards and not self.series:
            refuse("it has nothing to redeem; add [plugin.pay], [[plugin.reward]] or [[plugin.series]]")
        return self
