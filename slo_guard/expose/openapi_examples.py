"""Examples of answers for the OpenAPI document, each as short as it can be."""

from __future__ import annotations

from typing import Any, Final

_AT = "2026-07-08T20:00:00Z"

EXAMPLES: Final[dict[str, Any]] = {
    "/api/v1/sprint": {
        "at": _AT,
        "sprints": [
            {
                "sprint": "sprint-40",
                "title": "Sprint 40",
                "state": "running",
                "start": "2026-07-06",
                "end": "2026-07-17",
                "starts_at": "2026-07-06T06:00:00Z",
                "ends_at": "2026-07-18T06:00:00Z",
                "timezone": "America/Denver",
                "work_days": ["mon", "tue", "wed", "thu", "fri"],
                "days_left": 10,
                "work_days_left": 8,
                "seconds_left": 813600.0,
                "kpis": 60,
                "not_judged": 0,
                "counts": {"missed": 1, "at_risk": 4, "not_due": 17, "met": 38},
                "alerts": {"firing": 2, "pending": 1},
                "go_no_go": {
                    "sprint": "sprint-40",
                    "at": _AT,
                    "final": False,
                    "outcome": "no-go",
                    "reason": "1 no-go",
                    "kpis": [
                        {
                            "kpi": "ga_e2e_p95",
                            "title": "GA end-to-end p95",
                            "lane": "ga-ops",
                            "owner": "SRE Lead",
                            "outcome": "no-go",
                            "verdict": "missed",
                            "value": "1.31s",
                            "objective": "at most 1.16s",
                            "evidence": [],
                            "missing": ["system=fs: 1.31s is not at most 1.16s: 150ms above"],
                            "remarks": [],
                        }
                    ],
                },
            }
        ],
    },
    "/api/v1/alerts": {
        "at": _AT,
        "total": 1,
        "truncated": False,
        "alerts": [
            {
                "sprint": "sprint-40",
                "kpi": "ga_e2e_p95",
                "lane": "ga-ops",
                "title": "GA end-to-end p95",
                "owner": "SRE Lead",
                "labels": {"system": "fs"},
                "kind": "breach",
                "tier": None,
                "severity": "page",
                "state": "firing",
                "since": "2026-07-08T19:50:00Z",
                "fired_at": "2026-07-08T19:55:00Z",
                "verdict": "missed",
                "value": 1.31,
                "unit": "seconds",
                "objective": "at_most 1.16s",
                "reason": "objective_missed",
                "reason_text": "the value does not meet the objective",
                "silenced_by": None,
                "acknowledged": None,
                "runbook_url": "https://runbooks.example/mission-control/ga-latency",
            }
        ],
    },
    "/api/v1/sources": {
        "at": _AT,
        "total": 1,
        "truncated": False,
        "sources": [
            {
                "collector": "prom",
                "kind": "prometheus",
                "state": "failing",
                "indicators": ["ga_e2e_p95_seconds"],
                "last_success": "2026-07-08T19:58:00Z",
                "last_error": {"reason": "timeout", "message": "no answer within 5s", "at": "2026-07-08T19:59:55Z"},
            }
        ],
    },
    "/api/v1/evidence": {
        "at": _AT,
        "evidence": [
            {
                "sprint": "sprint-40",
                "kpi": "fsv2_decision_signed",
                "title": "FS-v2 decision signed",
                "lane": "fs-v2",
                "owner": "Backend Lead",
                "gate": True,
                "due": "2026-07-07T06:00:00Z",
                "indicators": ["fsv2_decision_signed"],
                "collected_at": "2026-07-08T19:59:55Z",
                "verdict": "met",
                "signed": True,
                "by": "Ada Example",
                "link": "https://wiki.example/memo",
                "when": "2026-07-06T18:00:00Z",
                "total": 1,
                "truncated": False,
                "sign_offs": [
                    {
                        "labels": {},
                        "withdrawn": False,
                        "by": "Ada Example",
                        "link": "https://wiki.example/memo",
                        "when": "2026-07-06T18:00:00Z",
                        "entered_at": "2026-07-06T18:01:12Z",
                    }
                ],
            }
        ],
    },
    "/prometheus/api/v1/alerts": {
        "status": "success",
        "data": {
            "alerts": [
                {
                    "labels": {
                        "alertname": "ga_e2e_p95",
                        "sprint": "sprint-40",
                        "lane": "ga-ops",
                        "kpi": "ga_e2e_p95",
                        "severity": "page",
                        "kind": "breach",
                        "system": "fs",
                    },
                    "annotations": {"summary": "fs p95 is 1.31s, limit at most 1.16s"},
                    "state": "firing",
                    "activeAt": "2026-07-08T19:50:00Z",
                    "value": "1.31e+00",
                }
            ]
        },
    },
}
"""By path; a test holds each to its model."""
