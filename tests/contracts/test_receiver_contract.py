"""What the Receiver port promises, held to every registered receiver and to the tests' own fake."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from slo_guard.clock import from_unix
from slo_guard.domain.ports import Receiver
from slo_guard.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError
from slo_guard.notify import RECEIVERS
from tests.support.notices import NOON, a_line, a_notification
from tests.support.scripted_receiver import ScriptedReceiver
from tests.support.slack_stand_in import SlackStandIn
from tests.support.webhook_stand_in import WebhookStandIn

TOKEN = "bearer-token-that-nobody-may-see"


class Case(ABC):
    """One receiver with the peer that it talks to."""

    receiver: Receiver
    secrets: tuple[str, ...] = ()

    @abstractmethod
    def answer(self, status: int, *, retry_after: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Have the peer answer everything from now on with ``status``."""

    @abstractmethod
    def hang(self) -> None:
        """Have the peer take everything from now on and answer nothing."""

    @abstractmethod
    def accepted_keys(self) -> list[str | None]:
        """Return the idempotency keys of what the peer accepted."""

    def close(self) -> None:
        self.receiver.close()


class HttpCase(Case):
    stand_in_type: ClassVar[type[WebhookStandIn]]
    type_name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.stand_in = self.stand_in_type().__enter__()
        url_file, token_file = folder / "url", folder / "token"
        url_file.write_text(self.stand_in.url + "?sig=query-that-nobody-may-see\n")
        token_file.write_text(TOKEN)
        http = {"connect_timeout": "300ms", "read_timeout": "300ms", "total_timeout": "400ms"}
        self.receiver = build(
            self.type_name,
            url={"file": str(url_file)},
            http={**http, "auth": {"bearer": {"file": str(token_file)}}},
        )
        self.secrets = (TOKEN, "query-that-nobody-may-see", self.stand_in.path)
        self.url_file = url_file

    def answer(self, status: int, *, retry_after: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self.stand_in.answer(status, b"no", retry_after=retry_after, headers=headers, times=None)

    def hang(self) -> None:
        self.stand_in.hang(times=10)

    def accepted_keys(self) -> list[str | None]:
        return [each.key for each in self.stand_in.accepted]

    def close(self) -> None:
        super().close()
        self.stand_in.__exit__()


class SlackCase(HttpCase):
    type_name, stand_in_type = "slack", SlackStandIn


class WebhookCase(HttpCase):
    type_name, stand_in_type = "webhook", WebhookStandIn


class FakeCase(Case):
    def __init__(self, _: Path) -> None:
        self.receiver = self.fake = ScriptedReceiver()

    def answer(self, status: int, *, retry_after: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        del headers
        reason, text = f"http_{status}", f"answered {status}"
        wait = {None: None, "7": 7.0}.get(retry_after, 90.0)
        transient = status in (404, 429) or status >= 500
        self.fake.failures = [
            TransientDeliveryError(reason, text, wait) if transient else PermanentDeliveryError(reason, text)
        ]

    def hang(self) -> None:
        self.fake.failures = [TransientDeliveryError("timeout", "no answer in time")]

    def accepted_keys(self) -> list[str | None]:
        return [each.key for each in self.fake.accepted]


CASES: dict[str, type[Case]] = {"slack": SlackCase, "webhook": WebhookCase, "fake": FakeCase}


def build(type_name: str, **options: Any) -> Receiver:
    kind = RECEIVERS[type_name]
    return kind.build(kind.options.model_validate({"name": "sre", "type": type_name, **options}))


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    made = CASES[request.param](tmp_path)
    yield made
    made.close()


def failure_of_a_send(case: Case) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        case.receiver.send(a_notification())
    return raised.value


def test_every_registered_receiver_is_held_to_the_contract() -> None:
    """A receiver that nobody tests loses alerts in silence."""
    assert set(RECEIVERS) <= set(CASES)


def test_an_accepted_message_carries_its_idempotency_key(case: Case) -> None:
    """After a crash the same message comes twice; the key lets the other side know."""
    notification = a_notification(key="fedcba9876543210")

    case.receiver.send(notification)

    assert case.accepted_keys() == ["fedcba9876543210"]


def test_a_busy_receiver_says_when_to_come_back(case: Case) -> None:
    """Slack's 429 is a request to wait, not to give up."""
    case.answer(429, retry_after="7")

    failure = failure_of_a_send(case)

    assert isinstance(failure, TransientDeliveryError)
    assert (failure.reason, failure.retry_after_seconds) == ("http_429", 7.0)


def test_the_time_to_come_back_may_be_a_date(case: Case) -> None:
    """HTTP allows both forms of Retry-After; the date is read by the answering server's own clock."""
    headers = {"Date": format_datetime(from_unix(NOON), usegmt=True)}
    case.answer(429, retry_after=format_datetime(from_unix(NOON + 90), usegmt=True), headers=headers)

    failure = failure_of_a_send(case)

    assert isinstance(failure, TransientDeliveryError)
    assert failure.retry_after_seconds is not None
    assert failure.retry_after_seconds >= 0


def test_a_failing_receiver_is_worth_another_attempt(case: Case) -> None:
    """A 500 says nothing of the message."""
    case.answer(500)

    failure = failure_of_a_send(case)

    assert isinstance(failure, TransientDeliveryError)
    assert failure.reason == "http_500"


def test_a_receiver_that_hangs_times_out_and_is_worth_another_attempt(case: Case) -> None:
    """A silent peer may hold up its own line, within its time-out, and nothing else."""
    case.hang()

    failure = failure_of_a_send(case)

    assert isinstance(failure, TransientDeliveryError)
    assert failure.reason == "timeout"


def test_a_hook_that_is_gone_keeps_its_messages_waiting(case: Case) -> None:
    """A revoked address is the config's fault: the messages go out once somebody has mended it."""
    case.answer(404)

    failure = failure_of_a_send(case)

    assert isinstance(failure, TransientDeliveryError)
    assert failure.reason == "http_404"


def test_a_refused_message_is_permanent(case: Case) -> None:
    """A message that is never taken must not hold up those behind it."""
    case.answer(400)

    failure = failure_of_a_send(case)

    assert isinstance(failure, PermanentDeliveryError)
    assert failure.reason == "http_400"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, None])
