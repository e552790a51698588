"""What is watched from beside: collections that hang, a wall clock that goes back. The monotonic clock is the judge."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slo_guard.clock import monotonic
from slo_guard.domain.ports import Collector

_EVERY_SECONDS = 0.2
_SMALL_STEP_SECONDS = 0.5
_TRY_AGAIN_SECONDS = 1.0


class CollectorRun:
    """The run of one collector that is under way or awaited: the first is awaited from the beginning."""

    def __init__(self, collector: Collector, limit_seconds: float, stopwatch: Callable[[], float] = monotonic) -> None:
        self.collector = collector
        self.limit_seconds = limit_seconds
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._due: float | None = stopwatch() + limit_seconds

    def begin(self) -> None:
        """Note that a run begins now."""
        with self._lock:
            self._due = self._stopwatch() + self.limit_seconds

    def end(self) -> None:
        """Note that it has come back; waits while it is just being given up, so that what it brings is stored later."""
        with self._lock:
            self._due = None

    def give_up_if_overdue(self, give_up: Callable[[CollectorRun], bool]) -> None:
        """Call ``give_up`` once in a run that has not ended within the limit, again while it returns False."""
        with self._lock:
            now = self._stopwatch()
            if self._due is not None and now >= self._due:
                self._due = None if give_up(self) else now + _TRY_AGAIN_SECONDS


class ClockWatch:
    """Compares the wall clock (Unix seconds) with the monotonic one."""

    def __init__(self, clock: Callable[[], float], stopwatch: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._stopwatch = stopwatch
        self._last: tuple[float, float] | None = None

    def seconds_back(self) -> float:
        """Return by how much the wall clock was set back since the last call; 0 for less than half a second."""
        # Read before and compared with what was read after: a thread that is held up in between sees no step.
        before, wall = self._stopwatch(), self._clock()
        last, self._last = self._last, (self._stopwatch(), wall)
        if last is None:
            return 0.0
        back = (before - last[0]) - (wall - last[1])
        return back if back >= _SMALL_STEP_SECONDS else 0.0


class Watchdog:
    """Looks every fifth of a second, in a thread of its own, whatever the pools and the wall clock do."""

    def __init__(self, look: Callable[[], None], on_error: Callable[[str, BaseException], None]) -> None:
        self._look = look
        self._on_error = on_error
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; idempotent."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - told and counted; the watch goes on
                self._on_error("watch", error)
