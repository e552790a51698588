"""What scripts and notebooks read of how a KPI went: its trail, and when its alerts fired."""

from __future__ import annotations

import numpy as np
import pytest
import requests

from slo_guard.clock import iso
from slo_guard.domain.trails import NOT_JUDGED, Trail
from slo_guard.domain.verdicts import Verdict
from slo_guard.errors import StoreError
from slo_guard.expose.trail_answers import TrailAnswer, TransitionsAnswer
from tests.support.builders import SPRINT_START, a_kpi, an_objective
from tests.support.pictures import NAN, a_snapshot, verdict_frame
from tests.support.serving import serving
from tests.support.store_examples import a_key, a_transition

KEY = ("sprint-40", "latency")
KPI = a_kpi("latency", objective=an_objective("at_most", 1.16))


def a_trail(*values: float, slot_seconds: float = 2580.0) -> Trail:
    """Return a trail from the sprint's start; NaN stands for a slot that nobody judged."""
    value = np.array(values)
    verdict = np.where(np.isnan(value), NOT_JUDGED, Verdict.MISSED).astype(np.int8)
    ends = SPRINT_START + slot_seconds * np.arange(1.0, len(values) + 1)
    return Trail(slot_seconds, ends, value, value - 0.5, value + 0.5, verdict)


@pytest.fixture(scope="module")
def url():
    """Serve two KPIs, of which one was never judged."""
    snapshot = a_snapshot(
        [verdict_frame(KPI, 1.3, Verdict.MISSED), verdict_frame(a_kpi("new"), NAN, Verdict.INSUFFICIENT)],
        trails={KEY: a_trail(NAN, 1.5)},
        recent_trails={KEY: a_trail(1.25, slot_seconds=30.0)},
    )

    def transitions(sprint, kpi, limit):
        if kpi == "new":
            raise StoreError("the store cannot be read: the disk is gone")
        found = (a_transition(1, key=a_key(kpi)), a_transition(2, key=a_key(kpi), note=None))
        return found[-limit:] if (sprint, kpi) == KEY else ()

    with serving(snapshot, transitions=transitions) as base:
        yield f"{base}/api/v1/kpis"


def test_a_trail_is_given_slot_by_slot(url):
    """A notebook draws it as it is; what was not judged is null, never a number."""
    answer = requests.get(f"{url}/latency/trail", timeout=10).json()

    TrailAnswer.model_validate(answer, strict=True)
    assert answer == {
        "kpi": "latency",
        "sprint": "sprint-40",
        "which": "sprint",
        "unit": None,
        "objective": "at_most 1.16",
        "slot_seconds": 2580.0,
        "at": [iso(SPRINT_START + 2580), iso(SPRINT_START + 5160)],
        "value": [None, 1.5],
        "low": [None, 1.0],
        "high": [None, 2.0],
        "verdict": [None, "missed"],
    }


def test_the_recent_trail_is_asked_for_by_name(url):
    """Who looks at a breach that has just begun needs finer slots."""
    answer = requests.get(f"{url}/latency/trail?which=recent&sprint=sprint-40", timeout=10).json()

    assert (answer["which"], answer["slot_seconds"], answer["value"]) == ("recent", 30.0, [1.25])


def test_a_kpi_that_was_never_judged_has_no_slots(url):
    """It is guarded, so it is no 404; there is nothing to draw yet."""
    answer = requests.get(f"{url}/new/trail", timeout=10).json()

    TrailAnswer.model_validate(answer, strict=True)
    assert (answer["slot_seconds"], answer["at"], answer["verdict"]) == (None, [], [])


def test_transitions_say_when_alerts_fired_and_why(url):
    """A review goes through them by hand or by script."""
    answer = requests.get(f"{url}/latency/transitions?limit=1", timeout=10).json()

    TransitionsAnswer.model_validate(answer)
    (told,) = answer["transitions"]
    assert (told["seq"], told["from"], told["to"], told["kind"]) == (2, "pending", "firing", "breach")
    assert (told["labels"], told["reason_text"]) == ({"system": "fs"}, "the value does not meet the objective")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("none/trail", 404, "no KPI 'none' is guarded"),
        ("latency/trail?which=day", 422, "which"),
        ("latency/transitions?limit=0", 422, "limit"),
        ("new/transitions", 503, "the disk is gone"),
    ],
)
def test_what_cannot_be_answered_is_said(url, path, status, said):
    """As everywhere in the API: a problem that names what was wrong."""
    answer = requests.get(f"{url}/{path}", timeout=10)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert said in answer.json()["detail"]
