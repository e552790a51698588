"""Every error of a rule file: where it stands and what to write instead, all at once."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from slo_guard.rulebook import load_rules
from tests.support.rule_files import HEAD, SPRINT, lane, load, specs

KNOWN = specs(
    latency="percentile seconds",
    requests="counter",
    errors="counter",
    cpu_seconds="counter seconds",
    share="gauge ratio",
    sessions="gauge",
    memory="gauge bytes",
    signed="bool",
    buckets="histogram seconds",
    clicks="event",
)
RATIO = {"indicator": "{bad: errors, total: requests}", "measure": "ratio over sprint", "objective": "{below: 1%}"}
GOOD = {"indicator": "latency", "measure": "last", "objective": "{at_most: 1.16s}"}


def found_in(folder, fields: str, indicators=KNOWN, head: str = "") -> list[str]:
    """Return the findings of a KPI with these fields, without the folder's name."""
    kpis = "- kpi: guarded\n" + indent(dedent(fields).strip("\n"), "  ")
    loaded = load(folder, kpis, indicators, head=head)
    errors = any(finding.severity == "error" for finding in loaded.findings)
    assert (loaded.plan is None) == errors
    return [str(finding).removeprefix(f"{folder}/") for finding in loaded.findings]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objectiv": "{at_most: 1s}"}, "lane.yaml:9:5: kpis[0].objectiv: unknown field 'objectiv'; did you mean 'objective'?"),
        ({"threshold": "2"}, "kpis[0].threshold: unknown field 'threshold'; write objective: {at_most: …}"),
        ({"interval": "5s"}, "kpis[0].interval: unknown field 'interval'; it is the whole file's; write it beside lane"),
        ({"objective": "{at_most: 1.16}"}, "lane.yaml:8:26: kpis[0].objective.at_most: 1.16 has no unit, but latency is in seconds; write 1.16s"),
        ({"objective": "{at_most: 95%}"}, "objective.at_most: 95% is a ratio, but latency is in seconds; write one such as 1.16s"),
        ({"objective": "{at_most: 1.16 s}"}, "objective.at_most: '1.16 s' has a space before its unit; write 1.16s"),
        ({"objective": "{at_most: fast}"}, "objective.at_most: 'fast' is not a duration"),
        ({"objective": "{at_most: '>= 2s'}"}, "the field's name is the comparison, write the number alone"),
        ({"objective": ">= 2"}, "lane.yaml:8:16: kpis[0].objective: '>=' begins a folded text in YAML, not a comparison; write {at_least: 2}"),
        ({"objective": '">= 2"'}, "kpis[0].objective: '>= 2' is a text, not an objective; write {at_least: 2}"),
        ({"objective": "'< 3%'"}, "'< 3%' is a text, not an objective; write {below: 3%}"),
        ({"objective": "fast"}, "objective: write a mapping such as {at_most: 1.16s}"),
        ({"objective": "2"}, "objective: 2 says no comparison; write {at_most: 2} or {at_least: 2}"),
        ({"objective": "[{at_most: 2s}]"}, "objective: write one mapping such as {at_most: 1.16s}, not a list"),
        ({"objective": "{}"}, "objective: says no comparison; write one such as {at_most: 1.16s}"),
        ({"objective": ""}, "kpis[0].objective: has no value; write one, or remove the line"),
        ({"objective": "{at_most: 2s, at_least: 1s}"}, "objective: at_least and at_most are several objectives; keep one, or write between"),
        ({"objective": "{between: [3s, 2s]}"}, "objective.between: the bounds are reversed; write between: [2s, 3s]"),
        ({"objective": "{between: [3s]}"}, "objective.between: is too short; give at least 2"),
        ({"objective": "{between: [1s, 2%]}"}, "objective.between[1]: 2% is a ratio, but latency is in seconds"),
        ({"objective": "{is: true}"}, "objective.is: latency is a number; write a number such as {equals: 1}"),
        ({"indicator": "signed", "objective": "{equals: 1}"}, "objective.equals: signed is true or false; write {is: true}"),
        ({"indicator": "sessions", "objective": "{at_least: 2s}"}, "2s is in seconds, but sessions is a plain number; write one such as 2"),
        ({"indicator": "memory", "objective": "{at_most: 10}"}, "10 has no unit, but memory is in bytes; write 10MiB"),
        ({"resolve": "{at_most: 1.20s}"}, "resolve: at_most 1.20s is weaker than the objective at_most 1.16s"),
        ({"resolve": "{at_least: 1s}"}, "resolve: at_least 1s is weaker than the objective at_most 1.16s"),
        ({"objective": "{below: 1s}", "resolve": "{at_most: 1s}"}, "resolve: at_most 1s is weaker than the objective below 1s"),
        ({"warn": "{at_most: 1.20s}"}, "warn: at_most 1.20s is no stricter than the objective at_most 1.16s, so it could never show"),
        ({"warn": "{at_most: 1.16s}"}, "warn: at_most 1.16s is no stricter than the objective"),
        ({"objective": None, "resolve": "{at_most: 1s}"}, "resolve: 'resolve' means nothing without an objective"),
        ({"objective": None, "due": "sprint_end"}, "due: 'due' means nothing without an objective"),
        ({"measure": "mean over 5m"}, "measure: 'mean' does not fit latency, which is a percentile; write last or max over 5m: a mean of percentiles"),
        ({"combine": "mean"}, "combine: a mean of percentiles is not a percentile (latency); write combine: max"),
        ({"indicator": "sessions", "measure": "increase over sprint", "objective": "{at_least: 2}"}, "measure: 'increase' does not fit sessions, which is a gauge; write delta over sprint"),
        ({"indicator": "requests", "objective": "{at_most: 2}"}, "'last' does not fit requests, which is a counter; write increase over sprint"),
        ({"indicator": "requests", "measure": "total over 6h", "objective": "{at_most: 2s}"}, "'total' adds up time, but requests is a counter that is not in seconds; write increase over 6h"),
        ({"indicator": "signed", "measure": "delta over 6h", "objective": "{at_most: 2}"}, "'delta' does not fit signed, which is a bool; write last, or total over 6h"),
        ({"indicator": "buckets"}, "'last' does not fit buckets, which is a histogram; write p95 over sprint, median over sprint or count over sprint"),
        ({"indicator": "buckets", "measure": "p95 over 5m", "combine": "max"}, "combine: the buckets of all series of buckets are summed before they are measured; leave combine out"),
        ({"indicator": "clicks", "objective": "{at_most: 3}"}, "'last' does not fit clicks, which is an event; write count over sprint, sum over sprint, median over sprint or p95 over sprint"),
        ({"indicator": "clicks", "measure": "count over day", "objective": "{at_most: 3}", "combine": "sum"}, "combine: the observations of all series of clicks are measured together; leave combine out"),
        ({"indicator": "signed", "objective": "{is: true}", "combine": "sum"}, "combine: signed is true or false; write combine: max (any is true) or combine: min"),
        ({"indicator": "signed", "measure": "total over 6h", "objective": "{at_least: 10m}", "combine": "min"}, "combine: the time during which signed is true is united or summed, it has no min; write combine: max (while any is true) or combine: sum (each one's time)"),
        ({"measure": "p95 over 5m"}, "measure: 'p95' does not fit latency, which is a percentile; write last or max over 5m"),
        ({"measure": "p0 over 5m"}, "measure: 'p0' would be the smallest value; write p50, p95 or p99.9"),
        ({"measure": "p100 over 5m"}, "measure: 'p100' is not a reducer"),
        ({"measure": "spread_abs"}, "measure: 'spread_abs' compares two indicators; write indicator: {of: A, to: B}"),
        ({"measure": "maxx over 5m"}, "measure: 'maxx' is not a reducer; did you mean 'max'?"),
        ({"measure": "max"}, "measure: 'max' is not REDUCER over WINDOW; write max over sprint or max over 6h"),
        ({"measure": "last over 5m"}, "measure: 'last' has no window; write last alone"),
        ({"measure": "max over fortnight"}, "measure: 'fortnight' is not a window; write a duration such as 6h, or sprint, day, week, month"),
        ({"measure": "max over 0s"}, "measure: a window of 0s holds nothing"),
        ({"measure": "ratio over 24h"}, "measure: 'ratio' needs two indicators"),
        ({"indicator": "{good: errors, total: requests}", "objective": "{at_least: 99%}"}, "measure: a pair of indicators is measured by its ratio; write measure: ratio over sprint"),
        ({"indicator": "{good: errors, total: requests}", "measure": "ratio over 1h", "objective": "{at_least: 99}"}, "99 can never be reached, ratio over 1h of errors / requests is a ratio from 0 to 1; write a share such as 95%"),
        ({"indicator": "{good: errors, total: requests}", "measure": "ratio over 1h", "objective": "{at_least: 99%}", "combine": "max"}, "combine: a ratio folds series by summing both its sides; leave combine out"),
        ({"indicator": "{good: errors, total: cpu_seconds}", "measure": "ratio over 1h", "objective": "{at_least: 99%}"}, "indicator.good: errors is a plain number, but cpu_seconds is in seconds; the two sides have one unit"),
        ({"indicator": "{good: errors}"}, "indicator.total: 'total' is missing; write total: the indicator that counts everything"),
        ({"indicator": "{good: a, bad: b, total: c}"}, "indicator: a ratio has exactly one of good and bad beside total; write {bad: A, total: B}"),
        ({"indicator": "{of: latency}", "objective": "{at_most: 2}"}, "indicator.to: 'to' is missing; write to: the indicator whose measured value it is divided by"),
        ({"indicator": "{of: latency, to: memory}", "objective": "{at_most: 2}"}, "indicator.of: latency is in seconds, but memory is in bytes; the two sides have one unit"),
        ({"indicator": "{of: latency, to: latency}", "measure": "delta over 6h", "objective": "{at_most: 2}"}, "measure: 'delta' is not taken of a quotient; write last, mean over 6h or increase over 6h"),
        ({"indicator": "{of: sessions, to: sessions}", "measure": "spread_abs over day", "objective": "{at_most: 2}"}, "'spread_abs' does not fit sessions, which is a gauge; write spread_abs for last values"),
        ({"indicator": "{of: requests, to: requests}", "measure": "spread_abs", "objective": "{at_most: 2}"}, "'spread_abs' does not fit requests, which is a counter; write spread_abs over sprint"),
        ({"indicator": "latncy"}, "lane.yaml:6:16: kpis[0].indicator: no collector produces 'latncy'; did you mean 'latency'?"),
        ({"indicator": "slo_guard_burn_alarm_seconds", "measure": "total over sprint", "objective": "{below: 10m}"}, "kpis[0].indicator: no burn alert of sprint-40 pages, so slo_guard_burn_alarm_seconds would always be 0; give a ratio an error_budget"),
        ({"indicator": "two words"}, "indicator: 'two words' will not do; write an indicator's name"),
        ({"indicator": None}, "kpis[0]: 'indicator' is missing; write indicator: NAME"),
        ({"type": "gauge"}, "type: latency is a percentile by the collector metrics; leave type out"),
        ({"unit": "ratio"}, "unit: latency is in seconds by the collector metrics; leave unit out"),
        ({"unit": "ms"}, "unit: values are taken in base units; write unit: seconds"),
        ({"unit": "parsecs"}, "unit: unknown unit 'parsecs'"),
        ({"by": "[system, kpi]"}, "by[1]: the label 'kpi' is slo_guard's own"),
        ({"by": "[system, system]"}, "by[1]: 'system' is listed twice; keep one"),
        ({"by": "[__name__]"}, "by[0]: the label '__name__' is Prometheus's own; rename it in the collector"),
        ({"by": "[a-b]"}, "by[0]: 'a-b' will not do; write a label's name"),
        ({"by": "system"}, "by: write a list, such as [a, b]"),
        ({"by": "[system]", "expect": "{sytem: [fs]}"}, "expect.sytem: 'sytem' is not a label of by; did you mean 'system'?"),
        ({"expect": "{system: [fs]}"}, "expect.system: 'system' is not a label of by; write by: [system]"),
        ({"by": "[system]", "expect": "{system: []}"}, "expect.system: write a list of different values"),
        ({"by": "[system]", "expect": "{system: {labels_of: request}}"}, "expect.system.labels_of: no collector produces 'request'; did you mean 'requests'?"),
        ({"by": "[system]", "expect": "{system: {labels_of: clicks}}"}, "expect.system.labels_of: clicks are events, which list no series; name an indicator that does"),
        ({"where": "{system: '~('}"}, "where.system: ~( is not a regular expression"),
        ({"where": "{system: '~(?=f)fs'}"}, "where.system: ~(?=f)fs is not a regular expression: invalid perl operator: (?=; write RE2 syntax, as in Prometheus, such as fs|predictive"),
        ({"where": "{system: '~(f)\\1'}"}, "where.system: ~(f)\\1 is not a regular expression: invalid escape sequence: \\1; write RE2 syntax"),
        ({"where": "{system: '!~fs'}"}, "where.system: '!~fs': a negated regex is not supported"),
        ({"where": "{system: !fs}"}, "where.system: a value may not begin with '!' in YAML; put it in quotes"),
        ({"where": "{system: !fs , a: b}"}, "where.system: '!fs' is a tag in YAML; put the text in quotes: \"!fs\""),
        ({"for": "-5m"}, "for: '-5m' is not a duration; write one such as 30s, 5m or 1h30m"),
        ({"for": "99999999d"}, "for: '99999999d' is longer than 100 years; write a shorter duration"),
        ({"measure": "max over 99999999d"}, "measure: '99999999d' is longer than 100 years; write a shorter duration"),
        ({"for": "5"}, "for: 5 has no unit; write a duration such as 30s, 5m or 1h30m"),
        ({"severity": "pgae"}, "severity: 'pgae' is not known; did you mean 'page'?"),
        ({"warn_severity": "loud"}, "warn_severity: 'loud' is not known; write one of page, ticket, none"),
        ({"no_data": "{after: 0s}"}, "no_data.after: write a duration above 0, such as 30s"),
        ({"no_data": "{then: ignore}"}, "no_data.then: 'ignore' is not known; write one of alert, hold, ok"),
        ({"due": "2026-08-01"}, "due: 2026-08-01 is not within sprint-40 (2026-07-06 to 2026-07-17); write a time in it, or sprint_end"),
        ({"due": "2026-07-32"}, "due: '2026-07-32' is no day of the calendar"),
        ({"due": "friday"}, "due: 'friday' is not a time"),
        ({"checkpoint": "2026-07-10"}, "checkpoint: a checkpoint comes before a due time; write due: sprint_end as well"),
        ({"due": "2026-07-10", "checkpoint": "2026-07-10"}, "checkpoint: the checkpoint is not before the due time"),
        ({"min_samples": "0"}, "min_samples: write a number of at least 1"),
        ({"min_total": "10"}, "min_total: min_total is for ratios"),
        ({"min_coverage": "90"}, "min_coverage: 90 is not a share from 0% to 100%; write 90%"),
        ({"min_coverage": "120%"}, "min_coverage: 120% is not a share from 0% to 100%; write one such as 90%"),
        ({"min_coverage": "5m"}, "min_coverage: 5m is in seconds, but min_coverage is a ratio"),
        ({"baseline": "3"}, "baseline: a baseline is for increase, rate and delta; leave it out"),
        ({"indicator": "memory", "measure": "delta over 6h", "objective": "{at_most: 1MiB}", "baseline": "3"}, "baseline: 3 has no unit, but delta over 6h of memory is in bytes"),
        ({"runbook_url": "wiki/x"}, "runbook_url: 'wiki/x' will not do; write a URL such as https://host.example/path"),
        ({"title": "[a]"}, "title: write a text"),
        ({"annotations": "{summary: '{{ vlaue }}'}"}, "annotations.summary: a template knows no 'vlaue'; did you mean 'value'?"),
        ({"annotations": "{summary: '{{ value'}"}, "annotations.summary: is not a template"),
        ({"annotations": "{summary: '{{ labels.system }}'}"}, "annotations.summary: the KPI has no label 'system'; write by: [system]"),
        ({"annotations": "{summary: '{{ value | upcase }}'}"}, "annotations.summary: the filter 'upcase' is not known"),
        ({"annotations": "{summary: '{% for x in labels %}{% endfor %}'}"}, "annotations.summary: a loop is not allowed in an annotation"),
        ({"annotations": "{summary: '{{ value.upper() }}'}"}, "annotations.summary: a call is not allowed in an annotation"),
        ({"annotations": "{summary: {{ value }}}"}, "put a template in quotes"),
        ({"pace": "linear"}, "pace: a pace leads to a goal that adds up over the sprint or runs down to 0, and 'last' does not"),
        ({"pace": "steady"}, "pace: 'steady' is not known; write one of linear, workdays"),
        ({"indicator": "requests", "measure": "increase over sprint", "objective": "{at_least: 100}", "pace": "linear"}, "pace: a pace leads to a due time; write due: sprint_end as well"),
        ({"indicator": "requests", "measure": "increase over sprint", "objective": None, "pace": "linear"}, "pace: there is no goal to keep pace with; write an objective"),
        ({"drift": "{over: 6h}"}, "drift.crosses_within: 'crosses_within' is missing; write crosses_within: how soon it must cross the objective"),
        ({"drift": "{over: 60d, crosses_within: 1d}"}, "drift.over: is longer than 31d; write a shorter one, such as 6h"),
        ({"measure": "max over 6h", "drift": "{over: 6h, crosses_within: 1d}"}, "drift: a trend is taken of newest values, not 'max over 6h'; write measure: last"),
        ({"objective": None, "drift": "{over: 6h, crosses_within: 1d}"}, "drift: there is no bound that a trend could cross"),
        ({"when": "{kpi: x}"}, "when.is: 'is' is missing; write is: what it must be"),
        ({"when": "{kpi: other, is: true}"}, "when.kpi: sprint-40 has no KPI 'other'"),
        ({"when": "{kpi: guarded, is: true}"}, "when.kpi: a KPI cannot be its own condition; name another one"),
        ({"exclude": "[{from: 2026-07-08, to: 2026-07-07, reason: move, by: Ana}]"}, "exclude[0].to: 2026-07-07 is not after 2026-07-08; write a later end"),
        ({"exclude": "[{from: 2026-07-08, to: 2026-07-08, by: Ana}]"}, "exclude[0].reason: 'reason' is missing; write reason: why"),
        ({"exclude": "[{from: 2026-07-08, to: 2026-07-09, reason: a, by: Ana}, {from: 2026-07-09, to: 2026-07-09, reason: b, by: Ana}]"}, "exclude: 'a' and 'b' overlap; let one end where the other begins"),
        ({"indicator": "sessions", "measure": "delta over sprint", "objective": "{at_least: 2}", "exclude": "[{from: 2026-07-08, to: 2026-07-08, reason: a, by: Ana}]"}, "exclude: a delta is one value less another, whatever was between; leave exclude out"),
        ({"indicator": "{of: requests, to: clicks}", "measure": "spread_abs over day", "objective": "{at_most: 1%}"}, "indicator.of: requests is of type counter, but clicks of type event; the two sides are of one type"),
        ({"exclude": "[{from: friday, to: 2026-07-08, reason: move, by: Ana}]"}, "exclude[0].from: 'friday' is not a time"),
        ({"error_budget": "{}"}, "kpis[0].error_budget: an error budget is for a ratio; write indicator: {good: A, total: B}"),
        (RATIO | {"error_budget": "{window: fortnight}"}, "error_budget.window: 'fortnight' is not a window; write sprint, or a duration such as 30d"),
        (RATIO | {"error_budget": "{slice: 1m}"}, "error_budget.slice: slice is for time slices; write method: timeslices"),
        (RATIO | {"error_budget": "{method: timeslices, slice_objective: 99}"}, "error_budget.slice_objective: 99 is not a share of good events; write one such as 99%"),
        (RATIO | {"error_budget": "{method: timeslices, slice: 10m, burn_alerts: {3d: none}}"}, "error_budget.burn_alerts: the short window of 1h/5m is shorter than a slice, so at times it holds none and ends the alert; write a slice of at most 5m"),
        (RATIO | {"error_budget": "{method: timeslices, burn_alerts: [{long: 5m, short: 30s, factor: 2}]}"}, "burn_alerts[0]: the short window of 5m/30s is shorter than a slice"),
        (RATIO | {"objective": "{below: 1s}", "error_budget": "{method: timeslices}"}, "objective.below: 1s is in seconds, but ratio over sprint of errors / requests is a ratio"),
        (RATIO | {"error_budget": "{burn_alerts: {2h: none}}"}, "error_budget.burn_alerts.2h: the workbook has no tier of 2h"),
        (RATIO | {"error_budget": "{burn_alerts: [{long: 5m, short: 1h, factor: 2}]}"}, "burn_alerts[0]: the short window is to end an alert soon, and 5m/1h is no shorter"),
        (RATIO | {"error_budget": "{burn_alerts: [{long: 1h, short: 5m}]}"}, "burn_alerts[0]: a tier has exactly one of factor and spends"),
        (RATIO | {"error_budget": "{burn_alerts: [{long: 1h, short: 5m, factor: 0.5}]}"}, "burn_alerts[0]: a factor of 0.5 is below 1, so it fires while the budget lasts; write 1 or more"),
        (RATIO | {"error_budget": "{burn_alerts: [{long: 1h, short: 5m, factor: 100}]}"}, "burn_alerts[0]: the tier 1h/5m can never fire: a factor of 100 on a budget of 1% asks for more than 100 x 0.01 = 1 of all events to be bad; write a factor below 100"),
        (RATIO | {"error_budget": "{burn_alerts: [{long: 1h, short: 5m, factor: 2}, {long: 60m, short: 5m, factor: 3}]}"}, "burn_alerts[1]: the tier 1h/5m stands here twice; keep one"),
        (RATIO | {"error_budget": "{window: 2d, burn_alerts: [{long: 3d, short: 6h, factor: 1}]}"}, "the long window of 3d/6h is longer than the budget's, 2d"),
        (RATIO | {"error_budget": "{window: 14d, burn_alerts: [{long: 3d, short: 6h, spends: 10%}]}"}, "burn_alerts[0].spends: 10% of a budget over 14d in 3d is the factor 0.1 x 336h / 72h = 0.467; below 1 it fires while the budget lasts, write at least 21.43%, or factor: 1"),
        ({"indicator": "{bad: errors, total: requests}", "measure": "ratio over sprint", "objective": "{below: 10%}", "error_budget": "{}"}, "error_budget.burn_alerts: the tier 1h/5m can never fire: a factor of 14.4 on a budget of 10% asks for more than 14.4 x 0.1 = 1.44 of all events to be bad; write a factor below 10, or switch it off: burn_alerts: {1h: none}"),
        ({"indicator": "{good: errors, total: requests}", "measure": "ratio over sprint", "objective": "{at_least: 100%}", "error_budget": "{}"}, "error_budget: by at_least 100% nothing may go wrong, so there is no error budget"),
        ({"indicator": "{good: errors, total: requests}", "measure": "ratio over sprint", "objective": "{below: 1%}", "error_budget": "{}"}, "error_budget: below 1% leaves no budget for a good share; write objective: {at_least: 99%}"),
        ({"indicator": "{good: clicks, total: requests}", "measure": "ratio over sprint", "objective": "{at_least: 99%}"}, "clicks is of type event, but requests of type counter; the two sides are of one type"),
        ({"cross_check": "requests"}, "cross_check: requests is a counter a plain number, and what is checked a percentile in seconds; both are measured alike"),
        ({"cross_check": "latncy"}, "cross_check: no collector produces 'latncy'; did you mean 'latency'?"),
        ({"gate": "maybe"}, "gate: "),
    ],
)  # fmt: skip
def test_a_wrong_kpi_is_told_in_one_sentence(tmp_path, changes, said):
    """One mistake gives one finding, at its place, with what to write instead."""
    fields = {**GOOD, **changes}
    text = "\n".join(f"{name}: {value}" for name, value in fields.items() if value is not None)

    [found] = found_in(tmp_path, text)

    assert said in found


