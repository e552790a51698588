"""The simulated Mission Control: what its services would measure at any instant, as a pure function of time.

Before the demo's start all was quiet since the sprint began; from the start on, faults come and go in a
cycle. Equal instants give equal values, so a range query and a scrape agree, and tests need not wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from slo_guard.domain.readings import BoolArray, FloatArray, SignOff
from slo_guard.domain.series import LabelSet

CYCLE_SECONDS = 180.0
"""After this long the faults begin again."""

SYSTEMS = ("fs", "predictive", "xai2")

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from ``starts`` to ``ends`` seconds into the cycle; ``once``: in the first one only."""

    starts: float
    ends: float
    kpi: str
    says: str
    ends_with: str
    once: bool = False


SLOW_PREDICTIVE = Fault(
    10, 45, "ga_e2e_p95", "predictive answers slowly: p95 1.31s, limit 1.16s", "predictive is fast again"
)
SLOW_QUERIES = Fault(
    25, 65, "query_p95_4hop_100k", "4-hop queries take 0.97s at p95, limit 0.83s", "queries are fast again"
)
SEV1 = Fault(40, math.inf, "sev1_incidents", "a Sev-1 is opened", "cannot recover within the sprint", once=True)
LATE_AUDITS = Fault(
    50, 85, "ga_audits", "twelve audits of fs fail and wait for their second run", "the second run passes them"
)
BURN_ALARM = Fault(
    60,
    145,
    "burn_alarm_minutes",
    "a burn alarm fires; the sprint's 10m are soon used up",
    "the alarm stops, its total stays",
)
DRILL_UNSIGNED = Fault(
    30,
    130,
    "ga_rollback_drill_logged",
    "the drill is due and not logged (in later cycles: withdrawn)",
    "the drill is logged, late",
)
COMPLAINTS = Fault(
    95, 120, "ga_complaint_rate", "users of xai2 complain: over 0.8% in 24h", "traffic without complaints dilutes it"
)
PAGE_DOWN = Fault(
    148, 170, "collector services", "the metrics page answers 500: no data, and nothing green", "the page answers again"
)

FAULTS = (
    SLOW_PREDICTIVE,
    SLOW_QUERIES,
    DRILL_UNSIGNED,
    SEV1,
    LATE_AUDITS,
    BURN_ALARM,
    COMPLAINTS,
    PAGE_DOWN,
)
"""All that goes wrong, by when it starts."""

_EARLIER_BURN_SECONDS = 545.0
"""A burn alarm before the demo's start has used up most of the sprint's 10m. Read back in steps of up to 16s this
may look that much longer or shorter; the limit is crossed during the demo's own alarm all the same."""

_EARLIER_BURN_AGO = 6 * 3600.0
_DRILL_LOG = "https://runbooks.example/mission-control/rollback-drill/log"
_DILUTED_UNTIL_SECONDS = 125.0
_COMPLAINT_RATIO = 0.0078
"""The quiet share of complaints: just under the objective's 0.8%, so that eight more cross it."""

_TRAFFIC_GROWTH = 1.05
"""How much traffic without complaints grows xai2's requests a cycle: what dilutes the complaints again."""

_GROWING_CYCLES = 100
"""After five hours complaints stay quiet: traffic that grows by 5% a cycle for ever would leave all reason."""

_REQUESTS_A_DAY: Mapping[str, float] = {"fs": 90_000.0, "predictive": 40_000.0, "xai2": 20_000.0}
_QUIET_RATIO: Mapping[str, float] = {"fs": 0.002, "predictive": 0.004, "xai2": _COMPLAINT_RATIO}
_AUDITS: Mapping[str, float] = {"fs": 240.0, "predictive": 310.0, "xai2": 180.0}
_LATE_AUDITS_A_CYCLE = 12.0
_QUIET_P95: Mapping[str, float] = {"fs": 0.84, "predictive": 0.92, "xai2": 0.98}


