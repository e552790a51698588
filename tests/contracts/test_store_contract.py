"""What every store promises: run over the SQLite store and over the fake that other tests use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slo_guard.domain.alerts import AlertKind, FinalVerdict
from slo_guard.domain.budgets import BudgetFrame
from slo_guard.domain.builtin import BURN_ALARM, burn_alarm_index
from slo_guard.domain.kpi import BurnPair, ErrorBudget, MatchOp, Severity, Window, WindowKind
from slo_guard.domain.notifications import Decision, DeliveryOutcome, NotToldReason, RowState
from slo_guard.domain.ports import EvaluationRecord, FinalVerdicts, PlanRecord, Store, VerdictChanges, VerdictMemory
from slo_guard.domain.readings import Collection, GaugeFrame, Reading
from slo_guard.domain.rule_changes import RuleChange, RuleField, RuleForms, RuleLog
from slo_guard.domain.series import SeriesIndex, label_set
from slo_guard.domain.silences import Matcher, NewAcknowledgement, NewSilence
from slo_guard.domain.trails import NOT_JUDGED, Trail
from slo_guard.domain.verdicts import (
    REASON_CODE,
    REASONS,
    AlertState,
    Outlook,
    Reason,
    Restatement,
    Seal,
    Targets,
    Verdict,
)
from slo_guard.errors import StoreConflictError, StoreError
from slo_guard.store import open_store
from tests.support.fake_store import FakeStore
from tests.support.store_examples import (
    TWO_SYSTEMS,
    a_collection,
    a_failure,
    a_gauge,
    a_key,
    a_notification,
    a_transition,
    an_alert,
    collections,
    content,
)

DAY = 86400.0
RETENTION = 10 * DAY

DELIVERED, RETRY, DEAD = DeliveryOutcome.DELIVERED, DeliveryOutcome.RETRY, DeliveryOutcome.DEAD


@pytest.fixture(params=["sqlite", "fake"])
def new_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    opened: list[Store] = []

    def make() -> Store:
        if request.param == "fake":
            opened.append(FakeStore(retention_seconds=RETENTION))
        else:
            folder: Path = tmp_path_factory.mktemp("store")
            opened.append(open_store(folder / "slo.db", retention_seconds=RETENTION))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(new_store: Callable[[], Store]) -> Store:
    return new_store()


def at(instant: float) -> Callable[[], float]:
    return lambda: instant


def ids(store: Store, **filters: object) -> list[int]:
    return [item.id for item in store.observations(**filters)]  # type: ignore[arg-type]


# --- hop 1 ---


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(saved=st.lists(collections, max_size=4))
def test_what_is_read_is_what_was_stored(new_store: Callable[[], Store], saved: list[Collection]) -> None:
    """A verdict is only as right as the readings: every frame kind comes back bit for bit, in order."""
    store = new_store()

    for collection in saved:
        store.save_collection(collection, at(50.0))
    read = [item.observation for item in store.observations()]
    store.close()

    assert [content(item) for item in read] == [content(item) for one in saved for item in one.observations]


def test_equal_label_sets_come_over_the_same_index(store: Store) -> None:
    """The evaluator keeps what it derived by index object; a new object each cycle would cost it every cycle."""
    for _ in range(3):
        store.save_collection(a_collection(a_gauge(), a_gauge()), at(1.0))

    indexes = {id(item.observation.frame.index) for item in store.observations()}  # type: ignore[union-attr]

    assert indexes == {id(TWO_SYSTEMS)}


def test_all_observations_of_a_collection_are_stamped_as_it_is_stored(store: Store) -> None:
    """Replay goes by seen_at: it is when we could have judged the reading, not when the request was sent."""
    seen_at = store.save_collection(a_collection(a_gauge(), a_failure("errors")), at(123.5))

    assert seen_at == 123.5
    assert [item.observation.seen_at for item in store.observations()] == [123.5, 123.5]


def seen(store: Store) -> list[float]:
    return [item.observation.seen_at for item in store.observations()]


def test_seen_at_never_goes_back(store: Store) -> None:
    """A wall clock that is set back a little must not slip readings behind an evaluation that has been made."""
    store.save_collection(a_collection(a_gauge()), at(200.0))

    seen_at = store.save_collection(a_collection(a_gauge()), at(140.0))

    assert seen_at == 200.0
    assert seen(store) == [200.0, 200.0]


def test_seen_at_never_goes_back_even_when_the_readings_are_pruned(store: Store) -> None:
    """The order must hold across a pruning that leaves no reading to compare with."""
    store.save_collection(a_collection(a_gauge()), at(200.0))
    store.prune(200.0 + 2 * RETENTION)

    assert store.save_collection(a_collection(a_gauge()), at(150.0)) == 200.0


def test_a_clock_that_was_far_ahead_for_a_moment_hides_no_later_reading(store: Store) -> None:
    """An evaluation sees what was seen until its `now`: held at tomorrow's time, all readings would be invisible."""
    store.save_collection(a_collection(a_gauge(at=100.0)), at(100.0))
    store.save_evaluation(EvaluationRecord(100.0, ids(store)[-1]))
    store.save_collection(a_collection(a_gauge(at=DAY), a_failure()), at(DAY))

    seen_at = store.save_collection(a_collection(a_gauge(at=110.0)), at(110.0))

    assert seen_at == 110.0
    assert seen(store) == [100.0, 110.0, 110.0, 110.0]
    assert ids(store, seen_until=110.0) == ids(store)


def test_what_was_seen_while_the_clock_was_ahead_is_older_than_what_comes_next(store: Store) -> None:
    """A sample whose own time lies a day ahead would make every sample of that day count as late."""
    store.save_collection(a_collection(a_gauge(at=100.0)), at(100.0))
    store.save_collection(a_collection(a_gauge(at=DAY), a_gauge(at=90.0), a_failure()), at(DAY))

    store.save_collection(a_collection(a_gauge(at=109.5)), at(110.0))
    frames = [item.observation.frame for item in store.observations() if isinstance(item.observation, Reading)]

    assert [frame.at for frame in frames if isinstance(frame, GaugeFrame)] == [100.0, 100.0, 90.0, 109.5]


def test_no_reading_slips_behind_an_evaluation_that_saw_the_clock_ahead(store: Store) -> None:
    """What has been judged stays as it was judged, or a replay would show that evaluation what it never saw."""
    store.save_collection(a_collection(a_gauge()), at(DAY))
    store.save_evaluation(EvaluationRecord(DAY + 1, ids(store)[-1]))
    store.save_collection(a_collection(a_gauge()), at(DAY + 5))

    seen_at = store.save_collection(a_collection(a_gauge()), at(110.0))

    assert seen_at == DAY + 1
    assert seen(store) == [DAY, DAY + 1, DAY + 1]


def test_ids_ascend_and_are_never_given_twice(store: Store) -> None:
    """The reading cursor counts on it: a number used again would hide a reading from the evaluator."""
    store.save_collection(a_collection(a_gauge(), a_gauge()), at(1.0))
    first = ids(store)
    store.prune(1.0 + 2 * RETENTION)

    store.save_collection(a_collection(a_gauge()), at(2.0))

    assert first == sorted(set(first))
    assert min(ids(store)) > max(first)


def test_observations_are_filtered_by_id_time_and_indicator(store: Store) -> None:
    """After a restart each window reads its own span; a wrong bound is a wrong verdict."""
    for instant in (10.0, 20.0, 30.0, 40.0):
        store.save_collection(a_collection(a_gauge(), indicator="p95"), at(instant))
        store.save_collection(a_collection(a_gauge(), indicator="errors"), at(instant))
    everything = ids(store)

    assert ids(store, after_id=everything[2]) == everything[3:]
    assert ids(store, after_id=everything[1], up_to_id=everything[4]) == everything[2:5]
    assert ids(store, seen_from=20.0, seen_until=30.0) == everything[2:6]
    assert ids(store, seen_from=20.5) == everything[4:]
    assert ids(store, indicators=["p95"]) == everything[0::2]
    assert ids(store, indicators=["errors"], seen_until=10.0, after_id=0) == [everything[1]]
    assert ids(store, indicators=[]) == []


