"""The KPI part of the metrics page: dashboards and alerting rules of others depend on every character of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import Op, Severity
from slo_guard.domain.series import LabelSet, SeriesIndex, label_set
from slo_guard.domain.verdicts import AlertState, Verdict
from slo_guard.expose.metrics_page import MetricsPage
from slo_guard.expose.render import KpiRenderer
from tests.support.builders import a_kpi, an_objective, labels
from tests.support.pictures import NAN, an_alert, by_key, verdict_frame


def samples(page: MetricsPage) -> dict[tuple[str, LabelSet], float]:
    """Return what prometheus_client's own parser reads, failing on a series that occurs twice."""
    found: dict[tuple[str, LabelSet], float] = {}
    for family in text_string_to_metric_families(bytes(page).decode()):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, label_set(sample.labels))
            assert key not in found
            found[key] = sample.value
    return found


def of(page: MetricsPage, name: str, *without: str) -> dict[LabelSet, float]:
    """Return one family's samples by their labels other than ``without``."""
    return {
        tuple(pair for pair in pairs if pair[0] not in without): value
        for (family, pairs), value in samples(page).items()
        if family == f"slo_guard_{name}"
    }


ID = ("sprint", "lane", "kpi")
P95 = a_kpi("ga_e2e_p95", by=("system",), unit="seconds", objective=an_objective("at_most", 1.16))


def test_each_series_carries_its_labels_its_value_and_whether_it_is_breached():
    """The contract of the metrics page, read by the parser that Python users have."""
    frame = verdict_frame(P95, {labels("system=fs"): 1.31, labels("system=xai2"): 0.9}, [Verdict.MISSED, Verdict.MET])

    page = KpiRenderer().render([frame], {})

    identity = "kpi=ga_e2e_p95,lane=ga-ops,sprint=sprint-40"
    assert of(page, "kpi_value") == {labels(f"{identity},system=fs"): 1.31, labels(f"{identity},system=xai2"): 0.9}
    assert of(page, "kpi_breached", *ID) == {labels("system=fs"): 1, labels("system=xai2"): 0}
    assert of(page, "kpi_target", *ID) == {
        labels("bound=at_most,system=fs"): 1.16,
        labels("bound=at_most,system=xai2"): 1.16,
    }


def test_a_series_without_a_value_has_no_value_line():
    """A stale or zero value would turn a dashboard green while nothing is known."""
    frame = verdict_frame(
        P95, {labels("system=fs"): NAN, labels("system=xai2"): 0.9}, [Verdict.NO_DATA, Verdict.MET], coverage=[NAN, 0.5]
    )

    page = KpiRenderer().render([frame], {})

    assert of(page, "kpi_value", *ID) == {labels("system=xai2"): 0.9}
    assert of(page, "kpi_coverage_ratio", *ID) == {labels("system=xai2"): 0.5}
    assert b"NaN" not in bytes(page)
    assert b"null" not in bytes(page)


def test_a_kpi_without_any_value_leaves_only_its_verdict_targets_and_zero_breach():
    """The families stay well-formed when there is nothing in them."""
    page = KpiRenderer().render([verdict_frame(P95, NAN, Verdict.NO_DATA)], {})

    assert of(page, "kpi_value") == {}
    assert of(page, "kpi_breached", *ID) == {(): 0}


def test_the_verdict_of_a_kpi_is_the_worst_of_its_series():
    """The state set is what `slo_guard_kpi_verdict{verdict="missed"} == 1` alerts on."""
    rows = {labels("system=fs"): 1.0, labels("system=xai2"): NAN}
    frame = verdict_frame(P95, rows, [Verdict.AT_RISK, Verdict.NO_DATA])

    page = KpiRenderer().render([frame], {})

    states = {dict(key)["verdict"]: value for key, value in of(page, "kpi_verdict").items()}
    assert states == {verdict.label: float(verdict is Verdict.NO_DATA) for verdict in Verdict}


@pytest.mark.parametrize(
    ("op", "bound", "upper", "expected"),
    [
        ("at_most", 1.0, None, {"at_most": 1.0}),
        ("below", 1.0, None, {"below": 1.0}),
        ("at_least", 1.0, None, {"at_least": 1.0}),
        ("above", 1.0, None, {"above": 1.0}),
        ("equals", 0.0, None, {"equals": 0.0}),
        ("is", True, None, {"is": 1.0}),
        ("between", 1.0, 2.0, {"at_least": 1.0, "at_most": 2.0}),
    ],
)
def test_targets_are_named_by_their_direction(op, bound, upper, expected):
    """A dashboard draws the line on the right side."""
    kpi = a_kpi(objective=an_objective(op, bound, upper))

    page = KpiRenderer().render([verdict_frame(kpi, 1.0)], {})

    assert {dict(key)["bound"]: value for key, value in of(page, "kpi_target").items()} == expected


