"""How each KPI went over its sprint."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the trails; of sprints that run already they begin now."""
    op.create_table(
        "trails",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("slot_seconds", sa.Double, nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
