"""A process that writes whole hops in a loop until it is killed; run as ``python store_writer.py DB [LIMIT_BYTES]``.

Round n stores two readings with the cursor n, one evaluation with transition n and an alert whose value is n, and
one plan with message and decision n. With LIMIT_BYTES it stores large readings until the file may not grow further,
then is given room again, and prints what it saw.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

from slo_guard.domain.notifications import Decision
from slo_guard.domain.ports import EvaluationRecord, PlanRecord, Store
from slo_guard.domain.readings import GaugeFrame
from slo_guard.domain.series import SeriesIndex, label_set
from slo_guard.errors import StoreError
from slo_guard.store import open_store
from tests.support.store_examples import a_collection, a_gauge, a_notification, a_transition, an_alert


def say(*words: object) -> None:
    """Tell the test that started this process."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def write_round(store: Store, number: int) -> None:
    """Store all three hops of one round."""
    instant = float(number)
    alert = an_alert(value=instant)
    store.save_collection(
        a_collection(a_gauge(instant, 0.0), a_gauge(instant, 1.0), cursor=str(number)), lambda: instant
    )
    store.save_evaluation(
        EvaluationRecord(instant, 2 * number, {alert.key: alert}, (a_transition(number, at=instant),))
    )
    message = a_notification(f"k{number}", transitions=(number,))
    decision = Decision(number, "slack", message.key)
    store.save_plan(PlanRecord(number, {"group": str(number)}, (message,), (decision,)))


def write_until_killed(path: Path) -> None:
    """Go on from where the store stands, as a daemon does."""
    store = open_store(path)
    number = int(store.collector_cursor("prom") or 0)
    state = store.load_evaluation()
    if state.last_seq < number:
        alert = an_alert(value=float(number))
        store.save_evaluation(
            EvaluationRecord(float(number), 2 * number, {alert.key: alert}, (a_transition(number, at=float(number)),))
        )
    if store.transition_cursor() < number:
        message = a_notification(f"k{number}", transitions=(number,))
        store.save_plan(
            PlanRecord(number, {"group": str(number)}, (message,), (Decision(number, "slack", message.key),))
        )
    say("ready")
    while True:
        number += 1
        write_round(store, number)


def fill(path: Path, limit: int) -> None:
    """Run into the limit, then go on without it."""
    store = open_store(path)
    index = SeriesIndex.of(label_set({"tenant": str(number)}) for number in range(5000))
    numbers = np.random.default_rng(1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    saved = 0
    message = ""
    while not message:
        frame = GaugeFrame(index, numbers.random(len(index)), 1.0)
        try:
            store.save_collection(a_collection(frame, frame, cursor=str(saved + 1)), lambda: 1.0)
            saved += 1
        except StoreError as error:
            message = str(error)
    say(message)
    say(saved, store.collector_cursor("prom"), len(list(store.observations())))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.save_collection(a_collection(frame, frame, cursor=str(saved + 1)), lambda: 1.0)
    say(saved + 1, store.collector_cursor("prom"), len(list(store.observations())))
    store.close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        fill(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        write_until_killed(Path(sys.argv[1]))