def test_a_failure_is_read_for_each_indicator_that_it_concerns(store: Store) -> None:
    """A KPI's no_data must say that its source failed, also when the failure covered several indicators."""
    store.save_collection(a_collection(a_failure("p95", "errors")), at(1.0))

    assert len(ids(store, indicators=["errors"])) == 1
    assert ids(store, indicators=["logged"]) == []


def test_an_iterator_shows_the_store_as_it_was_when_asked_for(store: Store) -> None:
    """An evaluation at `now` must not see what was stamped after its `now`."""
    store.save_collection(a_collection(a_gauge()), at(1.0))
    asked = store.observations()

    store.save_collection(a_collection(a_gauge()), at(2.0))

    assert len(list(asked)) == 1


def test_an_iterator_may_be_left_half_read(store: Store) -> None:
    """Whoever looks for the first match must not leave the store locked."""
    for instant in range(40):
        store.save_collection(a_collection(a_gauge()), at(float(instant)))

    first = next(iter(store.observations()))
    store.save_collection(a_collection(a_gauge()), at(50.0))

    assert first.id == ids(store)[0]
    assert len(ids(store)) == 41


def test_a_collection_that_cannot_be_stamped_leaves_nothing(store: Store) -> None:
    """All or nothing: half a collection would be judged as if the rest were missing at the source."""

    def broken() -> float:
        raise RuntimeError("no clock")

    with pytest.raises(RuntimeError):
        store.save_collection(a_collection(a_gauge(), cursor="7"), broken)

    assert ids(store) == []
    assert store.collector_cursor("prom") is None
    assert store.save_collection(a_collection(a_gauge()), at(3.0)) == 3.0


def test_a_cursor_is_kept_until_a_collection_brings_another(store: Store) -> None:
    """A collector goes on where it stopped: no reading twice, none left out."""
    assert store.collector_cursor("file") is None

    store.save_collection(a_collection(a_gauge(), collector="file", cursor="offset 7"), at(1.0))
    store.save_collection(a_collection(a_failure(collector="file"), collector="file"), at(2.0))
    store.save_collection(a_collection(a_gauge(), collector="sql", cursor="3"), at(2.0))

    assert store.collector_cursor("file") == "offset 7"


def test_a_reader_waits_for_a_writer_that_has_stamped(store: Store) -> None:
    """Whoever reads behind the lock sees every observation stamped before its own `now`."""
    stamped, go_on = threading.Event(), threading.Event()

    def slow_stamp() -> float:
        stamped.set()
        assert go_on.wait(10)
        return 5.0

    writer = threading.Thread(target=store.save_collection, args=(a_collection(a_gauge()), slow_stamp))
    seen: list[int] = []
    reader = threading.Thread(target=lambda: seen.extend(ids(store)))

    writer.start()
    assert stamped.wait(10)
    reader.start()
    reader.join(0.2)
    waited = reader.is_alive()
    go_on.set()
    writer.join(10)
    reader.join(10)

    assert waited
    assert len(seen) == 1


def test_writing_holds_off_other_writers_and_is_reentrant(store: Store) -> None:
    """A job that reads, decides and writes must not be overtaken in between."""
    saved = threading.Event()

    def save() -> None:
        store.save_collection(a_collection(a_gauge()), at(1.0))
        saved.set()

    other = threading.Thread(target=save)
    with store.writing(), store.writing():
        other.start()
        held_off = not saved.wait(0.2)
        store.save_collection(a_collection(a_failure()), at(0.5))
    other.join(10)

    assert held_off
    assert saved.is_set()
    assert len(ids(store)) == 2


# --- hop 2 ---


def test_a_new_store_has_never_evaluated(store: Store) -> None:
    """The first evaluation must be told apart from one after a restart."""
    state = store.load_evaluation()

    assert state.evaluated_at is None
    assert (state.reading_cursor, state.last_seq, store.transition_cursor()) == (0, 0, 0)
    assert not state.alerts
    assert not state.memories
    assert not state.kpi_evaluated_at


def test_alerts_are_kept_until_they_end(store: Store) -> None:
    """Pending, firing and keep-firing go on over a restart, so every field must come back."""
    firing, pending = an_alert(), an_alert(a_key("ga_audits", system="xai2"), state=AlertState.PENDING, fired_at=None)
    full = an_alert(
        a_key("x"), clear_since=7.5, held_since=8.5, verdict=Verdict.NO_DATA, reason=Reason.STALE, value=None
    )
    alerts = {alert.key: alert for alert in (firing, pending, full)}
    store.save_evaluation(EvaluationRecord(10.0, 1, alerts))

    store.save_evaluation(EvaluationRecord(20.0, 2, {firing.key: None, a_key("never there"): None}))
    state = store.load_evaluation()

    assert state.alerts == {pending.key: pending, full.key: full}
    assert (state.evaluated_at, state.reading_cursor) == (20.0, 2)


def test_transitions_come_back_whole_and_in_order(store: Store) -> None:
    """A transition outlives its rule: all that its message shows must be in it."""
    bare = a_transition(2, value=None, note=None, unit=None, runbook_url=None, annotations={}, collectors=())
    saved = (a_transition(1), bare, a_transition(3, at=500.0))

    store.save_evaluation(EvaluationRecord(400.0, 1, transitions=saved[:2]))
    store.save_evaluation(EvaluationRecord(500.0, 1, transitions=saved[2:]))

    assert store.transitions() == saved
    assert store.transitions(after=1, limit=1) == saved[1:2]
    assert store.transitions(after=3) == ()
    assert store.load_evaluation().last_seq == 3


@pytest.mark.parametrize("numbers", [(2,), (1, 1), (1, 3), (0,)])
def test_transitions_with_a_gap_or_a_repeat_are_refused_as_a_whole(store: Store, numbers: tuple[int, ...]) -> None:
    """The planner counts through the numbers; one left out would be an alert that nobody hears of."""
    alert = an_alert()
    record = EvaluationRecord(
        10.0,
        9,
        {alert.key: alert},
        transitions=tuple(a_transition(number) for number in numbers),
        evaluated=(("sprint-40", "ga_e2e_p95"),),
    )

    with pytest.raises(StoreConflictError, match="next number"):
        store.save_evaluation(record)

    state = store.load_evaluation()
    assert store.transitions() == ()
    assert (state.evaluated_at, state.reading_cursor, dict(state.alerts), dict(state.kpi_evaluated_at)) == (
        None,
        0,
        {},
        {},
    )


def test_numbers_go_on_after_old_transitions_are_pruned(store: Store) -> None:
    """A number given twice would be taken for one that was told already."""
    store.save_evaluation(EvaluationRecord(10.0, 1, transitions=(a_transition(1, at=10.0),)))
    store.save_plan(PlanRecord(1))
    store.prune(10.0 + 2 * RETENTION)

    store.save_evaluation(EvaluationRecord(20.0, 1, transitions=(a_transition(2, at=20.0),)))

    assert [item.seq for item in store.transitions()] == [2]


def a_final(kpi: str, *, value: float = 1.5, at: float = 10.0, outlook: Outlook | None = None) -> FinalVerdicts:
    return FinalVerdicts(
        sprint="sprint-40",
        kpi=kpi,
        at=at,
        index=TWO_SYSTEMS,
        value=np.array([value, np.nan]),
        verdict=np.array([Verdict.MISSED, Verdict.NO_DATA], dtype=np.int8),
        reason=np.array([REASON_CODE[Reason.OVERDUE], REASON_CODE[Reason.STALE]], dtype=np.int8),
        samples=np.array([3, 0]),
        coverage=np.array([0.5, np.nan]),
        total=np.array([7.0, np.nan]),
        since=np.array([1.0, 2.0]),
        window_start=5.0,
        notes={1: "signed by Ada"},
        outlook=outlook,
    )


