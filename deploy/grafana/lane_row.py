"""A lane's row: its verdicts over time, and below them its KPIs; of one lane of the rules, or of any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Panel

from deploy.grafana.kpi_panels import LINK, kpi_panels
from deploy.grafana.layout import COLUMNS, Placed, side_by_side
from deploy.grafana.palette import LINE_BAD, dashed, verdict_mapping
from deploy.grafana.panels import lines, states
from deploy.grafana.queries import KEY, OBJECTIVE_BOUNDS, selector, verdict_codes, with_title
from deploy.grafana.units import GRAFANA_UNITS, Scale
from slo_guard.domain.kpi import KPI

_TENANTS = 'tenant=~"$tenant|"'
"""The tenants that are chosen, and whatever has no tenant: of any rules nobody knows here which KPI is by tenant."""

_HEAD, _LEAST, _BAND = 2, 4, 0.75
"""Heights in grid units: a panel's title and time axis, the least, and one KPI's band."""


def lane_row(lane: str, kpis: Sequence[KPI]) -> list[Placed]:
    """Return the panels of one lane of the rule files."""
    height = max(_LEAST, round(_HEAD + _BAND * len(kpis)))
    # What belongs together, such as a budget and its burn rate, stands in a line of its own.
    shelves = list(kpi_panels(kpis))
    single = [panel for shelf in shelves if len(shelf) == 1 for panel in shelf]
    several = [placed for shelf in shelves if len(shelf) > 1 for placed in side_by_side(shelf)]
    return [Placed(_verdicts(lane), COLUMNS, height), *side_by_side(single), *several]


def any_lane_row() -> list[Placed]:
    """Return the panels of a row that is repeated for each lane that is chosen, whatever its rules."""
    return [
        Placed(_verdicts(None), COLUMNS, 10),
        *side_by_side((_share_of_limits(), _share_of_goals(), _budgets_left())),
    ]


def any_kpi_row() -> list[Placed]:
    """Return the panel that is repeated for each KPI that is chosen, in its own unit, against its own target."""
    return [Placed(_any_kpi(), 8, 8)]


def _verdicts(lane: str | None) -> Builder[Panel]:
    return states(
        "Verdicts",
        "Each KPI's verdict over time, by the worst of its series. Click a band for its page.",
        (with_title(verdict_codes(selector(lane)), lane), "{{title}}"),
        verdict_mapping(),
        link=LINK,
    )


def _over_target(bounds: str) -> str:
    matchers = selector(more=f'bound=~"{bounds}"')
    target = f"max by ({KEY}) (slo_guard_kpi_target{matchers} > 0)"
    return f"slo_guard_kpi_value{selector(more=_TENANTS)} / on ({KEY}) group_left () {target}"


def _share_of_limits() -> Builder[Panel]:
    worst = f"max by ({KEY}) ({_over_target('at_most|below')})"
    return lines(
        "Limits: value by limit",
        "Every KPI with an upper limit on one scale: at 100% the limit is reached. The worst of each KPI's series.",
        (with_title(worst), "{{title}}"),
        scale=Scale("percentunit", 0, 0.0),
        link=LINK,
    )


def _share_of_goals() -> Builder[Panel]:
    worst = f"min by ({KEY}) ({_over_target('at_least|above')})"
    return lines(
        "Goals: value by goal",
        "Every KPI with a goal on one scale: at 100% it is reached. The worst of each KPI's series.",
        (with_title(worst), "{{title}}"),
        scale=Scale("percentunit", 0, 0.0),
        link=LINK,
    )


def _budgets_left() -> Builder[Panel]:
    worst = f"min by ({KEY}) (slo_guard_error_budget_remaining_ratio{selector()})"
    return lines(
        "Error budgets left",
        "Of every KPI with an error budget, the part that is left of the time so far; below 0 it is overspent.",
        (with_title(worst), "{{title}}"),
        scale=Scale("percentunit", 0, None, 1.0),
        link=LINK,
    )


def _any_kpi() -> Builder[Panel]:
    chosen = 'kpi=~"$kpi"'
    series = f"{chosen}, {_TENANTS}"
    values = [
        (with_title(f"slo_guard_kpi_value{selector(more=series)}", facts="unit", info=f'unit="{unit}"'), "__auto")
        for unit in GRAFANA_UNITS
    ]
    matchers = selector(more=f'{chosen}, bound=~"{OBJECTIVE_BOUNDS}"')
    bound = f"max by ({KEY}, bound) (slo_guard_kpi_target{matchers})"
    bounds = [
        (with_title(bound, facts="unit", info=f'unit="{unit}"'), "objective, {{bound}}") for unit in GRAFANA_UNITS
    ]
    panel = lines(
        "$kpi",
        "One KPI's series against its objective, each in the unit that its rule has.",
        *values,
        *bounds,
        scale=Scale("short"),
        link=LINK,
    )
    for letters, unit in zip(("AE", "BF", "CG", "DH"), GRAFANA_UNITS.values(), strict=True):
        for letter in letters:
            panel.override_by_query(letter, [DynamicConfigValue("unit", unit)])
    return panel.override_by_regexp("/^objective/", dashed(LINE_BAD)).repeat("kpi").repeat_direction("h").max_per_row(3)


def lanes_of(kpis: Sequence[KPI]) -> Iterator[tuple[str, list[KPI]]]:
    """Return each lane with its KPIs, in the order of the rule files."""
    for lane in dict.fromkeys(kpi.lane for kpi in kpis):
        yield lane, [kpi for kpi in kpis if kpi.lane == lane]
