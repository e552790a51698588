"""A message that only shows whether a receiver can be reached, and what to do when it cannot."""

from __future__ import annotations

import re

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.builtin import TEST_MESSAGE
from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.notify.options import ReceiverOptions

_ENDS_AFTER_SECONDS = 300.0
_CODE = re.compile(r"http_(\d{3})(?:_\w+)?")

_TO_DO = {
    "connect_failed": "check the address in the config, and that this machine may reach it (name, port, firewall)",
    "timeout": "check that the receiver answers from this machine; http: {read_timeout: …} waits longer",
    "tls_failed": "check the receiver's certificate; a private authority goes into http: {tls: {ca_file: …}}",
    "secret_missing": "set the secret where whatever sends can read it: the daemon's own environment or a file",
    "bad_url": "put a whole URL such as https://hooks.slack.com/services/… into the secret",
    "not_slack": "a proxy or a portal answers in Slack's place; check the URL, and the way to it",
    "unexpected_error": "this is a fault of slo_guard's own; the daemon's log has more",
}
_TO_DO_BY_STATUS = {
    401: "check the receiver's credentials in the config",
    403: "check the receiver's rights; of Slack: whether the webhook was revoked or its channel archived",
    404: "check the URL; of Slack: make a new incoming webhook and put its URL into the secret",
    405: "check the URL: what is there takes no POST",
    407: "a proxy on the way asks for credentials",
    410: "the webhook is gone; make a new one and put its URL into the secret",
    429: "the receiver takes no more for now; try again later, or set min_interval",
}


def trial_message(options: ReceiverOptions, key: str, now: float) -> Notification:
    """Return the message: marked as a test wherever a receiver looks, of no KPI, as quiet as the receiver hears.

    What reads Alertmanager's format finds one alert with the labels ``alertname: slo_guard_test`` and ``test: true``
    that ends by itself five minutes later.
    """
    line = SeriesLine(
        labels=(("test", "true"),),
        firing=True,
        value=None,
        verdict="",
        reason=NotificationReason.TEST.value,
        note=None,
        active_at=now,
        ended_at=now + _ENDS_AFTER_SECONDS,
    )
    return Notification(
        key=key,
        receiver=options.name,
        group=f"{options.name}/{TEST_MESSAGE}",
        reason=NotificationReason.TEST,
        created_at=now,
        sprint="",
        kpi=TEST_MESSAGE,
        kind=AlertKind.BREACH,
        severity=Severity.TICKET if "ticket" in options.severities else Severity.PAGE,
        lane="",
        title="nothing is wrong",
        owner="",
        objective="",
        unit=None,
        runbook_url=None,
        series=(line,),
        transitions=(),
    )


def what_to_do(reason: str) -> str:
    """Return what mends a delivery that failed for ``reason``, a stable code such as ``http_404``."""
    code = _CODE.match(reason)
    if code is None:
        return _TO_DO.get(reason, "see the daemon's log")
    status = int(code.group(1))
    if status in _TO_DO_BY_STATUS:
        return _TO_DO_BY_STATUS[status]
    if status >= 500:
        return "the receiver has trouble of its own; try again later, and ask whoever runs it"
    if status < 400:
        return "the receiver sends us elsewhere; put the address that it names into the config"
    return "the receiver does not take such messages; check that it is of the type that the config says"
