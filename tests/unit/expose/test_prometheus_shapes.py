"""Grafana's alert list and other clients of Prometheus's API read our rules and alerts in its shapes."""

from __future__ import annotations

import shutil
from dataclasses import replace

import promql_parser
import pytest
import requests

from slo_guard.expose.prometheus_answers import number_text
from slo_guard.expose.prometheus_models import (
    PrometheusAlertsAnswer,
    PrometheusBuildAnswer,
    PrometheusErrorAnswer,
    PrometheusRulesAnswer,
)
from slo_guard.notify import annotations_of
from tests.support.daemon import eventually
from tests.support.pictures import by_key
from tests.support.prometheus_server import running_prometheus
from tests.support.serving import serving
from tests.support.whole_picture import FILE, whole_snapshot

MODELS = {
    "rules": PrometheusRulesAnswer,
    "alerts": PrometheusAlertsAnswer,
    "status/buildinfo": PrometheusBuildAnswer,
}


@pytest.fixture(scope="module")
def url():
    """Serve everything that can be shown."""
    with serving(whole_snapshot(), annotate=annotations_of) as base:
        yield f"{base}/prometheus/api/v1"


def get(url, path):
    """Return the data of a good answer, which must be as its model says."""
    answer = requests.get(f"{url}/{path}", timeout=5)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    MODELS[path.partition("?")[0]].model_validate(answer.json(), strict=True)
    return answer.json()["data"]


def rules_of(data):
    """Return the rules of all groups by name; of one name in several groups the first."""
    found = {}
    for group in data["groups"]:
        for rule in group["rules"]:
            found.setdefault(rule["name"], rule)
    return found


def shape(value):
    """Return what a JSON value is made of: types by key, and of a list what its items have together."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def open_maps(shaped):
    """Leave only the type of what has other keys in each case: labels and annotations."""
    if isinstance(shaped, dict):
        return {name: dict if name in ("labels", "annotations") else open_maps(item) for name, item in shaped.items()}
    return [open_maps(item) for item in shaped] if isinstance(shaped, list) else shaped


class TestRules:
    """Each alert that a KPI can raise is a rule."""

    def test_a_group_is_a_lane_of_a_sprint_in_its_file(self, url):
        """Grafana shows files as folders and groups below them."""
        found = [(each["name"], each["file"]) for each in get(url, "rules")["groups"]]

        assert found[:2] == [("sprint-40:ga-ops", FILE), ("sprint-40:fs-v2", "built-in")]
        assert ("slo_guard", "built-in") in found

    def test_a_kpi_gives_a_rule_for_its_breach_its_risk_and_each_tier_of_its_budget(self, url):
        """They have severities of their own, and are silenced one by one."""
        rules = rules_of(get(url, "rules"))

        assert {name: rules[name]["labels"]["severity"] for name in rules if name.startswith("ga_")} == {
            "ga_e2e_p95": "page",
            "ga_e2e_p95:risk": "ticket",
            "ga_latency_slo": "page",
            "ga_latency_slo:burn:1h/5m": "page",
            "ga_latency_slo:burn:3d/6h": "ticket",
            "ga_uptime": "ticket",
            "ga_uptime:burn:1h/5m": "page",
        }

    def test_a_rule_has_the_state_of_its_loudest_alert_and_lists_them(self, url):
        """One series of a hundred that fires makes the rule fire."""
        rules = rules_of(get(url, "rules"))

        p95, slo = rules["ga_e2e_p95"], rules["ga_latency_slo"]
        assert (p95["state"], [each["state"] for each in p95["alerts"]]) == ("firing", ["firing", "pending"])
        assert (p95["duration"], p95["keepFiringFor"]) == (300.0, 300.0)
        assert (slo["state"], slo["alerts"]) == ("inactive", [])

    def test_a_rule_that_could_not_be_judged_says_so(self, url):
        """Grafana marks unhealthy rules; not judged yet is not healthy."""
        rules = rules_of(get(url, "rules"))

        assert (rules["new_rule"]["health"], rules["new_rule"]["lastEvaluation"]) == ("unknown", "0001-01-01T00:00:00Z")
        assert (rules["ga_e2e_p95"]["health"], "lastError" in rules["ga_e2e_p95"]) == ("ok", False)

    def test_its_query_is_promql_over_our_own_metrics(self, url):
        """Whoever copies it from Grafana into a query gets the same answer."""
        rules = rules_of(get(url, "rules"))

        for rule in rules.values():
            promql_parser.parse(rule["query"])
        assert rules["ga_latency_slo:burn:1h/5m"]["query"] == (
            'slo_guard_burn_rate{sprint="sprint-40",lane="ga-ops",kpi="ga_latency_slo",window="1h"} > 14.4 and ignoring(window) '
            'slo_guard_burn_rate{sprint="sprint-40",lane="ga-ops",kpi="ga_latency_slo",window="5m"} > 14.4'
        )

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("rule_name[]=ga_e2e_p95:risk", {"ga_e2e_p95:risk"}),
            ("rule_group[]=slo_guard", {"slo_guard_collector_up"}),
            ("file[]=rules/sprint-41/ga-ops.yaml", {"ga_e2e_p95", "ga_e2e_p95:risk"}),
            ("rule_name[]=new_rule&rule_name[]=memo_signed", {"new_rule", "memo_signed"}),
            ("type=record", set()),
        ],
    )
    def test_filters_are_those_of_prometheus(self, url, query, names):
        """Grafana asks for one rule when it shows one rule."""
        assert set(rules_of(get(url, f"rules?{query}"))) == names

    def test_alerts_can_be_left_out_and_states_stay(self, url):
        """A list of ten thousand alerts is not needed to colour a rule."""
        rule = rules_of(get(url, "rules?exclude_alerts=true"))["ga_e2e_p95"]
        assert (rule["state"], rule["alerts"]) == ("firing", [])


class TestAlerts:
    """What Grafana's alert list shows."""

    def test_an_alert_has_our_labels_its_series_and_what_its_messages_say(self, url):
        """The same words as in Slack."""
        first = next(each for each in get(url, "alerts")["alerts"] if each["labels"]["alertname"] == "ga_e2e_p95")

        assert first["labels"] == {
            "alertname": "ga_e2e_p95",
            "sprint": "sprint-40",
            "lane": "ga-ops",
            "kpi": "ga_e2e_p95",
            "severity": "page",
            "kind": "breach",
            "owner": "SRE Lead",
            "system": "fs",
        }
        assert first["annotations"]["summary"] == "fs p95 is 1.31s, limit at most 1.16"
        assert (first["activeAt"], first["value"]) == ("2026-07-08T19:55:00Z", "1.31e+00")

    def test_a_label_that_clashes_with_ours_moves_aside(self):
        """A series may have a label `lane` of its own; the alert's lane is ours."""
        shown = whole_snapshot()
        alert = next(iter(shown.alerts.values()))
        moved = replace(alert, key=replace(alert.key, labels=(("lane", "left"), ("system", "fs"))))
        with serving(replace(shown, alerts=by_key([moved]))) as base:
            labels = get(f"{base}/prometheus/api/v1", "alerts")["alerts"][0]["labels"]
        assert (labels["lane"], labels["exported_lane"]) == ("ga-ops", "left")

    def test_an_alert_whose_rule_is_gone_is_still_listed(self, url):
        """It fires until the next evaluation ends it."""
        names = [each["labels"]["alertname"] for each in get(url, "alerts")["alerts"]]
        assert "rule_that_is_gone" in names

    def test_a_cut_list_warns_as_prometheus_does(self, url):
        """Clients of Prometheus show its warnings."""
        answer = requests.get(f"{url}/alerts?limit=2", timeout=5).json()

        assert len(answer["data"]["alerts"]) == 2
        assert answer["warnings"] == ["2 of 7 alerts are listed, the loudest ones; raise limit to see more"]

    @pytest.mark.parametrize(
        ("value", "text"),
        [(1.0, "1e+00"), (1.31, "1.31e+00"), (0.00012, "1.2e-04"), (-2e300, "-2e+300"), (None, "NaN")],
    )
    def test_numbers_are_written_as_prometheus_writes_them(self, value, text):
        """A client may parse them back."""
        assert number_text(value) == text


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [("rules?type=other", 400, "bad_data"), ("nothing", 404, "not_found"), ("alerts?limit=0", 400, "bad_data")],
)
def test_errors_have_prometheus_shape(url, path, status, kind):
    """Its clients show `error`, and know no problem JSON."""
    answer = requests.get(f"{url}/{path}", timeout=5)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert PrometheusErrorAnswer.model_validate(answer.json(), strict=True).errorType == kind


