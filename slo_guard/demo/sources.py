"""Mission Control's sources over HTTP: its metrics page, the query API of its Prometheus, and its JSON endpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from slo_guard.demo.json_endpoints import answer_json
from slo_guard.demo.loopback import LoopbackServer, Request, Response
from slo_guard.demo.mission_control import MissionControl
from slo_guard.demo.prometheus_stand_in import answer
from slo_guard.demo.world.ga_ops import PAGE_DOWN
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
        lines += [f"{name}{_braces(labels)} {value:.6g}" for labels, value in mission.now(name, now).items()]
    return "\n".join([*lines, ""])


def source_server(mission: MissionControl, clock: Callable[[], float]) -> LoopbackServer:
    """Return a server, not yet started, of ``/metrics``, ``/api/v1/query``, ``query_range`` and the JSON endpoints."""

    def respond(request: Request) -> Response:
        now, target = clock(), urlsplit(request.target)
        if target.path == "/metrics":
            if mission.active(PAGE_DOWN, now):
                return Response(HTTPStatus.INTERNAL_SERVER_ERROR, b"simulated fault: the page is down\n")
            page = metrics_page(mission, now).encode()
            return Response(HTTPStatus.OK, page, "text/plain; version=0.0.4; charset=utf-8")
        form = request.body.decode("utf-8", "replace") if request.method == "POST" else ""
        parameters = dict(parse_qsl(target.query) + parse_qsl(form))
        try:
            document = answer_json(target.path, parameters, f"http://{request.headers.get('Host', '')}", mission, now)
        except ValueError as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        if document is not None:
            return _json(HTTPStatus.OK, document)
        reply = answer(target.path, parameters, mission, now)
        return _json(reply.status, reply.document)

    return LoopbackServer(respond)


def _json(status: HTTPStatus, document: object) -> Response:
    return Response(status, json.dumps(document).encode(), "application/json")


def _braces(labels: LabelSet) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""
