"""A running HTTP server over what a test publishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from slo_guard.expose.api import create_app
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.routing import Explain
from slo_guard.expose.server import HttpServer
from slo_guard.expose.snapshot import ReloadOutcome, Snapshot, SnapshotHolder
from tests.support.pictures import NOW, holding


def accepted() -> ReloadOutcome:
    """Return what a good reload gives."""
    return ReloadOutcome(True, "reloaded 7 KPIs")


@contextmanager
def serving(
    shown: Snapshot | SnapshotHolder | None = None,
    *,
    own: OwnMetrics | None = None,
    reload: Callable[[], ReloadOutcome] = accepted,
    explain: Explain | None = None,
    now: float = NOW,
    **asked: Any,
) -> Iterator[str]:
    """Serve ``shown`` on a free loopback port for the length of the block; yields the base URL.

    ``asked``: further arguments of ``create_app``.
    """
    holder = shown if isinstance(shown, SnapshotHolder) else holding(shown)
    if explain is not None:
        asked["explain"] = explain
    app = create_app(holder, own or OwnMetrics("1.2.3"), reload, clock=lambda: now, **asked)
    server = HttpServer(app, port=0)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
