"""What all collectors' options have in common: a name, a schedule, and indicators with a type and a unit."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from slo_guard.domain.readings import IndicatorSpec, IndicatorType
from slo_guard.fields import ByteCount, Options, Seconds
from slo_guard.http_session import HttpOptions
from slo_guard.units import PLAIN, source_unit

MIN_INTERVAL_SECONDS = 0.1

IndicatorName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""An indicator's name as rules use it."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, -1, _WEEKDAYS),
)
_CRON_PART = re.compile(r"(?:\*|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:/(\d+))?")


def checked_cron(text: str) -> str:
    """Return a crontab line of five fields with single spaces; raises ``ValueError`` that names the wrong field.

    Weekdays are names only: 0 is Sunday in one cron and Monday in another, and a wrong guess collects on the wrong day.
    """
    fields = text.lower().split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(f"{text!r} has {len(fields)} fields; a cron has five, such as '*/5 8-18 * * mon-fri'")
    for field, (name, low, high, names) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            if not _is_cron_part(part, low, high, names):
                allowed = " or ".join(
                    filter(
                        None, [f"{low} to {high}" if high >= low else "", f"{names[0]} to {names[-1]}" if names else ""]
                    )
                )
                raise ValueError(f"{part!r} is not a {name}; write *, {allowed}, ranges, lists or steps of these")
    return " ".join(fields)


def _is_cron_part(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    match = _CRON_PART.fullmatch(part)
    if match is None or (match[3] is not None and int(match[3]) < 1):
        return False
    ends: list[int] = []
    for end in (match[1], match[2]):
        if end is None:
            continue
        if end in names:
            ends.append(low + names.index(end))
        elif end.isdigit() and low <= int(end) <= high:
            ends.append(int(end))
        else:
            return False
    return ends == sorted(ends)


Cron: TypeAlias = Annotated[str, AfterValidator(checked_cron), Field(examples=["*/5 8-18 * * mon-fri"])]


class CollectorOptions(Options):
    """What every collector states. A subclass gives ``type`` its one value and implements :meth:`specs`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$", description="Unique name of the collector.")
    type: str = Field(description="What kind of collector this is.")
    interval: Seconds = Field(30.0, ge=MIN_INTERVAL_SECONDS, description="Time between collections.")
    cron: Cron | None = Field(
        None, description="When to collect, instead of interval: five crontab fields, weekdays as names."
    )
    jitter: Seconds = Field(
        0.0, description="Collections are moved by up to this time, so that sources are not hit together."
    )

    @model_validator(mode="after")
    def _one_schedule(self) -> CollectorOptions:
        if self.cron is not None and "interval" in self.model_fields_set:
            raise ValueError("interval and cron exclude each other; write one of them")
        if self.cron is None and self.jitter > self.interval:
            raise ValueError("jitter is at most the interval")
        return self

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the indicators that a collector with these options produces."""
        raise NotImplementedError


class IndicatorOptions(Options):
    """One indicator that a source is asked for."""

    name: IndicatorName = Field(description="The name that rules use.")
    type: Literal["gauge", "counter", "histogram", "percentile", "bool"] = Field(description="What its samples are.")
    unit: str = Field(
        "", description="The source's unit, such as ms, seconds, percent, ratio, bytes; values are converted."
    )

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        source_unit(unit)
        return unit

    @model_validator(mode="after")
    def _bool_has_no_unit(self) -> IndicatorOptions:
        if self.type == "bool" and source_unit(self.unit)[0] != PLAIN:
            raise ValueError("a bool has no unit; leave unit out")
        return self

    def spec(self, collector: str) -> IndicatorSpec:
        """Return what ``collector`` declares of it, in base units."""
        return IndicatorSpec(self.name, IndicatorType(self.type), source_unit(self.unit)[0], collector)

    @property
    def factor(self) -> float:
        """What takes the source's values to the base unit."""
        return source_unit(self.unit)[1]


class RowIndicatorOptions(IndicatorOptions):
    """One indicator whose samples come row by row, each perhaps with a time of its own."""

    type: Literal["gauge", "counter", "event", "percentile", "bool"] = Field(  # type: ignore[assignment]
        description="What its samples are; an event is one observation, such as the time that a ticket took."
    )


class SourceHttpOptions(HttpOptions):
    """As for any peer, with room for an answer of 100,000 series."""

    max_response: ByteCount = Field(64 * 2**20, description="Largest answer, after decompression.")


class HttpSourceOptions(CollectorOptions):
    """A collector that asks an HTTP server."""

    timeout: Seconds = Field(
        20.0, gt=0, description="Longest time for a whole collection; what is not there by then has failed."
    )
    http: SourceHttpOptions = Field(
        SourceHttpOptions(), description="Time-outs, limits, TLS and authentication of a request."
    )


def unique_names(names: list[str]) -> None:
    """Raise ``ValueError`` naming the first indicator that is declared twice."""
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ValueError(f"the indicator {name} is declared twice")
