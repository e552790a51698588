"""Which silence and which acknowledgement hold for an alert, with who, until when and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slo_guard.domain.alerts import Alert
from slo_guard.expose.pages.model import Mark
from slo_guard.expose.pages.moments import Calendar
from slo_guard.expose.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Marks:
    """The silences and acknowledgements of one snapshot, asked for one alert at a time; instants in ``calendar``."""

    snapshot: Snapshot
    calendar: Calendar

    def of(self, alert: Alert) -> tuple[Mark, ...]:
        """Return what holds for ``alert``."""
        return tuple(self._found(alert))

    def _found(self, alert: Alert) -> Iterator[Mark]:
        silence = self.snapshot.silence_of(alert)
        if silence is not None:
            yield Mark("silenced", silence.by, self.calendar.moment(silence.over_at), silence.why)
        known = self.snapshot.acknowledgement_of(alert)
        if known is not None:
            yield Mark("acknowledged", known.by, self.calendar.moment(known.until), known.why)
