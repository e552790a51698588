"""Which sprints have closed, and how their KPIs stood then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of a sprint's close."""
    op.create_table(
        "closed_sprints",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("end_at", sa.Double, nullable=False),
    )
    op.create_table(
        "final_verdicts",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("window_start", sa.Double),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("index_id", _ID, sa.ForeignKey("series_index.id"), nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
    op.create_index("final_verdicts_by_index", "final_verdicts", ["index_id"])
