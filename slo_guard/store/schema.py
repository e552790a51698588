"""The tables. ``migrations/`` builds them; a test holds the two to be the same."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

HEAD = "0007"
"""The newest migration; known without loading Alembic, so that an ordinary start costs one query."""

METADATA = MetaData()

# SQLite numbers rows by itself only where the key's type is literally INTEGER.
_ID = BigInteger().with_variant(Integer, "sqlite")

SERIES_INDEX = Table(
    "series_index",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("digest", String(32), nullable=False, unique=True),
    Column("labels", LargeBinary, nullable=False),
)

# One row, written by every hop: the cursors, and the numbers that must outlive the rows they once named.
PROGRESS = Table(
    "progress",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("last_observation", BigInteger, nullable=False),
    Column("last_seen_at", Double),
    Column("compacted_until", Double),
    Column("reading_cursor", BigInteger, nullable=False),
    Column("evaluated_at", Double),
    Column("last_transition", BigInteger, nullable=False),
    Column("planned_transition", BigInteger, nullable=False),
)

# A row is one observation (id = last_id), or a run of them: frames of one indicator over one index, compacted.
READINGS = Table(
    "readings",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("last_id", BigInteger, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("last_seen_at", Double, nullable=False),
    Column("at", Double),
    Column("kind", String(16), nullable=False),
    Column("indicator", Text),
    Column("collector", Text, nullable=False),
    Column("index_id", ForeignKey("series_index.id")),
    Column("rejected", BigInteger, nullable=False),
    Column("example", Text),
    Column("block", LargeBinary, nullable=False),
    Index("readings_by_last_seen_at", "last_seen_at"),
    Index("readings_by_index", "index_id"),
)

COLLECTORS = Table(
    "collectors",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("cursor", Text, nullable=False),
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("tier", String(64), primary_key=True, server_default=""),
    Column("labels", Text, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("active_at", Double, nullable=False),
    Column("fired_at", Double),
    Column("clear_since", Double),
    Column("held_since", Double),
    Column("verdict", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("value", Double),
)

TRANSITIONS = Table(
    "transitions",
    METADATA,
    Column("seq", _ID, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("sprint", Text, nullable=False),
    Column("kpi", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("transitions_by_at", "at"),
)

KPI_EVALUATIONS = Table(
    "kpi_evaluations",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("evaluated_at", Double, nullable=False),
)

VERDICT_MEMORY = Table(
    "verdict_memory",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("index_id", ForeignKey("series_index.id"), nullable=False),
    Column("block", LargeBinary, nullable=False),
    Index("verdict_memory_by_index", "index_id"),
)

CLOSED_SPRINTS = Table(
    "closed_sprints",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("end_at", Double, nullable=False),
)

FINAL_VERDICTS = Table(
    "final_verdicts",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("window_start", Double),
    Column("notes", Text, nullable=False),
    Column("index_id", ForeignKey("series_index.id"), nullable=False),
    Column("block", LargeBinary, nullable=False),
    Column("seal", Text),
    Column("budget", LargeBinary),
    Index("final_verdicts_by_index", "index_id"),
)

RESTATEMENTS = Table(
    "restatements",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("inputs_digest", String(64), nullable=False),
    Column("notes", Text, nullable=False),
    Column("index_id", ForeignKey("series_index.id"), nullable=False),
    Column("block", LargeBinary, nullable=False),
    Index("restatements_by_index", "index_id"),
)

# One row a KPI and sprint, of some hundred slots: kept for good, as the final verdicts are.
TRAILS = Table(
    "trails",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("slot_seconds", Double, nullable=False),
    Column("block", LargeBinary, nullable=False),
)

RULE_FORMS = Table(
    "rule_forms",
    METADATA,
    Column("sprint", Text, primary_key=True),
    Column("kpi", Text, primary_key=True),
    Column("original", Text, nullable=False),
    Column("latest", Text, nullable=False),
)

RULE_CHANGES = Table(
    "rule_changes",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("at", Double, nullable=False),
    Column("sprint", Text, nullable=False),
    Column("kpi", Text, nullable=False),
    Column("field", String(64), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)

VERDICT_CHANGES = Table(
    "verdict_changes",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("at", Double, nullable=False),
    Column("sprint", Text, nullable=False),
    Column("kpi", Text, nullable=False),
    Column("index_id", ForeignKey("series_index.id"), nullable=False),
    Column("block", LargeBinary, nullable=False),
    Index("verdict_changes_by_at", "at"),
    Index("verdict_changes_by_index", "index_id"),
)

PLANNER_GROUPS = Table(
    "planner_groups",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("sprint", Text, nullable=False, server_default=""),
    Column("kpi", Text, nullable=False, server_default=""),
    Column("document", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("leased_until", Double),
    Column("ended_at", Double),
    Column("last_error", Text),
    Index("outbox_line", "receiver", "state", "id"),
    Index("outbox_by_kpi", "kpi", "sprint", "id"),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("transition", BigInteger, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("told_by", Text),
    Column("not_told", String(64)),
    Column("silence", BigInteger),
    Index("decisions_by_transition", "transition", "receiver"),
)

DELIVERY_ATTEMPTS = Table(
    "delivery_attempts",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("error", Text),
    Index("delivery_attempts_by_at", "at"),
)

# Numbers are never given twice, also when the newest rows are pruned: decisions name silences by them.
SILENCES = Table(
    "silences",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("matchers", Text, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expired_at", Double),
    sqlite_autoincrement=True,
)

ACKNOWLEDGEMENTS = Table(
    "acknowledgements",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("sprint", Text, nullable=False),
    Column("kpi", Text, nullable=False),
    Column("labels", Text),
    Column("until", Double, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    sqlite_autoincrement=True,
)
