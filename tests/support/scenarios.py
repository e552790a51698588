"""Random days: KPIs of all kinds over series that come, go, reset and fail to be collected.

Times are whole seconds and values multiples of a half, so that sums are exact in floating point and a value that lies
just on its bound does so in every way of computing it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from hypothesis import strategies as st

from slo_guard.domain.kpi import (
    KPI,
    Combine,
    Expected,
    Matcher,
    MatchOp,
    NoData,
    NoDataThen,
    Objective,
    Op,
    Plan,
    RatioPair,
    Selection,
    Severity,
    Single,
    Sprint,
    When,
)
from slo_guard.domain.readings import CollectionFailure, Evidence, GaugeFrame, IndicatorType, Observation
from slo_guard.domain.series import LabelSet
from tests.support.builders import (
    SPRINT_START,
    a_failure,
    a_frame,
    a_kpi,
    a_plan,
    a_sign_off,
    a_sprint,
    an_evidence,
    an_objective,
    labels,
)

T0 = SPRINT_START
NAMED = [labels(text) for text in ("system=fs,pod=p1", "system=fs,pod=p2", "system=predictive")]
NAMELESS = [labels(text) for text in ("pod=p1", "")]

_MEASURES = {
    "gauge": ["last", "min over {}", "max over {}", "mean over {}", "delta over {}"],
    "percentile": ["last", "min over {}", "max over {}"],
    "bool": ["last", "min over {}", "max over {}", "total over {}"],
    "counter": ["increase over {}", "total over {}", "increase over sprint"],
    "ratio": ["ratio over {}"],
    "evidence": ["last"],
}
_COMBINES = {
    "gauge": [Combine.SUM, Combine.MAX, Combine.MIN, Combine.MEAN],
    "percentile": [Combine.MAX, Combine.MIN],
    "bool": [Combine.MAX, Combine.MIN],
    "counter": [Combine.SUM, Combine.MAX, Combine.MIN, Combine.MEAN],
    "ratio": [Combine.SUM],
    "evidence": [Combine.MAX, Combine.MIN],
}
_TYPES = {"ratio": IndicatorType.COUNTER, "evidence": IndicatorType.BOOL}
_UP, _DOWN = (Op.AT_MOST, Op.BELOW), (Op.AT_LEAST, Op.ABOVE)


@dataclass(frozen=True)
class Scenario:
    """A plan, what was observed (in order of ``seen_at``) and when to evaluate."""

    plan: Plan
    observations: tuple[Observation, ...]
    evaluations: tuple[float, ...]

    def __repr__(self) -> str:
        told = [_told(item) for item in self.observations]
        windows = [
            f"{sprint.id}: {sprint.start_at - T0:g} to {sprint.end_at - T0:g}" for sprint in self.plan.sprints.values()
        ]
        kpis = [_kpi_told(kpi) for kpi in self.plan.kpis]
        times = " ".join(f"{now - T0:g}" for now in self.evaluations)
        return "\n  ".join(["Scenario", *windows, *kpis, *told, f"evaluated at {times}"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - hypothesis passes both
        """Have hypothesis print the story instead of the constructor calls."""
        printer.text(repr(self))


def _kpi_told(kpi: KPI) -> str:
    plain = a_kpi(kpi.id, kpi.measure)
    names = [name for name in KPI.__slots__ if getattr(kpi, name) != getattr(plain, name)]
    parts = []
    for name in names:
        value = getattr(kpi, name)
        if name.endswith("_at"):
            value = f"{value - T0:g}"
        parts.append(f"{name}={value.text if isinstance(value, Objective) else value}")
    return f"{kpi.sprint}/{kpi.id}: {kpi.measure.text} {' '.join(parts)}"


def _told(item: Observation) -> str:
    if isinstance(item, CollectionFailure):
        return f"+{item.seen_at - T0:g} {','.join(item.indicators)}: failed"
    if isinstance(item.frame, Evidence):
        words = [f"{dict(word.labels)} {word.value} when {word.when - T0:g}" for word in item.frame.sign_offs]
        return f"+{item.seen_at - T0:g} {item.indicator}: signed {words}"
    assert isinstance(item.frame, GaugeFrame)
    rows = {
        ",".join(f"{name}={value}" for name, value in label_set): float(item.frame.values[row])
        for row, label_set in enumerate(item.frame.index.label_sets)
    }
    kind = "new rows" if item.frame.increment else "rows"
    return f"+{item.seen_at - T0:g} {item.indicator}: {kind} {rows} at {item.frame.at - T0:g}"


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a family of KPIs that share their indicators, and a stretch of time to judge them in."""
    family = draw(st.sampled_from(list(_MEASURES)))
    ticks = draw(st.lists(st.sampled_from([30, 60, 20, 45, 10, 90, 200, 400]), min_size=1, max_size=20))
    seen = [T0 + offset for offset in accumulate(ticks)]
    start = T0 + draw(st.sampled_from([0, -600, 90, 200]))
    sprint = a_sprint(start, start + draw(st.sampled_from([12 * 86_400, 600, 1_230])))
    count = draw(st.integers(2 if family in ("bool", "evidence") else 1, 3))
    kpis = [draw(_kpis(family, f"kpi_{number}", sprint)) for number in range(count)]
    # A group of series that lack all `by` labels has the labels of the row that stands for no series at all.
    pool = NAMED if any(kpi.by for kpi in kpis) else NAMED + NAMELESS
    observations: list[Observation] = []
    for name in ("part", "total") if family == "ratio" else ("a",):
        observations += draw(_evidence(name, pool, seen) if family == "evidence" else _frames(family, name, pool, seen))
    observations.sort(key=lambda item: item.seen_at)
    evaluations = draw(_evaluations(seen[-1]))
    if family in ("bool", "evidence") and draw(st.integers(0, 3)) > 0:
        kpis = draw(_conditions(family, kpis, sprint, evaluations))
    plan = a_plan(*kpis, sprint=sprint)
    if sprint.end_at < T0 + 86_400 and draw(st.booleans()):
        plan = draw(_followed(plan, sprint))
    return Scenario(plan, tuple(observations), evaluations)


