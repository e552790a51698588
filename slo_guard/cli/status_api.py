"""The report out of a running daemon's API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from slo_guard.cli.status_model import UNWELL, AlertLine, KpiLine, Origin, Outbox, SourceLine, SprintLine, StatusReport
from slo_guard.clock import to_unix
from slo_guard.errors import SloGuardError
from slo_guard.http_session import HttpError, HttpSession
from slo_guard.notify.text import objective_words, one_line, value_text

_MOST_ALERTS = 1000
_MOST_MESSAGES = 1000


class UnreachableError(SloGuardError):
    """No daemon answered as one does: start it, or name its address and what it asks for."""


def ask_daemon(session: HttpSession, url: str) -> StatusReport:
    """Return how the daemon at ``url`` stands. Raises ``UnreachableError``."""

    def get(path: str, **params: str) -> Any:
        return _answer(session, url, path, params)

    try:
        return _report(url, get)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise UnreachableError(f"{url} answers, but not as this version of slo_guard does ({error!r})") from None


def _answer(session: HttpSession, url: str, path: str, params: Mapping[str, str]) -> Any:
    try:
        answer = session.get(f"{url}/api/v1/{path}", params)
    except HttpError as error:
        hint = "; --ca-file FILE names the authority to trust" if error.reason == "tls_failed" else ""
        raise UnreachableError(f"{error}{hint}") from None
    if answer.status == 200:
        return orjson.loads(answer.body)
    raise UnreachableError(f"{url} {_refusal(answer.status, answer.body)}")


def _refusal(status: int, body: bytes) -> str:
    if status in (401, 403):
        return (
            f"answered {status}: reading needs a login there; "
            "give a token in SLO_GUARD_TOKEN or with --token-file, as `slo-guard new-token` makes one"
        )
    try:
        detail = orjson.loads(body).get("detail")
    except (ValueError, AttributeError):
        detail = None
    return f"answered {status}: {one_line(str(detail))[:200]}" if detail else f"answered {status}; is it slo_guard?"


def _report(url: str, get: Callable[..., Any]) -> StatusReport:
    kpis = get("kpis", limit="1")
    sources = get("sources", limit="10000")["sources"]
    alerts = get("alerts", limit=str(_MOST_ALERTS))["alerts"]
    waiting = get("deliveries", state="pending", limit=str(_MOST_MESSAGES))["deliveries"]
    dead = get("deliveries", state="dead", limit=str(_MOST_MESSAGES))["deliveries"]
    return StatusReport(
        origin=Origin.DAEMON,
        url=url,
        at=_instant(kpis["at"]),
        sprints=tuple(_sprint(each) for each in get("sprint")["sprints"]),
        kpis=tuple(_kpi(each) for each in kpis["kpis"]),
        alerts=tuple(_alert(each) for each in alerts if each["state"] == "firing"),
        sources=tuple(_source(each) for each in sources),
        outbox=Outbox(
            pending=Counter(each["receiver"] for each in waiting),
            oldest_at=min((_instant(each["created_at"]) for each in waiting), default=None),
            dead=Counter(each["receiver"] for each in dead),
        ),
    )


def _sprint(given: Mapping[str, Any]) -> SprintLine:
    gate = given["go_no_go"]
    return SprintLine(
        sprint=given["sprint"],
        title=given["title"],
        state=given["state"],
        ends_at=_instant(given["ends_at"]),
        days_left=given["days_left"],
        work_days_left=given["work_days_left"],
        go_no_go=None if gate is None else gate["outcome"],
        go_no_go_reason=None if gate is None else gate["reason"],
    )


def _kpi(given: Mapping[str, Any]) -> KpiLine:
    worst = given["series"][0] if given["series"] else None
    objective = given["objective"] or ""
    known = worst is not None and worst["value"] is not None
    return KpiLine(
        sprint=given["sprint"],
        lane=given["lane"],
        kpi=given["kpi"],
        title=given["title"],
        verdict=given["verdict"],
        value=value_text(worst["value"], given["unit"], objective) if worst is not None and known else None,
        objective=objective_words(objective) if objective else None,
        reason=None if worst is None else worst["reason"],
        since=None if worst is None else _instant(worst["since"]),
        series=given["series_total"],
        unwell_series=sum(count for verdict, count in given["counts"].items() if verdict in UNWELL),
    )


def _alert(given: Mapping[str, Any]) -> AlertLine:
    known = given["acknowledged"]
    return AlertLine(
        sprint=given["sprint"],
        kpi=given["kpi"],
        kind=given["kind"],
        tier=given["tier"],
        severity=given["severity"],
        labels=given["labels"],
        since=_instant(given["since"]),
        silenced_by=given["silenced_by"],
        acknowledged_by=None if known is None else known["by"],
        acknowledged_until=None if known is None else _instant(known["until"]),
    )


def _source(given: Mapping[str, Any]) -> SourceLine:
    error = given["last_error"]
    failing = given["state"] == "failing" and error is not None
    return SourceLine(
        collector=given["collector"],
        state=given["state"],
        last_success=None if given["last_success"] is None else _instant(given["last_success"]),
        error=f"{error['reason']}: {error['message']}" if failing else None,
    )


def _instant(text: str) -> float:
    return to_unix(datetime.fromisoformat(text))
