"""The config of the demo's daemon, as a person would have written it: one collector a source, of every type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slo_guard.demo import json_endpoints
from slo_guard.demo.adapted_rules import INTERVAL_SECONDS, WAIT_SECONDS
from slo_guard.demo.databases import BILLING, ONBOARDING
from slo_guard.demo.growing_files import CALENDAR, FOLDER, TICKETS, USAGE
from slo_guard.demo.mission_control import SIGNED
from slo_guard.demo.mission_files import SIGN_OFFS
from slo_guard.demo.prometheus_stand_in import QUERIES
from slo_guard.demo.sources import PAGE_INDICATORS

_TYPES: Mapping[str, tuple[str, str]] = {
    "burn_alarm_active": ("bool", ""),
    "fsv2_blended_sources": ("gauge", ""),
    "fsv2_ab_harness_running": ("bool", ""),
    "fsv2_ctr5_ratio": ("gauge", "ratio"),
    "fsv2_p95_seconds": ("percentile", "seconds"),
    "onboarding_tenant_slos_green": ("bool", ""),
}
"""Type and unit of what the query API gives and is no counter."""

_STAGING = ("count(pilot0", "max(rate(pilot0", "pilot0")
_EVERY = f"{INTERVAL_SECONDS:g}s"
_CENSUS = "SELECT id, counted_at AS at, {} AS value FROM census WHERE id > :since"
_USAGE_SQL = "SELECT id, taken_at AS at, tenant, {} AS value FROM usage_snapshots WHERE id > :since"
_BY_ID = {"column": "id", "start": 0}


def demo_config(
    sources_url: str, port: int, *, host: str = "127.0.0.1", slack_url_file: str = "slack-url"
) -> dict[str, Any]:
    """Return the config: sources at ``sources_url`` and in the config's folder, the page at ``host`` and ``port``."""
    return {
        "version": 1,
        "rules": ["rules"],
        "server": {"host": host, "port": port} | ({"external_url": f"http://127.0.0.1:{port}/"} if port else {}),
        "store": {"path": "slo-guard.db"},
        "log": {"level": "error"},
        "collector_alert": {"for": f"{WAIT_SECONDS:g}s"},
        "collectors": [
            *_over_http(sources_url),
            *_json_apis(sources_url),
            *_databases(),
            *_files(),
            _collector("sign-offs", "evidence", file=SIGN_OFFS, indicators=list(SIGNED)),
        ],
        "receivers": [{"name": "slack", "type": "slack", "url": {"file": slack_url_file}}],
    }


def _over_http(url: str) -> list[dict[str, Any]]:
    page = [_indicator(name, "percentile", "seconds", metric=name) for name in PAGE_INDICATORS]
    queries = [_indicator(name, *_TYPES.get(name, ("counter", "")), query=query) for query, name in QUERIES.items()]
    # Apart from the others: only the newest of these is looked at, so that no past of them has to be read at the start.
    staging = [indicator for indicator in queries if indicator["query"].startswith(_STAGING)]
    production = [indicator for indicator in queries if indicator not in staging]
    return [
        _collector("services", "scrape", url=f"{url}/metrics", indicators=page),
        _collector("prometheus", "prometheus", url=url, indicators=production),
        _collector("staging", "prometheus", url=url, indicators=staging),
    ]