@st.composite
def _conditions(
    draw: st.DrawFn, family: str, kpis: list[KPI], sprint: Sprint, evaluations: tuple[float, ...]
) -> list[KPI]:
    """Let KPIs depend on a truth among them, or on a KPI before them that depends on one."""
    first_good = next((now for now in evaluations if now >= sprint.start_at and now % 120 == 0), sprint.end_at)
    if family == "bool" and first_good >= sprint.end_at:
        # What a gauge was at the end of a sprint that nobody watched is not told from what it became since.
        return kpis
    found: list[KPI] = []
    for kpi in kpis:
        truths = [other.id for other in found if other.type is IndicatorType.BOOL and other.measure.text == "last"]
        if truths and draw(st.integers(0, 3)) > 0:
            found.append(replace(kpi, when=When(draw(st.sampled_from(truths)), draw(st.booleans()))))
        else:
            found.append(kpi)
    return found if draw(st.booleans()) else [*found[1:], *found[:1]]


@st.composite
def _followed(draw: st.DrawFn, plan: Plan, sprint: Sprint) -> Plan:
    """Add the sprint that follows, in which KPIs go on under other rules, without an objective, or not at all."""
    start = sprint.end_at + draw(st.sampled_from([0, 0, 30, 60, 90, 400]))
    following = a_sprint(start, start + draw(st.sampled_from([12 * 86_400, 300])), "sprint-41")
    heirs = []
    for kpi in plan.kpis:
        heir = replace(
            kpi,
            sprint=following.id,
            interval_seconds=draw(st.sampled_from([30.0, 60.0])),
            for_seconds=draw(st.sampled_from([kpi.for_seconds, 0.0, 130.0])),
            warn_severity=draw(st.sampled_from([kpi.warn_severity, Severity.NONE])),
            due_at=draw(st.sampled_from([None, following.end_at])) if kpi.due_at is not None else None,
            checkpoint_at=None,
        )
        match draw(st.integers(0, 5)):
            case 0:
                continue
            case 1:
                heir = replace(heir, objective=None, warn=None, resolve=None, due_at=None)
            case 2 if heir.objective is not None and heir.objective.op in (*_UP, *_DOWN):
                heir = replace(heir, objective=replace(heir.objective, bound=heir.objective.bound + 1))
            case _:
                pass
        heirs.append(heir)
    kept = {heir.id for heir in heirs}
    heirs = [replace(heir, when=None) if heir.when and heir.when.kpi not in kept else heir for heir in heirs]
    ordered = (*heirs, *plan.kpis) if draw(st.booleans()) else (*plan.kpis, *heirs)
    return replace(plan, sprints={sprint.id: sprint, following.id: following}, kpis=ordered)


