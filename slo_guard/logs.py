"""Structured logs: an event name with bound fields, on standard error, as console lines or JSON."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import structlog

from slo_guard.clock import utcnow

log = structlog.get_logger(__name__)

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str = "info", style: str = "console") -> None:
    """Send all logs, those of libraries included, to standard error at ``level`` as ``console`` or ``json`` lines."""
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, _timestamp]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info if style == "json" else _as_is,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    for noisy in ("uvicorn", "alembic"):
        logging.getLogger(noisy).setLevel(max(_LEVELS[level], logging.WARNING))
    # Its warnings name whole URLs, with the path that is a webhook's secret; what they say, HttpError says too.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    # It warns of each run that is left out while the one before goes on, which is counted by us.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def say_nothing() -> None:
    """Log nothing at all: for commands that tell what happens in words of their own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class OnceLogged:
    """Logs what goes wrong again and again once: as it begins or its cause changes, and as it is over.

    Jobs run every second, and a full disk lasts for hours. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._causes: dict[str, str] = {}

    def wrong(self, job: str, event: str, error: str, *, bug: BaseException | None = None, **fields: Any) -> None:
        """Say that ``job`` fails by ``error``, unless that was said last; a ``bug`` with its traceback."""
        with self._lock:
            told = self._causes.get(job) == error
            self._causes[job] = error
        if not told:
            log.error(event, error=error, **fields, **({"exc_info": bug} if bug is not None else {}))

    def right(self, job: str, event: str = "works_again", **fields: Any) -> None:
        """Say that ``job`` works again, if it did not."""
        with self._lock:
            failed = self._causes.pop(job, None) is not None
        if failed:
            log.info(event, **fields)


def _timestamp(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = utcnow().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _as_is(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return event
