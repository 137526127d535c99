"""The base class of plugins."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from stampbook.hookspecs import API_VERSION, Limit, MoneyEnds, MoneyHeld, Stake

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from stampbook.ledger import Posting
    from stampbook.names import EventText
    from stampbook.vocabulary import Context


class PluginConfig(BaseModel):
    """The base of a plugin's options: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class Plugin(Generic[ConfigT]):
    """A plugin: built once for each of its tables in a program, with that table as its `config`.

    Attributes:
        config: the options of the table, checked.
        name: the table's `name`, or that under which the plugin was found.
        program: the program's assets, calendar and names.
    """

    Config: ClassVar[type[PluginConfig]] = PluginConfig
    api_version: ClassVar[int] = API_VERSION
    sole: ClassVar[str] = ""
    """Why a program has one table of it at most, as a sentence for operators; a second table is refused with that."""
    commands: ClassVar[tuple[str, ...]] = ()
    """The names of the commands that it adds, so that who types one is told which plugin the program lacks."""
    texts: ClassVar[tuple[EventText, ...]] = ()
    """Texts of the events that it brings, which conditions may read as ``event.NAME``."""
    kinds: frozenset[str] = frozenset()
    """The kinds of event that the options name; `prepare` may set it, and one that there is not is a mistake."""
    stakes: tuple[Stake, ...] = ()
    """What its rules may award; `prepare` may set it. A program whose result an unstated order decides is refused."""
    limits: tuple[Limit, ...] = ()
    """Limits of its own; `prepare` may set it."""
    offers: Mapping[str, str] = MappingProxyType({})
    """What the events that it brings can give, for other plugins to name, such as ``reward mug``; `prepare` may set it.
    The value is empty, or says why that cannot be had without asking: it may run out, say."""
    wants: Mapping[str, tuple[str | int, ...]] = MappingProxyType({})
    """What it has other plugins give, with the place in its table that says so; `prepare` may set it. It is a mistake
    of the program where no plugin offers it."""
    money_ends: tuple[MoneyEnds, ...] = ()
    """Where its options let paid value end; `prepare` may set it. Other plugins may have it a mistake."""
    money_held: tuple[MoneyHeld, ...] = ()
    """How much paid value its options let a card hold; `prepare` may set it. Other plugins may have it a mistake."""
    forwards: bool = False
    """Whether events sent to an account that was merged into another are decided there; `prepare` may set it."""
    alone: bool = False
    """Whether what it decides about an account never asks, tells or concerns another; `prepare` may set it. Where all
    plugins of a program are so, bulk work takes the events of an account together, which is faster."""
    prompt: bool = False
    """Whether what is `due` as soon as an event is decided is decided with it, not with the next event or tick;
    `prepare` may set it. The books are the same, sooner."""
    linked: frozenset[str] = frozenset()
    """Facts whose values are refs of accounts to which its events lead; those are loaded with the batch."""
    owns: tuple[str, ...] = ()
    """How the refs begin of accounts that are nobody's but the plugin's own; `prepare` may set it. No other plugin
    judges or rewards what happens to them."""
    registered: str = ""
    """The fact of accounts that it `owns` which names the customer's account for whom one is registered; `prepare` may
    set it. What such an account holds is that customer's to segmentation schemes."""
    takes: frozenset[str] = frozenset()
    """The kinds of event that senders may post to accounts that it `owns`, besides opening, freezing and closing them;
    `prepare` may set it. All others are refused there, and none of the engine's own kinds opens such an account."""
    deals_with: Mapping[str, frozenset[str]] = MappingProxyType({})
    """Accounts that are another plugin's own and that it judges and moves as well, by how their refs begin: the kinds
    of event of its own that senders may post there; `prepare` may set it. The owner still judges all that happens."""
    instead: str = ""
    """What to do instead, as a part of a sentence for operators, where an event of its kinds is sent to an account that
    is another plugin's own; `prepare` may set it."""
    beside_kinds: frozenset[str] = frozenset()
    """The kinds of its own events of which `beside` tells something."""
    cautions: Sequence[tuple[tuple[str | int, ...], str]] = ()
    """What an operator should know though it is no mistake, each with the place in its table; `prepare` may set it, and
    `stampbook check` says it."""
    mistakes: Sequence[tuple[tuple[str | int, ...], str]] = ()
    """What is wrong with options that make sense by themselves, each with the place in its table; `prepare` may set it.
    A program with one is refused, but no longer once a ledger was judged by it."""
    looks_at: frozenset[str] = frozenset()
    """Of the frames that its `segment` hook has a default for, those that these options need; `prepare` may set it."""
    segment_names: tuple[str, ...] = ()
    """All segments that its `segment` hook may name, where they are known; `prepare` may set it. Rules that name
    another one are refused then."""
    idle: frozenset[str] = frozenset()
    """Hooks that these options leave nothing to do for; `prepare` may set it, and the engine does not call them."""

    def __init__(self, config: ConfigT, *, name: str, program: Context) -> None:
        self.config = config
        self.name = name
        self.program = program
        self.prepare()

    @classmethod
    def closed_texts(cls, options: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        """Return all that facts of its own, and texts of its events, may be besides '': ``{"account.tier": (…)}``.

        A rule that compares one with anything else has a mistake. Asked before any table is checked, the options of
        this one included.
        """
        del options
        return {}

    def prepare(self) -> None:
        """Work out once what the hooks need again and again.

        Raises:
            PluginError: the options do not fit the program; the message names the key.
        """

    def forbids(self, ends: MoneyEnds) -> Iterable[str]:  # noqa: ARG002 - for those that know the law
        """Return why the options of another plugin may not let money end as they do: a mistake of the program each."""
        return ()

    def forbids_held(self, held: MoneyHeld) -> Iterable[str]:  # noqa: ARG002 - for those that know the law
        """Return why cards of another plugin may not hold as much as its options let them: a mistake each."""
        return ()

    def meant(self, ref: str) -> str:  # noqa: ARG002 - for those that own accounts
        """Say which account of its own somebody means who names one that there is not, and what to type; else ``''``.

        A part of a sentence for operators. It tells no secret: nothing that was not typed as a name of an account.
        """
        return ""

    def beside(self, kind: str, postings: Sequence[Posting], remembered: Mapping[str, str]) -> Iterable[Posting]:  # noqa: ARG002 - for those that have some
        """Return what an accepted event moved from one book to another, and no lot had: interest that was paid, say.

        The ledger does not hold it. Exports write it beside what the event moved, so that books tie to what was paid.

        Args:
            kind: of the event, one of `beside_kinds`.
            postings: what the event moved.
            remembered: what it was to remember.
        """
        return ()

    def noted(self, kind: str, remembered: Mapping[str, str]) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - for those that have some
        """Return what a finance system reads beside an accepted event, as pairs of name and text: by what means, say.

        Args:
            kind: of the event, one of `beside_kinds`.
            remembered: what it was to remember.
        """
        return ()

    def findings(self, result: pl.DataFrame, at: datetime) -> dict[str, Any]:  # noqa: ARG002 - for those that have some
        """Return what a run of `segment` found out besides: cut points, parameters, tables; plain JSON.

        Called with what `segment` has just returned, in the same process. It is kept with the run.
        """
        return {}

    def summary(self, found: Mapping[str, Any]) -> Sequence[str]:
        """Say in sentences for an operator what a run found out: how good it is, and what is wrong with it.

        Args:
            found: the findings of the run.
        """
        return tuple(found.get("warnings", ()))

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - the same
        """Say in sentences for an operator why an account is where it is.

        Args:
            row: the account's row of the result, by column.
            found: the findings of the same run.
        """
        return ()
