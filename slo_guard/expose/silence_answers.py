"""What the API is told and answers about silences and acknowledgements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from slo_guard.clock import iso
from slo_guard.domain.alerts import Alert
from slo_guard.domain.silence_requests import MAX_BY, MAX_LABEL, MAX_MATCHERS, MAX_VALUE, MAX_WHY
from slo_guard.domain.silences import Acknowledgement, Silence

_MOST_LABELS = 64
_NAME, _TEXT = 200, MAX_LABEL + MAX_VALUE + 2

Matchers = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=_TEXT)]],
    Field(
        min_length=1,
        max_length=MAX_MATCHERS,
        description="All of them must match: label=value, label=!value or label=~regex (RE2, of the whole value).",
        examples=[["kpi=ga_e2e_p95", "system=~fs|xai2"]],
    ),
]
Who = Annotated[str, Field(min_length=1, max_length=MAX_BY, description="Who says so.", examples=["Ada"])]
Why = Annotated[str, Field(min_length=1, max_length=MAX_WHY, description="Why.", examples=["a new gateway goes live"])]
For = Annotated[
    str | None, Field(alias="for", max_length=40, description="For how long, in place of an end.", examples=["2h"])
]


class SilenceRequest(BaseModel):
    """A silence to add; it ends at ``ends_at`` or after ``for``: write one of the two."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    matchers: Matchers
    by: Who
    why: Why
    starts_at: Annotated[AwareDatetime | None, Field(description="When it begins; now, if left out.")] = None
    ends_at: Annotated[AwareDatetime | None, Field(description="When it ends.")] = None
    for_: For = None
    force: Annotated[bool, Field(description="Take it though no rule has a KPI, lane, sprint or label so named.")] = (
        False
    )


class AcknowledgementRequest(BaseModel):
    """An acknowledgement of a KPI that fires; it ends at ``until`` or after ``for``: write one of the two."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    kpi: Annotated[str, Field(max_length=_NAME, description="The id of a KPI.", examples=["ga_e2e_p95"])]
    sprint: Annotated[
        str | None, Field(max_length=_NAME, description="Which sprint's; the last that has begun, if left out.")
    ] = None
    labels: Annotated[
        dict[Annotated[str, Field(max_length=MAX_LABEL)], Annotated[str, Field(max_length=MAX_VALUE)]],
        Field(max_length=_MOST_LABELS, description="Labels of the one series that is meant; none: all that fire."),
    ] = Field(default_factory=dict)
    by: Who
    why: Why
    until: Annotated[AwareDatetime | None, Field(description="When reminders begin again.")] = None
    for_: For = None


class SilenceAnswer(BaseModel):
    """One silence; ``expired_at``: when somebody ended it before its time. Instants are ISO 8601 in UTC."""

    id: int
    state: Literal["pending", "active", "expired"]
    matchers: list[str]
    starts_at: str
    ends_at: str
    by: str
    why: str
    created_at: str
    expired_at: str | None


class MutedAlertAnswer(BaseModel):
    """An alert that fires and that the silence keeps quiet."""

    sprint: str
    kpi: str
    labels: dict[str, str]
    kind: Literal["breach", "risk", "burn"]
    tier: str | None


class AddedSilenceAnswer(SilenceAnswer):
    """The silence that was added: how many alerts that fire now it matches, the first of them, and what looks odd."""

    firing_total: int
    firing: list[MutedAlertAnswer]
    notices: list[str]


class SilencesAnswer(BaseModel):
    """Silences by ascending number."""

    silences: list[SilenceAnswer]


class AcknowledgementAnswer(BaseModel):
    """One acknowledgement; ``labels`` is null for all series; ``ended_at``: when its alerts ended, or somebody did."""

    id: int
    state: Literal["active", "ended"]
    sprint: str
    kpi: str
    labels: dict[str, str] | None
    until: str
    by: str
    why: str
    created_at: str
    ended_at: str | None


class AcknowledgementsAnswer(BaseModel):
    """Acknowledgements by ascending number."""

    acknowledgements: list[AcknowledgementAnswer]


def silence_answer(silence: Silence, now: float) -> dict[str, Any]:
    """Return ``SilenceAnswer``."""
    return {
        "id": silence.id,
        "state": silence.state(now),
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": iso(silence.starts_at),
        "ends_at": iso(silence.ends_at),
        "by": silence.by,
        "why": silence.why,
        "created_at": iso(silence.created_at),
        "expired_at": None if silence.expired_at is None else iso(silence.expired_at),
    }


def muted_answers(alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """Return ``MutedAlertAnswer`` for each of ``alerts``."""
    return [
        {
            "sprint": alert.key.sprint,
            "kpi": alert.key.kpi,
            "labels": dict(alert.key.labels),
            "kind": alert.key.kind.value,
            "tier": alert.key.tier or None,
        }
        for alert in alerts
    ]


def acknowledgement_answer(acknowledgement: Acknowledgement, now: float) -> dict[str, Any]:
    """Return ``AcknowledgementAnswer``."""
    return {
        "id": acknowledgement.id,
        "state": acknowledgement.state(now),
        "sprint": acknowledgement.sprint,
        "kpi": acknowledgement.kpi,
        "labels": None if acknowledgement.labels is None else dict(acknowledgement.labels),
        "until": iso(acknowledgement.until),
        "by": acknowledgement.by,
        "why": acknowledgement.why,
        "created_at": iso(acknowledgement.created_at),
        "ended_at": None if acknowledgement.ended_at is None else iso(acknowledgement.ended_at),
    }
