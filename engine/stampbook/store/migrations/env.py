"""Runs migrations on the connection that `schema.upgrade` hands over."""

from alembic import context

from stampbook.store.tables import TABLES

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