def test_a_good_kpi_has_no_findings(tmp_path):
    """The counterpart of all cases above."""
    assert found_in(tmp_path, "\n".join(f"{name}: {value}" for name, value in GOOD.items())) == []


def test_all_errors_of_a_kpi_are_told_at_once(tmp_path):
    """Mend, run, mend, run is what people hate."""
    found = found_in(
        tmp_path,
        """
        indicator: latncy
        measure: p95 over 5
        objective: {at_most: 1.16 s}
        by: [kpi]
        for: 5
        severety: page
        gate: maybe
        annotations: {summary: "{{ vlaue }}"}
        """,
    )

    assert [line.split(": ")[1].removeprefix("kpis[0].") for line in found] == [
        "indicator",
        "measure",
        "objective.at_most",
        "by[0]",
        "for",
        "severety",
        "gate",
        "annotations.summary",
    ]


def test_all_errors_of_all_files_are_told_at_once(tmp_path):
    """A folder is checked as one."""
    (tmp_path / "sprint.yaml").write_text(SPRINT.replace("America/Denver", "America/Dever"))
    (tmp_path / "a.yaml").write_text(lane("- {kpi: A, indicator: x}"))
    (tmp_path / "b.yml").write_text("version: 1\n\tsprint: s\n")

    found = load_rules([tmp_path], None).findings

    assert [(finding.file.rsplit("/", 1)[-1], finding.line) for finding in found] == [
        ("a.yaml", 5),
        ("b.yml", 2),
        ("sprint.yaml", 3),
    ]


