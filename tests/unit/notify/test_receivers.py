"""The receivers' options, and what the answers of each peer mean, where the contract suite says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Route
from slo_guard.domain.ports import Receiver
from slo_guard.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError
from slo_guard.http_session import Response
from slo_guard.notify import RECEIVERS, policy_of, route_of
from slo_guard.notify.http_post import failure_of, retry_after_seconds
from tests.support.http_sources import always, cut_short, http_source, trickles_body
from tests.support.notices import a_notification
from tests.support.slack_stand_in import SlackStandIn


def options(type_name: str = "slack", **changes: Any) -> Any:
    given = {"name": "sre", "type": type_name, "url": {"env": "HOOK_URL"}, **changes}
    return RECEIVERS[type_name].options.model_validate(given)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def receiver(slack: SlackStandIn) -> Iterator[Receiver]:
    made = RECEIVERS["slack"].build(options(url=slack.url))
    yield made
    made.close()


def test_the_defaults_are_those_of_the_reference() -> None:
    """Both severities, ends too, reminders every four hours."""
    assert route_of(options()) == Route("sre", (Severity.PAGE, Severity.TICKET), True, 14400.0)


def test_what_a_receiver_wants_is_its_route() -> None:
    """`0s` is the way to write never."""
    wanted = options(severities=["page"], send_resolved=False, repeat_interval="0s")

    assert route_of(wanted) == Route("sre", (Severity.PAGE,), False, None)


def test_slack_is_sent_one_message_a_second_unless_told_otherwise() -> None:
    """That is what Slack takes."""
    assert policy_of(options()).min_interval_seconds == 1.0
    assert policy_of(options(min_interval="5s")).min_interval_seconds == 5.0


@pytest.mark.parametrize("type_name", sorted(RECEIVERS))
def test_a_lease_outlives_the_longest_send(type_name: str) -> None:
    """One that runs out earlier would have a message sent twice at the same time."""
    patient = options(type_name, http={"total_timeout": "10m"})

    assert policy_of(patient).lease_seconds > 2 * 600


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://hooks.slack.com/services/T0/B0/SECRET"},
        {"url": "http://127.0.0.1:99/x", "severities": []},
        {"severities": ["none"]},
        {"repeat_interval": 30},
        {"name": "with/slash"},
        {"colour": "red"},
    ],
)
def test_options_that_cannot_be_meant_are_refused(changes: dict[str, Any]) -> None:
    """A mistake is found at the start, not at the first alert."""
    with pytest.raises(ValidationError):
        options(**changes)


@pytest.mark.parametrize("url", ["ftp://x.example", "https://user:password@x.example", "x.example", "http://"])
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    """Nor may a password stand in it."""
    with pytest.raises(ValidationError):
        options("webhook", url=url)


def test_blocks_that_slack_refuses_are_sent_as_plain_text(slack: SlackStandIn, receiver: Receiver) -> None:
    """Better a plain alert than none."""
    slack.answer(400, b"invalid_blocks")

    receiver.send(a_notification(key="abc"))

    [accepted] = slack.accepted
    assert set(accepted.document) == {"text"}
    assert accepted.key == "abc"


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b"action_prohibited"), (404, b"channel_not_found"), (404, b"no_service"), (410, b"channel_is_archived")],
)
def test_what_slack_says_of_the_hook_keeps_the_message_waiting(
    slack: SlackStandIn, receiver: Receiver, status: int, body: bytes
) -> None:
    """An archived channel is mended by people; until then nothing is lost and Slack is left in peace."""
    slack.answer(status, body)

    with pytest.raises(TransientDeliveryError) as raised:
        receiver.send(a_notification())

    assert raised.value.reason == f"http_{status}_{body.decode()}"
    assert raised.value.retry_after_seconds == 300.0


def test_a_page_that_is_not_slacks_ok_is_no_delivery(slack: SlackStandIn, receiver: Receiver) -> None:
    """A captive portal answers 200 to everything."""
    slack.answer(200, b"<html>Please log in</html>")

    with pytest.raises(TransientDeliveryError) as raised:
        receiver.send(a_notification())

    assert raised.value.reason == "not_slack"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (202, None),
        (301, TransientDeliveryError),
        (400, PermanentDeliveryError),
        (401, TransientDeliveryError),
        (403, TransientDeliveryError),
        (408, TransientDeliveryError),
        (413, PermanentDeliveryError),
        (422, PermanentDeliveryError),
        (425, TransientDeliveryError),
        (429, TransientDeliveryError),
        (503, TransientDeliveryError),
    ],
)
def test_each_status_means_what_the_table_says(status: int, kind: type[DeliveryError] | None) -> None:
    """Passing and lasting failures told apart are what "never lost" rests on."""
    failure = failure_of(Response(status, {}, b"", ""))

    assert (None if failure is None else type(failure)) is kind


@pytest.mark.parametrize("behaviour", [cut_short, trickles_body], ids=lambda each: each.__name__)
def test_a_taken_message_is_taken_although_the_answer_breaks_off(behaviour: Any) -> None:
    """Its status has come: sent again, it would wake people a second time."""
    with http_source(always(behaviour)) as peer:
        made = RECEIVERS["webhook"].build(options("webhook", url=peer.url, http={"total_timeout": "500ms"}))
        made.send(a_notification())
        made.close()

    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "Tue, 07 Jul 2026 11:01:30 GMT", "date": "Tue, 07 Jul 2026 11:00:00 GMT"}, 90.0),
        ({"retry-after": "Tue, 07 Jul 2026 10:00:00 GMT", "date": "Tue, 07 Jul 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 99 Jul 2026 10:00:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(headers: dict[str, str], expected: float | None) -> None:
    """What cannot be read is no wish at all; backoff goes on as ever."""
    assert retry_after_seconds(headers) == expected
