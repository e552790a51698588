"""The page that a teammate opens who has never seen slo_guard."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import requests

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.builtin import collector_up_kpi
from slo_guard.domain.kpi import Place, Severity
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.rule_changes import RuleChange
from slo_guard.domain.verdicts import REASON_CODE, AlertState, Reason, Seal, Targets, Verdict
from slo_guard.expose.pages.board import Drawn, board_view
from slo_guard.expose.pages.rendering import Pages
from slo_guard.expose.pages.sources import sources_view
from slo_guard.expose.pages.wording import web_link
from slo_guard.expose.snapshot import ReloadOutcome, SourceError, SourceStatus
from tests.support.builders import SPRINT_END, SPRINT_START, a_kpi, a_plan, a_sprint, an_objective, labels
from tests.support.pictures import NAN, NOW, a_restatement, a_snapshot, an_alert, verdict_frame
from tests.support.serving import serving

P95 = a_kpi(
    "ga_e2e_p95",
    title="GA end-to-end p95",
    owner="SRE Lead",
    by=("system",),
    unit="seconds",
    objective=an_objective("at_most", 1.16),
    runbook_url="https://runbooks.example.com/p95",
    place=Place("rules/ga-ops.yaml", 8),
)


def text_of(snapshot, now=NOW):
    """Return the page's words without its mark-up."""
    html = Pages.load().board(snapshot, now)
    body = html[html.index("<body") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def board_of(snapshot, now):
    return board_view(snapshot, now, Drawn())


def breached():
    """Return a snapshot with one series missed and firing."""
    frame = verdict_frame(
        P95,
        {labels("system=fs"): 1.31, labels("system=xai2"): NAN},
        [Verdict.MISSED, Verdict.NO_DATA],
        reason=[REASON_CODE[Reason.OBJECTIVE_MISSED], REASON_CODE[Reason.SOURCE_FAILED]],
        since=[NOW - 750, NOW - 60],
        alert_state=[AlertState.FIRING, AlertState.INACTIVE],
        notes={1: "connect_failed"},
    )
    return a_snapshot([frame], [an_alert(P95, labels("system=fs"), value=1.31, active_at=NOW - 750)])


def test_it_says_what_is_wrong_by_how_much_since_when_and_why():
    """The page answers the questions of a person who was just paged."""
    text = text_of(breached())

    for words in (
        "1 firing",
        "GA end-to-end p95",
        "1.31s",
        "at most 1.16",
        "the value does not meet the objective: 150ms above",
        "12 min",
        "SRE Lead",
        "no value",
        "the source cannot be collected: connect_failed",
        "1 missed, 1 no data",
    ):
        assert words in text


def test_times_stand_in_the_sprints_zone_with_utc_behind_them():
    """The team reads its own clock; logs are compared in UTC."""
    html = Pages.load().board(breached(), NOW)

    assert 'title="since 13:47:30 (2026-07-08T19:47:30Z)">12 min</time>' in html


def test_what_comes_from_outside_is_escaped():
    """A label of a source must not become part of the page."""
    evil = "<script>alert(1)</script>"
    kpi = replace(P95, title=evil, owner=evil, runbook_url="javascript:alert(1)")
    frame = verdict_frame(kpi, {(("system", evil),): 1.0}, notes={0: evil})
    shown = a_snapshot(
        [frame],
        [an_alert(kpi, (("system", evil),))],
        sources=(SourceStatus(evil, (evil,), None, SourceError("x", evil, NOW)),),
        reload=ReloadOutcome(False, evil),
    )

    html = Pages.load().board(shown, NOW)

    assert not re.search(r"<script(?! src=)", html)
    assert "javascript:" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://runbooks.example.com/a?b=c", True),
        ("http://wiki/a", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//host/a", False),
        ("https://", False),
        ("http://[bad", False),
        (None, False),
    ],
)
def test_only_web_addresses_become_links(url, linked):
    """A rule file is data; a click must not run code."""
    assert (web_link(url) == url) is (linked or url is None)


def test_the_policy_allows_the_style_and_script_of_our_own_address_and_nothing_inline():
    """A page that is styled or run by what somebody slipped in is not ours any more."""
    with serving(breached()) as base:
        answer = requests.get(base, timeout=5)
        paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text)
        files = [requests.get(base + path, timeout=5) for path in paths]
        known = requests.get(base + paths[0], headers={"If-None-Match": files[0].headers["etag"]}, timeout=5)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; style-src 'self'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r" style=| on[a-z]+=|<style|<script(?! src=)", answer.text)
    assert [(file.status_code, file.headers["content-type"].partition(";")[0]) for file in files] == [
        (200, "text/css"),
        (200, "text/javascript"),
    ]
    assert "immutable" in files[0].headers["cache-control"]
    assert (known.status_code, known.content) == (304, b"")


