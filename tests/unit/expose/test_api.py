"""The HTTP face over real connections: health, reload, and the JSON API."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import requests

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import Place
from slo_guard.domain.rule_changes import RuleChange
from slo_guard.domain.verdicts import REASON_CODE, AlertState, Reason, Seal, Targets, Verdict
from slo_guard.expose import answers
from slo_guard.expose.answers import AlertsAnswer, KpiAnswer, KpisAnswer
from slo_guard.expose.final_answers import VerdictName
from slo_guard.expose.snapshot import ReloadOutcome
from tests.support.builders import SPRINT_END, a_kpi, a_plan, a_sprint, an_objective, labels
from tests.support.pictures import NAN, NOW, a_restatement, a_snapshot, an_alert, verdict_frame
from tests.support.serving import serving

P95 = a_kpi(
    "ga_e2e_p95",
    title="GA end-to-end p95",
    owner="SRE Lead",
    by=("system",),
    unit="seconds",
    objective=an_objective("at_most", 1.16),
    warn=an_objective("at_most", 1.05),
    place=Place("rules/ga-ops.yaml", 8),
)
SEV1 = a_kpi("sev1", "increase over sprint", lane="reliability", unit="", objective=an_objective("equals", 0))


def picture():
    """Return two KPIs: one breached in one of three series, one met."""
    p95 = verdict_frame(
        P95,
        {labels("system=xai2"): NAN, labels("system=fs"): 1.31, labels("system=predictive"): 0.9},
        [Verdict.NO_DATA, Verdict.MISSED, Verdict.MET],
        reason=[REASON_CODE[reason] for reason in (Reason.STALE, Reason.OBJECTIVE_MISSED, Reason.OBJECTIVE_MET)],
        alert_state=[AlertState.PENDING, AlertState.FIRING, AlertState.INACTIVE],
        alert_since=[NOW - 60, NOW - 120.5, NAN],
        notes={0: "newest sample 6m old"},
    )
    sev1 = verdict_frame(SEV1, 0, coverage=[0.97], window_start=NOW - 86_400)
    alerts = [
        an_alert(P95, labels("system=xai2"), AlertState.PENDING, verdict=Verdict.NO_DATA, reason=Reason.STALE),
        an_alert(P95, labels("system=predictive"), AlertState.FIRING, AlertKind.RISK, active_at=NOW - 9000),
        an_alert(P95, labels("system=fs"), AlertState.FIRING, value=1.31, fired_at=NOW - 120),
    ]
    return a_snapshot([p95, sev1], alerts)


@pytest.fixture(scope="module")
def url():
    """Serve the picture."""
    with serving(picture()) as base:
        yield base


def problem(answer, status):
    """Return the detail of an error answer, which must be problem JSON."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    return body["detail"]


class TestHealth:
    """Probes decide whether a supervisor restarts the daemon and whether traffic is sent."""

    def test_a_living_process_is_healthy_before_it_is_ready(self):
        """A slow first collection must not get the daemon restarted."""
        with serving(None) as base:
            assert requests.get(f"{base}/-/healthy", timeout=5).status_code == 200
            assert "no evaluation has finished" in problem(requests.get(f"{base}/-/ready", timeout=5), 503)

    def test_it_is_ready_once_evaluated(self, url):
        """Verdicts are known now."""
        assert requests.get(f"{url}/-/ready", timeout=5).status_code == 200

    @pytest.mark.parametrize("path", ["/api/v1/kpis", "/api/v1/kpis/ga_e2e_p95", "/api/v1/alerts"])
    def test_without_verdicts_the_api_says_so_instead_of_answering_nothing(self, path):
        """An empty list of alerts would read as: all is well."""
        with serving(None) as base:
            assert "no evaluation has finished" in problem(requests.get(base + path, timeout=5), 503)

    def test_the_metrics_page_is_there_before_the_first_evaluation(self):
        """Prometheus sees that the daemon is up, and nothing of KPIs."""
        with serving(None) as base:
            text = requests.get(f"{base}/metrics", timeout=5).text
        assert "slo_guard_build_info{pythonversion=" in text
        assert "slo_guard_kpi" not in text


