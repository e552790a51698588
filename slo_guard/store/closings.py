"""The close of sprints in SQL: which have closed, how their KPIs stood, and what restates that.

It is kept for good: rows are few.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, select

from slo_guard.domain.ports import FinalVerdicts
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.verdicts import Outlook, Restatement, Seal, Targets, Verdict
from slo_guard.store.blocks import pack_block, unpack_block
from slo_guard.store.budgets import budget_block, budget_from
from slo_guard.store.indexes import SeriesIndexes
from slo_guard.store.reason_names import named_reasons, reason_codes
from slo_guard.store.schema import CLOSED_SPRINTS, FINAL_VERDICTS, RESTATEMENTS, SERIES_INDEX
from slo_guard.store.statements import delete_rows, replace_rows

_OUTLOOK_COLUMNS = tuple(field.name for field in fields(Outlook))


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFinal:
    """One KPI's last verdicts, ready to be inserted."""

    final: FinalVerdicts
    block: bytes
    budget: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedRestatement:
    """What restates one KPI, ready to be inserted."""

    restatement: Restatement
    block: bytes


def encode_restatements(restatements: Iterable[Restatement]) -> list[EncodedRestatement]:
    """Return ``restatements`` as rows, to be done before taking the lock."""
    return [
        EncodedRestatement(each, pack_block(each.value, each.verdict, *named_reasons(each.reason)))
        for each in restatements
    ]


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
            budget_block(each.budget),
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
    """Store which sprints closed and the last verdicts of KPIs.

    Those of an earlier close are replaced, and what restated them goes.
    """
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
            "seal": _seal_text(each.final),
            "budget": each.budget,
        }
        for each in finals
    ]
    replace_rows(connection, FINAL_VERDICTS, ("sprint", "kpi"), rows)
    delete_rows(connection, RESTATEMENTS, ("sprint", "kpi"), rows)


def save_restatements(
    connection: Connection,
    indexes: SeriesIndexes,
    restatements: Iterable[EncodedRestatement],
    encoded_indexes: Mapping[SeriesIndex, bytes],
) -> None:
    """Store what restates final verdicts, in the place of what did before."""
    rows = [
        {
            "sprint": each.restatement.sprint,
            "kpi": each.restatement.kpi,
            "at": each.restatement.at,
            "inputs_digest": each.restatement.inputs_digest,
            "notes": json.dumps(each.restatement.notes),
            "index_id": indexes.row_of(connection, each.restatement.index, encoded_indexes),
            "block": each.block,
        }
        for each in restatements
    ]
    replace_rows(connection, RESTATEMENTS, ("sprint", "kpi"), rows)


def load_restatements(connection: Connection, indexes: SeriesIndexes) -> dict[tuple[str, str], Restatement]:
    """Return what restates final verdicts by (sprint, KPI)."""
    found: dict[tuple[str, str], Restatement] = {}
    for row in connection.execute(select(RESTATEMENTS, SERIES_INDEX.c.digest).join(SERIES_INDEX)).all():
        value, verdict, names, codes = unpack_block(row.block)
        found[row.sprint, row.kpi] = Restatement(
            sprint=row.sprint,
            kpi=row.kpi,
            at=row.at,
            inputs_digest=row.inputs_digest,
            index=indexes.load(connection, row.index_id, row.digest),
            value=value,
            verdict=verdict,
            reason=reason_codes(names, codes),
            notes=_notes(row.notes),
        )
    return found


def load_closed(connection: Connection) -> dict[str, float]:
    """Return the sprints of which the close is recorded, with the end at which they closed."""
    return {row.sprint: row.end_at for row in connection.execute(select(CLOSED_SPRINTS))}


def load_finals(connection: Connection, indexes: SeriesIndexes) -> dict[tuple[str, str], FinalVerdicts]:
    """Return the last verdicts by (sprint, KPI)."""
    found: dict[tuple[str, str], FinalVerdicts] = {}
    stored = select(FINAL_VERDICTS, SERIES_INDEX.c.digest).join(SERIES_INDEX)
    for row in connection.execute(stored).all():
        value, verdict, names, codes, samples, coverage, total, since, *outlook = unpack_block(row.block)
        seal, targets = _seal_from(row.seal)
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
            notes=_notes(row.notes),
            # Columns are only ever added at the end: what an older version stored has fewer.
            outlook=Outlook(*outlook) if outlook else None,
            seal=seal,
            targets=targets,
            budget=budget_from(row.budget),
        )
    return found


def _notes(text: str) -> dict[int, str]:
    return {int(place): note for place, note in json.loads(text).items()}


def _seal_text(final: FinalVerdicts) -> str | None:
    """Return seal and original target as JSON; the changes of the target have a table of their own."""
    if final.seal is None:
        return None
    document: dict[str, object] = {"seal": asdict(final.seal)}
    if final.targets is not None and final.targets.verdict is not None:
        document["original"] = {"objective": final.targets.objective, "verdict": final.targets.verdict.label}
    return json.dumps(document)


def _seal_from(text: str | None) -> tuple[Seal | None, Targets | None]:
    if text is None:
        return None, None
    document = json.loads(text)
    original = document.get("original")
    if original is None:
        return Seal(**document["seal"]), None
    return Seal(**document["seal"]), Targets((), original["objective"], Verdict[original["verdict"].upper()])