def test_a_close_comes_back_with_the_last_verdicts_of_its_kpis(store: Store) -> None:
    """After a restart a sprint must not close again, and what it came to must show as before."""
    outlook = Outlook(left=np.array([-1.0, 2.0]), attainable=np.array([False, True]))
    finals = (a_final("a"), a_final("b", outlook=outlook))
    store.save_evaluation(EvaluationRecord(10.0, 1, closed={"sprint-40": 10.0, "sprint-39": 5.0}, finals=finals))

    store.save_evaluation(EvaluationRecord(20.0, 1, closed={"sprint-40": 20.0}, finals=(a_final("a", value=2.5),)))
    state = store.load_evaluation()

    assert state.closed == {"sprint-39": 5.0, "sprint-40": 20.0}
    assert set(state.finals) == {("sprint-40", "a"), ("sprint-40", "b")}
    read = state.finals["sprint-40", "b"]
    assert (read.at, read.window_start, dict(read.notes)) == (10.0, 5.0, {1: "signed by Ada"})
    assert read.index is TWO_SYSTEMS
    for name in ("value", "verdict", "reason", "samples", "coverage", "total", "since"):
        np.testing.assert_array_equal(getattr(read, name), getattr(finals[1], name), err_msg=name)
    assert read.outlook is not None
    assert (read.outlook.line, read.outlook.raw) == (None, None)
    np.testing.assert_array_equal(read.outlook.left, [-1.0, 2.0])
    np.testing.assert_array_equal(read.outlook.attainable, [False, True])
    assert state.finals["sprint-40", "a"].value[0] == 2.5
    assert state.finals["sprint-40", "a"].outlook is None


def a_trail(*values: float) -> Trail:
    """Return a trail of slots of a minute; NaN stands for one that nobody judged."""
    value = np.array(values)
    verdict = np.where(np.isnan(value), NOT_JUDGED, Verdict.MET).astype(np.int8)
    return Trail(60.0, 60.0 * np.arange(1.0, len(values) + 1), value, value - 1, value + 1, verdict)


def test_trails_come_back_as_they_were_kept_last(store: Store) -> None:
    """What a page draws of a sprint is to outlive a restart, also of rules whose turn is not in each evaluation."""
    one, other, longer = a_trail(1.0, np.nan), a_trail(3.0), a_trail(1.0, np.nan, 2.0)
    store.save_evaluation(EvaluationRecord(10.0, 1, trails={("sprint-40", "a"): one, ("sprint-40", "b"): other}))

    store.save_evaluation(EvaluationRecord(20.0, 1, trails={("sprint-40", "a"): longer}))
    store.prune(100 * DAY)
    found = store.load_evaluation().trails

    assert set(found) == {("sprint-40", "a"), ("sprint-40", "b")}
    for kpi, kept in (("a", longer), ("b", other)):
        read = found["sprint-40", kpi]
        assert read.slot_seconds == 60.0
        for name in ("at", "value", "low", "high", "verdict"):
            np.testing.assert_array_equal(getattr(read, name), getattr(kept, name), err_msg=name)
        assert read.verdict.dtype == np.int8


def test_an_error_budget_comes_back_as_it_stood_at_the_end(store: Store) -> None:
    """What is left of a sprint's budget is what people look up weeks later."""
    pairs = (BurnPair(3600.0, 300.0, 14.4, Severity.PAGE, "1h/5m"), BurnPair(60.0, 30.0, 2.0, Severity.NONE, "1m/30s"))
    rule = ErrorBudget(Window(WindowKind.SPRINT), "sprint", 0.01, burn_alerts=pairs, min_total=30.0)
    budget = BudgetFrame(
        budget=rule,
        start=1.0,
        end=10.0,
        bad=np.array([3.0, np.nan]),
        total=np.array([100.0, 0.0]),
        remaining=np.array([-2.0, np.nan]),
        windows=np.array([30.0, 60.0, 300.0]),
        rates=np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]),
        totals=np.array([[10.0, 20.0], [30.0, 0.0], [50.0, 60.0]]),
        burning=np.array([[True, False], [False, False]]),
        unseen=np.zeros((2, 2), dtype=bool),
        exhausted_in=np.array([0.0, np.inf]),
        pace_seconds=3600.0,
        length_seconds=12 * 86400.0,
    )

    store.save_evaluation(EvaluationRecord(10.0, 1, finals=(replace(a_final("a"), budget=budget), a_final("b"))))

    finals = store.load_evaluation().finals
    read = finals["sprint-40", "a"].budget
    assert read is not None
    assert read.budget == rule
    for row in (0, 1):
        assert repr(read.row(row)) == repr(budget.row(row))
    assert finals["sprint-40", "b"].budget is None


def test_each_tier_of_burn_alerts_is_an_alert_of_its_own(store: Store) -> None:
    """The fast tier may end while the slow one goes on; a store that mixed them up would resolve both."""
    fast, slow = (
        replace(an_alert(), key=replace(an_alert().key, kind=AlertKind.BURN, tier=t)) for t in ("1h/5m", "6h/30m")
    )
    told = replace(a_transition(1), key=fast.key)
    store.save_evaluation(EvaluationRecord(10.0, 1, {fast.key: fast, slow.key: slow}, transitions=(told,)))

    store.save_evaluation(EvaluationRecord(20.0, 1, {fast.key: None}))

    assert dict(store.load_evaluation().alerts) == {slow.key: slow}
    assert store.transitions()[0].key == fast.key


def test_built_in_readings_are_stored_with_the_evaluation_that_made_them(store: Store) -> None:
    """Burn alarms are counted on after a restart; what was seen must ascend with the numbers all the same."""
    store.save_collection(a_collection(a_gauge(at=50.0)), lambda: 50.0)
    frame = GaugeFrame(burn_alarm_index("sprint-40"), np.array([1.0]), 40.0)

    store.save_evaluation(EvaluationRecord(40.0, 0, own_readings=(Reading(BURN_ALARM, "slo_guard", 40.0, frame),)))

    *_, last = store.observations()
    assert isinstance(last.observation, Reading)
    assert (last.observation.indicator, last.observation.seen_at) == (BURN_ALARM, 50.0)
    assert isinstance(last.observation.frame, GaugeFrame)
    assert (last.observation.frame.at, last.observation.frame.values.tolist()) == (40.0, [1.0])
    assert last.id == max(stored.id for stored in store.observations())


def a_restatement(kpi: str, *, at: float = 15.0, value: float = 2.0) -> Restatement:
    return Restatement(
        sprint="sprint-40",
        kpi=kpi,
        at=at,
        inputs_digest="cd" * 32,
        index=TWO_SYSTEMS,
        value=np.array([value, np.nan]),
        verdict=np.array([Verdict.MET, Verdict.NO_DATA], dtype=np.int8),
        reason=np.array([REASON_CODE[Reason.OBJECTIVE_MET], REASON_CODE[Reason.STALE]], dtype=np.int8),
        notes={0: "signed by Ada, backdated"},
    )


def test_a_seal_comes_back_with_the_verdicts_that_it_seals(store: Store) -> None:
    """What a verdict was made of can be proved only for as long as it is kept beside it."""
    seal = Seal("ab" * 32, "cd" * 32, "rules/ga-ops.yaml", "at_most 1.16s")
    targets = Targets((), "at_most 1.2s", Verdict.MET)
    sealed = replace(a_final("a"), seal=seal, targets=targets)

    store.save_evaluation(EvaluationRecord(10.0, 1, finals=(sealed, replace(a_final("b"), seal=seal), a_final("c"))))

    finals = store.load_evaluation().finals
    found = [(finals["sprint-40", kpi].seal, finals["sprint-40", kpi].targets) for kpi in "abc"]
    assert found == [(seal, targets), (seal, None), (None, None)]