def test_warn_and_resolve_are_targets_too():
    """A person sees in Grafana where at_risk begins and where the alert would resolve."""
    kpi = replace(P95, warn=an_objective(Op.BETWEEN, 0.5, 1.05), resolve=an_objective("at_most", 1.1))

    page = KpiRenderer().render([verdict_frame(kpi, 1.0)], {})

    bounds = {dict(key)["bound"]: value for key, value in of(page, "kpi_target").items()}
    assert bounds == {"at_most": 1.16, "warn_at_least": 0.5, "warn_at_most": 1.05, "resolve": 1.1}


def test_a_tracked_kpi_has_no_target():
    """Without an objective there is no bound, and no made-up one."""
    page = KpiRenderer().render([verdict_frame(a_kpi(), 1.0, Verdict.TRACKED)], {})

    assert of(page, "kpi_target") == {}


def test_a_series_label_called_bound_moves_aside():
    """Twice the same label in a line would cost the scraper the whole page."""
    kpi = a_kpi(by=("bound",), objective=an_objective("at_most", 1))

    page = KpiRenderer().render([verdict_frame(kpi, {labels("bound=north"): 1.0})], {})

    assert of(page, "kpi_target", *ID) == {labels("bound=at_most,exported_bound=north"): 1.0}
    assert of(page, "kpi_value", *ID) == {labels("bound=north"): 1.0}


def test_it_moves_to_a_name_that_is_free():
    """A label of the name that it moves to is as much a label."""
    kpi = a_kpi(by=("bound", "exported_bound"), objective=an_objective("at_most", 1))

    page = KpiRenderer().render([verdict_frame(kpi, {labels("bound=north,exported_bound=south"): 1.0})], {})

    expected = labels("bound=at_most,exported_bound=south,exported_exported_bound=north")
    assert of(page, "kpi_target", *ID) == {expected: 1.0}


def test_alerts_are_counted_by_severity_and_state_with_zeros():
    """A count that is absent rather than 0 cannot be summed or compared."""
    kpi = replace(P95, warn=an_objective("at_most", 1.05))
    frame = verdict_frame(kpi, {labels("system=fs"): 1.31, labels("system=xai2"): 1.1})
    alerts = by_key(
        [
            an_alert(kpi, labels("system=fs")),
            an_alert(kpi, labels("system=xai2"), AlertState.PENDING),
            an_alert(kpi, labels("system=xai2"), AlertState.FIRING, AlertKind.RISK),
        ]
    )

    page = KpiRenderer().render([frame], alerts)

    assert of(page, "alerts", "kpi", "lane") == {
        labels("alertstate=firing,severity=page"): 1,
        labels("alertstate=pending,severity=page"): 1,
        labels("alertstate=firing,severity=ticket"): 1,
        labels("alertstate=pending,severity=ticket"): 0,
    }


def test_both_kinds_of_one_severity_and_kpis_of_two_sprints_share_a_count():
    """The labels do not tell them apart, and a series may occur only once on a page."""
    kpi = replace(P95, severity=Severity.TICKET, warn=an_objective("at_most", 1.05))
    older = replace(kpi, sprint="sprint-39")
    alerts = by_key([an_alert(kpi), an_alert(kpi, kind=AlertKind.RISK), an_alert(older)])

    page = KpiRenderer().render([verdict_frame(kpi, 2.0), verdict_frame(older, 2.0)], alerts)

    assert of(page, "alerts", "kpi", "lane", "severity") == {
        labels("alertstate=firing"): 3,
        labels("alertstate=pending"): 0,
    }


def test_alerts_of_a_kpi_that_is_not_judged_yet_are_counted():
    """After a restart an alert goes on firing before its KPI is judged again."""
    page = KpiRenderer().render([], by_key([an_alert(P95)]), [P95])

    assert of(page, "alerts", "kpi", "lane", "severity") == {
        labels("alertstate=firing"): 1,
        labels("alertstate=pending"): 0,
    }


