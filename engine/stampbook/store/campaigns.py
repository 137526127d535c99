"""What campaigns have granted, and the leases on what they have left: budgets that many writers share without a lock.

A writer leases a part of a budget in a short transaction of its own and grants from it; what it granted is counted on
its own row of the lease, in the transaction that writes the sale. What is left of a budget is what neither closed
leases granted nor open ones claim. A lease that has lapsed is closed by whoever leases next: what it did not grant is
free again, and its holder, should it still live, finds no row to grant from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook.errors import StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.store.rows import Row
    from stampbook.store.session import Session, SqlSession


class Lease(NamedTuple):
    """A holder's part of a budget: at most `amount`, of which `spent` is granted; `is_all` if no more could be had."""

    amount: int
    spent: int
    is_all: bool


class Claim(NamedTuple):
    """What a writer asks for: more of a campaign's budget of `most`, until an instant."""

    campaign: str
    holder: str
    most: int
    wanted: int
    now: int
    until: int


SHARE = 8
"""A lease takes at least this part of what is left, so that a busy campaign is not leased sale by sale."""


def leased(left: int, wanted: int, claim: Claim) -> int:
    """Return how much more a lease takes of what is left."""
    return max(0, min(left, max(wanted, min(left // SHARE, claim.most // SHARE**2))))


def lease(session: SqlSession, claim: Claim) -> Lease:
    """Take a lease on a budget, or more of one; close those that have lapsed."""
    name = claim.campaign
    closed = _locked(session, name)
    gone = session.rows(
        "DELETE FROM campaign_lease WHERE campaign = ? AND until <= ? RETURNING spent", [name, claim.now]
    )
    if gone:
        closed += sum(row[0] for row in gone)
        session.run("UPDATE campaign SET spent = ? WHERE name = ?", [closed, name])
    rows = session.rows("SELECT holder, amount, spent FROM campaign_lease WHERE campaign = ?", [name])
    left = claim.most - closed - sum(max(amount, spent) for _, amount, spent in rows)
    amount, spent = next(((amount, spent) for holder, amount, spent in rows if holder == claim.holder), (0, 0))
    more = leased(left, claim.wanted, claim) if left >= 0 else -min(-left, max(0, amount - spent))
    session.run(
        "INSERT INTO campaign_lease VALUES (?, ?, ?, ?, ?) ON CONFLICT (campaign, holder) "
        "DO UPDATE SET amount = excluded.amount, until = excluded.until",
        [name, claim.holder, amount + more, 0, claim.until],
    )
    return Lease(amount + more, spent, more >= left)


def close(session: SqlSession, campaigns: Iterable[str], holder: str) -> None:
    """Give back what a holder has not granted."""
    for name in sorted(campaigns):
        closed = _locked(session, name)
        gone = session.rows(
            "DELETE FROM campaign_lease WHERE campaign = ? AND holder = ? RETURNING spent", [name, holder]
        )
        if gone:
            session.run("UPDATE campaign SET spent = ? WHERE name = ?", [closed + sum(row[0] for row in gone), name])


def _locked(session: SqlSession, name: str) -> int:
    """Return what the closed leases of a campaign granted; nobody else leases from it until the transaction ends."""
    session.run("INSERT INTO campaign VALUES (?, 0) ON CONFLICT DO NOTHING", [name])
    spent: int = session.rows(f"SELECT spent FROM campaign WHERE name = ?{session.for_update}", [name])[0][0]  # noqa: S608 - no value is spliced in
    return spent


def spend(session: SqlSession, rows: Iterable[Row]) -> None:
    """Count what a batch granted of leases, or gave back.

    Raises:
        StoreBusyError: a lease has lapsed and was closed; nothing may be granted from it.
    """
    for name, holder, delta in rows:
        if delta > 0:
            sql = (
                "UPDATE campaign_lease SET spent = spent + ? WHERE campaign = ? AND holder = ? AND amount - spent >= ?"
            )
            if session.run(sql, [delta, name, holder, delta]) != 1:
                message = f"the lease on campaign {name} has lapsed; nothing was written, try again"
                raise StoreBusyError(message)
        else:
            session.run(
                "INSERT INTO campaign_lease VALUES (?, ?, 0, ?, 0) ON CONFLICT (campaign, holder) "
                "DO UPDATE SET spent = campaign_lease.spent + excluded.spent",
                [name, holder, delta],
            )


def granted_of(session: Session) -> Mapping[str, tuple[int, int]]:
    """Return for each campaign what its leases granted, and what the metrics of all accounts say that it did."""
    from stampbook.store.session import SqlSession

    if not isinstance(session, SqlSession):
        return {}
    leases = session.rows(
        "SELECT name, spent FROM campaign UNION ALL SELECT campaign, spent FROM campaign_lease ORDER BY 1"
    )
    metrics = session.rows(
        "SELECT substr(metric, 10), coalesce(sum(value), 0) FROM metric "
        "WHERE metric >= 'campaign/' AND metric < 'campaign0' GROUP BY 1"
    )
    found: dict[str, tuple[int, int]] = {}
    for name, spent in leases:
        found[name] = (found.get(name, (0, 0))[0] + spent, 0)
    for name, value in metrics:
        found[name] = (found.get(name, (0, 0))[0], int(value))
    return found
