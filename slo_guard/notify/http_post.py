"""Posting JSON to a receiver's address, and what each answer means for the message.

| answer | the message |
|---|---|
| 2xx | is delivered, also where the rest of the answer cannot be read |
| 408, 425, 429, 5xx, no connection, no answer in time | is sent again with backoff, ``Retry-After`` obeyed |
| 3xx, 401, 403, 404, 405, 407, 410 | waits five minutes and is sent again: the address or its rights are |
| | wrong, which says nothing of the message; it must not be lost until somebody mends the config |
| any other 4xx | is refused for good: a dead letter, so that it does not hold up those behind it |
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from slo_guard.clock import from_unix, to_unix, utcnow
from slo_guard.errors import DeliveryError, PermanentDeliveryError, SecretError, TransientDeliveryError
from slo_guard.fields import Secret
from slo_guard.http_options import HttpOptions, checked_url
from slo_guard.http_session import HttpError, HttpSession, Response

CONFIG_TROUBLE_RETRY_SECONDS = 300.0
"""How long to wait where somebody has to mend an address, a right or a channel first."""

_TRY_AGAIN = frozenset({408, 425, 429})
_CONFIG_TROUBLE = frozenset({401, 403, 404, 405, 407, 410})


def _checked(value: Any) -> Any:
    return checked_url(value) if isinstance(value, str) else value


Address = Annotated[str | Secret, BeforeValidator(_checked)]
"""A URL as written, or where it is kept if it is a secret."""


class JsonPoster:
    """Posts JSON bodies to one address; no text of an error ever holds the address's path, a query or a credential."""

    def __init__(self, address: str | Secret, http: HttpOptions) -> None:
        self._address = address
        self._session = HttpSession(http, show_path=isinstance(address, str))

    def post(self, body: Mapping[str, Any], key: str) -> Response:
        """Send ``body`` once with ``key`` as ``Idempotency-Key`` and return the answer, whatever its status.

        One whose body could not be read has an empty one. Raises ``TransientDeliveryError`` when no answer came.
        """
        # Not orjson: a lone surrogate in a label must be replaced, not refuse the whole message.
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": key}
        try:
            return self._session.post(self._url(), content=content, headers=headers)
        except HttpError as error:
            if error.status is not None:
                # The answer's body broke off or was too slow, but its status says what became of the message.
                return Response(error.status, {}, b"", "")
            raise TransientDeliveryError(error.reason, str(error)) from None

    def close(self) -> None:
        """Release connections; idempotent."""
        self._session.close()

    def _url(self) -> str:
        if isinstance(self._address, str):
            return self._address
        try:
            return checked_url(self._address.reveal())
        except SecretError as error:
            raise TransientDeliveryError("secret_missing", str(error)) from None
        except ValueError:
            place = self._address.env or self._address.file
            raise TransientDeliveryError("bad_url", f"the secret {place} does not hold an http or https URL") from None


def failure_of(answer: Response, said: str = "") -> DeliveryError | None:
    """Return what ``answer`` means for the message: None when it was accepted.

    ``said`` is the receiver's own short code, if it gave one.
    """
    status = answer.status
    if 200 <= status < 300:
        return None
    reason = f"http_{status}" + (f"_{said}" if said else "")
    text = f"answered {status}" + (f" {said}" if said else "")
    if status in _TRY_AGAIN or status >= 500:
        return TransientDeliveryError(reason, text, retry_after_seconds(answer.headers))
    if status in _CONFIG_TROUBLE or status < 400:
        return config_trouble(reason, text)
    return PermanentDeliveryError(reason, f"{text}: the message is refused")


def config_trouble(reason: str, text: str) -> TransientDeliveryError:
    """Return the failure that waits for somebody to mend the receiver's address, rights or channel."""
    return TransientDeliveryError(
        reason, f"{text}: mend the receiver's address or its rights; the message waits", CONFIG_TROUBLE_RETRY_SECONDS
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the wait that ``Retry-After`` asks for, given in seconds or as a date; None where there is none."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    until = _date(text)
    if until is None:
        return None
    # The answer's own Date is taken where there is one: the two clocks need not agree.
    base = _date(headers.get("date", ""))
    return max(0.0, until - (base if base is not None else to_unix(utcnow())))


def _date(text: str) -> float | None:
    try:
        instant = parsedate_to_datetime(text)
        return to_unix(instant if instant.tzinfo is not None else instant.replace(tzinfo=from_unix(0.0).tzinfo))
    except (TypeError, ValueError, OverflowError):
        return None
