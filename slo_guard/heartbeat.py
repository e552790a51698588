"""The dead man's switch: a URL that is asked for while all is alive, from a thread of its own, and left alone else."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from slo_guard.clock import monotonic
from slo_guard.config.heartbeat import HeartbeatSettings
from slo_guard.errors import SecretError
from slo_guard.expose.own_metrics import HeartbeatOutcome, OwnMetrics
from slo_guard.http_session import HttpError, HttpSession, checked_url
from slo_guard.logs import OnceLogged
from slo_guard.vitals import Vitals

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.2


class Heartbeat:
    """Asks for the URL of its settings at their interval while nothing of ``vitals`` stalls.

    Its peer delays nobody: it has its own thread, and what a request takes is bounded by its time-outs.
    """

    def __init__(
        self,
        vitals: Vitals,
        own: OwnMetrics,
        now: Callable[[], float],
        on_error: Callable[[str, BaseException], None],
        stopwatch: Callable[[], float] = monotonic,
    ) -> None:
        self._vitals = vitals
        self._own = own
        self._now = now
        self._on_error = on_error
        self._stopwatch = stopwatch
        self._told = OnceLogged()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._settings: HeartbeatSettings | None = None
        self._session: HttpSession | None = None
        self._due: float | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def follow(self, settings: HeartbeatSettings | None) -> None:
        """Go on with these settings; None: beat no more."""
        with self._lock:
            if settings == self._settings:
                return
            before, self._settings = self._session, settings
            self._session = None if settings is None else HttpSession(settings.http, show_path=False)
            # A whole interval later: what has only just begun has shown nothing yet.
            self._due = None if settings is None else self._stopwatch() + settings.interval
        self._own.expect_heartbeat(expected=settings is not None)
        if before is not None:
            before.close()

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; idempotent, and waits for nothing."""
        self._ended.set()

    def beat_if_due(self) -> HeartbeatOutcome | None:
        """Ask for the URL, or leave it alone because something stalls; None where it is not time."""
        with self._lock:
            settings, session, now = self._settings, self._session, self._stopwatch()
            if settings is None or session is None or self._due is None or now < self._due:
                return None
            # From when it was due, so that intervals do not grow by what requests take; what was slept over is not
            # made up for.
            following = self._due + settings.interval
            self._due = following if following > now else now + settings.interval
        outcome = self._beat(settings, session)
        self._own.heartbeat(outcome, self._now())
        return outcome

    def _beat(self, settings: HeartbeatSettings, session: HttpSession) -> HeartbeatOutcome:
        stalls = self._vitals.stalls(settings.stalled_after, settings.undelivered_after)
        if stalls:
            reasons = sorted(
                {each.reason if each.receiver is None else f"{each.reason}[{each.receiver}]" for each in stalls}
            )
            self._told.wrong("alive", "heartbeat_withheld", ", ".join(reasons), stalls=[str(each) for each in stalls])
            return HeartbeatOutcome.WITHHELD
        self._told.right("alive", "heartbeat_goes_on")
        failure = _ask(settings, session)
        if failure is not None:
            self._told.wrong("peer", "heartbeat_failed", failure)
            return HeartbeatOutcome.FAILED
        self._told.right("peer", "heartbeat_works_again")
        return HeartbeatOutcome.SENT

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                self.beat_if_due()
            except Exception as error:  # noqa: BLE001 - told and counted; the heart beats on
                self._on_error("heartbeat", error)


def _ask(settings: HeartbeatSettings, session: HttpSession) -> str | None:
    """Ask for the URL once; returns what went wrong in words that do not show it, None if it was taken."""
    try:
        url = settings.url if isinstance(settings.url, str) else checked_url(settings.url.reveal())
    except SecretError as error:
        return f"secret_missing: {error}"
    except ValueError:
        return "bad_url: the heartbeat's secret does not hold an http or https URL"
    try:
        answer = session.get(url) if settings.method == "GET" else session.post(url, content=b"", idempotent=True)
    except HttpError as error:
        return f"{error.reason}: {error}"
    return None if 200 <= answer.status < 300 else f"http_{answer.status}: answered {answer.status}"
