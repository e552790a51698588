"""Mission Control's JSON endpoints on loopback, in the test's hands: paths and paging as the shipped config reads them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

from slo_guard.clock import iso
from tests.support.http_sources import HttpSource, Reply, Request

PARTNERS = ("acme", "globex", "initech", "umbrella", "wonka")
TICKETS = ("MC-1", "MC-2", "MC-3", "MC-4", "MC-5")
ROWS_A_PAGE = 2


class MissionApi:
    """Use as a context manager. All lists come in pages of two, each endpoint with the paging of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._http = HttpSource(self._answer)
        self._issues = {key: {"points_left": 5, "blocked_hours": None} for key in TICKETS}
        self._changes: list[dict[str, Any]] = []
        self._partners: dict[str, dict[str, dict[str, int]]] = {
            partner: {
                "packets": {"verified": 40, "auto_passed": 40},
                "failures": {"untriaged_over_1d": 0, "triaged_without_clause": 0},
                "transactions": {"commercial": 0},
            }
            for partner in PARTNERS
        }
        self._flag_enabled = False
        self._users = {"internal": 40, "beta": 0, "customers": 0}

    def __enter__(self) -> Self:
        self._http.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()

    @property
    def url(self) -> str:
        return self._http.url

    @property
    def requests(self) -> list[Request]:
        return self._http.requests

    def block(self, ticket: str, hours: float | None) -> None:
        """Have a ticket blocked for so long; None: it is not."""
        with self._lock:
            self._issues[ticket]["blocked_hours"] = hours

    def change_scope(self, at: float, points: int) -> None:
        """Enter a change of scope into the ledger."""
        with self._lock:
            self._changes.append({"id": f"C-{len(self._changes) + 1}", "points": points, "changed_at": iso(at)})

    def verify_packets(self, partner: str, number: int, *, auto_passed: int) -> None:
        """Have so many more packets verified, of which ``auto_passed`` needed no hand."""
        with self._lock:
            packets = self._partners[partner]["packets"]
            packets["verified"] += number
            packets["auto_passed"] += auto_passed

    def set_partner(self, partner: str, subject: str, count: str, value: int) -> None:
        """Have one of a partner's numbers another value, such as ``failures`` ``untriaged_over_1d``."""
        with self._lock:
            assert count in self._partners[partner][subject]
            self._partners[partner][subject][count] = value

    def enable_flag(self, *, enabled: bool) -> None:
        with self._lock:
            self._flag_enabled = enabled

    def expose(self, cohort: str, users: int) -> None:
        """Show the flagged panel to so many users of a cohort."""
        with self._lock:
            self._users[cohort] = users

    def _answer(self, request: Request) -> Any:
        with self._lock:
            match request.path:
                case "/api/sprints/sprint-40/issues":
                    rows = [{"key": key, **fields} for key, fields in self._issues.items()]
                    return _by_cursor(rows, request)
                case "/api/sprints/sprint-40/scope":
                    return _by_link(self._changes, request)
                case "/api/partners":
                    number = int(request.params["page"]) - 1
                    assert request.params["per_page"] == "50"
                    rows = [{"id": partner, **numbers} for partner, numbers in self._partners.items()]
                    return _json({"partners": _page(rows, number)})
                case "/api/flags/xai-2-1-m1":
                    exposure = [{"cohort": cohort, "users": users} for cohort, users in self._users.items()]
                    return _json({"enabled": self._flag_enabled, "exposure": exposure})
        return Reply(b'{"error": "no such thing"}', 404, {"Content-Type": "application/json"})


def _by_cursor(rows: Sequence[Any], request: Request) -> Reply:
    number = int(request.params.get("cursor", "c0").removeprefix("c"))
    following = f"c{number + 1}" if _page(rows, number + 1) else None
    return _json({"issues": _page(rows, number), "page": {"next_cursor": following}})


def _by_link(rows: Sequence[Any], request: Request) -> Reply:
    number = int(request.params.get("from", "0"))
    following = f"{request.path}?from={number + 1}" if _page(rows, number + 1) else None
    return _json({"changes": _page(rows, number), "links": {"next": following}})


def _page(rows: Sequence[Any], number: int) -> list[Any]:
    return list(rows[number * ROWS_A_PAGE : (number + 1) * ROWS_A_PAGE])


def _json(document: Mapping[str, Any]) -> Reply:
    return Reply(json.dumps(document).encode(), 200, {"Content-Type": "application/json"})
