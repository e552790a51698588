"""What was found of sign-offs is kept from one evaluation to the next, as long as the same would be found."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import Combine
from slo_guard.domain.readings import IndicatorType
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import SPRINT_START, a_kpi, a_plan, a_sign_off, an_evidence, an_objective, numbered

T0 = SPRINT_START
WORDS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["system=fs", "system=xai2", "system=fs,step=a"]), st.booleans()),
    max_size=5,
)


def _told(frame, labels):
    row = frame.row(frame.index.positions[labels])
    return row.verdict, row.reason, row.value, row.note, row.samples


@settings(deadline=None, max_examples=200)
@given(st.lists(WORDS, min_size=1, max_size=5), st.sampled_from([None, *Combine]), st.sampled_from([True, False]))
def test_it_says_what_one_who_hears_it_for_the_first_time_would_say(collections, combine, wanted):
    """A sign-off that is dated ahead counts when its time comes, though nothing new is collected by then."""
    kpi = a_kpi(
        type=IndicatorType.BOOL, by=("system",), objective=an_objective("is", wanted), combine=combine, due_at=T0 + 6.5
    )
    plan, state, seen = a_plan(kpi), EvaluationState.fresh(), []
    for number in range(3 * len(collections)):
        at, fresh = T0 + number + 0.5, []
        if number % 3 == 0:
            words = [a_sign_off(T0 + when, text, value=value) for when, text, value in collections[number // 3]]
            seen = numbered([*(each.observation for each in seen), an_evidence("a", T0 + number, *words)])
            fresh = seen[-1:]

        kept = evaluate(plan, fresh, state, from_unix(at)).verdicts[0]

        anew = evaluate(plan, seen, EvaluationState.fresh(), from_unix(at)).verdicts[0]
        for labels in anew.index.label_sets:
            if labels or () in kept.index.positions:  # what has no labels stands for nobody, until somebody has signed
                assert _told(kept, labels) == _told(anew, labels)