def test_an_error_in_the_defaults_is_told_once_where_it_stands(tmp_path):
    """Not once for each KPI that inherits it."""
    kpis = "- {kpi: a, indicator: latency}\n- {kpi: b, indicator: latency}"

    loaded = load(tmp_path, kpis, KNOWN, head="defaults: {objective: {at_most: 5}, fr: 5m}\n")

    assert [(finding.line, finding.path) for finding in loaded.findings] == [
        (4, "defaults.objective.at_most"),
        (4, "defaults.fr"),
    ]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("interval: 0s\n", "lane.yaml:4:11: interval: is too short to evaluate in; write at least 100ms, such as 30s"),
        ("interval: 30s\ndefaults: {interval: 1m}\n", "defaults.interval: interval and defaults.interval mean the same and differ; keep one of them"),
        ("ownr: me\n", "ownr: unknown field 'ownr'; did you mean 'owner'?"),
        ("defaults: 5\n", "defaults: write a mapping such as {severity: page, for: 5m}"),
        ("defaults: {kpi: a}\n", "defaults.kpi: unknown field 'kpi'"),
    ],
)  # fmt: skip
def test_a_wrong_head_of_a_lane_is_told(tmp_path, head, said):
    """The head is checked as the KPIs are."""
    [found] = found_in(tmp_path, "indicator: latency\nobjective: {at_most: 1s}", head=head)

    assert said in found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("America/Denver", "Denver"), "sprint.yaml:3:11: timezone: 'Denver' is not an IANA time zone; did you mean 'America/Denver'?"),
        (("America/Denver", "america/denver"), "did you mean 'America/Denver'?"),
        (("end: 2026-07-17", "end: 2026-07-05"), "sprint.yaml:5:6: end: 2026-07-05 is before the start 2026-07-06; write a later day"),
        (("2026-07-06", "06.07.2026"), "start: '06.07.2026' is not a date; write one such as 2026-07-10"),
        (("2026-07-06", "2026-02-30"), "start: '2026-02-30' is no day of the calendar"),
        (("2026-07-06", "0001-01-01"), "start: the year of '0001-01-01' is not within 1990 and 2200"),
        (("version: 1", "version: 2"), "version: write 1"),
        (("timezone", "timezon"), "unknown field 'timezon'; did you mean 'timezone'?"),
        (("start: 2026-07-06\n", ""), "'start' is missing; write start: first day, from 00:00 local time"),
        (("start:", "workdays: [mon, tuesday]\nstart:"), "workdays[1]: 'tuesday' is not known"),
        (("start:", "workdays: [mon, mon]\nstart:"), "workdays[1]: 'mon' is listed twice"),
    ],
)  # fmt: skip
def test_a_wrong_sprint_is_told(tmp_path, changed, said):
    """Its lanes do not add complaints of their own."""
    kpi = "- {kpi: a, indicator: latency, objective: {at_most: 1s}, due: sprint_end}"

    found = [str(finding) for finding in load(tmp_path, kpi, KNOWN, sprint=SPRINT.replace(*changed)).findings]

    assert any(said in line for line in found), found
    assert all("sprint.yaml" in line for line in found)


