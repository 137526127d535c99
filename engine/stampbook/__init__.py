"""Stampbook: a plugin-based rules engine for loyalty and stored-value accounts.

This is the face: all that a plugin or an embedding application may import. Names are loaded when they are first
used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stampbook.account_view import AccountView as AccountView
    from stampbook.amounts import Asset as Asset
    from stampbook.amounts import Rounding as Rounding
    from stampbook.amounts import divide as divide
    from stampbook.amounts import portion as portion
    from stampbook.amounts import split as split
    from stampbook.buying import BgNbd as BgNbd
    from stampbook.buying import Fit as Fit
    from stampbook.buying import GammaGamma as GammaGamma
    from stampbook.buying import MbgNbd as MbgNbd
    from stampbook.buying import ParetoNbd as ParetoNbd
    from stampbook.buying import Visits as Visits
    from stampbook.buying import at_own_rate as at_own_rate
    from stampbook.buying import bought_since as bought_since
    from stampbook.buying import distinct_visits as distinct_visits
    from stampbook.buying import fit as fit
    from stampbook.buying import least_reached as least_reached
    from stampbook.buying import usual_gaps as usual_gaps
    from stampbook.buying import visits as visits
    from stampbook.choosing import Which as Which
    from stampbook.classes import by_borders as by_borders
    from stampbook.classes import cut_class as cut_class
    from stampbook.classes import ntile_class as ntile_class
    from stampbook.classes import quantile_class as quantile_class
    from stampbook.classes import standing as standing
    from stampbook.classes import top_class as top_class
    from stampbook.cli.who import by_option as by_option
    from stampbook.earlier import Earlier as Earlier
    from stampbook.earlier import Happened as Happened
    from stampbook.engine import Engine as Engine
    from stampbook.errors import AmountError as AmountError
    from stampbook.errors import DuplicateEventError as DuplicateEventError
    from stampbook.errors import EventError as EventError
    from stampbook.errors import ExpressionError as ExpressionError
    from stampbook.errors import InputError as InputError
    from stampbook.errors import InvariantError as InvariantError
    from stampbook.errors import PeriodError as PeriodError
    from stampbook.errors import PluginError as PluginError
    from stampbook.errors import ProgramError as ProgramError
    from stampbook.errors import SchemaVersionError as SchemaVersionError
    from stampbook.errors import StampbookError as StampbookError
    from stampbook.errors import StoreBusyError as StoreBusyError
    from stampbook.errors import StoreError as StoreError
    from stampbook.errors import UnknownAccountError as UnknownAccountError
    from stampbook.errors import UnknownEventError as UnknownEventError
    from stampbook.errors import near as near
    from stampbook.event_fields import Amount as Amount
    from stampbook.event_fields import End as End
    from stampbook.event_fields import Instant as Instant
    from stampbook.event_fields import Name as Name
    from stampbook.event_fields import PositiveAmount as PositiveAmount
    from stampbook.event_fields import Ref as Ref
    from stampbook.event_fields import SignedAmount as SignedAmount
    from stampbook.events import AccountClosed as AccountClosed
    from stampbook.events import Basket as Basket
    from stampbook.events import Event as Event
    from stampbook.events import OfEarlier as OfEarlier
    from stampbook.events import PaidIn as PaidIn
    from stampbook.events import Purchase as Purchase
    from stampbook.events import Return as Return
    from stampbook.events import Tender as Tender
    from stampbook.events import TopUp as TopUp
    from stampbook.exporting.beside import moved_beside as moved_beside
    from stampbook.exporting.entries import ENTRY_FORMATS as ENTRY_FORMATS
    from stampbook.exporting.entries import FinanceEntry as FinanceEntry
    from stampbook.exporting.entries import account_of_kind as account_of_kind
    from stampbook.exporting.entries import account_part as account_part
    from stampbook.exporting.entries import book_account as book_account
    from stampbook.exporting.entries import write_entries as write_entries
    from stampbook.expressions import Condition as Condition
    from stampbook.expressions import Formula as Formula
    from stampbook.goals import Need as Need
    from stampbook.goals import Progress as Progress
    from stampbook.grants import AccountGrants as AccountGrants
    from stampbook.grants import Grant as Grant
    from stampbook.grants import grants_of_all as grants_of_all
    from stampbook.hookspecs import API_VERSION as API_VERSION
    from stampbook.hookspecs import Award as Award
    from stampbook.hookspecs import Due as Due
    from stampbook.hookspecs import Entitlement as Entitlement
    from stampbook.hookspecs import Extension as Extension
    from stampbook.hookspecs import GoodUntil as GoodUntil
    from stampbook.hookspecs import Limit as Limit
    from stampbook.hookspecs import MoneyEnds as MoneyEnds
    from stampbook.hookspecs import MoneyHeld as MoneyHeld
    from stampbook.hookspecs import Multiplier as Multiplier
    from stampbook.hookspecs import Note as Note
    from stampbook.hookspecs import Stake as Stake
    from stampbook.hookspecs import hookimpl as hookimpl
    from stampbook.joining import AccountJoined as AccountJoined
    from stampbook.joining import AccountParted as AccountParted
    from stampbook.joining import AccountParting as AccountParting
    from stampbook.joining import EarlierRecalled as EarlierRecalled
    from stampbook.ledger import Fact as Fact
    from stampbook.ledger import Message as Message
    from stampbook.ledger import Objection as Objection
    from stampbook.ledger import Posting as Posting
    from stampbook.ledger import Transaction as Transaction
    from stampbook.ledger import authorised_by as authorised_by
    from stampbook.loading import load as _load
    from stampbook.loading import load_file as _load_file
    from stampbook.lots import RENEWED as RENEWED
    from stampbook.lots import Lot as Lot
    from stampbook.names import EventText as EventText
    from stampbook.narrowing import Choice as Choice
    from stampbook.netting import days_since as days_since
    from stampbook.netting import first_instant as first_instant
    from stampbook.netting import from_on as from_on
    from stampbook.netting import metric_sums as metric_sums
    from stampbook.netting import net_lines as net_lines
    from stampbook.netting import net_purchases as net_purchases
    from stampbook.netting import window_days as window_days
    from stampbook.option_types import InstantText as InstantText
    from stampbook.option_types import LineCondition as LineCondition
    from stampbook.option_types import LineFormula as LineFormula
    from stampbook.option_types import Money as Money
    from stampbook.option_types import OrderCondition as OrderCondition
    from stampbook.option_types import PeriodText as PeriodText
    from stampbook.option_types import PopulationCondition as PopulationCondition
    from stampbook.option_types import ValidityText as ValidityText
    from stampbook.option_types import WindowText as WindowText
    from stampbook.option_types import check_reads as check_reads
    from stampbook.option_types import check_values as check_values
    from stampbook.option_types import line_formula as line_formula
    from stampbook.ordering import followed as followed
    from stampbook.ordering import placed as placed
    from stampbook.orders import Line as Line
    from stampbook.orders import Order as Order
    from stampbook.outcomes import Outcome as Outcome
    from stampbook.owing import settling as settling
    from stampbook.periods import NEVER as NEVER
    from stampbook.periods import Calendar as Calendar
    from stampbook.periods import Period as Period
    from stampbook.periods import Window as Window
    from stampbook.plugin import Plugin as Plugin
    from stampbook.plugin import PluginConfig as PluginConfig
    from stampbook.population import worked_out as worked_out
    from stampbook.proposals import Debt as Debt
    from stampbook.proposals import Deposit as Deposit
    from stampbook.proposals import Earned as Earned
    from stampbook.proposals import GiveBack as GiveBack
    from stampbook.proposals import IfRefused as IfRefused
    from stampbook.proposals import Mature as Mature
    from stampbook.proposals import Payable as Payable
    from stampbook.proposals import Payment as Payment
    from stampbook.proposals import Pick as Pick
    from stampbook.proposals import PutBack as PutBack
    from stampbook.proposals import Remember as Remember
    from stampbook.proposals import SetAside as SetAside
    from stampbook.proposals import Share as Share
    from stampbook.proposals import StatusChange as StatusChange
    from stampbook.proposals import Tally as Tally
    from stampbook.proposals import Withdrawal as Withdrawal
    from stampbook.refund_plans import MADE_GOOD as MADE_GOOD
    from stampbook.refund_plans import Credit as Credit
    from stampbook.refund_plans import Drawn as Drawn
    from stampbook.refund_plans import Granted as Granted
    from stampbook.refund_plans import Paid as Paid
    from stampbook.refund_plans import Reckoned as Reckoned
    from stampbook.refund_plans import RefundPlan as RefundPlan
    from stampbook.refund_plans import RefundRequest as RefundRequest
    from stampbook.refund_plans import ReturnedLine as ReturnedLine
    from stampbook.refund_plans import Tendered as Tendered
    from stampbook.registry import Registry as Registry
    from stampbook.replay import unknown_account as unknown_account
    from stampbook.returns import line_values as line_values
    from stampbook.returns import settle_share as settle_share
    from stampbook.store import database_url as database_url
    from stampbook.validity import Validity as Validity
    from stampbook.vocabulary import Context as Context
    from stampbook.vocabulary import refuse as refuse

    load_program, load_program_file = _load, _load_file

__version__ = "0.1.0"

_ROOMS = {
    "account_view": ("AccountView",),
    "choosing": ("Which",),
    "cli.who": ("by_option",),
    "classes": ("by_borders", "cut_class", "ntile_class", "quantile_class", "standing", "top_class"),
    "narrowing": ("Choice",),
    "amounts": ("Asset", "Rounding", "divide", "portion", "split"),
    "outcomes": ("Outcome",),
    "ordering": ("followed", "placed"),
    "population": ("worked_out",),
    "buying": (
        "BgNbd",
        "Fit",
        "GammaGamma",
        "MbgNbd",
        "ParetoNbd",
        "Visits",
        "at_own_rate",
        "bought_since",
        "distinct_visits",
        "fit",
        "least_reached",
        "usual_gaps",
        "visits",
    ),
    "earlier": ("Earlier", "Happened"),
    "netting": ("days_since", "first_instant", "from_on", "metric_sums", "net_lines", "net_purchases", "window_days"),
    "engine": ("Engine",),
    "errors": (
        "AmountError",
        "DuplicateEventError",
        "EventError",
        "ExpressionError",
        "InputError",
        "InvariantError",
        "PeriodError",
        "PluginError",
        "ProgramError",
        "SchemaVersionError",
        "StampbookError",
        "StoreBusyError",
        "StoreError",
        "UnknownAccountError",
        "UnknownEventError",
        "near",
    ),
    "event_fields": ("Amount", "End", "Instant", "Name", "PositiveAmount", "Ref", "SignedAmount"),
    "events": ("AccountClosed", "Basket", "Event", "OfEarlier", "PaidIn", "Purchase", "Return", "Tender", "TopUp"),
    "expressions": ("Condition", "Formula"),
    "exporting.beside": ("moved_beside",),
    "exporting.entries": (
        "ENTRY_FORMATS",
        "FinanceEntry",
        "account_of_kind",
        "account_part",
        "book_account",
        "write_entries",
    ),
    "goals": ("Need", "Progress"),
    "grants": ("AccountGrants", "Grant", "grants_of_all"),
    "hookspecs": (
        "API_VERSION",
        "Award",
        "Due",
        "Entitlement",
        "Extension",
        "GoodUntil",
        "Limit",
        "MoneyEnds",
        "MoneyHeld",
        "Multiplier",
        "Note",
        "Stake",
        "hookimpl",
    ),
    "joining": ("AccountJoined", "AccountParted", "AccountParting", "EarlierRecalled"),
    "ledger": ("Fact", "Message", "Objection", "Posting", "Transaction", "authorised_by"),
    "lots": ("RENEWED", "Lot"),
    "periods": ("NEVER", "Calendar", "Period", "Window"),
    "names": ("EventText",),
    "orders": ("Line", "Order"),
    "owing": ("settling",),
    "plugin": ("Plugin", "PluginConfig"),
    "proposals": (
        "Debt",
        "Deposit",
        "Earned",
        "GiveBack",
        "IfRefused",
        "Mature",
        "Payable",
        "Payment",
        "Pick",
        "PutBack",
        "Remember",
        "SetAside",
        "Share",
        "StatusChange",
        "Tally",
        "Withdrawal",
    ),
    "refund_plans": (
        "MADE_GOOD",
        "Credit",
        "Drawn",
        "Granted",
        "Paid",
        "Reckoned",
        "RefundPlan",
        "RefundRequest",
        "ReturnedLine",
        "Tendered",
    ),
    "option_types": (
        "InstantText",
        "LineCondition",
        "LineFormula",
        "Money",
        "OrderCondition",
        "PeriodText",
        "PopulationCondition",
        "ValidityText",
        "WindowText",
        "check_reads",
        "check_values",
        "line_formula",
    ),
    "registry": ("Registry",),
    "replay": ("unknown_account",),
    "returns": ("line_values", "settle_share"),
    "validity": ("Validity",),
    "store": ("database_url",),
    "vocabulary": ("Context", "refuse"),
}
_ROOM_OF = {name: (room, name) for room, names in _ROOMS.items() for name in names} | {
    "load_program": ("loading", "load"),
    "load_program_file": ("loading", "load_file"),
}

# The names are held to those imported above by a test.
__all__ = ["__version__", *sorted(_ROOM_OF)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    try:
        room, inner = _ROOM_OF[name]
    except KeyError:
        message = f"module 'stampbook' has no attribute {name!r}"
        raise AttributeError(message) from None
    value = getattr(import_module(f"stampbook.{room}"), inner)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
