"""Mission Control's JSON endpoints over HTTP: pages by cursor, by link and by number, as real APIs have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from slo_guard.demo.json_endpoints import FLAG, PARTNERS, SCOPE, TICKETS
from slo_guard.demo.loopback import LoopbackServer
from slo_guard.demo.sources import source_server
from slo_guard.demo.world.mp_d import UNTRIAGED
from slo_guard.demo.world.reporting import BLOCKED_TICKET
from slo_guard.demo.world.xai import FLAG_TOO_WIDE
from tests.support.demo_world import T0, mission


class Clock:
    """A clock that stands where the test puts it."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sources(clock: Clock) -> Iterator[LoopbackServer]:
    with source_server(mission(), clock) as server:
        yield server


def get(server: LoopbackServer, path: str, **parameters: str) -> Any:
    return requests.get(server.url + path, params=parameters, timeout=5).json()


def test_tickets_come_page_by_page_until_the_cursor_is_null(sources: LoopbackServer, clock: Clock) -> None:
    """A collector that stops at the first page would see a sprint that is nearly done."""
    clock.now = T0 + BLOCKED_TICKET.starts
    issues, cursor, pages = [], "", 0
    while cursor is not None:
        page = get(sources, TICKETS, **({"cursor": cursor} if cursor else {}))
        issues += page["issues"]
        cursor = page["page"]["next_cursor"]
        pages += 1

    assert pages == 3
    assert len({issue["key"] for issue in issues}) == len(issues) == 20
    assert [issue["key"] for issue in issues if issue["blocked_hours"]] == ["MC-412"]
    assert 0 < sum(issue["points_left"] for issue in issues) < 80


def test_the_scope_ledger_links_to_its_next_page(sources: LoopbackServer, clock: Clock) -> None:
    """The link must lead back to this server, wherever it runs."""
    clock.now = T0 + 11 * 86400
    first = get(sources, SCOPE)
    second = requests.get(first["links"]["next"], timeout=5).json()

    assert first["links"]["next"].startswith(sources.url)
    assert [change["points"] for change in first["changes"] + second["changes"]] == [5.0, -3.0, 8.0, -5.0]
    assert second["links"]["next"] is None


def test_partners_come_by_page_number_until_a_page_is_empty(sources: LoopbackServer, clock: Clock) -> None:
    """An API of numbered pages says nothing of how many there are."""
    clock.now = T0 + UNTRIAGED.starts
    pages = [get(sources, PARTNERS, page=str(number))["partners"] for number in (1, 2, 3)]

    assert [[partner["id"] for partner in page] for page in pages] == [["contoso", "fabrikam"], ["northwind"], []]
    assert [partner["failures"]["untriaged_over_1d"] for partner in pages[0]] == [0, 3]
    assert all(partner["packets"]["verified"] >= partner["packets"]["auto_passed"] for partner in pages[0])


def test_the_flag_says_whom_it_shows_m1_to(sources: LoopbackServer, clock: Clock) -> None:
    """Nobody outside the cohort is the plan's non-goal, and one of the faults."""
    before = get(sources, FLAG)
    clock.now = T0 + FLAG_TOO_WIDE.starts
    during = get(sources, FLAG)

    assert before["enabled"] is False
    assert during == {
        "key": "xai-2-1-m1",
        "enabled": True,
        "exposure": [{"cohort": "internal", "users": 14.0}, {"cohort": "external", "users": 12.0}],
    }


@pytest.mark.parametrize(("path", "parameters"), [(TICKETS, {"cursor": "x"}), (PARTNERS, {"page": "one"})])
def test_a_page_that_is_none_is_refused(sources: LoopbackServer, path: str, parameters: dict[str, str]) -> None:
    """A typing error in the demo's own config would else show as an endless list."""
    answer = requests.get(sources.url + path, params=parameters, timeout=5)

    assert answer.status_code == 400
    assert "invalid literal" in answer.json()["error"]
