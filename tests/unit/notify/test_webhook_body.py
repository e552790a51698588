"""The webhook's body: what receivers of Alertmanager find in it."""

from __future__ import annotations

import json
from typing import Any

from slo_guard.domain.notifications import NotificationReason
from slo_guard.notify.webhook import webhook_body
from tests.support.notices import NOON, a_line, a_notification, labelled
from tests.support.webhook_stand_in import WebhookStandIn

HEADERS = {"content-type": "application/json"}


def body(external_url: str = "", **changes: Any) -> dict[str, Any]:
    made = webhook_body(a_notification(**changes), external_url)
    assert WebhookStandIn().problems_of(HEADERS, json.dumps(made).encode()) == []
    return made


def test_a_firing_alert_looks_as_alertmanagers_does() -> None:
    """What already receives Alertmanager must work without a change."""
    made = body("https://slo.example")

    [alert] = made["alerts"]
    assert (made["version"], made["status"], made["receiver"]) == ("4", "firing", "sre")
    assert made["externalURL"] == "https://slo.example"
    assert alert["generatorURL"] == "https://slo.example/kpis/ga_e2e_p95?sprint=sprint-40"
    assert alert["labels"] == {
        "alertname": "ga_e2e_p95",
        "kpi": "ga_e2e_p95",
        "sprint": "sprint-40",
        "lane": "ga-ops",
        "severity": "page",
        "kind": "breach",
        "owner": "SRE Lead",
        "system": "fs",
    }
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-07-07T11:00:00Z", "0001-01-01T00:00:00Z")
    assert alert["annotations"] == {
        "summary": "fs p95 is 1.31s",
        "description": "1.31s, objective at most 1.16s: the value does not meet the objective",
        "value": "1.31s",
        "objective": "at_most 1.16s",
        "reason": "objective_missed",
        "since": "2026-07-07T11:00:00Z",
        "runbook_url": "https://runbooks.example/ga?a=1&b=2",
    }


def test_ours_are_added_beside_the_documented_fields() -> None:
    """Why it was sent, and the key by which a second copy is known."""
    made = body(reason=NotificationReason.SERIES_ADDED, key="abc")

    assert (made["notification_reason"], made["idempotency_key"]) == ("series_added", "abc")


def test_an_end_without_recovery_is_resolved_with_its_reason() -> None:
    """The format knows two states; the annotations say what really happened."""
    gone = a_line(firing=False, reason="series_gone", verdict="no_data", value=None, ended_at=NOON + 60)

    made = body(reason=NotificationReason.ENDED, series=(gone,))

    [alert] = made["alerts"]
    assert (made["status"], alert["status"], alert["endsAt"]) == ("resolved", "resolved", "2026-07-07T11:01:00Z")
    assert alert["annotations"]["reason"] == "series_gone"
    assert "the series is gone" in alert["annotations"]["description"]


def test_a_series_keeps_its_fingerprint_from_firing_to_end() -> None:
    """Receivers match the end with its beginning by it."""
    first, second = (
        body(series=(a_line(firing=firing, ended_at=None if firing else NOON + 9),)) for firing in (True, False)
    )
    [other] = body(series=(a_line(labels=labelled(system="xai2")),))["alerts"]

    assert first["alerts"][0]["fingerprint"] == second["alerts"][0]["fingerprint"] != other["fingerprint"]


def test_what_all_alerts_share_is_common() -> None:
    """Routing behind the webhook works on the common labels."""
    made = body(series=(a_line(), a_line(labels=labelled(system="xai2"))))

    assert "system" not in made["commonLabels"]
    assert made["commonLabels"]["kpi"] == "ga_e2e_p95"
    assert made["commonAnnotations"]["value"] == "1.31s"


def test_a_by_label_that_is_taken_is_kept_under_another_name() -> None:
    """Two series that differ in nothing else must not look like one."""
    [alert] = body(series=(a_line(labels=labelled(owner="tenant-7")),))["alerts"]

    assert (alert["labels"]["owner"], alert["labels"]["exported_owner"]) == ("SRE Lead", "tenant-7")


def test_it_is_kept_under_a_name_that_is_free() -> None:
    """The other name may be taken as well, by a label or by its own."""
    labels = labelled(owner="tenant-7", exported_owner="tenant-8")
    [alert] = body(series=(a_line(labels=labels),))["alerts"]

    assert alert["labels"]["owner"] == "SRE Lead"
    assert alert["labels"]["exported_owner"] == "tenant-8"
    assert alert["labels"]["exported_exported_owner"] == "tenant-7"


def test_alerts_that_are_not_listed_are_counted() -> None:
    """Alertmanager's `truncatedAlerts` says how many."""
    assert body(unlisted_firing=7, unlisted_ended=2)["truncatedAlerts"] == 9


def test_without_an_address_the_links_are_empty() -> None:
    """As Alertmanager's format has it where nobody said where it is reached."""
    made = body()

    assert made["externalURL"] == made["alerts"][0]["generatorURL"] == ""
