"""The close of sprints in SQL: which have closed, and how their KPIs stood. It is kept for good: rows are few."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from sqlalchemy import Connection, select

from slo_guard.domain.ports import FinalVerdicts
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.verdicts import Outlook
from slo_guard.store.blocks import pack_block, unpack_block
from slo_guard.store.indexes import SeriesIndexes
from slo_guard.store.reason_names import named_reasons, reason_codes
from slo_guard.store.schema import CLOSED_SPRINTS, FINAL_VERDICTS, SERIES_INDEX
from slo_guard.store.statements import replace_rows

_OUTLOOK_COLUMNS = tuple(field.name for field in fields(Outlook))


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFinal:
    """One KPI's last verdicts, ready to be inserted."""

    final: FinalVerdicts
    block: bytes


def encode_finals(finals: Iterable[FinalVerdicts]) -> list[EncodedFinal]:
    """Return ``finals`` as rows: the costly part, to be done before taking the lock."""
    return [
        EncodedFinal(
            each,
            pack_block(
                each.value,
                each.verdict,
                *named_reasons(each.reason),
                each.samples,
                each.coverage,
                each.total,
                each.since,
                *(() if each.outlook is None else (getattr(each.outlook, name) for name in _OUTLOOK_COLUMNS)),
            ),
        )
        for each in finals
    ]


def save_closings(
    connection: Connection,
    indexes: SeriesIndexes,
    closed: Mapping[str, float],
    finals: Iterable[EncodedFinal],
    encoded_indexes: Mapping[SeriesIndex, bytes],
) -> None:
    """Store which sprints closed and the last verdicts of KPIs; those of an earlier close are replaced."""
    replace_rows(
        connection,
        CLOSED_SPRINTS,
        ("sprint",),
        [{"sprint": sprint, "end_at": end_at} for sprint, end_at in closed.items()],
    )
    rows = [
        {
            "sprint": each.final.sprint,
            "kpi": each.final.kpi,
            "at": each.final.at,
            "window_start": each.final.window_start,
            "notes": json.dumps(dict(each.final.notes)),
            "index_id": indexes.row_of(connection, each.final.index, encoded_indexes),
            "block": each.block,
        }
        for each in finals
    ]
    replace_rows(connection, FINAL_VERDICTS, ("sprint", "kpi"), rows)


def load_closed(connection: Connection) -> dict[str, float]:
    """Return the sprints of which the close is recorded, with the end at which they closed."""
    return {row.sprint: row.end_at for row in connection.execute(select(CLOSED_SPRINTS))}


def load_finals(connection: Connection, indexes: SeriesIndexes) -> dict[tuple[str, str], FinalVerdicts]:
    """Return the last verdicts by (sprint, KPI)."""
    found: dict[tuple[str, str], FinalVerdicts] = {}
    stored = select(FINAL_VERDICTS, SERIES_INDEX.c.digest).join(SERIES_INDEX)
    for row in connection.execute(stored).all():
        value, verdict, names, codes, samples, coverage, total, since, *outlook = unpack_block(row.block)
        found[row.sprint, row.kpi] = FinalVerdicts(
            sprint=row.sprint,
            kpi=row.kpi,
            at=row.at,
            index=indexes.load(connection, row.index_id, row.digest),
            value=value,
            verdict=verdict,
            reason=reason_codes(names, codes),
            samples=samples,
            coverage=coverage,
            total=total,
            since=since,
            window_start=row.window_start,
            notes={int(place): note for place, note in json.loads(row.notes).items()},
            # Columns are only ever added at the end: what an older version stored has fewer.
            outlook=Outlook(*outlook) if outlook else None,
        )
    return found
