"""Postings in their journal row, and no index of what is due: each of the two cost a page of its own an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SQLITE_FILL = """
UPDATE journal SET postings = (
    SELECT json_group_array(json_array(
        q.asset, q.amount, coalesce(q.source_lot, q.source_book),
        coalesce(q.destination_lot, q.destination_book), q.rule
    ))
    FROM (SELECT * FROM posting p WHERE p.account_id = journal.account_id AND p.seq = journal.seq ORDER BY p.n) q
)
WHERE EXISTS (SELECT 1 FROM posting p WHERE p.account_id = journal.account_id AND p.seq = journal.seq)
"""
_POSTGRES_FILL = """
UPDATE journal SET postings = q.postings FROM (
    SELECT account_id, seq, '[' || string_agg(
        '[' || to_json(asset) || ',' || amount || ',' || coalesce(source_lot::text, to_json(source_book)::text)
        || ',' || coalesce(destination_lot::text, to_json(destination_book)::text) || ',' || to_json(rule) || ']',
        ',' ORDER BY n
    ) || ']' AS postings
    FROM posting GROUP BY account_id, seq
) q
WHERE q.account_id = journal.account_id AND q.seq = journal.seq
"""
_SQLITE_VIEW = """
CREATE VIEW posting AS
SELECT j.account_id, j.seq, p.key AS n,
    (SELECT value FROM json_each(p.value) WHERE key = 0) AS asset,
    (SELECT value FROM json_each(p.value) WHERE key = 1) AS amount,
    (SELECT value FROM json_each(p.value) WHERE key = 2 AND type = 'integer') AS source_lot,
    (SELECT value FROM json_each(p.value) WHERE key = 2 AND type = 'text') AS source_book,
    (SELECT value FROM json_each(p.value) WHERE key = 3 AND type = 'integer') AS destination_lot,
    (SELECT value FROM json_each(p.value) WHERE key = 3 AND type = 'text') AS destination_book,
    (SELECT value FROM json_each(p.value) WHERE key = 4) AS rule
FROM journal j, json_each(j.postings) p
WHERE j.postings <> '[]'
"""
"""No json_extract: some releases of SQLite do not trust it in a view."""
_POSTGRES_VIEW = """
CREATE VIEW posting AS
SELECT j.account_id, j.seq, (p.place - 1)::bigint AS n, p.value ->> 0 AS asset, (p.value ->> 1)::bigint AS amount,
    CASE json_typeof(p.value -> 2) WHEN 'number' THEN (p.value ->> 2)::bigint END AS source_lot,
    CASE json_typeof(p.value -> 2) WHEN 'string' THEN p.value ->> 2 END AS source_book,
    CASE json_typeof(p.value -> 3) WHEN 'number' THEN (p.value ->> 3)::bigint END AS destination_lot,
    CASE json_typeof(p.value -> 3) WHEN 'string' THEN p.value ->> 3 END AS destination_book,
    p.value ->> 4 AS rule
FROM journal j CROSS JOIN LATERAL json_array_elements(j.postings::json) WITH ORDINALITY AS p(value, place)
WHERE j.postings <> '[]'
"""


def upgrade() -> None:
    """Move the postings, leave a view of them in the place of their table, and drop the index."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    op.add_column("journal", sa.Column("postings", sa.Text(), nullable=False, server_default="[]"))
    op.execute(_POSTGRES_FILL if is_postgres else _SQLITE_FILL)
    op.drop_table("posting")
    op.execute(_POSTGRES_VIEW if is_postgres else _SQLITE_VIEW)
    op.drop_index("account_due", table_name="account")
