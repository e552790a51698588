"""Whether the daemon does what it is for: signs of life of each part, and what has been silent for too long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from slo_guard.clock import monotonic


class Part(StrEnum):
    """What must go on: evaluations, storing them, planning messages, sending them, and running collections."""

    EVALUATION = "evaluation"
    STORE = "store"
    PLANNING = "planning"
    DELIVERY = "delivery"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class Stall:
    """A part that stands still, or a message that waits for its receiver, and for how many seconds."""

    reason: str
    seconds: float
    receiver: str | None = None

    def __str__(self) -> str:
        where = "" if self.receiver is None else f"[{self.receiver}]"
        return f"{self.reason}{where} for {self.seconds:.0f}s"


class Vitals:
    """The last sign of life of each part, on the monotonic clock; every method may be called from any thread.

    After a start each part must show itself once, or a daemon that crashes again and again would look alive; a
    receiver that a reload adds has its time from then on.
    """

    def __init__(self, stopwatch: Callable[[], float] = monotonic) -> None:
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._bounds: dict[tuple[Part, str | None], float] = {}
        self._signs: dict[tuple[Part, str | None], float] = {}
        self._waiting: dict[str, float] = {}
        self._unseen: set[tuple[Part, str | None]] = set()

    def expect(self, interval_seconds: float, sending_seconds: Mapping[str, float]) -> None:
        """Expect evaluations at ``interval_seconds`` and each receiver of ``sending_seconds`` to be looked after.

        ``sending_seconds`` says how long one send to a receiver may take at the longest.
        """
        now = self._stopwatch()
        with self._lock:
            first = not self._bounds
            self._bounds = {(part, None): 3 * interval_seconds for part in Part if part is not Part.DELIVERY}
            self._bounds |= {(Part.DELIVERY, name): each for name, each in sending_seconds.items()}
            self._unseen = set(self._bounds) if first else self._unseen.intersection(self._bounds)
            self._signs = {key: self._signs.get(key, now) for key in self._bounds}
            self._waiting = {name: since for name, since in self._waiting.items() if name in sending_seconds}

    def alive(self, *parts: Part, receiver: str | None = None) -> None:
        """Take a sign of life of ``parts``, of the delivery to ``receiver``."""
        now = self._stopwatch()
        with self._lock:
            for part in parts:
                if (part, receiver) in self._bounds:
                    self._signs[part, receiver] = now
                    self._unseen.discard((part, receiver))

    def waiting(self, ages: Mapping[str, float]) -> None:
        """Take in how long (seconds) the oldest message of each receiver has waited; others have none."""
        now = self._stopwatch()
        with self._lock:
            self._waiting = {name: now - age for name, age in ages.items() if (Part.DELIVERY, name) in self._bounds}

    def stands_still(self, part: Part, after: float) -> bool:
        """Whether ``part`` has been silent for ``after`` seconds (or as long as it may be), the start being a sign."""
        with self._lock:
            bound, sign = self._bounds.get((part, None)), self._signs.get((part, None))
            return bound is not None and sign is not None and self._stopwatch() - sign > max(after, bound)

    def stalls(self, stalled_after: float, undelivered_after: float) -> tuple[Stall, ...]:
        """Return what has shown no sign of life for ``stalled_after`` seconds (or as long as it may take), or none yet.

        A message that has waited for ``undelivered_after`` seconds (0: whatever it takes) counts as well.
        """
        now = self._stopwatch()
        with self._lock:
            ages = {key: now - sign for key, sign in self._signs.items()}
            found = [
                Stall(f"{part.value}_stalled", ages[part, name], name)
                for (part, name), bound in self._bounds.items()
                if ages[part, name] > max(stalled_after, bound) or (part, name) in self._unseen
            ]
            if undelivered_after:
                waited = ((name, now - since) for name, since in self._waiting.items())
                found += [Stall("undelivered", age, name) for name, age in waited if age > undelivered_after]
        return tuple(found)
