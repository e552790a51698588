"""What right rule files become: each field's meaning in the plan that the evaluator gets."""

from __future__ import annotations

import hashlib
from datetime import date
from textwrap import indent

import pytest

from slo_guard.domain.kpi import (
    BurnPair,
    Combine,
    Drift,
    ErrorBudget,
    Exclusion,
    Expected,
    Matcher,
    MatchOp,
    NoData,
    NoDataThen,
    Objective,
    Op,
    Pace,
    Place,
    Quotient,
    RatioPair,
    Reducer,
    Selection,
    Severity,
    Single,
    When,
    Window,
    WindowKind,
)
from slo_guard.domain.readings import IndicatorSpec, IndicatorType
from slo_guard.rulebook import load_rules
from slo_guard.rulebook.models import KpiRule
from tests.support.rule_files import HEAD, SPRINT, kpi_of, lane, load, plan_of, specs

BASE = "indicator: latency\nobjective: {at_most: 1.16s}\n"
START_AT, END_AT = 1783317600.0, 1784354400.0


FIELDS = {
    "kpi": ("", lambda kpi: kpi.id, "guarded"),
    "title": ("title: GA p95", lambda kpi: kpi.title, "GA p95"),
    "indicator": ("", lambda kpi: kpi.source, Single(Selection("latency"))),
    "type": ("type: percentile", lambda kpi: kpi.type, IndicatorType.PERCENTILE),
    "unit": ("unit: seconds", lambda kpi: kpi.unit, "seconds"),
    "where": (
        "where: {a: fs, b: '!x', c: ~p.*, code: 500, v: 1.10}",
        lambda kpi: kpi.source.of.where,
        (
            Matcher("a", MatchOp.EQUAL, "fs"),
            Matcher("b", MatchOp.NOT_EQUAL, "x"),
            Matcher("c", MatchOp.REGEX, "p.*"),
            Matcher("code", MatchOp.EQUAL, "500"),
            Matcher("v", MatchOp.EQUAL, "1.10"),
        ),
    ),
    "by": ("by: [system, region]", lambda kpi: kpi.by, ("system", "region")),
    "combine": ("combine: max", lambda kpi: kpi.combine, Combine.MAX),
    "expect": (
        "by: [system, tenant]\nexpect: {system: [fs, 2], tenant: {labels_of: usage}}",
        lambda kpi: kpi.expect,
        (Expected("system", ("fs", "2")), Expected("tenant", labels_of="usage")),
    ),
    "measure": (
        "measure: max over 5m",
        lambda kpi: (kpi.measure.reducer, kpi.measure.window, kpi.measure.text),
        (Reducer.MAX, Window(WindowKind.DURATION, 300.0), "max over 5m"),
    ),
    "objective": ("", lambda kpi: kpi.objective, Objective(Op.AT_MOST, 1.16, "at_most 1.16s")),
    "warn": ("warn: {below: 1.050s}", lambda kpi: kpi.warn, Objective(Op.BELOW, 1.05, "below 1.050s")),
    "resolve": ("resolve: {at_most: 1100ms}", lambda kpi: kpi.resolve, Objective(Op.AT_MOST, 1.1, "at_most 1100ms")),
    "for": ("for: 1h30m", lambda kpi: kpi.for_seconds, 5400.0),
    "keep_firing_for": ("keep_firing_for: 5m", lambda kpi: kpi.keep_firing_for_seconds, 300.0),
    "severity": ("severity: ticket", lambda kpi: kpi.severity, Severity.TICKET),
    "warn_severity": ("warn_severity: none", lambda kpi: kpi.warn_severity, Severity.NONE),
    "no_data": (
        "no_data: {after: 1m, then: hold, hold_for: 2h}",
        lambda kpi: kpi.no_data,
        NoData(60.0, NoDataThen.HOLD, 7200.0),
    ),
    "forget_after": ("forget_after: 2d", lambda kpi: kpi.forget_after_seconds, 172800.0),
    "due": ("due: 2026-07-10", lambda kpi: kpi.due_at, START_AT + 5 * 86400),
    "checkpoint": ("due: sprint_end\ncheckpoint: 2026-07-10", lambda kpi: kpi.checkpoint_at, START_AT + 5 * 86400),
    "min_samples": ("min_samples: 3", lambda kpi: kpi.min_samples, 3),
    "min_total": (
        "indicator: {bad: a, total: b}\nmeasure: ratio over 24h\nobjective: {below: 1%}\nmin_total: 200",
        lambda kpi: kpi.min_total,
        200.0,
    ),
    "min_coverage": ("min_coverage: 95%", lambda kpi: kpi.min_coverage, 0.95),
    "baseline": ("measure: delta over sprint\nbaseline: 2s", lambda kpi: kpi.baseline, 2.0),
    "pace": (
        "measure: increase over sprint\nobjective: {at_least: 100s}\ndue: sprint_end\npace: workdays",
        lambda kpi: kpi.pace,
        Pace.WORKDAYS,
    ),
    "drift": ("drift: {over: 6h, crosses_within: 24h}", lambda kpi: kpi.drift, Drift(21600.0, 86400.0)),
    "when": ("when: {kpi: approved, is: true}", lambda kpi: kpi.when, When("approved", is_true=True)),
    "exclude": (
        """exclude:
- {from: 2026-07-08, to: 2026-07-08, reason: move, by: Ana}
- {from: 2026-07-07T10:00, to: 2026-07-07T10:30, reason: drill, by: Ben}""",
        lambda kpi: kpi.exclude,
        (
            Exclusion(START_AT + 86400 + 36000, START_AT + 86400 + 37800, "drill", "Ben"),
            Exclusion(START_AT + 2 * 86400, START_AT + 3 * 86400, "move", "Ana"),
        ),
    ),
    "error_budget": (
        """indicator: {bad: a, total: b}
measure: ratio over 24h
objective: {below: 1%}
min_total: 200
error_budget: {window: 30d, burn_alerts: {24h: none, 3d: none}}""",
        lambda kpi: kpi.error_budget,
        ErrorBudget(
            Window(WindowKind.DURATION, 30 * 86400.0),
            "30d",
            0.01,
            burn_alerts=(
                BurnPair(3600.0, 300.0, 14.4, Severity.PAGE, "1h/5m"),
                BurnPair(21600.0, 1800.0, 6.0, Severity.PAGE, "6h/30m"),
                BurnPair(86400.0, 7200.0, 3.0, Severity.NONE, "24h/2h"),
                BurnPair(259200.0, 21600.0, 1.0, Severity.NONE, "3d/6h"),
            ),
            min_total=200.0,
        ),
    ),
    "cross_check": (
        "cross_check: {indicator: other_seconds, where: {system: fs}}",
        lambda kpi: kpi.cross_check,
        Selection("other_seconds", (Matcher("system", MatchOp.EQUAL, "fs"),)),
    ),
    "gate": ("gate: true", lambda kpi: kpi.gate, True),
    "runbook_url": ("runbook_url: https://r.example/x", lambda kpi: kpi.runbook_url, "https://r.example/x"),
    "annotations": (
        "annotations: {summary: '{{ value }}', code: 500}",
        lambda kpi: kpi.annotations,
        {"summary": "{{ value }}", "code": "500"},
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_reaches_the_plan(tmp_path, name):
    """Each field that a person can write means something to the evaluator."""
    added, read, expected = FIELDS[name]
    stated = {line.split(":")[0] for line in added.splitlines()}
    base = [line for line in BASE.splitlines() if line.split(":")[0] not in stated]

    fields = "\n".join(f"  {line}" for line in [*base, added.replace("\n", "\n  ")])
    other = "- {kpi: approved, indicator: signed, type: bool}"
    plan = plan_of(tmp_path, f"- kpi: guarded\n{fields}\n{other}")

    assert read(next(kpi for kpi in plan.kpis if kpi.id == "guarded")) == expected


def test_every_field_of_a_kpi_has_its_case():
    """A field that is added without a meaning would be a trap."""
    assert {info.alias or name for name, info in KpiRule.model_fields.items()} == FIELDS.keys()


def test_a_budget_is_what_is_left_of_the_objective_in_decimals(tmp_path):
    """A tier at the very edge of what it may be must not fail by the last bit of a float."""
    fields = "indicator: {good: a, total: b}, measure: ratio over sprint, objective: {at_least: 95%}, error_budget: {}"

    plan = plan_of(tmp_path, f"- {{kpi: guarded, {fields}}}")

    assert plan.kpis[0].error_budget.allowed == 0.05


@pytest.mark.parametrize(
    ("text", "reducer", "window", "quantile"),
    [
        ("median over sprint", Reducer.QUANTILE, Window(WindowKind.SPRINT), 0.5),
        ("p99.9 over week", Reducer.QUANTILE, Window(WindowKind.WEEK), 0.999),
        ("sum over month", Reducer.SUM, Window(WindowKind.MONTH), None),
        ("count over day", Reducer.COUNT, Window(WindowKind.DAY), None),
    ],
)
def test_events_are_measured_over_calendar_windows_too(tmp_path, text, reducer, window, quantile):
    """A median of resolution times needs every observation, and a day begins at midnight."""
    kpi = kpi_of(tmp_path, f"indicator: resolution\nmeasure: {text}")

    assert (kpi.measure.reducer, kpi.measure.window) == (reducer, window)
    assert kpi.measure.quantile == (None if quantile is None else pytest.approx(quantile))
    assert kpi.type is IndicatorType.EVENT


def test_a_quotient_may_exceed_one_and_has_sides_of_its_own(tmp_path):
    """v2 over baseline is 1.05 when v2 is better; both are one indicator with another arm."""
    kpi = kpi_of(
        tmp_path,
        """
        indicator: {of: {indicator: ctr, where: {arm: v2}}, to: {indicator: ctr, where: {arm: baseline}}}
        objective: {at_least: 1.05}
        """,
    )

    sides = [Selection("ctr", (Matcher("arm", MatchOp.EQUAL, arm),)) for arm in ("v2", "baseline")]
    assert kpi.source == Quotient(*sides)
    assert (kpi.unit, kpi.indicators) == ("ratio", ("ctr",))


@pytest.mark.parametrize(
    ("measure", "kind"), [("spread_abs", IndicatorType.GAUGE), ("spread_abs over day", IndicatorType.COUNTER)]
)
def test_a_spread_compares_last_values_or_increases(tmp_path, measure, kind):
    """What was metered against what was billed, each as its source has it."""
    kpi = kpi_of(tmp_path, f"indicator: {{of: metered, to: billed}}\nmeasure: {measure}\nobjective: {{at_most: 0.25%}}")

    assert (kpi.type, kpi.unit, kpi.measure.text) == (kind, "ratio", measure)


def test_what_is_tracked_may_warn(tmp_path):
    """Blockers older than three days are a risk, although nobody promised anything of them."""
    kpi = kpi_of(tmp_path, "indicator: blocker_age\nwarn: {at_most: 3d}")

    assert (kpi.objective, kpi.warn, kpi.unit) == (None, Objective(Op.AT_MOST, 259200.0, "at_most 3d"), "seconds")


def test_what_is_left_out_has_the_documented_defaults(tmp_path):
    """The reference promises them."""
    kpi = kpi_of(tmp_path, "indicator: latency")

    assert (kpi.measure.text, kpi.objective, kpi.severity, kpi.warn_severity) == (
        "last",
        None,
        Severity.PAGE,
        Severity.TICKET,
    )
    assert (kpi.no_data, kpi.min_coverage, kpi.interval_seconds) == (NoData(300.0, NoDataThen.ALERT, 3600.0), 0.9, 60.0)
    assert (kpi.for_seconds, kpi.keep_firing_for_seconds, kpi.forget_after_seconds) == (0.0, 0.0, 86400.0)


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("{at_most: 0.25%}", Objective(Op.AT_MOST, 0.0025, "at_most 0.25%")),
        ("{below: 10m}", Objective(Op.BELOW, 600.0, "below 10m")),
        ("{at_least: 95%}", Objective(Op.AT_LEAST, 0.95, "at_least 95%")),
        ("{above: 1_000}", Objective(Op.ABOVE, 1000.0, "above 1_000")),
        ("{equals: 0}", Objective(Op.EQUALS, 0.0, "equals 0")),
        ("{between: [2, 3.50]}", Objective(Op.BETWEEN, 2.0, "between 2 and 3.50", 3.5)),
        ("{is: true}", Objective(Op.IS, 1.0, "is true")),
        ("{is: no}", Objective(Op.IS, 0.0, "is false")),
    ],
)
def test_an_objective_keeps_the_text_that_people_wrote(tmp_path, text, objective):
    """It stands in messages and on the page as its author knows it."""
    assert kpi_of(tmp_path, f"indicator: x\nobjective: {text}").objective == objective


