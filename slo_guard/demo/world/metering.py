"""The lane metering: units metered and billed, and the month-open exports."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from slo_guard.demo.world.series import SeriesOf, Values, labelled
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

TENANTS: Mapping[str, float] = {"acme": 40.0, "globex": 25.0, "initech": 12.0, "umbrella": 8.0}
"""The tenants that are metered, and the units that each uses in a second."""

DRIFT = Episode(
    22,
    108,
    "metering_variance",
    "acme's metering drifts: at risk by its trend, then over 0.25%",
    "acme is billed anew, and the variance is gone",
)
EXPORT_LATE = Episode(
    120, 147, "metering_exports_on_schedule", "globex's export is late", "globex's export has caught up"
)
EPISODES = (DRIFT, EXPORT_LATE)

_DRIFTED_AT = 92.0
_DRIFTED_BY = 0.0035
_QUIET, _NOISE = 0.0006, 0.0003
_UNITS_BEFORE = 1_000_000.0
"""A month of usage that is behind each tenant, so that a single unit is no variance."""


def _metered(story: Story, at: FloatArray) -> Values:
    since = at - story.history_from
    return {_tenant(name): _UNITS_BEFORE + np.floor(since * rate) for name, rate in TENANTS.items()}


def _billed(story: Story, at: FloatArray) -> Values:
    billed: Values = {}
    for number, (labels, units) in enumerate(_metered(story, at).items()):
        apart = _QUIET + _NOISE * np.sin(at / (331.0 * story.stretch) + number)
        if labels == _tenant("acme"):
            ramp = story.passed(at, DRIFT.starts, _DRIFTED_AT)
            apart = apart + np.where(story.active(DRIFT, at), ramp * _DRIFTED_BY, 0.0)
        billed[labels] = np.round(units / (1.0 + apart))
    return billed


def _active(_story: Story, at: FloatArray) -> Values:
    return {_tenant(name): np.ones(at.shape) for name in TENANTS}


def _on_schedule(story: Story, at: FloatArray) -> Values:
    late = story.active(EXPORT_LATE, at)
    return {_tenant(name): np.where(late & (name == "globex"), 0.0, 1.0) for name in TENANTS}


def _tenant(name: str) -> tuple[tuple[str, str], ...]:
    return labelled("tenant", name)


INDICATORS: Mapping[str, SeriesOf] = {
    "metering_metered_units": _metered,
    "metering_billed_units": _billed,
    "metering_active_tenants": _active,
    "metering_export_on_schedule": _on_schedule,
}
