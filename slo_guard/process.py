"""The daemon as a process: it stops and reloads by signals."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from slo_guard.app import Daemon
from slo_guard.service_manager import ServiceManager

log = structlog.get_logger(__name__)

_SIGNAL_SECONDS = 0.2


class _StoppedEarlyError(BaseException):
    """The stop was asked for before the start had finished; no ``except Exception`` may keep it."""


def run_daemon(config_path: Path, *, on_ready: Callable[[str], None] | None = None) -> int:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP reloads. Returns the exit code.

    Call it in the main thread. Raises what :meth:`Daemon.start` raises. ``on_ready`` is given the page's URL.
    The service manager is told when it is ready, and that it is alive for as long as evaluations go on.
    """
    idle, asked = threading.Event(), {"stop": False, "reload": False, "started": False}

    def stop(_number: int, _frame: object) -> None:
        asked["stop"] = True
        if not asked["started"]:
            raise _StoppedEarlyError

    def reload(_number: int, _frame: object) -> None:
        asked["reload"] = True

    daemon, manager = Daemon(config_path), ServiceManager.of(os.environ, os.getpid())
    try:
        # Before the start: what a signal does by default is to end the process, and a start can take seconds.
        signal.signal(signal.SIGHUP, reload)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        daemon.start()
        asked["started"] = True
        if on_ready is not None:
            on_ready(daemon.url)
        manager.ready()
        while not asked["stop"]:
            # With a time-out: a signal that another thread takes would not end an endless wait.
            idle.wait(_SIGNAL_SECONDS)
            if asked["reload"]:
                asked["reload"] = False
                daemon.reload()
            manager.alive_if(daemon.evaluates)
    except _StoppedEarlyError:
        log.info("stopped_while_starting")
    finally:
        asked["started"] = True
        manager.stopping()
        daemon.stop()
    return 0