@st.composite
def silences(draw: st.DrawFn) -> Scenario:
    """Draw a steady stretch of time in which series of one group begin and end for good, each with few changes.

    Random days hold hardly any series that ends in breach beside others that go on long enough to be judged alone.
    """
    family = draw(st.sampled_from(["gauge", "gauge", "bool", "counter"]))
    seen = [T0 - 30.0 + 30.0 * tick for tick in range(draw(st.integers(10, 30)))]
    by = draw(st.sampled_from([(), ("system",)]))
    chosen = draw(st.lists(st.sampled_from(NAMED if by else NAMED + NAMELESS), min_size=2, max_size=3, unique=True))
    lives = {label_set: draw(_life(family, len(seen))) for label_set in chosen}
    failed = draw(st.sampled_from([*range(len(seen)), None]))
    observations: list[Observation] = []
    for tick, at in enumerate(seen):
        rows = {label_set: value for label_set, life in lives.items() if (value := life[tick]) is not None}
        observations.append(a_failure("a", at) if tick == failed else a_frame("a", at, rows))
    kpis = []
    for number in range(2):
        kpi = draw(_kpis(family, f"kpi_{number}", a_sprint()))
        no_data = replace(kpi.no_data, after_seconds=draw(st.sampled_from([60.0, 60.0, 120.0])))
        kpis.append(replace(kpi, by=by, expect=(), source=Single(Selection("a")), no_data=no_data))
    return Scenario(a_plan(*kpis), tuple(observations), tuple(T0 + 30.0 * step for step in range(len(seen) + 4)))


@st.composite
def _life(draw: st.DrawFn, family: str, ticks: int) -> list[float | None]:
    """Draw a series that may begin late or end early and has one value until some tick, then another one."""
    begin = draw(st.sampled_from([0, 0, draw(st.integers(0, ticks))]))
    end = draw(st.sampled_from([ticks, draw(st.integers(0, ticks))]))
    turn = draw(st.integers(0, ticks))
    levels = st.sampled_from([0.0, 1.0] if family == "bool" else [half / 2 for half in range(13)])
    before, after = draw(levels), draw(levels)
    if family == "counter":
        before, after = min(before, after), max(before, after)
    values = [before if tick < turn else after for tick in range(ticks)]
    return [value if begin <= tick < end else None for tick, value in enumerate(values)]


@st.composite
def _evaluations(draw: st.DrawFn, last: float) -> tuple[float, ...]:
    """Draw a grid of 30s until well after the last collection, at times with a hole, and with a clock that goes back."""
    grid = [T0 + 30 * number for number in range(int((last - T0) / 30) + 1 + draw(st.sampled_from([1, 4, 14, 30])))]
    if draw(st.integers(0, 3)) == 3:
        hole = draw(st.integers(0, len(grid)))
        grid[hole : hole + draw(st.sampled_from([2, 5, 12]))] = []
    if draw(st.integers(0, 5)) == 5 and len(grid) > 2:
        again = draw(st.integers(1, len(grid) - 1))
        grid[again:again] = [grid[again - 1], grid[again - 1] - 30]
    return tuple(grid)


@st.composite
def _frames(draw: st.DrawFn, family: str, name: str, pool: list[LabelSet], seen: list[float]) -> list[Observation]:
    chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique=True))
    lags = draw(_lags(len(seen)))
    listing = draw(st.sampled_from(["sampled", "met", "all"]))
    increment = draw(st.integers(0, 7)) == 7
    how = draw(_per_tick(seen, [*["ok"] * 7, "skip", "fail", "empty", "turned", "split", "in turn"]))
    values = {label_set: draw(_values(family, name, seen)) for label_set in chosen}
    for label_set in chosen[1:]:
        if draw(st.integers(0, 3)) == 3:  # this one ends for good
            ends = draw(st.integers(0, len(seen)))
            values[label_set][ends:] = [None] * (len(seen) - ends)
    found: list[Observation] = []
    met: set[LabelSet] = set()
    for tick, seen_at in enumerate(seen):
        sampled = {label_set for label_set in chosen if values[label_set][tick] is not None}
        listed = {"sampled": sampled, "met": sampled | met, "all": set(chosen)}[listing]
        rows = {label_set: values[label_set][tick] for label_set in chosen if label_set in listed}
        if how[tick] == "fail":
            found.append(a_failure(name, seen_at))
        for at, frame in _frames_of(how[tick], seen_at - lags[tick], rows):
            met |= {label_set for label_set, value in frame.items() if value is not None}
            found.append(a_frame(name, at, frame, seen_at=seen_at, increment=increment))
    return found