@pytest.mark.parametrize(
    ("objective", "stricter"),
    [
        ("{at_most: 2}", "{below: 2}"),
        ("{at_least: 2}", "{above: 2}"),
        ("{below: 2}", "{below: 1.9}"),
        ("{above: 2}", "{at_least: 2.1}"),
        ("{between: [1, 5]}", "{between: [2, 4]}"),
        ("{between: [1, 5]}", "{equals: 3}"),
        ("{at_most: 2}", "{equals: 1}"),
    ],
)
def test_a_stricter_bound_of_another_kind_can_warn_and_resolve(tmp_path, objective, stricter):
    """What counts is which values meet it, not its name."""
    kpi = kpi_of(tmp_path, f"indicator: x\nobjective: {objective}\nwarn: {stricter}\nresolve: {stricter}")

    assert kpi.warn == kpi.resolve


def test_a_resolve_equal_to_the_objective_is_allowed(tmp_path):
    """At least as strict is enough."""
    assert kpi_of(tmp_path, "indicator: x\nobjective: {at_most: 2}\nresolve: {at_most: 2}").resolve is not None


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("measure: last", IndicatorType.GAUGE),
        ("measure: max over 5m", IndicatorType.GAUGE),
        ("measure: mean over 5m", IndicatorType.GAUGE),
        ("measure: delta over 5m", IndicatorType.GAUGE),
        ("measure: increase over sprint", IndicatorType.COUNTER),
        ("measure: total over sprint", IndicatorType.BOOL),
        ("objective: {is: true}", IndicatorType.BOOL),
        ("type: percentile", IndicatorType.PERCENTILE),
    ],
)
def test_without_a_config_the_measure_implies_the_type(tmp_path, rule, kind):
    """`eval` and `backtest` have samples, and no collectors."""
    plan = plan_of(tmp_path, f"- kpi: a\n  indicator: x\n  {rule}\n")

    assert plan.kpis[0].type is kind
    assert plan.indicators == {"x": IndicatorSpec("x", kind)}