@dataclass(frozen=True, slots=True)
class MissionControl:
    """A simulated Mission Control.

    ``started_at``: when the demo started; ``history_from``: since when its services have been counting (before
    the sprint's start, so that what the sprint adds can be told); ``faults``: whether anything ever goes wrong.
    Instants are Unix seconds.
    """

    started_at: float
    history_from: float
    faults: bool = True

    def indicator(self, name: str, at: FloatArray) -> dict[LabelSet, FloatArray]:
        """Return an indicator's series at the instants ``at``: float64 of its shape, NaN before ``history_from``.

        Raises ``KeyError`` for a name that Mission Control does not measure.
        """
        series = _INDICATORS[name](self, at)
        return {labels: np.where(at < self.history_from, np.nan, values) for labels, values in series.items()}

    def active(self, fault: Fault, at: float) -> bool:
        """Whether ``fault`` is on at an instant."""
        return bool(self._active(fault, np.array([at]))[0])

    @property
    def drill_due_at(self) -> float:
        """When the rollback drill is due; from then on it is overdue whenever it does not stand as logged."""
        return self.started_at + DRILL_UNSIGNED.starts

    def sign_offs(self, at: float) -> tuple[SignOff, ...]:
        """Return what has been signed by an instant: the drill is logged late, and withdrawn in each later cycle."""
        if not self.faults or at < self.started_at:
            return ()
        cycle = math.floor((at - self.started_at) / CYCLE_SECONDS)
        entries: list[SignOff] = []
        for number in range(max(0, cycle - 1), cycle + 1):
            begin = self.started_at + number * CYCLE_SECONDS
            if number > 0:
                entries.append(SignOff((), value=False, by="SRE Lead", when=begin + DRILL_UNSIGNED.starts))
            logged = begin + DRILL_UNSIGNED.ends
            entries.append(SignOff((), value=True, by="SRE Lead", when=logged, link=_DRILL_LOG))
        return tuple(entry for entry in entries if entry.when <= at)

    def _active(self, fault: Fault, at: FloatArray) -> BoolArray:
        elapsed = at - self.started_at
        position = elapsed if fault.once else elapsed % CYCLE_SECONDS
        on: BoolArray = (elapsed >= 0) & (position >= fault.starts) & (position < fault.ends)
        return on if self.faults else np.zeros_like(on)

    def _cycles(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the number of whole cycles since the start, 0 before it, and the seconds into the present one."""
        elapsed = np.clip(at - self.started_at, 0.0, None)
        if not self.faults:
            elapsed = np.zeros_like(elapsed)
        return elapsed // CYCLE_SECONDS, elapsed % CYCLE_SECONDS

    def _p95(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        slow = self._active(SLOW_PREDICTIVE, at)
        return {
            _system(system): np.where(slow & (system == "predictive"), 1.31, quiet)
            + 0.03 * np.sin(at / 37.0 + 2.0 * number)
            for number, (system, quiet) in enumerate(_QUIET_P95.items())
        }

    def _query_p95(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        slow = self._active(SLOW_QUERIES, at)
        return {(): np.where(slow, 0.97, 0.71) + 0.02 * np.sin(at / 29.0)}

    def _sev1(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        return {(): self._active(SEV1, at).astype(np.float64)}

    def _burn_alarm(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        earlier = (at >= self.started_at - _EARLIER_BURN_AGO) & (
            at < self.started_at - _EARLIER_BURN_AGO + _EARLIER_BURN_SECONDS
        )
        return {(): (earlier | self._active(BURN_ALARM, at)).astype(np.float64)}

    def _requests(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        since = at - self.history_from
        counted = {_system(name): np.floor(since * daily / _DAY) for name, daily in _REQUESTS_A_DAY.items()}
        counted[_system("xai2")] += np.floor(self._extra_traffic(at))
        return counted

    def _complaints(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        since = at - self.history_from
        counted = {
            _system(name): np.floor(since * daily / _DAY * _QUIET_RATIO[name])
            for name, daily in _REQUESTS_A_DAY.items()
        }
        counted[_system("xai2")] += np.floor(self._extra_complaints(at))
        return counted

    def _extra_traffic(self, at: FloatArray) -> FloatArray:
        """Return requests beyond the usual ones: in each cycle so many that the new complaints are diluted again."""
        cycles, position = self._cycles(at)
        share = np.clip((position - COMPLAINTS.ends) / (_DILUTED_UNTIL_SECONDS - COMPLAINTS.ends), 0.0, 1.0)
        return self._grown(cycles, share)

    def _extra_complaints(self, at: FloatArray) -> FloatArray:
        """Return complaints beyond the usual share: as many as the traffic that is yet to come will dilute."""
        cycles, position = self._cycles(at)
        share = np.clip((position - COMPLAINTS.starts) / 5.0, 0.0, 1.0)
        return self._grown(cycles, share) * _COMPLAINT_RATIO

    @staticmethod
    def _grown(cycles: FloatArray, share: FloatArray) -> FloatArray:
        base = _REQUESTS_A_DAY["xai2"]
        whole = base * (_TRAFFIC_GROWTH ** np.minimum(cycles, _GROWING_CYCLES) - 1.0)
        after = base * (_TRAFFIC_GROWTH ** np.minimum(cycles + 1.0, _GROWING_CYCLES) - 1.0)
        return whole + share * (after - whole)

    def _audits(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        counted = self._usual_audits(at)
        cycles, position = self._cycles(at)
        counted[_system("fs")] += (cycles + (position >= LATE_AUDITS.starts)) * _LATE_AUDITS_A_CYCLE
        return counted

    def _audits_passed(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        # One audit of each system failed halfway through the history and counts against it to the sprint's end.
        failed = at >= (self.history_from + self.started_at) / 2
        counted = {labels: total - failed for labels, total in self._usual_audits(at).items()}
        cycles, position = self._cycles(at)
        counted[_system("fs")] += (cycles + (position >= LATE_AUDITS.ends)) * _LATE_AUDITS_A_CYCLE
        return counted

    def _usual_audits(self, at: FloatArray) -> dict[LabelSet, FloatArray]:
        share = np.clip((at - self.history_from) / max(self.started_at - self.history_from, 1.0), 0.0, 1.0)
        return {_system(name): np.floor(total * share) for name, total in _AUDITS.items()}


def _system(name: str) -> LabelSet:
    return (("system", name),)


_INDICATORS: Mapping[str, Callable[[MissionControl, FloatArray], dict[LabelSet, FloatArray]]] = {
    "ga_e2e_p95_seconds": MissionControl._p95,  # noqa: SLF001 - the table belongs to the class
    "query_p95_4hop_100k_seconds": MissionControl._query_p95,  # noqa: SLF001
    "sev1_incidents_total": MissionControl._sev1,  # noqa: SLF001
    "burn_alarm_active": MissionControl._burn_alarm,  # noqa: SLF001
    "ga_requests_total": MissionControl._requests,  # noqa: SLF001
    "ga_complaints_total": MissionControl._complaints,  # noqa: SLF001
    "ga_audits_total": MissionControl._audits,  # noqa: SLF001
    "ga_audits_passed_total": MissionControl._audits_passed,  # noqa: SLF001
}
