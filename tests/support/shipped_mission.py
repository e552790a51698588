"""The shipped rules and the shipped config for a test: only times and addresses are changed, objectives stay as shipped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from slo_guard.clock import from_unix
from slo_guard.units import parse_duration
from tests.support.daemon import ROOT
from tests.support.mission_sources import MissionSources

SYSTEMS = ("fs", "predictive", "xai2")
DRILL = "ga_rollback_drill_logged"
E2E_METRIC = "gateway_e2e_latency_p95_milliseconds"

_RULES = ROOT / "rules" / "sprint-40"
_CONFIG = ROOT / "config" / "slo-guard.yaml"


def shipped_lanes() -> dict[str, Any]:
    """Return the shipped lane files' content by file name."""
    files = sorted(_RULES.glob("*.yaml"))
    return {file.name: _load(file) for file in files if file.name != "sprint.yaml"}


def judged_kpis() -> tuple[str, ...]:
    """Return the ids of the shipped KPIs that have an objective."""
    return tuple(kpi["kpi"] for lane in shipped_lanes().values() for kpi in lane["kpis"] if "objective" in kpi)


def shipped_sources() -> MissionSources:
    """Return sources that answer the shipped config's queries, with a calm past of two sprints and more.

    The doors are ``prometheus`` and ``gateway``.
    """
    prometheus = next(each for each in _load(_CONFIG)["collectors"] if each["type"] == "prometheus")
    queries = {indicator["query"]: indicator["name"] for indicator in prometheus["indicators"]}
    return MissionSources(queries, {E2E_METRIC: ("ga_e2e_p95_seconds", 1000.0)})


def calm_past(sources: MissionSources, now: float, *, burned_seconds: float) -> None:
    """Give the sources a past in which all is well, but for ``burned_seconds`` of burn alarm four hours ago.

    Each system had 1,000 requests within the last 24 hours with one complaint, and 100 audits, all passed.
    """
    sources.past("sev1_incidents_total", 0.0)
    burned = now - 4 * 3600
    sources.past("burn_alarm_active", lambda at: 1.0 if burned <= at < burned + burned_seconds else 0.0)
    sources.past("query_p95_4hop_100k_seconds", 0.71)
    recent = now - 3600
    for system in SYSTEMS:
        sources.past("ga_e2e_p95_seconds", 0.9, system=system)
        sources.past("ga_requests_total", lambda at: 6000.0 if at >= recent else 5000.0, system=system)
        sources.past("ga_complaints_total", lambda at: 41.0 if at >= recent else 40.0, system=system)
        sources.past("ga_audits_total", lambda at: 100.0 if at >= recent else 0.0, system=system)
        sources.past("ga_audits_passed_total", lambda at: 100.0 if at >= recent else 0.0, system=system)


def write_mission(
    folder: Path,
    sources: MissionSources,
    now: float,
    *,
    slack_url: str,
    webhook_url: str,
    drill_due_at: float | None = None,
    wait: str = "1s",
    stale_after: str = "6s",
) -> Path:
    """Write rules, config and an empty evidence file into ``folder``; return the config's path.

    The sprint began yesterday, every KPI is judged each second, ``for`` and ``keep_firing_for`` are at most ``wait``,
    and a p95 is no data after ``stale_after``. Both receivers hear of pages and tickets.
    """
    (folder / "rules").mkdir(parents=True)
    sprint = _load(_RULES / "sprint.yaml")
    zone = ZoneInfo(sprint["timezone"])
    today = from_unix(now).astimezone(zone)
    # The day so far, or yesterday too where that is short: the past is then read back in steps of at most 9 s.
    start = today.date() - timedelta(days=1 if today.hour < 6 else 0)
    sprint |= {"start": start, "end": start + timedelta(days=11)}
    _dump(folder / "rules" / "sprint.yaml", sprint)
    for name, lane in shipped_lanes().items():
        _quicken(lane, parse_duration(wait), stale_after)
        for kpi in lane["kpis"]:
            if kpi["kpi"] == DRILL and drill_due_at is not None:
                kpi["due"] = _local(drill_due_at, zone)
        _dump(folder / "rules" / name, lane)
    (folder / "slack-url").write_text(slack_url + "\n", encoding="utf-8")
    (folder / "evidence.yaml").write_text("[]\n", encoding="utf-8")
    path = folder / "slo-guard.yaml"
    _dump(path, _config(sources, webhook_url))
    return path


def _config(sources: MissionSources, webhook_url: str) -> dict[str, Any]:
    config = _load(_CONFIG)
    config |= {"rules": ["rules"], "server": {"host": "127.0.0.1", "port": 0}, "collector_alert": {"for": "1s"}}
    config["store"]["path"] = "slo-guard.db"
    for collector in config["collectors"]:
        collector["interval"] = "1s"
        collector.pop("jitter", None)
        match collector["type"]:
            case "prometheus":
                collector["url"] = sources.url("prometheus")
            case "scrape":
                collector["url"] = sources.url("gateway") + "/metrics"
            case "evidence":
                collector["file"] = "evidence.yaml"
    for receiver in config["receivers"]:
        receiver |= {"severities": ["page", "ticket"], "min_interval": "200ms", "http": {"total_timeout": "3s"}}
        if receiver["type"] == "slack":
            receiver["url"] = {"file": "slack-url"}
        else:
            receiver["url"] = webhook_url
    return config


def _quicken(lane: dict[str, Any], wait_seconds: float, stale_after: str) -> None:
    lane["interval"] = "1s"
    usual: Mapping[str, Any] = lane.get("defaults", {}).get("no_data", {})
    for kpi in lane["kpis"]:
        for field in ("for", "keep_firing_for"):
            if field in kpi:
                kpi[field] = f"{min(parse_duration(kpi[field]), wait_seconds):g}s"
        if kpi["measure"] == "last" and kpi["kpi"] != DRILL:
            kpi["no_data"] = {**usual, **kpi.get("no_data", {}), "after": stale_after}


def _local(at: float, zone: ZoneInfo) -> str:
    """Return an instant as a rule states it: local time without a zone, but for the hour that occurs twice."""
    local = from_unix(math.ceil(at)).astimezone(zone)
    return local.isoformat() if local.fold else local.replace(tzinfo=None).isoformat()


def _load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def _dump(file: Path, content: dict[str, Any]) -> None:
    plain = {name: str(value) if isinstance(value, date) else value for name, value in content.items()}
    file.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