def test_rules_that_share_an_indicator_agree_on_a_type(tmp_path):
    """The time during which it is true, and the share: both are of a bool."""
    plan = plan_of(
        tmp_path,
        "- {kpi: a, indicator: x, measure: mean over 1h}\n- {kpi: b, indicator: x, measure: total over sprint}",
    )

    assert {kpi.type for kpi in plan.kpis} == {IndicatorType.BOOL}
    assert [kpi.unit for kpi in plan.kpis] == ["ratio", "seconds"]


def test_with_a_config_type_and_unit_come_from_the_collector(tmp_path):
    """The rule need not repeat them."""
    known = specs(latency="percentile seconds", other="gauge")

    plan = plan_of(tmp_path, "- {kpi: a, indicator: latency}", known)

    assert (plan.kpis[0].type, plan.kpis[0].unit) == (IndicatorType.PERCENTILE, "seconds")
    assert plan.indicators == {"latency": known["latency"]}


@pytest.mark.parametrize(
    ("rule", "unit"),
    [
        ("indicator: {good: a, total: b}\nmeasure: ratio over 1h", "ratio"),
        ("indicator: up\nmeasure: total over sprint", "seconds"),
        ("indicator: up\nmeasure: mean over 1h", "ratio"),
        ("indicator: cpu\nmeasure: total over 1h", "seconds"),
        ("indicator: mem\nmeasure: delta over 1h", "bytes"),
        ("indicator: a\nmeasure: increase over 1h", ""),
    ],
)
def test_the_unit_is_that_of_the_measured_value(tmp_path, rule, unit):
    """What is shown is the result, not the samples."""
    known = specs(a="counter", b="counter", up="bool", cpu="counter seconds", mem="gauge bytes")

    assert kpi_of(tmp_path, rule, known).unit == unit