def test_the_newest_restatement_comes_back_until_the_kpi_closes_anew(store: Store) -> None:
    """It stands beside one close's verdict; a sprint whose end was moved closes again, and nothing came after that."""
    store.save_evaluation(EvaluationRecord(10.0, 1, finals=(a_final("a"), a_final("b"))))
    store.save_evaluation(EvaluationRecord(15.0, 1, restatements=(a_restatement("a"), a_restatement("b"))))
    store.save_evaluation(EvaluationRecord(20.0, 1, restatements=(a_restatement("a", at=20.0, value=3.0),)))

    found = store.load_evaluation().restatements["sprint-40", "a"]
    store.save_evaluation(EvaluationRecord(30.0, 1, finals=(a_final("a", at=30.0),)))

    assert (found.at, found.inputs_digest, found.notes) == (20.0, "cd" * 32, {0: "signed by Ada, backdated"})
    assert found.index.label_sets == TWO_SYSTEMS.label_sets
    assert found.value.tolist()[0] == 3.0
    assert found.verdict.tolist() == [Verdict.MET, Verdict.NO_DATA]
    assert [REASONS[code] for code in found.reason] == [Reason.OBJECTIVE_MET, Reason.STALE]
    assert set(store.load_evaluation().restatements) == {("sprint-40", "b")}


def test_changes_of_rules_come_back_in_their_order_with_the_first_and_the_last_form(store: Store) -> None:
    """A restart compares the files with what was judged last, and still knows what was promised first."""
    key = ("sprint-40", "ga_e2e_p95")
    first, then = ({"objective": RuleField(f'["at_most",{bound},null]', f"at_most {bound}s")} for bound in (1, 2))
    changes = [RuleChange(*key, at, "objective", "at_most 1s", "at_most 2s") for at in (20.0, 30.0)]
    store.save_evaluation(EvaluationRecord(10.0, 1, rules=RuleLog({key: RuleForms(first, first)})))
    store.save_evaluation(EvaluationRecord(20.0, 1, rules=RuleLog({key: RuleForms(first, then)}, (changes[0],))))
    store.save_evaluation(EvaluationRecord(30.0, 1, rules=RuleLog({}, (changes[1],))))

    found = store.load_evaluation().rules

    assert found.changes == tuple(changes)
    assert found.forms == {key: RuleForms(first, then)}


def test_the_transition_of_a_close_says_what_changed_and_what_it_was_made_of(store: Store) -> None:
    """The summary may be sent after a restart, from what is stored."""
    change = RuleChange("sprint-40", "a", 5.0, "objective", "at_most 1s", "at_most 2s")
    final = FinalVerdict(
        kpi="a",
        title="A",
        lane="ga-ops",
        owner="Ada",
        verdict=Verdict.MET,
        reason=Reason.OBJECTIVE_MET,
        value=1.5,
        unit="seconds",
        objective="at_most 2s",
        inputs_digest="ab" * 32,
        rule_digest="cd" * 32,
        changes=(change,),
        by_original=Verdict.MISSED,
    )
    close = replace(a_transition(1), finals=(final, replace(final, changes=(), by_original=None)))

    store.save_evaluation(EvaluationRecord(10.0, 1, transitions=(close,)))

    assert store.transitions() == (close,)


def test_each_kpi_has_its_own_last_evaluation_and_memory(store: Store) -> None:
    """KPIs have different intervals; `since` must survive a restart for each."""
    verdicts = np.array([Verdict.MISSED, Verdict.MET], dtype=np.int8)
    reasons = np.array([REASON_CODE[Reason.RECOVERED], REASON_CODE[Reason.STALE]], dtype=np.int8)
    late = np.array([True, False])
    memory = VerdictMemory("sprint-40", "a", TWO_SYSTEMS, verdicts, reasons, np.array([1.5, 2.5]), late)
    newer = VerdictMemory(
        "sprint-40", "a", TWO_SYSTEMS, verdicts[::-1], reasons[::-1], np.array([3.5, 4.5]), late[::-1]
    )
    other = VerdictMemory("sprint-40", "b", SeriesIndex.of(((),)), verdicts[:1], reasons[:1], np.array([9.0]), late[:1])

    store.save_evaluation(
        EvaluationRecord(10.0, 1, memories=(memory, other), evaluated=(("sprint-40", "a"), ("sprint-40", "b")))
    )
    store.save_evaluation(EvaluationRecord(20.0, 1, memories=(newer,), evaluated=(("sprint-40", "a"),)))
    state = store.load_evaluation()

    assert state.kpi_evaluated_at == {("sprint-40", "a"): 20.0, ("sprint-40", "b"): 10.0}
    assert set(state.memories) == {("sprint-40", "a"), ("sprint-40", "b")}
    read = state.memories["sprint-40", "a"]
    assert read.index is TWO_SYSTEMS
    assert read.verdict.tolist() == newer.verdict.tolist()
    assert read.reason.tolist() == newer.reason.tolist()
    assert read.since.tolist() == [3.5, 4.5]


def test_verdict_changes_are_taken_with_first_verdicts_and_missing_values(store: Store) -> None:
    """The first verdict of a series has none before it, and no_data has no value."""
    change = VerdictChanges(
        "sprint-40",
        "a",
        10.0,
        TWO_SYSTEMS,
        np.array([-1, 2], dtype=np.int8),
        np.array([2, 6], dtype=np.int8),
        np.array([0, 1], dtype=np.int8),
        np.array([1.0, np.nan]),
    )

    store.save_evaluation(EvaluationRecord(10.0, 1, changes=(change,)))

    assert store.load_evaluation().evaluated_at == 10.0


def test_a_kpis_own_changes_are_given_back_the_last_ones_in_order(store: Store) -> None:
    """How it came to a verdict is read from them, as of now or as of an instant before."""

    def change(kpi: str, at: float) -> VerdictChanges:
        codes = np.array([-1, 2], dtype=np.int8), np.array([2, 6], dtype=np.int8)
        reason = np.array([REASON_CODE[Reason.OBJECTIVE_MET], REASON_CODE[Reason.STALE]], dtype=np.int8)
        return VerdictChanges("sprint-40", kpi, at, TWO_SYSTEMS, *codes, reason, np.array([1.5, np.nan]))

    for place, instant in enumerate((10.0, 20.0, 30.0)):
        told = (
            a_transition(2 * place + 1, at=instant, key=a_key("a")),
            a_transition(2 * place + 2, at=instant, key=a_key("b")),
        )
        store.save_evaluation(
            EvaluationRecord(instant, 1, transitions=told, changes=(change("a", instant), change("b", instant)))
        )

    found = store.verdict_changes("sprint-40", "a", until=20.0, limit=5)
    transitions = store.kpi_transitions("sprint-40", "a", until=30.0, limit=2)

    assert [(each.kpi, each.at) for each in found] == [("a", 10.0), ("a", 20.0)]
    assert found[0].index is TWO_SYSTEMS
    assert (found[0].before.tolist(), found[0].after.tolist()) == ([-1, 2], [2, 6])
    assert [REASONS[code] for code in found[0].reason] == [Reason.OBJECTIVE_MET, Reason.STALE]
    assert found[0].value[0] == 1.5
    assert np.isnan(found[0].value[1])
    assert [(each.key.kpi, each.at, each.seq) for each in transitions] == [("a", 20.0, 3), ("a", 30.0, 5)]
    assert store.verdict_changes("sprint-41", "a", until=99.0, limit=5) == ()


def test_cursors_of_evaluations_never_go_back(store: Store) -> None:
    """An instant judged twice or a reading taken in twice would repeat what was told."""
    store.save_evaluation(EvaluationRecord(20.0, 7))

    store.save_evaluation(EvaluationRecord(10.0, 3))
    state = store.load_evaluation()

    assert (state.evaluated_at, state.reading_cursor) == (20.0, 7)


