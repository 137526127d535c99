"""Alembic migrations; each runs on SQLite and PostgreSQL."""
