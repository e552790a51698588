"""The shipped rules for a sprint that runs now, quick enough to be watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from slo_guard.clock import from_unix, iso
from slo_guard.demo.adapted_budgets import fast_windows, quickened
from slo_guard.demo.world.fs_v2 import ONE_SOURCE
from slo_guard.demo.world.ga_ops import DRILL_UNSIGNED
from slo_guard.demo.world.story import Story
from slo_guard.errors import StartError
from slo_guard.units import format_duration, parse_duration

INTERVAL_SECONDS = 2.0
WAIT_SECONDS = 5.0
STALE_SECONDS = 10.0

DRIFT_OVER_SECONDS, DRIFT_WITHIN_SECONDS = 48.0, 30.0

MOMENTS: Mapping[str, Mapping[str, float]] = {
    "ga_rollback_drill_logged": {"due": DRILL_UNSIGNED.starts},
    "fsv2_blended_sources": {"checkpoint": ONE_SOURCE.starts},
    "fsv2_ab_harness_running": {"checkpoint": ONE_SOURCE.starts},
}
"""Due times and checkpoints that come within the demo's first minute, as positions in its story."""

_SPRINT_FOLDER = "sprint-40"
_SPRINT_FILE = "sprint.yaml"
_STALE_SOON = ("ga_e2e_p95", "query_p95_4hop_100k")


def adaptations(*, faults: bool) -> tuple[str, ...]:
    """Return in words in what the demo's rules differ from those that are shipped."""
    every, wait, stale = (format_duration(seconds) for seconds in (INTERVAL_SECONDS, WAIT_SECONDS, STALE_SECONDS))
    over, within = (format_duration(seconds) for seconds in (DRIFT_OVER_SECONDS, DRIFT_WITHIN_SECONDS))
    fast = " and ".join(fast_windows())
    told = (
        "the sprint began yesterday, and every date moved with it",
        f"every KPI is judged each {every}",
        f"`for` and `keep_firing_for` are {wait} at most",
        f"a p95 is no data after {stale}",
        f"a drift is the trend over {over} that crosses its limit within {within}",
        f"the burn alerts that page look at {fast}, hours as minutes, and ask for a sixtieth of `min_total`",
    )
    if not faults:
        return told
    due, checkpoint = (format_duration(seconds) for seconds in (DRILL_UNSIGNED.starts, ONE_SOURCE.starts))
    return (
        *told,
        f"the rollback drill is due {due} after the start",
        f"the checkpoint of FS-v2's sources and harness is {checkpoint} after the start",
    )


def sprint_start(now: float) -> float:
    """Return the first instant of the demo's sprint: yesterday, 00:00 where the shipped sprint is."""
    sprint = _load(shipped_rules() / _SPRINT_FILE)
    zone = ZoneInfo(sprint["timezone"])
    first = _first_day(now, zone)
    return datetime(first.year, first.month, first.day, tzinfo=zone).timestamp()


def write_rules(folder: Path, now: float, *, story: Story | None) -> None:
    """Write the shipped rules into ``folder``, every date moved so that the sprint began yesterday.

    ``story``: the one in which ``MOMENTS`` come; None leaves them where they are in the sprint.
    """
    source = shipped_rules()
    sprint = _load(source / _SPRINT_FILE)
    days = _first_day(now, ZoneInfo(sprint["timezone"])) - _as_date(sprint["start"])
    sprint["start"], sprint["end"] = (str(_as_date(sprint[name]) + days) for name in ("start", "end"))
    folder.mkdir(parents=True)
    _dump(folder / _SPRINT_FILE, sprint)
    for file in sorted(source.glob("*.yaml")):
        if file.name != _SPRINT_FILE:
            lane = _load(file)
            _quicken(lane, days, story)
            _dump(folder / file.name, lane)


def shipped_rules() -> Path:
    """Return the folder of the shipped rules, in the installed package or in a checkout; raises ``StartError``."""
    here = Path(__file__).parent
    for folder in (here / "rules", here.parent.parent / "rules"):
        if (folder / _SPRINT_FOLDER / _SPRINT_FILE).is_file():
            return folder / _SPRINT_FOLDER
    raise StartError(f"the rules that the demo ships are not beside {here}; install slo_guard again")


def _quicken(lane: dict[str, Any], days: timedelta, story: Story | None) -> None:
    lane["interval"] = _text(INTERVAL_SECONDS)
    usual = (lane.get("defaults") or {}).get("no_data") or {}
    for fields in _rule_fields(lane):
        fields.pop("interval", None)
        for name in ("for", "keep_firing_for"):
            if name in fields:
                fields[name] = _text(min(parse_duration(fields[name]), WAIT_SECONDS))
        for name in ("due", "checkpoint"):
            if name in fields:
                fields[name] = _moved(fields[name], days)
        if "drift" in fields:
            fields["drift"] = {"over": _text(DRIFT_OVER_SECONDS), "crosses_within": _text(DRIFT_WITHIN_SECONDS)}
        if "error_budget" in fields:
            fields["error_budget"] = quickened(fields["error_budget"])
        if fields.get("kpi") in _STALE_SOON:
            fields["no_data"] = {**usual, **fields.get("no_data", {}), "after": _text(STALE_SECONDS)}
        if story is not None:
            for name, position in MOMENTS.get(str(fields.get("kpi")), {}).items():
                fields[name] = iso(round(story.instant(position)))


def _rule_fields(lane: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if lane.get("defaults"):
        yield lane["defaults"]
    yield from lane["kpis"]


def _moved(moment: object, days: timedelta) -> str:
    """Return a date, or a date and time, moved by whole days; ``sprint_end`` moves with the sprint."""
    text = moment.isoformat() if isinstance(moment, date) else str(moment)
    try:
        return f"{date.fromisoformat(text[:10]) + days}{text[10:]}"
    except ValueError:
        return text


def _first_day(now: float, zone: ZoneInfo) -> date:
    return from_unix(now).astimezone(zone).date() - timedelta(days=1)


def _as_date(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _text(seconds: float) -> str:
    return f"{seconds:g}s"


def _load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def _dump(file: Path, content: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
