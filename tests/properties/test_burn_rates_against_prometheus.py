"""Burn rates and burn alerts against Prometheus's own, as the SRE Workbook (chapter 5) writes them in PromQL.

Random counters with resets and missed scrapes are judged by slo_guard; the same samples, with the workbook's recording
and alerting rules over ``increase``, are given to ``promtool test rules``, and beside them what slo_guard said of each
window and tier. Prometheus 2 looks at windows closed at both ends, so where a sample lies on both edges of a window its
``increase`` extrapolates by nothing, and those windows are compared, all of them. Prometheus 3 leaves out the left edge:
there windows are a millisecond longer.

One difference is left on purpose, and has tests of its own: where no sample lies on a window's edge Prometheus
extrapolates what the samples inside gained; slo_guard counts on from the last sample before the edge, and three
failures are 3. A series that is born inside a window, which slo_guard counts from 0, has no sample on its left edge.

``SLO_GUARD_SEED`` repeats a run, ``SLO_GUARD_EXAMPLES`` makes it longer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import (
    KPI,
    BurnPair,
    ErrorBudget,
    Matcher,
    MatchOp,
    NoData,
    RatioPair,
    Selection,
    Severity,
    Window,
    WindowKind,
)
from slo_guard.domain.verdicts import AlertState, VerdictFrame
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.rulebook.budgets import WORKBOOK
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, an_objective, labels, numbered
from tests.support.promtool import promtool_major, promtool_test
from tests.support.seeds import SEED, announce_seed
from tests.support.stories import judged

__all__ = ["announce_seed"]

pytestmark = pytest.mark.peer

LONGER = int(os.environ.get("SLO_GUARD_EXAMPLES", "300")) / 300
T0 = SPRINT_START
ALLOWED = (0.002, 0.01, 0.05)
AFTER = 600.0


@dataclass
class Day:
    """Counters of many series at even steps (NaN: no sample), and what slo_guard says of their burn rates.

    ``rates``: by window and series, NaN where nothing is compared; ``firing``: by tier and series; ``compared``: which
    of those evaluations are compared. Shapes (series, evaluations).
    """

    pairs: tuple[BurnPair, ...]
    sample_every: int
    evaluate_every: int
    bad: np.ndarray
    total: np.ndarray
    rates: dict[float, np.ndarray] = field(default_factory=dict)
    firing: dict[str, np.ndarray] = field(default_factory=dict)
    compared: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many evaluations there are."""
        return (self.bad.shape[1] - 1) * self.sample_every // self.evaluate_every + 1


def _allowed(series: int) -> float:
    return ALLOWED[series % len(ALLOWED)]


def _kpi(day: Day, number: int) -> KPI:
    """Return the KPI of the series that share a budget."""
    where = (Matcher("budget", MatchOp.EQUAL, f"b{number}"),)
    budget = ErrorBudget(Window(WindowKind.DURATION, 30 * 86400.0), "30d", ALLOWED[number], burn_alerts=day.pairs)
    return a_kpi(
        f"kpi_{number}",
        "ratio over 1h",
        source=RatioPair(Selection("bad", where), Selection("total", where), "bad"),
        by=("case",),
        objective=an_objective("at_most", ALLOWED[number]),
        error_budget=budget,
        interval_seconds=float(day.evaluate_every),
        no_data=NoData(AFTER),
    )