def test_a_kpi_id_is_unique_within_the_sprint_across_files(tmp_path):
    """Both places are named: either may be the one to rename."""
    (tmp_path / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "a.yaml").write_text(lane("- {kpi: same, indicator: x}"))
    (tmp_path / "b.yaml").write_text(lane("- {kpi: other, indicator: x}\n- {kpi: same, indicator: x}"))

    [found] = load_rules([tmp_path], None).findings

    assert str(found).startswith(
        f"{tmp_path}/b.yaml:6:11: kpis[1].kpi: the KPI 'same' of sprint-40 is already stated in"
    )
    assert f"{tmp_path}/a.yaml:5" in found.message


def test_a_sprint_that_no_file_states_is_told_with_the_nearest_name(tmp_path):
    """A lane copied to the next sprint keeps its old name easily."""
    (tmp_path / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "a.yaml").write_text(lane("- {kpi: a, indicator: x}").replace("sprint-40", "sprint-41"))

    [found] = load_rules([tmp_path], None).findings

    assert found.message == "no file states the sprint 'sprint-41'; did you mean 'sprint-40'?"


def test_a_lane_without_any_sprint_file_says_to_write_one(tmp_path):
    """The first file that somebody writes is the lane's."""
    (tmp_path / "a.yaml").write_text(lane("- {kpi: a, indicator: x}"))

    [found] = load_rules([tmp_path], None).findings

    assert found.message == "no file states the sprint 'sprint-40'; write a sprint.yaml beside this file"


