"""A small mission for a real daemon: any collectors and KPIs over ``MissionSources``, told to receivers on loopback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml


def gauge_kpi(name: str, **fields: Any) -> dict[str, Any]:
    """Return a KPI over the indicator of its own name: at most 1, judged at once, no data after 5 s."""
    return {
        "kpi": name,
        "indicator": name,
        "measure": "last",
        "objective": {"at_most": 1},
        "no_data": {"after": "5s", "then": "alert"},
        **fields,
    }


def scrape(name: str, url: str, *indicators: str, **fields: Any) -> dict[str, Any]:
    """Return a collector of gauges from a page, each second; metrics have the indicators' names."""
    listed = [{"name": each, "type": "gauge", "metric": each} for each in indicators]
    return {"name": name, "type": "scrape", "url": f"{url}/metrics", "interval": "1s", "indicators": listed, **fields}


def query(name: str, url: str, *indicators: str, **fields: Any) -> dict[str, Any]:
    """Return a collector of gauges by queries, each second; the queries are the indicators' names."""
    listed = [{"name": each, "type": "gauge", "query": each} for each in indicators]
    return {"name": name, "type": "prometheus", "url": url, "interval": "1s", "indicators": listed, **fields}


def webhook(url: str, **fields: Any) -> dict[str, Any]:
    """Return a receiver called ``oncall``."""
    return {"name": "oncall", "type": "webhook", "url": url, **fields}


def write_rules(folder: Path, kpis: Iterable[Mapping[str, Any]]) -> None:
    """Write the rule files of a mission: a sprint long ago, and one lane that is judged each second."""
    rules = folder / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    _write(
        rules / "sprint.yaml",
        {"version": 1, "sprint": "s1", "timezone": "UTC", "start": "2020-01-01", "end": "2020-01-31"},
    )
    _write(
        rules / "lane.yaml",
        {"version": 1, "sprint": "s1", "lane": "small", "owner": "Ana", "interval": "1s", "kpis": list(kpis)},
    )


def write_config(
    folder: Path, collectors: Iterable[Mapping[str, Any]], receivers: Iterable[Mapping[str, Any]] = (), **sections: Any
) -> Path:
    """Write the config beside the rules and return its path; the daemon takes any free port."""
    config = {
        "rules": ["rules"],
        "server": {"port": 0},
        "collector_alert": {"for": "1s"},
        **sections,
        "collectors": list(collectors),
        "receivers": list(receivers),
    }
    path = folder / "slo-guard.yaml"
    _write(path, config)
    return path


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