def _json_apis(url: str) -> list[dict[str, Any]]:
    of_issue: dict[str, Any] = {"rows": "issues", "labels": {"issue": "key"}}
    of_partner: dict[str, Any] = {"rows": "partners", "labels": {"partner": "id"}}
    return [
        _collector(
            "tickets",
            "json",
            url=url + json_endpoints.TICKETS,
            paging={"cursor": {"path": "page.next_cursor", "param": "cursor"}},
            indicators=[
                _indicator("sprint_points_remaining", "gauge", value="points_left", **of_issue),
                _indicator("blocker_age_seconds", "gauge", "hours", value="blocked_hours || `0`", **of_issue),
            ],
        ),
        _collector(
            "scope-ledger",
            "json",
            url=url + json_endpoints.SCOPE,
            paging={"next_url": "links.next"},
            indicators=[
                _indicator(
                    "scope_change_points",
                    "event",
                    rows="changes",
                    value="points",
                    time={"path": "changed_at"},
                    id="id",
                    look_back="14d",
                )
            ],
        ),
        _collector(
            "marketplace",
            "json",
            url=url + json_endpoints.PARTNERS,
            paging={"page": {"param": "page"}},
            indicators=[
                _indicator("mpd_packets_total", "counter", value="packets.verified", **of_partner),
                _indicator("mpd_packets_auto_passed_total", "counter", value="packets.auto_passed", **of_partner),
                _indicator("mpd_failures_untriaged_over_1d", "gauge", value="failures.untriaged_over_1d", **of_partner),
                _indicator(
                    "mpd_failures_without_clause", "gauge", value="failures.triaged_without_clause", **of_partner
                ),
                _indicator("mpd_commercial_transactions", "gauge", value="transactions.commercial", **of_partner),
            ],
        ),
        _collector(
            "feature-flags",
            "json",
            url=url + json_endpoints.FLAG,
            indicators=[
                _indicator("xai_m1_flag_enabled", "bool", value="enabled"),
                _indicator("xai_flag_users", "gauge", rows="exposure", value="users", labels={"cohort": "cohort"}),
            ],
        ),
    ]


def _databases() -> list[dict[str, Any]]:
    metered, billed = (_USAGE_SQL.format(column) for column in ("metered_units", "billed_units"))
    live, blocks = (_CENSUS.format(column) for column in ("tenants_live", "go_live_blocks"))
    return [
        _collector(
            "billing",
            "sql",
            url=f"sqlite:///{BILLING}",
            indicators=[
                _indicator("metering_metered_units", "gauge", query=metered, labels=["tenant"], incremental=_BY_ID),
                _indicator("metering_billed_units", "gauge", query=billed, labels=["tenant"], incremental=_BY_ID),
                _indicator(
                    "metering_active_tenants", "gauge", query="SELECT tenant, 1 AS value FROM tenants WHERE active"
                ),
                _indicator(
                    "metering_export_on_schedule",
                    "bool",
                    query="SELECT tenant, on_schedule AS value FROM month_open_exports",
                ),
            ],
        ),
        _collector(
            "onboarding",
            "sql",
            url=f"sqlite:///{ONBOARDING}",
            indicators=[
                _indicator("onboarding_tenants_live", "gauge", query=live, labels=[], incremental=_BY_ID),
                _indicator("onboarding_go_live_blocks_total", "counter", query=blocks, labels=[], incremental=_BY_ID),
                _indicator("onboarding_stage", "gauge", query="SELECT tenant, stage AS value FROM factory"),
                _indicator(
                    "onboarding_evidence_bundles",
                    "gauge",
                    query="SELECT count(*) AS value FROM factory WHERE evidence_bundle IS NOT NULL",
                ),
            ],
        ),
    ]


def _files() -> list[dict[str, Any]]:
    counted: dict[str, Any] = {"time": {"column": "time"}, "labels": ["cohort"]}
    return [
        _collector(
            "xai-usage",
            "file",
            path=f"{FOLDER}/{USAGE}*.csv",
            indicators=[
                _indicator("xai_sessions_total", "counter", value="sessions", **counted),
                _indicator("xai_opt_outs_total", "counter", value="opt_outs", **counted),
            ],
        ),
        _collector(
            "partner-desk",
            "file",
            path=f"{FOLDER}/{TICKETS}*.jsonl",
            indicators=[
                _indicator(
                    "mpd_resolution_seconds",
                    "event",
                    "hours",
                    value="resolution_hours",
                    time={"column": "resolved_at"},
                    labels=["partner"],
                    id="ticket",
                )
            ],
        ),
        _collector(
            "calendar",
            "file",
            path=f"{FOLDER}/{CALENDAR}.csv",
            indicators=[
                _indicator("standups_held", "event", time={"column": "held_at"}, where={"ceremony": "stand-up"})
            ],
        ),
    ]


def _collector(name: str, kind: str, **options: Any) -> dict[str, Any]:
    indicators = options.pop("indicators")
    return {"name": name, "type": kind, **options, "interval": _EVERY, "indicators": indicators}


def _indicator(name: str, kind: str, unit: str = "", **options: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **({"unit": unit} if unit else {}), **options}
