"""What the receivers' stand-ins were told of a KPI, as those who read it there see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.support.slack_stand_in import all_texts
from tests.support.webhook_stand_in import Received


def slack_messages(received: Iterable[Received], kpi: str, headline: str) -> list[str]:
    """Return the texts of the messages about a KPI that are headed ``headline``, such as ``Breached``."""
    texts = [all_texts(each.document) for each in received]
    return [text for text in texts if f"*KPI*\n{kpi}\n" in text + "\n" and f" {headline}: " in text.split("\n")[0]]


def slack_headed(received: Iterable[Received], headline: str) -> list[str]:
    """Return the texts of all messages that are headed ``headline``."""
    texts = [all_texts(each.document) for each in received]
    return [text for text in texts if f" {headline}: " in text.split("\n")[0]]


def hook_bodies(received: Iterable[Received], kpi: str, kind: str, status: str) -> list[Any]:
    """Return the webhook's bodies about a KPI's alerts of a kind with that status."""
    about = {"kpi": kpi, "kind": kind}
    bodies = [each.document for each in received]
    return [body for body in bodies if body["groupLabels"].items() >= about.items() and body["status"] == status]
