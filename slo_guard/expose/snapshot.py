"""The immutable picture of the world that the evaluation thread publishes once a cycle and all handlers read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slo_guard.domain.alerts import Alert, AlertKey
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.gates import Gate
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.readings import Evidence
from slo_guard.domain.silences import Acknowledgement, Silence, acknowledgement_of, labels_of, silence_of
from slo_guard.domain.trails import Trails
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.expose.metrics_page import GzipPage, MetricsPage

_GZIP_REMEMBERED_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SourceError:
    """Why a collector's last failed collection failed: a stable short ``reason`` and a message without secrets."""

    reason: str
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What is known of one collector; None where there was none yet. Instants are Unix seconds (UTC).

    ``kind``: its type in the config, such as ``prometheus``; ``failing_since``: its first failure after the last
    success; ``rejected``: how many samples its last collection brought that were not usable, and one of them in words.
    """

    collector: str
    indicators: tuple[str, ...] = ()
    last_success_at: float | None = None
    last_error: SourceError | None = None
    kind: str = ""
    failing_since: float | None = None
    rejected: int = 0
    rejected_example: str | None = None

    @property
    def failing(self) -> bool:
        """Whether the newest thing known is a failure."""
        if self.last_error is None:
            return False
        return self.last_success_at is None or self.last_error.at >= self.last_success_at


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """What became of reading the files again: ``message`` is for people, with all findings when ``ok`` is False."""

    ok: bool
    message: str
    at: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that is shown, as of the evaluation at ``at`` (Unix seconds).

    ``frames`` has the newest verdicts of each (sprint, KPI) judged so far; ``metrics`` is their page as
    ``KpiRenderer`` made it; ``reload`` is None if nothing was reloaded since the start. ``silences`` are those
    that are active or pending, ``acknowledgements`` those that have not ended. ``trails``: how each (sprint, KPI) went
    over its sprint; ``recent_trails``: how it went lately, in finer slots; each look-up puts a trail together anew.
    ``gates``: the go/no-go so far of each sprint that has begun; ``sign_offs``: what is known of each (sprint, KPI)
    that is judged by sign-offs; ``evaluation_seconds``: how long the evaluation before took. Nobody changes any of it
    after it is published.
    """

    at: float
    plan: Plan
    frames: Mapping[tuple[str, str], VerdictFrame]
    alerts: Mapping[AlertKey, Alert]
    metrics: MetricsPage
    sources: tuple[SourceStatus, ...] = ()
    reload: ReloadOutcome | None = None
    silences: tuple[Silence, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    trails: Trails = field(default_factory=dict)
    recent_trails: Trails = field(default_factory=dict)
    gates: Mapping[str, Gate] = field(default_factory=dict)
    sign_offs: Mapping[tuple[str, str], Evidence] = field(default_factory=dict)
    evaluation_seconds: float = 0.0

    def silence_of(self, alert: Alert) -> Silence | None:
        """Return the silence that keeps the messages of ``alert`` back; None where there is none."""
        if not self.silences:
            return None
        kpi = next(
            (each for each in self.plan.kpis if (each.sprint, each.id) == (alert.key.sprint, alert.key.kpi)), None
        )
        return silence_of(self.silences, labels_of(alert.key, kpi), self.at)

    def acknowledgement_of(self, alert: Alert) -> Acknowledgement | None:
        """Return what somebody has said by which no reminders of ``alert`` are sent; None where nobody has."""
        return acknowledgement_of(self.acknowledgements, alert, self.at)

    @property
    def kpis(self) -> tuple[KPI, ...]:
        """The KPIs of the rule files; what is built in shows among the sources, and by its alerts."""
        return tuple(kpi for kpi in self.plan.kpis if kpi.id != COLLECTOR_UP)

    def is_upcoming(self, sprint: str) -> bool:
        """Whether a sprint has not started: nothing of it has been judged."""
        return sprint in self.plan.sprints and self.at < self.plan.sprints[sprint].start_at


@dataclass(frozen=True, slots=True, eq=False)
class _Published:
    snapshot: Snapshot
    gzip: GzipPage | None


class SnapshotHolder:
    """Where the evaluation thread leaves the newest snapshot and handlers find it.

    One thread publishes; any number read. A reader sees one whole snapshot or another, never parts of two.
    """

    def __init__(self) -> None:
        self._published: _Published | None = None
        self._gzip_asked_at: float | None = None

    @property
    def current(self) -> Snapshot | None:
        """The newest snapshot; None before the first evaluation has finished."""
        published = self._published
        return None if published is None else published.snapshot

    def publish(self, snapshot: Snapshot) -> None:
        """Make ``snapshot`` the current one.

        It is compressed here, off the scrape, if somebody asked for gzip within the last five minutes.
        """
        asked_at, last = self._gzip_asked_at, self._published
        packed = None
        if asked_at is not None and snapshot.at - asked_at <= _GZIP_REMEMBERED_SECONDS:
            kept = last.gzip if last is not None and last.snapshot.metrics is snapshot.metrics else None
            packed = kept or GzipPage(snapshot.metrics)
        self._published = _Published(snapshot, packed)

    def gzip_page(self) -> GzipPage | None:
        """Return the current page compressed, and have the next ones compressed; None if this one is not.

        A scraper's first gzip scrape therefore gets plain text, which HTTP allows.
        """
        published = self._published
        if published is None:
            return None
        self._gzip_asked_at = published.snapshot.at
        return published.gzip