@st.composite
def _lags(draw: st.DrawFn, ticks: int) -> list[float]:
    """Draw how far the samples' times are behind, at each collection; at times the source's clock goes back."""
    lags = [draw(st.sampled_from([0.0, 0.0, 5.0]))] * ticks
    if draw(st.integers(0, 2)) == 2:
        first, back = draw(st.integers(0, ticks - 1)), draw(st.sampled_from([20.0, 45.0, 100.0, 250.0]))
        for tick in range(first, min(ticks, first + draw(st.integers(1, 6)))):
            lags[tick] += back
    return lags


Rows = dict[LabelSet, float | None]


def _frames_of(how: str, at: float, rows: Rows) -> list[tuple[float, Rows]]:
    """Return the frames of one collection.

    ``split``: each lists all series, but has the samples of its own instant only, as a page with time stamps gives;
    ``in turn``: each is the whole listing of its own instant, as a history gives.
    """
    first = dict(list(rows.items())[:1])
    match how:
        case "skip" | "fail":
            return []
        case "empty":
            return [(at, {})]
        case "split":
            early = {label_set: value if label_set in first else None for label_set, value in rows.items()}
            late = {label_set: None if label_set in first else value for label_set, value in rows.items()}
            return [(at - 3, early), (at, late)]
        case "in turn":
            return [(at - 3, first), (at, {label_set: rows[label_set] for label_set in rows if label_set not in first})]
        case "turned":
            return [(at, dict(reversed(rows.items())))]
        case _:
            return [(at, rows)]


def _per_tick(seen: list[float], choices: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(choices), min_size=len(seen), max_size=len(seen))


@st.composite
def _values(draw: st.DrawFn, family: str, name: str, seen: list[float]) -> list[float | None]:
    """Draw a series: a value for each collection, None where it is absent."""
    if family in ("gauge", "percentile"):
        return draw(_per_tick(seen, [*(half / 2 for half in range(9)), None]))
    if family == "bool":
        return draw(_per_tick(seen, [0.0, 0.0, 1.0, 1.0, None]))
    most = 5 if name == "total" else 2
    steps = draw(_per_tick(seen, [0, 0, 1, most, 2 * most, "reset", None]))
    level, values = float(draw(st.sampled_from([0, 1, 40]))), []
    for step in steps:
        level = 1.0 if step == "reset" else level + (step or 0)
        values.append(None if step is None else level)
    first = draw(st.sampled_from([0, 0, 3]))
    return [None] * min(first, len(values)) + values[first:]


@st.composite
def _evidence(draw: st.DrawFn, name: str, pool: list[LabelSet], seen: list[float]) -> list[Observation]:
    who = draw(st.lists(st.sampled_from(pool), max_size=4))
    words = [
        (
            draw(st.sampled_from(seen)),
            a_sign_off(T0 + draw(st.integers(-10, 60)) * 20, text, value=draw(st.integers(0, 3)) > 0),
        )
        for text in who
    ]
    unique = {(word.labels, word.when): (entered, word) for entered, word in words}
    how = draw(_per_tick(seen, ["ok", "ok", "ok", "skip", "fail"]))
    found: list[Observation] = []
    for tick, seen_at in enumerate(seen):
        if how[tick] == "ok":
            known = [word for entered, word in unique.values() if entered <= seen_at and word.when <= seen_at]
            found.append(an_evidence(name, seen_at, *known))
        elif how[tick] == "fail":
            found.append(a_failure(name, seen_at))
    return found


# ---- KPIs


