"""Structured logs: an event name with bound fields, on standard error, as console lines or JSON."""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import Any, Literal

import structlog

from slo_guard.clock import utcnow

log = structlog.get_logger(__name__)

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str = "info", style: str = "console") -> None:
    """Send all logs, those of libraries included, to standard error at ``level`` as ``console`` or ``json`` lines.

    Of JSON each line is one document with ``timestamp``, ``level`` and ``event`` first, and a traceback as the one
    field ``exception``. On the console a value never breaks its line: what a source says cannot look like a line of
    ours.
    """
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, _timestamp]
    renderers: list[Any] = (
        [structlog.processors.format_exc_info, _in_order, structlog.processors.JSONRenderer(serializer=_json)]
        if style == "json"
        else [
            _on_one_line,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
                pad_event_to=0,
                sort_keys=False,
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter(
            style,
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    logging.getLogger("alembic").setLevel(max(_LEVELS[level], logging.WARNING))
    # It warns of each request that is no HTTP: whoever can reach the port could fill the log.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    # Its warnings name whole URLs, with the path that is a webhook's secret; what they say, HttpError says too.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    # It warns of each run that is left out while the one before goes on, which is counted by us.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def in_json() -> bool:
    """Whether what goes to standard error is read by a program: then nothing but JSON lines may stand there."""
    formatters = (handler.formatter for handler in logging.getLogger().handlers)
    return any(isinstance(each, _Formatter) and each.style == "json" for each in formatters)


def take_over_stray_output() -> None:
    """Have Python's warnings and the ends of threads by an error logged, not printed. For a process of its own."""
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended


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

    def wrong(
        self,
        job: str,
        event: str,
        error: str,
        *,
        bug: BaseException | None = None,
        level: Literal["warning", "error"] = "error",
        **fields: Any,
    ) -> None:
        """Say that ``job`` fails by ``error``, unless that was said last; a ``bug`` with its traceback."""
        with self._lock:
            told = self._causes.get(job) == error
            self._causes[job] = error
        if told:
            return
        said = {"error": error} if error else {}
        say = log.warning if level == "warning" else log.error
        say(event, **said, **fields, **({"exc_info": bug} if bug is not None else {}))

    def right(self, job: str, event: str = "works_again", **fields: Any) -> None:
        """Say that ``job`` works again, if it did not."""
        with self._lock:
            failed = self._causes.pop(job, None) is not None
        if failed:
            log.info(event, **fields)

    def jobs(self, prefix: str) -> set[str]:
        """Return the jobs that fail and whose names begin with ``prefix``."""
        with self._lock:
            return {job for job in self._causes if job.startswith(prefix)}


def _timestamp(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = utcnow().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Remembers its style, so that :func:`in_json` can tell."""

    def __init__(self, style: str, **options: Any) -> None:
        self.style = style
        super().__init__(**options)


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    name = None if args.thread is None else args.thread.name
    log.error("thread_ended", name=name, error=args.exc_type.__name__, exc_info=args.exc_value)


def _in_order(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    first = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    return {**first, **event}


def _json(event: Any, **options: Any) -> str:
    """Return ``event`` as one JSON document, whatever was bound: a number that JSON has not, a key that is no text."""
    try:
        return json.dumps(event, allow_nan=False, **options)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(
            {str(name): value if isinstance(value, str) else repr(value) for name, value in event.items()}
        )


def _on_one_line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # Values are quoted by the renderer where they need it; what a library has to say comes as the event itself.
    said = str(event.get("event", ""))
    event["event"] = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in said)
    return event
