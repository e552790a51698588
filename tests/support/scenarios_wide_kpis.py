"""Random KPIs of each kind that was added, for stories in a :class:`Setting`.

The bounds of what is computed by division are none of its values, so that no rounding decides a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from slo_guard.domain.kpi import (
    KPI,
    Combine,
    Drift,
    Exclusion,
    Expected,
    Matcher,
    MatchOp,
    NoData,
    NoDataThen,
    Op,
    Pace,
    Quotient,
    RatioPair,
    Selection,
    Severity,
    Single,
    Sprint,
)
from slo_guard.domain.readings import IndicatorType
from tests.support.builders import a_kpi, an_objective


@dataclass(frozen=True)
class Setting:
    """Where and when a story plays: ``unit`` is how many seconds a second of the small stories lasts."""

    zero: float
    midnight: float
    unit: int
    sprint: Sprint
    seen: tuple[float, ...]
    patient: bool

    def is_fixed(self, tick: int) -> bool:
        """Whether all series show a value then, so that none is away for so long that it is forgotten."""
        return self.patient and tick % 2 == 0


@st.composite
def _common(draw: st.DrawFn, setting: Setting) -> dict[str, Any]:
    """Draw the fields that KPIs of all kinds have."""
    unit = setting.unit
    by = draw(st.sampled_from([(), ("system",), ("system", "pod")]))
    fields: dict[str, Any] = {
        "by": by,
        "interval_seconds": unit * draw(st.sampled_from([30.0, 30.0, 60.0])),
        "min_coverage": draw(st.sampled_from([0.9, 0.0, 0.5, 1.0])),
        "forget_after_seconds": unit * draw(st.sampled_from([86_400.0, 600.0, 400.0])),
        "for_seconds": unit * draw(st.sampled_from([0.0, 60.0])),
        "keep_firing_for_seconds": unit * draw(st.sampled_from([0.0, 60.0])),
        "warn_severity": draw(st.sampled_from([Severity.TICKET, Severity.NONE])),
        "no_data": NoData(
            unit * draw(st.sampled_from([300.0, 60.0, 120.0, 700.0])),
            draw(st.sampled_from(list(NoDataThen))),
            unit * draw(st.sampled_from([120.0, 300.0])),
        ),
        "exclude": draw(_exclusions(setting)),
    }
    if by and draw(st.booleans()):
        named = draw(st.sampled_from([("fs",), ("xai2",), ("fs", "xai2"), ("predictive",)]))
        fields["expect"] = (Expected("system", named),)
    if draw(st.integers(0, 3)) == 3:
        fields["min_samples"] = draw(st.integers(1, 4))
    return fields


@st.composite
def _exclusions(draw: st.DrawFn, setting: Setting) -> tuple[Exclusion, ...]:
    if draw(st.integers(0, 1)):
        return ()
    edges = draw(
        st.lists(st.integers(-10, 80).map(lambda n: n * 15), min_size=2, max_size=4, unique=True).filter(
            lambda found: len(found) % 2 == 0
        )
    )
    times = [setting.zero + setting.unit * edge for edge in sorted(edges)]
    return tuple(Exclusion(*pair, "the move", "Ana") for pair in zip(times[::2], times[1::2], strict=True))


def _window(setting: Setting, *others: str) -> st.SearchStrategy[str]:
    sliding = [f"{seconds * setting.unit}s" for seconds in (60, 300, 600)]
    return st.sampled_from([*sliding, "sprint", "sprint", "day", "day", "week", "month", *others])


@st.composite
def _goal(draw: st.DrawFn, setting: Setting, bounds: list[float], step: float) -> dict[str, Any]:
    """Draw an objective with warn, resolve, due and checkpoint, or a warn alone, or nothing."""
    how = draw(st.integers(0, 7))
    if how == 7:
        return {}
    op = draw(st.sampled_from([op for op in Op if op is not Op.IS]))
    bound = draw(st.sampled_from(bounds))
    objective = an_objective(op, bound, bound + 4 * step if op is Op.BETWEEN else None)
    if how == 6:
        return {"warn": objective}
    fields: dict[str, Any] = {"objective": objective}
    if op not in (Op.BETWEEN, Op.EQUALS):
        sign = -1 if op in (Op.AT_MOST, Op.BELOW) else 1
        for name in ("warn", "resolve"):
            if draw(st.booleans()):
                fields[name] = an_objective(op, bound + sign * step * draw(st.integers(0, 2)))
    if draw(st.integers(0, 3)) == 3:
        fields["due_at"] = setting.zero + 30.0 * setting.unit * draw(st.integers(0, 20))
        if draw(st.booleans()):
            fields["checkpoint_at"] = fields["due_at"] - setting.unit * draw(st.sampled_from([60.0, 300.0]))
    return fields


@st.composite
def _where(draw: st.DrawFn) -> tuple[Matcher, ...]:
    one = draw(
        st.sampled_from([None, None, ("system", MatchOp.EQUAL, "fs"), ("system", MatchOp.NOT_EQUAL, "fs"), "pod"])
    )
    if one is None:
        return ()
    return (Matcher("pod", MatchOp.EQUAL, ""),) if one == "pod" else (Matcher(*one),)


@st.composite
def _single(
    draw: st.DrawFn, kpi_id: str, setting: Setting, kind: str, measures: list[str], combines: list[Combine]
) -> KPI:
    measure = draw(st.sampled_from(measures)).format(draw(_window(setting)))
    fields = draw(_common(setting))
    if combines and draw(st.booleans()):
        fields["combine"] = draw(st.sampled_from(combines))
    if measure.startswith(("increase", "rate", "delta")) and draw(st.integers(0, 3)) == 3:
        fields["baseline"] = float(draw(st.integers(0, 3)))
    bounds, step = _bounds(measure, setting)
    fields |= draw(_goal(setting, bounds, step))
    source = Single(Selection("a", draw(_where())))
    return a_kpi(kpi_id, measure, type=IndicatorType(kind), source=source, **fields)


def _bounds(measure: str, setting: Setting) -> tuple[list[float], float]:
    """Return bounds that such values lie on, below and above, and a step between bounds."""
    if measure.startswith("total"):
        return [60.0 * setting.unit, 1.0, 300.0 * setting.unit], 30.0 * setting.unit
    if measure.startswith("rate"):
        return [0.0131 / setting.unit, 0.0517 / setting.unit], 0.0013 / setting.unit
    if measure.startswith(("median", "p", "mean")):
        return [1.3, 2.7, 4.1], 0.2
    return [2.0, 1.0, 1.5, 5.0, 10.0], 1.0


def _event_kpi(kpi_id: str, setting: Setting) -> st.SearchStrategy[KPI]:
    return _single(kpi_id, setting, "event", ["count over {}", "sum over {}", "median over {}", "p90 over {}"], [])


def _counter_kpi(kpi_id: str, setting: Setting) -> st.SearchStrategy[KPI]:
    measures = ["rate over {}", "rate over {}", "increase over {}", "total over {}"]
    return _single(kpi_id, setting, "counter", measures, list(Combine))


def _gauge_kpi(kpi_id: str, setting: Setting) -> st.SearchStrategy[KPI]:
    measures = ["min over {}", "max over {}", "mean over {}", "delta over {}", "last"]
    return _single(kpi_id, setting, "gauge", measures, list(Combine))


def _bool_kpi(kpi_id: str, setting: Setting) -> st.SearchStrategy[KPI]:
    return _single(kpi_id, setting, "bool", ["total over {}"], [Combine.SUM, Combine.MAX])


@st.composite
def _ratio_kpi(draw: st.DrawFn, kpi_id: str, setting: Setting) -> KPI:
    fields = draw(_common(setting)) | draw(_goal(setting, [0.13, 0.47, 0.83], 0.03))
    if draw(st.booleans()):
        fields["min_total"] = float(draw(st.integers(1, 10)))
    where = draw(_where())
    source = RatioPair(Selection("part", where), Selection("total", where), draw(st.sampled_from(["bad", "good"])))
    return a_kpi(kpi_id, f"ratio over {draw(_window(setting))}", source=source, **fields)


_SIDES = {
    "gauge": ["last", "last", "max over {}", "mean over {}", "spread_abs", "spread_abs"],
    "counter": ["increase over {}", "rate over {}", "spread_abs over {}"],
    "event": ["count over {}", "sum over {}", "median over {}", "spread_abs over {}"],
}


@st.composite
def _quotient_kpi(draw: st.DrawFn, kpi_id: str, setting: Setting) -> KPI:
    family = draw(st.sampled_from(list(_SIDES)))
    measure = draw(st.sampled_from(_SIDES[family])).format(draw(_window(setting)))
    fields = draw(_common(setting)) | draw(_goal(setting, [0.93, 1.03, 0.23, 1.97], 0.01))
    if family != "event" and draw(st.booleans()):
        fields["combine"] = draw(st.sampled_from(list(Combine)))
    if draw(st.integers(0, 3)) == 3:  # both from one indicator
        sides = (
            Selection("part", (Matcher("pod", MatchOp.EQUAL, "p1"),)),
            Selection("part", (Matcher("pod", MatchOp.EQUAL, "p2"),)),
        )
    else:
        where = draw(_where())
        sides = (Selection("part", where), Selection("total", where))
    return a_kpi(kpi_id, measure, type=IndicatorType(family), source=Quotient(*sides), unit="ratio", **fields)


@st.composite
def _pace_kpi(draw: st.DrawFn, kpi_id: str, setting: Setting) -> KPI:
    kind, measure = draw(
        st.sampled_from([("counter", "increase over sprint"), ("counter", "increase over sprint"), ("gauge", "last")])
    )
    fields = draw(_common(setting)) | draw(_goal(setting, [1.0, 5.0, 10.0, 30.0], 1.0))
    if kind == "counter" and "objective" not in fields:
        fields["objective"] = an_objective(Op.AT_LEAST, 10.0)
    objective = fields.get("objective")
    if objective is not None and objective.op in (Op.AT_LEAST, Op.ABOVE):
        fields.setdefault("due_at", draw(st.sampled_from([setting.sprint.end_at, setting.sprint.start_at + 86_400])))
    if fields.get("due_at", setting.sprint.end_at) <= setting.sprint.start_at:
        fields["due_at"] = setting.sprint.end_at
    if draw(st.booleans()):
        fields["combine"] = draw(st.sampled_from(list(Combine)))
    fields["pace"] = draw(st.sampled_from(list(Pace)))
    fields["unit"] = draw(st.sampled_from([None, "", "seconds"]))
    return a_kpi(kpi_id, measure, type=IndicatorType(kind), **fields)


@st.composite
def _drift_kpi(draw: st.DrawFn, kpi_id: str, setting: Setting) -> KPI:
    unit = setting.unit
    quotient = draw(st.integers(0, 2)) == 2
    fields = draw(_common(setting))
    op = draw(st.sampled_from([Op.AT_MOST, Op.BELOW, Op.AT_LEAST, Op.ABOVE, Op.BETWEEN]))
    bound = draw(st.sampled_from([6.3, 0.9, 19.1, 30.7])) if not quotient else draw(st.sampled_from([0.43, 1.97, 5.3]))
    fields["objective"] = an_objective(op, bound, bound + 9.7 if op is Op.BETWEEN else None)
    if draw(st.booleans()):
        fields["combine"] = draw(st.sampled_from(list(Combine)))
    over = unit * draw(st.sampled_from([36 * 20.0, 36 * 30.0, 36 * 45.0]))
    fields["drift"] = Drift(over, unit * draw(st.sampled_from([307.77, 1_511.3, 9_001.9])))
    source: Single | Quotient = Single(Selection("a", draw(_where())))
    measure = "last"
    if quotient:
        source, measure = Quotient(Selection("part"), Selection("total")), draw(st.sampled_from(["last", "spread_abs"]))
    return a_kpi(kpi_id, measure, type=IndicatorType.GAUGE, source=source, **fields)


KPIS: dict[str, Any] = {
    "event": _event_kpi,
    "counter": _counter_kpi,
    "gauge": _gauge_kpi,
    "bool": _bool_kpi,
    "ratio": _ratio_kpi,
    "quotient": _quotient_kpi,
    "pace": _pace_kpi,
    "drift": _drift_kpi,
}