@pytest.mark.parametrize("clock_ahead", [0.0, 50.0])
def test_what_an_evaluation_read_of_itself_stands_behind_all_readings_so_far(store: Store, clock_ahead: float) -> None:
    """A restart rebuilds burn alarms from it; by its number, or its time, before another it might never be read."""
    own = Reading("slo_guard_burn_alarm_seconds", "slo_guard", 20.0, a_gauge(1.0, 0.0, at=20.0))
    store.save_collection(a_collection(a_gauge()), at(20.0 + clock_ahead))

    store.save_evaluation(EvaluationRecord(20.0, ids(store)[-1], own_readings=(own,)))
    store.save_collection(a_collection(a_gauge()), at(30.0))

    assert len(set(ids(store))) == 3
    assert ids(store) == sorted(ids(store))
    assert seen(store) == [20.0 + clock_ahead, 20.0 + clock_ahead, max(30.0, 20.0 + clock_ahead)]


# --- hop 3 and deliveries ---


def test_a_plan_comes_back_whole(store: Store) -> None:
    """Groups hold the planner's timers; a decision is the proof that nothing was lost."""
    decisions = (
        Decision(1, "slack", "k1"),
        Decision(1, "webhook", None, NotToldReason.NOT_ROUTED),
        Decision(2, "slack", None, NotToldReason.PENDING),
    )
    store.save_plan(PlanRecord(2, {"g1": '{"a": 1}', "g2": "{}"}, (a_notification("k1"),), decisions))

    store.save_plan(PlanRecord(3, {"g2": None, "g1": '{"a": 2}', "never there": None}))

    assert store.transition_cursor() == 3
    assert store.planner_groups() == {"g1": '{"a": 2}'}
    assert store.decisions() == decisions
    assert store.decisions(after=1) == decisions[2:]
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None
    assert row.notification == a_notification("k1")
    assert row.attempts == 0


def test_a_plan_that_fails_in_the_middle_leaves_nothing(store: Store) -> None:
    """A cursor without its messages would be an alert lost; messages without their cursor would be told twice."""
    broken = PlanRecord(5, {"g": "{}"}, (a_notification("k1"),), (None,))  # type: ignore[arg-type]

    with pytest.raises(AttributeError):
        store.save_plan(broken)

    assert store.transition_cursor() == 0
    assert store.planner_groups() == {}
    assert store.outbox_pending() == {}


def test_planning_the_same_again_adds_nothing(store: Store) -> None:
    """At-least-once must not become twice: the key stands for the message."""
    record = PlanRecord(1, {}, (a_notification("k1"),), (Decision(1, "slack", "k1"), Decision(1, "webhook", None)))
    store.save_plan(record)
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None
    store.record_attempt(row, DELIVERED, 401.0)

    store.save_plan(record)

    assert store.outbox_pending() == {}
    assert store.lease("slack", 500.0, 30.0) is None
    assert store.decisions() == record.decisions


def test_the_same_key_twice_in_one_plan_is_one_message(store: Store) -> None:
    """A repeat within one plan is as much a repeat."""
    store.save_plan(PlanRecord(1, {}, (a_notification("k1"), a_notification("k1"))))

    assert store.outbox_pending() == {"slack": (1, 400.0)}


def planned(store: Store, *keys: str, receiver: str = "slack") -> None:
    store.save_plan(PlanRecord(1, {}, tuple(a_notification(key, receiver) for key in keys)))


def leased_key(store: Store, now: float, receiver: str = "slack") -> str | None:
    row = store.lease(receiver, now, 30.0)
    return None if row is None else row.notification.key


def test_a_receiver_gets_its_messages_in_order(store: Store) -> None:
    """A recovery before its breach would leave people believing in a breach."""
    planned(store, "k1", "k2", "k3")
    got = []

    for now in (400.0, 401.0, 402.0):
        row = store.lease("slack", now, 30.0)
        assert row is not None
        assert store.lease("slack", now, 30.0) is None
        got.append(row.notification.key)
        store.record_attempt(row, DELIVERED, now)

    assert got == ["k1", "k2", "k3"]
    assert store.lease("slack", 500.0, 30.0) is None


def test_one_receiver_never_waits_for_another(store: Store) -> None:
    """One that is down delays no other."""
    planned(store, "s1", receiver="slack")
    planned(store, "w1", receiver="webhook")

    assert leased_key(store, 400.0, "slack") == "s1"
    assert leased_key(store, 400.0, "webhook") == "w1"
    assert leased_key(store, 400.0, "nobody") is None


def test_a_lease_that_has_run_out_counts_as_none(store: Store) -> None:
    """A process killed while it was sending must not keep the message for itself."""
    planned(store, "k1")
    assert leased_key(store, 400.0) == "k1"

    assert leased_key(store, 429.0) is None
    assert leased_key(store, 430.0) == "k1"


def test_leases_of_a_process_that_is_gone_can_be_ended_at_once(store: Store) -> None:
    """A restart while a message was being sent must not keep that receiver waiting until the lease has run out."""
    planned(store, "k1", "k2")
    planned(store, "w1", receiver="webhook")
    leased_key(store, 400.0)
    waiting = store.lease("webhook", 400.0, 30.0)
    assert waiting is not None
    store.record_attempt(waiting, RETRY, 401.0, next_attempt_at=450.0)

    ended = store.release_leases()

    assert ended == 1
    assert leased_key(store, 402.0) == "k1"
    assert leased_key(store, 402.0, "webhook") is None, "what waits for its time goes on waiting"
    assert store.release_leases() == 1


def test_a_retry_waits_for_its_time_and_keeps_the_line_waiting(store: Store) -> None:
    """Retry-After is obeyed, and order is kept while it runs."""
    planned(store, "k1", "k2")
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None

    store.record_attempt(row, RETRY, 401.0, next_attempt_at=450.0, error="http_429")

    assert store.lease("slack", 449.0, 30.0) is None
    again = store.lease("slack", 450.0, 30.0)
    assert again is not None
    assert (again.notification.key, again.attempts, again.next_attempt_at) == ("k1", 1, 450.0)


def test_a_retry_without_a_time_is_refused(store: Store) -> None:
    """A retry at no time would be a message that is never sent."""
    planned(store, "k1")
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None

    with pytest.raises(ValueError, match="next_attempt_at"):
        store.record_attempt(row, RETRY, 401.0)


def test_a_message_is_due_at_once_also_when_the_clock_went_back(store: Store) -> None:
    """A clock that is set back an hour must not keep a page for an hour."""
    planned(store, "k1")

    assert leased_key(store, 100.0) == "k1"


def test_a_dead_message_lets_the_next_through(store: Store) -> None:
    """One message that a receiver will never take must not silence all that follow."""
    planned(store, "k1", "k2")
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None

    store.record_attempt(row, DEAD, 401.0, error="http_400")

    assert store.outbox_pending() == {"slack": (1, 400.0)}
    assert leased_key(store, 401.0) == "k2"


def test_a_late_failure_does_not_undo_a_delivery(store: Store) -> None:
    """After a lease ran out two senders may report on one message; "delivered" is the truth, in either order."""
    planned(store, "k1", "k2")
    slow = store.lease("slack", 400.0, 30.0)
    quick = store.lease("slack", 430.0, 30.0)
    assert slow is not None
    assert quick is not None

    store.record_attempt(quick, DELIVERED, 431.0)
    store.record_attempt(slow, RETRY, 432.0, next_attempt_at=440.0, error="timeout")
    store.record_attempt(slow, DEAD, 433.0, error="timeout")
    store.record_attempt(slow, DELIVERED, 434.0)

    assert store.outbox_pending() == {"slack": (1, 400.0)}
    assert leased_key(store, 450.0) == "k2"


def test_a_late_failure_does_not_shorten_another_wait(store: Store) -> None:
    """The wait that the receiver asked for last is the one that holds."""
    planned(store, "k1")
    slow = store.lease("slack", 400.0, 30.0)
    quick = store.lease("slack", 430.0, 30.0)
    assert slow is not None
    assert quick is not None

    store.record_attempt(quick, RETRY, 431.0, next_attempt_at=500.0)
    store.record_attempt(slow, RETRY, 432.0, next_attempt_at=440.0)
    store.record_attempt(slow, DEAD, 433.0)

    assert leased_key(store, 450.0) is None
    assert leased_key(store, 500.0) == "k1"


