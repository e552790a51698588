"""Transitions, notifications and labels as JSON text.

The standard library's ``json``, not orjson: it writes text that a source garbled (lone surrogates) and floats
such as Inf so that they come back; a message must not be lost over a broken character.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, fields
from sys import intern
from typing import Any

from slo_guard.domain.alerts import AlertKey, AlertKind, FinalVerdict, Transition
from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.domain.rule_changes import RuleChange
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.domain.verdicts import AlertState, Reason, Verdict

# Not dataclasses.asdict, which copies deeply: tens of thousands of series may begin to fire at once.
_TRANSITION_FIELDS = tuple(field.name for field in fields(Transition))


def storable(text: str | None) -> str | None:
    """Return ``text`` such that any database takes it: lone surrogates become question marks."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def labels_from(pairs: list[list[str]]) -> LabelSet:
    """Return a label set from its JSON form."""
    return tuple((intern(name), intern(value)) for name, value in pairs)


def labels_text(labels: LabelSet) -> str:
    """Return a label set as JSON text; equal sets give equal text."""
    return json.dumps(labels, separators=(",", ":"))


def index_bytes(index: SeriesIndex) -> bytes:
    """Return an index's label sets, compressed."""
    return zlib.compress(json.dumps(index.label_sets, separators=(",", ":")).encode(), 1)


def index_from(content: bytes) -> SeriesIndex:
    """Return the index that :func:`index_bytes` wrote."""
    return SeriesIndex.of(labels_from(pairs) for pairs in json.loads(zlib.decompress(content)))


def transition_text(transition: Transition) -> str:
    """Return a transition as JSON text."""
    key = transition.key
    document = {name: getattr(transition, name) for name in _TRANSITION_FIELDS} | {
        "key": {"sprint": key.sprint, "kpi": key.kpi, "labels": key.labels, "kind": key.kind, "tier": key.tier},
        "from_state": transition.from_state.label,
        "to_state": transition.to_state.label,
        "verdict": transition.verdict.label,
        "annotations": dict(transition.annotations),
        "finals": [_final_document(final) for final in transition.finals],
    }
    return json.dumps(document)


def transition_from(text: str) -> Transition:
    """Return the transition that :func:`transition_text` wrote."""
    document = json.loads(text)
    key = document["key"]
    return Transition(
        **document
        | {
            "key": _key(key),
            "from_state": AlertState[document["from_state"].upper()],
            "to_state": AlertState[document["to_state"].upper()],
            "reason": Reason(document["reason"]),
            "verdict": Verdict[document["verdict"].upper()],
            "severity": Severity(document["severity"]),
            "collectors": tuple(document["collectors"]),
            "finals": tuple(_final(final) for final in document.get("finals", ())),
        }
    )


def _key(document: dict[str, Any]) -> AlertKey:
    labels, kind = labels_from(document["labels"]), AlertKind(document["kind"])
    return AlertKey(document["sprint"], document["kpi"], labels, kind, document.get("tier", ""))


def _final_document(final: FinalVerdict) -> dict[str, Any]:
    by_original = None if final.by_original is None else final.by_original.label
    return asdict(final) | {"verdict": final.verdict.label, "by_original": by_original}


def _final(document: dict[str, Any]) -> FinalVerdict:
    by_original = document.get("by_original")
    return FinalVerdict(
        **document
        | {
            "verdict": Verdict[document["verdict"].upper()],
            "reason": Reason(document["reason"]),
            "changes": tuple(RuleChange(**each) for each in document.get("changes", ())),
            "by_original": None if by_original is None else Verdict[by_original.upper()],
        }
    )


def notification_text(notification: Notification) -> str:
    """Return a notification as JSON text."""
    return json.dumps(asdict(notification))


def notification_from(text: str) -> Notification:
    """Return the notification that :func:`notification_text` wrote."""
    document = json.loads(text)
    return Notification(
        **document
        | {
            "reason": NotificationReason(document["reason"]),
            "kind": AlertKind(document["kind"]),
            "severity": Severity(document["severity"]),
            "series": tuple(_line(line) for line in document["series"]),
            "transitions": tuple(document["transitions"]),
        }
    )


def _line(document: dict[str, Any]) -> SeriesLine:
    return SeriesLine(**document | {"labels": labels_from(document["labels"])})