def test_a_unit_that_nobody_states_is_that_of_the_objective(tmp_path):
    """1.16s says what the value is in."""
    assert kpi_of(tmp_path, BASE).unit == "seconds"


def test_a_bare_number_fits_where_no_unit_is_known(tmp_path):
    """Values are then in base units."""
    assert kpi_of(tmp_path, "indicator: x\nobjective: {at_most: 1.16}").objective.bound == 1.16


def test_a_bare_number_and_a_percentage_fit_where_no_unit_is_known(tmp_path):
    """Both are shares, and only one of them says so."""
    kpi = kpi_of(tmp_path, "indicator: x\nobjective: {between: [0.5, 90%]}\nwarn: {between: [60%, 0.8]}")

    assert (kpi.objective.bound, kpi.objective.upper) == (0.5, 0.9)
    assert (kpi.warn.bound, kpi.warn.upper) == (0.6, 0.8)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("objective: {between: [1s, 50%]}", "objective.between[1]: 50% is a ratio, but the other bound is in seconds"),
        (
            "objective: {between: [1s, 5]}",
            "objective.between[1]: 5 has no unit, but the other bound is in seconds; write 5s",
        ),
        ("objective: {between: [1, 5MiB]}", "objective.between[0]: 1 has no unit, but the other bound is in bytes"),
        (
            "objective: {at_most: 5}\nwarn: {at_most: 3s}",
            "warn.at_most: at_most 3s is in seconds, but the objective at_most 5 has no unit; write one in both",
        ),
        ("objective: {at_most: 5s}\nwarn: {at_most: 3}", "warn.at_most: 3 has no unit, but x is in seconds; write 3s"),
        ("objective: {at_most: 5}\nresolve: {at_most: 3MiB}", "resolve.at_most: at_most 3MiB is in bytes, but"),
    ],
)
def test_bounds_of_different_units_are_found_where_no_unit_is_known(tmp_path, rule, said):
    """1s and 50% would be compared as 1 and 0.5."""
    fields = indent(f"indicator: x\n{rule}", "  ")
    loaded = load(tmp_path, f"- kpi: guarded\n{fields}")

    assert any(said in str(finding) for finding in loaded.findings), loaded.findings