def test_a_sprint_that_two_files_state_is_told(tmp_path):
    """Two calendars for one sprint cannot both hold."""
    (tmp_path / "a.yaml").write_text(SPRINT)
    (tmp_path / "b.yaml").write_text(SPRINT)

    found = load_rules([tmp_path], None).findings

    assert [finding.path for finding in found] == ["sprint"]
    assert f"already stated in {tmp_path}/a.yaml:2" in found[0].message


@pytest.mark.parametrize("kpis", ["kpis: []", "kpis: 5", ""])
def test_a_lane_without_kpis_says_how_to_write_one(tmp_path, kpis):
    """An empty lane guards nothing, silently."""
    (tmp_path / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "a.yaml").write_text(f"{HEAD}{kpis}\n")

    [found] = load_rules([tmp_path], None).findings

    assert found.message == "write a list with at least one KPI, each '- kpi: its_id'"


def test_a_path_that_is_not_there_is_unreadable(tmp_path):
    """`check` ends with another exit code for it."""
    loaded = load_rules([tmp_path / "none"], None)

    assert loaded.unreadable == (str(tmp_path / "none"),)
    assert loaded.plan is None


def test_a_file_that_is_not_text_is_unreadable(tmp_path):
    """As one that cannot be opened."""
    (tmp_path / "lane.yaml").write_bytes(b"version: 1\nlane: gr\xf6sse\n")

    loaded = load_rules([tmp_path], None)

    assert loaded.unreadable == (str(tmp_path / "lane.yaml"),)
    assert [(finding.line, finding.column) for finding in loaded.findings] == [(2, 9)]