class TestReload:
    """A reload changes what is guarded, so it must come from an operator and say what became of it."""

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_good_files_are_taken(self, url, method):
        """The answer says what is in force now."""
        answer = requests.request(method, f"{url}/-/reload", timeout=5)
        assert (answer.status_code, answer.text) == (200, "reloaded 7 KPIs\n")

    def test_bad_files_answer_with_every_finding(self):
        """The operator sees file and line at once, and that what runs is kept."""
        findings = "rules/a.yaml:8:20: kpis[0].objective: unknown unit\nrules/a.yaml:9:1: bad"
        with serving(picture(), reload=lambda: ReloadOutcome(False, findings)) as base:
            answer = requests.post(f"{base}/-/reload", timeout=5)
            still = requests.get(f"{base}/api/v1/kpis", timeout=5).json()
        assert (answer.status_code, answer.text) == (400, findings + "\n")
        assert answer.headers["content-type"].startswith("text/plain")
        assert len(still["kpis"]) == 2

    def test_get_does_not_reload(self, url):
        """A link or an image on any page is a GET."""
        problem(requests.get(f"{url}/-/reload", timeout=5), 405)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://[::1"},
            {"Host": "evil[", "Sec-Fetch-Site": "none"},
            {"Host": "[::1", "Origin": "http://[::1", "Sec-Fetch-Site": "same-origin"},
            {"Origin": "http://127.0.0.1:1"},
            {"Host": "rebound.example", "Origin": "http://rebound.example", "Sec-Fetch-Site": "same-origin"},
        ],
    )
    def test_a_foreign_web_page_cannot_reload(self, headers):
        """Loopback is no protection from the browser that runs on the same machine."""
        calls = []
        with serving(picture(), reload=lambda: calls.append(1)) as base:
            answer = requests.post(f"{base}/-/reload", headers=headers, timeout=5)
        assert "refused" in problem(answer, 403)
        assert calls == []

    def test_the_own_origin_may_reload(self, url):
        """Tools in a browser on this very address are not foreign."""
        headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        assert requests.post(f"{url}/-/reload", headers=headers, timeout=5).status_code == 200

    def test_a_fault_in_reload_is_a_problem_without_a_traceback(self):
        """What went wrong inside is for the log, not for the caller."""

        def broken():
            raise RuntimeError("the secret of the day")

        with serving(picture(), reload=broken) as base:
            answer = requests.post(f"{base}/-/reload", timeout=5)
        assert "secret" not in problem(answer, 500)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


