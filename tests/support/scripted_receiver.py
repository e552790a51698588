"""A receiver without a network: records what it accepts, and raises what it was told to raise first."""

from __future__ import annotations

from slo_guard.domain.notifications import Notification


class ScriptedReceiver:
    """Implements the Receiver port; ``failures`` are raised in order, one a send, before anything is accepted."""

    def __init__(self, name: str = "sre", failures: list[Exception] | None = None) -> None:
        self._name = name
        self.failures = list(failures or [])
        self.attempts: list[Notification] = []
        self.accepted: list[Notification] = []

    @property
    def name(self) -> str:
        return self._name

    def send(self, notification: Notification) -> None:
        self.attempts.append(notification)
        if self.failures:
            raise self.failures.pop(0)
        self.accepted.append(notification)

    def close(self) -> None:
        """Nothing to release."""
