"""The pages beside the board: alerts with who silenced them, deliveries that failed, sources, errors and themes."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest
import requests

from slo_guard.domain.notifications import DeliveryRecord, NotificationReason, RowState
from slo_guard.domain.readings import Collection
from slo_guard.domain.silences import Acknowledgement, Matcher, Silence
from slo_guard.domain.verdicts import Verdict
from slo_guard.errors import StoreError
from slo_guard.expose.pages.rendering import Pages
from slo_guard.source_board import SourceBoard
from tests.support.builders import SPRINT_START, a_failure, a_frame, a_kpi, a_sprint, an_objective, labels
from tests.support.pictures import NOW, a_snapshot, an_alert, verdict_frame
from tests.support.serving import serving
from tests.support.store_examples import a_notification

LOAD = a_kpi("load", title="Load", by=("pod",), objective=an_objective("at_most", 1))
P1, P2 = labels("pod=p1"), labels("pod=p2")


def words(page: str) -> str:
    """Return a page's words without its mark-up."""
    body = page[page.index("<main") : page.index("</main>")]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def two_firing(**fields: Any):
    frame = verdict_frame(LOAD, {P1: 3.0, P2: 4.0}, Verdict.MISSED)
    alerts = [an_alert(LOAD, each, fired_at=NOW - 300) for each in (P1, P2)]
    return a_snapshot([frame], alerts, **fields)


def a_silence(**fields: Any) -> Silence:
    defaults = {"id": 7, "matchers": (Matcher("pod", "p1"),), "starts_at": NOW - 60, "ends_at": NOW + 3600}
    return Silence(**{**defaults, "by": "Ana", "why": "moving it", "created_at": NOW - 60, **fields})


def a_record(state: RowState, **fields: Any) -> DeliveryRecord:
    pending = state is RowState.PENDING
    defaults: dict[str, Any] = {
        "id": 12,
        "receiver": "slack",
        "key": "k",
        "state": state,
        "created_at": NOW - 600,
        "attempts": 3,
        "next_attempt_at": NOW + 60 if pending else None,
        "ended_at": None if pending else NOW - 300,
        "last_error": None if state is RowState.DELIVERED else "http_500: the receiver answered 500",
        "notification": a_notification("k"),
    }
    return DeliveryRecord(**{**defaults, **fields})


def deliveries(*records: DeliveryRecord):
    """Return what answers as the store does."""
    return lambda *, state=None, **_: tuple(each for each in records if state in (None, each.state))


def test_what_is_silenced_stands_apart_with_who_until_and_why():
    """An alert that nobody is told of must not look like one that somebody works on."""
    text = words(Pages.load().alerts(two_firing(silences=(a_silence(),)), NOW))

    assert "Firing 1" in text
    assert "Silenced and acknowledged 1" in text
    assert "silenced by Ana until 15:00:00 : moving it" in text
    assert "slo-guard silence expire 7" in text


def test_an_acknowledgement_says_who_knows():
    """The second person who is woken sees that the first one is at it."""
    known = Acknowledgement(
        id=1, sprint="sprint-40", kpi="load", labels=P2, until=NOW + 7200, by="Bo", why="at it", created_at=NOW - 10
    )
    page = Pages.load()

    assert "acknowledged by Bo until 16:00:00 : at it" in words(page.alerts(two_firing(acknowledgements=(known,)), NOW))
    assert "acknowledged by Bo until 16:00:00 : at it" in words(page.board(two_firing(acknowledgements=(known,)), NOW))


def test_a_silence_that_has_not_begun_silences_nothing():
    """It is planned for tonight."""
    text = words(Pages.load().alerts(two_firing(silences=(a_silence(starts_at=NOW + 60),)), NOW))

    assert "Firing 2" in text
    assert "to come" in text


def test_a_dead_letter_is_shown_with_its_error_and_what_sends_it_again():
    """Nobody was told: that is the first thing to see here."""
    with serving(
        two_firing(), deliveries=deliveries(a_record(RowState.DEAD), a_record(RowState.PENDING, id=13))
    ) as base:
        text = words(requests.get(f"{base}/deliveries", timeout=5).text)

    assert text.index("Dead letters") < text.index("Receivers")
    assert "http_500: the receiver answered 500" in text
    assert "slo-guard deliveries retry 12" in text
    assert "next try 14:01:00" in text


def test_a_test_message_is_no_kpi_that_fires():
    """Somebody tried a receiver: nobody is to take that for an alert."""
    tried = a_notification("k", reason=NotificationReason.TEST, title="nothing is wrong")

    with serving(two_firing(), deliveries=deliveries(a_record(RowState.DELIVERED, notification=tried))) as base:
        text = words(requests.get(f"{base}/deliveries", timeout=5).text)

    assert "Test message: nothing is wrong test" in text


def test_what_was_sent_stands_at_its_kpi():
    """The first question of the next morning is who was told."""
    asked: list[dict[str, Any]] = []

    def sent(**filters: Any) -> tuple[DeliveryRecord, ...]:
        asked.append(filters)
        return (a_record(RowState.DELIVERED),)

    with serving(two_firing(), deliveries=sent) as base:
        text = words(requests.get(f"{base}/kpis/load", timeout=5).text)

    assert asked == [{"sprint": "sprint-40", "kpi": "load", "limit": 12}]
    assert "✓ delivered slack" in text


@pytest.mark.parametrize("path", ["/deliveries", "/kpis/load"])
def test_a_store_that_cannot_be_read_takes_only_its_own_part_of_a_page(path):
    """The disk is full, and just then people look at the page."""

    def broken(**_: Any):
        raise StoreError("the disk is full")

    with serving(two_firing(), deliveries=broken) as base:
        answer = requests.get(base + path, timeout=5)

    assert answer.status_code == 200
    assert "cannot be read now: the disk is full" in words(answer.text)


