"""A backtest over a Prometheus's own history: what is asked of it, and what of the rules it cannot answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from slo_guard.cli.recorded import UNREADABLE, ending_the_command, load_daemon, load_plan, tell
from slo_guard.collect.prometheus_history import PrometheusHistory, Remembered, remembered_by, remembered_metric
from slo_guard.collect.prometheus_options import PrometheusOptions
from slo_guard.domain.alerts import Transition
from slo_guard.domain.builtin import BURN_ALARM, COLLECTOR_UP
from slo_guard.domain.kpi import Plan
from slo_guard.domain.readings import IndicatorType
from slo_guard.http_session import masked_url
from slo_guard.loaded import Loaded
from slo_guard.replay.history import Lookback, backtest_history
from slo_guard.replay.known_part import KnownPart, known_part


def of_prometheus(
    url: str, rules: Path | None, config: Path | None, start: float, end: float
) -> tuple[Transition, ...]:
    """Return the transitions between ``start`` and ``end`` (Unix seconds) by the history of the Prometheus at ``url``.

    What is left out goes to standard error; ends the command with exit code 1 for rules or a config with errors, 2 for
    files that are not there and for a Prometheus that does not answer as wanted.
    """
    if config is not None:
        loaded = load_daemon(config)
        plan, asked = loaded.plan, _asked_by(loaded)
        tell(_not_in_prometheus(loaded))
    else:
        plan = load_plan(rules, None)
        asked = _asked_for(plan)
        tell(_events_in(plan))
    part = known_part(plan, {each.asked.name for each in asked})
    _tell_left_out(part)
    if not part.plan.kpis:
        tell(["no KPI is left: none of them reads what a Prometheus can be asked for"])
        raise SystemExit(UNREADABLE)
    found = Lookback()
    with ending_the_command(), closing(PrometheusHistory(url, asked)) as history:
        transitions = tuple(backtest_history(part.plan, history.readings, start, end, found))
    tell(f"{masked_url(url)}: {notice}" for notice in found.notices)
    return transitions


def _asked_by(loaded: Loaded) -> tuple[Remembered, ...]:
    of_all = (options for options in loaded.config.collectors if isinstance(options, PrometheusOptions))
    return tuple(each for options in of_all for each in remembered_by(options))


def _asked_for(plan: Plan) -> tuple[Remembered, ...]:
    """Return each indicator as the metric of its name; an event's own time and value are in no Prometheus."""
    steps: dict[str, float] = {}
    for kpi in plan.kpis:
        for name in kpi.indicators:
            steps[name] = min(kpi.interval_seconds, steps.get(name, kpi.interval_seconds))
    specs = (plan.indicators[name] for name in steps if name != BURN_ALARM)
    return tuple(remembered_metric(spec, steps[spec.name]) for spec in specs if spec.type is not IndicatorType.EVENT)


def _events_in(plan: Plan) -> Iterable[str]:
    events = sorted(name for name, spec in plan.indicators.items() if spec.type is IndicatorType.EVENT)
    if events:
        named = ", ".join(events)
        yield f"no data of events, which no Prometheus has; state type: histogram where it has their buckets: {named}"


def _not_in_prometheus(loaded: Loaded) -> Iterable[str]:
    read = {name for kpi in loaded.plan.kpis for name in kpi.indicators}
    others: Mapping[str, list[str]] = {
        f"{options.name} ({options.type})": sorted(read.intersection(spec.name for spec in options.specs()))
        for options in loaded.config.collectors
        if not isinstance(options, PrometheusOptions)
    }
    named = "; ".join(f"{collector}: {', '.join(names)}" for collector, names in others.items() if names)
    if named:
        yield f"no data of other collectors: {named}"


def _tell_left_out(part: KnownPart) -> None:
    # That collectors answered is in no Prometheus, and is nobody's rule.
    left_out = [f"{kpi.id} ({reason})" for kpi, reason in part.left_out if kpi.id != COLLECTOR_UP]
    if left_out:
        of_all = len(left_out) + len(part.plan.kpis)
        tell([f"left out of the backtest, {len(left_out)} of {of_all} KPIs: {', '.join(left_out)}"])
    tell(f"{kpi.id} is judged without {lacks}" for kpi, lacks in part.partly)
