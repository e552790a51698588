"""An HTTP server on loopback that receives webhooks, and that can be told to refuse, fail, hang or be busy for a while.

It checks that each body is what Alertmanager's webhook, version 4, documents. ``slack_stand_in`` builds on it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from slo_guard.clock import to_unix, utcnow

_TOP_LEVEL: Mapping[str, type] = {
    "version": str,
    "groupKey": str,
    "truncatedAlerts": int,
    "status": str,
    "receiver": str,
    "groupLabels": dict,
    "commonLabels": dict,
    "commonAnnotations": dict,
    "externalURL": str,
    "alerts": list,
}
_ALERT: Mapping[str, type] = {
    "status": str,
    "labels": dict,
    "annotations": dict,
    "startsAt": str,
    "endsAt": str,
    "generatorURL": str,
    "fingerprint": str,
}


@dataclass(frozen=True)
class Received:
    """One request: when it came (Unix seconds), what it carried, how it was answered (0: not at all), what was wrong."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    problems: tuple[str, ...]

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class _Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = 1
    until: float | None = None
    hang: bool = False


class WebhookStandIn:
    """Use as a context manager; ``url`` is where to post. Answers 200 unless told otherwise or the body is wrong."""

    path = "/alerts"
    accepted_body = b"{}"

    def __init__(self, path: str | None = None) -> None:
        self.path = path or self.path
        self.received: list[Received] = []
        self._answers: list[_Answer] = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            # Headers and body are two packets: the second would wait for the first one's acknowledgement, 40 ms each.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                stand_in._serve(self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.path}"

    @property
    def accepted(self) -> list[Received]:
        """The requests that were answered 2xx, in order."""
        with self._changed:
            return [each for each in self.received if 200 <= each.status < 300]

    @property
    def problems(self) -> list[str]:
        """All that was ever wrong with a body."""
        with self._changed:
            return [problem for each in self.received for problem in each.problems]

    def answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        retry_after: str | float | None = None,
        times: int | None = 1,
        for_seconds: float | None = None,
    ) -> None:
        """Answer the next ``times`` requests (None: all, or all within ``for_seconds``) with ``status``."""
        extra = dict(headers or {})
        if retry_after is not None:
            extra["Retry-After"] = str(retry_after)
        until = None if for_seconds is None else time.monotonic() + for_seconds
        with self._changed:
            self._answers.append(_Answer(status, body, extra, None if for_seconds is not None else times, until))

    def hang(self, times: int = 1) -> None:
        """Take the next ``times`` requests and answer none of them until the server is closed."""
        with self._changed:
            self._answers.append(_Answer(0, times=times, hang=True))

    def wait_for(self, enough: Callable[[list[Received]], bool], timeout: float = 30.0) -> list[Received]:
        """Wait until what was accepted is ``enough``, or ``timeout`` seconds; return what was accepted."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                accepted = [each for each in self.received if 200 <= each.status < 300]
                left = deadline - time.monotonic()
                if enough(accepted) or left <= 0:
                    return accepted
                self._changed.wait(left)

    def problems_of(self, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Return what is wrong with a request, in words."""
        found = json_problems(headers)
        try:
            document = json.loads(body)
        except ValueError:
            return [*found, "the body is not JSON"]
        found += _wrong_types(document, _TOP_LEVEL, "body")
        if document.get("version") != "4":
            found.append("version is not 4")
        for alert in document.get("alerts", []):
            found += _wrong_types(alert, _ALERT, "alert")
            found += [f"{name} is not RFC 3339" for name in ("startsAt", "endsAt") if not _is_rfc3339(alert.get(name))]
            texts = [*alert.get("labels", {}).values(), *alert.get("annotations", {}).values()]
            found += [f"{text!r} is not text" for text in texts if not isinstance(text, str)]
        return found

    def refusal(self, problems: list[str]) -> tuple[int, bytes]:
        """Return how a body with ``problems`` is answered."""
        return 400, "; ".join(problems).encode()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in request.headers.items()}
        problems = self.problems_of(headers, body)
        with self._changed:
            answer = self._next_answer()
            if answer is None:
                status, text = self.refusal(problems) if problems else (200, self.accepted_body)
                answer = _Answer(status, text)
            record = Received(to_unix(utcnow()), request.path, headers, body, answer.status, tuple(problems))
            self.received.append(record)
            self._changed.notify_all()
        if answer.hang:
            self._closing.wait(60)
            return
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        request.wfile.write(answer.body)

    def _next_answer(self) -> _Answer | None:
        while self._answers:
            answer = self._answers[0]
            if answer.until is not None and time.monotonic() >= answer.until:
                self._answers.pop(0)
                continue
            if answer.times is not None:
                answer.times -= 1
                if answer.times <= 0:
                    self._answers.pop(0)
            return answer
        return None


def json_problems(headers: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the content type."""
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    return [] if kind == "application/json" else [f"the content type is {kind!r}"]


def _wrong_types(document: Any, expected: Mapping[str, type], what: str) -> list[str]:
    if not isinstance(document, dict):
        return [f"{what} is not an object"]
    return [
        f"{what}.{name} is not a {kind.__name__}"
        for name, kind in expected.items()
        if type(document.get(name)) is not kind
    ]


def _is_rfc3339(text: Any) -> bool:
    try:
        return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
