"""What counts as alive, and what has been silent for too long."""

from __future__ import annotations

from slo_guard.vitals import Part, Vitals

EVERY = (Part.EVALUATION, Part.STORE, Part.PLANNING, Part.COLLECTION)


class Ward:
    """Vitals over a clock that the test moves; evaluations each 30 s, a receiver whose sends may take 70 s."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.vitals = Vitals(lambda: self.now)
        self.vitals.expect(30.0, {"slack": 70.0})

    def all_alive(self) -> None:
        self.vitals.alive(*EVERY)
        self.vitals.alive(Part.DELIVERY, receiver="slack")

    def reasons(self, stalled_after: float = 120.0, undelivered_after: float = 1800.0) -> set[str]:
        return {each.reason for each in self.vitals.stalls(stalled_after, undelivered_after)}


def test_a_start_shows_nothing_until_each_part_has_shown_itself():
    """A daemon that crashes a minute after each start must not keep the switch from going off."""
    ward = Ward()
    ward.vitals.alive(Part.EVALUATION, Part.STORE)

    before = ward.reasons()
    ward.all_alive()

    assert before == {"planning_stalled", "delivery_stalled", "collection_stalled"}
    assert ward.reasons() == set()


def test_each_part_that_falls_silent_is_named():
    """Which one it is decides where one looks."""
    for part in EVERY:
        ward = Ward()
        ward.all_alive()
        ward.now += 121.0
        ward.vitals.alive(*(each for each in EVERY if each is not part))
        ward.vitals.alive(Part.DELIVERY, receiver="slack")

        [stall] = ward.vitals.stalls(120.0, 0.0)

        assert str(stall) == f"{part.value}_stalled for 121s"


def test_a_receiver_whose_line_nobody_looks_at_is_named():
    """Its thread hangs, or the pool of threads is full."""
    ward = Ward()
    ward.vitals.expect(30.0, {"slack": 70.0, "oncall": 70.0})
    ward.all_alive()
    ward.now += 121.0
    ward.vitals.alive(*EVERY)
    ward.vitals.alive(Part.DELIVERY, receiver="oncall")

    [stall] = ward.vitals.stalls(120.0, 0.0)

    assert str(stall) == "delivery_stalled[slack] for 121s"


def test_what_may_take_long_is_given_that_long():
    """An interval of 30 s asks for 90 s at least, a send of 70 s for 70: a wish for 5 s would cry wolf."""
    ward = Ward()
    ward.all_alive()

    ward.now += 69.0
    early = ward.reasons(stalled_after=5.0)
    ward.now += 2.0
    sending = ward.reasons(stalled_after=5.0)
    ward.now += 20.0
    late = ward.reasons(stalled_after=5.0)

    assert early == set()
    assert sending == {"delivery_stalled"}
    assert "evaluation_stalled" in late


def test_a_message_that_waits_for_too_long_counts_as_well():
    """Judging goes on, but nobody is told: the switch is the last who can say so."""
    ward = Ward()
    ward.all_alive()
    ward.vitals.waiting({"slack": 1799.0, "gone": 9999.0})

    early = ward.reasons()
    ward.now += 2.0
    late = ward.reasons()
    for_ever = ward.reasons(undelivered_after=0.0)
    ward.vitals.waiting({})

    assert (early, late, for_ever) == (set(), {"undelivered"}, set())
    assert ward.reasons() == set()


def test_a_reload_neither_forgets_nor_invents_silence():
    """What stood still before it stands still; a receiver that it adds has its time."""
    ward = Ward()
    ward.all_alive()
    ward.now += 121.0
    ward.vitals.expect(30.0, {"slack": 70.0, "new": 70.0})

    stalls = {str(each) for each in ward.vitals.stalls(120.0, 0.0)}

    assert "evaluation_stalled for 121s" in stalls
    assert not any("new" in each for each in stalls)


def test_a_part_stands_still_when_it_has_been_silent_for_as_long_as_it_may():
    """The service manager starts anew what stands still; a start that is under way, and a long interval, must not count."""
    ward = Ward()

    at_the_start = ward.vitals.stands_still(Part.EVALUATION, 60.0)
    ward.now += 89.0
    within_three_intervals = ward.vitals.stands_still(Part.EVALUATION, 60.0)
    ward.now += 2.0
    beyond = ward.vitals.stands_still(Part.EVALUATION, 60.0)
    ward.vitals.alive(Part.EVALUATION)

    assert (at_the_start, within_three_intervals, beyond) == (False, False, True)
    assert not ward.vitals.stands_still(Part.EVALUATION, 60.0)
    assert not Vitals(lambda: ward.now).stands_still(Part.EVALUATION, 60.0), "nothing is expected before the start"