def test_errors_of_receivers_are_escaped():
    """What a receiver answers is anybody's text."""
    evil = a_record(RowState.DEAD, last_error="<script>alert(1)</script>", receiver="<b>")

    with serving(two_firing(), deliveries=deliveries(evil)) as base:
        page = requests.get(f"{base}/deliveries", timeout=5).text

    assert "<script>alert" not in page
    assert "<b>" not in page


def test_a_browser_gets_a_page_for_what_is_not_there_and_a_program_a_problem():
    """A person wants a way back, a script a detail."""
    with serving(two_firing()) as base:
        person = requests.get(f"{base}/kpis/nothing", headers={"Accept": "text/html,*/*"}, timeout=5)
        elsewhere = requests.get(f"{base}/nowhere", headers={"Accept": "text/html"}, timeout=5)
        program = requests.get(f"{base}/kpis/nothing", timeout=5)
        api = requests.get(f"{base}/api/v1/kpis/nothing", headers={"Accept": "text/html"}, timeout=5)

    assert [each.status_code for each in (person, elsewhere, program, api)] == [404] * 4
    assert "no KPI 'nothing' is guarded" in words(person.text)
    assert 'href="/"' in elsewhere.text
    assert program.headers["content-type"] == api.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", 2), ("?lane=ga-ops", 2), ("?verdict=missed", 1), ("?lane=other", 0), ("?verdict=nonsense&lane=%3Cb%3E", 0)],
)
def test_the_board_is_narrowed_by_its_address(query, shown):
    """A lane's own screen is a bookmark; what is unknown shows nothing, and the way back."""
    fine = a_kpi("fine", title="Fine", objective=an_objective("at_most", 1))
    snapshot = a_snapshot([verdict_frame(LOAD, {P1: 3.0}, Verdict.MISSED), verdict_frame(fine, 1.0)])

    with serving(snapshot) as base:
        page = requests.get(f"{base}/{query}", timeout=5).text

    assert page.count('<tbody id="kpi-') == shown
    assert ("Show all KPIs" in page) is bool(query)
    assert "<b>" not in page


def test_of_two_sprints_the_one_that_runs_is_on_top():
    """The old one is kept for its summary; the page is about the one that is on."""
    old, running = a_sprint(SPRINT_START - 14 * 86_400, SPRINT_START, "sprint-39"), a_sprint()
    snapshot = a_snapshot([verdict_frame(LOAD, {P1: 1.0})])
    plan = replace(snapshot.plan, sprints={each.id: each for each in (old, running)})

    page = Pages.load().board(replace(snapshot, plan=plan), NOW)

    assert page.count("<h1") == 1
    assert page.index("<code>sprint-40</code>") < page.index("<code>sprint-39</code>")


def test_a_theme_is_kept_and_leads_nowhere_else():
    """A link that sends its reader elsewhere would be one that others can misuse."""
    with serving(two_firing()) as base:
        session = requests.Session()
        chosen = session.get(f"{base}/?lane=ga-ops&theme=dark", timeout=5, allow_redirects=False)
        kept = session.get(f"{base}/alerts", timeout=5)
        nonsense = requests.get(f"{base}/?theme=//evil.example", timeout=5, allow_redirects=False)

    assert chosen.headers["location"] == "/?lane=ga-ops"
    assert "HttpOnly" in chosen.headers["set-cookie"]
    assert 'data-theme="dark"' in kept.text
    assert nonsense.headers["location"] == "/"


def test_an_error_page_leads_to_no_other_host():
    """``//evil.example`` is a path to a server, and an address of another server to a browser that reads a link."""
    with serving(two_firing()) as base:
        page = requests.get(f"{base}//evil.example/x", headers={"Accept": "text/html"}, timeout=5).text

    assert "evil.example" not in page
    assert 'href="/?theme=dark"' in page


def test_before_the_first_evaluation_every_page_says_so():
    """Empty tables would look like: nothing is wrong."""
    with serving(None) as base:
        pages = [requests.get(f"{base}{path}", timeout=5).text for path in ("/", "/alerts", "/sources")]

    assert all("Waiting for the first evaluation" in page for page in pages)


def test_a_source_says_since_when_it_fails_and_what_it_brought_that_was_unusable():
    """Since when, and an example: that is what its owner asks first."""
    board = SourceBoard()
    board.expect({"source": ("load",)}, {"source": "json"})
    unusable = replace(a_frame("load", NOW - 900, 1.0), rejected=3, example="NaN is not a finite number")
    board.collected(Collection("source", NOW - 900, (unusable,)), NOW - 900)
    once = Pages.load().sources(a_snapshot([], sources=board.statuses()), NOW)
    for at in (NOW - 600, NOW - 300):
        board.collected(Collection("source", at, (a_failure("load", at),)), at)
    text = words(Pages.load().sources(a_snapshot([verdict_frame(LOAD, 1.0)], sources=board.statuses()), NOW))

    assert "3 samples rejected, such as NaN is not a finite number" in words(once)
    assert "✕ failing for 10 min" in text
    assert "timeout: no answer within 5s" in text
    assert "source json" in text


def test_ten_thousand_series_are_fifty_rows():
    """A page of a megabyte is no page."""
    many = {labels(f"pod=p{number}"): float(number) for number in range(10_000)}
    frame = verdict_frame(LOAD, many, Verdict.MET)

    with serving(a_snapshot([frame])) as base:
        page = requests.get(f"{base}/kpis/load", timeout=10).text

    assert page.count('<th scope="row">') == 50
    assert "and 9,950 more that are no worse" in words(page)
    assert len(page) < 100_000
