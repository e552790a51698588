"""The pages in a real browser, over the demo's sprint: every page, both themes, phone width, keyboard, without a script."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from slo_guard.domain.alerts import Alert, AlertKey
from slo_guard.domain.verdicts import AlertState, Verdict
from tests.support.browser import (
    PHONE,
    WIDE,
    a_page,
    chromium,
    grave_violations,
    hidden_width,
    keep_picture,
)
from tests.support.builders import a_kpi, an_objective
from tests.support.pictures import NOW, a_snapshot, an_alert, holding, verdict_frame
from tests.support.said import logging_put_back
from tests.support.serving import serving
from tests.support.sprint_pages import SprintPages, sprint_pages

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("browser")]

PAGES = {
    "board": "/",
    "narrowed": "/?lane=ga-ops&verdict=missed",
    "kpi": "/kpis/ga_latency_slo",
    "kpi-signed": "/kpis/fsv2_decision_signed",
    "alerts": "/alerts",
    "sources": "/sources",
    "deliveries": "/deliveries",
    "lost": "/kpis/nothing",
}
LOST = "404 (Not Found)"


@pytest.fixture(scope="module")
def sprint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SprintPages]:
    with logging_put_back(), sprint_pages(tmp_path_factory.mktemp("sprint") / "room", 6 * 3600.0) as served:
        yield served


@pytest.fixture(scope="module")
def browser(sprint: SprintPages) -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_in_both_themes_and_on_a_phone(browser: Browser, sprint: SprintPages, name: str) -> None:
    """Whoever reads it: at a wall screen, at night, on a phone, or by a screen reader."""
    with a_page(browser, color_scheme="light", hushed=(LOST,)) as page:
        page.goto(sprint.url + PAGES[name])
        light, wide = grave_violations(page), hidden_width(page)
        headings = page.eval_on_selector_all("h1, h2, h3", "all => all.map(each => Number(each.tagName[1]))")
        keep_picture(page, f"{name}-light")
        page.emulate_media(color_scheme="dark")
        dark = grave_violations(page, only="color-contrast")
        keep_picture(page, f"{name}-dark")
        page.set_viewport_size(PHONE)
        phone = hidden_width(page)
        keep_picture(page, f"{name}-phone")

    assert light == []
    assert dark == []
    assert (wide, phone) == (0, 0)
    assert headings.count(1) == 1
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))


def test_colours_follow_the_reader_and_then_what_was_chosen(browser: Browser, sprint: SprintPages) -> None:
    """A wall screen is dark whatever its system says; the choice needs no script and is kept."""
    ground = "getComputedStyle(document.body).backgroundColor"
    with a_page(browser, color_scheme="light") as page:
        page.goto(f"{sprint.url}/?lane=ga-ops")
        light = page.evaluate(ground)
        page.emulate_media(color_scheme="dark")
        dark = page.evaluate(ground)
        page.emulate_media(color_scheme="light")
        with page.expect_navigation():
            page.get_by_role("navigation", name="Theme").get_by_role("link", name="dark").click()
        chosen, address = page.evaluate(ground), page.url
        page.goto(f"{sprint.url}/alerts")
        kept = page.evaluate(ground)
        with page.expect_navigation():
            page.get_by_role("navigation", name="Theme").get_by_role("link", name="auto").click()
        again = page.evaluate(ground)

    assert light != dark
    assert (chosen, kept, again) == (dark, dark, light)
    assert address == f"{sprint.url}/?lane=ga-ops"


@pytest.mark.parametrize("path", ["/?lane=ga-ops", "/kpis/ga_latency_slo", "/sources"])
def test_everything_is_reached_and_seen_by_keyboard_alone(browser: Browser, sprint: SprintPages, path: str) -> None:
    """Who cannot use a mouse can follow every link, and sees where they are."""
    with a_page(browser) as page:
        page.goto(sprint.url + path)
        wanted = page.evaluate(
            "[...document.querySelectorAll('a, summary')].filter(each => each.checkVisibility()).length"
        )
        page.keyboard.press("Tab")
        skip = page.evaluate(
            "[document.activeElement.textContent, document.activeElement.getBoundingClientRect().top >= 0]"
        )
        reached = 0
        outlines = set()
        while page.evaluate("document.activeElement !== document.body") and reached <= wanted:
            reached += 1
            outlines.add(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
            page.keyboard.press("Tab")

    assert skip == ["Skip to the content", True]
    assert reached == wanted
    assert outlines == {"solid"}


def test_the_skip_link_leads_past_the_navigation(browser: Browser, sprint: SprintPages) -> None:
    """Nobody has to step through the navigation on every page."""
    with a_page(browser) as page:
        page.goto(f"{sprint.url}/alerts")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        focused = page.evaluate("document.activeElement.id")
        page.keyboard.press("Tab")
        inside = page.evaluate("document.activeElement.closest('main') !== null")

    assert (focused, inside) == ("main", True)


def test_without_scripts_everything_is_there_and_reads_itself_again(browser: Browser, sprint: SprintPages) -> None:
    """A page that is blank without its script is no page for an incident."""
    with a_page(browser, java_script_enabled=False) as page:
        page.goto(sprint.url)
        with page.expect_navigation():
            page.get_by_role("link", name="missed", exact=False).first.click()
        narrowed = page.locator("table.board tbody").count()
        page.locator("details summary").first.click()
        opened = page.locator("details").first.locator("ul").is_visible()
        with page.expect_navigation():
            page.get_by_role("row").get_by_role("link").first.click()
        title = page.locator("h1").text_content()
        again = page.locator("head noscript").count()

    shown = [frame for frame in sprint.snapshot.frames.values() if frame.worst.label == "missed"]
    assert narrowed == len(shown) > 0
    assert opened
    assert title in {frame.kpi.title for frame in shown}
    assert again == 1


def _mark(page: Page) -> None:
    page.evaluate("window.neverReloaded = true")


def test_a_refresh_changes_what_changed_and_nothing_else(browser: Browser, sprint: SprintPages) -> None:
    """Who reads, keeps reading: focus, place and opened details stay, and only the news is said."""
    before = sprint.snapshot
    [kpi] = [each for each in before.kpis if each.id == "ga_complaint_rate"]
    fresh = Alert(AlertKey(kpi.sprint, kpi.id, (("system", "xai2"),)), AlertState.FIRING, sprint.now - 5, sprint.now)
    with a_page(browser) as page:
        page.clock.install()
        page.goto(sprint.url)
        _mark(page)
        page.locator("#series-kpi-sprint-40-ga_audits summary").click()
        page.locator("#kpi-sprint-40-ga_audits a.title").focus()
        page.evaluate("scrollTo(0, 700)")
        sprint.publish(alerts={**before.alerts, fresh.key: fresh})
        page.clock.fast_forward(31_000)
        expect(page.locator("#news")).to_contain_text("New alert: GA complaint rate, system xai2")
        kept = page.evaluate(
            "[window.neverReloaded, document.activeElement.textContent, scrollY > 0,"
            " document.querySelector('#series-kpi-sprint-40-ga_audits').open]"
        )
        listed = page.locator("[data-alert]").count()
        sprint.holder.publish(before)
        page.clock.fast_forward(31_000)
        expect(page.locator("[data-alert]")).to_have_count(listed - 1)

    assert kept == [True, "GA audits passed", True, True]


def test_focus_stays_on_an_alert_when_the_one_above_it_ends(browser: Browser, sprint: SprintPages) -> None:
    """Who was about to open the runbook would be thrown back to the top of the page."""
    before = sprint.snapshot
    with a_page(browser) as page:
        page.clock.install()
        page.goto(f"{sprint.url}/alerts")
        lines = page.locator("li[data-alert]")
        first, listed = lines.first.get_attribute("data-alert"), lines.count()
        lines.nth(1).locator("a.title").focus()
        focused = page.evaluate("document.activeElement.textContent")
        gone = next(key for key in before.alerts if first == _key_on_page(key))
        sprint.publish(alerts={key: alert for key, alert in before.alerts.items() if key != gone})
        page.clock.fast_forward(31_000)
        expect(lines).to_have_count(listed - 1)
        kept = page.evaluate("document.activeElement.textContent")
        sprint.holder.publish(before)

    assert kept == focused


def test_an_old_alert_that_moves_up_is_no_news(browser: Browser, sprint: SprintPages) -> None:
    """The board shows the loudest twelve; when one of them ends, the next must not be called out as new."""
    kpi = a_kpi("load", by=("tenant",), objective=an_objective("at_most", 1.16))
    old = [an_alert(kpi, (("tenant", f"{number:02}"),), fired_at=NOW - 200) for number in range(14)]
    frame = verdict_frame(kpi, 1.0)
    holder = holding(a_snapshot([frame], old))
    with serving(holder) as base, a_page(browser) as page:
        page.clock.install()
        page.goto(base)
        before = page.locator("[data-alert]").last.get_attribute("data-alert")
        holder.publish(a_snapshot([frame], old[1:]))
        page.clock.fast_forward(61_000)
        expect(page.locator(".more")).to_have_text("and 1 more")
        last = page.locator("[data-alert]").last.get_attribute("data-alert")
        said = page.locator("#news").text_content()

    assert last != before
    assert said == ""


def test_a_page_of_an_older_version_is_read_anew(browser: Browser, sprint: SprintPages) -> None:
    """After an upgrade a wall screen would show the new page in the old style for weeks."""
    with a_page(browser) as page:
        page.clock.install()
        page.goto(f"{sprint.url}/sources")
        _mark(page)
        page.evaluate("document.querySelector('link[rel=stylesheet]').setAttribute('href', '/static/page.css?v=old')")
        with page.expect_event("load"):
            page.clock.fast_forward(31_000)
        reloaded = page.evaluate("window.neverReloaded === undefined")

    assert reloaded


@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_names_of_any_length_stay_in_their_place(browser: Browser, sprint: SprintPages, viewport: ViewportSize) -> None:
    """Names are free text; one without a space covered the values of its alert, and made the whole page scroll."""
    kpi = a_kpi("odd", title="W" * 120, lane="y" * 120, owner="O" * 120, objective=an_objective("at_most", 1.16))
    shown = a_snapshot([verdict_frame(kpi, 3.0, Verdict.MISSED)], [an_alert(kpi)])
    wide = "[...document.querySelectorAll('.alert > *')].filter(each => each.scrollWidth > each.clientWidth).length"
    with serving(shown) as base, a_page(browser, viewport=viewport) as page:
        beyond = {}
        for path in ("/", "/alerts", "/kpis/odd"):
            page.goto(base + path)
            beyond[path] = (hidden_width(page), page.evaluate(wide))

    assert beyond == dict.fromkeys(("/", "/alerts", "/kpis/odd"), (0, 0))


def _key_on_page(key: AlertKey) -> str:
    return "|".join((key.sprint, key.kpi, key.kind.value, key.tier, *(f"{name}={text}" for name, text in key.labels)))


def test_a_server_that_is_gone_is_told_and_asked_ever_less_often(browser: Browser, sprint: SprintPages) -> None:
    """Old numbers must not look like new ones."""
    asked: list[str] = []
    with a_page(browser, hushed=("net::ERR_FAILED",)) as page:
        page.clock.install()
        page.goto(f"{sprint.url}/alerts")
        _mark(page)
        page.route("**/alerts", lambda route: (asked.append(route.request.url), route.abort())[1])
        page.clock.fast_forward(31_000)
        note = page.locator("#not-refreshed")
        expect(note).to_contain_text("Not refreshed since")
        expect(note).to_contain_text("the server cannot be reached")
        page.clock.fast_forward(31_000)
        page.clock.fast_forward(28_000)
        soon = len(asked)
        page.clock.fast_forward(3_000)
        expect(note).to_be_visible()
        page.unroute("**/alerts")
        page.clock.fast_forward(300_000)
        expect(note).to_be_hidden()
        still = page.evaluate("window.neverReloaded")

    assert soon == 1
    assert still


def test_a_page_that_nobody_sees_asks_for_nothing(browser: Browser, sprint: SprintPages) -> None:
    """Thirty forgotten tabs are no load; when one is looked at again, it is up to date at once."""
    asked: list[str] = []
    hide = "value => { Object.defineProperty(document, 'hidden', {value, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }"
    with a_page(browser) as page:
        page.clock.install()
        page.goto(f"{sprint.url}/sources")
        page.on("request", lambda request: asked.append(request.url))
        page.evaluate(hide, True)
        page.clock.fast_forward(300_000)
        unseen = len(asked)
        with page.expect_response("**/sources"):
            page.evaluate(hide, False)

    assert unseen == 0


def test_it_prints_without_what_paper_cannot_do(browser: Browser, sprint: SprintPages) -> None:
    """The board goes into the sprint's minutes."""
    with a_page(browser, color_scheme="dark") as page:
        page.goto(sprint.url)
        page.emulate_media(media="print")
        hidden = [page.locator(each).is_visible() for each in (".top nav", ".filters", ".themes")]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert hidden == [False, False, False]
    assert ground == "rgb(255, 255, 255)"