def test_a_late_delivery_revives_what_was_given_up(store: Store) -> None:
    """A message that did arrive is not a dead letter."""
    planned(store, "k1")
    slow = store.lease("slack", 400.0, 30.0)
    quick = store.lease("slack", 430.0, 30.0)
    assert slow is not None
    assert quick is not None
    store.record_attempt(quick, DEAD, 431.0)

    store.record_attempt(slow, DELIVERED, 432.0)
    store.prune(432.0 + 2 * RETENTION)
    planned(store, "k1")

    assert store.outbox_pending() == {"slack": (1, 400.0)}


def test_pending_counts_by_receiver_with_the_oldest(store: Store) -> None:
    """slo_guard_outbox_pending and _oldest_seconds are how an operator sees that a receiver is down."""
    store.save_plan(
        PlanRecord(
            1,
            {},
            (
                a_notification("k1", created_at=300.0),
                a_notification("k2", created_at=200.0),
                a_notification("w1", "webhook", created_at=400.0),
            ),
        )
    )

    assert store.outbox_pending() == {"slack": (2, 200.0), "webhook": (1, 400.0)}


def test_a_decision_takes_the_place_of_an_earlier_one(store: Store) -> None:
    """What was not routed and is told after all must not count as both."""
    store.save_plan(
        PlanRecord(1, {}, (), (Decision(1, "slack", None, NotToldReason.NOT_ROUTED), Decision(1, "w", "k")))
    )

    store.save_plan(PlanRecord(1, {}, (), (Decision(1, "slack", "k1"), Decision(1, "slack", "k2"))))

    assert store.decisions() == (Decision(1, "w", "k"), Decision(1, "slack", "k2"))


def test_withdrawing_closes_the_lines_of_receivers_that_are_gone(store: Store) -> None:
    """A row that nobody will ever send must not be counted as pending, nor its transition as told."""
    store.save_plan(
        PlanRecord(
            2,
            {},
            (
                a_notification("k1", transitions=(1,)),
                a_notification("k2", transitions=(2,)),
                a_notification("w1", "webhook", transitions=(1,)),
            ),
            (Decision(1, "slack", "k1"), Decision(1, "webhook", "w1"), Decision(2, "slack", "k2")),
        )
    )
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None
    store.record_attempt(row, DELIVERED, 401.0)

    withdrawn = [store.withdraw(["webhook"], 500.0) for _ in range(2)]

    assert withdrawn == [1, 0]
    assert store.outbox_pending() == {"webhook": (1, 400.0)}
    assert store.lease("slack", 600.0, 30.0) is None
    assert store.decisions() == (
        Decision(1, "slack", "k1"),
        Decision(1, "webhook", "w1"),
        Decision(2, "slack", None, NotToldReason.RECEIVER_REMOVED),
    )


def test_nothing_is_withdrawn_from_those_that_are_there(store: Store) -> None:
    """Every start asks for it."""
    planned(store, "k1")

    assert store.withdraw(["slack"], 500.0) == 0
    assert store.outbox_pending() == {"slack": (1, 400.0)}


def test_all_receivers_may_be_gone(store: Store) -> None:
    """A config without receivers is one, too."""
    planned(store, "k1")

    assert store.withdraw([], 500.0) == 1
    assert store.outbox_pending() == {}


def test_what_arrives_while_it_is_withdrawn_was_told(store: Store) -> None:
    """A reload may fall into the sending; whoever took the message knows, and a failure brings no row back."""
    store.save_plan(
        PlanRecord(
            2,
            {},
            (a_notification("k1", transitions=(1,)), a_notification("w1", "webhook", transitions=(2,))),
            (Decision(1, "slack", "k1"), Decision(2, "webhook", "w1")),
        )
    )
    sent, failed = store.lease("slack", 400.0, 30.0), store.lease("webhook", 400.0, 30.0)
    assert sent is not None
    assert failed is not None
    store.withdraw([], 401.0)

    store.record_attempt(sent, DELIVERED, 402.0)
    store.record_attempt(failed, RETRY, 402.0, next_attempt_at=403.0)

    assert store.outbox_pending() == {}
    assert store.decisions() == (
        Decision(1, "slack", "k1"),
        Decision(2, "webhook", None, NotToldReason.RECEIVER_REMOVED),
    )


# --- silences and acknowledgements ---


def a_silence(starts_at: float = 10.0, ends_at: float = 20.0) -> NewSilence:
    matchers = (Matcher("kpi", "ga_e2e_p95"), Matcher("system", "fs|xai2", MatchOp.REGEX))
    return NewSilence(matchers=matchers, starts_at=starts_at, ends_at=ends_at, by="Ada \u00fc", why="a new gateway")


def an_acknowledgement(until: float = 20.0, **labels: str) -> NewAcknowledgement:
    about = label_set(labels) if labels else None
    return NewAcknowledgement(
        sprint="sprint-40", kpi="ga_e2e_p95", labels=about, until=until, by="Ada", why="rolling back"
    )


def test_a_silence_comes_back_whole_until_it_ends_by_itself(store: Store) -> None:
    """Nobody has to remember to take it away, and a process that is asked later knows as much."""
    added = store.add_silence(a_silence(), 5.0)

    assert (added.id, added.created_at, added.expired_at) == (1, 5.0, None)
    assert (added.matchers, added.by, added.why) == (a_silence().matchers, "Ada \u00fc", "a new gateway")
    assert [store.silences(now) for now in (5.0, 19.9)] == [(added,), (added,)]
    assert store.silences(20.0) == ()
    assert store.silences() == (added,)


def test_a_silence_can_be_ended_before_its_time_once(store: Store) -> None:
    """A second hand that ends it must not move when it ended: decisions were taken by that."""
    store.add_silence(a_silence(), 5.0)

    ended = store.expire_silence(1, 12.0)
    again = store.expire_silence(1, 15.0)

    assert ended is not None
    assert ended.expired_at == 12.0
    assert again == ended
    assert store.silences(11.0) == (ended,)
    assert store.silences(12.0) == ()


def test_what_has_ended_by_itself_is_not_ended_by_hand(store: Store) -> None:
    """It says for good why it ended."""
    added = store.add_silence(a_silence(), 5.0)

    assert store.expire_silence(1, 30.0) == added
    assert store.expire_silence(2, 30.0) is None


def test_an_acknowledgement_comes_back_whole_until_it_ends(store: Store) -> None:
    """With and without labels; ended by hand once, or by itself."""
    of_all = store.acknowledge(an_acknowledgement(), 5.0)
    of_one = store.acknowledge(an_acknowledgement(until=30.0, system="fs"), 6.0)

    ended = store.end_acknowledgement(of_one.id, 12.0)

    assert (of_all.labels, of_one.labels) == (None, label_set({"system": "fs"}))
    assert ended == replace(of_one, ended_at=12.0)
    assert store.end_acknowledgement(of_one.id, 13.0) == ended
    assert store.end_acknowledgement(99, 13.0) is None
    assert store.acknowledgements(13.0) == (of_all,)
    assert store.acknowledgements(20.0) == ()
    assert store.acknowledgements() == (of_all, ended)


def test_who_acknowledges_again_takes_the_place_of_the_one_before(store: Store) -> None:
    """Or ending the newer one would leave the older one at work."""
    first = store.acknowledge(an_acknowledgement(), 5.0)
    other = store.acknowledge(an_acknowledgement(system="fs"), 5.0)

    second = store.acknowledge(an_acknowledgement(until=40.0), 7.0)

    assert store.acknowledgements(7.0) == (other, second)
    assert store.acknowledgements() == (replace(first, ended_at=7.0), other, second)


