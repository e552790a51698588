"""One HTTP session layer under all collectors and receivers: every time-out, limit and secret in one place.

Proxies and ``.netrc`` of the environment are not used (``trust_env`` is off), and cookies are not kept.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urljoin

import orjson
import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from slo_guard.clock import monotonic
from slo_guard.errors import SecretError, SloGuardError
from slo_guard.http_deadline import DeadlineAdapter, Gunzip, reads_limited
from slo_guard.http_options import HttpOptions, HttpUrl, TlsOptions, checked_url, masked_url, same_origin
from slo_guard.scrubbing import without_secrets

__all__ = ["HttpError", "HttpOptions", "HttpSession", "HttpUrl", "Response", "checked_url", "masked_url", "same_origin"]

MAX_REDIRECTS: Final = 3
_RETRIED_STATUSES: Final = frozenset({502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OTHER_ENCODINGS: Final = frozenset({"br", "compress", "deflate", "dcb", "dcz", "zstd"})
_CHUNK: Final = 1 << 18
_FIRST_BACKOFF_SECONDS: Final = 0.2


class HttpError(SloGuardError):
    """A request brought no complete answer; ``reason`` is a stable short code, ``message`` names no secret.

    ``status``: that of an answer whose headers did come, else None.

    Reasons: ``connect_failed``, ``timeout``, ``too_large``, ``tls_failed``, ``bad_url``, ``bad_header``,
    ``bad_answer`` (cut short, or not decodable), ``redirect_refused``, ``secret_missing``.
    """

    def __init__(self, reason: str, message: str, status: int | None = None) -> None:
        self.reason = reason
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer of whatever status; ``headers`` by lower-case name, ``body`` decompressed, ``url`` masked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class HttpSession:
    """Requests to one peer over pooled connections; safe to use from several threads.

    ``show_path=False`` keeps a URL's path out of every message, for peers whose path is the secret.
    """

    def __init__(self, options: HttpOptions | None = None, *, show_path: bool = True) -> None:
        self._options = options if options is not None else HttpOptions()
        self._show_path = show_path
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter(max_retries=0))

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
    ) -> Response:
        """GET ``url``, following at most 3 redirects.

        Authentication, the client certificate and the configured headers go to the first origin only, and no longer
        once another one has been asked: what that one sends back to the first is its own wish.

        Retries failed connections and 502, 503, 504 within ``total_timeout`` and ``deadline`` (on
        ``slo_guard.clock.monotonic``), whichever ends first. Raises ``HttpError``; any status is returned.
        """
        return self._retried(
            lambda ends: self._follow(url, params, headers, ends), retries=self._options.retries, deadline=deadline
        )

    def post(
        self,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        deadline: float | None = None,
    ) -> Response:
        """POST exactly one of ``json``, ``content`` and ``form``; redirects are returned, not followed.

        Retried only if ``idempotent``: whoever sends messages decides itself about sending again. Raises ``HttpError``.
        """
        sent = dict(headers or {})
        body: bytes | dict[str, str] | None = content
        if json is not None:
            body = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        elif form is not None:
            body = dict(form)
        retries = self._options.retries if idempotent else 0
        return self._retried(
            lambda ends: self._once("POST", url, None, body, sent, ends, trusted=True),
            retries=retries,
            deadline=deadline,
        )

    def scrubbed(self, text: str) -> str:
        """Return ``text`` that a peer wrote, without the secret, should the peer have sent it back.

        A secret that was cut off goes as well, but for at most three characters.
        """
        auth = self._options.auth
        try:
            secrets = () if auth is None else auth.secrets()
        except SecretError:
            return text
        return without_secrets(text, secrets)

    def close(self) -> None:
        """Release pooled connections; idempotent."""
        self._session.close()

    def _retried(self, attempt: Callable[[float], Response], *, retries: int, deadline: float | None) -> Response:
        ends = monotonic() + self._options.total_timeout
        ends = ends if deadline is None else min(ends, deadline)
        for number in range(retries + 1):
            pause = _FIRST_BACKOFF_SECONDS * 2**number
            last = number == retries or monotonic() + pause >= ends
            try:
                answer = attempt(ends)
            except HttpError as error:
                if last or error.reason != "connect_failed":
                    raise
            else:
                if last or answer.status not in _RETRIED_STATUSES:
                    return answer
            time.sleep(max(0.0, min(pause, ends - monotonic())))
        raise AssertionError("the last attempt returns or raises")

    def _follow(
        self, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str] | None, ends: float
    ) -> Response:
        target, query, trusted = url, params, True
        for _ in range(MAX_REDIRECTS + 1):
            trusted = trusted and same_origin(target, url)
            answer = self._once("GET", target, query, None, headers, ends, trusted=trusted)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            before, (target, query) = target, (urljoin(target, location), None)
            if not _may_follow(before, target):
                raise HttpError(
                    "redirect_refused",
                    f"{self._shown(before)} redirects to {self._shown(target)}, which is not followed",
                )
        raise HttpError("redirect_refused", f"{self._shown(url)} redirects more than {MAX_REDIRECTS} times")

    def _once(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        body: bytes | dict[str, str] | None,
        headers: Mapping[str, str] | None,
        ends: float,
        *,
        trusted: bool,
    ) -> Response:
        left = ends - monotonic()
        if left <= 0:
            raise HttpError("timeout", f"{self._shown(url)}: no time left")
        options = self._options
        sent = CaseInsensitiveDict({"Accept-Encoding": "gzip", "User-Agent": "slo-guard"})
        sent.update(headers or {})
        if trusted:
            sent.update(options.headers)
            sent.update(self._authentication())
        status: int | None = None
        try:
            with reads_limited(ends, options.read_timeout):
                prepared = self._session.prepare_request(
                    requests.Request(method, url, headers=sent, params=params, data=body)
                )
                answer = self._session.send(
                    prepared,
                    stream=True,
                    allow_redirects=False,
                    timeout=(min(options.connect_timeout, left), min(options.read_timeout, left)),
                    verify=_trusted(options.tls),
                    cert=_client_certificate(options.tls) if trusted else None,
                )
                status = answer.status_code
                with answer:
                    content = self._body(answer, url)
        except HttpError:
            raise
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            HTTPException,
            OSError,
            ValueError,
            zlib.error,
        ) as error:
            raise self._named(error, url, ends, status) from None
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, names, content, self._shown(url))

    def _authentication(self) -> dict[str, str]:
        if self._options.auth is None:
            return {}
        try:
            name, value = self._options.auth.as_header()
        except SecretError as error:
            raise HttpError("secret_missing", str(error)) from None
        return {name: value}

    def _body(self, answer: requests.Response, url: str) -> bytes:
        """Read and decompress within the size limit.

        Decompressed here and not by urllib3, which takes a gzip stream that was cut off for a complete one:
        half a page would then look as if the other half of the series had gone.
        """
        limit = self._options.max_response
        encoding = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            # What a peer names that nobody knows may be anything, our token included.
            named = repr(encoding) if encoding in _OTHER_ENCODINGS else "that is not known"
            raise HttpError("bad_answer", f"{self._shown(url)} answers in an encoding {named}; gzip and none are read")
        inflate = None if encoding == "identity" else Gunzip()
        chunks: list[bytes] = []
        size = 0
        while chunk := answer.raw.read(_CHUNK, decode_content=False):
            for part in [chunk] if inflate is None else inflate.pieces(chunk):
                size += len(part)
                if size > limit:
                    raise HttpError(
                        "too_large",
                        f"{self._shown(url)} answers more than max_response, {limit} bytes",
                        answer.status_code,
                    )
                chunks.append(part)
        if inflate is not None and not inflate.complete and answer.status_code != 304:
            raise HttpError("bad_answer", f"{self._shown(url)}: the compressed answer is cut short", answer.status_code)
        return b"".join(chunks)

    def _named(self, error: Exception, url: str, ends: float, status: int | None) -> HttpError:
        """Name what went wrong. The text of ``error`` is not used: it may hold the query, a header or a password.

        ``status``: that of an answer whose headers came before it went wrong; it says what became of a request.
        """
        shown = self._shown(url)
        roots = _causes(error)
        if isinstance(error, requests.exceptions.InvalidHeader | UnicodeError):
            return HttpError("bad_header", f"{shown}: a header or secret holds characters that cannot be sent")
        if monotonic() >= ends or isinstance(
            error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError
        ):
            wanted = "connection" if isinstance(error, requests.exceptions.ConnectTimeout) else "complete answer"
            return HttpError("timeout", f"{shown}: no {wanted} in time", status)
        if isinstance(error, requests.exceptions.SSLError):
            return HttpError("tls_failed", f"{shown}: TLS failed: {_words(roots)}", status)
        if isinstance(error, urllib3.exceptions.HTTPError | HTTPException | zlib.error) or any(
            isinstance(root, HTTPException) and not isinstance(root, RemoteDisconnected) for root in roots
        ):
            return HttpError("bad_answer", f"{shown}: the answer is cut short or is not HTTP", status)
        if isinstance(error, requests.exceptions.ConnectionError):
            return HttpError("connect_failed", f"cannot connect to {shown}: {_words(roots)}", status)
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            return HttpError("tls_failed", f"{shown}: ca_file, cert_file or key_file cannot be read")
        return HttpError("bad_url", f"{shown}: not a usable URL ({type(error).__name__})")

    def _shown(self, url: str) -> str:
        return masked_url(url, show_path=self._show_path)


def _may_follow(before: str, after: str) -> bool:
    try:
        checked_url(after)
    except ValueError:
        return False
    return not (before.startswith("https:") and after.startswith("http:"))


def _trusted(tls: TlsOptions) -> bool | str:
    return str(tls.ca_file) if tls.ca_file is not None and tls.verify else tls.verify


def _client_certificate(tls: TlsOptions) -> str | tuple[str, str] | None:
    if tls.cert_file is None:
        return None
    return str(tls.cert_file) if tls.key_file is None else (str(tls.cert_file), str(tls.key_file))


def _causes(error: BaseException) -> list[BaseException]:
    """Return ``error`` and all that it was raised from or holds, outermost first."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue:
        item = queue.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            queue += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found


def _words(causes: list[BaseException]) -> str:
    """Return the operating system's or TLS's own words among ``causes``; they name no URL."""
    for cause in causes:
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            return "the host name cannot be resolved"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return "the connection was closed"