def test_a_config_named_as_rules_is_told(tmp_path):
    """One forgets --config easily; a page of unknown fields would not say so."""
    (tmp_path / "slo-guard.yaml").write_text("version: 1\nrules: [x]\ncollectors: []\nreceivers: []\n")

    [found] = load_rules([tmp_path / "slo-guard.yaml"], None).findings

    assert found.message == "this is a config, not a rule file; write --config FILE, or name a folder of rules"


@pytest.mark.parametrize("text", [None, "", "- a\n", "5\n"])
def test_a_folder_without_rules_is_told(tmp_path, text):
    """A typo in the path must not look like all is well."""
    if text is not None:
        (tmp_path / "a.yaml").write_text(text)

    assert [finding.severity for finding in load_rules([tmp_path], None).findings] == ["error"]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("{kpi: a, indicator: x}", "{kpi: b, indicator: x, measure: increase over 1h}", "x is a gauge by a"),
        ("{kpi: a, indicator: x, type: gauge}", "{kpi: b, indicator: x, type: bool}", "x is a gauge by a"),
        ("{kpi: a, indicator: x, unit: ratio}", "{kpi: b, indicator: x, unit: seconds}", "x is in ratio by a"),
    ],
)
def test_without_a_config_rules_that_contradict_each_other_are_told(tmp_path, first, second, said):
    """One indicator has one type and one unit."""
    found = load(tmp_path, f"- {first}\n- {second}").findings

    assert any(said in finding.message for finding in found)


