"""What every receiver's entry in the config has in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Route
from slo_guard.fields import Options, Seconds
from slo_guard.http_options import HttpOptions, HttpUrl
from slo_guard.notify.deliver import DeliveryPolicy

_LEASE_MARGIN_SECONDS = 30.0


class ReceiverOptions(Options):
    """Fields of every receiver; a receiver's own model adds to them and fixes ``type``."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64, description="The receiver's name, unique."),
    ]
    type: Annotated[str, Field(description="What kind of receiver this is.")]
    severities: Annotated[
        tuple[Literal["page", "ticket"], ...],
        Field(min_length=1, description="Which alerts it is told of: page, ticket or both."),
    ] = ("page", "ticket")
    send_resolved: Annotated[bool, Field(description="Whether it is told when an alert ends.")] = True
    repeat_interval: Annotated[
        Seconds, Field(description="How long after a message an alert that still fires is told again; 0s: never.")
    ] = 14400.0
    min_interval: Annotated[Seconds, Field(description="The least time between two messages to this receiver.")] = 0.0
    give_up_after: Annotated[
        Seconds,
        Field(description="How old a message that cannot be delivered grows before it is kept as a dead letter."),
    ] = 259200.0

    @property
    def longest_send_seconds(self) -> float:
        """The longest that one send can take."""
        return 60.0


class HttpReceiverOptions(ReceiverOptions):
    """Fields of receivers that are reached over HTTP."""

    external_url: Annotated[
        HttpUrl | None,
        Field(description="Where its links lead: the address of this slo_guard (default: the server's external_url)."),
    ] = None
    http: Annotated[HttpOptions, Field(description="Time-outs, TLS, authentication and further headers.")] = (
        HttpOptions()
    )

    @property
    def longest_send_seconds(self) -> float:
        """The longest that one send can take: two requests, since a refused message may be sent once more, plainer."""
        return 2 * self.http.total_timeout


def linked_to(options: ReceiverOptions, external_url: str | None) -> ReceiverOptions:
    """Return ``options`` with links that lead to ``external_url``, unless they name another address."""
    if external_url is None or getattr(options, "external_url", external_url) is not None:
        return options
    return options.model_copy(update={"external_url": external_url})


def route_of(options: ReceiverOptions) -> Route:
    """Return what the receiver wants to hear, for the planner."""
    return Route(
        receiver=options.name,
        severities=tuple(Severity(name) for name in options.severities),
        send_resolved=options.send_resolved,
        repeat_interval_seconds=options.repeat_interval or None,
    )


def policy_of(options: ReceiverOptions) -> DeliveryPolicy:
    """Return how its messages are sent and sent again, for the courier."""
    return DeliveryPolicy(
        lease_seconds=options.longest_send_seconds + _LEASE_MARGIN_SECONDS,
        min_interval_seconds=options.min_interval,
        give_up_after_seconds=options.give_up_after,
    )
