"""What was sent about a KPI, without reading every message."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Name in each row of the outbox the KPI that its message is about."""
    op.add_column("outbox", sa.Column("sprint", sa.Text, nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("kpi", sa.Text, nullable=False, server_default=""))
    outbox = sa.table("outbox", sa.column("id"), sa.column("sprint"), sa.column("kpi"), sa.column("document"))
    connection = op.get_bind()
    for number in connection.execute(sa.select(outbox.c.id)).scalars().all():
        text = connection.execute(sa.select(outbox.c.document).where(outbox.c.id == number)).scalar_one()
        about = {name: str(json.loads(text).get(name, "")) for name in ("sprint", "kpi")}
        connection.execute(outbox.update().where(outbox.c.id == number).values(about))
    op.create_index("outbox_by_kpi", "outbox", ["kpi", "sprint", "id"])
