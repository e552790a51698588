"""One request after another: the pages of a JSON answer, and how each tells where the next one is."""

from __future__ import annotations

import hashlib
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urldefrag, urlencode, urljoin

import orjson

from slo_guard.collect.expressions import Evaluator, ExpressionError, Selector
from slo_guard.collect.frames import collector_paused
from slo_guard.collect.json_options import JsonOptions
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpSession, Response, checked_url, masked_url, same_origin

_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_NEXT: Final = 4000
_PARAM: Final = r';\s*([^\s=;,"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?'
_LINK: Final = re.compile(rf"<([^<>]*)>((?:\s*{_PARAM})*)")
_LINK_PARAM: Final = re.compile(_PARAM)


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One answer: its number from 1, what it holds, and what is needed to go on behind it."""

    number: int
    document: Any
    target: str
    link: str
    digest: bytes


class PageReader:
    """Reads the pages of one collection; every problem is an ``HttpError`` or a ``CollectionError``.

    ``ends`` is the collection's end on ``slo_guard.clock.monotonic``.
    """

    def __init__(self, options: JsonOptions, session: HttpSession, evaluator: Evaluator, ends: float) -> None:
        self._options = options
        self._session = session
        self._evaluator = evaluator
        self._ends = ends
        self._url = with_params(options.url, dict(options.params))
        self._seen: set[str | bytes] = set()

    def first(self) -> Page:
        """Return the first page."""
        paging = self._options.paging
        if paging is not None and paging.page is not None:
            return self._numbered(paging.page.start, 1)
        self._seen.add(self._url)
        return self._fetched(self._url, self._options.body, 1)

    def after(self, page: Page, rows: int) -> Page | None:
        """Return the page behind ``page``, which had ``rows`` rows; None if it was the last.

        Raises ``CollectionError``: ``too_many_pages``, ``paging_loop``, ``next_refused``, ``wrong_shape``.
        """
        paging = self._options.paging
        if paging is None:
            return None
        if paging.page is not None:
            if not rows:
                return None
            named = paging.page.param or paging.page.field
            self._new_on(page, page.digest, f"is the same as an earlier one; does the source heed {named!r}?")
            self._allowed(page)
            return self._numbered(paging.page.start + page.number, page.number + 1)
        if paging.cursor is not None:
            cursor = self._next(paging.cursor.path, page)
            if cursor is None:
                return None
            self._new_on(page, cursor, "gives a cursor again that was given before")
            self._allowed(page)
            return self._carrying(paging.cursor.param, paging.cursor.field, cursor, page.number + 1)
        link = page.link if paging.next_url is None else self._next(paging.next_url, page)
        if not link:
            return None
        target = self._checked_link(page, link)
        self._new_on(page, target, "links to a page that was read before")
        self._allowed(page)
        return self._fetched(target, self._options.body, page.number + 1)

    def _allowed(self, page: Page) -> None:
        assert self._options.paging is not None
        most = self._options.paging.max_pages
        if page.number >= most:
            raise CollectionError("too_many_pages", f"page {page.number} is not the last one, and max_pages is {most}")

    def _new_on(self, page: Page, mark: str | bytes, problem: str) -> None:
        if mark in self._seen:
            raise CollectionError("paging_loop", f"page {page.number} {problem}")
        self._seen.add(mark)

    def _next(self, expression: str, page: Page) -> str | None:
        """Return the link or cursor that a page gives."""
        try:
            found = self._evaluator.find(Selector(expression), page.document)
        except ExpressionError as error:
            raise CollectionError("wrong_shape", f"page {page.number}: {error}") from None
        match found:
            case None | False | "":
                return None
            case str() if len(found) <= _LONGEST_NEXT:
                return found
            case int() | float() if found is not True:
                return str(found)
        shown = "a very long text" if isinstance(found, str) else f"a {type(found).__name__}"
        raise CollectionError("wrong_shape", f"page {page.number}: {expression[:80]} gives {shown}, not a next page")

    def _checked_link(self, page: Page, link: str) -> str:
        """Return where a link leads; only the origin of the collector's own URL may be told its credentials."""
        try:
            target = urldefrag(urljoin(page.target, link)).url
            checked_url(target)
        except ValueError:
            raise CollectionError("next_refused", f"page {page.number} links to what is not a usable URL") from None
        if not same_origin(target, self._options.url):
            raise CollectionError(
                "next_refused",
                f"page {page.number} links to {masked_url(target, show_path=False)}, another origin, where the "
                "credentials must not go",
            )
        return target

    def _numbered(self, number: int, position: int) -> Page:
        assert self._options.paging is not None
        paging = self._options.paging.page
        assert paging is not None
        size = {} if paging.size_param is None else {paging.size_param: str(paging.size)}
        return self._carrying(paging.param, paging.field, number, position, size)

    def _carrying(
        self, param: str | None, field: str | None, value: str | int, position: int, more: dict[str, str] | None = None
    ) -> Page:
        params = {**self._options.params, **(more or {})}
        body = self._options.body
        if param is not None:
            params[param] = str(value)
        if field is not None:
            body = with_field(body, field, value)
        return self._fetched(with_params(self._options.url, params), body, position)

    def _fetched(self, target: str, body: Any, number: int) -> Page:
        self._evaluator.look_at_the_clock()
        headers = {"Accept": "application/json"}
        if self._options.method == "GET":
            answer = self._session.get(target, headers=headers, deadline=self._ends)
        else:
            content = b"" if body is None else orjson.dumps(body)
            if body is not None:
                headers["Content-Type"] = "application/json"
            answer = self._session.post(target, content=content, headers=headers, idempotent=True, deadline=self._ends)
        if not 200 <= answer.status < 300:
            raise CollectionError(f"http_{answer.status}", f"{_shown(answer, number)} answers {answer.status}")
        try:
            document = parse_json(answer.body)
        except CollectionError as error:
            raise CollectionError(error.reason, f"{_shown(answer, number)}: {error}") from None
        digest = hashlib.blake2b(answer.body, digest_size=16).digest()
        return Page(number, document, target, next_link(answer.headers.get("link", "")), digest)


def _shown(answer: Response, number: int) -> str:
    return answer.url if number == 1 else f"page {number} of {answer.url}"


def parse_json(body: bytes) -> Any:
    """Return what a JSON text holds; raises ``CollectionError`` with the reason ``not_json``."""
    body = body.removeprefix(_BOM)
    try:
        with collector_paused():
            return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if body[:1000].lstrip()[:1] == b"<":
            problem = "a web page or XML; is this the right address, or is a login needed?"
        else:
            problem = f"{error.msg} at line {error.lineno} column {error.colno}"
        raise CollectionError("not_json", f"the answer is not JSON: {problem}") from None


def with_params(url: str, params: dict[str, str]) -> str:
    """Return ``url`` with further query parameters; those that it has already stay."""
    if not params:
        return url
    base = urldefrag(url).url
    joint = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return f"{base}{joint}{urlencode(params)}"


def with_field(body: Any, field: str, value: str | int) -> Any:
    """Return a copy of ``body`` with ``value`` at the dotted place ``field``; mappings on the way are made."""
    changed = deepcopy(body)
    inner = changed
    *path, last = field.split(".")
    for key in path:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return changed


def next_link(header: str) -> str:
    """Return the target with ``rel=next`` of a Link header (RFC 8288), ``""`` if there is none."""
    for link in _LINK.finditer(header):
        for param in _LINK_PARAM.finditer(link[2]):
            if param[1].lower() == "rel":
                if "next" in (param[2] or param[3] or "").lower().split():
                    return link[1].strip()
                break
    return ""
