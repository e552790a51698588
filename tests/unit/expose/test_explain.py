"""Why a verdict is what it is, over HTTP: JSON for scripts, and a page for whoever follows a message's link."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import requests

from slo_guard.clock import from_unix
from slo_guard.domain.explanations import Explanation, HistoryEntry, HistoryKind, Unexplained
from slo_guard.domain.kpi import KPI, Place
from slo_guard.domain.readings import Observation
from slo_guard.domain.verdicts import Reason
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.evaluate.explaining import explain
from slo_guard.evaluate.explanation_json import explanation_json
from slo_guard.expose.explanation_answers import ExplanationAnswer
from slo_guard.expose.pages.kpi import Told
from slo_guard.expose.pages.rendering import Pages
from slo_guard.expose.routing import Explain
from tests.support.builders import (
    a_failure,
    a_frame,
    a_kpi,
    a_plan,
    a_sign_off,
    an_evidence,
    an_objective,
    labels,
    numbered,
)
from tests.support.pictures import NOW, a_snapshot
from tests.support.serving import serving

P95 = a_kpi(
    "ga_e2e_p95",
    title="GA end-to-end p95",
    owner="SRE Lead",
    by=("system",),
    unit="seconds",
    objective=an_objective("at_most", 1.16),
    runbook_url="https://runbooks.example/p95",
    place=Place("rules/ga-ops.yaml", 8),
)
CHANGE = HistoryEntry(NOW - 60, "verdict", labels("system=fs"), "met", "missed", Reason.OBJECTIVE_MISSED, 1.31)


def judged(kpi: KPI, *observations: Observation) -> tuple[Any, Explanation]:
    """Return a snapshot of ``kpi`` judged at NOW, and its explanation."""
    plan, state = a_plan(kpi), EvaluationState.fresh()
    [frame] = evaluate(plan, numbered(observations), state, from_unix(NOW)).verdicts
    found = explain(state.tracks[kpi.sprint, kpi.id], frame, NOW, plan.indicators)
    return a_snapshot([frame], plan=plan), found.with_history((CHANGE,))


def slow() -> tuple[Any, Explanation]:
    return judged(P95, a_frame("a", NOW - 30, {labels("system=fs"): 1.31, labels("system=xai"): 0.9}))


def always(found: Explanation | Unexplained) -> Explain:
    return lambda _sprint, _kpi: found


def page_of(shown: tuple[Any, Explanation | Unexplained]) -> str:
    snapshot, found = shown
    [kpi] = snapshot.kpis
    return Pages.load().kpi(kpi, snapshot, found, Told(), NOW + 5)


def text_of(shown: tuple[Any, Explanation | Unexplained]) -> str:
    """Return the page's words without its mark-up."""
    html = page_of(shown)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html[html.index("<body") :]))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("breach", "the objective is met again"),
        ("risk", "it is not at risk any more"),
        ("burn", "the error budget burns slowly enough again"),
    ],
)
def test_each_alert_ends_in_the_words_of_its_kind(kind: HistoryKind, words: str) -> None:
    """A burn alert ends while the objective is missed: "met again" beside "missed" would be a lie."""
    snapshot, found = slow()
    ended = HistoryEntry(NOW - 60, kind, labels("system=fs"), "firing", "inactive", Reason.RECOVERED, 1.2)
    over = found.with_history((ended,))

    assert words in text_of((snapshot, over))
    assert explanation_json(over)["history"][0]["why"] == words


def test_the_answer_is_what_its_model_says() -> None:
    """Clients are generated from the schema."""
    snapshot, found = slow()

    with serving(snapshot, explain=always(found)) as base:
        answer = requests.get(f"{base}/api/v1/kpis/ga_e2e_p95/explain", timeout=5)
        schema = requests.get(f"{base}/api/v1/openapi.json", timeout=5).json()

    document = answer.json()
    ExplanationAnswer.model_validate(document, strict=True)
    assert document.keys() == ExplanationAnswer.model_fields.keys()
    first = document["series"][0]
    assert (first["labels"], first["verdict"], first["value_text"]) == ({"system": "fs"}, "missed", "1.31s")
    assert first["arithmetic"] == ["1.31s is not at most 1.16: 150ms above"]
    assert document["inputs"][0]["samples"][0]["age_seconds"] == 30.0
    assert document["history"] == [
        {
            "at": "2026-07-08T19:59:00Z",
            "kind": "verdict",
            "labels": {"system": "fs"},
            "from": "met",
            "to": "missed",
            "reason": "objective_missed",
            "why": "the value does not meet the objective",
            "value": 1.31,
            "note": None,
            "tier": None,
        }
    ]
    assert "/api/v1/kpis/{kpi}/explain" in schema["paths"]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/api/v1/kpis/nothing/explain", 404, "no KPI 'nothing' is guarded"),
        ("/api/v1/kpis/ga_e2e_p95/explain?sprint=s", 404, "in 's'"),
        ("/kpis/nothing", 404, "no KPI 'nothing' is guarded"),
        ("/api/v1/kpis/ga_e2e_p95/explain", 503, "ga_e2e_p95 cannot be explained now: an evaluation is under way"),
    ],
)
def test_what_is_not_there_is_a_problem_with_a_detail(path: str, status: int, detail: str) -> None:
    """Unknown and "not now" are two answers: one is asked again."""
    with serving(slow()[0], explain=always(Unexplained("an evaluation is under way"))) as base:
        answer = requests.get(base + path, timeout=5)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]


