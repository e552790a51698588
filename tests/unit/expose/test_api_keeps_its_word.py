"""The API held to its own document by thousands of requests that nobody thought of, good ones and bad ones.

Each is sent to the app in four states: open to all, with a login and the right token, with a login and none, and before
the first evaluation. ``SLO_GUARD_API_REQUESTS`` says how many are sent in all.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import schemathesis
import structlog
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from slo_guard.clock import from_unix
from slo_guard.domain.notifications import DeliveryOutcome
from slo_guard.domain.ports import PlanRecord, Store
from slo_guard.domain.trails import Trail
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.evaluate.explaining import explain
from slo_guard.expose.access import AccessGate, AccessRules
from slo_guard.expose.api import create_app
from slo_guard.expose.credentials import Credentials
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.snapshot import Snapshot
from slo_guard.notify import annotations_of
from slo_guard.passwords import token_digest
from slo_guard.store import open_store
from tests.support.asked_app import BASE, asking
from tests.support.builders import a_frame, a_plan, labels, numbered
from tests.support.pictures import NOW, holding
from tests.support.seeds import SEED, announce_seed
from tests.support.serving import accepted
from tests.support.store_examples import a_notification, a_transition
from tests.support.whole_picture import P95, whole_snapshot

TOKEN = "a-token-of-the-fuzzer"
REQUESTS = int(os.environ.get("SLO_GUARD_API_REQUESTS") or 2000)
CONFORMS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
STATES = 4

__all__ = ["announce_seed"]


@dataclass
class Asked:
    """The app in its states, and how many requests were answered how."""

    open: Any
    known: Any
    stranger: Any
    not_ready: Any
    document: dict[str, Any]
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Serve everything that can be shown, over a store with deliveries in each state, silences to be added to it."""
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    before = structlog.get_config()
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    loop = asyncio.new_event_loop()
    with closing(open_store(tmp_path_factory.mktemp("store") / "slo.db")) as store:
        fill(store)
        shown, rules = with_trails(whole_snapshot()), AccessRules(Credentials({}, {"ci": token_digest(TOKEN)}), False)
        free, guarded = app_over(store, shown, AccessRules()), app_over(store, shown, rules)
        yield Asked(
            asking(free, loop),
            asking(guarded, loop, TOKEN),
            asking(guarded, loop),
            asking(app_over(store, None, AccessRules()), loop),
            free.openapi(),
        )
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    structlog.configure(**before)


def fill(store: Store) -> None:
    """Leave messages in the store that wait, arrived, and were given up."""
    messages = [
        a_notification(f"{receiver}-{number}", receiver) for number in range(3) for receiver in ("slack", "hook")
    ]
    store.save_plan(PlanRecord(0, notifications=tuple(messages)))
    for receiver, outcome in (("slack", DeliveryOutcome.DELIVERED), ("hook", DeliveryOutcome.DEAD)):
        row = store.lease(receiver, NOW, 60.0)
        assert row is not None
        store.record_attempt(row, outcome, NOW, error="http_500: no")


def with_trails(snapshot: Snapshot) -> Snapshot:
    """Return ``snapshot`` with how one KPI went."""
    values = np.array([1.0, np.nan, 1.3])
    trail = Trail(60.0, NOW - np.array([120.0, 60.0, 0.0]), values, values, values, np.array([2, -1, 7], dtype=np.int8))
    kept = {(P95.sprint, P95.id): trail}
    return replace(snapshot, trails=kept, recent_trails=kept)


def app_over(store: Store, shown: Snapshot | None, rules: AccessRules) -> FastAPI:
    """Return the app over ``shown``."""
    plan, state = a_plan(P95), EvaluationState.fresh()
    seen = numbered([a_frame("a", NOW - 30, {labels("system=fs"): 1.31, labels("system=xai"): 0.9})])
    [frame] = evaluate(plan, seen, state, from_unix(NOW)).verdicts
    why = explain(state.tracks[P95.sprint, P95.id], frame, NOW, plan.indicators)
    return create_app(
        holding(shown),
        OwnMetrics("1"),
        accepted,
        explain=lambda _sprint, _kpi: why,
        deliveries=store.deliveries,
        silencing=lambda: store,
        transitions=lambda _sprint, _kpi, _limit: (a_transition(1),),
        annotate=annotations_of,
        clock=lambda: NOW,
        gate=AccessGate(rules),
    )


def test_no_request_gets_an_answer_that_is_not_documented(asked: Asked) -> None:
    """No 5xx once it is ready, and no status, type, header or field that the document does not name."""
    schema = schemathesis.openapi.from_dict(asked.document)
    operations = [found.ok() for found in schema.get_all_operations()]
    # Without parameters and body there is one request only, and none that is wrong.
    varied = [each for each in operations if each.query or each.path_parameters or each.body]
    # Some have fewer requests than that: a parameter that is true or false.
    cases = math.ceil(1.05 * REQUESTS / (STATES * len(GenerationMode) * len(varied)))

    for operation in operations:
        for mode in GenerationMode if operation in varied else (GenerationMode.POSITIVE,):
            hold_to_its_document(asked, operation, mode, cases)

    total = sum(asked.answers.values())
    assert total >= REQUESTS
    assert {status for state, status in asked.answers if state == "open"} >= {200, 201, 404, 422}
    assert {status for state, status in asked.answers if state == "stranger"} <= {200, 401, 429}
    assert any(status == 503 for state, status in asked.answers if state == "not_ready")


def hold_to_its_document(asked: Asked, operation: Any, mode: GenerationMode, cases: int) -> None:
    """Send ``cases`` requests of one operation to the app in each of its states."""
    own = [kpi.id for kpi in whole_snapshot().kpis]

    @seed(SEED)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), named=st.sampled_from([None, *own]))
    def held(case: Any, named: str | None) -> None:
        if named is not None and mode is GenerationMode.POSITIVE:
            make_it_fit(case, named)
        wrong = [negative_data_rejection] if mode is GenerationMode.NEGATIVE else []
        send(asked, "open", case, [not_a_server_error, *CONFORMS, *wrong])
        send(asked, "known", case, [not_a_server_error, *CONFORMS, *wrong])
        send(asked, "stranger", case, [not_a_server_error, *CONFORMS])
        send(asked, "not_ready", case, CONFORMS)

    held()


def make_it_fit(case: Any, kpi: str) -> None:
    """Have a request be about a KPI that there is, for two hours: what a schema allows seldom is."""
    if "kpi" in (case.path_parameters or {}):
        case.path_parameters["kpi"] = kpi
    if case.path in ("/api/v1/silences", "/api/v1/acknowledgements") and isinstance(case.body, dict):
        about = {"matchers": [f"kpi={kpi}"]} if case.path.endswith("silences") else {"kpi": kpi}
        case.body = {"by": case.body["by"], "why": case.body["why"], "for": "2h"} | about


def send(asked: Asked, state: str, case: Any, checks: list[Any]) -> None:
    """Send one request to the app in one of its states, and hold the answer to ``checks``."""
    answer = case.call(base_url=BASE, session=getattr(asked, state))
    asked.answers[state, answer.status_code] += 1
    case.validate_response(answer, checks=checks)