@st.composite
def _kpis(draw: st.DrawFn, family: str, kpi_id: str, sprint: Sprint) -> KPI:
    measure = draw(st.sampled_from(_MEASURES[family])).format(
        draw(st.sampled_from(["5m", "sprint", "1m", "10m", "sprint"]))
    )
    by = draw(st.sampled_from([(), ("system",), ("system", "pod")]))
    fields: dict[str, Any] = {
        "by": by,
        "type": _TYPES.get(family) or IndicatorType(family),
        "interval_seconds": draw(st.sampled_from([30.0, 60.0, 60.0, 120.0])),
        "min_coverage": draw(st.sampled_from([0.9, 0.0, 0.5, 1.0])),
        "forget_after_seconds": draw(st.sampled_from([86_400.0, 600.0, 400.0])),
        "for_seconds": draw(st.sampled_from([0.0, 60.0, 130.0])),
        "keep_firing_for_seconds": draw(st.sampled_from([0.0, 60.0, 100.0])),
        "warn_severity": draw(st.sampled_from([Severity.TICKET, Severity.NONE])),
        "no_data": NoData(
            draw(st.sampled_from([300.0, 60.0, 120.0])),
            draw(st.sampled_from(list(NoDataThen))),
            draw(st.sampled_from([120.0, 300.0])),
        ),
    }
    if draw(st.booleans()):
        fields["combine"] = draw(st.sampled_from(_COMBINES[family]))
        if measure.startswith("total") and family == "bool":
            fields["combine"] = draw(st.sampled_from([Combine.SUM, Combine.MAX]))
    if by and draw(st.booleans()):
        fields["expect"] = (
            Expected("system", draw(st.sampled_from([("fs",), ("xai2",), ("fs", "xai2"), ("predictive",)]))),
        )
    if draw(st.integers(0, 3)) == 3:
        fields["min_samples"] = draw(st.integers(1, 4))
    if family == "ratio" and draw(st.booleans()):
        fields["min_total"] = float(draw(st.integers(1, 10)))
    if measure.startswith(("increase", "delta")) and draw(st.integers(0, 3)) == 3:
        fields["baseline"] = float(draw(st.integers(0, 3)))
    fields |= draw(_objectives(family, measure))
    if measure == "increase over sprint" and draw(st.integers(0, 3)) > 0:
        # One that breaks its limit for good, and then gets worse.
        limit = draw(st.sampled_from([0.0, 1.0, 2.0]))
        fields |= {"objective": an_objective(Op.AT_MOST, limit), "baseline": 0.0, "min_coverage": 0.0, "expect": ()}
        fields |= {"warn": None, "resolve": None}
    if fields.get("objective") and draw(st.integers(0, 3)) == 3:
        fields["due_at"] = T0 + 30.0 * draw(st.integers(0, 20))
        if draw(st.integers(0, 2)) == 2:
            fields["due_at"] = sprint.end_at
        if draw(st.booleans()):
            fields["checkpoint_at"] = fields["due_at"] - draw(st.sampled_from([60.0, 100.0, 300.0]))
    kpi = a_kpi(kpi_id, measure, **fields)
    return replace(kpi, source=draw(_sources(family)))


@st.composite
def _sources(draw: st.DrawFn, family: str) -> Single | RatioPair:
    where = draw(
        st.sampled_from(
            [
                (),
                (),
                (Matcher("system", MatchOp.EQUAL, "fs"),),
                (Matcher("system", MatchOp.NOT_EQUAL, "fs"),),
                (Matcher("system", MatchOp.REGEX, "f.|predictive"),),
                (Matcher("pod", MatchOp.EQUAL, ""),),
            ]
        )
    )
    if family == "ratio":
        return RatioPair(Selection("part", where), Selection("total", where), draw(st.sampled_from(["bad", "good"])))
    return Single(Selection("a", where))


@st.composite
def _objectives(draw: st.DrawFn, family: str, measure: str) -> dict[str, Objective]:
    """Draw an objective with the warn and resolve that may stand beside it, or none of them."""
    if draw(st.integers(0, 7)) == 7:
        return {}
    if family == "evidence" or (family == "bool" and not measure.startswith("total")):
        return {"objective": an_objective(Op.IS, draw(st.sampled_from([True, True, False])))}
    op = draw(st.sampled_from([op for op in Op if op is not Op.IS]))
    bounds, step = _bounds(family, measure)
    # Nothing that is counted is below 0, so an upper limit of `below 0` says nothing and is not drawn.
    bound = draw(st.sampled_from([bound for bound in bounds if bound > 0 or op is not Op.BELOW]))
    if op is Op.EQUALS:
        return {"objective": an_objective(op, bound)}
    if op is Op.BETWEEN:
        return {"objective": an_objective(op, bound, bound + 4 * step)} | (
            {"warn": an_objective(op, bound + step, bound + 3 * step)} if draw(st.booleans()) else {}
        )
    sign = -1 if op in _UP else 1
    found = {"objective": an_objective(op, bound)}
    for name in ("warn", "resolve"):
        if draw(st.booleans()):
            found[name] = an_objective(op, bound + sign * step * draw(st.integers(0, 2)))
    return found


def _bounds(family: str, measure: str) -> tuple[list[float], float]:
    """Return bounds that such values lie on, below and above, and a step between bounds."""
    if family == "ratio":
        return [0.1, 0.5, 0.25, 0.75, 1.0], 0.125
    if family == "bool":
        return [60.0, 0.0, 120.0, 300.0], 30.0
    if family == "counter":
        return [2.0, 0.0, 1.0, 5.0, 10.0], 1.0
    return [2.0, 0.0, 1.0, 1.5, 3.0] if not measure.startswith("delta") else [0.0, 1.0, -1.0, 2.0], 0.5