def test_no_failure_shows_a_secret(case: Case, status: int | None) -> None:
    """Errors end in logs and in the store, which more people read than may post."""
    if status is None:
        case.hang()
    else:
        case.answer(status, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    with capture_logs() as logs:
        failure = failure_of_a_send(case)

    shown = f"{failure!r} {failure} {failure.__cause__!r} {logs}"
    assert [secret for secret in case.secrets if secret in shown] == []


def test_it_sends_again_after_a_failure(case: Case) -> None:
    """A receiver keeps no memory of a failure: what comes next may succeed."""
    case.hang()
    failure_of_a_send(case)
    if isinstance(case, HttpCase):
        case.stand_in._answers.clear()

    case.receiver.send(a_notification(key="abc123"))

    assert case.accepted_keys() == ["abc123"]


def test_closing_twice_is_fine(case: Case) -> None:
    """Shutting down may happen on more than one path."""
    case.receiver.close()

    case.receiver.close()


def test_it_bears_its_name_from_the_config(case: Case) -> None:
    """The outbox finds a receiver's messages by its name."""
    assert case.receiver.name == "sre"


HTTP_TYPES = sorted(set(RECEIVERS))


@pytest.mark.parametrize("type_name", HTTP_TYPES)
def test_a_missing_secret_keeps_its_messages_waiting(type_name: str, tmp_path: Path) -> None:
    """An unset variable is mended by setting it; until then nothing is lost."""
    receiver = build(type_name, url={"file": str(tmp_path / "absent")})

    with pytest.raises(TransientDeliveryError) as raised:
        receiver.send(a_notification())

    receiver.close()
    assert raised.value.reason == "secret_missing"


@pytest.mark.parametrize("type_name", HTTP_TYPES)
def test_a_secret_that_is_no_address_is_named_but_not_shown(type_name: str, tmp_path: Path) -> None:
    """A pasted token in the wrong place must not end in a log."""
    wrong = tmp_path / "url"
    wrong.write_text("xoxb-not-an-address")
    receiver = build(type_name, url={"file": str(wrong)})

    with pytest.raises(TransientDeliveryError) as raised:
        receiver.send(a_notification())

    receiver.close()
    assert raised.value.reason == "bad_url"
    assert str(wrong) in str(raised.value)
    assert "xoxb" not in str(raised.value)


@pytest.mark.parametrize("type_name", HTTP_TYPES)
def test_a_peer_that_is_not_there_is_worth_another_attempt(type_name: str) -> None:
    """A receiver that restarts refuses connections for a moment."""
    with WebhookStandIn() as gone:
        url = gone.url
    receiver = build(type_name, url=url)

    with pytest.raises(TransientDeliveryError) as raised:
        receiver.send(a_notification())

    receiver.close()
    assert raised.value.reason == "connect_failed"


@pytest.mark.parametrize("type_name", HTTP_TYPES)
def test_garbled_text_does_not_keep_a_message_from_going_out(type_name: str, tmp_path: Path) -> None:
    """A source may hand over any bytes as a label; an alert is not lost over them."""
    stand_in = {"slack": SlackStandIn, "webhook": WebhookStandIn}[type_name]
    garbled = "a\ud800<!channel>&\x00\x07\u202e\n|" + "é" * 5000
    notification = a_notification(
        title=garbled,
        owner=garbled,
        objective=garbled,
        series=tuple(_line_of(garbled, number) for number in range(40)),
    )
    with stand_in() as peer:
        receiver = build(type_name, url=peer.url)

        receiver.send(notification)

        receiver.close()
        assert [len(peer.accepted), peer.problems] == [1, []]


def _line_of(garbled: str, number: int) -> Any:

    return a_line(labels=(("a", f"{number}{garbled}"),), note=garbled, annotations={"summary": garbled})
