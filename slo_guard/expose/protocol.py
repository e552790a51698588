"""uvicorn's HTTP/1.1 protocol with a time-out on every step: nobody holds a connection by doing nothing.

uvicorn limits how long a connection idles between two requests, and nothing else: one that never finishes the head of
its first, or never takes its answer in, is kept for ever. hypercorn has some of these, and a worker model of its own.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import ClassVar

import h11
import structlog
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from slo_guard.expose.limits import ServerLimits, bare_problem

log = structlog.get_logger(__name__)

_LINGER_BYTES = 2**18


class Phase(Enum):
    """What the server waits for."""

    HEAD = "the head of a request"
    BODY = "its body"
    ANSWER = "its answer to be taken in"
    REST = "the rest of a body that was answered already"
    IDLE = "the next request"
    END = "what was sent last to be taken in"


class TimedProtocol(H11Protocol):
    """One connection; ``limits`` is set by :func:`protocol_within`."""

    limits: ClassVar[ServerLimits]

    _timer: asyncio.TimerHandle | None = None
    _waits_for: tuple[Phase, object] | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its own base does
        """Begin to wait for a request; one connection too many is told so."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self.app = _too_many_connections()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; what nobody reads is taken up to a bound, so that the answer before it arrives."""
        if self._waits_for is not None and self._waits_for[0] is Phase.REST:
            self._unread += len(data)
            if self._unread > _LINGER_BYTES:
                self.flow.pause_reading()
                return
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """Go on to the next request, or to the rest of this one's body."""
        super().on_response_complete()
        self._wait()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that idles, and see that it closes."""
        super().timeout_keep_alive_handler()
        self._wait()

    def shutdown(self) -> None:
        """Close as soon as nothing is under way."""
        super().shutdown()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what is no HTTP, or has too large a head."""
        answer = bare_problem(400, f"this is no HTTP/1.1 request with a head of at most {self.limits.max_head} bytes")
        answer.headers["connection"] = "close"
        for event in (
            h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._wait()

    def _wait(self) -> None:
        """Start the time-out of what is waited for now, unless it runs already."""
        phase = self._phase()
        if self._waits_for == (phase, self.cycle):
            return
        self._stop_waiting()
        self._waits_for = (phase, self.cycle)
        seconds = {
            Phase.HEAD: self.limits.head_seconds,
            Phase.BODY: self.limits.body_seconds,
            Phase.ANSWER: self.limits.answer_seconds,
            Phase.REST: self.limits.linger_seconds,
            Phase.END: self.limits.answer_seconds,
        }.get(phase)
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._give_up, phase)

    def _phase(self) -> Phase:
        if self.transport.is_closing():
            return Phase.END
        answered = self.cycle is None or self.cycle.response_complete
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.REST if answered else Phase.BODY
        if not answered:
            return Phase.ANSWER
        return Phase.HEAD if self.cycle is None or self.conn.trailing_data[0] else Phase.IDLE

    def _give_up(self, phase: Phase) -> None:
        log.debug("connection_closed", client=self.client and self.client[0], waited_for=phase.value)
        # Not close(): that waits until all that was written is taken in.
        self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._waits_for = None


def protocol_within(limits: ServerLimits) -> type[TimedProtocol]:
    """Return the protocol that keeps ``limits``."""
    return type("LimitedProtocol", (TimedProtocol,), {"limits": limits})


def _too_many_connections() -> ASGIApp:
    answer = bare_problem(503, "there are too many connections at present; try again in a moment")
    answer.headers.update({"retry-after": "5", "connection": "close"})
    return answer
