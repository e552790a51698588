"""The one line that each cycle leaves in the log: what was judged, what came of it, and what took how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from slo_guard.clock import from_unix, monotonic
from slo_guard.domain.alerts import Alert
from slo_guard.domain.verdicts import AlertState, Verdict, VerdictFrame
from slo_guard.evaluate import Evaluation

log = structlog.get_logger(__name__)


class Laps:
    """What each step of a cycle takes, in the order in which they are taken."""

    def __init__(self, stopwatch: Callable[[], float] = monotonic) -> None:
        self._stopwatch = stopwatch
        self._started = self._last = stopwatch()
        self._steps: dict[str, float] = {}

    def lap(self, step: str, *, of_it: tuple[str, float] | None = None) -> None:
        """End ``step``; ``of_it`` names another step and how many seconds of this one belong to that."""
        now = self._stopwatch()
        seconds, self._last = now - self._last, now
        if of_it is not None:
            name, part = of_it
            self._steps[name] = self._steps.get(name, 0.0) + part
            seconds -= part
        self._steps[step] = self._steps.get(step, 0.0) + seconds

    @property
    def seconds(self) -> float:
        """How long all of it has taken so far."""
        return self._stopwatch() - self._started

    def milliseconds(self) -> dict[str, float]:
        """Return what each step took, and all together, as fields of a log line."""
        steps = {f"{name}_ms": seconds for name, seconds in self._steps.items()} | {"total_ms": self.seconds}
        return {name: round(1000 * seconds, 1) for name, seconds in steps.items()}


def log_cycle(
    evaluation: Evaluation,
    at: float,
    frames: Iterable[VerdictFrame],
    alerts: Iterable[Alert],
    *,
    messages: int,
    pending: int,
    laps: Laps,
) -> None:
    """Log the cycle at ``at`` (Unix seconds).

    ``verdicts`` counts KPIs by their worst verdict as they now stand, ``judged`` those of this cycle; ``messages`` were
    planned in it, ``pending`` wait in the outbox.
    """
    worst = Counter(frame.worst for frame in frames)
    log.info(
        "evaluated",
        at=from_unix(at).isoformat(),
        judged=len(evaluation.verdicts),
        verdicts={verdict.label: worst[verdict] for verdict in sorted(Verdict, reverse=True) if worst[verdict]},
        firing=sum(alert.state is AlertState.FIRING for alert in alerts),
        transitions=len(evaluation.transitions),
        messages=messages,
        pending=pending,
        **laps.milliseconds(),
    )
