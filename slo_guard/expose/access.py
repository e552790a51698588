"""Who may read and who may write: one decision by method and path, before any route is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slo_guard.clock import monotonic
from slo_guard.expose.credentials import Authenticator, Credentials
from slo_guard.expose.cross_site import is_loopback, why_cross_site, why_misdirected
from slo_guard.expose.failures import FailureLimit
from slo_guard.expose.http_guard import problem

log = structlog.get_logger(__name__)

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ALWAYS_OPEN = frozenset({"/-/healthy", "/-/ready"})
_SIGNS_OF_A_PROXY = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_FROM_AFAR = (
    "writes are refused: without server.auth in its config slo_guard takes them from programs on its own machine "
    "only; write server: {auth: {tokens: [{name: NAME, sha256: DIGEST}]}} as `slo-guard new-token` prints it"
)
_LOGIN = "this needs a bearer token, or a user's name and password"
_UNKNOWN_LOGIN = "this token, or this name with this password, is not known here"
_TOO_MANY = "too many wrong logins came from this address; try again later"


@dataclass(frozen=True, slots=True)
class AccessRules:
    """``credentials``: None where nobody can log in; ``external_host``: host and port under which people come."""

    credentials: Credentials | None = None
    reads_open: bool = True
    external_host: str | None = None


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


class AccessGate:
    """Decides by the rules that are in force; :meth:`follow` puts others in their place, from any thread."""

    def __init__(self, rules: AccessRules | None = None, stopwatch: Callable[[], float] = monotonic) -> None:
        self._failures = FailureLimit(stopwatch)
        self._now = _judged_by(rules or AccessRules())

    def follow(self, rules: AccessRules) -> None:
        """Judge by ``rules`` from now on; what was remembered of passwords is forgotten."""
        self._now = _judged_by(rules)

    async def asked(self, scope: Scope) -> str | _Refusal | None:
        """Return who comes with a request that is let through (None: anybody may), or why it is refused."""
        rules, authenticator = self._now
        headers, server = Headers(scope=scope), (scope.get("server") or (None,))[0]
        if scope["path"] in _ALWAYS_OPEN and scope["method"] in _READING:
            return None
        if scope["method"] in _READING:
            if not rules.reads_open and authenticator is not None:
                return await self._login(authenticator, headers, _client(scope))
            misdirected = why_misdirected(headers.get("host", ""), server, rules.external_host)
            if misdirected is not None:
                return _Refusal(421, f"this request is refused: {misdirected}; name it in server.external_url")
            return None
        foreign = why_cross_site(headers, server, rules.external_host)
        if foreign is not None:
            return _Refusal(403, f"this request is refused: {foreign}")
        if authenticator is not None:
            return await self._login(authenticator, headers, _client(scope))
        # What a proxy on this machine hands on comes from anywhere.
        if is_loopback(_client(scope)) and not any(name in headers for name in _SIGNS_OF_A_PROXY):
            return None
        return _Refusal(403, _FROM_AFAR)

    async def _login(self, authenticator: Authenticator, headers: Headers, client: str) -> str | _Refusal:
        challenges = tuple(("www-authenticate", each) for each in authenticator.credentials.challenges())
        given = headers.get("authorization")
        if given is None:
            return _Refusal(401, _LOGIN, challenges)
        # Who is known already is let in even while somebody at the same address is guessing.
        known = authenticator.at_once(given)
        if known is not None:
            return known
        wait = self._failures.charge(client)
        if wait is not None:
            return _Refusal(429, _TOO_MANY, (("retry-after", str(wait)),))
        known = await authenticator.by_password(given)
        if known is None:
            log.warning("login_failed", client=client)
            return _Refusal(401, _UNKNOWN_LOGIN, challenges)
        self._failures.give_back(client)
        return known


class AccessControl:
    """ASGI middleware that lets a request through or answers why not, and logs who wrote what."""

    def __init__(self, app: ASGIApp, gate: AccessGate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the gate, then the app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        who = await self._gate.asked(scope)
        if isinstance(who, _Refusal):
            answer = problem(who.status, who.detail)
            for name, value in who.headers:
                answer.headers.append(name, value)
            await answer(scope, receive, send)
            return
        if scope["method"] in _READING:
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._app(scope, receive, send_and_note)
        path = scope["path"][:200].encode("unicode_escape").decode("ascii")
        log.info("written", method=scope["method"][:10], path=path, by=who, client=_client(scope), status=status)


def _judged_by(rules: AccessRules) -> tuple[AccessRules, Authenticator | None]:
    return rules, None if rules.credentials is None else Authenticator(rules.credentials)


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
