"""Alembic's entry: runs the migrations on the connection, and in the transaction, that ``migrate`` hands over."""

from __future__ import annotations

from alembic import context

from slo_guard.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
