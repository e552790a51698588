"""The annotations of an alert as it stands, filled in as in its messages, for whoever shows alerts."""

from __future__ import annotations

from collections.abc import Mapping

from slo_guard.domain.alerts import Alert, AlertKind
from slo_guard.domain.kpi import KPI
from slo_guard.notify.annotations import AnnotationFacts, render_annotations
from slo_guard.notify.text import objective_words, value_text

_OF_THE_VALUE = frozenset({"summary", "description"})


def annotations_of(alert: Alert, kpi: KPI) -> dict[str, str]:
    """Return the annotations of ``alert``, one of ``kpi``. Never raises."""
    key = alert.key
    templates = templates_for(key.kind, kpi.annotations)
    if not templates:
        return {}
    objective = kpi.objective.text if kpi.objective is not None else ""
    return render_annotations(
        templates,
        AnnotationFacts(
            labels=key.labels,
            value=value_text(alert.value, kpi.unit, objective),
            objective=objective_words(objective),
            kpi=kpi.id,
            title=kpi.title,
            lane=kpi.lane,
            owner=kpi.owner,
            sprint=kpi.sprint,
            severity=key.slot.severity(kpi).value,
            reason=alert.reason.value,
        ),
    )


def templates_for(kind: AlertKind, templates: Mapping[str, str]) -> Mapping[str, str]:
    """Return the templates that are true of an alert of ``kind``.

    Some are sentences about the KPI's value; a burn rate in its place would make them lie.
    """
    if kind is not AlertKind.BURN:
        return templates
    return {name: text for name, text in templates.items() if name not in _OF_THE_VALUE}
