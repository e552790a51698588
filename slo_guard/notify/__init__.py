"""Telling people: what to tell whom and why (pure), and the receivers that carry it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from slo_guard.domain.ports import Receiver
from slo_guard.notify.alert_annotations import annotations_of
from slo_guard.notify.deliver import Courier, Delivery, DeliveryPolicy, DeliveryStep
from slo_guard.notify.options import ReceiverOptions, linked_to, policy_of, route_of
from slo_guard.notify.plan import plan_notifications
from slo_guard.notify.slack import SlackOptions, SlackReceiver
from slo_guard.notify.trial import trial_message, what_to_do
from slo_guard.notify.webhook import WebhookOptions, WebhookReceiver


@dataclass(frozen=True, slots=True)
class ReceiverType:
    """A kind of receiver: its option model, and what builds a receiver from validated options, without I/O."""

    options: type[ReceiverOptions]
    build: Callable[[Any], Receiver]


RECEIVERS: Final[Mapping[str, ReceiverType]] = MappingProxyType(
    {
        "slack": ReceiverType(SlackOptions, SlackReceiver),
        "webhook": ReceiverType(WebhookOptions, WebhookReceiver),
    }
)
"""Every kind of receiver by the ``type`` that the config names."""

__all__ = [
    "RECEIVERS",
    "Courier",
    "Delivery",
    "DeliveryPolicy",
    "DeliveryStep",
    "ReceiverOptions",
    "ReceiverType",
    "annotations_of",
    "linked_to",
    "plan_notifications",
    "policy_of",
    "route_of",
    "trial_message",
    "what_to_do",
]
