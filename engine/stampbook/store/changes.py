"""What one batch of events changes, collected account by account and turned into rows table by table."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stampbook.store.rows import (
    SALES,
    Row,
    account_row,
    chain_row,
    fact_row,
    hold_row,
    journal_row,
    lot_row,
    sale_row,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.account import Account
    from stampbook.ledger import Decision, Entry


@dataclass(slots=True)
class Changes:
    """What one batch writes: everything since its accounts were loaded.

    `listed` are the accounts that are new or have another status: only their rows among all accounts change.
    """

    entries: list[tuple[Account, Entry]] = field(default_factory=list)
    sales: list[Row] = field(default_factory=list)
    accounts: dict[int, Account] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)
    lots: set[tuple[int, int]] = field(default_factory=set)
    holds: set[tuple[int, int]] = field(default_factory=set)
    facts: set[tuple[int, str]] = field(default_factory=set)
    metrics: dict[tuple[int, str, int], int] = field(default_factory=lambda: defaultdict(int))
    campaigns: dict[str, int] = field(default_factory=dict)
    holder: str = ""

    def add(self, account: Account, entry: Entry, decision: Decision, currency: str) -> None:
        """Note an entry and all that its transaction, which is applied already, touches.

        Args:
            account: whose entry it is.
            entry: what is journalled.
            decision: what the entry keeps.
            currency: that of the program.
        """
        id_ = account.id
        transaction = decision.transaction
        self.entries.append((account, entry))
        self.accounts[id_] = account
        if entry.seq == 1 or (transaction is not None and transaction.status is not None):
            self.listed.add(id_)
        if transaction is None:
            return
        if entry.type in SALES:
            self.sales.append(sale_row(id_, entry, decision, currency))
        lots = self.lots
        for _, _, origin, destination, _ in transaction.postings:
            if isinstance(origin, int):
                lots.add((id_, origin))
            if isinstance(destination, int):
                lots.add((id_, destination))
        for lot in transaction.opened:
            lots.add((id_, lot[0]))
        for extension in transaction.extended:
            lots.add((id_, extension.lot))
        for change in transaction.holds:
            self.holds.add((id_, change.hold))
            for number, _ in change.units:
                lots.add((id_, number))
        for metric, day, delta in transaction.metrics:
            self.metrics[id_, metric, day] += delta
        for fact in transaction.facts:
            self.facts.add((id_, fact.name))

    def rows(self, program_ids: Mapping[str, int]) -> dict[str, list[Row]]:
        """Return all rows by table, those of hot tables in the order of their keys."""
        journal: list[Row] = []
        keys: list[Row] = []
        for account, entry in self.entries:
            id_ = account.id
            journal.append(journal_row(id_, program_ids[entry.program], entry))
            keys.append((entry.source, entry.id, id_, entry.seq))
        accounts = self.accounts
        keys.sort()
        return {
            "journal": journal,
            "event_key": keys,
            "sale": self.sales,
            "metric": sorted([(*key, value) for key, value in self.metrics.items()]),
            "lot": [lot_row(id_, accounts[id_].lots[number]) for id_, number in sorted(self.lots)],
            "hold": [hold_row(id_, accounts[id_].holds[number]) for id_, number in sorted(self.holds)],
            "fact": [fact_row(id_, fact) for id_, name in sorted(self.facts) for fact in accounts[id_].facts[name]],
            "chain": [chain_row(accounts[id_]) for id_ in sorted(accounts)],
            "account": [account_row(accounts[id_]) for id_ in sorted(self.listed)],
            "campaign_lease": [(name, self.holder, delta) for name, delta in sorted(self.campaigns.items()) if delta],
        }
