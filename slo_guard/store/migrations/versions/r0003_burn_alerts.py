"""Alerts on error budgets: several tiers of them for one series."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEPT = "sprint, kpi, kind, labels, state, active_at, fired_at, clear_since, held_since, verdict, reason, value"


def upgrade() -> None:
    """Make the tier a part of what names an alert: a table's key cannot be changed in place everywhere."""
    op.rename_table("alerts", "alerts_before")
    op.create_table(
        "alerts",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("tier", sa.String(64), primary_key=True, server_default=""),
        sa.Column("labels", sa.Text, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("active_at", sa.Double, nullable=False),
        sa.Column("fired_at", sa.Double),
        sa.Column("clear_since", sa.Double),
        sa.Column("held_since", sa.Double),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("value", sa.Double),
    )
    op.execute(f"INSERT INTO alerts ({_KEPT}) SELECT {_KEPT} FROM alerts_before")  # noqa: S608 - fixed names
    op.drop_table("alerts_before")
