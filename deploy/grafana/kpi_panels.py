"""One KPI's numbers over time, by what it measures: against its target, along its line, its budget, its limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import Panel

from deploy.grafana.palette import BAD, GOOD, LINE_BAD, LINE_CALM, LINE_WARN, dashed, mapped, steps
from deploy.grafana.panels import Query, lines, numbers, states
from deploy.grafana.queries import OBJECTIVE_BOUNDS, selector
from deploy.grafana.units import Scale, scale_of
from slo_guard.domain.kpi import KPI, Reducer
from slo_guard.domain.readings import IndicatorType

LINK = "/kpis/${__field.labels.kpi}"
_YES_NO = {"1": ("yes", GOOD), "0": ("no", BAD)}


def kpi_panels(kpis: Sequence[KPI]) -> Iterator[list[Builder[Panel]]]:
    """Return each KPI's panels, in the order of the rule file; a quantile stands with those of the same data.

    What is yes or no has a panel only where it has series of its own: the verdict says it otherwise.
    """
    shown: set[str] = set()
    for kpi in kpis:
        if kpi.id in shown:
            continue
        together = [kpi, *(other for other in kpis if other.id != kpi.id and _same_data(kpi, other))]
        shown |= {each.id for each in together}
        if _is_yes_or_no(kpi):
            if kpi.by:
                yield [_answers(kpi)]
        elif len(together) > 1:
            yield [_quantiles(together)]
        elif kpi.measure.reducer is Reducer.TOTAL:
            yield list(_used_and_left(kpi))
        elif kpi.pace is not None:
            yield [_along_its_line(kpi)]
        elif kpi.error_budget is not None:
            yield [_against_target(kpi), *_budget(kpi)]
        else:
            yield [_against_target(kpi)]


def _is_yes_or_no(kpi: KPI) -> bool:
    return kpi.type is IndicatorType.BOOL and kpi.measure.reducer is Reducer.LAST


def _same_data(kpi: KPI, other: KPI) -> bool:
    quantiles = kpi.measure.reducer is other.measure.reducer is Reducer.QUANTILE
    return quantiles and (kpi.source, kpi.by, kpi.measure.window) == (other.source, other.by, other.measure.window)


def _matchers(*kpis: KPI, more: str = "") -> str:
    ids = tuple(kpi.id for kpi in kpis)
    return selector(kpis[0].lane, ids, tenant="tenant" in kpis[0].by, more=more)


def _legend(kpi: KPI, otherwise: str = "value") -> str:
    return " ".join(f"{{{{{name}}}}}" for name in kpi.by) or otherwise


def _bounds(kpi: KPI) -> list[Query]:
    """Return the queries of the objective's line and the warning's; each has one line, whatever the series."""
    target = "max by (kpi, bound) (slo_guard_kpi_target{})"
    found = []
    if kpi.objective is not None:
        bounds = selector(kpi.lane, (kpi.id,), more=f'bound=~"{OBJECTIVE_BOUNDS}"')
        found.append((target.format(bounds), "objective, {{bound}}"))
    if kpi.warn is not None:
        found.append((target.format(selector(kpi.lane, (kpi.id,), more='bound=~"warn.*"')), "{{bound}}"))
    return found


def _with_bounds(panel: timeseries.Panel) -> timeseries.Panel:
    panel.override_by_regexp("/^objective/", dashed(LINE_BAD))
    return panel.override_by_regexp("/^warn/", dashed(LINE_WARN))


def _described(kpi: KPI, more: str = "") -> str:
    objective = "tracked, without an objective" if kpi.objective is None else f"objective: {kpi.objective.text}"
    said = f"`{kpi.id}`: {kpi.measure.text}, {objective}."
    return f"{said} {more}".strip()


def _against_target(kpi: KPI) -> Builder[Panel]:
    panel = lines(
        kpi.title or kpi.id,
        _described(kpi, "Dashed: the objective, and where there is one the warning."),
        (f"slo_guard_kpi_value{_matchers(kpi)}", _legend(kpi)),
        *_bounds(kpi),
        scale=scale_of(kpi),
        link=LINK,
    )
    return _with_bounds(panel)


def _quantiles(kpis: Sequence[KPI]) -> Builder[Panel]:
    first = kpis[0]
    names = [kpi.measure.text.split()[0] for kpi in kpis]
    queries = [
        (f"slo_guard_kpi_value{_matchers(kpi)}", " ".join(filter(None, (_legend(kpi, ""), name))))
        for kpi, name in zip(kpis, names, strict=True)
    ]
    bounds = [bound for kpi in kpis for bound in _bounds(kpi)]
    title = f"{first.title or first.id} and {', '.join(names[1:])}"
    ids = " and ".join(f"`{kpi.id}`" for kpi in kpis)
    text = f"{ids}: {' and '.join(kpi.measure.text for kpi in kpis)}, over the same tickets. Dashed: what is promised."
    return _with_bounds(lines(title, text, *queries, *bounds, scale=scale_of(first), link=LINK))


def _along_its_line(kpi: KPI) -> Builder[Panel]:
    down = kpi.measure.reducer is Reducer.LAST
    line = (f"max by (kpi) (slo_guard_kpi_pace_line{_matchers(kpi)})", "ideal line")
    more = (
        "The ideal line goes down to the goal in a step at the end of each work day: above it is behind."
        if down
        else "The line leads to the goal at its due time: below it is behind."
    )
    queries = [(f"slo_guard_kpi_value{_matchers(kpi)}", _legend(kpi, "left" if down else "so far")), line]
    panel = lines(kpi.title or kpi.id, _described(kpi, more), *queries, *_bounds(kpi), scale=scale_of(kpi), link=LINK)
    return _with_bounds(panel.override_by_name("ideal line", dashed(LINE_CALM)))


def _used_and_left(kpi: KPI) -> Iterator[Builder[Panel]]:
    used = f"max by (kpi) (slo_guard_kpi_value{_matchers(kpi)})"
    limit = "max by (kpi) (slo_guard_kpi_target{})".format(_matchers(kpi, more='bound=~"at_most|below"'))
    title = kpi.title or kpi.id
    yield numbers(
        f"{title}: used and left",
        _described(kpi, "Used is the time so far, left what the limit still allows; below 0 it is broken for good."),
        (used, "used"),
        (f"{limit} - {used}", "left"),
        scale=Scale("s", 1),
    )
    panel = lines(
        f"{title} used over time",
        _described(kpi, "Only more can be added: a limit that is broken stays so until the sprint is closed."),
        (used, "used"),
        *_bounds(kpi),
        scale=Scale("s", None, 0.0),
        link=LINK,
    )
    yield _with_bounds(panel)


def _budget(kpi: KPI) -> Iterator[Builder[Panel]]:
    title = kpi.title or kpi.id
    assert kpi.error_budget is not None
    remaining = lines(
        f"{title}: error budget left",
        f"`{kpi.id}`: the part of the {kpi.error_budget.window_text} budget that is left of the time so far. 100% is "
        "all of it, below 0 it is overspent; it grows back while nothing fails.",
        (f"slo_guard_error_budget_remaining_ratio{_matchers(kpi)}", _legend(kpi)),
        scale=Scale("percentunit", 0, None, 1.0),
        link=LINK,
    )
    remaining.thresholds(steps((None, LINE_BAD), (0.0, "transparent")))
    yield remaining.thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.AREA))
    tiers = ", ".join(f"{pair.text} above {pair.factor:g}" for pair in kpi.error_budget.burn_alerts)
    burning = lines(
        f"{title}: burn rate",
        f"`{kpi.id}`: how fast the budget goes, by window: 1 spends exactly all of it. The worst of the series. An "
        f"alert takes both windows of a tier: {tiers}.",
        (f"max by (kpi, window) (slo_guard_burn_rate{_matchers(kpi)})", "{{window}}"),
        scale=Scale("none", 1, 0.0),
        link=LINK,
    )
    yield burning


def _answers(kpi: KPI) -> Builder[Panel]:
    return states(
        kpi.title or kpi.id,
        _described(kpi, f"By {', '.join(kpi.by)}."),
        (f"slo_guard_kpi_value{_matchers(kpi)}", _legend(kpi)),
        mapped(_YES_NO),
        link=LINK,
    )
