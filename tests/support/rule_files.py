"""Small rule folders for tests: a sprint and a lane whose KPIs the test writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.readings import IndicatorSpec, IndicatorType
from slo_guard.rulebook import LoadedRules, load_rules

SPRINT = """\
version: 1
sprint: sprint-40
timezone: America/Denver
start: 2026-07-06
end: 2026-07-17
"""
HEAD = "version: 1\nsprint: sprint-40\nlane: ga-ops\n"


def specs(**types: str) -> dict[str, IndicatorSpec]:
    """Return specs by name from ``name="type"`` or ``name="type unit"``, produced by the collector ``metrics``."""
    found = {}
    for name, text in types.items():
        kind, _, unit = text.partition(" ")
        found[name] = IndicatorSpec(name, IndicatorType(kind), unit, "metrics")
    return found


def lane(kpis: str, head: str = "") -> str:
    """Return a lane's file: ``head`` is added above ``kpis``, which is a list in YAML."""
    return HEAD + dedent(head) + "kpis:\n" + indent(dedent(kpis).strip("\n"), "  ") + "\n"


def load(
    folder: Path,
    kpis: str,
    indicators: Mapping[str, IndicatorSpec] | None = None,
    *,
    head: str = "",
    sprint: str = SPRINT,
) -> LoadedRules:
    """Write a sprint and a lane into ``folder`` and load them."""
    (folder / "sprint.yaml").write_text(sprint, encoding="utf-8")
    (folder / "lane.yaml").write_text(lane(kpis, head), encoding="utf-8")
    return load_rules([folder], indicators)


def plan_of(folder: Path, kpis: str, indicators: Mapping[str, IndicatorSpec] | None = None, *, head: str = "") -> Plan:
    """Return the plan of KPIs that are right."""
    loaded = load(folder, kpis, indicators, head=head)
    assert loaded.plan is not None, "\n".join(map(str, loaded.findings))
    return loaded.plan


def kpi_of(folder: Path, kpi: str, indicators: Mapping[str, IndicatorSpec] | None = None, *, head: str = "") -> KPI:
    """Return the one KPI whose fields ``kpi`` holds as a mapping in YAML."""
    body = indent(dedent(kpi).strip("\n"), "  ")
    [found] = plan_of(folder, f"- kpi: guarded\n{body}", indicators, head=head).kpis
    return found
