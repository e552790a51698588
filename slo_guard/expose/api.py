"""The FastAPI app: the metrics page, health, reload, the JSON API and the web page, all read from one snapshot."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from slo_guard import __version__
from slo_guard.clock import to_unix, utcnow
from slo_guard.domain.explanations import Unexplained
from slo_guard.expose.access import AccessControl, AccessGate
from slo_guard.expose.acknowledgement_api import acknowledgement_router
from slo_guard.expose.deliveries_api import deliveries_router
from slo_guard.expose.docs_page import docs_router
from slo_guard.expose.evidence_api import evidence_router
from slo_guard.expose.http_guard import SecurityHeaders, answer_errors_as_problems
from slo_guard.expose.kpis_api import kpis_router
from slo_guard.expose.openapi import document
from slo_guard.expose.operations_api import operations_router
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.pages.routes import PageRoutes, Stored
from slo_guard.expose.prometheus_answers import Annotate
from slo_guard.expose.prometheus_api import prometheus_router
from slo_guard.expose.routing import Deliveries, Explain, Transitions
from slo_guard.expose.rules_api import rules_router
from slo_guard.expose.silence_api import silence_router
from slo_guard.expose.silence_routing import NobodySays, Silencing
from slo_guard.expose.snapshot import ReloadOutcome, SnapshotHolder
from slo_guard.expose.sources_api import sources_router
from slo_guard.expose.sprint_api import sprint_router
from slo_guard.expose.trail_api import trail_router


def create_app(
    holder: SnapshotHolder,
    own: OwnMetrics,
    reload: Callable[[], ReloadOutcome],
    *,
    explain: Explain = lambda _sprint, _kpi: Unexplained("this server keeps nothing to explain it by"),
    deliveries: Deliveries = lambda **_: (),
    silencing: Silencing = NobodySays,
    transitions: Transitions = lambda _sprint, _kpi, _limit: (),
    annotate: Annotate = lambda _alert, _kpi: {},
    clock: Callable[[], float] = lambda: to_unix(utcnow()),
    gate: AccessGate | None = None,
) -> FastAPI:
    """Return the app over ``holder``; ``reload`` reads the files again and may block, ``clock`` gives Unix seconds.

    ``explain`` is given the sprint and id of a KPI of the current snapshot; it may block for seconds, not for longer.
    ``deliveries`` and ``transitions`` answer as the store does, from any thread; ``annotate`` fills in the annotations
    of an alert.
    ``gate`` says who may read and write; without one anybody reads, and only programs on this machine write.
    """
    app = FastAPI(
        title="slo_guard",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        # The framework's own pages load scripts from elsewhere, which the security headers forbid.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    document(app)
    app.include_router(operations_router(holder, own, reload))
    app.include_router(kpis_router(holder, explain))
    app.include_router(trail_router(holder, transitions))
    app.include_router(sprint_router(holder))
    app.include_router(rules_router(holder))
    app.include_router(evidence_router(holder))
    app.include_router(sources_router(holder))
    app.include_router(deliveries_router(deliveries))
    app.include_router(prometheus_router(holder, annotate))
    app.include_router(silence_router(holder, silencing, clock))
    app.include_router(acknowledgement_router(holder, silencing, clock))
    app.include_router(docs_router())
    pages = PageRoutes(holder, clock, Stored(explain, deliveries, transitions))
    app.include_router(pages.router())
    answer_errors_as_problems(app, pages.error)
    app.add_middleware(AccessControl, gate=gate or AccessGate())
    app.add_middleware(SecurityHeaders)
    return app
