"""The OpenAPI document: what the routes state, completed by what is true of all of them.

Every route may refuse, fail or not be ready; that is said here, once, so that no route can forget it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from slo_guard.expose.answers import ProblemAnswer
from slo_guard.expose.openapi_examples import EXAMPLES
from slo_guard.expose.prometheus_models import PrometheusErrorAnswer

_SUMMARY = "The verdicts of sprint KPIs and SLOs, their alerts, and what was told of them."
_DESCRIPTION = """
Instants are ISO 8601 in UTC, values in base units (seconds, ratios, bytes, counts), durations seconds. Every answer
says `at` which evaluation it is of; before the first one it is 503. Lists that were cut say so by `truncated`. Errors
are problem JSON (RFC 9457), below `/prometheus/` what Prometheus answers.

Whatever writes needs a login where `server.auth` is configured; reads need one with `reads: required` only.
"""
_TAGS: Final = {
    "sprint": "The sprint at a glance: what is left of it, verdict counts, go or no-go so far.",
    "verdicts": "KPIs with their verdicts, why they are so, how they went, and the alerts that pend or fire.",
    "rules": "The rules that are in force.",
    "evidence": "What people have signed, and what they have not.",
    "sources": "The collectors, and why they fail.",
    "silences": "Silences and acknowledgements: who keeps what quiet, until when and why.",
    "deliveries": "What was sent to whom, and what became of it.",
    "prometheus": "Rules and alerts in the shapes of Prometheus's own API, for Grafana's alert list.",
    "operations": "Metrics, health, and reading the files again.",
}
_PROBLEM, _PROMETHEUS = "application/problem+json", "application/json"
_WORDS: Final = {
    400: "What is asked for cannot be understood; the answer says what to write instead.",
    401: "A login is needed, or the one given is not known.",
    403: "This may not be written from there: by another site's page, or from another machine without a login.",
    404: "There is no such thing.",
    409: "It has ended already.",
    413: "The body is too large.",
    421: "The request was meant for another host than this server is known as.",
    422: "A parameter or the body is not as documented; the answer names which and how.",
    429: "Too many wrong logins came from this address.",
    431: "The head of the request is too large.",
    500: "A fault in slo_guard; its log says more.",
    503: "Not known yet, or not now: before the first evaluation, or while the store does not answer.",
}
_RETRY = {"Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "string"}}}
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"description": "How to log in: Bearer, Basic.", "schema": {"type": "string"}}},
    429: _RETRY,
    503: _RETRY,
}
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token, as `slo-guard new-token` makes it."},
    "basic": {"type": "http", "scheme": "basic", "description": "A user's name and password."},
}
_HEALTH = ("/-/healthy", "/-/ready")


def document(app: FastAPI) -> None:
    """Have ``app`` publish the completed document, made once when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI's manual has it


def _completed(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        summary=_SUMMARY,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (ProblemAnswer, PrometheusErrorAnswer):
        schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    found["components"]["securitySchemes"] = _SCHEMES
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return found


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    reads = method == "get"
    login: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}]
    if path not in _HEALTH:
        operation["security"] = [{}, *login] if reads else login
    operation["summary"] = re.split("[:;,.]", operation["description"])[0]
    stated: dict[str, Any] = operation["responses"]
    for name in ("422", "4XX", "5XX"):
        stated.pop(name, None)
    example = EXAMPLES.get(path) if reads else None
    if example is not None:
        stated["200"]["content"]["application/json"]["example"] = example
    for status in dict.fromkeys((*_statuses(path, method, operation), *map(int, stated))):
        if status >= HTTPStatus.BAD_REQUEST:
            stated[str(status)] = _error(path, status, stated.get(str(status), {}))
    operation["responses"] = dict(sorted(stated.items()))


def _statuses(path: str, method: str, operation: dict[str, Any]) -> Iterator[int]:
    """Yield the errors that a route may answer whatever it does."""
    asks = "parameters" in operation or "requestBody" in operation
    if path not in _HEALTH:
        yield from (401, 429, 421 if method == "get" else 403)
    if method != "get":
        yield 413
    if "{" in path:
        yield 404
    if method == "delete":
        yield 409
    if "requestBody" in operation:
        yield 400
    if asks:
        yield 400 if path.startswith("/prometheus/") else 422
    yield from (431, 500, 503)


def _error(path: str, status: int, stated: dict[str, Any]) -> dict[str, Any]:
    """Return how one error is documented; what a route says of it in words, or in another type, stays."""
    by_app = path.startswith("/prometheus/") and status in (400, 404, 500, 503)
    model, kind = (PrometheusErrorAnswer, _PROMETHEUS) if by_app else (ProblemAnswer, _PROBLEM)
    content: dict[str, Any] = {kind: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    if not by_app:
        content[kind]["example"] = _example(status)
    own = {name: each for name, each in stated.get("content", {}).items() if name == "text/plain"}
    words = stated.get("description", "")
    generic = not words or words == HTTPStatus(status).phrase or (own.keys() == set() and words.endswith("Error"))
    found: dict[str, Any] = {"description": _WORDS[status] if generic else words, "content": own or content}
    if status in _HEADERS:
        found["headers"] = _HEADERS[status]
    return found


def _example(status: int) -> dict[str, Any]:
    detail = "query limit: Input should be less than or equal to 10000" if status == 422 else _WORDS.get(status, "")
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