def test_before_the_first_evaluation_it_says_so():
    """An empty page would look like: nothing is wrong."""
    assert "Waiting for the first evaluation" in text_of(None)


def test_old_verdicts_are_marked_as_old():
    """Silence is never green: a stopped evaluator must not leave a calm page behind."""
    assert "No evaluation for 5 min" in text_of(breached(), NOW + 300)
    assert "No evaluation for" not in text_of(breached(), NOW + 60)


def test_a_failed_reload_stays_on_the_page():
    """What runs is not what stands on disk, and everybody may know it."""
    shown = a_snapshot([], plan=a_plan(P95), reload=ReloadOutcome(False, "rules/a.yaml:8:20: objective: bad unit"))

    assert "rules/a.yaml:8:20: objective: bad unit" in text_of(shown)


def test_many_series_are_cut_to_the_worst_with_the_number_left_out():
    """100,000 tenants do not make a page of 100,000 lines."""
    rows = {labels(f"system=s{number:03d}"): 1.0 for number in range(100)}
    verdicts = [Verdict.MISSED if number == 77 else Verdict.MET for number in range(100)]
    text = text_of(a_snapshot([verdict_frame(P95, rows, verdicts)]))

    assert "s077" in text
    assert "and 90 more" in text
    assert "s099" not in text


def test_a_kpi_that_is_not_judged_yet_is_shown_as_such():
    """Every KPI is on the page, and none is green before it was judged."""
    assert "not judged yet" in text_of(a_snapshot([], plan=a_plan(P95)))


def test_a_failing_collector_is_an_alert_and_no_kpi_of_any_lane():
    """Its alert is built in: nobody wrote a rule for it, and no lane answers for it."""
    builtin = collector_up_kpi(["prometheus"], for_seconds=0, severity=Severity.PAGE, interval_seconds=30)
    plan = a_plan(P95)
    shown = a_snapshot(
        [], [an_alert(builtin, labels("collector=prometheus"), value=0.0)], plan=replace(plan, kpis=(P95, builtin))
    )
    view = board_of(shown, NOW)

    assert [lane.name for lane in view.lanes] == ["ga-ops"]
    assert (view.alerts[0].title, view.alerts[0].value, view.alerts[0].severity) == (
        "Collector answers",
        "false",
        "page",
    )
    assert (
        b'slo_guard_alerts{kpi="slo_guard_collector_up",lane="slo_guard",severity="page",alertstate="firing"} 1'
        in bytes(shown.metrics)
    )


def test_the_alert_of_a_risk_is_seen_at_its_series():
    """`at_risk` beside "alert: none" would contradict the alert list above."""
    kpi = replace(P95, warn=an_objective("at_most", 1.05))
    frame = verdict_frame(kpi, {labels("system=fs"): 1.1}, Verdict.AT_RISK)
    view = board_of(a_snapshot([frame], [an_alert(kpi, labels("system=fs"), kind=AlertKind.RISK)]), NOW)

    series = view.lanes[0].kpis[0].series[0]
    assert (series.alert, series.alert_kind) == ("firing", "at risk")
    assert view.alerts[0].objective == "the warning at most 1.05"


def test_a_risk_without_a_warning_bound_names_the_objective():
    """Behind its pace, or past its checkpoint: it is the objective that is at risk, and no warning stands in the rule."""
    frame = verdict_frame(P95, {labels("system=fs"): 1.2}, Verdict.AT_RISK)
    view = board_of(a_snapshot([frame], [an_alert(P95, labels("system=fs"), kind=AlertKind.RISK)]), NOW)

    assert view.alerts[0].objective == "at most 1.16"


def test_a_sign_off_reads_as_true_or_false():
    """A bare 0 is no answer to whether the drill was logged."""
    kpi = a_kpi("drill", type=IndicatorType.BOOL, objective=an_objective("is", True))

    assert board_of(a_snapshot([verdict_frame(kpi, 0.0)]), NOW).lanes[0].kpis[0].series[0].value == "false"


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (SPRINT_START - 86_400, "starts in 1 day"),
        (SPRINT_START, "day 1 of 12, 11 days left after today"),
        (SPRINT_END - 1, "day 12 of 12, the last"),
        (SPRINT_END, "ended 1 day ago"),
    ],
)
def test_the_days_of_the_sprint_are_counted_in_its_zone(now, words):
    """Midnight in Denver decides, not midnight in London."""
    assert board_of(breached(), now).sprints[0].days == words


