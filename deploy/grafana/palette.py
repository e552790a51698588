"""The page's colours, and what a verdict, a yes and a no look like: one picture of a KPI in both places."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from slo_guard.domain.verdicts import Verdict

BAD, LOST, WARN, GOOD, CALM, MUTE = "#a81d14", "#633a9c", "#804d00", "#17643a", "#2a5684", "#535d63"
"""The inks of the page's light theme: white text stands on each of them, in both of Grafana's themes."""

LINE_BAD, LINE_WARN, LINE_CALM = "#f2495c", "#ff9830", "#8ab8ff"
"""Lines need more light than areas: these are read on both of Grafana's grounds."""

VERDICT_COLORS: Mapping[Verdict, str] = {
    Verdict.MISSED: BAD,
    Verdict.NO_DATA: LOST,
    Verdict.INSUFFICIENT: CALM,
    Verdict.AT_RISK: WARN,
    Verdict.NOT_DUE: CALM,
    Verdict.MET: GOOD,
    Verdict.TRACKED: MUTE,
    Verdict.NOT_APPLICABLE: MUTE,
}


def words(verdict: Verdict) -> str:
    """Return a verdict as people read it."""
    return verdict.label.replace("_", " ")


def verdict_mapping() -> ValueMap:
    """Return the mapping from a verdict's code to its words and colour."""
    return mapped({str(int(each)): (words(each), VERDICT_COLORS[each]) for each in sorted(Verdict, reverse=True)})


def mapped(states: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Return the mapping from values to texts and colours, in the order given."""
    return ValueMap(
        options={
            value: ValueMappingResult(text=text, color=color, index=place)
            for place, (value, (text, color)) in enumerate(states.items())
        }
    )


def steps(*levels: tuple[float | None, str]) -> ThresholdsConfig:
    """Return thresholds: a colour from each level on, the first one from None on."""
    found = [Threshold(value=level, color=color) for level, color in levels]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def fixed(color: str) -> DynamicConfigValue:
    """Return the override that gives a series this colour."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def dashed(color: str) -> list[DynamicConfigValue]:
    """Return the overrides of a bound's line: thin, dashed, without points, and behind no fill."""
    return [
        fixed(color),
        DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
        DynamicConfigValue("custom.lineWidth", 1),
        DynamicConfigValue("custom.fillOpacity", 0),
        DynamicConfigValue("custom.showPoints", "never"),
        DynamicConfigValue("custom.spanNulls", True),
    ]
