"""What final verdicts were made of, what restates them, and which rules changed in mid-sprint."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add what the close records beside the last verdicts; those of earlier closes have none of it."""
    op.add_column("final_verdicts", sa.Column("seal", sa.Text))
    op.add_column("final_verdicts", sa.Column("budget", sa.LargeBinary))
    op.create_table(
        "restatements",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("inputs_digest", sa.String(64), nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("index_id", _ID, sa.ForeignKey("series_index.id"), nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
    op.create_index("restatements_by_index", "restatements", ["index_id"])
    op.create_table(
        "rule_forms",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("original", sa.Text, nullable=False),
        sa.Column("latest", sa.Text, nullable=False),
    )
    op.create_table(
        "rule_changes",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("sprint", sa.Text, nullable=False),
        sa.Column("kpi", sa.Text, nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
    )