def test_pruning_deletes_what_ended_long_ago_and_gives_no_number_twice(store: Store) -> None:
    """Decisions name silences by number: number 1 must not come to mean another one."""
    for asked in (a_silence(ends_at=1 * DAY), a_silence(ends_at=30 * DAY)):
        store.add_silence(asked, 5.0)
    store.expire_silence(2, 1 * DAY)
    store.acknowledge(an_acknowledgement(until=1 * DAY), 5.0)
    kept = store.acknowledge(an_acknowledgement(until=30 * DAY, system="fs"), 5.0)

    deleted = store.prune(12 * DAY)

    assert deleted == 3
    assert (store.silences(), store.acknowledgements()) == ((), (kept,))
    assert store.add_silence(a_silence(ends_at=50 * DAY), 12 * DAY).id == 3


def test_a_decision_names_the_silence_that_it_was_taken_by(store: Store) -> None:
    """Whoever asks later why nobody was told must find who wanted it so."""
    decision = Decision(1, "slack", None, NotToldReason.SILENCED, silence=7)
    store.save_evaluation(EvaluationRecord(3.0, 1, transitions=(a_transition(1, at=1.0),)))

    store.save_plan(PlanRecord(1, {}, (), (decision,)))

    assert store.decisions() == (decision,)


# --- retention ---


def given_up(store: Store, key: str, receiver: str = "slack", now: float = 500.0) -> int:
    """Plan a message, have it given up, and return its number in the store."""
    store.save_plan(PlanRecord(1, {}, (a_notification(key, receiver),)))
    row = store.lease(receiver, now, 30.0)
    assert row is not None
    store.record_attempt(row, DEAD, now, error="http_400: refused")
    return row.id


def test_a_delivery_says_what_became_of_its_message(store: Store) -> None:
    """Who was told, when, and if not why not: the first question after an incident."""
    planned(store, "k1", "k2", "k3")
    first = store.lease("slack", 400.0, 30.0)
    assert first is not None
    store.record_attempt(first, DELIVERED, 401.0)
    second = store.lease("slack", 402.0, 30.0)
    assert second is not None
    store.record_attempt(second, RETRY, 403.0, next_attempt_at=450.0, error="http_503: down")

    found = store.deliveries()

    assert [
        (item.key, item.state, item.attempts, item.next_attempt_at, item.ended_at, item.last_error) for item in found
    ] == [
        ("k3", RowState.PENDING, 0, 400.0, None, None),
        ("k2", RowState.PENDING, 1, 450.0, None, "http_503: down"),
        ("k1", RowState.DELIVERED, 1, None, 401.0, None),
    ]
    assert [item.notification for item in found] == [a_notification(key) for key in ("k3", "k2", "k1")]
    assert {(item.receiver, item.created_at) for item in found} == {("slack", 400.0)}


def test_deliveries_are_found_by_receiver_state_and_kpi(store: Store) -> None:
    """The page of one KPI shows its own messages, an operator the dead ones of one receiver."""
    given_up(store, "dead")
    planned(store, "waits", receiver="webhook")
    other = a_notification("other", kpi="ga_complaints", sprint="sprint-41")
    store.save_plan(PlanRecord(1, {}, (other,)))

    def keys(**filters: object) -> list[str]:
        return [item.key for item in store.deliveries(**filters)]  # type: ignore[arg-type]

    assert keys() == ["other", "waits", "dead"]
    assert keys(receiver="slack") == ["other", "dead"]
    assert keys(state=RowState.DEAD) == ["dead"]
    assert keys(kpi="ga_complaints") == ["other"]
    assert keys(sprint="sprint-40", receiver="slack") == ["dead"]
    assert keys(kpi="ga_complaints", sprint="sprint-40") == []


def test_deliveries_are_given_page_by_page(store: Store) -> None:
    """A store of a month holds thousands; a page must not load them all, nor show one twice."""
    planned(store, "k1", "k2", "k3", "k4")

    page = store.deliveries(limit=2)
    rest = store.deliveries(limit=5, before_id=page[-1].id)

    assert [item.key for item in (*page, *rest)] == ["k4", "k3", "k2", "k1"]
    assert store.deliveries(limit=0) == ()


def test_a_dead_letter_that_is_retried_is_due_at_once_under_its_key(store: Store) -> None:
    """After the address is mended the message is sent; its key lets the receiver drop what it has had already."""
    given_up(store, "k1")
    planned(store, "k2")
    assert store.dead_letters() == {"slack": 1}

    retried = store.retry_dead(600.0)

    assert retried == 1
    assert store.dead_letters() == {}
    assert store.deliveries(limit=5)[-1].created_at == a_notification("k1").created_at
    row = store.lease("slack", 600.0, 30.0)
    assert row is not None
    assert (row.notification, row.attempts) == (a_notification("k1"), 0), "older than k2, and with all its attempts"
    store.record_attempt(row, DELIVERED, 601.0)
    assert store.deliveries(state=RowState.DELIVERED)[0].ended_at == 601.0
    assert leased_key(store, 602.0) == "k2"


def test_a_dead_letter_that_is_retried_waits_since_then(store: Store) -> None:
    """One of last week, sent again, must not look as if a receiver had been down for a week: that raises alarms."""
    given_up(store, "k1")

    store.retry_dead(90_000.0)

    assert store.outbox_pending() == {"slack": (1, 90_000.0)}


def test_only_the_dead_letters_that_are_named_are_retried(store: Store) -> None:
    """Sending the old ones of another receiver as well would tell people of what is long over."""
    first, second, third = given_up(store, "k1"), given_up(store, "k2"), given_up(store, "w1", "webhook")
    planned(store, "k3")

    assert store.retry_dead(600.0, ids=[first, 9999]) == 1
    assert store.retry_dead(600.0, ids=[]) == 0
    assert store.retry_dead(600.0, receiver="nobody") == 0
    assert store.retry_dead(600.0, receiver="webhook", ids=[second]) == 0
    assert store.dead_letters() == {"slack": 1, "webhook": 1}
    assert store.retry_dead(600.0, receiver="webhook") == 1
    assert [item.id for item in store.deliveries(state=RowState.DEAD)] == [second]
    assert third in {item.id for item in store.deliveries(state=RowState.PENDING)}


def test_a_message_that_is_taken_back_is_not_sent_and_holds_up_nothing(store: Store) -> None:
    """A test message that a receiver refuses must not stay in front of the alerts of tomorrow."""
    planned(store, "k1", "k2")
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None

    taken = store.take_back("k1", 401.0)

    assert taken
    assert not store.take_back("k1", 402.0)
    assert not store.take_back("never there", 402.0)
    assert leased_key(store, 403.0) == "k2"
    withdrawn = store.deliveries(state=RowState.WITHDRAWN)
    assert [(item.key, item.ended_at) for item in withdrawn] == [("k1", 401.0)]
    store.record_attempt(row, DELIVERED, 404.0)
    assert store.deliveries(state=RowState.DELIVERED)[0].key == "k1", "it was being sent, and arrived"


def test_pruning_deletes_old_readings_only(store: Store) -> None:
    """The retention bounds the disk; what is younger is still needed to rebuild windows."""
    store.save_collection(a_collection(a_gauge(), a_failure()), at(1 * DAY))
    store.save_collection(a_collection(a_gauge(), a_failure()), at(5 * DAY))

    deleted = store.prune(12 * DAY)

    assert deleted >= 2
    assert {item.observation.seen_at for item in store.observations()} == {5 * DAY}
    assert store.prune(12 * DAY) == 0


def test_pruning_never_deletes_what_is_undelivered(store: Store) -> None:
    """A receiver that is down for longer than the retention still gets every alert."""
    store.save_evaluation(
        EvaluationRecord(3.0, 1, transitions=tuple(a_transition(number, at=float(number)) for number in (1, 2, 3, 4)))
    )
    told = a_notification("told", transitions=(1,), created_at=1.0)
    waiting = a_notification("waiting", transitions=(2,), created_at=2.0)
    decisions = (Decision(1, "slack", "told"), Decision(2, "slack", "waiting"), Decision(3, "slack", None))
    store.save_plan(PlanRecord(3, {}, (told, waiting), decisions))
    row = store.lease("slack", 3.0, 30.0)
    assert row is not None
    store.record_attempt(row, DELIVERED, 4.0)

    store.prune(100 * DAY)

    assert [item.seq for item in store.transitions()] == [2, 4], "waiting in the outbox, and not yet planned"
    assert [item.transition for item in store.decisions()] == [2]
    assert leased_key(store, 100 * DAY) == "waiting"


