"""Mission Control's sources over HTTP: the metrics page of its services and the query API of its Prometheus."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from slo_guard.demo.loopback import LoopbackServer, Request, Response
from slo_guard.demo.mission_control import PAGE_DOWN, MissionControl
from slo_guard.demo.prometheus_stand_in import answer
from slo_guard.domain.series import LabelSet

PAGE_INDICATORS = {
    "ga_e2e_p95_seconds": "End-to-end p95 of the GA systems over the last minute.",
    "query_p95_4hop_100k_seconds": "p95 of 4-hop queries on 100k entities over the last minute.",
}
"""What stands on the metrics page, with its help text."""


def metrics_page(mission: MissionControl, now: float) -> str:
    """Return the metrics page of Mission Control's services at ``now`` in Prometheus's text format."""
    lines = []
    for name, text in PAGE_INDICATORS.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
        series = mission.indicator(name, np.array([now]))
        lines += [f"{name}{_braces(labels)} {value[0]:.6g}" for labels, value in series.items()]
    return "\n".join([*lines, ""])


def source_server(mission: MissionControl, clock: Callable[[], float]) -> LoopbackServer:
    """Return a server, not yet started, of ``/metrics`` and ``/api/v1/query`` and ``query_range``."""

    def respond(request: Request) -> Response:
        now, target = clock(), urlsplit(request.target)
        if target.path == "/metrics":
            if mission.active(PAGE_DOWN, now):
                return Response(HTTPStatus.INTERNAL_SERVER_ERROR, b"simulated fault: the page is down\n")
            page = metrics_page(mission, now).encode()
            return Response(HTTPStatus.OK, page, "text/plain; version=0.0.4; charset=utf-8")
        form = request.body.decode("utf-8", "replace") if request.method == "POST" else ""
        parameters = dict(parse_qsl(target.query) + parse_qsl(form))
        reply = answer(target.path, parameters, mission, now)
        return Response(reply.status, json.dumps(reply.document).encode(), "application/json")

    return LoopbackServer(respond)


def _braces(labels: LabelSet) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""