def test_a_sprint_that_is_over_and_one_that_has_not_begun_are_marked():
    """How the last sprint ended, and what the next one will ask for, are not how things stand now."""
    over = replace(verdict_frame(P95, 1.31, Verdict.MISSED), final=True)
    coming = verdict_frame(replace(P95, sprint="sprint-41"), NAN, Verdict.INSUFFICIENT)
    sprints = {each.id: each for each in (a_sprint(), a_sprint(SPRINT_END + 60, SPRINT_END + 86_400, "sprint-41"))}
    shown = a_snapshot([over, coming])
    shown = replace(shown, at=SPRINT_END, plan=replace(shown.plan, sprints=sprints))

    view = board_of(shown, SPRINT_END)

    assert [(sprint.id, sprint.state) for sprint in view.sprints] == [
        ("sprint-40", "closed"),
        ("sprint-41", "upcoming"),
    ]
    assert [(each.word, each.count) for each in view.verdicts] == [("missed", 1)]
    assert [kpi.final for lane in view.lanes for kpi in lane.kpis] == [True, False]
    assert "Sprint 40 closed" in text_of(shown, SPRINT_END)
    assert "GA end-to-end p95 final" in text_of(shown, SPRINT_END)


def test_what_restates_a_final_verdict_stands_beside_it():
    """At the retrospective everybody looks at this page: it has to show both numbers, and which one counts."""
    kpi = replace(P95, by=())
    frozen = replace(
        verdict_frame(kpi, 1.31, Verdict.MISSED),
        final=True,
        seal=Seal("ab" * 32, "cd" * 32, None, "at_most 1.16"),
        restatement=a_restatement(kpi, 1.1, Verdict.MET, at=NOW + 36_000),
    )

    text = text_of(a_snapshot([frozen]), NOW + 40_000)

    assert "restated: met 1.1s (as of 00:00:00), final: missed 1.31s" in text
    assert "inputs abababababab, rule cdcdcdcdcdcd" in text


def test_many_restated_series_do_not_fill_the_page():
    """A hundred tenants that an export corrects are in the API."""
    rows = {labels(f"system=s{number}"): 1.0 for number in range(9)}
    frozen = replace(
        verdict_frame(P95, dict.fromkeys(rows, 2.0), Verdict.MISSED),
        final=True,
        restatement=a_restatement(P95, rows, Verdict.MET, at=NOW),
    )

    [lane] = board_of(a_snapshot([frozen]), NOW).lanes

    assert len(lane.kpis[0].asides) == 6
    assert lane.kpis[0].asides[-1] == "and 4 more"


def test_a_target_that_moved_is_shown_with_the_verdict_by_the_first_one():
    """Green by a target that was moved is not the green that was promised."""
    change = RuleChange("sprint-40", P95.id, NOW - 86_400, "objective", "at_most 1.16", "at_most 1.3")
    moved = replace(verdict_frame(P95, 1.2), targets=Targets((change,), "at_most 1.16", Verdict.MISSED))

    text = text_of(a_snapshot([moved]), NOW)

    assert "target changed Tue 7 Jul 14:00: at most 1.16 -&gt; at most 1.3" in text
    assert "by the original target, at most 1.16: missed" in text


def test_a_final_verdict_shows_the_objective_that_it_was_judged_by():
    """A rule that is edited after the close must not make a missed verdict look absurd."""
    edited = replace(P95, objective=an_objective("at_most", 9))
    frozen = replace(
        verdict_frame(edited, 1.31, Verdict.MISSED), final=True, seal=Seal("ab" * 32, "cd" * 32, None, "at_most 1.16")
    )

    assert "1.31s at most 1.16 " in text_of(a_snapshot([frozen]), NOW)


@pytest.mark.parametrize(
    ("source", "state"),
    [
        (SourceStatus("s"), "waiting"),
        (SourceStatus("s", (), NOW), "ok"),
        (SourceStatus("s", (), None, SourceError("timeout", "m", NOW)), "failing"),
        (SourceStatus("s", (), NOW - 60, SourceError("timeout", "m", NOW)), "failing"),
        (SourceStatus("s", (), NOW, SourceError("timeout", "m", NOW - 60)), "ok"),
    ],
)
def test_a_source_shows_how_its_last_collection_went(source, state):
    """The newest of success and error decides; an old error stays to be read."""
    [view] = sources_view(a_snapshot([], sources=(source,)), NOW)

    assert view.state.word == state
    assert view.error == ("timeout: m" if source.last_error else "")
