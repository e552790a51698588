"""A breach on the page of a real daemon, as it happens: nobody has to reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.browser import a_page, chromium, keep_picture
from tests.support.daemon import Daemon
from tests.support.small_mission import gauge_kpi, write_config, write_rules

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("browser")]

FINE, BAD = 0.5, 7.0
WITHIN_MS = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_a_breach_and_its_end_appear_without_reloading(
    browser: Browser, tmp_path: Path, httpserver: HTTPServer
) -> None:
    """From the source over collector, evaluator and page to the eyes and ears of who is on call."""
    load = [FINE]

    def answer(_request: Request) -> Response:
        return Response(f'{{"load": {load[0]}}}', content_type="application/json")

    httpserver.expect_request("/load").respond_with_handler(answer)
    source = {
        "name": "source",
        "type": "json",
        "url": httpserver.url_for("/load"),
        "interval": "1s",
        "indicators": [{"name": "load", "type": "gauge", "value": "load"}],
    }
    write_rules(tmp_path, [gauge_kpi("load")])
    with Daemon(write_config(tmp_path, [source], [])) as daemon:
        daemon.start().wait_ready()
        with a_page(browser) as page:
            page.goto(daemon.url)
            page.evaluate("window.neverReloaded = true")
            expect(page.locator(".board .met")).to_be_visible(timeout=WITHIN_MS)
            load[0] = BAD
            expect(page.locator("[data-alert]")).to_contain_text("the value does not meet", timeout=WITHIN_MS)
            expect(page.locator("#news")).to_contain_text("New alert")
            title = page.title()
            keep_picture(page, "live-breach")
            load[0] = FINE
            expect(page.locator(".calm")).to_contain_text("No alert is pending or firing", timeout=WITHIN_MS)
            still = page.evaluate("window.neverReloaded")

    assert still
    assert title.startswith("(1) ")