class TestKpis:
    """Scripts and dashboards read verdicts here."""

    def test_a_kpi_shows_its_worst_verdict_counts_and_series_worst_first(self, url):
        """The first series is the one to look at."""
        answer = requests.get(f"{url}/api/v1/kpis", timeout=5).json()

        KpisAnswer.model_validate(answer, strict=True)
        first = answer["kpis"][0]
        assert answer["at"] == "2026-07-08T20:00:00Z"
        assert first["verdict"] == "missed"
        assert first["counts"] == {"missed": 1, "no_data": 1, "met": 1}
        assert [series["labels"]["system"] for series in first["series"]] == ["fs", "xai2", "predictive"]
        assert (first["place"], first["warn"], first["truncated"]) == ("rules/ga-ops.yaml:8", "at_most 1.05", False)

    def test_instants_keep_their_milliseconds(self, url):
        """Two alerts within one second keep their order."""
        series = requests.get(f"{url}/api/v1/kpis/ga_e2e_p95", timeout=5).json()["series"][0]
        assert series["alert"] == {"state": "firing", "since": "2026-07-08T19:57:59.500Z"}

    def test_a_series_has_the_fields_of_eval_and_its_reason_in_words(self, url):
        """One shape for `eval` and the API."""
        series = requests.get(f"{url}/api/v1/kpis/ga_e2e_p95", timeout=5).json()["series"][1]

        assert series == {
            "kpi": "ga_e2e_p95",
            "lane": "ga-ops",
            "labels": {"system": "xai2"},
            "value": None,
            "unit": "seconds",
            "objective": "at_most 1.16",
            "verdict": "no_data",
            "reason": "stale",
            "samples": 1,
            "coverage": None,
            "window": {"start": None, "end": "2026-07-08T20:00:00Z"},
            "alert": {"state": "pending", "since": "2026-07-08T19:59:00Z"},
            "reason_text": "the newest sample is too old: newest sample 6m old",
            "note": "newest sample 6m old",
            "since": "2026-07-08T19:59:00Z",
        }

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("lane=reliability", ["sev1"]),
            ("verdict=missed", ["ga_e2e_p95"]),
            ("verdict=met", ["sev1"]),
            ("lane=ga-ops&verdict=met", []),
            ("lane=nobody", []),
        ],
    )
    def test_filters_narrow_the_list(self, url, query, expected):
        """`?verdict=missed` is what a script asks before a release."""
        found = requests.get(f"{url}/api/v1/kpis?{query}", timeout=5).json()["kpis"]
        assert [kpi["kpi"] for kpi in found] == expected

    def test_a_limit_keeps_the_worst_series_and_says_that_it_cut(self, url):
        """A cut list that looks whole would hide series."""
        answer = requests.get(f"{url}/api/v1/kpis?limit=1", timeout=5).json()["kpis"][0]

        assert [series["verdict"] for series in answer["series"]] == ["missed"]
        assert (answer["truncated"], answer["series_total"]) == (True, 3)
        KpiAnswer.model_validate(answer, strict=True)

    def test_all_kpis_together_have_a_bound_too(self, monkeypatch):
        """An answer of hundreds of thousands of series would keep an evaluation from its turn on the processor."""
        monkeypatch.setattr(answers, "MOST_SERIES", 2)

        found = answers.kpis_answer(picture(), lane=None, verdict=None, limit=1000)["kpis"]

        assert [(len(each["series"]), each["series_total"], each["truncated"]) for each in found] == [
            (1, 3, True),
            (1, 1, False),
        ]
        assert found[0]["series"][0]["verdict"] == "missed"

    def test_a_kpi_that_is_not_judged_yet_is_listed_without_a_verdict(self):
        """A new rule with a long interval is guarded from its first evaluation, and not green before."""
        shown = replace(picture(), plan=a_plan(P95, SEV1, a_kpi("new")))
        with serving(shown) as base:
            listed = requests.get(f"{base}/api/v1/kpis", timeout=5).json()["kpis"]

        assert (listed[2]["kpi"], listed[2]["verdict"], listed[2]["series"]) == ("new", None, [])

    def test_of_two_sprints_the_one_that_is_named_is_shown(self):
        """Ids are unique within a sprint only."""
        older = replace(SEV1, sprint="sprint-39", owner="before")
        with serving(a_snapshot([verdict_frame(older, 1.0), verdict_frame(SEV1, 0.0)])) as base:
            latest = requests.get(f"{base}/api/v1/kpis/sev1", timeout=5).json()
            named = requests.get(f"{base}/api/v1/kpis/sev1?sprint=sprint-39", timeout=5).json()

        assert (latest["sprint"], named["sprint"]) == ("sprint-40", "sprint-39")

    def test_a_sprint_that_has_not_begun_does_not_stand_before_the_one_that_runs(self):
        """Next sprint's rules are loaded days before it."""
        frames = [verdict_frame(SEV1, 1.0), verdict_frame(replace(SEV1, sprint="sprint-41"), 0.0)]
        shown = a_snapshot(frames)
        sprints = {each.id: each for each in (a_sprint(), a_sprint(SPRINT_END, SPRINT_END + 60, "sprint-41"))}
        with serving(replace(shown, plan=replace(shown.plan, sprints=sprints))) as base:
            answer = requests.get(f"{base}/api/v1/kpis/sev1", timeout=5).json()

        assert answer["sprint"] == "sprint-40"

    def test_a_kpi_whose_sprint_is_over_says_what_its_final_verdict_was_made_of(self):
        """Who reads last sprint's numbers must not take them for this one's, and may have to prove them."""
        seal = Seal("ab" * 32, "cd" * 32, "rules/reliability.yaml", "equals 0")
        frames = [replace(verdict_frame(SEV1, 1.0, at=SPRINT_END), final=True, seal=seal), verdict_frame(P95, 1.0)]
        with serving(a_snapshot(frames)) as base:
            answer = requests.get(f"{base}/api/v1/kpis", timeout=5).json()

        KpisAnswer.model_validate(answer, strict=True)
        assert {each["kpi"]: each["final"] for each in answer["kpis"]} == {
            "sev1": {
                "at": "2026-07-18T06:00:00Z",
                "objective": "equals 0",
                "inputs_digest": "ab" * 32,
                "rule_digest": "cd" * 32,
                "rule_file": "rules/reliability.yaml",
            },
            "ga_e2e_p95": None,
        }
        assert [(each["restated"], each["target_changes"], each["by_original"]) for each in answer["kpis"]] == [
            (None, [], None),
            (None, [], None),
        ]

    def test_a_verdict_that_was_frozen_before_seals_were_kept_is_final_all_the_same(self):
        """An upgrade must not reopen last quarter."""
        with serving(a_snapshot([replace(verdict_frame(SEV1, 1.0, at=SPRINT_END), final=True)])) as base:
            answer = requests.get(f"{base}/api/v1/kpis/sev1", timeout=5).json()

        KpiAnswer.model_validate(answer, strict=True)
        assert answer["final"] == {"at": "2026-07-18T06:00:00Z"} | dict.fromkeys(
            ("objective", "inputs_digest", "rule_digest", "rule_file")
        )

    def test_what_came_after_the_close_stands_beside_what_is_final(self):
        """A script that reports the sprint reads one verdict, and an auditor both."""
        fs, xai, new = labels("system=fs"), labels("system=xai2"), labels("system=predictive")
        frozen = verdict_frame(P95, {fs: 1.31, xai: 0.9}, [Verdict.MISSED, Verdict.MET], at=SPRINT_END)
        restated = a_restatement(
            P95, {fs: 1.1, xai: 0.9, new: 1.4}, [Verdict.MET, Verdict.MET, Verdict.MISSED], at=SPRINT_END + 36_000
        )
        same = a_restatement(SEV1, 0.0, Verdict.MET, at=SPRINT_END + 60)
        frames = [
            replace(frozen, final=True, restatement=restated),
            replace(verdict_frame(SEV1, 0.0, at=SPRINT_END), final=True, restatement=same),
        ]
        with serving(a_snapshot(frames)) as base:
            answer = requests.get(f"{base}/api/v1/kpis", timeout=5).json()
            cut = requests.get(f"{base}/api/v1/kpis/ga_e2e_p95?limit=1", timeout=5).json()

        KpisAnswer.model_validate(answer, strict=True)
        p95, sev1 = answer["kpis"]
        assert (p95["verdict"], sev1["restated"]) == ("missed", None), "what differs in nothing is not said"
        assert {name: p95["restated"][name] for name in ("at", "verdict", "inputs_digest", "series_total")} == {
            "at": "2026-07-18T16:00:00Z",
            "verdict": "missed",
            "inputs_digest": "ef" * 32,
            "series_total": 2,
        }
        assert [
            (each["labels"], each["value"], each["verdict"], each["final"]) for each in p95["restated"]["series"]
        ] == [
            ({"system": "predictive"}, 1.4, "missed", None),
            ({"system": "fs"}, 1.1, "met", {"value": 1.31, "verdict": "missed"}),
        ]
        assert (p95["restated"]["series"][1]["reason"], p95["restated"]["series"][1]["note"]) == (
            "objective_met",
            "signed by Ada",
        )
        assert (len(cut["restated"]["series"]), cut["restated"]["series_total"]) == (1, 2)

    def test_a_target_that_changed_in_mid_sprint_is_shown_with_both_verdicts(self):
        """Green by a target that was moved is not the green that was promised."""
        change = RuleChange("sprint-40", "sev1", NOW, "objective", "equals 0", "at_most 2")
        moved = replace(verdict_frame(SEV1, 1.0), targets=Targets((change,), "equals 0", Verdict.MISSED))
        with serving(a_snapshot([moved])) as base:
            answer = requests.get(f"{base}/api/v1/kpis/sev1", timeout=5).json()

        KpiAnswer.model_validate(answer, strict=True)
        assert answer["target_changes"] == [
            {"at": "2026-07-08T20:00:00Z", "field": "objective", "from": "equals 0", "to": "at_most 2"}
        ]
        assert answer["by_original"] == {"objective": "equals 0", "verdict": "missed"}
        assert answer["final"] is None

    @pytest.mark.parametrize(
        ("path", "status", "detail"),
        [
            ("/api/v1/kpis/nothing", 404, "no KPI 'nothing' is guarded"),
            ("/api/v1/kpis/sev1?sprint=s", 404, "in 's'"),
            ("/api/v1/kpis?verdict=green", 422, "'met'"),
            ("/api/v1/kpis?limit=0", 422, "limit"),
            ("/api/v1/nothing", 404, "there is nothing at this path"),
        ],
    )
    def test_errors_are_problems_with_a_detail(self, url, path, status, detail):
        """The caller learns what to ask instead."""
        assert detail in problem(requests.get(url + path, timeout=5), status)

    def test_the_documented_verdicts_are_all_there_are(self):
        """The filter's list is written out for the schema and must follow the domain."""
        assert set(get_args(VerdictName)) == {verdict.label for verdict in Verdict}


