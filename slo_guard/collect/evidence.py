"""The ``evidence`` collector: what people signed, from a YAML file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from slo_guard.collect.frames import Rejections
from slo_guard.collect.options import CollectorOptions, IndicatorName, unique_names
from slo_guard.collect.sign_offs import read_evidence
from slo_guard.domain.readings import Collection, CollectionFailure, Evidence, IndicatorSpec, IndicatorType, Reading
from slo_guard.errors import CollectionError
from slo_guard.fields import LocalPath
from slo_guard.units import PLAIN


class EvidenceOptions(CollectorOptions):
    """Options of an ``evidence`` collector."""

    type: Literal["evidence"] = Field("evidence", description="What kind of collector this is: evidence.")
    file: LocalPath = Field(description="YAML list of sign-offs; `slo-guard sign` adds to it.")
    indicators: list[IndicatorName] = Field(min_length=1, description="What can be signed.")

    @model_validator(mode="after")
    def _indicators_differ(self) -> EvidenceOptions:
        unique_names(self.indicators)
        return self

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the declared indicators, all bool."""
        return tuple(IndicatorSpec(name, IndicatorType.BOOL, PLAIN, self.name) for name in self.indicators)


class EvidenceCollector:
    """Keeps the ``Collector`` port over a file of sign-offs; what nobody signed is an ``Evidence`` without any."""

    def __init__(self, options: EvidenceOptions) -> None:
        self._options = options

    @property
    def name(self) -> str:
        """The collector's name."""
        return self._options.name

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        """What it produces."""
        return self._options.specs()

    def collect(self, now: float, cursor: str | None) -> Collection:  # noqa: ARG002 - the file is read whole each time
        """Read the file; entries that are wrong are counted, the others taken; see the port."""
        names = self._options.indicators
        try:
            file = read_evidence(self._options.file)
        except CollectionError as error:
            failure = CollectionFailure(self.name, tuple(names), now, error.reason, str(error))
            return Collection(self.name, now, (failure,))
        rejected = {name: Rejections() for name in names}
        for wrong in file.wrong:
            # An entry that names no indicator of ours is told with the first one, so that it is told once.
            rejected[wrong.indicator if wrong.indicator in rejected else names[0]].add(1, wrong.message)
        for entry in file.entries:
            if entry.indicator not in rejected:
                message = f"{self._options.file}: {entry.indicator} is not among the collector's indicators"
                rejected[names[0]].add(1, message)
        readings = [
            Reading(
                name,
                self.name,
                now,
                Evidence(tuple(entry.sign_off for entry in file.entries if entry.indicator == name), now),
                rejected[name].count,
                rejected[name].example,
            )
            for name in names
        ]
        return Collection(self.name, now, tuple(readings))

    def close(self) -> None:
        """Nothing is kept open."""


def build_evidence(options: EvidenceOptions, history_from: float | None) -> EvidenceCollector:  # noqa: ARG001 - sign-offs have their own times
    """Return the collector that ``options`` describe."""
    return EvidenceCollector(options)
