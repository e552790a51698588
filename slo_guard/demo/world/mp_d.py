"""The lane mp-d: the partners' tickets, packets, failures and transactions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from slo_guard.demo.world.series import Event, EventsOf, SeriesOf, Values, labelled
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

PARTNERS: Mapping[str, str] = {"contoso": "CO", "fabrikam": "FA", "northwind": "NW"}
"""The pilot's partners and how their tickets' names begin."""

SLOW_TICKETS = Episode(
    72,
    112,
    "mpd_partner_sla_median",
    "northwind's tickets take 31h: its median passes 24h, that over all partners does not",
    "a run of quick tickets brings the median down",
)
PACKETS_FAIL = Episode(
    82,
    118,
    "mpd_packet_auto_pass",
    "a batch of fabrikam's packets does not pass by itself: below 95%",
    "after a new checksum it passes",
)
UNTRIAGED = Episode(
    90, 126, "mpd_packet_failures_untriaged", "three failures of fabrikam wait for over a day", "they are triaged"
)
EPISODES = (SLOW_TICKETS, PACKETS_FAIL, UNTRIAGED)

_SLOW = "northwind"
_FAILING = "fabrikam"
_USUAL_EVERY_SECONDS = 7 * 3600.0
_FIRST_USUAL_SECONDS = 2 * 3600.0
_SLOW_HOURS, _QUICK_HOURS = 31.0, 6.0
_QUICK_TICKETS = 6
_MORE_SLOW_THAN_OTHERS = 3
_BURST_SECONDS = 4.0
_PACKETS: Mapping[str, float] = {"contoso": 220.0, "fabrikam": 400.0, "northwind": 180.0}
_PASS_RATIO = 0.98
_BATCH_GROWTH = 1.15


def tickets(story: Story, after: float, until: float) -> Iterator[Event]:
    """Yield the tickets resolved in (``after``, ``until``]: their value is how long they took, in seconds.

    Each partner resolves one every seven hours. In each cycle northwind has so many slow ones that they outnumber its
    others, and then so many quick ones that they do not any more.
    """
    for partner, prefix in PARTNERS.items():
        first = story.sprint_start_at + _FIRST_USUAL_SECONDS
        begin = max(0, math.floor((after - first) / _USUAL_EVERY_SECONDS) + 1)
        for number in range(begin, _usual_by(story, until)):
            hours = 8.0 + 2.5 * (number % 5)
            at = first + number * _USUAL_EVERY_SECONDS
            yield Event(at, f"{prefix}-{1000 + number}", labelled("partner", partner), hours * 3600.0)
    if story.faults:
        for cycle in range(max(0, story.cycle_at(after)), story.cycle_at(until) + 1):
            yield from (event for event in _northwind(story, cycle) if after < event.at <= until)


def _northwind(story: Story, cycle: int) -> Iterator[Event]:
    """Yield what a cycle adds to northwind's usual tickets."""
    labels = labelled("partner", _SLOW)
    slow_before = _slow_by_end_of(story, cycle - 1)
    slow = _slow_by_end_of(story, cycle) - slow_before
    for number in range(slow):
        at = story.instant(SLOW_TICKETS.starts + _BURST_SECONDS * number / slow, cycle)
        yield Event(at, f"NW-S{slow_before + number}", labels, _SLOW_HOURS * 3600.0)
    for number in range(_QUICK_TICKETS):
        at = story.instant(SLOW_TICKETS.ends - _BURST_SECONDS * number / _QUICK_TICKETS, cycle)
        yield Event(at, f"NW-Q{cycle * _QUICK_TICKETS + number}", labels, _QUICK_HOURS * 3600.0)


def _slow_by_end_of(story: Story, cycle: int) -> int:
    """Return how many slow tickets there are by the end of a cycle: more than all others before its quick ones."""
    if cycle < 0:
        return 0
    others = _usual_by(story, story.instant(SLOW_TICKETS.ends, cycle)) + cycle * _QUICK_TICKETS
    return others + _MORE_SLOW_THAN_OTHERS


def _usual_by(story: Story, at: float) -> int:
    return max(0, math.floor((at - story.sprint_start_at - _FIRST_USUAL_SECONDS) / _USUAL_EVERY_SECONDS) + 1)


def _packets(story: Story, at: FloatArray) -> Values:
    counted = _usual_packets(story, at)
    counted[_partner(_FAILING)] += np.floor(_batch(story, at, PACKETS_FAIL.starts))
    return counted


def _packets_passed(story: Story, at: FloatArray) -> Values:
    counted = {labels: np.floor(total * _PASS_RATIO) for labels, total in _usual_packets(story, at).items()}
    counted[_partner(_FAILING)] += np.floor(_batch(story, at, PACKETS_FAIL.ends))
    return counted


def _batch(story: Story, at: FloatArray, position: float) -> FloatArray:
    """Return the packets of the batches that have come by ``position``, each a share of all before it."""
    return story.grown(sum(_PACKETS.values()), _BATCH_GROWTH, at, position, position + 1.0)


def _usual_packets(story: Story, at: FloatArray) -> Values:
    days = (at - story.history_from) / 86400.0
    return {_partner(name): np.floor(total * days / 2.0) for name, total in _PACKETS.items()}


def _untriaged(story: Story, at: FloatArray) -> Values:
    return {_partner(name): np.where(story.active(UNTRIAGED, at) & (name == _FAILING), 3.0, 0.0) for name in PARTNERS}


def _none(_story: Story, at: FloatArray) -> Values:
    return {_partner(name): np.zeros(at.shape) for name in PARTNERS}


def _partner(name: str) -> tuple[tuple[str, str], ...]:
    return labelled("partner", name)


INDICATORS: Mapping[str, SeriesOf] = {
    "mpd_packets_total": _packets,
    "mpd_packets_auto_passed_total": _packets_passed,
    "mpd_failures_untriaged_over_1d": _untriaged,
    "mpd_failures_without_clause": _none,
    "mpd_commercial_transactions": _none,
}
EVENTS: Mapping[str, EventsOf] = {"mpd_resolution_seconds": tickets}