class TestAlerts:
    """What is wrong now, the loudest first."""

    def test_firing_comes_before_pending_and_page_before_ticket(self, url):
        """The first line is the one to act on."""
        answer = requests.get(f"{url}/api/v1/alerts", timeout=5).json()

        AlertsAnswer.model_validate(answer, strict=True)
        assert [(alert["state"], alert["severity"], alert["kind"]) for alert in answer["alerts"]] == [
            ("firing", "page", "breach"),
            ("firing", "ticket", "risk"),
            ("pending", "page", "breach"),
        ]
        first = answer["alerts"][0]
        assert first["labels"] == {"system": "fs"}
        assert (first["value"], first["since"], first["reason"]) == (1.31, "2026-07-08T19:55:00Z", "objective_missed")

    def test_a_limit_says_how_many_there_are(self, url):
        """Nobody takes one of three for all."""
        answer = requests.get(f"{url}/api/v1/alerts?limit=1", timeout=5).json()
        assert (len(answer["alerts"]), answer["total"], answer["truncated"]) == (1, 3, True)

    def test_an_alert_whose_rule_is_gone_is_still_shown(self):
        """Between a reload and the next evaluation the plan may already be without it."""
        shown = a_snapshot([], [an_alert(P95)], plan=a_plan())
        with serving(shown) as base:
            alert = requests.get(f"{base}/api/v1/alerts", timeout=5).json()["alerts"][0]
        assert (alert["kpi"], alert["lane"], alert["severity"]) == ("ga_e2e_p95", None, None)


def test_the_schema_documents_the_answers(url):
    """Clients can be generated from it."""
    schema = requests.get(f"{url}/api/v1/openapi.json", timeout=5).json()

    assert {"/api/v1/kpis", "/api/v1/kpis/{kpi}", "/api/v1/alerts", "/-/reload"} <= set(schema["paths"])
    assert "SeriesAnswer" in schema["components"]["schemas"]


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/kpis", "/api/v1/nothing", "/-/healthy"])
def test_every_answer_carries_the_security_headers(url, path):
    """Values of KPIs are not for frames and scripts of other pages."""
    headers = requests.get(url + path, timeout=5).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
