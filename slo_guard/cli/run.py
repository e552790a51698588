"""``slo-guard run``: the daemon."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import click
import structlog

from slo_guard import logs
from slo_guard.cli.config_file import config_option
from slo_guard.clock import monotonic
from slo_guard.errors import SloGuardError
from slo_guard.process import run_daemon

log = structlog.get_logger(__name__)

_LEAVE_WITHIN_SECONDS = 2.0


@click.command()
@config_option
def run(config_path: Path) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP reads the files again."""
    logs.configure()
    logs.take_over_stray_output()
    try:
        code = run_daemon(config_path, on_ready=_say_ready)
    except SloGuardError as error:
        if not logs.in_json():
            raise
        log.error("not_started", error=str(error))
        code = 1
    leave(code)


def _say_ready(url: str) -> None:
    """Tell a person where the page is; a program reads it in the event ``started``."""
    if not logs.in_json():
        click.echo(f"slo_guard is ready: {url}", err=True)


def leave(code: int) -> None:
    """End the process within seconds, even while a collector waits for a source that hangs.

    Python would wait for such threads, up to their time-outs. All that must be kept has been committed by now.
    """
    deadline = monotonic() + _LEAVE_WITHIN_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - monotonic()))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
