"""Programs as they are kept: by content hash, with the instants from which they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stampbook.store.session import Session


class KeptProgram(NamedTuple):
    """A program in force from an instant."""

    id: int
    hash: str
    file: str
    content: str
    effective_from: int
    recorded_at: int


def known_programs(session: Session) -> dict[int, str]:
    """Return the hashes of all programs by id."""
    return dict(session.rows("SELECT id, hash FROM program"))  # type: ignore[arg-type]  # two columns


def generation(session: Session) -> int:
    """Return how often a program was put in force: changes when, and only when, the programs change."""
    number: int = session.rows("SELECT coalesce(max(id), 0) FROM in_force")[0][0]
    return number


def in_force(session: Session) -> list[KeptProgram]:
    """Return the programs in the order in which they hold; of two from one instant the later one wins."""
    rows = session.rows(
        "SELECT p.id, p.hash, p.file, p.content, f.effective_from, f.recorded_at "
        "FROM in_force f JOIN program p ON p.id = f.program_id ORDER BY f.effective_from, f.id"
    )
    latest: dict[int, KeptProgram] = {row[4]: KeptProgram(*row) for row in rows}
    return [latest[start] for start in sorted(latest)]


def put_in_force(
    session: Session, *, hash: str, file: str, content: str, effective_from: int, recorded_at: int
) -> None:  # noqa: A002, PLR0913 - a row
    """Keep a program, and the instant from which it holds; accounts become due then, to be judged anew."""
    known = {kept: id_ for id_, kept in known_programs(session).items()}
    id_ = known.get(hash)
    if id_ is None:
        id_ = max(known.values(), default=0) + 1
        session.run("INSERT INTO program (id, hash, file, content) VALUES (?, ?, ?, ?)", (id_, hash, file, content))
    session.run(
        "INSERT INTO in_force (id, program_id, effective_from, recorded_at) VALUES (?, ?, ?, ?)",
        (generation(session) + 1, id_, effective_from, recorded_at),
    )
    session.run(
        "UPDATE account SET due_at = ? WHERE id > 0 AND due_at > ? AND status <> 'closed'",
        (effective_from, effective_from),
    )