def test_a_kpi_that_cannot_be_explained_now_is_shown_all_the_same() -> None:
    """How it stands is known from the snapshot; only why it does is asked of what is busy evaluating."""
    text = text_of((slow()[0], Unexplained("an evaluation is under way")))

    assert "1.31s" in text
    assert "It cannot be explained now: an evaluation is under way" in text


def test_before_the_first_evaluation_nothing_is_explained() -> None:
    """Nothing is known yet."""
    with serving(None) as base:
        assert requests.get(f"{base}/api/v1/kpis/ga_e2e_p95/explain", timeout=5).status_code == 503


def test_of_two_sprints_the_one_that_is_named_is_explained() -> None:
    """A message of the last sprint still leads to the last sprint's KPI."""
    snapshot, found = slow()
    older = replace(P95, sprint="sprint-39")
    both = replace(snapshot, plan=replace(snapshot.plan, kpis=(older, P95)))
    asked: list[tuple[str, str]] = []

    def explain_it(sprint: str, kpi: str) -> Explanation:
        asked.append((sprint, kpi))
        return found

    with serving(both, explain=explain_it) as base:
        requests.get(f"{base}/kpis/ga_e2e_p95", timeout=5)
        requests.get(f"{base}/kpis/ga_e2e_p95?sprint=sprint-39", timeout=5)

    assert asked == [("sprint-40", "ga_e2e_p95"), ("sprint-39", "ga_e2e_p95")]


def test_the_page_says_what_why_from_where_and_since_when() -> None:
    """A teammate who was just woken reads it from top to bottom."""
    text = text_of(slow())

    for part in (
        "✕ missed 1.31s at most 1.16",
        "the value does not meet the objective: 150ms above",
        "rules/ga-ops.yaml:8",
        "The newest value of a.",
        "It must be at most 1.16.",
        "1 missed, 1 met",
        "1.31s is not at most 1.16: 150ms above",
        "gauge, from source",
        "stale after 5m",
        "a breach raises an alert of severity page at once",
        "verdict met → to missed 1.31s : the value does not meet the objective",
        "this as JSON",
    ):
        assert part in text, part


def test_the_pages_lead_to_each_other_and_to_the_json() -> None:
    """From the list to the KPI, and back."""
    snapshot, found = slow()

    with serving(snapshot, explain=always(found)) as base:
        index = requests.get(base, timeout=5).text
        page = requests.get(f"{base}/kpis/ga_e2e_p95?sprint=sprint-40", timeout=5)
        [json_path] = re.findall(r'href="(/api/v1/kpis/[^"]+explain[^"]+)"', page.text)
        as_json = requests.get(base + json_path.replace("&amp;", "&"), timeout=5)

    assert 'href="/kpis/ga_e2e_p95?sprint=sprint-40"' in index
    assert (page.status_code, as_json.status_code) == (200, 200)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?! src=)", page.text)


def test_what_comes_from_outside_is_escaped() -> None:
    """Labels, titles, names and messages are other people's."""
    evil = "<img src=x onerror=alert(1)>"
    kpi = replace(P95, title=evil, owner=evil, runbook_url="javascript:alert(1)", unit="", by=())
    failure = replace(a_failure("a", NOW), message=evil)

    html = page_of(judged(kpi, a_frame("a", NOW - 9, {(("pod", evil),): 1.0}), failure))

    assert "<img" not in html
    assert html.count("&lt;img") >= 4
    assert "javascript:" not in html


def test_a_sign_off_links_to_its_proof_only_over_the_web() -> None:
    """Whoever signs writes the link; a script is none."""
    kpi = a_kpi("drill", objective=an_objective("is", 1.0))
    words = [replace(a_sign_off(NOW - 9), link=link) for link in ("https://wiki/drill", "javascript:alert(1)")]

    html = page_of(judged(kpi, an_evidence("a", NOW, *words)))

    assert '<a href="https://wiki/drill"' in html
    assert 'href="javascript' not in html
