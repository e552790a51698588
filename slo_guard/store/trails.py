"""The trails in SQL: how each KPI went over its sprint, as one block a KPI; the newest takes the place of the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from slo_guard.domain.trails import Trail, Trails
from slo_guard.store.blocks import pack_block, unpack_block
from slo_guard.store.schema import TRAILS
from slo_guard.store.statements import replace_rows


@dataclass(frozen=True, slots=True)
class EncodedTrail:
    """One KPI's trail, ready to be inserted."""

    sprint: str
    kpi: str
    slot_seconds: float
    block: bytes


def encode_trails(trails: Trails) -> list[EncodedTrail]:
    """Return ``trails`` as rows: the costly part, to be done before taking the lock."""
    return [
        EncodedTrail(
            sprint,
            kpi,
            trail.slot_seconds,
            pack_block(trail.at, trail.value, trail.low, trail.high, trail.verdict),
        )
        for (sprint, kpi), trail in trails.items()
    ]


def save_trails(connection: Connection, trails: Sequence[EncodedTrail]) -> None:
    """Store trails in the place of what is stored of the same KPIs."""
    rows = [
        {"sprint": each.sprint, "kpi": each.kpi, "slot_seconds": each.slot_seconds, "block": each.block}
        for each in trails
    ]
    replace_rows(connection, TRAILS, ("sprint", "kpi"), rows)


def load_trails(connection: Connection) -> dict[tuple[str, str], Trail]:
    """Return all trails by (sprint, KPI)."""
    rows = connection.execute(select(TRAILS)).all()
    return {(row.sprint, row.kpi): Trail(row.slot_seconds, *unpack_block(row.block)) for row in rows}
