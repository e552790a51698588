"""How a burn alert reads: as a pace, not as a bare number, and never in the words of a breach."""

from __future__ import annotations

from typing import Any

import pytest

from slo_guard.domain.alerts import AlertKey, AlertKind
from slo_guard.domain.budget_words import burn_rate_words
from slo_guard.domain.notifications import NotificationReason
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.notify.compose import compose
from slo_guard.notify.groups import Facts, FiringSeries, Group, GroupKey
from slo_guard.notify.slack_blocks import plain_message, slack_message
from slo_guard.notify.text import summary_line
from slo_guard.notify.webhook import webhook_body
from tests.support.notices import NOON, a_line, a_notification, a_transition, labelled
from tests.support.slack_stand_in import all_texts, message_problems

LIMIT = "burn rate at most 14.4 over 1h and 5m"
BURNING: dict[str, Any] = {"kind": AlertKind.BURN, "tier": "1h/5m", "objective": LIMIT, "unit": ""}
LINE = a_line(value=36.0, verdict="met", reason="burning", note="at this rate 5% of the sprint error budget goes in 1h")
OVER = a_line(value=15.2, firing=False, verdict="met", reason="recovered", ended_at=NOON + 750, annotations={})


def test_a_burn_rate_reads_as_one_wherever_it_is_told() -> None:
    """Whoever is woken by "36" asks of what."""
    note = a_notification(**BURNING, series=(LINE,))

    message = slack_message(note)

    assert message_problems(message) == []
    text = all_texts(message)
    told = "burns at *36 times the allowed rate over 1h*, objective burn rate at most 14.4 over 1h and 5m"
    assert "🔥 Burning its error budget: GA end-to-end p95" in text
    assert told in text
    assert "at this rate 5% of the sprint error budget goes in 1h" in text
    for each in (summary_line(note), plain_message(note)["text"]):
        assert "36 times the allowed rate over 1h" in each
    (alert,) = webhook_body(note)["alerts"]
    assert alert["annotations"]["value"] == "36 times the allowed rate over 1h"
    assert alert["labels"]["tier"] == "1h/5m"


def test_the_end_of_a_burn_alert_does_not_show_the_pace_that_it_had() -> None:
    """The short window lets it go while the long one is still high: "recovered, at 15.2 times" would confuse."""
    note = a_notification(**BURNING, reason=NotificationReason.RECOVERED, series=(OVER,))

    text = all_texts(slack_message(note))

    assert "🟢 Recovered" in text
    assert "15.2" not in text + summary_line(note) + plain_message(note)["text"]
    assert "the error budget burns slowly enough again" in text
    assert "12m 30s" in text


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1.0, "1 times the allowed rate over 3d"),
        (14.43, "14.4 times the allowed rate over 3d"),
        (0.0213, "0.021 times the allowed rate over 3d"),
        (99.99, "100 times the allowed rate over 3d"),
        (1234.5, "1,234 times the allowed rate over 3d"),
        (None, "no value"),
        (float("inf"), "no value"),
    ],
)
def test_a_pace_has_no_more_digits_than_anybody_reads(rate: float | None, words: str) -> None:
    """Nor fewer than tell it from the factor."""
    assert burn_rate_words(rate, "3d") == words


def test_what_a_rule_says_of_its_value_is_not_said_of_a_burn_rate() -> None:
    """A burn rate "of the requests drew a complaint" is nobody's sentence; other annotations stay."""
    key = GroupKey("sre", "sprint-40", "ga_e2e_p95", AlertKind.BURN, "1h/5m")
    fired = a_transition(
        1,
        AlertState.FIRING,
        key=AlertKey("sprint-40", "ga_e2e_p95", labelled(system="fs"), AlertKind.BURN, "1h/5m"),
        reason=Reason.BURNING,
        verdict=Verdict.MET,
        value=36.0,
        objective=LIMIT,
        annotations={"summary": "{{ value }} is slow", "description": "{{ value }}", "dashboard": "of {{ lane }}"},
    )
    group = Group(key, Facts.of(fired), {labelled(system="fs"): FiringSeries.of(fired)})

    note = compose(
        group,
        NotificationReason.FIRST_NOTIFICATION,
        NOON,
        basis="1",
        transitions=[1],
        fresh=[labelled(system="fs")],
        ended={},
        still=[],
        alerts={},
    )

    assert note.series[0].annotations == {"dashboard": "of ga-ops"}