def test_pruning_deletes_what_was_withdrawn(store: Store) -> None:
    """Nobody waits for it."""
    store.save_evaluation(EvaluationRecord(3.0, 1, transitions=(a_transition(1, at=1.0),)))
    store.save_plan(PlanRecord(1, {}, (a_notification("k1", transitions=(1,)),), (Decision(1, "slack", "k1"),)))
    store.withdraw([], 2.0)

    store.prune(100 * DAY)

    assert (store.transitions(), store.decisions()) == ((), ())
    planned(store, "k1")
    assert store.outbox_pending() == {"slack": (1, 400.0)}, "the row itself is gone as well"


def test_pruning_keeps_the_transition_of_an_alert_that_fires(store: Store) -> None:
    """A receiver that is added has to hear of it, in its rule's words."""
    fired, over = a_transition(1, at=1.0), a_transition(2, at=2.0, key=a_key(system="xai2"))
    alert = an_alert(state=AlertState.FIRING, fired_at=1.0)
    store.save_evaluation(EvaluationRecord(3.0, 1, {alert.key: alert}, (fired, over)))
    store.save_plan(PlanRecord(2))

    store.prune(100 * DAY)

    assert store.transitions() == store.firing_transitions() == (fired,)


def test_pruning_keeps_what_a_close_has_left_and_its_label_sets(store: Store) -> None:
    """The last verdicts of a sprint are shown for as long as its rules are there, and it must not close again."""
    change = RuleChange("sprint-40", "a", 5.0, "objective", "at_most 1s", "at_most 2s")
    rules = RuleLog({}, (change,))
    store.save_evaluation(EvaluationRecord(10.0, 1, closed={"sprint-40": 10.0}, finals=(a_final("a"),), rules=rules))
    other = replace(
        a_restatement("a"), index=SeriesIndex.of([label_set({"system": "xai"}), label_set({"system": "mp"})])
    )
    store.save_evaluation(EvaluationRecord(15.0, 1, restatements=(other,)))

    store.prune(100 * DAY)

    state = store.load_evaluation()
    assert state.closed == {"sprint-40": 10.0}
    assert state.finals["sprint-40", "a"].index.label_sets == TWO_SYSTEMS.label_sets
    assert state.restatements["sprint-40", "a"].index.label_sets == other.index.label_sets
    assert state.rules.changes == (change,)


def test_an_alert_that_was_carried_over_is_told_by_the_transition_that_carried_it(store: Store) -> None:
    """Whoever is added after the next sprint has begun has to hear of what fires since the last one."""
    here, before = a_key(), a_key(system="xai2")
    moved = replace(here, sprint="sprint-41")
    carried = a_transition(3, at=9.0, key=moved, from_state=AlertState.FIRING, reason=Reason.CARRIED_OVER)
    history = (a_transition(1, at=1.0, key=here), a_transition(2, at=1.0, key=before), carried)
    alerts = {moved: an_alert(moved, state=AlertState.FIRING, fired_at=1.0)}

    store.save_evaluation(EvaluationRecord(9.0, 1, alerts, history))
    store.save_plan(PlanRecord(3))

    assert store.firing_transitions() == (carried,)
    store.prune(100 * DAY)
    assert store.firing_transitions() == (carried,)


def test_the_transitions_of_what_fires_are_found_among_all(store: Store) -> None:
    """The last firing counts, and only while the alert fires."""
    key, other = a_key(), a_key(system="xai2")
    history = (
        a_transition(1, at=1.0),
        a_transition(2, at=1.0, key=other),
        a_transition(3, at=2.0, from_state=AlertState.FIRING, to_state=AlertState.INACTIVE),
        a_transition(4, at=3.0),
    )
    alerts = {
        key: an_alert(key, state=AlertState.FIRING, fired_at=3.0),
        other: an_alert(other, state=AlertState.PENDING, fired_at=None),
    }

    store.save_evaluation(EvaluationRecord(3.0, 1, alerts, history))

    assert store.firing_transitions() == history[3:]


def test_pruning_keeps_messages_that_were_given_up_within_the_retention(store: Store) -> None:
    """A dead letter was never delivered: it stays for the operator to see, but not for ever."""
    store.save_evaluation(EvaluationRecord(3.0, 1, transitions=(a_transition(1, at=1.0),)))
    store.save_plan(PlanRecord(1, {}, (a_notification("k1", transitions=(1,)),), (Decision(1, "slack", "k1"),)))
    row = store.lease("slack", 400.0, 30.0)
    assert row is not None
    store.record_attempt(row, DEAD, 50 * DAY, error="http_404")

    store.prune(60 * DAY - 1)
    kept = store.transitions(), store.decisions()
    store.prune(60 * DAY + 1)

    assert ([each.seq for each in kept[0]], kept[1]) == ([1], (Decision(1, "slack", "k1"),))
    assert (store.transitions(), store.decisions()) == ((), ())


def test_pruning_keeps_alerts_and_cursors(store: Store) -> None:
    """An alert that has fired for longer than the retention still fires."""
    alert = an_alert()
    store.save_collection(a_collection(a_gauge(), cursor="7"), at(10.0))
    store.save_evaluation(EvaluationRecord(10.0, 1, {alert.key: alert}, evaluated=(("sprint-40", "old"),)))
    store.save_evaluation(EvaluationRecord(99 * DAY, 1, evaluated=(("sprint-40", "young"),)))

    store.prune(100 * DAY)
    state = store.load_evaluation()

    assert state.alerts == {alert.key: alert}
    assert (state.evaluated_at, state.reading_cursor, store.collector_cursor("prom")) == (99 * DAY, 1, "7")
    assert set(state.kpi_evaluated_at) == {("sprint-40", "young")}


def test_an_index_that_was_pruned_can_come_again(store: Store) -> None:
    """Label sets that nothing names are dropped; a series that returns must be storable."""
    index = SeriesIndex.of((label_set({"system": "comes and goes"}),))
    frame = GaugeFrame(index, np.array([1.0]), 1.0)
    store.save_collection(a_collection(frame), at(1.0))
    store.prune(100 * DAY)

    store.save_collection(a_collection(frame), at(100 * DAY))

    (read,) = store.observations()
    assert isinstance(read.observation, Reading)
    assert isinstance(read.observation.frame, GaugeFrame)
    assert read.observation.frame.index is index


# --- threads ---


def test_many_threads_write_and_read_at_once(store: Store) -> None:
    """Collectors, the evaluator and senders share the store: ids stay in order, nothing is lost or doubled."""
    problems: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - shown by the assertion below
                problems.append(error)

        return run

    def collect(name: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(20):
                store.save_collection(a_collection(a_gauge(), collector=name, cursor=str(number)), at(float(number)))

        return work

    def read() -> None:
        for _ in range(20):
            items = list(store.observations())
            assert [item.id for item in items] == sorted({item.id for item in items})
            times = [item.observation.seen_at for item in items]
            assert times == sorted(times)

    def plan_and_deliver() -> None:
        for number in range(20):
            planned(store, f"k{number}")
            row = store.lease("slack", 400.0, 30.0)
            assert row is not None
            store.record_attempt(row, DELIVERED, 400.0)

    work = [collect("a"), collect("b"), collect("c"), read, read, plan_and_deliver]
    threads = [threading.Thread(target=guarded(item)) for item in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert problems == []
    assert len(ids(store)) == 60
    assert [store.collector_cursor(name) for name in "abc"] == ["19"] * 3
    assert store.outbox_pending() == {}


def test_a_closed_store_says_so(store: Store) -> None:
    """A job that outlives the shutdown gets one clear sentence, not a broken file."""
    store.close()
    store.close()

    with pytest.raises(StoreError, match="closed"):
        store.save_collection(a_collection(a_gauge()), at(1.0))
