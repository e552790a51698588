"""The shipped rules and the shipped config for a test: only times and addresses are changed, objectives stay as shipped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from slo_guard.clock import iso
from slo_guard.units import parse_duration
from tests.support.daemon import ROOT
from tests.support.mission_world import MissionWorld
from tests.support.town_zone import NAME, TownZone

_RULES = ROOT / "rules" / "sprint-40"
_CONFIG = ROOT / "config" / "slo-guard.yaml"
_LONGEST_BURN_WINDOW_DAYS = 3
_EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def shipped_lanes() -> dict[str, Any]:
    """Return the shipped lane files' content by file name."""
    files = sorted(_RULES.glob("*.yaml"))
    return {file.name: _load(file) for file in files if file.name != "sprint.yaml"}


def shipped_kpis() -> dict[str, dict[str, Any]]:
    """Return all shipped KPIs by id, each with its lane and owner."""
    return {
        kpi["kpi"]: {"lane": lane["lane"], "owner": lane["owner"], **kpi}
        for lane in shipped_lanes().values()
        for kpi in lane["kpis"]
    }


def judged_kpis() -> tuple[str, ...]:
    """Return the ids of the shipped KPIs of which people are told: those with an objective or a warning bound."""
    return tuple(name for name, kpi in shipped_kpis().items() if "objective" in kpi or "warn" in kpi)


def kpis_with(field: str) -> tuple[str, ...]:
    """Return the ids of the shipped KPIs that state ``field``."""
    return tuple(name for name, kpi in shipped_kpis().items() if field in kpi)


def shipped_queries() -> dict[str, str]:
    """Return the shipped config's PromQL, and which indicator each query gives."""
    asking = [each for each in _load(_CONFIG)["collectors"] if each["type"] == "prometheus"]
    return {indicator["query"]: indicator["name"] for each in asking for indicator in each["indicators"]}


def write_rules(
    folder: Path, zone: TownZone, *, last_day: int, checkpoint_at: float, due_at: float | None = None, wait: str = "1s"
) -> None:
    """Write the shipped rules: every KPI is judged each second, ``for`` and ``keep_firing_for`` are at most ``wait``.

    The sprint is that of ``zone`` from day 0 to ``last_day``, every day worked. All that is due is due at ``due_at``,
    None: at the sprint's end; all checkpoints are at ``checkpoint_at``.
    """
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    sprint = _load(_RULES / "sprint.yaml")
    sprint |= {"timezone": NAME, "start": str(zone.day(0)), "end": str(zone.day(last_day)), "workdays": _EVERY_DAY}
    _dump(rules / "sprint.yaml", sprint)
    moments = {"checkpoint": _moment(checkpoint_at), "due": "sprint_end" if due_at is None else _moment(due_at)}
    for name, lane in shipped_lanes().items():
        for fields in _rule_fields(lane):
            fields.pop("interval", None)
            for field in ("for", "keep_firing_for"):
                if field in fields:
                    fields[field] = f"{min(parse_duration(fields[field]), parse_duration(wait)):g}s"
            fields |= {field: moment for field, moment in moments.items() if field in fields}
            if "error_budget" in fields and last_day + 1 < _LONGEST_BURN_WINDOW_DAYS:
                # A sprint that is cut short has no place for the workbook's longest window.
                fields["error_budget"]["burn_alerts"] = {"3d": "none"}
        lane["interval"] = "1s"
        _dump(rules / name, lane)


def write_config(world: MissionWorld, *, slack_url: str, webhook_url: str) -> Path:
    """Write the shipped config beside the world's files; return its path.

    Everything is collected each second. Both receivers hear of pages and tickets.
    """
    folder = world.folder
    config = _load(_CONFIG)
    config |= {"rules": ["rules"], "server": {"host": "127.0.0.1", "port": 0}, "collector_alert": {"for": "1s"}}
    config["store"]["path"] = "slo-guard.db"
    for collector in config["collectors"]:
        collector["interval"] = "1s"
        collector.pop("jitter", None)
        match collector["type"]:
            case "prometheus":
                collector["url"] = world.prometheus.url(collector["name"])
            case "scrape":
                collector["url"] = world.prometheus.url(collector["name"]) + "/metrics"
            case "json":
                collector["url"] = world.api.url + urlsplit(collector["url"]).path
    for receiver in config["receivers"]:
        receiver |= {"severities": ["page", "ticket"], "min_interval": "100ms", "http": {"total_timeout": "3s"}}
        if receiver["type"] == "slack":
            receiver["url"] = {"file": "slack-url"}
        else:
            receiver["url"] = webhook_url
    (folder / "slack-url").write_text(slack_url + "\n", encoding="utf-8")
    path = folder / "slo-guard.yaml"
    _dump(path, config)
    return path


def _rule_fields(lane: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield lane.setdefault("defaults", {})
    yield from lane["kpis"]


def _moment(at: float) -> str:
    """Return the whole second at or after an instant, as a rule may state it."""
    return iso(math.ceil(at))


def _load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def _dump(file: Path, content: dict[str, Any]) -> None:
    """Replace the file at once: a daemon may be reading it."""
    written = file.with_suffix(".new")
    written.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    written.rename(file)