def test_conditions_must_be_true_or_false_and_may_not_go_in_a_circle(tmp_path):
    """A condition that never settles would leave its KPIs unjudged without anybody noticing."""
    found = [
        str(finding)
        for finding in load(
            tmp_path,
            """
            - {kpi: a, indicator: signed, when: {kpi: b, is: true}}
            - {kpi: b, indicator: signed, when: {kpi: a, is: true}}
            - {kpi: c, indicator: latency, when: {kpi: d, is: true}}
            - {kpi: d, indicator: latency}
            """,
            KNOWN,
        ).findings
    ]

    assert len(found) == 3
    assert "kpis[0].when: the conditions go in a circle: a -> b -> a; cut it" in found[0]
    assert "kpis[2].when.kpi: d is not true or false; name a KPI over a bool, measured by last" in found[2]


def test_two_faults_in_one_field_do_not_hide_the_other_fields(tmp_path):
    """Told that the indicator is missing, which stands there, people doubt the rest as well."""
    fields = "\n".join(
        f"{name}: {value}" for name, value in (RATIO | {"error_budget": "{burn_alerts: [1h, 6h]}"}).items()
    )

    found = found_in(tmp_path, fields)

    assert [each.split(": ")[1] for each in found] == [
        "kpis[0].error_budget.burn_alerts[0]",
        "kpis[0].error_budget.burn_alerts[1]",
    ]