def _counters(series: int, samples: int, allowed: float, pairs: tuple[BurnPair, ...], random: np.random.Generator):
    """Return a bad and a total counter: stretches of like error shares, resets of either, scrapes that failed."""
    share = np.zeros(samples)
    position = 0
    while position < samples:
        length = int(random.integers(1, max(2, samples // 6)))
        burn = random.choice([0.0, 0.2, 0.9, 1.1, *(pair.factor * f for pair in pairs for f in (0.9, 1.02, 2.0))])
        share[position : position + length] = min(1.0, burn * allowed)
        position += length
    events = random.integers(0, random.choice([3, 40, 2000]), samples)
    events[random.random(samples) < 0.05] = 0
    counters = []
    for gained in (random.binomial(events, share), events):
        sums = np.cumsum(gained).astype(float) + float(random.integers(0, 1000))
        for reset in np.sort(random.integers(1, samples, random.integers(0, 4))):
            # What was counted between the last scrape and the restart is lost; the new process has counted a little.
            sums[reset:] += float(random.integers(0, 1 + int(gained[reset]))) - sums[reset]
        counters.append(sums)
    missed = random.random(samples) < random.choice([0.0, 0.0, 0.01])
    for gap in random.integers(1, samples, random.choice([0, 0, 1, 2])):
        missed[gap : gap + int(random.integers(1, 20))] = True
    if series % 5 == 4:
        missed[: int(random.integers(1, samples // 4))] = True
    return tuple(np.where(missed, np.nan, sums) for sums in counters)


def _day(pairs: tuple[BurnPair, ...], every: tuple[int, int], samples: int, series: int, seed: int) -> Day:
    random = np.random.default_rng([SEED, seed])
    drawn = [_counters(number, samples, _allowed(number), pairs, random) for number in range(series)]
    bad, total = (np.array(each) for each in zip(*drawn, strict=True))
    day = Day(pairs, *every, bad, total)
    _judge(day)
    return day


def _judge(day: Day) -> None:
    """Evaluate with slo_guard, and note what it says of windows with a sample on both edges."""
    names = [labels(f"case=c{number},budget=b{number % len(ALLOWED)}") for number in range(len(day.bad))]
    observations = []
    for position in range(day.bad.shape[1]):
        for indicator, counters in (("bad", day.bad), ("total", day.total)):
            rows = {name: float(v) for name, v in zip(names, counters[:, position], strict=True) if not np.isnan(v)}
            observations.append(a_frame(indicator, T0 + position * day.sample_every, rows))
    windows = sorted({each for pair in day.pairs for each in (pair.long_seconds, pair.short_seconds)})
    day.rates = {window: np.full((len(day.bad), day.steps), np.nan) for window in windows}
    day.firing = {pair.text: np.zeros((len(day.bad), day.steps), dtype=bool) for pair in day.pairs}
    plan = a_plan(*(_kpi(day, number) for number in range(len(ALLOWED))))
    state, stored, taken = EvaluationState.fresh(), numbered(observations), 0
    for step in range(day.steps):
        now = T0 + step * day.evaluate_every
        until = taken
        while until < len(stored) and stored[until].observation.seen_at <= now:
            until += 1
        result = evaluate(plan, stored[taken:until], state, from_unix(now))
        taken = until
        for frame in result.verdicts:
            _note(day, frame, step)
        for key in (key for key, alert in state.alerts.items() if alert.state is AlertState.FIRING and key.tier):
            day.firing[key.tier][int(dict(key.labels)["case"][1:]), step] = True
    sampled = ~np.isnan(day.bad)
    for window, rates in day.rates.items():
        rates[~_edges_sampled(day, sampled, window)] = np.nan
    for pair in day.pairs:
        known = ~np.isnan(day.rates[pair.long_seconds]) & ~np.isnan(day.rates[pair.short_seconds])
        for window in (pair.long_seconds, pair.short_seconds):
            known &= ~(np.abs(day.rates[window] / pair.factor - 1) < 1e-9)
        day.compared[pair.text] = known


def _note(day: Day, frame: VerdictFrame, step: int) -> None:
    assert frame.budget is not None
    for row, label_set in enumerate(frame.index.label_sets):
        case = dict(label_set).get("case")
        if case is not None:
            for window, rates in day.rates.items():
                rates[int(case[1:]), step] = frame.budget.rate_over(window)[row]


def _edges_sampled(day: Day, sampled: np.ndarray, window: float) -> np.ndarray:
    """Return at which evaluations a sample lies on both edges of the window, and none is missing near its end."""
    ends = np.arange(day.steps) * (day.evaluate_every // day.sample_every)
    starts = ends - int(window) // day.sample_every
    found: np.ndarray = sampled[:, ends] & np.where(starts >= 0, sampled[:, np.maximum(starts, 0)], False)
    return found


def _case(day: Day, steps: Sequence[int]) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Return the rules, and the test case with all samples and what slo_guard said at the evaluations ``steps``."""
    longer = 1 if promtool_major() >= 3 else 0

    def ratio(window: float) -> str:
        return f"increase(bad[{int(window * 1000) + longer}ms]) / increase(total[{int(window * 1000) + longer}ms])"

    rules: list[dict[str, object]] = [
        {"record": "errors:ratio", "labels": {"window": f"{window:g}"}, "expr": ratio(window)} for window in day.rates
    ]
    for pair in day.pairs:
        sides = [
            f'(errors:ratio{{window="{window:g}"}} > on (case) {pair.factor} * allowed)'
            for window in (pair.long_seconds, pair.short_seconds)
        ]
        compared = f'(compared{{tier="{pair.text}"}} == 1)'
        rules.append({"alert": pair.text, "expr": f"{sides[0]} and on (case) {sides[1]} and on (case) {compared}"})
    every = day.evaluate_every // day.sample_every
    inputs = []
    for number in range(len(day.bad)):
        inputs += [
            (f'bad{{case="c{number}"}}', day.bad[number]),
            (f'total{{case="c{number}"}}', day.total[number]),
            (f'allowed{{case="c{number}"}}', np.full(day.bad.shape[1], _allowed(number))),
        ]
        for window, rates in day.rates.items():
            said = np.repeat(np.nan_to_num(rates[number], nan=-1.0), every)[: day.bad.shape[1]]
            inputs.append((f'said{{case="c{number}",window="{window:g}"}}', said))
        for tier, compared in day.compared.items():
            inputs.append(
                (f'compared{{case="c{number}",tier="{tier}"}}', np.repeat(compared[number], every)[: day.bad.shape[1]])
            )
    written = [{"series": name, "values": " ".join(map(_token, values))} for name, values in inputs]
    case = {
        "interval": f"{day.sample_every}s",
        "input_series": written,
        "promql_expr_test": _rate_tests(day, steps),
        "alert_rule_test": _alert_tests(day, steps),
    }
    return rules, case


def _token(value: float) -> str:
    return "_" if np.isnan(value) else repr(float(value))


def _rate_tests(day: Day, steps: Sequence[int]) -> list[dict[str, object]]:
    """Return, for each evaluation: nothing is apart, and as many rates are compared as slo_guard gave."""
    rate = "errors:ratio / on (case) group_left allowed"
    said = "on (case, window) (said >= 0)"
    tests: list[dict[str, object]] = []
    for step in steps:
        known = sum(int((~np.isnan(rates[:, step])).sum()) for rates in day.rates.values())
        at = f"{step * day.evaluate_every}s"
        tests.append({"expr": f"abs(({rate}) - {said}) > 1e-7", "eval_time": at, "exp_samples": []})
        sample = [{"labels": "{}", "value": known}] if known else []
        count = f"count(({rate}) >= 0 and {said})"
        tests.append({"expr": count, "eval_time": at, "exp_samples": sample})
    return tests


def _alert_tests(day: Day, steps: Sequence[int]) -> list[dict[str, object]]:
    return [
        {
            "alertname": pair.text,
            "eval_time": f"{step * day.evaluate_every}s",
            "exp_alerts": [
                {"exp_labels": {"case": f"c{number}"}}
                for number in np.flatnonzero(day.firing[pair.text][:, step] & day.compared[pair.text][:, step])
            ],
        }
        for pair in day.pairs
        for step in steps
    ]


@pytest.fixture(scope="module", params=["fast", "workbook"])
def day(request: pytest.FixtureRequest) -> Day:
    """Return hours a minute apart for the tiers that page, and days of five minutes for all four of the workbook."""
    promtool_major()
    if request.param == "fast":
        return _day(WORKBOOK[:2], (60, 60), 450, int(12 * LONGER), 1)
    return _day(WORKBOOK, (300, 1200), 4 * 288, int(12 * LONGER), 2)


def test_burn_rates_and_burn_alerts_are_those_of_the_workbooks_rules(day: Day, tmp_path: Path):
    """Who moves alerts here from a Prometheus must be woken at the same evaluations, by the same numbers."""
    rules, case = _case(day, range(day.steps))

    answer = promtool_test(tmp_path, rules, case, f"{day.evaluate_every}s")

    assert answer.returncode == 0, f"SLO_GUARD_SEED={SEED}\n{(answer.stdout + answer.stderr)[:4000]}"
    for pair in day.pairs:
        compared = day.compared[pair.text]
        assert (day.firing[pair.text] & compared).any(), f"{pair.text} should fire at some time, or this proves little"
        assert (~day.firing[pair.text] & compared).any()


@pytest.mark.parametrize("way", ["rate", "alert"])
def test_promtool_notices_a_wrong_burn_rate_and_a_wrong_alert(day: Day, tmp_path: Path, way: str):
    """A comparison that cannot fail proves nothing."""
    pair = day.pairs[0]
    number, step = (int(each[0]) for each in np.nonzero(day.firing[pair.text] & day.compared[pair.text]))
    array = day.rates[pair.long_seconds] if way == "rate" else day.firing[pair.text]
    before = array[number, step]
    array[number, step] = before * 1.001 if way == "rate" else False

    rules, case = _case(day, [step])
    answer = promtool_test(tmp_path, rules, case, f"{day.evaluate_every}s")
    array[number, step] = before

    assert answer.returncode != 0
    assert f"c{number}" in answer.stdout + answer.stderr


def _burn_at(bad: Sequence[float], total: Sequence[float], now: float) -> tuple[float, float]:
    """Return the burn rate over five minutes by slo_guard: one sample a minute from T0 on, judged at T0 + ``now``."""
    pair = BurnPair(600.0, 300.0, 2.0, Severity.PAGE, "10m/5m")
    budget = ErrorBudget(Window(WindowKind.DURATION, 86400.0), "1d", 0.01, burn_alerts=(pair,))
    kpi = a_kpi("kpi", "ratio over 5m", objective=an_objective("at_most", 0.01), error_budget=budget)
    pairs = (("part", bad), ("total", total))
    frames = [a_frame(name, T0 + 60.0 * at, value) for name, values in pairs for at, value in enumerate(values)]
    frame = judged(kpi, frames, T0 + now)
    assert frame.budget is not None
    return float(frame.budget.rate_over(300.0)[0]), float(frame.value[0]) / 0.01


@pytest.mark.parametrize(
    ("bad", "prometheus", "ours"),
    [
        # Three failures between two samples inside: Prometheus stretches 240 s of samples to 300 s on both sides of the
        # fraction, of 40 requests; here they are 3 of the 50 that came since the last sample before the window.
        ([7] * 8 + [10] * 3, 3 / 40, 3 / 50),
        # Failures that the first sample inside brings came after the last one before the window: here they count.
        ([7] * 6 + [10] * 5, 0.0, 3 / 50),
    ],
)
def test_between_samples_prometheus_extrapolates_and_slo_guard_counts_from_the_last_sample_before(
    tmp_path: Path, bad: list[float], prometheus: float, ours: float
):
    """The one difference that is left: a window from 330 s to 630 s, with samples at 300, 360, … 600 s.

    It moves a burn rate by less than what one sample brings, and keeps each failure in exactly one of two windows that
    follow each other; Prometheus loses those between them.
    """
    promtool_major()
    total = [100.0 + 10 * at for at in range(11)]

    burn, ratio = _burn_at(bad, total, 630.0)

    assert burn == pytest.approx(ours / 0.01)
    assert burn == pytest.approx(ratio), "an alert and the ratio that it is about count alike"
    inputs = [{"series": "bad", "values": " ".join(map(str, bad))}, {"series": "total", "values": "100+10x10"}]
    expression = f"abs(increase(bad[5m]) / increase(total[5m]) - {prometheus}) < bool 1e-9"
    test = {"expr": expression, "eval_time": "630s", "exp_samples": [{"labels": "{}", "value": 1}]}
    case = {"interval": "1m", "input_series": inputs, "promql_expr_test": [test]}
    answer = promtool_test(tmp_path, [{"record": "one", "expr": "vector(1)"}], case, "30s")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_promtools_increase_is_exact_where_a_sample_lies_on_both_edges(tmp_path: Path):
    """This is what makes the whole comparison fair: there Prometheus extrapolates by nothing, resets included."""
    promtool_major()
    longer = 1 if promtool_major() >= 3 else 0
    bad = [5, 5, 6, 1, 1, 4, 4, 0, 0, 2, 2]

    burn, _ = _burn_at(bad, [100.0 + 10 * at for at in range(11)], 600.0)

    # From 300 s (4) to 600 s: a reset to 0, and 2 more.
    assert burn == pytest.approx(2 / 50 / 0.01)
    expression = f"abs(increase(bad[{300_000 + longer}ms]) - 2) < bool 1e-4"
    test = {"expr": expression, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": 1}]}
    case = {"interval": "1m", "input_series": [{"series": "bad", "values": " ".join(map(str, bad))}]}
    answer = promtool_test(
        tmp_path, [{"record": "one", "expr": "vector(1)"}], {**case, "promql_expr_test": [test]}, "30s"
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