def test_before_the_first_evaluation_it_is_unavailable():
    """No alerts would read as: all is well."""
    with serving(None) as base:
        answer = requests.get(f"{base}/prometheus/api/v1/rules", timeout=5)
    assert (answer.status_code, answer.json()["errorType"]) == (503, "unavailable")


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_every_field_is_there_as_in_a_real_prometheus(url, tmp_path):
    """A client that reads one reads the other: equal keys, equal types, of rules that fire, pend and rest."""
    alerts = [
        {"alert": "Fires", "expr": "vector(1) == 1", "labels": {"severity": "page"}, "annotations": {"summary": "s"}},
        {"alert": "Pends", "expr": "vector(2) == 2", "for": "1h", "labels": {"a": "b"}},
        {"alert": "Rests", "expr": "vector(2) == 3"},
    ]
    with running_prometheus(tmp_path, {}, alerts=alerts) as server:
        theirs = {path: eventually_with_alerts(server.url, path) for path in MODELS}

    ours = {path: get(url, path) for path in MODELS}

    for path in ("alerts", "status/buildinfo"):
        assert open_maps(shape(ours[path])) == open_maps(shape(theirs[path]))
    group, their_group = ours["rules"]["groups"][0], theirs["rules"]["groups"][0]
    assert open_maps(shape({**group, "rules": []})) == open_maps(shape({**their_group, "rules": []}))
    our_rules, their_rules = rules_of(ours["rules"]), rules_of(theirs["rules"])
    for mine, other in (("ga_e2e_p95", "Fires"), ("ga_latency_slo", "Rests")):
        assert our_rules[mine]["state"] == their_rules[other]["state"]
        assert open_maps(shape(our_rules[mine])) == open_maps(shape(their_rules[other]))
    pending = our_rules["ga_e2e_p95"]["alerts"][1]
    assert open_maps(shape(pending)) == open_maps(shape(their_rules["Pends"]["alerts"][0]))


def eventually_with_alerts(url, path):
    """Return the data of a Prometheus's answer, once its rules are evaluated."""

    def evaluated():
        return len(requests.get(f"{url}/api/v1/alerts", timeout=5).json()["data"]["alerts"]) == 2

    eventually(evaluated, 30, what="the alerts pend and fire")
    return requests.get(f"{url}/api/v1/{path}", timeout=5).json()["data"]
