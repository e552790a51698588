"""Structured logs: an event name with bound fields, on standard error, as console lines or JSON."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from slo_guard.clock import utcnow

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
    for noisy in ("apscheduler", "uvicorn", "alembic"):
        logging.getLogger(noisy).setLevel(max(_LEVELS[level], logging.WARNING))
    # Its warnings name whole URLs, with the path that is a webhook's secret; what they say, HttpError says too.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)


def _timestamp(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = utcnow().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _as_is(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return event
