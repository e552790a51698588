"""The ``slack`` receiver: incoming webhooks with Block Kit."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from slo_guard.domain.notifications import Notification
from slo_guard.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError
from slo_guard.fields import Seconds
from slo_guard.http_session import Response
from slo_guard.notify.http_post import Address, JsonPoster, config_trouble, failure_of
from slo_guard.notify.options import HttpReceiverOptions
from slo_guard.notify.slack_blocks import plain_message, slack_message

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ACCEPTED = frozenset({b"ok", b'{"ok":true}', b'{"success":true}'})
_CODE = re.compile(rb"[a-z][a-z_]{2,40}")
_HOOK_TROUBLE = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "posting_to_general_channel_denied",
        "team_disabled",
        "user_not_found",
    }
)


def _secret_unless_local(value: Any) -> Any:
    if isinstance(value, str) and _host(value) not in _LOOPBACK:
        raise ValueError(
            "whoever knows a Slack webhook's URL can post; keep it out of the config: {env: NAME} or {file: PATH}"
        )
    return value


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class SlackOptions(HttpReceiverOptions):
    """A Slack channel, by its incoming webhook."""

    type: Annotated[Literal["slack"], Field(description="What kind of receiver this is: slack.")]
    url: Annotated[
        Address,
        BeforeValidator(_secret_unless_local),
        Field(
            description="Where the webhook's URL is kept, {env: NAME} or {file: PATH}; a plain URL on loopback only."
        ),
    ]
    min_interval: Annotated[
        Seconds, Field(description="The least time between two messages; Slack takes about one a second.")
    ] = 1.0


class SlackReceiver:
    """Posts each notification as one Block Kit message.

    What Slack says of the message (400 ``invalid_payload``, ``invalid_blocks``) and what it says of the hook (403,
    404, 410, ``channel_is_archived``) are told apart: a refused message is sent once more as plain text, and is a dead
    letter if that is refused as well; a hook that is gone keeps its messages until somebody mends it.
    """

    def __init__(self, options: SlackOptions) -> None:
        self._options = options
        self._poster = JsonPoster(options.url, options.http)

    @property
    def name(self) -> str:
        """The receiver's name in the config."""
        return self._options.name

    def send(self, notification: Notification) -> None:
        """Post once. Raises ``TransientDeliveryError`` or ``PermanentDeliveryError``."""
        failure = _failure(self._poster.post(slack_message(notification, self._options.external_url), notification.key))
        if isinstance(failure, PermanentDeliveryError):
            # Better a plain message than none: what is wrong may be the markup.
            failure = _failure(
                self._poster.post(plain_message(notification, self._options.external_url), notification.key)
            )
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Release connections; idempotent."""
        self._poster.close()


def _failure(answer: Response) -> DeliveryError | None:
    body = answer.body.strip()
    said = body.decode("ascii") if _CODE.fullmatch(body) and answer.status >= 400 else ""
    if said in _HOOK_TROUBLE:
        return config_trouble(f"http_{answer.status}_{said}", f"answered {answer.status} {said}")
    failure = failure_of(answer, said)
    if failure is None and re.sub(rb"\s", b"", body) not in _ACCEPTED:
        # A proxy's or a portal's page also answers 200; the message would be lost without a trace.
        return TransientDeliveryError("not_slack", f"answered {answer.status}, but not Slack's ok")
    return failure