label_values = st.text(max_size=12).filter(lambda text: text.isprintable() or set(text) & set('"\\\n'))
numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.dictionaries(label_values.filter(lambda v: "\r" not in v and len(v.splitlines()) <= v.count("\n") + 1), numbers)
)
def test_what_the_client_library_reads_is_what_was_rendered(rows):
    """Differential: any label text and any number survive the way through prometheus_client's own parser."""
    values = {(("tenant", name),): number for name, number in rows.items()} or {(): 1.0}
    page = KpiRenderer().render([verdict_frame(P95, values)], {})

    read = of(page, "kpi_value", *ID)

    assert read == {key: number for key, number in values.items() if not math.isnan(number)}


def test_half_of_a_surrogate_pair_does_not_cost_the_page():
    """JSON may carry one in a label; the page must still be valid UTF-8."""
    page = KpiRenderer().render([verdict_frame(P95, {(("system", "\ud800"),): 1.0})], {})

    assert of(page, "kpi_value", *ID) == {(("system", "?"),): 1.0}


class TestKeepingBetweenCycles:
    """A renderer that keeps text must never show what no longer holds: it gives what a fresh one gives."""

    INDEX = SeriesIndex.of((("system", f"s{number}"),) for number in range(5))

    def frame(self, kpi, values, verdicts, coverage=0.5):
        """Return a frame over the one index object."""
        rows = dict(zip(self.INDEX.label_sets, values, strict=True))
        codes = [Verdict(code) for code in verdicts]
        return verdict_frame(kpi, rows, codes, index=self.INDEX, coverage=[coverage] * 5)

    def check(self, *cycles):
        """Render the cycles with one renderer, each of them like a fresh one would."""
        renderer = KpiRenderer()
        for frames in cycles:
            assert bytes(renderer.render(frames, {})) == bytes(KpiRenderer().render(frames, {}))

    def test_values_that_change_in_part(self):
        """One changed value among equal ones is shown."""
        met = [2] * 5
        self.check(
            [self.frame(P95, [1, 2, 3, 4, 5], met)],
            [self.frame(P95, [1, 2, 3, 4, 6], met)],
            [self.frame(P95, [1, NAN, 3, 4, 6], [2, 6, 2, 2, 2])],
            [self.frame(P95, [1, NAN, 3, 4, 6], [2, 6, 2, 2, 2])],
            [self.frame(P95, [1, 2, 3, 4, 6], met, coverage=0.6)],
        )

    def test_verdicts_that_change_while_values_stand(self):
        """The digits written in place follow the verdict both ways."""
        self.check(*([self.frame(P95, [1] * 5, verdicts)] for verdicts in ([2] * 5, [7, 2, 7, 2, 2], [2, 7, 2, 2, 2])))

    def test_a_threshold_changed_by_a_reload(self):
        """A kept target would draw yesterday's line."""
        changed = replace(P95, objective=an_objective("at_most", 2))
        self.check([self.frame(P95, [1] * 5, [2] * 5)], [self.frame(changed, [1] * 5, [2] * 5)])

    def test_a_kpi_that_is_removed_and_one_that_is_added(self):
        """A removed rule leaves the page at once."""
        other = replace(P95, id="other")
        one, two = self.frame(P95, [1] * 5, [2] * 5), self.frame(other, [2] * 5, [2] * 5)
        self.check([one], [one, two], [two])

    def test_series_that_come_and_go(self):
        """Another index is other rows, even of the same length."""
        self.check(
            [verdict_frame(P95, {labels("system=a"): 1.0})],
            [verdict_frame(P95, {labels("system=b"): 1.0})],
            [verdict_frame(P95, {labels("system=a"): 1.0, labels("system=b"): 1.0})],
        )

    @pytest.mark.parametrize("series", [3, 20_000])
    def test_a_page_that_was_returned_does_not_change_afterwards(self, series):
        """A scrape may still be sending the last page while the next one is made; large parts are shared."""
        rows = {labels(f"system=s{number}"): 1.0 for number in range(series)}
        index = SeriesIndex.of(rows)
        renderer = KpiRenderer()
        page = renderer.render([verdict_frame(P95, rows, Verdict.MET, index=index)], {})
        before = bytes(page)

        renderer.render([verdict_frame(P95, rows, Verdict.MISSED, index=index)], {})

        assert bytes(page) == before


def test_values_read_back_exactly():
    """The page loses no digit: what was judged is what is shown."""
    values = np.random.default_rng(7).lognormal(0, 20, 500)
    frame = verdict_frame(P95, {(("system", str(number)),): float(value) for number, value in enumerate(values)})

    page = KpiRenderer().render([frame], {})

    assert list(of(page, "kpi_value").values()) == values.tolist()
