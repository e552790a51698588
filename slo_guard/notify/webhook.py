"""The ``webhook`` receiver: Alertmanager's webhook body, version 4, so that what receives Alertmanager's receives ours.

Two keys are added, which such receivers ignore: ``notification_reason`` and ``idempotency_key``; the latter is
also the header ``Idempotency-Key``. An alert that ends without having recovered is ``resolved`` here, since the
format knows no other word; its annotations ``reason`` and ``description`` say what really happened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from slo_guard.clock import iso
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.notify.http_post import Address, JsonPoster, failure_of
from slo_guard.notify.links import kpi_link
from slo_guard.notify.options import HttpReceiverOptions
from slo_guard.notify.text import headline, measured, name_of, objective_text, sound, summary_line, why_line

_NOT_ENDED = "0001-01-01T00:00:00Z"


class WebhookOptions(HttpReceiverOptions):
    """A receiver that takes Alertmanager's webhook format."""

    type: Annotated[Literal["webhook"], Field(description="What kind of receiver this is: webhook.")]
    url: Annotated[Address, Field(description="Where to post; a URL, or {env: NAME} or {file: PATH} if it is secret.")]


class WebhookReceiver:
    """Posts each notification as one body; see :mod:`slo_guard.notify.http_post` for what the answers mean."""

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._poster = JsonPoster(options.url, options.http)

    @property
    def name(self) -> str:
        """The receiver's name in the config."""
        return self._options.name

    def send(self, notification: Notification) -> None:
        """Post once. Raises ``TransientDeliveryError`` or ``PermanentDeliveryError``."""
        body = webhook_body(notification, self._options.external_url or "")
        failure = failure_of(self._poster.post(body, notification.key))
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Release connections; idempotent."""
        self._poster.close()


def webhook_body(note: Notification, external_url: str = "") -> dict[str, Any]:
    """Return the body of Alertmanager's webhook, version 4.

    Its ``externalURL`` is this slo_guard's, and each alert's ``generatorURL`` the page that explains its KPI.
    """
    alerts = [_alert(note, line, external_url) for line in note.series]
    return {
        "version": "4",
        "groupKey": note.group,
        "truncatedAlerts": note.unlisted_firing + note.unlisted_ended,
        "status": "firing" if note.firing else "resolved",
        "receiver": note.receiver,
        "groupLabels": {
            "alertname": note.kpi,
            "kpi": note.kpi,
            "sprint": note.sprint,
            "kind": note.kind.value,
            **_tier(note),
        },
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": external_url,
        "alerts": alerts,
        "notification_reason": note.reason.value,
        "idempotency_key": note.key,
    }


def _alert(note: Notification, line: SeriesLine, external_url: str) -> dict[str, Any]:
    labels = _labels(note, line)
    return {
        "status": "firing" if line.firing else "resolved",
        "labels": labels,
        "annotations": _annotations(note, line),
        "startsAt": iso(line.active_at),
        "endsAt": _NOT_ENDED if line.ended_at is None else iso(line.ended_at),
        "generatorURL": kpi_link(external_url, note) or "",
        "fingerprint": hashlib.blake2b(json.dumps(sorted(labels.items())).encode(), digest_size=8).hexdigest(),
    }


def _labels(note: Notification, line: SeriesLine) -> dict[str, str]:
    labels = {
        "alertname": note.kpi,
        "kpi": note.kpi,
        "sprint": note.sprint,
        "lane": note.lane,
        "severity": note.severity.value,
        "kind": note.kind.value,
        **_tier(note),
    }
    if note.owner:
        labels["owner"] = note.owner
    # As Prometheus does with a label that is taken: two series must not look like one.
    taken = {*labels, *(name for name, _ in line.labels)}
    for name, value in line.labels:
        free = name
        while free in labels or (free != name and free in taken):
            free = f"exported_{free}"
        labels[free] = value
    return labels


def _tier(note: Notification) -> dict[str, str]:
    return {"tier": note.tier} if note.tier else {}


def _annotations(note: Notification, line: SeriesLine) -> dict[str, str]:
    if note.reason is NotificationReason.TEST:
        return {
            "summary": summary_line(note),
            "description": "slo-guard send-test asked for it, to see that it arrives",
        }
    value = measured(note, line)
    against = f"{value}, objective {objective_text(note)}" if note.objective else value
    annotations = {
        "summary": f"{headline(note)}: {name_of(note)}",
        "description": f"{against}: {why_line(note, line)}",
        "value": value,
        "objective": note.objective,
        "reason": line.reason,
        "since": iso(line.active_at),
    }
    if note.runbook_url:
        annotations["runbook_url"] = note.runbook_url
    if note.acknowledged:
        annotations["acknowledged"] = note.acknowledged
    return {name: sound(text) for name, text in (annotations | dict(line.annotations)).items()}


def _common(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not pairs:
        return {}
    return {name: value for name, value in pairs[0].items() if all(other.get(name) == value for other in pairs[1:])}