def test_each_side_of_a_ratio_can_have_its_own_where(tmp_path):
    """The KPI's where holds for both, a side's own entry wins."""
    kpi = kpi_of(
        tmp_path,
        """
        indicator: {good: {indicator: requests, where: {code: ~2.., region: eu}}, total: requests}
        where: {region: us, tenant: acme}
        measure: ratio over 24h
        """,
    )

    tenant, region = Matcher("tenant", MatchOp.EQUAL, "acme"), Matcher("region", MatchOp.EQUAL, "us")
    own = (Matcher("code", MatchOp.REGEX, "2.."), Matcher("region", MatchOp.EQUAL, "eu"))
    assert kpi.source == RatioPair(
        Selection("requests", (tenant, *own)), Selection("requests", (region, tenant)), "good"
    )


def test_defaults_are_merged_and_mappings_by_key(tmp_path):
    """A KPI changes one thing of no_data without repeating the rest; its objective replaces the whole one."""
    head = """\
    defaults:
      severity: ticket
      interval: 30s
      objective: {at_most: 5}
      no_data: {after: 5m, then: hold}
      annotations: {a: x, b: y}
      min_total: 7
    """
    plan = plan_of(
        tmp_path,
        "- {kpi: a, indicator: x}\n- {kpi: b, indicator: x, objective: {at_least: 2}, severity: page, "
        "no_data: {after: 1m}, annotations: {b: z}}",
        head=head,
    )

    first, second = plan.kpis
    assert (first.severity, first.objective.text, first.no_data) == (
        Severity.TICKET,
        "at_most 5",
        NoData(300.0, NoDataThen.HOLD),
    )
    assert (second.severity, second.objective.text, second.no_data) == (
        Severity.PAGE,
        "at_least 2",
        NoData(60.0, NoDataThen.HOLD),
    )
    assert second.annotations == {"a": "x", "b": "z"}
    assert {kpi.interval_seconds for kpi in plan.kpis} == {30.0}
    assert {kpi.min_total for kpi in plan.kpis} == {None}, "a default that does not apply is left aside"


@pytest.mark.parametrize(
    "head", ["interval: 30s\n", "defaults: {interval: 30s}\n", "interval: 30s\ndefaults: {interval: 0.5m}\n"]
)
def test_the_interval_can_stand_in_two_places(tmp_path, head):
    """They mean the same, so saying it twice alike is no error."""
    assert kpi_of(tmp_path, "indicator: x", head=head).interval_seconds == 30.0


