"""``slo-guard demo``: the daemon on a simulated Mission Control."""

from __future__ import annotations

import math
import signal
import socket
import threading
from typing import Any

import click

from slo_guard.cli.demo_speed import check_step, go_through_sprint
from slo_guard.cli.recorded import Duration
from slo_guard.cli.run import leave
from slo_guard.clock import to_unix, utcnow
from slo_guard.demo.adapted_rules import adaptations
from slo_guard.demo.console import DemoConsole
from slo_guard.demo.room import DemoRoom
from slo_guard.demo.world.story import Episode
from slo_guard.process import run_daemon

_USUAL_PORT = 9469
_DEFAULT_STEP_SECONDS = 900.0


class _Speed(click.ParamType[float]):
    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value == "max":
            return math.inf
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not speed >= 1.0:
            self.fail(f"{value!r} is no speed; write simulated seconds a second, such as 3600, or max", param, ctx)
        return speed


@click.command("demo")
@click.option("--port", type=click.IntRange(0, 65535), help=f"Port of the page; 0: any free one.  [{_USUAL_PORT}]")
@click.option(
    "--host",
    metavar="ADDRESS",
    help="Address of the page: 0.0.0.0 for who looks from outside of a container.  [127.0.0.1]",
)
@click.option("--faults/--no-faults", default=True, show_default=True, help="Whether anything goes wrong.")
@click.option("--stop-after", type=Duration(), metavar="DURATION", help="Stop by itself, after 3m for example.")
@click.option(
    "--speed",
    type=_Speed(),
    metavar="N|max",
    help="Go through the whole sprint at N simulated seconds a second, such as 7200, or as fast as it goes.",
)
@click.option(
    "--step",
    type=Duration(),
    metavar="DURATION",
    help="With --speed: simulated time between two evaluations.  [15m]",
)
def demo(
    port: int | None,
    host: str | None,
    stop_after: float | None,
    speed: float | None,
    step: float | None,
    *,
    faults: bool,
) -> None:
    """Watch the daemon on a simulated Mission Control, with a Slack stand-in that prints what it gets.

    Nothing has to be set up, and nothing is left behind. Faults come and go within three minutes. With --speed the
    daemon's jobs are stepped through all of sprint 40 instead, from before its start to past its close.
    """
    if speed is not None and (port is not None or host is not None or stop_after is not None):
        raise click.UsageError(
            "--port, --host and --stop-after have no meaning with --speed: there is no page to look at."
        )
    if speed is None and step is not None:
        raise click.UsageError("--step is for --speed.")
    step_seconds = _DEFAULT_STEP_SECONDS if step is None else step
    check_step(step_seconds)
    _stop_cleanly_from_the_start()
    if speed is not None:
        go_through_sprint(speed, step_seconds, faults=faults)
        leave(0)
    console = DemoConsole()
    chosen = _usual_or_free() if port is None else port

    def told(episode: Episode, at: float, begins: bool) -> None:
        if introduced.is_set():
            console.episode(episode, at, begins=begins)

    introduced = threading.Event()
    with DemoRoom(console.slack, _now, port=chosen, host=host or "127.0.0.1", faults=faults, on_episode=told) as room:

        def introduce(url: str) -> None:
            base = url.rstrip("/")
            places = [
                ("Page", f"{base}/"),
                ("Verdicts", f"{base}/api/v1/kpis"),
                ("Metrics", f"{base}/metrics"),
                ("Mission Control", f"{room.sources_url}/metrics"),
                ("Its Prometheus", f"{room.sources_url}/api/v1/query"),
                ("Its JSON APIs", f"{room.sources_url}/api/marketplace/partners and others"),
                ("Its files", "databases, exports and sign-offs in the folder below"),
                ("Config and rules", str(room.folder)),
            ]
            console.introduce(places, adaptations(faults=faults), faults=faults)
            introduced.set()
            if stop_after is not None:
                _stop_in(stop_after)

        code = run_daemon(room.config_path, on_ready=introduce)
    console.say("Stopped; nothing is left behind.")
    leave(code)


def _stop_cleanly_from_the_start() -> None:
    """Have SIGTERM unwind, as Ctrl-C does, until the daemon handles both: else the demo's folder would stay."""

    def unwind(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, unwind)


def _stop_in(seconds: float) -> None:
    # To the main thread: it waits without end, and a signal that another thread takes would not wake it.
    main = threading.main_thread().ident
    timer = threading.Timer(seconds, signal.pthread_kill, (main, signal.SIGTERM))
    timer.daemon = True
    timer.start()


def _usual_or_free() -> int:
    """Return the usual port, or 0 (any free one) where something else listens there: a demo needs no set-up."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _USUAL_PORT))
        except OSError:
            return 0
    return _USUAL_PORT


def _now() -> float:
    return to_unix(utcnow())
