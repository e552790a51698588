"""The first store: readings, evaluations, outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create every table of the first version."""
    _create_shared()
    _create_readings()
    _create_evaluations()
    _create_notifications()


def _create_shared() -> None:
    op.create_table(
        "series_index",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("digest", sa.String(32), nullable=False, unique=True),
        sa.Column("labels", sa.LargeBinary, nullable=False),
    )
    progress = op.create_table(
        "progress",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("last_observation", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.Double),
        sa.Column("compacted_until", sa.Double),
        sa.Column("reading_cursor", sa.BigInteger, nullable=False),
        sa.Column("evaluated_at", sa.Double),
        sa.Column("last_transition", sa.BigInteger, nullable=False),
        sa.Column("planned_transition", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(
        progress,
        [{"id": 1, "last_observation": 0, "reading_cursor": 0, "last_transition": 0, "planned_transition": 0}],
    )


def _create_readings() -> None:
    op.create_table(
        "readings",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("last_seen_at", sa.Double, nullable=False),
        sa.Column("at", sa.Double),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("indicator", sa.Text),
        sa.Column("collector", sa.Text, nullable=False),
        sa.Column("index_id", _ID, sa.ForeignKey("series_index.id")),
        sa.Column("rejected", sa.BigInteger, nullable=False),
        sa.Column("example", sa.Text),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
    op.create_index("readings_by_last_seen_at", "readings", ["last_seen_at"])
    op.create_index("readings_by_index", "readings", ["index_id"])
    op.create_table(
        "collectors",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False),
    )


def _create_evaluations() -> None:
    op.create_table(
        "alerts",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
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
    op.create_table(
        "transitions",
        sa.Column("seq", _ID, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("sprint", sa.Text, nullable=False),
        sa.Column("kpi", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("transitions_by_at", "transitions", ["at"])
    op.create_table(
        "kpi_evaluations",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("evaluated_at", sa.Double, nullable=False),
    )
    op.create_table(
        "verdict_memory",
        sa.Column("sprint", sa.Text, primary_key=True),
        sa.Column("kpi", sa.Text, primary_key=True),
        sa.Column("index_id", _ID, sa.ForeignKey("series_index.id"), nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
    op.create_index("verdict_memory_by_index", "verdict_memory", ["index_id"])
    op.create_table(
        "verdict_changes",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("sprint", sa.Text, nullable=False),
        sa.Column("kpi", sa.Text, nullable=False),
        sa.Column("index_id", _ID, sa.ForeignKey("series_index.id"), nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
    op.create_index("verdict_changes_by_at", "verdict_changes", ["at"])
    op.create_index("verdict_changes_by_index", "verdict_changes", ["index_id"])


def _create_notifications() -> None:
    op.create_table(
        "planner_groups",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.Double, nullable=False),
        sa.Column("leased_until", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("outbox_line", "outbox", ["receiver", "state", "id"])
    op.create_table(
        "decisions",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("transition", sa.BigInteger, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("told_by", sa.Text),
        sa.Column("not_told", sa.String(64)),
    )
    op.create_index("decisions_by_transition", "decisions", ["transition", "receiver"])
    op.create_table(
        "delivery_attempts",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
    )
    op.create_index("delivery_attempts_by_at", "delivery_attempts", ["at"])