def test_a_kpi_knows_its_lane_owner_sprint_and_place(tmp_path):
    """Messages and pages lead back to the file."""
    kpi = kpi_of(tmp_path, "indicator: x", head="owner: SRE Lead\n")

    assert (kpi.lane, kpi.owner, kpi.sprint) == ("ga-ops", "SRE Lead", "sprint-40")
    file = tmp_path / "lane.yaml"
    assert kpi.place == Place(str(file), 6, hashlib.sha256(file.read_bytes()).hexdigest())


def test_a_sprint_is_its_local_days(tmp_path):
    """From the first midnight to the one after the last day, in Denver."""
    sprint = plan_of(tmp_path, "- {kpi: a, indicator: x}").sprints["sprint-40"]

    assert (sprint.start, sprint.end) == (date(2026, 7, 6), date(2026, 7, 17))
    assert (sprint.start_at, sprint.end_at) == (START_AT, END_AT)
    assert sprint.workdays == ("mon", "tue", "wed", "thu", "fri")


def test_folders_are_read_recursively_without_hidden_ones(tmp_path):
    """Mounted config maps keep old versions in hidden folders; a second suffix is as good."""
    deeper = tmp_path / "a" / "b"
    hidden = tmp_path / ".git"
    deeper.mkdir(parents=True)
    hidden.mkdir()
    (tmp_path / "sprint.yaml").write_text(SPRINT)
    (deeper / "lane.yml").write_text(lane("- {kpi: a, indicator: x}"))
    (hidden / "lane.yaml").write_text("{")
    (tmp_path / "notes.txt").write_text("{")

    loaded = load_rules([tmp_path, deeper, deeper / "lane.yml"], None)

    assert [kpi.id for kpi in loaded.plan.kpis] == ["a"]
    assert (loaded.kpi_count, loaded.lane_count) == (1, 1)


def test_a_lane_named_alone_finds_the_sprint_beside_it(tmp_path):
    """People check the file that they edit."""
    (tmp_path / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "lane.yaml").write_text(lane("- {kpi: a, indicator: x}"))

    assert load_rules([tmp_path / "lane.yaml"], None).plan is not None


def test_a_lane_named_alone_may_count_the_burn_alarms_of_the_others(tmp_path):
    """Whoever checks the file that they edit must not be told that there are no burn alerts: they are not in sight."""
    reads = "- {kpi: a, indicator: slo_guard_burn_alarm_seconds, measure: total over sprint, objective: {below: 10m}}"
    (tmp_path / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "lane.yaml").write_text(lane(reads))

    alone, whole = load_rules([tmp_path / "lane.yaml"], None), load_rules([tmp_path], None)

    assert alone.findings == ()
    assert [finding.path for finding in whole.findings] == ["kpis[0].indicator"]


def test_two_sprints_may_use_the_same_ids(tmp_path):
    """The next sprint's rules stand beside this one's."""
    for name in ("sprint-40", "sprint-41"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sprint.yaml").write_text(SPRINT.replace("sprint-40", name))
        (tmp_path / name / "lane.yaml").write_text(
            f"{HEAD}kpis: [{{kpi: a, indicator: x}}]\n".replace("sprint-40", name)
        )

    plan = load_rules([tmp_path], None).plan

    assert [(kpi.sprint, kpi.id) for kpi in plan.kpis] == [("sprint-40", "a"), ("sprint-41", "a")]


@pytest.mark.parametrize(
    ("kpi", "head", "gates", "warned"),
    [
        ("indicator: x\nobjective: {at_most: 1}\ngate: true", "", True, False),
        ("indicator: x\nobjective: {at_most: 1}", "defaults: {gate: true}\n", True, False),
        ("indicator: x\nobjective: {at_most: 1}\ngate: false", "defaults: {gate: true}\n", False, False),
        ("indicator: x\ngate: true", "", True, True),
        ("indicator: x", "defaults: {gate: true}\n", False, False),
    ],
)
def test_a_gate_that_nothing_decides_is_warned_of(tmp_path, kpi, head, gates, warned):
    """It would hold every release back, and nobody would see why until then."""
    loaded = load(tmp_path, f"- kpi: guarded\n{indent(kpi, '  ')}", head=head)

    assert loaded.plan is not None
    assert loaded.plan.kpis[0].gate is gates
    assert any("so the gate stays undecided" in str(finding) for finding in loaded.findings) is warned
